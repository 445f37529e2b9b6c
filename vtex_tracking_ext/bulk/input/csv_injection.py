"""Escape cells that a spreadsheet would run as formulas in rejects files, and unescape them when read. Pure.

A rejects file is meant to be opened in a spreadsheet, and its cells were written by others. A cell that begins with
``=``, ``+``, ``-``, ``@``, a tab or a carriage return, or with one or more ``'`` before one of these, is therefore
prefixed with one more ``'``. Because cells that already have some get one too, removing one always restores the cell.

Only rows whose ``reason`` contains :data:`MARK`, which is written with every escaped row, are unescaped. Other files do
not have it there, so no cell of an ordinary file is ever changed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Ends the reason of an escaped row; read by people and by :mod:`.csv_jsonl`.
MARK: Final = "(a ' before = + - @ keeps a spreadsheet from running the cell; it is removed when this file is read)"

_UNSAFE: Final = re.compile(r"'*[=+\-@\t\r]")


def escape_cell(cell: str) -> str:
    """Return a cell that is safe to open in a spreadsheet."""
    return f"'{cell}" if _UNSAFE.match(cell) else cell


def unescape_cells(cells: Iterable[str]) -> list[str]:
    """Return the cells that :func:`escape_cell` was given; a cell that was typed without the ``'`` stays unchanged."""
    return [cell[1:] if cell.startswith("'") and _UNSAFE.match(cell) else cell for cell in cells]


def unescape_name(name: str) -> str:
    """Return a column's name without the escapes of one or more rejects files."""
    return name.lstrip("'") if _UNSAFE.match(name) else name
