"""Reading a journal in an SQLite file."""

from __future__ import annotations

import datetime as dt
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.bulk.journal.entries import Meta, utc_now
from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalReader, NoJournalError
from vtex_tracking_ext.bulk.journal.sql import ENTRIES, statements_for
from vtex_tracking_ext.text import visible

from . import file
from .add_rows import select_many

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from typing import Self

    from vtex_tracking_ext.bulk.journal.entries import Clock

SQL: Final = statements_for(
    is_open="e.state <> 'applied' AND e.state <> 'refused' AND e.state <> 'withdrawn'",
    in_states="instr(:states, '/' || e.state || '/')",
    now=":now",
    quiet_until="CAST(:now + :quiet_seconds * 1000000 AS INTEGER)",
    join="CROSS JOIN",  # which keeps SQLite from reading the packages first
    parameter=r":\1",
)
ENTRIES_BY_ID: Final = f"{ENTRIES} WHERE e.id IN ({{}}) ORDER BY e.id"
_DELIVERERS: Final = "SELECT id, name, coalesce(deliverer, 'another process') FROM accounts ORDER BY name"


class SqliteReader(JournalReader):
    """A journal in a file, opened for reading."""

    _sql = SQL

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: threading.Lock, clock: Clock) -> None:
        self.path = path
        self.name = str(path)
        self._clock = clock
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, path: str | os.PathLike[str], clock: Clock = utc_now) -> Self:
        """Open an existing journal, possibly while a run writes to it.

        Raises:
            JournalError: The journal does not exist or cannot be used.
        """
        real = Path(os.path.realpath(path))
        if not file.is_journal(real):
            raise missing_journal_error(real)
        return cls(real, file.open_to_read(real), threading.Lock(), clock)

    def meta(self) -> Meta:
        """Return what the journal says of itself."""
        ((version,),) = self._fetch("PRAGMA user_version", {})
        ((created,),) = self._fetch("SELECT value FROM meta WHERE name = 'created'", {})
        return Meta(version, dt.datetime.fromisoformat(created))

    def deliverers(self) -> Mapping[str, str]:
        """Return the accounts that are being delivered now, each with the process that does."""
        accounts = self._fetch(_DELIVERERS, {})
        return {name: who for id_, name, who in accounts if file.is_locked(file.lease_path(self.path, id_))}

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def backup(self, target: sqlite3.Connection) -> None:
        """Copy the whole journal into another database."""
        with self._lock, file.translated_errors(self.path):
            self._connection.backup(target)

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

    def _now(self) -> int:
        return (self._clock() - file.EPOCH) // file.MICROSECOND

    def _to_utc(self, stored: int) -> dt.datetime:
        return file.EPOCH + stored * file.MICROSECOND

    def _damage_error(self, error: Exception) -> JournalError:
        return JournalError(file.describe_error(self.path, file.damage(repr(error))))


def missing_journal_error(path: Path) -> JournalError:
    """Return the error for a journal that must exist but does not."""
    return NoJournalError(f"There is no journal {visible(str(path))}; a push creates it.")
