r"""Texts that PostgreSQL cannot keep: with NUL, or with half a pair of surrogates. Pure.

Checked rows have none of them. Should one come all the same, such a character is kept as U+001A and four hexadecimal
digits, and so is U+001A itself. So what is read is what was written, and no two texts become one. A file's name can be
of any bytes; what of it is not UTF-8 is kept as an escape, as on SQLite.
"""

from __future__ import annotations

import re
from typing import Final

_MARK: Final = "\x1a"
_UNFIT: Final = re.compile(f"[\x00{_MARK}\ud800-\udfff]")
_KEPT: Final = re.compile(f"{_MARK}([0-9a-f]{{4}})")


def kept(text: str) -> str:
    """Return a text as it is kept."""
    return text if text.isprintable() else _UNFIT.sub(lambda found: f"{_MARK}{ord(found[0]):04x}", text)


def kept_name(name: str) -> str:
    """Return the name of a file as it is kept."""
    return kept(name.encode("utf-8", "backslashreplace").decode())


def read(text: str) -> str:
    """Return a kept text as it was written."""
    return _KEPT.sub(lambda found: chr(int(found[1], 16)), text) if _MARK in text else text
