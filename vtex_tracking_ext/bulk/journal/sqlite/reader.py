"""Reading a journal in an SQLite file."""

from __future__ import annotations

import datetime as dt
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.bulk.journal.entries import Meta
from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalReader, NoJournalError
from vtex_tracking_ext.bulk.journal.sql import ENTRIES, OF_ACCOUNT, PAGE, queries_for
from vtex_tracking_ext.text import visible

from . import file
from .add_rows import select_many

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from typing import Self

_IS_OPEN: Final = "e.state <> 'applied' AND e.state <> 'refused'"
ENTRIES_BY_ID: Final = f"{ENTRIES} WHERE e.id IN ({{}}) ORDER BY e.id"
_OPEN_PACKAGES: Final = f"""
    SELECT p.id, p.account, p.order_id, p.invoice_number FROM entries e CROSS JOIN packages p ON p.id = e.package
    WHERE {_IS_OPEN} AND e.package > :last AND {OF_ACCOUNT}
    GROUP BY e.package ORDER BY e.package LIMIT {PAGE}
"""  # noqa: S608 - constants


class SqliteReader(JournalReader):
    """A journal in a file, opened for reading."""

    # CROSS JOIN keeps SQLite from reading the packages first.
    _queries = queries_for(_OPEN_PACKAGES, _IS_OPEN, "instr(:states, '/' || e.state || '/')", "CROSS JOIN", r":\1")

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: threading.Lock) -> None:
        self.path = path
        self.name = str(path)
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open an existing journal, possibly while a run writes to it.

        Raises:
            JournalError: The journal does not exist or cannot be used.
        """
        real = Path(os.path.realpath(path))
        if not file.is_journal(real):
            raise missing_journal_error(real)
        return cls(real, file.open_to_read(real), threading.Lock())

    def meta(self) -> Meta:
        """Return what the journal says of itself."""
        ((version,),) = self._fetch("PRAGMA user_version", {})
        return Meta(version, dt.datetime.fromisoformat(self.meta_value("created")))

    def meta_value(self, name: str) -> str:
        """Return a value of the table ``meta``: ``created``, or ``holder``, the last writer; an empty text if unset."""
        found = self._fetch("SELECT value FROM meta WHERE name = :name", {"name": name})
        return str(found[0][0]) if found else ""

    def active_writers(self) -> str:
        """Return the run that has the journal open for writing, or an empty text."""
        return (self.meta_value("holder") or "it has just begun") if file.is_locked(self.path) else ""

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def _fetch(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        if "states" in values:  # SQLite has no lists
            values = {**values, "states": f"/{'/'.join(values['states'])}/"}
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except file.ERRORS as error:
                raise file.journal_error(self.path, error) from None

    def _fetch_by_id(self, ids: Sequence[int]) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return select_many(self._connection, ENTRIES_BY_ID, ids)
            except file.ERRORS as error:
                raise file.journal_error(self.path, error) from None

    def _to_utc(self, stored: int) -> dt.datetime:
        return file.EPOCH + stored * file.MICROSECOND

    def _damage_error(self, error: Exception) -> JournalError:
        return JournalError(file.describe_error(self.path, file.damage(repr(error))))


def missing_journal_error(path: Path) -> JournalError:
    """Return the error for a journal that must exist but does not."""
    return NoJournalError(f"There is no journal {visible(str(path))}; a push creates it.")
