"""Threads that the deliveries of several accounts share."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future


class SharedThreads:
    """Runs the deliveries of accounts in a limited number of threads. Thread-safe.

    Each delivery has a thread of its own, and may use its share of the others: all of them if it is the only one. When
    another delivery comes, those with more than their share give threads back, each after its current package.

    Args:
        number: Number of threads.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._pool = ThreadPoolExecutor(number, thread_name_prefix="deliver")
        self._lock = threading.Lock()
        self._deliveries = 0

    def start(self, deliver: Callable[[], None]) -> Future[None]:
        """Start a delivery as soon as there is a thread for it."""
        with self._lock:
            self._deliveries += 1
        future = self._pool.submit(deliver)
        future.add_done_callback(self._end)
        return future

    def close(self) -> None:
        """Wait until all deliveries have ended."""
        self._pool.shutdown()

    def _end(self, _: object) -> None:
        with self._lock:
            self._deliveries -= 1

    def run_work(self, work: Callable[[Callable[[], bool]], object], number: int, stop: Callable[[], object]) -> None:
        """Run a function in the calling thread and in others of the delivery's share, and return when all have ended.

        Args:
            work: The function. It takes a function that it calls before each package, and ends when that returns False.
            number: Number of threads at most.
            stop: Makes the other threads end soon after one has failed. It may be called more than once.

        Raises:
            BaseException: The first error of a thread. The other threads have ended by then.
        """
        others: list[Future[None]] = []
        running = 1

        def goes_on(*, is_own: bool) -> bool:
            nonlocal running
            with self._lock:
                share = max(1, self._number // self._deliveries)
                if running > share and not is_own:
                    running -= 1
                    return False
                if running < min(share, number):
                    running += 1
                    others.append(self._pool.submit(run, is_own=False))
            return True

        def run(*, is_own: bool) -> None:
            try:
                work(partial(goes_on, is_own=is_own))
            except BaseException:
                stop()
                raise

        errors = []
        try:
            run(is_own=True)
        finally:
            while others:  # a thread can start others until it has ended
                other = others.pop()
                if not other.cancel():
                    errors.append(other.exception())
        for error in filter(None, errors):
            raise error
