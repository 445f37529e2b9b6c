"""The profile file: accounts and credentials of somebody who serves several stores, in TOML.

::

    [mystore]                  # the account, unless `account` says otherwise
    app_key = "..."
    app_token = "..."          # or user_token = "..."

It is read from ``--profiles FILE``, else ``VTEX_PROFILES``, else ``vtex-tracking/profiles.toml`` in the
user's configuration folder.
"""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import fields

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted

from .credentials import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Bytes of a profile file that are read; thousands of stores fit in.
_MOST_BYTES = 1024 * 1024

_KEYS = tuple(attribute.name for attribute in fields(Settings))


def profiles_path(environ: Mapping[str, str]) -> Path:
    """Return where the profile file is looked for."""
    if environ.get("VTEX_PROFILES"):
        return Path(environ["VTEX_PROFILES"])
    folder = environ.get("XDG_CONFIG_HOME") or environ.get("APPDATA")
    if not folder:  # unlike Path's, this does not raise where a user has no home folder, as in some containers
        folder = os.path.join(os.path.expanduser("~"), ".config")  # noqa: PTH111, PTH118
    return Path(folder) / "vtex-tracking" / "profiles.toml"


def load_profiles(path: Path) -> dict[str, Settings]:
    """Read the profile file.

    Raises:
        ConfigurationError: It cannot be read, is not TOML, or has an entry nobody knows. No value is quoted.
    """
    try:
        document = tomllib.loads(_content(path).decode("utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"The profile file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"The profile file {path} is not UTF-8 text.") from None
    except RecursionError:
        raise ConfigurationError(f"The profile file {path} is nested too deep.") from None
    except ValueError as error:  # tomllib.TOMLDecodeError is one; so is a number of too many digits
        raise ConfigurationError(f"The profile file {path} is not TOML: {error}.") from None
    return {name: _profile(path, name, entries) for name, entries in document.items()}


def _content(path: Path) -> bytes:
    """Read a file, or a pipe such as a shell makes of ``<(command)``; neither blocks for ever nor reads without end.

    Raises:
        OSError: It cannot be read.
        ConfigurationError: It is neither, or it is too large.
    """
    with open(path, "rb", opener=_open) as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISFIFO(mode):
            os.set_blocking(file.fileno(), True)
        elif not stat.S_ISREG(mode):
            raise ConfigurationError(f"The profile file {path} cannot be read: it is a device.")
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ConfigurationError(f"The profile file {path} is larger than {_MOST_BYTES} bytes.")
    return content


def _open(path: str, flags: int) -> int:
    # A named pipe that nobody writes to would block when it is opened; so it is merely empty.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def load_profile(path: Path, name: str) -> Settings:
    """Read one profile.

    Raises:
        ConfigurationError: The file cannot be used, or has no such profile.
    """
    profiles = load_profiles(path)
    if name not in profiles:
        known = ", ".join(map(quoted, profiles)) or "none"
        raise ConfigurationError(f"No profile {quoted(name)} in {path}; it has: {known}.")
    return profiles[name]


def _profile(path: Path, name: str, entries: object) -> Settings:
    where = f"In the profile file {path}, [{quoted(name)}]"
    if not isinstance(entries, dict):
        raise ConfigurationError(f"{where} is not a table: write [{name}] and its entries below.")
    for key, value in entries.items():
        if key not in _KEYS:
            raise ConfigurationError(f"{where}: {quoted(key)} is not known; there are {', '.join(_KEYS)}.")
        if not isinstance(value, str):
            raise ConfigurationError(f"{where}: {key} is not text; write it between quotes.")
    return Settings(**{"account": name, **entries})
