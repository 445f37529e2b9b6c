"""Reading a journal in an SQLite file."""

from __future__ import annotations

import datetime as dt
import os
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.bulk.journal.entries import Meta, utc_now
from vtex_tracking_ext.bulk.journal.interface import INVALID_RECORD, JournalError, JournalReader, NoJournalError
from vtex_tracking_ext.bulk.journal.sql import statements_for
from vtex_tracking_ext.text import visible

from . import file, locks
from .add_rows import ENTRIES_BY_ID, select_many, storable
from .checksum import verified, with_checksum
from .errors import ERRORS, damage_error, journal_error, translated_errors
from .mark import check_log, is_unchanged
from .schema import EPOCH, MICROSECOND

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

    from vtex_tracking_ext.bulk.journal.entries import Clock, Entry

_STATEMENTS: Final = statements_for(
    is_open="e.state <> 'applied' AND e.state <> 'refused' AND e.state <> 'withdrawn'",
    in_states="instr(:states, '/' || e.state || '/')",
    in_values="IN ({})",
    now=":now",
    seconds="{} / 1000000",
    quiet_until="CAST(:now + :quiet_seconds * 1000000 AS INTEGER)",
    join="CROSS JOIN",  # which keeps SQLite from reading the packages first
    parameter=r":\1",
)
SQL: Final = {name: with_checksum(sql) for name, sql in _STATEMENTS.items()} | {"entries_by_id": ENTRIES_BY_ID}
_DELIVERERS: Final = "SELECT id, name, coalesce(deliverer, 'another process') FROM accounts ORDER BY name"


class SqliteReader(JournalReader):
    """A journal in a file, opened for reading."""

    _sql = SQL

    def __init__(self, path: Path, connection: sqlite3.Connection, clock: Clock) -> None:
        self.path = path
        self.name = str(path)
        self._clock = clock
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: str | os.PathLike[str], clock: Clock = utc_now) -> Self:
        """Open an existing journal, possibly while a run writes to it.

        Raises:
            JournalError: The journal does not exist or cannot be used.
        """
        real = Path(os.path.realpath(path))
        if not file.is_journal(real):
            raise missing_journal_error(real)
        if not is_unchanged(real):
            _check_log(real)
        return cls(real, file.open_to_read(real), clock)

    def meta(self) -> Meta:
        """Return what the journal says of itself."""
        ((version,),) = self._fetch("PRAGMA user_version", {})
        created = self._fetch("SELECT value FROM meta WHERE name = 'created'", {})
        try:
            return Meta(version, dt.datetime.fromisoformat(created[0][0]))
        except INVALID_RECORD as error:
            raise self._damage_error(error) from None

    def deliverers(self) -> Mapping[str, str]:
        """Return the accounts that are being delivered now, each with the process that does."""
        accounts = self._fetch(_DELIVERERS, {})
        return {name: who for id_, name, who in accounts if locks.is_locked(locks.lease_path(self.path, id_))}

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def backup(self, target: sqlite3.Connection) -> None:
        """Copy the whole journal into another database."""
        with self._lock, translated_errors(self.path):
            self._connection.backup(target)

    def _fetch(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        if "states" in values:  # SQLite has no lists
            values = {**values, "states": f"/{'/'.join(values['states'])}/"}
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except ERRORS as error:
                raise journal_error(self.path, error) from None

    def _fetch_many(self, sql: str, wanted: Sequence[int | str]) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return select_many(self._connection, sql, [storable(each) for each in wanted])
            except ERRORS as error:
                raise journal_error(self.path, error) from None

    def _parsed(self, records: Iterable[tuple[Any, ...]]) -> list[Entry]:
        return super()._parsed(map(verified, records))

    def _now(self) -> int:
        return (self._clock() - EPOCH) // MICROSECOND

    def _to_utc(self, stored: int) -> dt.datetime:
        return EPOCH + stored * MICROSECOND

    def _damage_error(self, error: Exception) -> JournalError:
        return damage_error(self.path, str(error))


def _check_log(path: Path) -> None:
    """Check a journal's log if no process uses the journal."""
    with ExitStack() as stack:
        try:
            paths = [each for each in (locks.write_lock_path(path), locks.use_path(path)) if each.exists()]
            is_used = not all(stack.enter_context(closing(locks.FileLock(each))).try_acquire() for each in paths)
        except JournalError:  # no process can write in this folder
            is_used = False
        if not is_used:
            check_log(path)


def missing_journal_error(path: Path) -> JournalError:
    """Return the error for a journal that must exist but does not."""
    return NoJournalError(f"There is no journal {visible(str(path))}; a push creates it.")
