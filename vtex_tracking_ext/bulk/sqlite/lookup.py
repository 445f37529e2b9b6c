"""Looking up many rows by few statements, because a statement costs more than a row."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

#: Values that are given to one statement at most: older SQLite takes 999.
_MOST_VALUES: Final = 900


def looked_up(connection: sqlite3.Connection, sql: str, wanted: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Yield what a query finds for each of these rows of values, all of the same length.

    Args:
        connection: Where to look.
        sql: The query, with ``{}`` where the values go: ``(?, ?), (?, ?)``, or ``?, ?`` where a row is one value.
        wanted: The values.
    """
    if not wanted:
        return
    width = len(wanted[0])
    row = "?" if width == 1 else f"({', '.join('?' * width)})"
    most = _MOST_VALUES // width
    for start in range(0, len(wanted), most):
        page = wanted[start : start + most]
        yield from connection.execute(sql.format(", ".join([row] * len(page))), list(chain.from_iterable(page)))
