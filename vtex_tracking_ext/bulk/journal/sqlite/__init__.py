"""The journal in an SQLite file: one run at a time writes to it, and others can read it meanwhile.

It needs only SQLite 3.24, because systems with a new Python can have an old SQLite (no RETURNING).
"""

from .journal import SqliteJournal
from .reader import SqliteReader

__all__ = ["SqliteJournal", "SqliteReader"]
