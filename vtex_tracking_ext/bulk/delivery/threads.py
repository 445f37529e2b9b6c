"""Running functions in threads, and waiting for them without blocking interrupts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: Seconds after which waiting starts again: on Windows, Ctrl-C does not interrupt waiting without a timeout.
_JOIN_TIMEOUT: Final = 0.5


def run_in_threads(tasks: Mapping[str, Callable[[], object]], stop: Callable[[], object]) -> None:
    """Run each function in a thread of its own, and return when all threads have ended.

    Args:
        tasks: Names of threads, and their functions.
        stop: Makes the other threads end soon after one has failed. It may be called more than once.

    Raises:
        BaseException: The first error of a thread, or an interrupt. The other threads have ended by then, unless
            waiting for them was interrupted, too.
    """
    errors: list[BaseException] = []
    threads: list[threading.Thread] = []

    def run(task: Callable[[], object]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - raised in the calling thread
            errors.append(error)
            stop()

    try:
        for name, task in tasks.items():
            threads.append(threading.Thread(target=run, args=(task,), name=name, daemon=True))
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
