"""Delivering an account for a slice of time, as a worker does that delivers many accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vtex_tracking_ext import errors

from support.journaled import delivery, refused, row, to_state

if TYPE_CHECKING:
    from vtex_tracking_ext import TrackingUpdate

    from support.deliveries import Bench

UNKNOWN = errors.OutcomeUnknownError("the connection was cut")
SLICE = 30.0
HOUR = 3600.0


def slice_of(bench: Bench, **options: Any) -> tuple[float | None, int]:
    """Deliver for a slice of time; return ``next_due``, and how many orders were read."""
    delivery = bench.run(slice_seconds=SLICE, **options)
    return delivery.next_due, delivery.reads


def test_a_slice_ends_in_time_with_the_rest_left(bench: Bench) -> None:
    """Calls of ten seconds each: the third is the last, and the next slice is due at once."""

    def take_time(_: TrackingUpdate) -> None:
        bench.advance(10)

    bench.add(*(row(number, "a", str(number)) for number in range(1, 10)))
    bench.account.answers(*[take_time] * 9)
    assert slice_of(bench) == (0.0, 0)
    assert bench.journal.counts() == {"mystore": {"applied": 3, "pending": 6}}
    assert slice_of(bench) == (0.0, 0)
    assert bench.journal.counts() == {"mystore": {"applied": 6, "pending": 3}}


def test_a_package_can_be_continued_in_the_next_slice(bench: Bench) -> None:
    """The call in progress is finished; order and outcome are as in one run."""

    def take_time(_: TrackingUpdate) -> None:
        bench.advance(40)

    bench.add(row(1, "a"), row(2, "b"), delivery(3))
    bench.account.answers(take_time)
    assert slice_of(bench, events_per_call=1)[0] == 0.0
    assert slice_of(bench, events_per_call=1)[0] is None
    assert bench.account.sent == ["a", "b D"]


def test_nothing_is_due_after_everything_was_delivered(bench: Bench) -> None:
    """Also after refusals, of which a 404 is explained by the order."""
    bench.add(row(1, "a"), row(2, "x", "2"))
    bench.account.answers(refused(404))
    assert slice_of(bench) == (None, 1)
    assert slice_of(bench) == (None, 0)


def test_a_slice_does_not_wait_for_the_end_of_a_pause(bench: Bench) -> None:
    """After a 429 the next slice is due when calls may be made again; a short pause is waited for."""
    bench.add(row(1, "a"))
    bench.account.answers(refused(429, retry_after=1.5), refused(429, retry_after=80.0))
    assert slice_of(bench) == (80.0, 0)
    assert bench.time.waited == [1.5]
    bench.advance(80)
    assert slice_of(bench) == (None, 0)
    assert bench.states() == {"a": "applied"}


def test_a_slice_ends_at_a_429_while_orders_are_read(bench: Bench) -> None:
    """The entries stay in flight, and their orders are read after the pause."""
    bench.add(row(1, "a"), row(2, "b", order_id="o-02"))
    bench.leave_in_flight(1, 2)
    bench.account.read_answers(refused(429, retry_after=80.0))
    assert slice_of(bench) == (80.0, 1)
    assert bench.states() == {"a": "in_flight", "b": "in_flight"}
    bench.advance(80)
    assert slice_of(bench) == (None, 2)


def test_nothing_is_due_after_the_account_was_stopped(bench: Bench) -> None:
    """No call can succeed before a person has changed something."""
    bench.add(row(1, "a"))
    bench.account.answers(refused(403))
    assert slice_of(bench) == (None, 0)


def test_the_order_of_a_new_doubt_is_read_when_it_is_due(bench: Bench) -> None:
    """Not in the slice itself, nor too early in a later one, and ever less often."""
    bench.add(row(1, "a"), row(2, "b"))
    bench.account.answers(UNKNOWN)
    assert slice_of(bench, events_per_call=1, recheck_delays=(0.0,)) == (5.0, 0)
    bench.advance(1)
    assert slice_of(bench) == (1.0, 0)
    bench.advance(4)
    assert slice_of(bench) == (7.0, 1)
    bench.advance(7)
    bench.show("a")
    assert slice_of(bench) == (None, 1)
    assert bench.account.sent == ["a", "b"]
    assert bench.states() == {"a": "applied", "b": "applied"}


def test_the_order_of_an_entry_that_a_killed_process_left_in_flight_is_read_at_once(bench: Bench) -> None:
    """It is read again only when it may be sent again."""
    bench.add(row(1, "a"))
    bench.leave_in_flight(1)
    bench.advance(600)
    assert slice_of(bench) == (None, 1)
    assert slice_of(bench) == (None, 0)
    bench.show()
    assert slice_of(bench, resend_after=HOUR) == (HOUR - 600, 0)
    bench.advance(HOUR - 600)
    assert slice_of(bench, resend_after=HOUR) == (None, 1)
    assert bench.states() == {"a": "applied"}


def test_an_order_that_does_not_prove_anything_is_read_ever_less_often(bench: Bench) -> None:
    """It lacks the invoice; twice as long after the call it may have been read whole."""
    bench.add(row(1, "a"))
    to_state(bench.journal, 1, "unknown")
    bench.account.shows = False
    bench.advance(HOUR)
    assert slice_of(bench, resend_after=HOUR) == (HOUR, 1)
    assert slice_of(bench, resend_after=HOUR) == (HOUR, 0)


def test_an_order_that_cannot_be_read_is_read_again_after_a_minute(bench: Bench) -> None:
    """A failed read does not count as reading the order."""
    bench.add(row(1, "a"))
    to_state(bench.journal, 1, "unknown")
    bench.advance(HOUR)
    bench.show()
    bench.account.read_answers(errors.ReadFailedError("no answer"))
    assert slice_of(bench, resend_after=HOUR) == (60.0, 1)
    bench.advance(60)
    assert slice_of(bench, resend_after=HOUR) == (None, 1)
    assert bench.states() == {"a": "applied"}


def test_the_order_is_read_if_an_entry_is_added_to_a_package_in_doubt(bench: Bench) -> None:
    """The new entry waits for the one in doubt, although the order was read long after its call."""
    bench.add(row(1, "a"))
    bench.leave_in_flight(1)
    bench.advance(HOUR)
    assert slice_of(bench) == (None, 1)
    bench.advance(1)
    bench.add(row(2, "b"))
    assert slice_of(bench) == (None, 1)
    assert slice_of(bench) == (None, 0)
    assert bench.states() == {"a": "unknown", "b": "pending"}


def test_the_earliest_read_decides_when_the_account_is_due(bench: Bench) -> None:
    """Some packages are in doubt since different times, and one never is due again."""
    bench.add(row(1, "a"), row(2, "x", "2"), row(3, "y", "3"))
    bench.leave_in_flight(1)
    bench.advance(HOUR)
    bench.leave_in_flight(2)
    bench.advance(20)
    bench.leave_in_flight(3)
    bench.advance(10)
    assert slice_of(bench) == (12.0, 1)


def test_a_read_that_became_due_in_the_slice_is_due_at_once(bench: Bench) -> None:
    """It becomes due while another package is sent."""
    bench.add(row(1, "a"), row(2, "x", "2"))
    to_state(bench.journal, 1, "unknown")
    bench.advance(1)
    bench.account.answers(lambda _: bench.advance(10))
    assert slice_of(bench) == (0.0, 0)
