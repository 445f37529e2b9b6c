"""Writing to a journal in an SQLite file."""

from __future__ import annotations

import datetime as dt
import os
import threading
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.bulk.journal.entries import utc_now
from vtex_tracking_ext.bulk.journal.interface import BATCH, Journal, JournalError, batched

from . import file
from .add_rows import SqliteRowWriter, select_many
from .commits import GroupCommit, file_guard
from .reader import ENTRIES_BY_ID, SqliteReader, missing_journal_error

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Self

    from vtex_tracking_ext.bulk.input.rows import Row
    from vtex_tracking_ext.bulk.journal.entries import Added, Clock, Entry, PackageKey

_STATES_BY_ID: Final = "SELECT id, state FROM entries WHERE id IN ({})"
_MARK_IN_FLIGHT: Final = """
    UPDATE entries SET state = 'in_flight', attempts = attempts + 1, begun = ? WHERE id = ? AND state = 'pending'
"""
_MOVE: Final = """
    UPDATE entries SET state = :state, status_code = :status_code, receipt = :receipt, reason = :reason,
        settled = CASE WHEN :state <> 'pending' THEN :now END
    WHERE id = :id AND state = :from
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
        lock: threading.Lock,
        commits: GroupCommit,
        clock: Clock,
        resources: ExitStack,
    ) -> None:
        super().__init__(path, connection, lock)
        self._commits = commits
        self._clock = clock
        self._resources = resources
        self._package_lock = threading.Lock()
        self._locked_packages: set[PackageKey] = set()

    @classmethod
    def open(cls, path: str | os.PathLike[str], clock: Clock = utc_now, *, create: bool = True) -> Self:
        """Open a journal for writing; no other run can until it is closed, or this process has ended.

        Args:
            path: Its file, on a local disk (SQLite's log does not work over a network).
            clock: Returns the current time.
            create: Whether to create the journal if it does not exist.

        Raises:
            JournalInUseError: Another run has it open.
            JournalError: It cannot be used, or does not exist and ``create`` is False.
        """
        real, created = Path(os.path.realpath(path)), _utc_text(clock)
        if not (file.is_journal(real) or create):
            raise missing_journal_error(real)
        with ExitStack() as resources:
            resources.enter_context(closing(file.acquire_lock(real, partial(_holder, real))))
            if not file.is_journal(real):  # checked again, now that no other run can create it
                file.create(real, created)
            return cls._connect(real, clock, resources, [real, file.lock_path(real)])

    @classmethod
    def temporary(cls, clock: Clock = utc_now) -> Self:
        """Create a journal for planning, which is deleted when it is closed and does not wait for the disk.

        It is in a folder of its own among the system's temporary files; ``kill -9`` leaves that behind.
        """
        with ExitStack() as resources, file.translated_errors(Path("temporary")):
            path = Path(resources.enter_context(TemporaryDirectory(prefix="vtex-tracking-")), "journal.db")
            file.create(path, _utc_text(clock))
            return cls._connect(path, clock, resources, [path], is_durable=False)

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
    def _connect(
        cls, path: Path, clock: Clock, resources: ExitStack, guarded: Iterable[Path], *, is_durable: bool = True
    ) -> Self:
        """Connect to an existing file, and take over ``resources``, which close in reverse order."""
        holder = (f"process {os.getpid()}, since {_utc_text(clock)}",)
        check, lock = file_guard(*guarded), threading.Lock()
        connection = file.open_to_write(path, is_durable=is_durable)
        commits = resources.enter_context(
            closing(GroupCommit(connection, lock, check, partial(file.describe_error, path)))
        )
        commits.run(lambda connection: connection.execute("INSERT OR REPLACE INTO meta VALUES ('holder', ?)", holder))
        return cls(path, connection, lock, commits, clock, resources.pop_all())

    def close(self) -> None:
        """Close the journal, and let other runs open it."""
        self._resources.close()

    def copy(self, entries: Iterable[Entry]) -> None:
        """Add the entries of another journal to this one, which is empty, with their ids and states."""
        for batch in batched(entries, BATCH):
            self._commits.run(partial(_copy, batch))

    @contextmanager
    def try_lock(self, package: PackageKey) -> Iterator[bool]:
        """Lock a package within this process: no other process writes to this journal."""
        with self._package_lock:
            is_acquired = package not in self._locked_packages
            self._locked_packages.add(package)
        try:
            yield is_acquired
        finally:
            if is_acquired:
                self._locked_packages.discard(package)

    def mark_in_flight(self, ids: Iterable[int]) -> tuple[Entry, ...]:
        """Record that pending entries are about to be sent, and return them as they now are."""
        wanted, now = sorted(set(ids)), self._now()

        def mark(connection: sqlite3.Connection) -> tuple[Entry, ...]:
            others = [id_ for id_ in wanted if not connection.execute(_MARK_IN_FLIGHT, (now, id_)).rowcount]
            if others:
                self._expect_state("pending", others, dict(select_many(connection, _STATES_BY_ID, others)))
            return tuple(self._parsed(select_many(connection, ENTRIES_BY_ID, wanted)))

        return self._commits.run(mark)

    def _add(self, rows: Sequence[Row], account: str) -> list[Added]:
        now = self._now()
        return self._commits.run(lambda connection: SqliteRowWriter(connection, now).add(rows, account))

    def _move(self, ids: Sequence[int], change: Mapping[str, Any]) -> int:
        return len(ids) - len(self._commits.run(partial(_unmoved, ids, change)))

    def _move_all(self, ids: Sequence[int], change: Mapping[str, Any]) -> None:
        def move(connection: sqlite3.Connection) -> None:
            if others := _unmoved(ids, change, connection):
                self._expect_state(change["from"], others, dict(select_many(connection, _STATES_BY_ID, others)))

        self._commits.run(move)

    def _now(self) -> int:
        return (self._clock() - file.EPOCH) // file.MICROSECOND


def _unmoved(ids: Iterable[int], change: Mapping[str, Any], connection: sqlite3.Connection) -> list[int]:
    """Change those entries that are in the state ``from``, and return the ids of the others."""
    return [id_ for id_ in ids if not connection.execute(_MOVE, {**change, "id": id_}).rowcount]


def _copy(entries: Sequence[Entry], connection: sqlite3.Connection) -> None:
    SqliteRowWriter(connection, 0).copy(entries)


def _utc_text(clock: Clock) -> str:
    return clock().astimezone(dt.UTC).isoformat(" ")


def _holder(path: Path) -> str:
    """Return the current writer for an error message, or an empty text if it is unknown."""
    with suppress(JournalError), SqliteReader.open(path) as journal:
        return f" ({journal.meta_value('holder')})"
    return ""
