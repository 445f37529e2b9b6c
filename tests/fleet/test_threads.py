"""Threads that the deliveries of several accounts share."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.fleet.threads import SharedThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds that a test waits for something at most.
PATIENCE = 30.0


@pytest.fixture
def threads() -> Iterator[SharedThreads]:
    """Return four threads."""
    threads = SharedThreads(4)
    yield threads
    threads.close()


class Delivery:
    """A delivery whose packages take as long as a test wants, each thread one at a time.

    Attributes:
        running: Number of threads that are at a package now.
    """

    def __init__(self, threads: SharedThreads, number: int = 100) -> None:
        self.running = 0
        self._threads = threads
        self._number = number
        self._changed = threading.Condition()
        self._is_over = False
        self._turns = 0

    def __call__(self) -> None:
        """Deliver until the end."""
        self._threads.run_work(self._work, self._number, self.end)

    def wait_for(self, running: int) -> None:
        """Wait until so many threads are at a package."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.running == running, PATIENCE), self.running

    def next_package(self, number: int = 1) -> None:
        """Let so many threads finish their package."""
        with self._changed:
            self._turns += number
            self._changed.notify_all()

    def end(self) -> None:
        """Let all threads finish, and take no other package."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _work(self, goes_on: Callable[[], bool]) -> None:
        while not self._is_over and goes_on():
            with self._changed:
                self.running += 1
                self._changed.notify_all()
                assert self._changed.wait_for(lambda: self._turns or self._is_over, PATIENCE)
                self._turns = max(0, self._turns - 1)
                self.running -= 1
                self._changed.notify_all()


def test_a_delivery_that_is_alone_uses_all_threads(threads: SharedThreads) -> None:
    """It has four threads as soon as each has begun a package."""
    delivery = Delivery(threads)
    future = threads.start(delivery)
    delivery.wait_for(4)
    delivery.end()
    assert future.result(PATIENCE) is None


def test_a_delivery_uses_no_more_threads_than_it_has_packages(threads: SharedThreads) -> None:
    """The number that it asks for is the limit."""
    delivery = Delivery(threads, 2)
    future = threads.start(delivery)
    delivery.wait_for(2)
    delivery.next_package(2)
    delivery.wait_for(2)
    delivery.end()
    assert future.result(PATIENCE) is None


def work_until(condition: Callable[[], object], *deliveries: Delivery) -> None:
    """Let deliveries finish a package, one thread at a time, until a condition is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        for delivery in deliveries:
            delivery.next_package()
        time.sleep(0.001)


def test_another_delivery_gets_its_share(threads: SharedThreads) -> None:
    """It starts when the first has finished a package, and both have two threads soon; later it has all of them."""
    first, second = Delivery(threads), Delivery(threads)
    futures = [threads.start(first)]
    first.wait_for(4)
    futures.append(threads.start(second))
    work_until(lambda: (first.running, second.running) == (2, 2), first, second)
    first.end()
    assert futures[0].result(PATIENCE) is None
    work_until(lambda: second.running == 4, second)
    second.end()
    assert futures[1].result(PATIENCE) is None


def test_more_deliveries_than_threads(threads: SharedThreads) -> None:
    """Four have one thread each; the others wait for the end of one."""
    deliveries = [Delivery(threads) for _ in range(6)]
    futures = [threads.start(delivery) for delivery in deliveries]
    work_until(lambda: sorted(each.running for each in deliveries) == [0, 0, 1, 1, 1, 1], *deliveries)
    begun = [each for each in deliveries if each.running]
    for delivery in begun:
        delivery.end()
    for delivery in deliveries:
        if delivery not in begun:
            delivery.wait_for(1)
            delivery.end()
    for future in futures:
        assert future.result(PATIENCE) is None


def test_threads_that_have_not_started_are_cancelled(threads: SharedThreads) -> None:
    """A delivery that ends does not wait for a thread that another delivery has at that time."""
    first, second = Delivery(threads), Delivery(threads)
    futures = [threads.start(first)]
    first.wait_for(4)
    futures.append(threads.start(second))
    work_until(lambda: second.running == 1, first)
    second.next_package()  # it asks for another thread, and all are in use
    second.end()
    assert futures[1].result(PATIENCE) is None
    first.end()
    assert futures[0].result(PATIENCE) is None


@pytest.mark.parametrize("is_own", [True, False])
def test_the_first_error_ends_the_delivery(threads: SharedThreads, is_own: bool) -> None:
    """An error of any thread stops the others and is raised."""
    stopped, begun = threading.Event(), threading.Barrier(2)
    own: list[threading.Thread] = []

    def work(goes_on: Callable[[], bool]) -> None:
        assert goes_on()
        begun.wait(PATIENCE)
        if (threading.current_thread() is own[0]) is is_own:
            raise ZeroDivisionError
        assert stopped.wait(PATIENCE)

    def deliver() -> None:
        own.append(threading.current_thread())
        threads.run_work(work, 2, stopped.set)

    with pytest.raises(ZeroDivisionError):
        threads.start(deliver).result(PATIENCE)
