"""What one request, and one sender, may take."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from attrs import field, frozen, validators

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes of the headers of a request.
MAX_HEADER_BYTES: Final = 16 * 1024


@frozen
class Limits:
    """The limits of a service.

    Attributes:
        max_body: Bytes of a body at most.
        body_seconds: Seconds in which a body must have arrived.
        answer_seconds: Seconds after which a post is answered with 503 if the journal has not stored it. VTEX takes a
            post to its hook for failed after five.
        in_memory: Bytes of the bodies of all posts that are being answered, at most.
        posts_per_second: Posts of one source for one account that are accepted in a second, on average.
    """

    max_body: int = field(default=1024 * 1024, validator=validators.gt(0))
    body_seconds: float = field(default=10.0, validator=validators.gt(0))
    answer_seconds: float = field(default=4.0, validator=validators.gt(0))
    in_memory: int = field(default=128 * 1024 * 1024, validator=validators.gt(0))
    posts_per_second: float = field(default=1000.0, validator=validators.gt(0))


class RateLimit:
    """Limits how often something with a key happens; short bursts may be of two seconds' worth. Thread-safe.

    Args:
        rate: How often in a second, on average.
        clock: Monotonic seconds.
    """

    _BURST_SECONDS: Final = 2.0

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        #: When each key has used up what it may, if it goes on at the rate.
        self._used_until: dict[object, float] = {}

    def seconds_to_wait(self, key: object) -> float:
        """Count one occurrence, and return 0; or return after how many seconds it may happen, and do not count it."""
        with self._lock:
            now = self._clock()
            used_until = max(now, self._used_until.get(key, 0.0)) + 1 / self._rate
            excess = used_until - now - self._BURST_SECONDS
            if excess > 0:
                return excess
            self._used_until[key] = used_until
            return 0.0
