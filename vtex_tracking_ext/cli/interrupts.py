"""Ctrl-C and SIGTERM: during a run the first lets it end in order, the second ends the process at once."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .output import warn
from .status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Interrupts:
    """Counts them.

    Args:
        stop: Lets the run end in order.

    Attributes:
        happened: Whether there was one.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self.happened = False

    def __call__(self, *_: Any) -> None:
        """Take one: a signal's handler."""
        if self.happened:
            # Whatever is on its way stays in flight in the journal, which is on disk; the next run settles it.
            os._exit(Status.INTERRUPTED)
        self.happened = True
        warn("Interrupted: finishing the calls on their way. Once more ends at once, and the next push settles them.")
        self._stop()


@contextmanager
def terminations() -> Iterator[None]:
    """Within the block, let SIGTERM do what Ctrl-C does, so that what is half done is tidied away."""
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


@contextmanager
def interrupts(stop: Callable[[], None]) -> Iterator[Interrupts]:
    """Within the block, let SIGINT and SIGTERM call ``stop``, and a second one end the process."""
    handler = Interrupts(stop)
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield handler
    finally:
        for number, former in before.items():
            signal.signal(number, former)
