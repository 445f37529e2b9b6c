r"""Escape cells that a spreadsheet would run as formulas in rejects files, and unescape them when read. Pure.

A rejects file is meant to be opened in a spreadsheet, and its cells were written by others. A spreadsheet runs a cell
that begins with ``=``, ``+``, ``-`` or ``@``, perhaps after quotes or blanks. It may also split a cell: if it expects
semicolons, as in Brazil, or tabs, it ignores the quotes of a file with commas, and makes ``"a;=b"`` two cells. So a
``'`` is inserted at the beginning of a cell, and after each separator in it, if a formula may begin there. Where a cell
already has a ``'`` there, it gets one more, so removing one always restores the cell.

Only rows whose ``reason`` contains :data:`MARK`, which is written with every escaped row, are unescaped. Other files do
not have it there, so no cell of an ordinary file is ever changed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Ends the reason of an escaped row; read by people and by :mod:`.tables`.
MARK: Final = "(a ' before = + - @ keeps a spreadsheet from running the cell; it is removed when this file is read)"

#: Characters at which a spreadsheet may split a text into cells or lines.
_SEPARATORS: Final = r",;|\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029"

#: Quotes, blanks and invisible characters, which a spreadsheet may ignore before a formula.
_IGNORED: Final = r"'\"\x00-\x08\x0e-\x1b\x1f \x7f-\x84\x86-\xa0\xad\u2000-\u200f\u202a-\u202f\u205f-\u2064\u3000\ufeff"

#: The signs with which formulas begin, also of full and small width; and a tab, which a spreadsheet may strip.
_SIGNS: Final = r"=+\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20\t"

_FORMULA: Final = rf"(?=[{_IGNORED}]*[{_SIGNS}])"
#: At the beginning of a cell also a line end, which a spreadsheet may strip.
_BEGINNING: Final = rf"(?=[{_IGNORED}]*[{_SIGNS}\r\n])"

_UNSAFE: Final = re.compile(_BEGINNING)
_UNSAFE_PART: Final = re.compile(rf"([{_SEPARATORS}]){_FORMULA}")
_ESCAPED_PART: Final = re.compile(rf"([{_SEPARATORS}])'{_FORMULA}")
_ESCAPED_NAME: Final = re.compile(rf"\A'+{_BEGINNING}|(?<=[{_SEPARATORS}])'+{_FORMULA}")


def escape_cell(cell: str) -> str:
    """Return a cell that is safe to open in a spreadsheet."""
    parts = _UNSAFE_PART.sub(r"\1'", cell) if _UNSAFE_PART.search(cell) else cell  # faster than always sub()
    return f"'{parts}" if _UNSAFE.match(cell) else parts


def unescape_cells(cells: Iterable[str]) -> list[str]:
    """Return the cells that :func:`escape_cell` was given; a cell that was typed without the ``'`` stays unchanged."""
    return [_unescape_cell(cell) if "'" in cell else cell for cell in cells]


def _unescape_cell(cell: str) -> str:
    parts = _ESCAPED_PART.sub(r"\1", cell)
    return parts[1:] if parts.startswith("'") and _UNSAFE.match(parts) else parts


def unescape_name(name: str) -> str:
    """Return a column's name without the escapes of one or more rejects files."""
    return _ESCAPED_NAME.sub("", name)
