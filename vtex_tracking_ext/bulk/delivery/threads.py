"""Threads that work side by side, and are waited for in a way that lets interrupts through."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: Seconds after which waiting is begun anew: Windows lets no Ctrl-C through to who waits without an end.
_PATIENCE: Final = 0.5


def run_in_threads(works: Mapping[str, Callable[[], object]], stop: Callable[[], object]) -> None:
    """Do each piece of work in a thread of its own, and return when all have ended.

    Args:
        works: Thread's name -> what it does.
        stop: Lets the others end soon, when one has failed. It may be called more than once.

    Raises:
        BaseException: The first that one of them raised, or an interrupt; the others have ended by then, unless the
            waiting for that was interrupted too.
    """
    faults: list[BaseException] = []
    threads: list[threading.Thread] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits for this thread
            faults.append(error)
            stop()

    try:
        for name, work in works.items():
            threads.append(threading.Thread(target=run, args=(work,), name=name, daemon=True))
            threads[-1].start()
        _wait_for(threads)
    except BaseException:
        stop()
        _wait_for(threads)
        raise
    if faults:
        raise faults[0]


def _wait_for(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        while thread.is_alive():
            thread.join(_PATIENCE)
