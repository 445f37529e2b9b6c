"""Delivering while the carrier can still take deliveries back."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import errors
from vtex_tracking_ext.bulk.journal.entries import TAKEN_BACK

from support.journaled import START, add, delivery, refused, row

if TYPE_CHECKING:
    from vtex_tracking_ext import TrackingUpdate
    from vtex_tracking_ext.bulk.input.rows import Row

    from support.deliveries import Bench

HOUR = 3600.0
SLICE = 30.0


def held(line: int, text: str = "", hours: float = 1, **changes: Any) -> Row:
    """Return a row with a delivery that is held for some hours from the start of the test."""
    return delivery(line, "2026-10-01", text, hold_until=START + dt.timedelta(hours=hours), **changes)


@pytest.mark.parametrize("options", [{}, {"slice_seconds": SLICE}])
def test_held_delivery_is_sent_when_its_hold_ends(bench: Bench, options: dict[str, Any]) -> None:
    """Its event is sent at once, alone; the account is due again when the first hold ends."""
    bench.add(held(1, "a"), held(2, "b", 2, invoice="2"), held(3, "c", -1, invoice="3"))
    assert bench.run(**options).next_due == pytest.approx(HOUR)
    assert bench.account.sent == ["a", "b", "c D"]
    bench.advance(HOUR - 1)
    run = bench.run(**options)
    assert run.next_due == pytest.approx(1, abs=0.001)
    assert run.calls == 0
    bench.advance(1)
    assert bench.run(**options).next_due == pytest.approx(HOUR)
    bench.advance(HOUR)
    assert bench.run(**options).next_due is None
    assert bench.account.sent[3:] == ["D", "D"]
    assert bench.journal.counts() == {"mystore": {"applied": 6}}


def test_held_delivery_survives_a_killed_run(bench: Bench) -> None:
    """The order shows the event that was in flight; the delivery waits for its time in the next runs, too."""
    bench.add(held(1, "a"), row(2, "b"))
    bench.leave_in_flight(1)
    bench.show("a")
    assert bench.run().next_due == pytest.approx(HOUR)
    assert bench.account.sent == ["b"]
    bench.advance(HOUR)
    bench.leave_in_flight(2)
    bench.show(is_delivered=True)
    assert bench.run().next_due is None
    assert (bench.account.sent, bench.account.reads) == (["b"], ["o-01", "o-01"])
    assert bench.journal.counts() == {"mystore": {"applied": 3}}


def test_held_delivery_waits_behind_an_unknown_outcome(bench: Bench) -> None:
    """The order is read when it is due, which is earlier; the hold counts after that, also with send_after_unknown."""
    bench.account.shows = False
    bench.account.answers(errors.OutcomeUnknownError("cut"))
    bench.add(held(1, "a"))
    assert bench.run(slice_seconds=SLICE, send_after_unknown=True).next_due == pytest.approx(5, abs=3)
    bench.account.shows = True
    bench.show("a")
    bench.advance(60)
    assert bench.run(slice_seconds=SLICE, send_after_unknown=True).next_due == pytest.approx(HOUR - 60)
    assert bench.account.sent == ["a"]


def test_hold_that_ends_during_a_run_is_over(bench: Bench) -> None:
    """A run that takes longer than the hold sends the delivery itself."""
    bench.add(held(1), row(2, "a", "2"))
    bench.account.answers(lambda _: bench.advance(2 * HOUR))
    assert bench.run().next_due is None
    assert bench.account.sent == ["a", "D"]


def test_delivery_is_sent_again_after_its_hold(bench: Bench) -> None:
    """After its hold, a delivery is one like any other: a 429 postpones it for as long as VTEX says."""
    bench.add(held(1))
    bench.advance(HOUR)
    bench.account.answers(refused(429, retry_after=1.5))
    bench.run()
    assert bench.account.sent == ["D", "D"]


@pytest.mark.parametrize(
    ("later", "reason", "left"),
    [
        ([row(3, "EST", "2", takes_back=True)], TAKEN_BACK, ""),
        ([row(3, "EST", "2", takes_back=True), held(4, "again", invoice="2")], "", "again D"),
    ],
)
def test_delivery_that_is_taken_back_after_it_was_read_is_not_sent(
    bench: Bench, later: list[Row], reason: str, left: str
) -> None:
    """Another process notes the take-back, or also a new delivery that is held, during the call before it."""

    def note(_: TrackingUpdate) -> None:
        assert set(add(bench.journal, *later)) == {"new"}

    bench.add(row(1, "a"), delivery(2, "2026-10-01", invoice="2"))
    bench.account.answers(note)
    bench.run()
    sent = [text for text in ("a", "EST", left.removesuffix(" D")) if text]
    assert " ".join(bench.account.sent).split() == sent
    assert bench.reasons()[1] == reason
    bench.advance(HOUR)
    bench.run()
    assert " ".join(bench.account.sent).split() == sent + ["D"] * bool(left)
