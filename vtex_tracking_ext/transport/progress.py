"""The deadline of one request, and what was observed of it."""

from __future__ import annotations

import time
from typing import Final

import httpcore

from .body import MAX_BODY

#: Maximum size of a response in bytes as received: the body, and heads and interim responses before it.
MAX_RESPONSE: Final = MAX_BODY + 1024 * 1024


class Progress:
    """Tracks one request from its start to the end of its answer.

    Args:
        seconds: How long the request may take.
        max_received: Bytes that may be received in all.

    Attributes:
        observed: Whether the request reached code that observes it. From then on ``may_have_left`` is authoritative.
        may_have_left: Whether bytes of the request may have left this machine.
    """

    def __init__(self, seconds: float, max_received: int = MAX_RESPONSE) -> None:
        self._deadline = time.monotonic() + seconds
        self._max_received = max_received
        self._received = 0
        self.observed = False
        self.may_have_left = False

    def seconds_left(self) -> float:
        """Return the seconds until the deadline; zero or less once it has passed."""
        return self._deadline - time.monotonic()

    def timeout(self, error: type[httpcore.TimeoutException]) -> float:
        """Return the seconds until the deadline, as the timeout of a socket operation.

        Raises:
            httpcore.TimeoutException: The deadline has passed; the exception is of the type ``error``.
        """
        left = self.seconds_left()
        if left <= 0:
            raise error("the deadline of the request has passed")
        return left

    def count_received(self, data: bytes) -> bytes:
        """Count received bytes, interim responses included, and return them.

        Raises:
            httpcore.ReadError: More bytes were received than allowed.
        """
        self._received += len(data)
        if self._received > self._max_received:
            raise httpcore.ReadError(f"more than {self._max_received} bytes received")
        return data
