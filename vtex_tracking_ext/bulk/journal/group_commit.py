"""Group commit: threads share transactions.

A commit waits for the disk, or for the network. While one thread waits, the others queue up, and the next one commits
for all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import define

from .interface import JournalError

if TYPE_CHECKING:
    import threading

W = TypeVar("W")


@define(eq=False)
class Job(Generic[W]):
    """One thread's work, and its result or error."""

    work: W
    result: Any = None
    error: Exception | None = None
    is_committed: bool = False
    is_done: bool = False


class GroupCommit(ABC, Generic[W]):
    """Runs work of several threads in shared transactions.

    Args:
        lock: Held while the database is used. Reading outside of the transactions with the same connection takes the
            lock, too.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._queue: deque[Job[W]] = deque()

    def run(self, work: W) -> Any:
        """Run ``work`` in a transaction, and return its result once it is committed.

        Raises:
            JournalError: The database failed; the work was rolled back.
            Exception: What ``work`` raised; it was rolled back.
        """
        job = Job(work)
        self._queue.append(job)
        with self._lock:
            if not job.is_done:
                jobs = []
                while self._queue:  # only the holder of the lock removes jobs, so the queue cannot become empty
                    jobs.append(self._queue.popleft())
                try:
                    self._transact(jobs)
                finally:
                    for each in jobs:
                        each.is_done = True
        if job.error is not None:
            raise job.error
        if not job.is_committed:  # the thread that took it from the queue was interrupted
            raise JournalError("The journal's transaction was interrupted.")
        return job.result

    @abstractmethod
    def _transact(self, jobs: list[Job[W]]) -> None:
        """Run jobs in one transaction; each is committed, or gets an error."""
