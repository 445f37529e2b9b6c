"""How a script ends when it is told to: by way of its finally blocks, so that what it started or made ends too."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Ctrl-C, a polite kill, and the terminal that goes; the last is not there on Windows.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Told(SystemExit):
    """A signal asked for the end; the exit status is the shell's, 128 and the signal's number."""


def end_when_told() -> None:
    """From now on raise :class:`Told` where a signal would end the process at once, or with a traceback."""
    for one in SIGNALS:
        # nohup and the shell's & leave some ignored; that stays.
        if signal.getsignal(one) is not signal.SIG_IGN:
            signal.signal(one, _tell)


def _tell(number: int, _: object) -> None:
    raise Told(128 + number)


@contextmanager
def held() -> Iterator[None]:
    """Let signals wait until the block is over; no process may be started in it, which would never hear them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
