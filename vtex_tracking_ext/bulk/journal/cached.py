"""Values that take long to read from a journal, kept for some time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from vtex_tracking_ext.errors import VtexTrackingError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: What was slow to read is kept for this many times as long, so that reading takes at most 5 % of the time.
_FACTOR: Final = 20


class Cached(Generic[T]):
    """A value that one thread at a time reads. Meanwhile, others get the value before, and wait if there was none.

    Args:
        read: Reads it. An error that it raises is kept, too, but not for longer than reading took, or ``seconds``.
        seconds: For how long the value is kept at least, from the beginning of the reading.
        clock: A monotonic clock.
        initial: The value before it was read, so that nobody waits; or None.
    """

    def __init__(
        self,
        read: Callable[[], T],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        initial: T | None = None,
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._fresh_until = float("-inf")
        self._result = None if initial is None else lambda: initial

    def get(self) -> T:
        """Return the value.

        Raises:
            VtexTrackingError: It could not be read.
        """
        if self._lock.acquire(blocking=self._result is None):
            try:
                self._refresh()
            finally:
                self._lock.release()
        assert self._result is not None  # noqa: S101 - it was read, by this thread or before
        return self._result()

    def _refresh(self) -> None:
        began = self._clock()
        if began < self._fresh_until:
            return
        factor = _FACTOR
        try:
            value = self._read()
            self._result = lambda: value
        except VtexTrackingError as error:
            kind, text, factor = type(error), str(error), 1

            def fail() -> T:
                raise kind(text)  # one for each thread that raises it

            self._result = fail
        now = self._clock()
        self._fresh_until = max(began + self._seconds, now + (now - began) * factor)
