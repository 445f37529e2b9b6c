"""Turn termination signals into an exception, so that a command's ``finally`` blocks run before it ends."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Ctrl-C, a request to terminate, and a closed terminal; SIGHUP does not exist on Windows.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Terminated(SystemExit):
    """A signal ended the command; the exit status is 128 plus the signal's number, as in a shell."""


def raise_on_signals() -> None:
    """Raise :class:`Terminated` from now on when a signal arrives."""
    for number in SIGNALS:
        # Signals that nohup or a shell's & have set to be ignored stay ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise_terminated)


def _raise_terminated(number: int, _: object) -> None:
    raise Terminated(128 + number)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Defer signals to the end of the block; do not start a process in it, because it would inherit the mask."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
