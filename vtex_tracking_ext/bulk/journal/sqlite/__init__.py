"""The journal in an SQLite file: one run at a time writes to it, anybody may look on.

Written with what SQLite 3.24 knows, because systems with a new Python can have an old SQLite (no RETURNING).
"""

from .journal import SqliteJournal
from .reader import SqliteReader

__all__ = ["SqliteJournal", "SqliteReader"]
