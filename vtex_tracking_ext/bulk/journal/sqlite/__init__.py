"""A journal in an SQLite file.

It needs only SQLite 3.24, because systems with a new Python can have an old SQLite (no RETURNING).
"""

from .journal import SqliteJournal
from .reader import SqliteReader

__all__ = ["SqliteJournal", "SqliteReader"]
