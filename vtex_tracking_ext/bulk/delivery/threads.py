"""Running functions in threads, and waiting for them without blocking interrupts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Seconds after which waiting starts again: on Windows, Ctrl-C does not interrupt waiting without a timeout.
_JOIN_TIMEOUT: Final = 0.5


def run_in_threads(work: Callable[[], object], number: int, stop: Callable[[], object]) -> None:
    """Run a function in several threads at once, and return when all of them have ended.

    Args:
        work: The function.
        number: Number of threads.
        stop: Makes the other threads end soon after one has failed. It may be called more than once.

    Raises:
        BaseException: The first error of a thread, or an interrupt. The other threads have ended by then, unless
            waiting for them was interrupted, too.
    """
    errors: list[BaseException] = []
    threads: list[threading.Thread] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised in the calling thread
            errors.append(error)
            stop()

    try:
        for _ in range(number):
            threads.append(threading.Thread(target=run, name="vtex-tracking", daemon=True))
            threads[-1].start()
        _join(threads)
    except BaseException:
        stop()
        _join(threads)
        raise
    if errors:
        raise errors[0]


def _join(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        while thread.is_alive():
            thread.join(_JOIN_TIMEOUT)
