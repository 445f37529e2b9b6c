"""Cells that a spreadsheet would run as formulas, made safe in rejects files and brought back when read. Pure.

A rejects file is made to be opened in a spreadsheet, and its cells were written by others. So a cell that begins
with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return, or with one or more ``'`` before one of these, gets
one more ``'`` in front. Adding one to those that have some already makes the way back unambiguous: it takes one
off, and every cell is again what it was.

The way back is taken only for rows whose ``reason`` holds :data:`MARK`, which is written with every row that got
a ``'``. No other file has it there, so no cell of an ordinary file is ever touched.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Ends the reason of a row that was made safe; says to people what it says to the reader.
MARK: Final = "(a ' before = + - @ keeps a spreadsheet from running the cell; it is taken off when this file is read)"

_UNSAFE: Final = re.compile(r"'*[=+\-@\t\r]")


def safe(cell: str) -> str:
    """Return a cell as it can be shown to a spreadsheet."""
    return f"'{cell}" if _UNSAFE.match(cell) else cell


def restored(cells: Iterable[str]) -> list[str]:
    """Return the cells that :func:`safe` was given; one that somebody typed without the ``'`` stays as it is."""
    return [cell[1:] if cell.startswith("'") and _UNSAFE.match(cell) else cell for cell in cells]


def bare(name: str) -> str:
    """Return a column's name without what made it safe, however often that was done."""
    return name.lstrip("'") if name.startswith("'") and _UNSAFE.match(name) else name
