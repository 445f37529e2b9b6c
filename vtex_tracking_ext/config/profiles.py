"""Read the profile file: the accounts and credentials of several stores, in TOML.

::

    [mystore]                  # the account, unless `account` says otherwise
    app_key = "..."
    app_token = "..."          # or user_token = "..."
    resend_after = "1h"        # see DeliveryOptions; not given: never

    [mystore.webhooks]         # see config.webhooks
    easypost = "..."

Its path comes from ``--profiles FILE``, else ``VTEX_PROFILES``, else it is ``vtex-tracking/profiles.toml`` in the
user's configuration folder. A file that other users can access is refused.
"""

from __future__ import annotations

import os
import shlex
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import field, fields, frozen

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted

from .credentials import Settings
from .duration import duration_seconds
from .secret import hidden_frames
from .webhooks import WebhookCheck, parse_webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The environment variable that, set to 1, allows profile files that others can access.
ALLOW_READABLE: Final = "VTEX_ALLOW_READABLE_PROFILES"

#: Windows has no permission bits; there, only the users' own folders are closed to others by default.
_IS_WINDOWS: Final = os.name == "nt"

#: Largest profile file, in bytes; it holds thousands of stores.
_MAX_BYTES: Final = 1024 * 1024


@frozen
class Profile(Settings):
    """The settings of one store in a profile file.

    Attributes:
        resend_after: Seconds after which an unknown event is sent again if its order does not show it; 0 for never, and
            None if the profile does not say.
        layout: How the files of the store are to be read: the keys of a layout, unchecked, or its name.
        carriers: What the store says about sources of carriers' payloads: a table of settings for each, unchecked.
        webhooks: How the posts of each source's webhook are verified; the names of the sources are unchecked.
    """

    resend_after: float | None = None
    layout: Mapping[str, Any] | str | None = None
    carriers: Mapping[str, Mapping[str, Any]] | None = None
    webhooks: Mapping[str, WebhookCheck] = field(factory=dict)


#: The table of the layouts that have names.
LAYOUTS: Final = "layouts"

#: The keys of a profile.
_KEYS: Final = tuple(attribute.name for attribute in fields(Profile))


def profiles_path(environ: Mapping[str, str]) -> Path:
    """Return the path of the profile file; the file need not exist."""
    if environ.get("VTEX_PROFILES"):
        return Path(environ["VTEX_PROFILES"])
    folder = environ.get("XDG_CONFIG_HOME") or environ.get("APPDATA")
    if not folder:  # Path.home() raises where a user has no home folder, as in some containers; expanduser does not
        folder = os.path.join(os.path.expanduser("~"), ".config")  # noqa: PTH111, PTH118
    return Path(folder) / "vtex-tracking" / "profiles.toml"


def load_profiles(path: Path, note: Callable[[str], object] | None = None) -> dict[str, Profile]:
    """Return all profiles of a file, by name.

    Args:
        path: The file.
        note: Is called with a text if others can read the file, and :data:`ALLOW_READABLE` allows that.

    Raises:
        ConfigurationError: The file cannot be read, others can read it, it is not TOML, or contains an unknown or
            invalid setting. No value is quoted.
    """
    with hidden_frames():
        document = _load(path, note)
        return {name: _profile(path, name, table) for name, table in document.items() if name != LAYOUTS}


def load_profile(path: Path, name: str, note: Callable[[str], object] | None = None) -> Profile:
    """Return one profile of a file; see :func:`load_profiles`.

    Raises:
        ConfigurationError: There is no such profile, or :func:`load_profiles` refuses the file.
    """
    profiles = load_profiles(path, note)
    if name not in profiles:
        known = ", ".join(map(quoted, profiles)) or "none"
        raise ConfigurationError(f"There is no profile {quoted(name)} in {path}. Its profiles: {known}.")
    return profiles[name]


def load_layout(path: Path, name: str, note: Callable[[str], object] | None = None) -> Mapping[str, Any]:
    """Return the keys of a layout that has a name, ``[layouts.NAME]``, unchecked; see :func:`load_profiles`.

    Raises:
        ConfigurationError: There is no such layout, or the file cannot be used.
    """
    with hidden_frames():
        layouts = _load(path, note).get(LAYOUTS)
        layout = layouts.get(name) if isinstance(layouts, dict) else None
        if not isinstance(layout, dict):
            known = ", ".join(map(quoted, layouts)) if isinstance(layouts, dict) and layouts else "none"
            raise ConfigurationError(f"There is no layout {quoted(name)} in {path}. Its layouts: {known}.")
        return layout


def _load(path: Path, note: Callable[[str], object] | None) -> dict[str, Any]:
    try:
        return tomllib.loads(_read(path, note).decode("utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"The profile file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"The profile file {path} is not UTF-8 text.") from None
    except RecursionError:
        raise ConfigurationError(f"The profile file {path} is nested too deeply.") from None
    except ValueError as error:  # tomllib.TOMLDecodeError, or an integer with too many digits
        raise ConfigurationError(f"The profile file {path} is not valid TOML: {error}.") from None


def _read(path: Path, note: Callable[[str], object] | None) -> bytes:
    """Return the content of a regular file, or of a pipe such as a shell's ``<(command)``.

    Raises:
        OSError: The file cannot be read.
        ConfigurationError: Others can read the file, it is a device, which might never end, or it is too large.
    """
    # Without O_NONBLOCK, opening a named pipe would block until another process opens it for writing.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISFIFO(mode):
            os.set_blocking(file.fileno(), True)
        elif not stat.S_ISREG(mode):
            raise ConfigurationError(f"The profile file {path} cannot be read: it is a device.")
        elif _IS_WINDOWS:
            _note_other_folder(path, note)
        elif mode & 0o077:
            _check_allowed(path, stat.S_IMODE(mode), note)
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ConfigurationError(f"The profile file {path} is larger than {_MAX_BYTES} bytes.")
    return content


def _note_other_folder(path: Path, note: Callable[[str], object] | None) -> None:
    """Call ``note`` if a file on Windows, whose permissions are not checked, is outside of the user's own folder."""
    folder = Path(os.path.expanduser("~"))  # noqa: PTH111 - see profiles_path
    if note is not None and not path.resolve().is_relative_to(folder.resolve()):
        note(
            f"The profile file {path} contains credentials. On Windows, it is not checked whether other users have "
            f"access to it; keep it in a folder of your own, below {folder}."
        )


def _check_allowed(path: Path, mode: int, note: Callable[[str], object] | None) -> None:
    """Raise if others can read the file, unless that is allowed; then call ``note``."""
    shared = f"The profile file {path} contains credentials, and other users have access to it (mode {mode:04o})"
    if os.environ.get(ALLOW_READABLE) != "1":
        raise ConfigurationError(
            f"{shared}. Run: chmod 600 {shlex.quote(str(path))}. If its mode cannot be changed, as that of a mounted "
            f"secret, set the environment variable {ALLOW_READABLE}=1."
        )
    if note is not None:
        note(f"{shared}, which {ALLOW_READABLE}=1 allows.")


def _profile(path: Path, name: str, table: object) -> Profile:
    where = f"In the profile file {path}, [{quoted(name)}]"
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where} is not a table: write [{name}], and its settings below it.")
    for key, value in table.items():
        if key not in _KEYS:
            raise ConfigurationError(f"{where}: {quoted(key)} is not a setting; use {', '.join(_KEYS)}.")
        if key == "carriers":
            if not (isinstance(value, dict) and all(isinstance(each, dict) for each in value.values())):
                raise ConfigurationError(f"{where}: carriers is not a table of tables: write [{name}.carriers.NAME].")
        elif key != "webhooks" and not (isinstance(value, str) or (key == "layout" and isinstance(value, dict))):
            raise ConfigurationError(f"{where}: {key} is not text; write it between quotes.")
    settings: dict[str, Any] = {"account": name, **table}
    if "resend_after" in table:
        try:
            settings["resend_after"] = duration_seconds(table["resend_after"])
        except ValueError as error:
            raise ConfigurationError(f"{where}: resend_after is {error}, or off.") from None
    if "webhooks" in table:
        try:
            settings["webhooks"] = parse_webhooks(table["webhooks"])
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error}") from None
    return Profile(**settings)
