"""Ctrl-C and SIGTERM: during a run the first lets it end in order, the second ends the process at once."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .exit_codes import ExitCode
from .output import warn

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
            os._exit(ExitCode.INTERRUPTED)
        self.happened = True
        warn("Interrupted: finishing the calls on their way. Once more ends at once, and the next push settles them.")
        self._stop()


@contextmanager
def terminations() -> Iterator[None]:
    """Within the block, let SIGTERM do what Ctrl-C does, so that what is half done is tidied away."""
    with _handled_by(signal.default_int_handler, signal.SIGTERM):
        yield


@contextmanager
def interrupts(stop: Callable[[], None]) -> Iterator[Interrupts]:
    """Within the block, let SIGINT and SIGTERM call ``stop``, and a second one end the process."""
    handler = Interrupts(stop)
    with _handled_by(handler, signal.SIGINT, signal.SIGTERM):
        yield handler


@contextmanager
def _handled_by(handler: Callable[..., Any], *numbers: signal.Signals) -> Iterator[None]:
    """Within the block, have signals handled so, but for those that the process was started to ignore (``nohup``)."""
    wanted = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
