"""How fast one account may be called: after a 429 nobody calls until the freeze is over."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds of quiet after a 429 that does not say how long (VTEX's guide: one minute).
DEFAULT_FREEZE: Final = 60.0

#: Longest freeze that is taken from ``Retry-After``, in seconds.
LONGEST_FREEZE: Final = 600.0

#: Freezes in a row, with no call let through in between, after which the run gives up.
MOST_FREEZES: Final = 5


class Pace:
    """Shared by all that call one account. Thread-safe.

    Args:
        clock: Seconds that only ever go up.
        most_freezes: Freezes in a row after which :meth:`freeze` says to give up.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, most_freezes: int = MOST_FREEZES) -> None:
        self._clock = clock
        self._most_freezes = most_freezes
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._frozen_until = 0.0
        self._freezes = 0

    def wait(self) -> None:
        """Return when a call may be made, or at once after :meth:`cancel`."""
        while self.frozen_for() > 0 and not self._cancelled.wait(self.frozen_for()):
            pass  # the freeze may have been prolonged meanwhile

    def frozen_for(self) -> float:
        """Return for how many seconds nobody may call."""
        return max(0.0, self._frozen_until - self._clock())

    def freeze(self, retry_after: float | None) -> bool:
        """Keep everybody quiet after a 429.

        Args:
            retry_after: Seconds that VTEX asked to wait, or None.

        Returns:
            False where it has happened too often to go on.
        """
        seconds = min(DEFAULT_FREEZE if retry_after is None else retry_after, LONGEST_FREEZE)
        with self._lock:
            now = self._clock()
            if now >= self._frozen_until:  # calls that were on their way together count as one
                self._freezes += 1
            self._frozen_until = max(self._frozen_until, now + seconds)
            return self._freezes <= self._most_freezes

    def went_well(self) -> None:
        """Note that a call was let through."""
        self._freezes = 0

    def cancel(self) -> None:
        """Let everybody go on at once, to find that the run has ended."""
        self._cancelled.set()
