"""Running functions in threads, and waiting for them without blocking interrupts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Seconds after which waiting starts again: on Windows, Ctrl-C does not interrupt waiting without a timeout.
_TIMEOUT: Final = 0.5


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
    threads: list[tuple[threading.Thread, threading.Event]] = []

    def run(has_ended: threading.Event) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised in the calling thread
            errors.append(error)
            stop()
        finally:
            has_ended.set()

    try:
        for _ in range(number):
            has_ended = threading.Event()
            thread = threading.Thread(target=run, args=(has_ended,), name="vtex-tracking", daemon=True)
            threads.append((thread, has_ended))
            thread.start()
        _wait(threads)
    except BaseException:
        stop()
        _wait(threads)
        raise
    if errors:
        raise errors[0]


def _wait(threads: Iterable[tuple[threading.Thread, threading.Event]]) -> None:
    # Not join(): before Python 3.13 a thread counts as ended once an interrupt has ended its join().
    for thread, has_ended in threads:
        while thread.ident is not None and not has_ended.wait(_TIMEOUT):
            pass
