"""Values that take long to read are kept, and one thread reads them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from vtex_tracking_ext.bulk.journal.cached import Cached
from vtex_tracking_ext.bulk.journal.interface import JournalUnavailableError


class Clock:
    """A monotonic clock that tests set."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_a_value_is_kept_for_some_seconds() -> None:
    """The value is read again after its seconds."""
    clock, numbers = Clock(), count()
    cached = Cached(lambda: next(numbers), 5.0, clock)
    assert [cached.get(), cached.get()] == [0, 0]
    clock.now = 4.9
    assert cached.get() == 0
    clock.now = 5.0
    assert cached.get() == 1


def test_a_slow_value_is_kept_for_longer() -> None:
    """Reading takes at most 5 % of the time."""
    clock, numbers = Clock(), count()

    def read() -> int:
        clock.now += 2.0
        return next(numbers)

    cached = Cached(read, 5.0, clock)
    assert cached.get() == 0
    clock.now = 2.0 + 39.9
    assert cached.get() == 0
    clock.now = 2.0 + 40.0
    assert cached.get() == 1


def test_an_error_is_kept_for_a_shorter_time() -> None:
    """An error is raised anew for each caller until the value is read again; then the value is returned."""
    clock, numbers = Clock(), count()

    def read() -> int:
        clock.now += 10.0
        if next(numbers) == 0:
            raise JournalUnavailableError("no connection")
        return 7

    cached = Cached(read, 5.0, clock)
    errors = []
    for _ in range(2):
        with pytest.raises(JournalUnavailableError, match="no connection") as caught:
            cached.get()
        errors.append(caught.value)
    assert errors[0] is not errors[1]
    clock.now = 20.0
    assert cached.get() == 7


@pytest.mark.parametrize("initial", [None, 3])
def test_one_thread_reads(initial: int | None) -> None:
    """Other threads wait for the first value, unless there is an initial one; later, they get the value before."""
    clock, begun, goes_on, numbers = Clock(), threading.Event(), threading.Event(), count(10)

    def read() -> int:
        begun.set()
        assert goes_on.wait(30)
        return next(numbers)

    cached = Cached(read, 5.0, clock, initial)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cached.get)
        assert begun.wait(30)
        if initial is None:
            second = pool.submit(cached.get)
            goes_on.set()
            assert second.result(30) == 10
        else:
            assert cached.get() == 3
            goes_on.set()
        assert first.result(30) == 10
        begun.clear()
        goes_on.clear()
        clock.now = 5.0
        first = pool.submit(cached.get)
        assert begun.wait(30)
        assert cached.get() == 10
        goes_on.set()
        assert first.result(30) == 11
