"""What a delivery records of its account, and what the next one does with it."""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext import errors
from vtex_tracking_ext.bulk.delivery import calls
from vtex_tracking_ext.bulk.delivery.breaker import FIRST_PAUSE, MAX_UNKNOWN
from vtex_tracking_ext.bulk.delivery.pace import MAX_FREEZE, Pace
from vtex_tracking_ext.bulk.journal.entries import AccountUpdate

from support.journaled import START, refused, row

if TYPE_CHECKING:
    from vtex_tracking_ext import TrackingUpdate

    from support.deliveries import Bench

UNKNOWN = errors.OutcomeUnknownError("the connection was cut")


def test_what_was_learned_is_recorded_while_calls_succeed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the interval has passed, the record says during the next call when an event was last applied."""
    monkeypatch.setattr(calls, "_SAVE_INTERVAL", -1.0)
    bench.add(row(1, "a"), row(2, "b", "2"))
    seen: list[dt.datetime | None] = []

    def look(_: TrackingUpdate) -> None:
        record = bench.journal.account("mystore")
        assert record is not None
        seen.append(record.last_applied)

    bench.account.answers(look, look)
    bench.run()
    first, second = seen
    assert first is None
    assert second is not None


def test_an_account_that_was_stopped_is_on_record_until_a_call_is_accepted(bench: Bench) -> None:
    """A run without calls changes nothing, and another 403 keeps the time of the first."""
    bench.add(row(1, "a"))
    bench.account.answers(refused(403), refused(403))
    bench.run()
    assert (bench.record().stopped, bench.record().stopped_reason) == (START, "refused: 403")
    bench.advance(60)
    delivery = bench.delivery()
    delivery.pace.cancel()
    delivery.run()
    assert delivery.calls == 0
    assert (bench.record().stopped, bench.record().stopped_reason) == (START, "refused: 403")
    bench.run()
    assert (bench.record().stopped, bench.record().stopped_reason) == (START, "refused: 403")
    seen: list[str] = []
    bench.add(row(2, "b"))
    bench.account.answers(lambda _: None, lambda _: seen.append(bench.record().stopped_reason))
    bench.run(events_per_call=1)
    assert seen == [""]
    assert (bench.record().stopped, bench.record().stopped_reason) == (None, "")
    assert set(bench.states().values()) == {"applied"}


def test_after_a_stop_one_call_is_made_first(bench: Bench) -> None:
    """Other packages wait until it is accepted."""
    bench.add(*(row(number, "a", str(number)) for number in range(1, 5)))
    bench.account.answers(refused(403))
    bench.run()
    assert len(bench.account.sent) == 1
    delivery = bench.delivery(concurrency=4)
    waiting = threading.Event()

    class Waiting(threading.Condition):
        def wait(self, timeout: float | None = None) -> bool:
            if timeout is not None and timeout < 1e-3:  # the time between two calls
                bench.time.now += 1e-3
                return False
            waiting.set()
            return super().wait(timeout)

    def probe(_: TrackingUpdate) -> None:
        assert waiting.wait(10)
        assert len(bench.account.sent) == 2

    delivery.pace = Pace(bench.time, rate=1e6, initial_rate=1e6, changed=Waiting())
    bench.time.now += 1
    bench.account.answers(probe)
    tick = delivery.pace.record_result

    def advance(error: errors.VtexTrackingError | None) -> float:
        bench.time.now += 1
        return tick(error)

    delivery.pace.record_result = advance  # type: ignore[method-assign]
    delivery.run()
    assert len(bench.account.sent) == 5
    assert bench.journal.counts() == {"mystore": {"applied": 4}}


def test_after_a_stop_a_refused_first_call_ends_the_run(bench: Bench) -> None:
    """The credentials are still refused, so no other call is made."""
    bench.add(*(row(number, "a", str(number)) for number in range(1, 5)))
    bench.account.answers(refused(403), refused(403))
    bench.run()
    bench.run(concurrency=4)
    assert len(bench.account.sent) == 2


@pytest.mark.parametrize("waits", [True, False], ids=["run", "slice"])
def test_a_pause_after_a_429_binds_the_next_run(bench: Bench, waits: bool) -> None:
    """It waits for the rest of the pause; a slice ends at once, and the record keeps the reason."""
    bench.add(row(1, "a"))
    bench.account.answers(refused(429, retry_after=100.0))
    bench.run(slice_seconds=30.0)
    assert bench.record().quiet_seconds == 100
    assert bench.record().quiet_reason == "refused: 429"
    bench.advance(40)
    assert bench.record().quiet_seconds == 60
    if waits:
        bench.run()
        assert bench.time.waited[0] == 60
        assert bench.account.sent == ["a", "a"]
        assert bench.record().quiet_seconds == pytest.approx(0, abs=0.001)
        assert bench.record().quiet_reason == ""
    else:
        assert bench.run(slice_seconds=30.0).next_due == 60
        assert bench.account.sent == ["a"]
        assert bench.record().quiet_seconds == 60
        assert bench.record().quiet_reason == "refused: 429"


def test_a_pause_after_unknown_outcomes_ends_with_one_call_also_in_the_next_run(bench: Bench) -> None:
    """Its outcome is unknown, too, so a longer pause follows."""
    bench.add(*(row(number, "a", str(number)) for number in range(1, 20)))
    bench.account.answers(*[UNKNOWN] * 20)
    assert bench.run(slice_seconds=30.0).next_due == pytest.approx(FIRST_PAUSE)
    assert len(bench.account.sent) == MAX_UNKNOWN
    assert bench.record().quiet_reason == "the connection was cut"
    bench.advance(FIRST_PAUSE)
    assert bench.run(slice_seconds=30.0).next_due == pytest.approx(2 * FIRST_PAUSE)
    assert len(bench.account.sent) == MAX_UNKNOWN + 1


def test_the_learned_pace_outlives_a_run(bench: Bench) -> None:
    """The next run begins at the rate of the last one, and a freeze with no accepted call in between lasts longer."""
    bench.add(row(1, "a"))
    bench.account.answers(*[refused(429, retry_after=10.0)] * 3)
    first = bench.delivery(slice_seconds=30.0)
    first.pace._throttle.rate = 7.0
    first.run()
    assert first.next_due == 10
    bench.advance(10)
    second = bench.run(slice_seconds=30.0)
    assert second.pace._throttle.rate == 7.0
    assert second.next_due == 40
    bench.advance(40)
    bench.run()
    assert bench.states() == {"a": "applied"}


def test_the_time_of_the_last_applied_event_is_on_record(bench: Bench) -> None:
    """A run in which nothing is applied leaves it as it is."""
    bench.add(row(1, "a"))
    bench.advance(5)
    bench.run()
    applied = bench.record().last_applied
    assert applied is not None
    assert (applied - START).total_seconds() == 5
    bench.advance(5)
    bench.add(row(2, "b"))
    bench.account.answers(refused(404))
    bench.run()
    assert bench.record().last_applied == applied


def test_a_clock_that_was_set_back_does_not_prolong_a_pause(bench: Bench) -> None:
    """No pause is longer than ten minutes, whatever the clock says when it is resumed."""
    bench.add(row(1, "a"))
    with bench.journal.lease("mystore") as lease:
        assert lease is not None
        lease.update_account(AccountUpdate(quiet_seconds=30.0, quiet_reason="refused: 429"))
    bench.clock.now -= dt.timedelta(days=1)
    bench.run()
    assert bench.states() == {"a": "applied"}
    assert bench.time.waited == [MAX_FREEZE]


def test_what_was_applied_is_recorded_if_reporting_it_fails(bench: Bench) -> None:
    """For instance because the program that reads the output has ended."""
    bench.add(row(1, "a"))

    def fail(_: object) -> None:
        raise BrokenPipeError

    bench.report = fail
    with pytest.raises(BrokenPipeError):
        bench.run()
    assert bench.states() == {"a": "applied"}
