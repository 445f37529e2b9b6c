"""Connections of SQLite to a file."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds to wait for another program that locks the file briefly: a backup, a database browser.
BUSY_TIMEOUT: Final = 5.0


def connect(path: Path, mode: str, timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    """Return a connection to a database, which one thread at a time can use. Transactions are begun explicitly.

    Args:
        path: The file.
        mode: SQLite's options for opening it, such as ``mode=ro``.
        timeout: Seconds to wait for other programs.
    """
    uri = f"{path.as_uri()}?{mode}"
    return sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)


def fetch_int(connection: sqlite3.Connection, sql: str) -> int:
    """Return the number that a query returns."""
    return int(connection.execute(sql).fetchone()[0])
