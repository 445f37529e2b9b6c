"""Writing to a journal in an SQLite file."""

from __future__ import annotations

import datetime as dt
import os
import threading
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict

from vtex_tracking_ext.bulk.journal.entries import utc_now
from vtex_tracking_ext.bulk.journal.interface import BATCH, Changes, Journal, Lease, batched, process_name
from vtex_tracking_ext.bulk.journal.sql import IS_KEPT_KEY

from . import file
from .add_rows import SqliteRowWriter
from .commits import SqliteCommits, file_guard
from .reader import SqliteReader, missing_journal_error

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from typing import Self

    from vtex_tracking_ext.bulk.input.rows import Row
    from vtex_tracking_ext.bulk.journal.entries import AccountRecord, Added, Clock, Entry

#: Seconds to wait for a lease: long enough for another process that only checks whether it is taken.
_LEASE_TIMEOUT: Final = 0.1

_ADD_ACCOUNT: Final = "INSERT INTO accounts (name) VALUES (?) ON CONFLICT DO NOTHING"
_TAKE_LEASE: Final = "UPDATE accounts SET deliverer = ?, delivers_since = ? WHERE id = ?"
_UPDATE_ACCOUNT: Final = """
    UPDATE accounts SET
        stopped = CASE WHEN :stopped_reason = '' THEN NULL WHEN stopped_reason = :stopped_reason THEN stopped
            ELSE :now END,
        stopped_reason = :stopped_reason,
        quiet_until = CASE WHEN :quiet > 0 THEN :now + :quiet END,
        quiet_reason = :quiet_reason,
        last_applied = CASE WHEN :has_applied THEN :now ELSE last_applied END,
        resend_after = :resend_after,
        pace = :pace
    WHERE id = :account
"""
#: An entry that was changed since it was read is not in flight: a row may have dated or renewed it.
_BEGIN: Final = """
    UPDATE entries SET state = 'in_flight', attempts = attempts + 1, begun = ?
    WHERE id = ? AND state = 'pending' AND delivered_date IS ?
        AND event_date IS ? AND event_description IS ? AND event_city IS ? AND event_state IS ?
"""
_SETTLE: Final = """
    UPDATE entries SET state = ?, status_code = ?, receipt = ?, reason = ?, settled = ?
    WHERE id = ? AND (state = 'in_flight' OR state = 'unknown')
"""
_MOVE: Final = """
    UPDATE entries SET state = :state,
        status_code = CASE WHEN :keeps THEN status_code END,
        receipt = CASE WHEN :keeps THEN receipt END,
        reason = CASE WHEN :keeps THEN reason ELSE :reason END,
        settled = CASE WHEN :state <> 'pending' THEN :now END
    WHERE id = :id AND state = :from
"""
_UPDATE_REVISION: Final = """
    UPDATE accounts SET revision = revision + 1 WHERE id = (SELECT account FROM entries WHERE id = ?)
"""
_PRUNABLE: Final = """
    SELECT package FROM entries WHERE package > ? GROUP BY package
    HAVING sum(state NOT IN ('applied', 'refused', 'withdrawn') OR settled >= ?) = 0
    ORDER BY package LIMIT ?
"""
_KEEP_KEYS: Final = f"""
    INSERT INTO pruned_keys SELECT key, settled FROM entries WHERE package = ? AND {IS_KEPT_KEY} ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants
#: Statements that prune a package, and statements that delete what no entry refers to any more.
_PRUNE: Final = ("DELETE FROM entries WHERE package = ?", "DELETE FROM packages WHERE id = ?")
_FORGET: Final = "DELETE FROM pruned_keys WHERE settled < ?"
_SHRINK: Final = (
    "DELETE FROM sources WHERE id NOT IN (SELECT source FROM entries)",
    "VACUUM",
    "PRAGMA wal_checkpoint(TRUNCATE)",
)


class SqliteJournal(SqliteReader, Journal):
    """A journal in a file, opened for writing.

    It reads with the connection that writes, between two transactions: another connection would have to read each page
    again after every commit.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        lock: threading.Lock,
        commits: SqliteCommits,
        clock: Clock,
        resources: ExitStack,
    ) -> None:
        super().__init__(path, connection, lock, clock)
        self._commits = commits
        self._resources = resources

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
        lock_path = file.write_lock_path(real)
        with ExitStack() as resources:
            write_lock = resources.enter_context(closing(file.FileLock(lock_path)))
            with write_lock:
                if not file.is_journal(real):  # checked again, now that no other process can create it
                    file.create(real, created)
                connection = resources.enter_context(closing(file.open_to_write(real)))
            return cls._connected(real, connection, clock, resources, file_guard(real, lock_path), write_lock)

    @classmethod
    def temporary(cls, clock: Clock = utc_now) -> Self:
        """Create a journal for planning, which is deleted when it is closed and does not wait for the disk.

        It is in a folder of its own among the system's temporary files; ``kill -9`` leaves that behind.
        """
        with ExitStack() as resources, file.translated_errors(Path("temporary")):
            path = Path(resources.enter_context(TemporaryDirectory(prefix="vtex-tracking-")), "journal.db")
            file.create(path, clock().astimezone(dt.UTC).isoformat(" "))
            connection = resources.enter_context(closing(file.open_to_write(path, is_durable=False)))
            return cls._connected(path, connection, clock, resources, file_guard(path), None)

    @classmethod
    def temporary_copy(cls, path: str | os.PathLike[str], clock: Clock = utc_now) -> Self:
        """Create a temporary copy of a journal, to see what a push would do; the journal itself is only read.

        Args:
            path: The journal's file; if it does not exist, the copy is empty.
            clock: Returns the current time.

        Raises:
            JournalError: There is something else, or it cannot be read.
        """
        real = Path(os.path.realpath(path))
        with ExitStack() as stack:
            copy = cls.temporary(clock)
            stack.callback(copy.close)
            if real.parent.is_dir() and file.is_journal(real):
                with file.translated_errors(real), closing(file.open_to_read(real)) as source:
                    source.backup(copy._connection)  # noqa: SLF001 - of the same class
            stack.pop_all()
        return copy

    @classmethod
    def _connected(
        cls,
        path: Path,
        connection: sqlite3.Connection,
        clock: Clock,
        resources: ExitStack,
        check: Callable[[], None],
        write_lock: file.FileLock | None,
    ) -> Self:
        """Return the journal, which takes over ``resources``; they are closed in reverse order."""
        lock = threading.Lock()
        commits = SqliteCommits(connection, lock, check, write_lock, partial(file.describe_error, path))
        resources.callback(commits.close)
        return cls(path, connection, lock, commits, clock, resources.pop_all())

    def close(self) -> None:
        """Close the journal. Closing is idempotent."""
        self._resources.close()

    def copy(self, entries: Iterable[Entry], pruned_keys: Iterable[bytes]) -> None:
        """Add what another journal knows to this one, which is empty: entries with ids and states, and pruned keys."""
        for batch in batched(entries, BATCH):
            self._commits.run(partial(_copy, batch))
        values = ((key, 0) for key in pruned_keys)
        self._commits.run(lambda connection: connection.executemany("INSERT INTO pruned_keys VALUES (?, ?)", values))

    @contextmanager
    def lease(self, account: str) -> Iterator[Lease | None]:
        """Take the lease of an account while the context lasts; None if another process or thread has it."""
        name = account.lower()
        account_id = self._account_id(name)
        with closing(file.FileLock(file.lease_path(self.path, account_id))) as lock:
            if not lock.try_acquire(_LEASE_TIMEOUT):
                yield None
                return
            check = file_guard(lock.path)
            self._commits.run(partial(_execute, _TAKE_LEASE, (process_name(), self._now(), account_id)))
            record = self.account(name)
            assert record is not None  # noqa: S101 - it was added above
            yield SqliteLease(record, account_id, self._commits, self._now, check)

    def _account_id(self, name: str) -> int:
        """Return the id of an account, which is added if the journal does not contain it."""
        while not (ids := self._fetch("SELECT id FROM accounts WHERE name = :name", {"name": name})):
            self._commits.run(partial(_execute, _ADD_ACCOUNT, (name,)))
        return int(ids[0][0])

    def _add(self, rows: Sequence[Row]) -> list[Added]:
        now = self._now()
        added: list[Added] = self._commits.run(lambda connection: SqliteRowWriter(connection, now).add(rows))
        return added

    def _move(self, ids: Sequence[int], change: Mapping[str, Any]) -> int:
        def move(connection: sqlite3.Connection) -> int:
            moved = [id_ for id_ in ids if connection.execute(_MOVE, {**change, "id": id_}).rowcount]
            if change["state"] == "pending":
                connection.executemany(_UPDATE_REVISION, [(id_,) for id_ in moved])
            return len(moved)

        number: int = self._commits.run(move)
        return number

    def _prune(self, older_than: dt.timedelta, last: int, *, forget: bool) -> tuple[int, int | None]:
        before = self._now() - older_than // file.MICROSECOND

        def prune(connection: sqlite3.Connection) -> tuple[int, int | None]:
            packages = connection.execute(_PRUNABLE, (last, before, BATCH)).fetchall()
            if forget:
                connection.execute(_FORGET, (before,))
            else:
                connection.executemany(_KEEP_KEYS, packages)
            number, _ = (connection.executemany(statement, packages).rowcount for statement in _PRUNE)
            return max(0, number), packages[-1][0] if len(packages) == BATCH else None

        pruned: tuple[int, int | None] = self._commits.run(prune)
        return pruned

    def _shrink(self) -> None:
        self._commits.run_alone(lambda connection: [connection.execute(statement) for statement in _SHRINK])


class SqliteLease(Lease):
    """A lease of a journal in a file. The process holds its lock file; see :meth:`SqliteJournal.lease`."""

    def __init__(
        self,
        record: AccountRecord,
        account_id: int,
        commits: SqliteCommits,
        now: Callable[[], int],
        check: Callable[[], None],
    ) -> None:
        super().__init__(record)
        self._account_id = account_id
        self._commits = commits
        self._now = now
        self._check = check

    def _commit(self, changes: Changes) -> AbstractSet[int]:
        self._check()  # another process could lock another file of that name
        ids: set[int] = self._commits.run(partial(_commit, changes, self._account_id, self._now()))
        return ids


def _commit(changes: Changes, account_id: int, now: int, connection: sqlite3.Connection) -> set[int]:
    for each in changes.settlements:
        values = (each.state, each.status_code, each.receipt, each.reason or None)
        settled = None if each.state == "pending" else now
        connection.executemany(_SETTLE, [(*values, settled, id_) for id_ in each.ids])
    if (update := changes.update) is not None:
        quiet = int(update.quiet_seconds * 1_000_000)
        connection.execute(_UPDATE_ACCOUNT, {**asdict(update), "quiet": quiet, "account": account_id, "now": now})
    return {entry.id for entry in changes.begun if connection.execute(_BEGIN, _begin_values(entry, now)).rowcount}


def _begin_values(entry: Entry, now: int) -> tuple[Any, ...]:
    event = entry.event
    texts = (None,) * 4 if event is None else (str(event.date), event.description, event.city, event.state)
    return now, entry.id, entry.delivered_date, *texts


def _execute(sql: str, values: tuple[Any, ...], connection: sqlite3.Connection) -> None:
    connection.execute(sql, values)


def _copy(entries: Sequence[Entry], connection: sqlite3.Connection) -> None:
    SqliteRowWriter(connection, 0).copy(entries)
