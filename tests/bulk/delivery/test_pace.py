"""How fast one account may be called: the rules one by one, and how threads wait."""

from __future__ import annotations

import json
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


class Clock:
    """Time that passes when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the current time."""
        return self.now


class Virtual(threading.Condition):
    """Waits by letting a clock go on."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        """Return at once, later."""
        assert timeout is not None
        self._clock.now += timeout
        return False


class Watched(threading.Condition):
    """Says when somebody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait as ever."""
        self.waited.set()
        return super().wait(timeout)


def quiet(pace: Pace) -> float:
    """Return the seconds for which nobody may call."""
    return max(0.0, pace._paused_until() - pace._clock())


def call(throttle: Throttle, now: float, calls: int = 1) -> float:
    """Make calls that are let through at once, each as soon as it may begin; return the time after them."""
    for _ in range(calls):
        now += throttle.delay(now)
        throttle.start(now)
        throttle.record_accepted(now)
    return now


def at(throttle: Throttle, rate: float) -> float:
    """Let a throttle make 200 calls at a rate; return when the next is due."""
    throttle.ceiling, throttle.rate = rate, rate
    return call(throttle, 1000.0, 200) + 1 / rate


def limited(retry_after: float | None = None) -> RateLimitedError:
    """Return a 429."""
    error = RateLimitedError("too many requests", status_code=429)
    error.retry_after = retry_after
    return error


def test_calls_are_spread_evenly() -> None:
    """Each begins one interval after the one before, no matter how many ask."""
    throttle = Throttle(ceiling=10)
    starts = accumulate(range(9), lambda now, _: call(throttle, now), initial=call(throttle, 1000.0))
    assert [pytest.approx(1000 + n / 10) for n in range(10)] == list(starts)


@pytest.mark.parametrize("idle", [1.0, 3600.0])
def test_idleness_saves_nothing_up(idle: float) -> None:
    """After it the second call has to wait as long as ever."""
    throttle = Throttle(ceiling=10)
    now = call(throttle, 1000.0) + idle
    assert throttle.delay(now) == 0
    throttle.start(now)
    assert throttle.delay(now) == pytest.approx(0.1)


def test_a_call_that_begins_a_little_late_delays_no_other() -> None:
    """Threads wake up late, and the rate is kept all the same; but two calls never go together."""
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


def test_it_begins_modestly_and_grows_to_the_ceiling() -> None:
    """By what is let through; a ceiling below the first rate holds from the start."""
    throttle = Throttle()
    assert throttle.rate == INITIAL_RATE
    now = call(throttle, 1000.0, 20)
    assert INITIAL_RATE < throttle.rate < DEFAULT_RATE
    call(throttle, now, 100)
    assert throttle.rate == DEFAULT_RATE
    assert Throttle(ceiling=2).rate == 2


def test_a_rate_that_nobody_uses_does_not_grow() -> None:
    """It would not be known to hold when it is used."""
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


@pytest.mark.parametrize(("told", "seconds"), [(5.0, 5.0), (0.0, 0.0), (None, DEFAULT_FREEZE), (10.0**9, MAX_FREEZE)])
def test_a_freeze_lasts_as_told_within_bounds(told: float | None, seconds: float) -> None:
    """A minute without a word, and never longer than the bound."""
    throttle = Throttle()
    assert throttle.record_rate_limited(1000.0, 1000.0, told)
    assert throttle.delay(1000.0) == seconds
    assert throttle.delay(1000.0 + seconds) == 0


def test_calls_that_were_on_their_way_belong_to_the_freeze() -> None:
    """They count once and slow down once, even when they come back after it; a later Retry-After prolongs it."""
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


def test_freezes_in_a_row_grow_and_then_it_gives_up() -> None:
    """What Retry-After said was too short: up to a minute, unless it says more."""
    throttle, now, seconds, goes_on = Throttle(), 1000.0, [], True
    while goes_on:
        goes_on = throttle.record_rate_limited(now, now, 1.0)
        seconds.append(throttle.delay(now))
        now += seconds[-1]
    assert seconds == [1.0, 4.0, 16.0, 60.0, 60.0, 60.0]
    assert len(seconds) == MAX_FREEZES + 1
    throttle.record_rate_limited(now, now, 90.0)
    assert throttle.delay(now) == 90


def test_a_call_let_through_begins_the_row_anew() -> None:
    """VTEX works, it is merely busy."""
    throttle, now = Throttle(max_freezes=1), 1000.0
    for _ in range(5):
        assert throttle.record_rate_limited(now, now, 1.0)
        assert throttle.frozen_until == now + 1
        now = call(throttle, now)
    throttle.record_rate_limited(now, now, 1.0)
    assert not throttle.record_rate_limited(now + 1, now + 1, 1.0)


def test_after_a_429_it_goes_on_just_below_what_was_let_through() -> None:
    """Not below what it tried: that is another matter where the threads could not keep up."""
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


def test_a_429_right_after_a_freeze_costs_more() -> None:
    """The rate was too fast still, or VTEX had saved up for a burst; a freeze long ago has no part in it."""
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


def test_a_429_out_of_the_blue_leaves_the_rate() -> None:
    """Others used up the quota: whether nothing was let through since the last freeze, or nothing lately."""
    throttle = Throttle()
    now = at(throttle, 20)
    throttle.record_rate_limited(now + 60, now + 60, 1.0)
    assert throttle.rate == 20
    now = call(throttle, now + 61)
    throttle.record_rate_limited(now, now, 1.0)
    rate = throttle.rate
    throttle.record_rate_limited(now + 1, now + 1, 1.0)
    assert rate == throttle.rate


def test_there_is_a_slowest_rate() -> None:
    """However little was let through, a call goes out now and then."""
    throttle = Throttle()
    now = at(throttle, 0.1)
    throttle.record_rate_limited(now, now, 1.0)
    assert throttle.rate == MIN_RATE
    assert throttle.plateau < MIN_RATE
    assert call(throttle, now, 2) == pytest.approx(now + 1 + 10)


@pytest.mark.parametrize(("freeze", "scale"), [(1.0, 80.0), (60.0, 2400.0)])
def test_it_climbs_back_on_a_cubic_curve(freeze: float, scale: float) -> None:
    """Flat near what failed, steep far from it on either side, up to the ceiling; a long freeze makes it patient."""
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


def test_its_state_can_be_stored_as_json() -> None:
    """So that several machines can share it."""
    throttle = Throttle()
    now = at(throttle, 20)
    throttle.record_rate_limited(now, now, 5.0)
    assert Throttle(**json.loads(json.dumps(attrs.asdict(throttle)))) == throttle


def test_a_rate_of_nothing_is_refused() -> None:
    """Nobody would ever call."""
    with pytest.raises(ValueError, match="'ceiling' must be > 0"):
        Throttle(ceiling=0)
    with pytest.raises(ValueError, match="'rate' must be > 0"):
        Throttle(rate=0)


def test_threads_take_turns() -> None:
    """Forty calls of eight threads take as long as forty calls of one."""
    clock = Clock()
    pace = Pace(clock, rate=10, changed=Virtual(clock))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: pace.wait_for_turn(), range(40))) == [True] * 40
    assert clock.now == pytest.approx(1000 + 39 / 10)
    assert pace._throttle.rate == 10


def test_a_freeze_holds_everybody() -> None:
    """Whoever waits is let go when it is over, and not before."""
    clock = Clock()
    pace = Pace(clock, changed=Virtual(clock))
    assert pace.record_result(limited(30)) == 30
    assert quiet(pace) == 30
    assert pace.wait_for_turn()
    assert clock.now == 1030
    assert quiet(pace) == 0


def test_a_429_is_learnt_as_a_freeze() -> None:
    """With what VTEX said; what makes it no longer says nothing new."""
    pace = Pace(Clock())
    assert pace.record_result(limited(5)) == 5
    assert quiet(pace) == 5
    assert pace.record_result(limited(1)) == 0
    assert pace.record_result(None) == 0
    assert pace.stop_reason == ""


def test_a_thread_is_asked_about_its_own_call() -> None:
    """Calls of several threads that come back with 429 one after another are one event, however late."""
    clock = Clock()
    pace = Pace(clock, max_freezes=1, changed=Virtual(clock))
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


def test_cancelling_ends_the_waiting() -> None:
    """At once, for everybody, now and later."""
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
def test_the_end_of_the_account_ends_the_waiting(stopper: VtexTrackingError) -> None:
    """It says why, and which error it was; the first one counts."""
    changed = Watched()
    pace = Pace(Clock(), max_freezes=0, rate=0.001, changed=changed)
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


def test_an_account_that_has_ended_stays_so() -> None:
    """Even when its state comes from elsewhere."""
    pace = Pace(breaker=Breaker(reason="the token is gone"))
    assert not pace.wait_for_turn()
    assert pace.stop_reason == "the token is gone"


def test_what_was_refused_was_let_through() -> None:
    """A 404 shows that the rate is right; an unknown outcome shows nothing."""
    clock = Clock()
    pace = Pace(clock, max_freezes=1, changed=Virtual(clock))
    for error in (None, NotFoundError("no such order", status_code=404), OutcomeUnknownError("no answer")):
        pace.record_result(limited(0))
        assert pace.stop_reason == ""
        pace.wait_for_turn()
        pace.record_result(error)
    pace.record_result(limited(0))
    assert "stays over its limit" in pace.stop_reason


def test_unknown_outcomes_pause_the_account_until_one_call_is_answered() -> None:
    """The pause is everybody's; who waits goes on as soon as the call that tries the ground has its answer."""
    clock, changed = Clock(), Watched()
    pace = Pace(clock, rate=1000, changed=changed)
    seconds = [pace.record_result(OutcomeUnknownError("no answer")) for _ in range(MAX_UNKNOWN)]
    assert seconds == [0] * (MAX_UNKNOWN - 1) + [FIRST_PAUSE]
    assert quiet(pace) == FIRST_PAUSE
    clock.now += FIRST_PAUSE
    assert pace.wait_for_turn()
    clock.now += 1
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(pace.wait_for_turn)
        assert changed.waited.wait(30)
        pace.record_result(None)
        assert other.result(timeout=30)
    assert pace.stop_reason == ""
