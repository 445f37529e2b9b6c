"""Batches: which entries are sent in one call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtex_tracking_ext import TrackingEvent, TrackingUpdate
from vtex_tracking_ext.bulk.delivery.batches import batches, build_update, count_calls, halves
from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.entries import Backlog, Entry, PackageKey
from vtex_tracking_ext.config.defaults import EVENTS_PER_CALL

from support.journaled import START

PACKAGE = PackageKey("mystore", "o-01", "1")


def entry(number: int, *, is_delivery: bool = False, day: str = "2026-10-01", time: str = "") -> Entry:
    """Return a pending entry."""
    event = None if is_delivery else TrackingEvent(day, f"event {number}")
    date = "2026-10-02 10:00" if is_delivery else None
    place = Place("f.csv", number)
    return Entry(number, PACKAGE, event, date, place, "pending", 0, None, None, "", START, None, None, time=time)


def numbers(calls: object) -> list[list[int]]:
    """Return the ids of the entries in each call."""
    return [[e.id for e in call] for call in calls]  # type: ignore[attr-defined]


def test_a_call_has_events_up_to_a_limit() -> None:
    """Events of one day without times are sent in the order of their arrival."""
    entries = [entry(number) for number in range(1, 46)]
    assert [len(call) for call in batches(entries)] == [EVENTS_PER_CALL, EVENTS_PER_CALL, 5]
    assert numbers(batches(entries[:4], 3)) == [[1, 2, 3], [4]]
    assert list(batches([])) == []


def test_the_delivery_is_sent_last() -> None:
    """Wherever the delivery was, it is sent with the last events, or alone if there are none."""
    given = [entry(1, is_delivery=True), entry(2), entry(3)]
    assert numbers(batches(given, 1)) == [[2], [3, 1]]
    assert numbers(batches(given)) == [[2, 3, 1]]
    assert numbers(batches(given[:1])) == [[1]]


@pytest.mark.parametrize(
    ("events", "order"),
    [
        ([("2026-10-02", ""), ("2026-10-01", ""), ("2026-10-02", ""), ("2026-09-30", "")], [4, 2, 1, 3]),
        ([("2026-10-01", "15:00"), ("2026-10-01", "09:05:30"), ("2026-10-01", "09:05")], [3, 2, 1]),
        ([("2026-10-01", "15:00"), ("2026-10-01", ""), ("2026-10-01", "09:05")], [1, 2, 3]),
        ([("2026-10-01", "09:05"), ("2026-10-01", "09:05")], [1, 2]),
        ([("2026-10-02", "15:00"), ("2026-10-01", ""), ("2026-10-02", "09:05"), ("2026-10-01", "")], [2, 4, 3, 1]),
    ],
    ids=["by day", "by time", "one without a time", "equal times", "times on one day only"],
)
def test_events_are_sent_by_day_and_time(events: list[tuple[str, str]], order: list[int]) -> None:
    """Events are sent by day, and within a day by time if each event of that day has one, else as they arrived."""
    pending = [entry(number, day=day, time=time) for number, (day, time) in enumerate(events, 1)]
    delivery = entry(5, is_delivery=True)
    assert numbers(batches([delivery, *pending])) == [[*order, 5]]
    assert numbers(batches(pending, 1)) == [[number] for number in order]


@given(count=st.integers(0, 70), at=st.none() | st.integers(0, 70), limit=st.integers(1, 30))
def test_every_entry_is_sent_once(count: int, at: int | None, limit: int) -> None:
    """This holds for any number of events, position of the delivery, and limit."""
    given = [entry(number, is_delivery=number == at) for number in range(count)]
    calls = numbers(batches(given, limit))
    sent = [number for call in calls for number in call]
    assert sorted(sent) == list(range(count))
    assert [number for number in sent if number != at] == [number for number in range(count) if number != at]
    assert at is None or at >= count or sent[-1] == at
    assert all(sum(number != at for number in call) <= limit for call in calls)
    deliveries = int(at is not None and at < count)
    assert count_calls(Backlog(count - deliveries, deliveries, 0), limit) == len(calls)


@pytest.mark.parametrize("count", [2, 3, 20, 21])
def test_halves_together_are_the_batch(count: int) -> None:
    """Halves keep the order, and neither is empty, so that splitting ends."""
    batch = tuple(entry(number) for number in range(count))
    first, second = halves(batch)
    assert (*first, *second) == batch
    assert first
    assert second


def test_a_batch_becomes_one_update() -> None:
    """The update has the package, the events and the delivery of the batch."""
    batch = (entry(1), entry(2, is_delivery=True))
    event = batch[0].event
    assert event is not None
    assert build_update(batch) == TrackingUpdate(
        "o-01", "1", [event], is_delivered=True, delivered_date="2026-10-02 10:00"
    )
    assert build_update(batch[:1]) == TrackingUpdate("o-01", "1", [event])
