"""Write to the profile file, whole or not at all, and keep what else is in it."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.bulk.input.private_file import create_private
from vtex_tracking_ext.config.credentials import SETTING_NAMES
from vtex_tracking_ext.config.secret import Secret, hidden_frames
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A line that gives one of the settings that :func:`write_profile` writes.
_SETTING: Final = re.compile(rf"^[ \t]*(?:{'|'.join(SETTING_NAMES)})[ \t]*=.*\n?", re.MULTILINE)


def write_profile(path: Path, name: str, settings: Mapping[str, str | Secret]) -> None:
    """Write a store to a profile file, as ``[NAME]``.

    If the file has the store, its account, address and credentials are replaced, and its other settings are kept.

    Args:
        path: The profile file; it is created if it does not exist.
        name: The name of the store.
        settings: The settings to write, by their names in the file.

    Raises:
        ConfigurationError: The file cannot be written, or the store in it is written in a way that cannot be changed.
    """
    path = Path(os.path.realpath(path))
    with hidden_frames():
        values = {key: value.reveal() if isinstance(value, Secret) else value for key, value in settings.items()}
        try:
            text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
            before = tomllib.loads(text)
            text = _with_store(text, name, values, replace=name in before)
            kept = {key: value for key, value in before.get(name, {}).items() if key not in SETTING_NAMES}
            if _parsed(text) != {**before, name: {**values, **kept}}:
                raise ConfigurationError(
                    f"The store {quoted(name, 60)} in the profile file {path} is written in a way that cannot be "
                    "changed here. Edit the file, or choose another name."
                )
            replace_profile_file(path, text)
        except OSError as error:
            raise ConfigurationError(f"The profile file {path} cannot be written: {error.strerror}.") from None


def replace_profile_file(path: Path, text: str) -> None:
    """Replace a profile file, or create it, with mode 0600. Other processes see the old content or the new one.

    Raises:
        OSError: It cannot be written; then it is as it was.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with create_private(partial) as file:
            file.write(text)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def toml_key(name: str) -> str:
    """Return a key as TOML writes it."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)


def toml_value(value: object) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{toml_key(key)} = {toml_value(each)}' for key, each in value.items())} }}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    # A string of JSON is one of TOML, except for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _with_store(text: str, name: str, values: Mapping[str, Any], *, replace: bool) -> str:
    lines = "".join([f"{key} = {toml_value(value)}\n" for key, value in values.items()])
    if not replace:
        return f"{text.rstrip()}\n\n[{toml_key(name)}]\n{lines}".lstrip()
    heading = rf"^([ \t]*\[{re.escape(toml_key(name))}\][ \t]*(?:#.*)?)(?:\n|\Z)"
    rest = r"((?:(?![ \t]*\[).*(?:\n|\Z))*)"  # up to the next table
    table = re.compile(f"{heading}{rest}", re.MULTILINE)
    return table.sub(lambda found: f"{found[1]}\n{lines}{_SETTING.sub('', found[2])}", text, count=1)


def _parsed(text: str) -> dict[str, Any]:
    """Return the content of a text, or nothing if it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}
