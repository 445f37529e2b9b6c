"""Group commit in an SQLite file, by one connection that writes for many threads.

One process at a time writes: before version 3.51.3, SQLite can damage a database if one connection checkpoints its
write-ahead log while another one commits (https://sqlite.org/wal.html#walresetbug). Therefore a lock file is held
during each transaction and the checkpoint that may follow it. Readers do neither, and the checkpoint when the last
connection is closed excludes all others.
"""

from __future__ import annotations

import sqlite3
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from vtex_tracking_ext.bulk.journal.group_commit import GroupCommit, Job
from vtex_tracking_ext.bulk.journal.interface import JournalError

from .errors import ERRORS, journal_error
from .mark import begin_log, end_mark

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from .locks import FileLock

#: Changes of rows after which the log is copied into the file. They are about five megabytes of log.
_CHANGES_PER_LOG: Final = 1000

#: Acts on the connection alone: if other work of the same transaction fails, it is rolled back and run again.
Work: TypeAlias = "Callable[[sqlite3.Connection], Any]"


class SqliteCommits(GroupCommit[Work]):
    """Runs work of several threads in shared transactions.

    Args:
        path: The journal's file, for messages.
        connection: In autocommit mode, and usable from any thread; this object closes it.
        lock: Held while the connection is used. Reading with it outside of the transactions takes the lock, too.
        check: Called before each transaction; raises JournalError to prevent it.
        write_lock: Held during each transaction; None for a file that no other process knows.

    Attributes:
        has_failed: Whether SQLite has failed.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        lock: threading.Lock,
        check: Callable[[], None],
        write_lock: FileLock | None,
    ) -> None:
        super().__init__(lock)
        self._path = path
        self._connection = connection
        self._check = check
        self._write_lock: AbstractContextManager[object] = write_lock or nullcontext()
        self._is_shared = write_lock is not None
        self._changes_in_log = _CHANGES_PER_LOG  # it is not known what the log contains
        self.has_failed = False

    def run_alone(self, work: Work) -> None:
        """Run ``work`` outside of a transaction, while no other process writes. Raises like :meth:`run`."""
        with self._lock:
            self._check()
            try:
                with self._write_lock:
                    work(self._connection)
                    self._changes_in_log = _CHANGES_PER_LOG  # it may have copied the log
            except ERRORS as error:
                raise self._failed(error) from None

    def close(self) -> None:
        """Close the connection, after the work that has been begun. Closing is idempotent."""
        with self._lock:
            if self._check is _raise_closed:
                return
            self._check = _raise_closed
            with suppress(*ERRORS, JournalError):
                end_mark(self._path, self._connection)  # the disk was full when the log was to be begun
            self._connection.close()

    def _transact(self, jobs: list[Job[Work]]) -> None:
        """Run all jobs in one transaction, except those that fail."""
        left = list(jobs)
        try:
            # Failures are rare. Rolling back one job alone would take a savepoint around each of them.
            while left and (failed := self._attempt(left)):
                left.remove(failed)
        except ERRORS as error:
            _fail(left, self._failed(error))
        except JournalError as error:
            _fail(left, error)

    def _attempt(self, jobs: list[Job[Work]]) -> Job[Work] | None:
        """Run and commit all jobs and return None, or roll back all of them and return the one that failed."""
        self._check()
        with self._write_lock:
            try:
                changes = self._connection.total_changes
                if self._is_shared and self._changes_in_log >= _CHANGES_PER_LOG:
                    begin_log(self._path, self._connection)
                    self._changes_in_log = 0
                self._connection.execute("BEGIN IMMEDIATE")
                for job in jobs:
                    try:
                        job.result = job.work(self._connection)
                    except ERRORS:
                        raise
                    except Exception as error:  # noqa: BLE001 - raised in the thread whose job this is
                        job.error = error
                        return job
                self._connection.execute("COMMIT")
                for job in jobs:
                    job.is_committed = True
                self._changes_in_log += self._connection.total_changes - changes
                return None
            finally:
                with suppress(sqlite3.Error):
                    self._connection.rollback()  # without effect after a commit

    def _failed(self, error: Exception) -> JournalError:
        """Return the JournalError for an error."""
        self.has_failed = True
        return journal_error(self._path, error, is_open=True)


def _fail(jobs: list[Job[Work]], error: JournalError) -> None:
    for job in jobs:
        job.error = type(error)(str(error))  # one for each thread that raises it


def _raise_closed() -> None:
    raise JournalError("The journal has been closed.")
