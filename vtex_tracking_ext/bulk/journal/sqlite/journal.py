"""Writing to a journal in an SQLite file."""

from __future__ import annotations

import datetime as dt
import os
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict

from vtex_tracking_ext.bulk.journal.entries import utc_now
from vtex_tracking_ext.bulk.journal.interface import BATCH, Changes, Journal, Lease, batched, process_name
from vtex_tracking_ext.bulk.journal.sql import PRUNED_PACKAGES

from . import file, locks
from .add_rows import SqliteRowWriter, storable
from .commits import SqliteCommits
from .errors import translated_errors
from .guard import file_guard, refuse_link
from .mark import check_log, is_unchanged
from .reader import SQL, SqliteReader, missing_journal_error
from .schema import MICROSECOND

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from typing import Self

    from vtex_tracking_ext.bulk.input.rows import Row
    from vtex_tracking_ext.bulk.journal.entries import AccountRecord, Added, Clock, Draft, Entry
    from vtex_tracking_ext.bulk.journal.interface import JournalReader

#: Seconds to wait for a lease: long enough for another process that only checks whether it is taken.
_LEASE_TIMEOUT: Final = 0.1

_ADD_ACCOUNT: Final = "INSERT INTO accounts (name) VALUES (?) ON CONFLICT DO NOTHING"
_TAKE_LEASE: Final = "UPDATE accounts SET deliverer = ?, delivers_since = ? WHERE id = ?"
#: An entry that was changed since it was read is not in flight: a row may have dated or renewed it. Nor is one that is
#: held, whatever the caller's clock says.
_BEGIN: Final = """
    UPDATE entries SET state = 'in_flight', attempts = attempts + 1, begun = ?
    WHERE id = ? AND state = 'pending' AND delivered_date IS ?
        AND event_date IS ? AND event_description IS ? AND event_city IS ? AND event_state IS ?
        AND coalesce(not_before, 0) <= ?
"""
_SETTLE: Final = """
    UPDATE entries SET state = ?, status_code = ?, receipt = ?, reason = ?, settled = ?
    WHERE id = ? AND (state = 'in_flight' OR state = 'unknown')
"""
_UPDATE_REVISION: Final = """
    UPDATE accounts SET revision = revision + 1 WHERE id = (SELECT account FROM entries WHERE id = ?)
"""


class SqliteJournal(SqliteReader, Journal):
    """A journal in a file, opened for writing.

    It reads with the connection that writes, between two transactions: another connection would have to read each page
    again after every commit.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        clock: Clock,
        resources: ExitStack,
        check: Callable[[], None],
        write_lock: locks.FileLock | None = None,
        use_lock: locks.FileLock | None = None,
    ) -> None:
        super().__init__(path, connection, clock)
        self._commits = SqliteCommits(path, connection, self._lock, check, write_lock)
        self._resources = resources
        if write_lock and use_lock:
            resources.callback(lambda: locks.end_use(path, write_lock, use_lock, has_failed=self._commits.has_failed))
        resources.callback(self._commits.close)

    @classmethod
    def open(cls, path: str | os.PathLike[str], clock: Clock = utc_now, *, create: bool = True) -> Self:
        """Open a journal for writing, possibly while other processes write to it.

        Args:
            path: Its file, on a local disk (SQLite's log does not work over a network).
            clock: Returns the current time.
            create: Whether to create the journal if it does not exist.

        Raises:
            JournalInUseError: Another process has locked it for too long.
            JournalError: It cannot be used, or does not exist and ``create`` is False.
        """
        real, created = Path(os.path.realpath(path)), clock().astimezone(dt.UTC).isoformat(" ")
        if not (file.is_journal(real) or create):
            raise missing_journal_error(real)
        lock_path = locks.write_lock_path(real)
        with ExitStack() as resources:
            write_lock = resources.enter_context(closing(locks.FileLock(lock_path)))
            with write_lock:
                if not file.is_journal(real):  # checked again, now that no other process can create it
                    file.create(real, created)
                use_lock = resources.enter_context(closing(locks.FileLock(locks.use_path(real))))
                is_checked = use_lock.try_acquire() and not is_unchanged(real)
                if is_checked:
                    check_log(real)
                connection = resources.enter_context(closing(file.open_to_write(real, is_checked=is_checked)))
                use_lock.share()
            return cls(real, connection, clock, resources.pop_all(), file_guard(real, lock_path), write_lock, use_lock)

    @classmethod
    def temporary(cls, clock: Clock = utc_now) -> Self:
        """Create a journal for planning, which is deleted when it is closed and does not wait for the disk.

        It is in a folder of its own among the system's temporary files; ``kill -9`` leaves that behind.
        """
        with ExitStack() as resources, translated_errors(Path("temporary")):
            path = Path(resources.enter_context(TemporaryDirectory(prefix="vtex-tracking-")), "journal.db")
            file.create(path, clock().astimezone(dt.UTC).isoformat(" "))
            connection = resources.enter_context(closing(file.open_to_write(path, is_durable=False)))
            return cls(path, connection, clock, resources.pop_all(), file_guard(path))

    def close(self) -> None:
        """Close the journal. Closing is idempotent."""
        self._resources.close()

    def copy(self, journal: JournalReader) -> None:
        """Copy another journal into this one, which is empty: entries with ids and states, and pruned keys."""
        if isinstance(journal, SqliteReader):
            journal.backup(self._connection)
            return
        for batch in batched(journal.entries(), BATCH):
            self._commits.run(partial(_copy, batch))
        values = ((key, 0) for key in journal.pruned_keys())
        self._commits.run(lambda connection: connection.executemany("INSERT INTO pruned_keys VALUES (?, ?)", values))

    @contextmanager
    def lease(self, account: str) -> Iterator[Lease | None]:
        """Take the lease of an account while the context lasts; None if another process or thread has it."""
        name = account.lower()
        account_id = self._account_id(name)
        path = locks.lease_path(self.path, account_id)
        refuse_link(path)
        with closing(locks.FileLock(path, self.path, is_open=True)) as lock:
            if not lock.try_acquire(_LEASE_TIMEOUT):
                yield None
                return
            check = file_guard(lock.path)
            self._commits.run(partial(_execute, _TAKE_LEASE, (process_name(), self._now(), account_id)))
            record = self.account(name)
            assert record is not None  # noqa: S101 - it was added above
            yield SqliteLease(record, self._commits, self._now, check)

    def _account_id(self, name: str) -> int:
        """Return the id of an account, which is added if the journal does not contain it."""
        while not (ids := self._fetch("SELECT id FROM accounts WHERE name = :name", {"name": name})):
            self._commits.run(partial(_execute, _ADD_ACCOUNT, (name,)))
        return int(ids[0][0])

    def _add(self, rows: Sequence[Row], first: Draft | None) -> list[Added]:
        now = self._now()
        added: list[Added] = self._commits.run(lambda connection: SqliteRowWriter(connection, now).add(rows, first))
        return added

    def _execute(self, statements: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> None:
        stored = [
            (sql, [{name: storable(value) for name, value in each.items()} for each in values])
            for sql, values in statements
        ]
        self._commits.run(lambda connection: [connection.executemany(sql, values) for sql, values in stored])

    def _move(self, ids: Sequence[int], change: Mapping[str, Any]) -> int:
        def move(connection: sqlite3.Connection) -> int:
            sql = f"{self._sql['move']} WHERE id = :id AND state = :from"
            moved = [id_ for id_ in ids if connection.execute(sql, {**change, "id": id_}).rowcount]
            if change["state"] == "pending":
                connection.executemany(_UPDATE_REVISION, [(id_,) for id_ in moved])
            return len(moved)

        number: int = self._commits.run(move)
        return number

    def _prune(self, older_than: dt.timedelta, last: int, *, forget: bool) -> tuple[int, int | None]:
        before = self._now() - older_than // MICROSECOND

        def prune(connection: sqlite3.Connection) -> tuple[int, int | None]:
            values = {"last": last, "before": before}
            packages = [{"package": id_} for (id_,) in connection.execute(self._sql["prunable_packages"], values)]
            if forget:
                connection.execute(self._sql["forget"], values)
            else:
                connection.executemany(self._sql["keep_keys"], packages)
            number = connection.executemany(self._sql["prune_entries"], packages).rowcount
            connection.executemany(self._sql["prune_package"], packages)
            return max(0, number), packages[-1]["package"] if len(packages) == PRUNED_PACKAGES else None

        pruned: tuple[int, int | None] = self._commits.run(prune)
        return pruned

    def _shrink(self) -> None:
        statements = (self._sql["prune_sources"], "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")
        self._commits.run_alone(lambda connection: [connection.execute(statement) for statement in statements])


class SqliteLease(Lease):
    """A lease of a journal in a file. The process holds its lock file; see :meth:`SqliteJournal.lease`."""

    def __init__(
        self, record: AccountRecord, commits: SqliteCommits, now: Callable[[], int], check: Callable[[], None]
    ) -> None:
        super().__init__(record)
        self._commits = commits
        self._now = now
        self._check = check

    def _commit(self, changes: Changes) -> AbstractSet[int]:
        self._check()  # another process could lock another file of that name
        now = self._now()

        def commit(connection: sqlite3.Connection) -> set[int]:
            for each in changes.settlements:
                values = (each.state, each.status_code, each.receipt, each.reason or None)
                settled = None if each.state == "pending" else now
                connection.executemany(_SETTLE, [(*values, settled, id_) for id_ in each.ids])
            if changes.update is not None:
                update = {**asdict(changes.update), "account": self.account, "now": now}
                connection.execute(SQL["update_account"], update)
            begun = ((entry.id, connection.execute(_BEGIN, _begin_values(entry, now))) for entry in changes.begun)
            return {id_ for id_, cursor in begun if cursor.rowcount}

        ids: set[int] = self._commits.run(commit)
        return ids


def _begin_values(entry: Entry, now: int) -> tuple[Any, ...]:
    event = entry.event
    texts = (None,) * 4 if event is None else (str(event.date), event.description, event.city, event.state)
    return now, entry.id, entry.delivered_date, *texts, now


def _execute(sql: str, values: tuple[Any, ...], connection: sqlite3.Connection) -> None:
    connection.execute(sql, values)


def _copy(entries: Sequence[Entry], connection: sqlite3.Connection) -> None:
    SqliteRowWriter(connection, 0).copy(entries)
