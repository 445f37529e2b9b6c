r"""Texts that PostgreSQL cannot store: with NUL, or with a lone surrogate. Pure.

Checked rows have none. If one has, such a character is stored as U+001A and four hexadecimal digits, and so is U+001A
itself: what is read is what was written, and no two texts become the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_MARK: Final = "\x1a"
_UNSUPPORTED: Final = re.compile(f"[\x00{_MARK}\ud800-\udfff]")
_ENCODED: Final = re.compile(f"{_MARK}([0-9a-f]{{4}})")


def encode(text: str) -> str:
    """Return a text as it is stored."""
    return text if text.isprintable() else _UNSUPPORTED.sub(lambda found: f"{_MARK}{ord(found[0]):04x}", text)


def decode(text: str) -> str:
    """Return a stored text as it was written."""
    return _ENCODED.sub(lambda found: chr(int(found[1], 16)), text) if _MARK in text else text


def encode_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of parameters with their texts as they are stored."""
    return {name: encode(value) if isinstance(value, str) else value for name, value in values.items()}


def decode_record(record: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a record with its texts as they were written."""
    return tuple([decode(value) if type(value) is str else value for value in record])
