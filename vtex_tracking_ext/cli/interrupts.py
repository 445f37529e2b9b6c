"""Ctrl-C and SIGTERM: during a run, the first lets it finish the calls in flight, the second ends the process."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from .exit_codes import ExitCode
from .output import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


#: How a later run learns the outcome of calls in flight, if they send updates.
_CHECKED: Final = "; the next push then checks their outcome"


class StopHandler:
    """A signal handler that stops a run at the first signal and ends the process at the second.

    Args:
        stop: Called at the first signal.
        afterwards: What the message says after a second signal: how the outcome of calls in flight is learned.

    Attributes:
        interrupted: Whether there was a signal.
    """

    def __init__(self, stop: Callable[[], None], afterwards: str = _CHECKED) -> None:
        self._stop = stop
        self._afterwards = afterwards
        self.interrupted = False

    def __call__(self, *_: Any) -> None:
        """Handle a signal."""
        if self.interrupted:
            # The journal on disk has the calls in flight; the next run checks their outcome.
            os._exit(ExitCode.INTERRUPTED)
        self.interrupted = True
        warn(f"Interrupted: finishing the calls in flight. Interrupt again to exit at once{self._afterwards}.")
        self._stop()


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Within the block, SIGTERM raises KeyboardInterrupt as Ctrl-C does, so that temporary files are removed."""
    with _handled_by(signal.default_int_handler, signal.SIGTERM):
        yield


@contextmanager
def stop_on_signal(stop: Callable[[], None], afterwards: str = _CHECKED) -> Iterator[StopHandler]:
    """Within the block, the first SIGINT or SIGTERM calls ``stop``, and the second ends the process."""
    handler = StopHandler(stop, afterwards)
    with _handled_by(handler, signal.SIGINT, signal.SIGTERM):
        yield handler


def not_ignored(*numbers: signal.Signals) -> list[signal.Signals]:
    """Return the signals that may be handled: those that the process was not started to ignore (``nohup``)."""
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def _handled_by(handler: Callable[..., Any], *numbers: signal.Signals) -> Iterator[None]:
    """Handle signals within the block, except ignored ones."""
    before = {number: signal.signal(number, handler) for number in not_ignored(*numbers)}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
