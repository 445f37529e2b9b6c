"""Group commit: one SQLite connection that writes for many threads, which share transactions.

A commit waits for the disk. While one thread waits, the others queue up, and the next one commits for all of them.
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define

from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable
    from pathlib import Path

T = TypeVar("T")


@define(eq=False)
class _Job:
    """One thread's work, and its result or error."""

    work: Callable[[sqlite3.Connection], Any]
    result: Any = None
    error: Exception | None = None
    is_done: bool = False


class GroupCommit:
    """Runs work of several threads in shared transactions.

    Args:
        connection: In autocommit mode, and usable from any thread; this object closes it.
        lock: Held while the connection is used. Reading with it outside of the transactions takes the lock, too.
        check: Called before each transaction; raises JournalError to prevent it.
        describe_error: Describes an error of the database.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        lock: threading.Lock,
        check: Callable[[], None],
        describe_error: Callable[[sqlite3.Error], str],
    ) -> None:
        self._connection = connection
        self._check = check
        self._describe_error = describe_error
        self._queue: deque[_Job] = deque()
        self._lock = lock

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in a transaction, and return its result once it is committed.

        If other work of the same transaction fails, ``work`` is rolled back and run again, so it must act on the
        connection alone.

        Raises:
            JournalError: The database failed; the work was rolled back.
            Exception: What ``work`` raised; it was rolled back.
        """
        job = _Job(work)
        self._queue.append(job)
        with self._lock:
            if not job.is_done:
                jobs = []
                while self._queue:  # only the holder of the lock removes jobs, so the queue cannot become empty
                    jobs.append(self._queue.popleft())
                self._transact(jobs)
        if job.error is not None:
            raise job.error
        return cast("T", job.result)

    def close(self) -> None:
        """Close the connection, after the work that has been begun. Closing is idempotent."""
        with self._lock:
            self._check = _raise_closed
            self._connection.close()

    def _transact(self, jobs: Iterable[_Job]) -> None:
        """Run all jobs in one transaction, except those that fail."""
        left, message = list(jobs), "The journal's transaction was interrupted."
        try:
            # Failures are rare. Rolling back one job alone would take a savepoint around each of them.
            while left and (failed := self._attempt(left)):
                left.remove(failed)
            message = ""
        except sqlite3.Error as error:
            message = self._describe_error(error)
        except JournalError as error:
            message = str(error)
        finally:  # after an interrupt, too: no thread may wait forever, or believe that its work was committed
            with suppress(sqlite3.Error):
                self._connection.rollback()  # without effect after a commit
            for job in jobs:
                if message and job in left:
                    job.error = JournalError(message)
                job.is_done = True

    def _attempt(self, jobs: Iterable[_Job]) -> _Job | None:
        """Run and commit all jobs and return None, or roll back all of them and return the one that failed."""
        self._check()
        self._connection.execute("BEGIN IMMEDIATE")
        for job in jobs:
            try:
                job.result = job.work(self._connection)
            except sqlite3.Error:
                raise
            except Exception as error:  # noqa: BLE001 - raised in the thread whose job this is
                job.error = error
                self._connection.execute("ROLLBACK")
                return job
        self._connection.execute("COMMIT")
        return None


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
