"""How the threads of some workers wait for their turn; the store stands in memory here."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import pytest

from vtex_tracking_ext import AuthenticationError, NotFoundError, OutcomeUnknownError, RateLimitedError
from vtex_tracking_ext.bulk.delivery.pace import Throttle
from vtex_tracking_ext.fleet.pace import AccountPaused, FleetPace, RetryLater
from vtex_tracking_ext.fleet.slots import PROBE_POLL_SECONDS, REST_SECONDS, SharedPace

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: What the store's clock is ahead of the workers'.
AHEAD = 1_764_000_000.0


class Memory:
    """A store, with a clock that passes when somebody waits or it is told to."""

    def __init__(self, rate: float = 20.0) -> None:
        self.now = 1000.0
        self.pace = SharedPace(Throttle(rate, rate=rate))
        self.trips = 0
        self._lock = threading.RLock()

    def update(self, account: str, act: Callable[[SharedPace, float], T]) -> T:
        """Change the one pace."""
        assert account == "mystore"
        with self._lock:
            self.trips += 1
            return act(self.pace, self.now + AHEAD)

    def worker(self, rate: float = 20.0) -> FleetPace:
        """Return a worker's pace, whose waiting moves the clock on."""
        pace = FleetPace("mystore", self, rate, lambda: self.now)
        pace._cancelled = Skipping(self)
        return pace

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        with self._lock:
            self.now += seconds


class Skipping(threading.Event):
    """An event whose waiting takes no time, but moves a clock on."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self._memory = memory

    def wait(self, timeout: float | None = None) -> bool:
        """Move the clock on."""
        assert timeout is not None
        self._memory.advance(timeout)
        return self.is_set()


class Lasting(threading.Event):
    """An event whose waiting ends when it is set, as if no time passed before."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait."""
        assert timeout is not None
        return super().wait(30)


def limited(seconds: float) -> RateLimitedError:
    """Return a 429."""
    error = RateLimitedError("429", status_code=429)
    error.retry_after = seconds
    return error


def test_workers_keep_to_one_rate_together() -> None:
    """Sixty calls of three workers take as long as sixty of one."""
    memory = Memory()
    workers = [memory.worker() for _ in range(3)]
    began = memory.now
    for number in range(60):
        assert workers[number % 3].wait_for_turn()
        workers[number % 3].record_result(None)
    assert memory.now - began == pytest.approx(59 / 20, rel=0.05)


def test_waiting_threads_share_a_lease() -> None:
    """One lease serves all waiting threads, and each slot is used once."""
    memory = Memory()
    pace = memory.worker()
    queueing = threading.Event()
    original = pace._lease

    def lease(wanted: int) -> None:
        queueing.wait(10)
        original(wanted)

    pace._lease = lease  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(pace.wait_for_turn) for _ in range(8)]
        until_waiting(pace, 8)
        queueing.set()
        assert all(call.result(timeout=30) for call in calls)
    assert memory.trips <= 4
    assert memory.now - 1000 == pytest.approx(7 / 20, rel=0.05)


def test_a_late_slot_is_dropped() -> None:
    """Calls do not bunch after a thread was suspended."""
    memory = Memory()
    pace = memory.worker()
    pace._waiting = 4
    assert pace.wait_for_turn()
    memory.advance(1)
    assert pace.wait_for_turn()
    assert memory.now == pytest.approx(1001)
    assert memory.trips == 2


def test_a_turn_becomes_stale() -> None:
    """A turn is stale if the work before the call takes long."""
    memory = Memory()
    pace = memory.worker()
    assert pace.wait_for_turn()
    memory.advance(0.9)
    assert not pace.is_turn_stale()
    memory.advance(0.2)
    assert pace.is_turn_stale()


def test_a_429_pauses_all_workers() -> None:
    """The worker that met it drops its slots at once; the others pause at their next lease."""
    memory = Memory()
    one, other = memory.worker(), memory.worker()
    one._waiting = 4
    assert one.wait_for_turn()
    assert one.record_result(limited(7)) == 7
    assert one.pause_seconds() == 7
    for worker in (one, other):
        with pytest.raises(RetryLater, match=r"retry in 7\.0 s: .*429") as caught:
            worker.wait_for_turn()
        assert caught.value.seconds == pytest.approx(7)
    trips = memory.trips
    with pytest.raises(RetryLater):
        other.wait_for_turn()
    assert memory.trips == trips
    memory.advance(7)
    assert one.wait_for_turn()
    assert other.wait_for_turn()


def test_a_short_pause_is_waited_for() -> None:
    """A short pause does not reschedule every package, even if it starts during a wait."""
    memory = Memory()
    one, other = memory.worker(), memory.worker()
    assert one.wait_for_turn()
    assert one.record_result(limited(1)) == 1
    assert other.wait_for_turn()
    assert memory.now == pytest.approx(1001)
    assert one.wait_for_turn()


def test_a_slot_during_a_pause_is_dropped() -> None:
    """Another thread may have met a 429 while this one waited for its slot."""
    memory = Memory()
    pace = memory.worker()
    pace._waiting = 4
    assert pace.wait_for_turn()
    waited = pace._cancelled.wait

    def wait(timeout: float | None = None) -> bool:
        pace._cancelled.wait = waited  # type: ignore[method-assign]
        pace.record_result(limited(2))
        return waited(timeout)

    pace._cancelled.wait = wait  # type: ignore[method-assign]
    assert pace.wait_for_turn()
    assert memory.now == pytest.approx(1002)


def test_results_are_reported_with_the_next_lease() -> None:
    """They are also reported at the end; a refused order counts as answered, an account's error does not."""
    memory = Memory()
    pace = memory.worker()
    pace.wait_for_turn()
    assert pace.record_result(None) == 0
    assert pace.record_result(NotFoundError("404", status_code=404)) == 0
    assert memory.trips == 1
    assert memory.pace.throttle.accepted_since == 0
    pace.wait_for_turn()
    assert memory.pace.throttle.accepted_since == 2
    pace.record_result(None)
    pace.flush()
    pace.flush()
    assert (memory.pace.throttle.accepted_since, memory.trips) == (3, 3)
    assert pace.record_result(AuthenticationError("401", status_code=401)) == REST_SECONDS
    with pytest.raises(RetryLater, match="401"):
        pace.wait_for_turn()


def test_an_error_is_reported_with_earlier_results() -> None:
    """The accepted rate is known when the error is handled."""
    memory = Memory()
    pace = memory.worker()
    pace.wait_for_turn()
    pace.record_result(None)
    assert pace.record_result(OutcomeUnknownError("no answer")) == 0
    assert memory.pace.throttle.accepted_since == 1
    assert memory.pace.breaker.strain > 0


def test_the_result_of_a_probe_is_reported_at_once() -> None:
    """All workers wait for it, and the worker may have no other call to make."""
    memory = Memory()
    one, other = memory.worker(), memory.worker()
    one.wait_for_turn()
    one.record_result(AuthenticationError("401", status_code=401))
    memory.advance(REST_SECONDS)
    assert one.wait_for_turn()
    with pytest.raises(RetryLater) as caught:
        other.wait_for_turn()
    assert caught.value.seconds == PROBE_POLL_SECONDS
    one.record_result(None)
    memory.advance(PROBE_POLL_SECONDS)
    for worker in (other, one):
        assert worker.wait_for_turn()
        trips = memory.trips
        worker.record_result(None)
        assert memory.trips == trips


def test_not_all_threads_wait_for_one_account() -> None:
    """Threads that would wait for long process other packages; enough of them wait to keep the account busy."""
    memory = Memory(1.0)
    pace = FleetPace("mystore", memory, 1.0, lambda: memory.now)
    assert pace.wait_for_turn()
    pace._cancelled = Lasting()
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(pace.wait_for_turn)]
        until_waiting(pace, 1)
        while not pace._interval:
            threading.Event().wait(0.001)
        waiting += [pool.submit(pace.wait_for_turn) for _ in range(2)]
        until_waiting(pace, 3)
        for _ in range(5):
            with pytest.raises(AccountPaused, match="enough packages") as caught:
                pace.wait_for_turn()
            assert caught.value.seconds == 1
        pace.cancel()
        assert not pace.wait_for_turn()
        assert [future.result(timeout=30) for future in waiting] == [False] * 3


def until_waiting(pace: FleetPace, number: int) -> None:
    """Return when as many threads wait."""
    while pace._waiting < number:
        threading.Event().wait(0.001)


def test_cancelling_ends_the_waiting() -> None:
    """Waiting threads and later ones return at once."""
    memory = Memory(1.1)
    pace = FleetPace("mystore", memory, 1.1, lambda: memory.now)
    assert pace.wait_for_turn()
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(pace.wait_for_turn) for _ in range(3)]
        until_waiting(pace, 3)
        pace.cancel()
        assert [future.result(timeout=30) for future in waiting] == [False] * 3
    assert not pace.wait_for_turn()
    assert (pace.stop_reason, pace.stop_error) == ("", None)
