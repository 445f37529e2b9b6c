"""Group commit: one SQLite connection that writes for many threads, which share transactions.

A commit waits for the disk. While one thread waits, the others queue up, and the next one commits for all of them.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from vtex_tracking_ext.bulk.journal.interface import JournalError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

T = TypeVar("T")

#: One thread's work, and its result.
_Job: TypeAlias = "tuple[Callable[[sqlite3.Connection], Any], Future[Any]]"


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
        future: Future[T] = Future()
        self._queue.append((work, future))
        with self._lock:
            if not future.done():
                jobs = []
                while self._queue:  # only the holder of the lock removes jobs, so the queue cannot become empty
                    jobs.append(self._queue.popleft())
                self._transact(jobs)
        return future.result()

    def close(self) -> None:
        """Close the connection, after the work that has been begun. Closing is idempotent."""
        with self._lock:
            self._check = _raise_closed
            self._connection.close()

    def _transact(self, jobs: list[_Job]) -> None:
        """Run all jobs in one transaction, except those that fail."""
        message = "The journal's transaction was interrupted."
        try:
            # Failures are rare. Rolling back one job alone would take a savepoint around each of them.
            while jobs and (failed := self._attempt(jobs)):
                jobs.remove(failed)
        except sqlite3.Error as error:
            message = self._describe_error(error)
        except JournalError as error:
            message = str(error)
        finally:  # after an interrupt, too: no thread may wait forever, or believe that its work was committed
            with suppress(sqlite3.Error):
                self._connection.rollback()  # without effect after a commit
            for _, future in jobs:
                if not future.done():
                    future.set_exception(JournalError(message))

    def _attempt(self, jobs: list[_Job]) -> _Job | None:
        """Run and commit all jobs and return None, or roll back all of them and return the one that failed."""
        self._check()
        self._connection.execute("BEGIN IMMEDIATE")
        results = []
        for job in jobs:
            try:
                results.append(job[0](self._connection))
            except sqlite3.Error:
                raise
            except Exception as error:  # noqa: BLE001 - raised in the thread whose job this is
                self._connection.execute("ROLLBACK")
                job[1].set_exception(error)
                return job
        self._connection.execute("COMMIT")
        for (_, future), result in zip(jobs, results, strict=True):
            future.set_result(result)
        return None


def _raise_closed() -> None:
    raise JournalError("The journal has been closed.")
