"""Group commit: one SQLite connection that writes for many threads, which share transactions when they come together.

A commit waits for the disk. While one thread waits, the others queue up, and whoever is next commits for all.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from vtex_tracking_ext.bulk.journal.interface import JournalError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

T = TypeVar("T")


class _Job(Generic[T]):
    """One thread's piece of work, and what came of it."""

    def __init__(self, work: Callable[[sqlite3.Connection], T]) -> None:
        self._work = work
        self._result: T
        self.error: Exception | None = None
        self.is_done = False

    def run(self, connection: sqlite3.Connection) -> bool:
        """Do the work within the open transaction, and tell whether it succeeded; the database's errors are raised."""
        try:
            self._result = self._work(connection)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - it belongs to the thread whose job this is
            self.error = error
        return self.error is None

    def result(self) -> T:
        """Return what the work returned, or raise what it raised."""
        if self.error is not None:
            raise self.error
        return self._result


class GroupCommit:
    """Does pieces of work in transactions.

    Args:
        connection: In autocommit mode, and usable from any thread; this object closes it.
        lock: Held while the connection is used; who reads with it outside of the transactions holds it too.
        check: Called before each transaction; raises JournalError where it must not be.
        explain: Says in words what a database error means.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        lock: threading.Lock,
        check: Callable[[], None],
        explain: Callable[[sqlite3.Error], str],
    ) -> None:
        self._connection = connection
        self._check = check
        self._explain = explain
        self._queue: deque[_Job[Any]] = deque()
        self._lock = lock

    def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do ``work`` and return its result when it is committed.

        Where other work of the same transaction fails, ``work`` is undone and done again, so it must act on the
        connection alone.

        Raises:
            JournalError: The database failed; the work was undone.
            Exception: Whatever ``work`` raised; it was undone.
        """
        job = _Job(work)
        self._queue.append(job)
        with self._lock:
            if not job.is_done:
                jobs = []
                while self._queue:  # only the holder of the lock takes out, so what is seen can be taken
                    jobs.append(self._queue.popleft())
                self._transact(jobs)
        return job.result()

    def copy_from(self, source: sqlite3.Connection) -> None:
        """Replace everything by what another database holds.

        Raises:
            sqlite3.Error: One of the two failed.
        """
        with self._lock:
            source.backup(self._connection)

    def close(self) -> None:
        """Close the connection, after the work that has been begun. Closing twice is no matter."""
        with self._lock:
            self._check = _closed
            self._connection.close()

    def _transact(self, jobs: Iterable[_Job[Any]]) -> None:
        left = list(jobs)
        try:
            # A failure is rare. To undo that work alone there would have to be a savepoint around each of them.
            while left and (failed := self._attempt(left)):
                left.remove(failed)
        except (sqlite3.Error, JournalError) as error:
            self._give_up(left, self._explain(error) if isinstance(error, sqlite3.Error) else str(error))
        except BaseException:  # an interrupt, say: the others must not wait for ever, nor believe that they are done
            self._give_up(left, "The journal's transaction was interrupted.")
            raise
        finally:
            for job in jobs:
                job.is_done = True

    def _attempt(self, jobs: Iterable[_Job[Any]]) -> _Job[Any] | None:
        """Do all of it in one transaction and return None; or undo all of it, and return the job that failed."""
        self._check()
        self._connection.execute("BEGIN IMMEDIATE")
        for job in jobs:
            if not job.run(self._connection):
                self._connection.execute("ROLLBACK")
                return job
        self._connection.execute("COMMIT")
        return None

    def _give_up(self, jobs: Iterable[_Job[Any]], message: str) -> None:
        with suppress(sqlite3.Error):
            self._connection.rollback()
        for job in jobs:
            job.error = JournalError(message)


def _closed() -> None:
    raise JournalError("The journal has been closed.")
