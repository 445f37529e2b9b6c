"""Group commit in an SQLite file, by one connection that writes for many threads.

One process at a time writes: before version 3.51.3, SQLite can damage a database if one connection checkpoints its
write-ahead log while another one commits (https://sqlite.org/wal.html#walresetbug). Therefore a lock file is held
during each transaction and the checkpoint that may follow it. Readers do neither, and the checkpoint when the last
connection is closed excludes all others.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from vtex_tracking_ext.bulk.journal.group_commit import GroupCommit, Job
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.text import visible

from .file import journal_error

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from .file import FileLock

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

    def run_alone(self, work: Work) -> None:
        """Run ``work`` outside of a transaction, while no other process writes. Raises like :meth:`run`."""
        with self._lock:
            self._check()
            try:
                with self._write_lock:
                    work(self._connection)
            except sqlite3.Error as error:
                raise journal_error(self._path, error) from None

    def close(self) -> None:
        """Close the connection, after the work that has been begun. Closing is idempotent."""
        with self._lock:
            self._check = _raise_closed
            self._connection.close()

    def _transact(self, jobs: list[Job[Work]]) -> None:
        """Run all jobs in one transaction, except those that fail."""
        left = list(jobs)
        try:
            # Failures are rare. Rolling back one job alone would take a savepoint around each of them.
            while left and (failed := self._attempt(left)):
                left.remove(failed)
        except sqlite3.Error as error:
            _fail(left, journal_error(self._path, error))
        except JournalError as error:
            _fail(left, error)

    def _attempt(self, jobs: list[Job[Work]]) -> Job[Work] | None:
        """Run and commit all jobs and return None, or roll back all of them and return the one that failed."""
        self._check()
        with self._write_lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                for job in jobs:
                    try:
                        job.result = job.work(self._connection)
                    except sqlite3.Error:
                        raise
                    except Exception as error:  # noqa: BLE001 - raised in the thread whose job this is
                        job.error = error
                        return job
                self._connection.execute("COMMIT")
                for job in jobs:
                    job.is_committed = True
                return None
            finally:
                with suppress(sqlite3.Error):
                    self._connection.rollback()  # without effect after a commit


def _fail(jobs: list[Job[Work]], error: JournalError) -> None:
    for job in jobs:
        job.error = type(error)(str(error))  # one for each thread that raises it


def _raise_closed() -> None:
    raise JournalError("The journal has been closed.")


def file_guard(*paths: Path) -> Callable[[], None]:
    """Return a check that raises JournalError if one of the files was moved, replaced or deleted since this call.

    SQLite would go on writing to a deleted file.
    """
    identities = {str(path): _identity(str(path)) for path in paths}

    def check() -> None:
        for path, identity in identities.items():
            if _identity(path) != identity:
                raise JournalError(
                    f"{visible(path)} was moved or deleted during the run; put it back where it was and run again."
                )

    return check


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - before each transaction, and faster
    except OSError:
        return None
    return status.st_dev, status.st_ino
