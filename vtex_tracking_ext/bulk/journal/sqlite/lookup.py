"""Selecting many records with few statements, because a statement costs more than a record."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

#: Parameters of one statement at most: older SQLite versions accept 999.
MAX_PARAMETERS: Final = 900


def select_many(
    connection: sqlite3.Connection, sql: str, wanted: Sequence[int | str] | Sequence[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """Return the records of a query for each of these values, or rows of values.

    Args:
        connection: The database.
        sql: The query, with ``{}`` for the values: ``?, ?``, or rows of them, ``(?, ?), (?, ?)``.
        wanted: The values; all rows have the same length.
    """
    found: list[tuple[Any, ...]] = []
    width = len(wanted[0]) if wanted and isinstance(wanted[0], tuple) else 0
    most = MAX_PARAMETERS // max(width, 1)
    for start in range(0, len(wanted), most):
        page: Sequence[Any] = wanted[start : start + most]
        values = list(chain.from_iterable(page)) if width else page
        found += connection.execute(_statement(sql, width, len(page)), values)
    return found


@lru_cache(maxsize=128)
def _statement(sql: str, width: int, rows: int) -> str:
    row = f"({', '.join('?' * width)})" if width else "?"
    return sql.format(", ".join([row] * rows))
