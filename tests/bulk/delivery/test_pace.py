"""The rate of calls to one account, and how threads wait for their turn."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate

import attrs
import pytest

from vtex_tracking_ext import (
    AuthenticationError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitedError,
    VtexTrackingError,
)
from vtex_tracking_ext.bulk.delivery.breaker import FIRST_PAUSE, MAX_UNKNOWN, Breaker
from vtex_tracking_ext.bulk.delivery.pace import (
    DEFAULT_FREEZE,
    INITIAL_RATE,
    MAX_FREEZE,
    MAX_FREEZES,
    MIN_RATE,
    Pace,
    Throttle,
)
from vtex_tracking_ext.config.defaults import DEFAULT_RATE

from support.deliveries import VirtualTime


class Watched(threading.Condition):
    """A condition that tells when a thread waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait as usual."""
        self.waited.set()
        return super().wait(timeout)


def call(throttle: Throttle, now: float, calls: int = 1) -> float:
    """Make calls that are accepted at once, each as soon as it may begin; return the time after them."""
    for _ in range(calls):
        now += throttle.delay(now)
        throttle.start(now)
        throttle.record_accepted(now)
    return now


def at(throttle: Throttle, rate: float) -> float:
    """Make 200 calls at a rate; return when the next is due."""
    throttle.ceiling, throttle.rate = rate, rate
    return call(throttle, 1000.0, 200) + 1 / rate


def limited(retry_after: float | None = None) -> RateLimitedError:
    """Return a 429."""
    error = RateLimitedError("too many requests", status_code=429)
    error.retry_after = retry_after
    return error


def test_calls_are_spread_evenly() -> None:
    """Each call begins one interval after the previous one, however many threads ask."""
    throttle = Throttle(ceiling=10)
    starts = accumulate(range(9), lambda now, _: call(throttle, now), initial=call(throttle, 1000.0))
    assert [pytest.approx(1000 + n / 10) for n in range(10)] == list(starts)


@pytest.mark.parametrize("idle", [1.0, 3600.0])
def test_no_burst_follows_an_idle_time(idle: float) -> None:
    """The first call begins at once, and the second waits for a whole interval."""
    throttle = Throttle(ceiling=10)
    now = call(throttle, 1000.0) + idle
    assert throttle.delay(now) == 0
    throttle.start(now)
    assert throttle.delay(now) == pytest.approx(0.1)


def test_a_call_that_begins_slightly_late_does_not_delay_the_next() -> None:
    """Threads wake up late, and the rate is kept; but two calls never begin together."""
    throttle = Throttle(ceiling=10)
    throttle.start(1000.0)
    throttle.start(1000.1 + 0.015)
    assert throttle.next_start == pytest.approx(1000.2)
    throttle.start(1000.2 + 0.025)
    assert throttle.next_start == pytest.approx(1000.325)
    quick = Throttle(ceiling=200, rate=200)
    quick.start(1000.0)
    quick.start(1000.005 + 0.015)
    assert quick.next_start == pytest.approx(1000.02)


def test_the_rate_grows_with_accepted_calls_up_to_the_ceiling() -> None:
    """A ceiling below the initial rate applies from the start."""
    throttle = Throttle()
    assert throttle.rate == INITIAL_RATE
    now = call(throttle, 1000.0, 20)
    assert INITIAL_RATE < throttle.rate < DEFAULT_RATE
    call(throttle, now, 100)
    assert throttle.rate == DEFAULT_RATE
    assert Throttle(ceiling=2).rate == 2


def test_an_unused_rate_does_not_grow() -> None:
    """Calls at a lower rate do not prove that VTEX accepts the higher one."""
    throttle = Throttle()
    now = 1000.0
    for _ in range(100):
        now = call(throttle, now + 0.5)
    assert throttle.rate == INITIAL_RATE
    throttle.record_rate_limited(now, now, 1.0)
    rate = throttle.rate
    for _ in range(100):
        now = call(throttle, now + 10)
    assert throttle.rate == rate


@pytest.mark.parametrize(
    ("retry_after", "seconds"), [(5.0, 5.0), (0.0, 0.0), (None, DEFAULT_FREEZE), (10.0**9, MAX_FREEZE)]
)
def test_a_freeze_lasts_as_long_as_retry_after_says(retry_after: float | None, seconds: float) -> None:
    """A minute without Retry-After, and never longer than the maximum."""
    throttle = Throttle()
    assert throttle.record_rate_limited(1000.0, 1000.0, retry_after)
    assert throttle.delay(1000.0) == seconds
    assert throttle.delay(1000.0 + seconds) == 0


def test_calls_in_progress_at_a_429_belong_to_its_freeze() -> None:
    """Their own 429s neither count nor slow down again, even after the freeze; a later Retry-After prolongs it."""
    throttle = Throttle()
    now = at(throttle, 20)
    throttle.record_rate_limited(now, now - 0.1, 5.0)
    before = attrs.evolve(throttle)
    assert throttle.record_rate_limited(now + 1, now - 0.05, None)
    assert throttle.record_rate_limited(now + 1, now - 0.05, 2.0)
    assert before == throttle
    assert throttle.record_rate_limited(now + 1, now - 0.05, 5.0)
    assert throttle.delay(now + 1) == 5
    assert throttle.record_rate_limited(now + 7, now - 0.05, 1.0)
    assert throttle.delay(now + 7) == 1
    assert (before.rate, before.freezes) == (throttle.rate, throttle.freezes)


def test_consecutive_freezes_grow_until_the_account_ends() -> None:
    """Retry-After was too short, so freezes grow up to a minute, or to a longer Retry-After."""
    throttle, now, seconds, goes_on = Throttle(), 1000.0, [], True
    while goes_on:
        goes_on = throttle.record_rate_limited(now, now, 1.0)
        seconds.append(throttle.delay(now))
        now += seconds[-1]
    assert seconds == [1.0, 4.0, 16.0, 60.0, 60.0, 60.0]
    assert len(seconds) == MAX_FREEZES + 1
    throttle.record_rate_limited(now, now, 90.0)
    assert throttle.delay(now) == 90


def test_an_accepted_call_ends_a_series_of_freezes() -> None:
    """The next freeze counts as the first, and has its normal length."""
    throttle, now = Throttle(max_freezes=1), 1000.0
    for _ in range(5):
        assert throttle.record_rate_limited(now, now, 1.0)
        assert throttle.frozen_until == now + 1
        now = call(throttle, now)
    throttle.record_rate_limited(now, now, 1.0)
    assert not throttle.record_rate_limited(now + 1, now + 1, 1.0)


def test_the_rate_after_a_429_is_just_below_the_accepted_rate() -> None:
    """Not below the rate that was allowed: threads may not have used all of it."""
    throttle = Throttle()
    now = at(throttle, 20)
    throttle.record_rate_limited(now, now, 1.0)
    assert throttle.rate == pytest.approx(0.95 * 20)
    slow = Throttle(ceiling=100, rate=100)
    for n in range(160):  # forty calls a second
        slow.start(1000 + n / 40)
        slow.record_accepted(1000 + n / 40)
    slow.record_rate_limited(1004.0, 1004.0, 1.0)
    assert slow.rate == pytest.approx(0.95 * 40, abs=1)


def test_a_429_soon_after_a_freeze_lowers_the_rate_more() -> None:
    """The rate was still too high, or VTEX had accumulated quota for a burst. A freeze long ago does not matter."""
    rates = []
    for calls in (5, 40, 60_000):
        throttle = Throttle()
        now = at(throttle, 20)
        throttle.record_rate_limited(now, now, 1.0)
        now = call(throttle, now, calls)
        throttle.rate = 19.0
        throttle.recent = [now - n / 19 for n in range(18, -1, -1)]
        throttle.record_rate_limited(now, now, 1.0)
        rates.append(throttle.rate)
    forgone = 19
    assert [pytest.approx(19 * share) for share in (0.8, (40 / (40 + forgone)) ** 0.5, 0.95)] == rates


def test_a_429_without_accepted_calls_before_it_leaves_the_rate() -> None:
    """Others used up the quota: nothing was accepted since the last freeze, or nothing lately."""
    throttle = Throttle()
    now = at(throttle, 20)
    throttle.record_rate_limited(now + 60, now + 60, 1.0)
    assert throttle.rate == 20
    now = call(throttle, now + 61)
    throttle.record_rate_limited(now, now, 1.0)
    rate = throttle.rate
    throttle.record_rate_limited(now + 1, now + 1, 1.0)
    assert rate == throttle.rate


def test_the_rate_has_a_minimum() -> None:
    """A call is made every ten seconds, however few were accepted."""
    throttle = Throttle()
    now = at(throttle, 0.1)
    throttle.record_rate_limited(now, now, 1.0)
    assert throttle.rate == MIN_RATE
    assert throttle.plateau < MIN_RATE
    assert call(throttle, now, 2) == pytest.approx(now + 1 + 10)


@pytest.mark.parametrize(("freeze", "scale"), [(1.0, 80.0), (60.0, 2400.0)])
def test_the_rate_climbs_back_on_a_cubic_curve(freeze: float, scale: float) -> None:
    """Flat near the rate that failed, steep far from it, and up to the ceiling; slower after a long freeze."""
    throttle = Throttle()
    now = at(throttle, 20)
    throttle.record_rate_limited(now, now, freeze)
    throttle.ceiling = 30
    now += freeze
    times, marks = [], iter((0.97 * 20, 20.0, 25.0, 29.9))
    mark, began = next(marks), now
    while mark:
        now = call(throttle, now)
        if throttle.rate >= mark:
            times.append((now - began) / scale)
            mark = next(marks, 0.0)
    climb = (0.02 / 0.97) ** (1 / 3)
    expected = [climb + (rate / (0.97 * 20) - 1) ** (1 / 3) for rate in (0.97 * 20, 20.0, 25.0, 29.9)]
    assert expected == pytest.approx(times, abs=0.01)
    call(throttle, now, 10_000)
    assert throttle.rate == 30


def test_a_rate_of_zero_is_refused() -> None:
    """No call could ever be made."""
    with pytest.raises(ValueError, match="'ceiling' must be > 0"):
        Throttle(ceiling=0)
    with pytest.raises(ValueError, match="'rate' must be > 0"):
        Throttle(rate=0)


def test_threads_take_turns() -> None:
    """Forty calls of eight threads take as long as forty calls of one thread."""
    clock = VirtualTime()
    pace = Pace(clock, rate=10, changed=clock)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: pace.wait_for_turn(), range(40))) == [True] * 40
    assert clock.now == pytest.approx(1000 + 39 / 10)
    assert pace._throttle.rate == 10


def test_a_freeze_applies_to_all_threads() -> None:
    """Waiting threads go on when it is over, and not earlier."""
    clock = VirtualTime()
    pace = Pace(clock, changed=clock)
    assert pace.record_result(limited(30)) == 30
    assert pace.delay() == 30
    assert pace.wait_for_turn()
    assert clock.now == 1030
    assert pace.delay() == pytest.approx(1 / INITIAL_RATE)


def test_a_429_returns_the_length_of_its_freeze() -> None:
    """A result that does not prolong the freeze returns 0."""
    pace = Pace(VirtualTime())
    assert pace.record_result(limited(5)) == 5
    assert pace.delay() == 5
    assert pace.record_result(limited(1)) == 0
    assert pace.record_result(None) == 0
    assert pace.stop_reason == ""


def test_429s_of_calls_in_progress_are_one_freeze() -> None:
    """Three threads have begun calls before the first 429, and record theirs one after another."""
    clock = VirtualTime()
    pace = Pace(clock, max_freezes=1, changed=clock)
    waited = threading.Barrier(3, timeout=30)
    turns = [threading.Event() for _ in range(3)]

    def caller(number: int) -> bool:
        pace.wait_for_turn()
        waited.wait()
        turns[number].wait(30)
        clock.now += 10
        pace.record_result(limited(1))
        return not pace.stop_reason

    with ThreadPoolExecutor(3) as pool:
        callers = [pool.submit(caller, number) for number in range(3)]
        answers = []
        for turn, future in zip(turns, callers, strict=True):
            turn.set()
            answers.append(future.result())
    assert answers == [True, True, True]


def test_cancelling_ends_all_waiting() -> None:
    """At once, for all threads, now and later."""
    changed = Watched()
    pace = Pace(changed=changed)
    pace.record_result(limited(600))
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(pace.wait_for_turn) for _ in range(3)]
        assert changed.waited.wait(30)
        pace.cancel()
        assert [future.result(timeout=30) for future in waiting] == [False] * 3
    assert not pace.wait_for_turn()


@pytest.mark.parametrize("stopper", [AuthenticationError("401, the token is gone", status_code=401), limited(0)])
def test_waiting_ends_when_the_account_ends(stopper: VtexTrackingError) -> None:
    """The first error counts, and is the reason."""
    changed = Watched()
    pace = Pace(VirtualTime(), max_freezes=0, rate=0.001, changed=changed)
    assert pace.wait_for_turn()
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(pace.wait_for_turn) for _ in range(3)]
        assert changed.waited.wait(30)
        pace.record_result(stopper)
        assert [future.result(timeout=30) for future in waiting] == [False] * 3
    assert pace.stop_error is stopper
    assert str(stopper) in pace.stop_reason
    pace.record_result(AuthenticationError("another", status_code=401))
    assert pace.stop_error is stopper


def test_no_call_is_made_for_an_account_that_has_ended() -> None:
    """Here its breaker has ended it before."""
    pace = Pace(breaker=Breaker(reason="the token is gone"))
    assert not pace.wait_for_turn()
    assert pace.stop_reason == "the token is gone"


def test_a_refused_call_was_within_the_limit() -> None:
    """A 404 ends a series of freezes, as an accepted call does; an unknown outcome does not."""
    clock = VirtualTime()
    pace = Pace(clock, max_freezes=1, changed=clock)
    for error in (None, NotFoundError("no such order", status_code=404), OutcomeUnknownError("no answer")):
        pace.record_result(limited(0))
        assert pace.stop_reason == ""
        pace.wait_for_turn()
        pace.record_result(error)
    pace.record_result(limited(0))
    assert "stays over its limit" in pace.stop_reason


def test_unknown_outcomes_pause_the_account_until_a_probe_is_answered() -> None:
    """All threads wait for the probe request, and go on as soon as it is answered."""
    clock, changed = VirtualTime(), Watched()
    pace = Pace(clock, rate=1000, changed=changed)
    seconds = [pace.record_result(OutcomeUnknownError("no answer")) for _ in range(MAX_UNKNOWN)]
    assert seconds == [0] * (MAX_UNKNOWN - 1) + [FIRST_PAUSE]
    assert pace.delay() == FIRST_PAUSE
    clock.now += FIRST_PAUSE
    assert pace.wait_for_turn()
    clock.now += 1
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(pace.wait_for_turn)
        assert changed.waited.wait(30)
        pace.record_result(None)
        assert other.result(timeout=30)
    assert pace.stop_reason == ""


def test_the_age_of_a_turn_is_that_of_the_threads_own_turn() -> None:
    """A thread without a turn has age 0."""
    clock = VirtualTime()
    pace = Pace(clock, rate=1, initial_rate=1, changed=clock)
    assert pace.turn_age() == 0
    assert pace.wait_for_turn()
    clock.now += 3
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(pace.wait_for_turn).result(timeout=30)
        clock.now += 2
        assert pool.submit(pace.turn_age).result(timeout=30) == 2
    assert pace.turn_age() == 5


def test_no_thread_waits_longer_than_the_longest_wait() -> None:
    """After that no call is made any more, and the rest of the wait is known."""
    clock = VirtualTime()
    pace = Pace(clock, changed=clock, longest_wait=2.0)
    assert pace.wait_for_turn()
    assert pace.wait_for_turn()
    assert pace.quiet_seconds == 0
    pace.record_result(limited(30))
    assert not pace.wait_for_turn()
    assert pace.quiet_seconds == pytest.approx(30)
    clock.now += 60
    assert not pace.wait_for_turn()


def test_the_result_of_a_probe_is_waited_for_however_long_the_wait() -> None:
    """Its result is known after its time-out at the latest."""
    clock, changed = VirtualTime(), Watched()
    pace = Pace(clock, rate=1000, changed=changed, longest_wait=2.0)
    pace.resume("", is_probing=True)
    assert pace.wait_for_turn()
    assert pace.delay() == FIRST_PAUSE
    clock.now += 1
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(pace.wait_for_turn)
        assert changed.waited.wait(30)
        pace.record_result(None)
        assert other.result(timeout=30)
    assert pace.quiet_seconds == 0


def test_the_learned_pace_can_be_resumed() -> None:
    """Rate, freezes and climb are those of the earlier pace; the quiet time is that of the caller's clock."""
    first = Pace(VirtualTime(), rate=30)
    at(first._throttle, 20)
    first.record_result(limited(5))
    second = Pace(VirtualTime(), rate=30)
    second.resume(first.learned(), 7.0)
    assert second.delay() == 7
    assert second.learned() == first.learned()
    second.record_result(limited(5))
    assert second.learned() == first.learned()  # the call was in progress during the freeze
    third = Pace(VirtualTime(), rate=10)
    third.resume(first.learned())
    assert third.delay() == 0
    assert third._throttle.rate == 10


def test_a_pause_after_unknown_outcomes_is_resumed_with_a_probe() -> None:
    """The first call is the probe; another unknown outcome pauses for longer."""
    clock = VirtualTime()
    first = Pace(clock)
    for _ in range(MAX_UNKNOWN):
        first.record_result(OutcomeUnknownError("no answer"))
    second = Pace(clock, changed=clock)
    second.resume(first.learned(), first.delay())
    assert second.delay() == FIRST_PAUSE
    assert second.wait_for_turn()
    assert second.delay() == FIRST_PAUSE
    assert second.record_result(OutcomeUnknownError("no answer")) == 2 * FIRST_PAUSE


def test_an_account_that_was_stopped_is_resumed_with_a_probe() -> None:
    """It counts as the first pause, and earlier freezes do not count."""
    first = Pace(VirtualTime(), max_freezes=0)
    first.record_result(limited(1))
    assert first.stop_reason
    second = Pace(VirtualTime(), max_freezes=1)
    second.resume(first.learned(), is_probing=True)
    assert second.wait_for_turn()
    assert second.delay() == FIRST_PAUSE
    second.record_result(limited(1))
    assert not second.stop_reason


@pytest.mark.parametrize(
    "learned",
    [
        "",
        "{",
        "null",
        "[1]",
        '{"rate": "fast", "freezes": null, "climbed": [1]}',
        '{"rate": NaN, "freezes": Infinity, "scale": 1e999}',
        '{"burst": 7, "ceiling": 1, "next_start": 1e9, "paused_until": 1e9}',
    ],
)
def test_a_learned_pace_that_is_not_valid_is_ignored(learned: str) -> None:
    """Another version of this program may have written it."""
    pace, untouched = Pace(VirtualTime()), Pace(VirtualTime())
    pace.resume(learned)
    assert pace.learned() == untouched.learned()
    assert pace.delay() == 0


def test_a_learned_rate_is_at_least_the_minimum() -> None:
    """And what is valid is kept although something else is not."""
    pace = Pace(VirtualTime())
    pace.resume('{"rate": 0, "freezes": 2, "plateau": "?"}')
    assert (pace._throttle.rate, pace._throttle.freezes) == (MIN_RATE, 2)
