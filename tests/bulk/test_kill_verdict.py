"""Tests of the check that compares killed pushes with the orders: it finds every broken promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.journal.entries import PackageKey
from vtex_tracking_ext.sandbox import OmsSettings

from support.entries import entry
from support.killing.files import TODAY, Content, Line, make, orders_of
from support.killing.verdict import judge, truth_of

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.entries import Entry, State

    from support.killing.verdict import Recorded

KEY = ("o-01", "1")
ONE, TWO = (TrackingEvent("2024-05-09", text) for text in ("one", "two"))
CONTENT = Content((Line(KEY, ONE, is_delivered=False), Line(KEY, TWO, is_delivered=True)), {KEY: "good"})


def of_package(id_: int, told: Recorded, state: State) -> Entry:
    """Return an entry of the journal."""
    return entry(id_, state, event=told, package=PackageKey("sandbox", *KEY))


def entries(one: State, two: State, delivery: State) -> list[Entry]:
    """Return the journal's entries in these states."""
    return [of_package(1, ONE, one), of_package(2, TWO, two), of_package(3, None, delivery)]


@pytest.mark.parametrize(
    ("recorded", "states"),
    [
        ([ONE, TWO, None], ("applied", "applied", "applied")),
        ([TWO, None], ("refused", "applied", "applied")),
        ([ONE], ("applied", "unknown", "pending")),
        ([ONE, TWO], ("applied", "in_flight", "pending")),
    ],
)
def test_kept_promises_are_not_reported(recorded: list[Recorded], states: tuple[State, State, State]) -> None:
    """Entries that were applied once, refused, unknown, or held by an unknown one are not reported."""
    assert judge(CONTENT, {KEY: recorded}, entries(*states)).broken == []


@pytest.mark.parametrize(
    ("recorded", "states", "fault"),
    [
        ([ONE, TWO, TWO, None], ("applied", "applied", "applied"), "2 times on the order"),
        ([ONE, TWO, None, None], ("applied", "applied", "applied"), "2 times on the order"),
        ([TWO, ONE, None], ("applied", "applied", "applied"), "the events are in another order than by day"),
        ([ONE, None], ("applied", "applied", "applied"), "entry 2 is applied, and not on the order"),
        ([ONE, TWO], ("applied", "applied", "applied"), "entry 3 is applied, and not on the order"),
        ([ONE, TWO, None], ("refused", "applied", "applied"), "entry 1 is refused, and on the order"),
        ([ONE, TWO, None], ("applied", "unknown", "pending"), "entry 3 is pending, and on the order"),
        ([ONE], ("applied", "pending", "pending"), "entry 2 waits, and nothing holds it"),
        ([ONE, TrackingEvent("2024-05-09", "three")], ("applied", "unknown", "pending"), "not in the file"),
    ],
)
def test_each_broken_promise_is_reported(
    recorded: list[Recorded], states: tuple[State, State, State], fault: str
) -> None:
    """Each broken promise is reported although all others were kept."""
    assert fault in " ".join(judge(CONTENT, {KEY: recorded}, entries(*states)).broken)


def test_entries_missing_from_the_journal_are_lost() -> None:
    """An event that the journal lacks is lost at the end, and after a kill only if it was sent."""
    some = entries("applied", "applied", "applied")[:2]
    assert judge(CONTENT, {KEY: [ONE, TWO]}, some).lost == 1
    assert judge(CONTENT, {KEY: [ONE, TWO]}, some, is_over=False).lost == 0
    assert judge(CONTENT, {KEY: [ONE, TWO, None]}, some, is_over=False).lost == 1
    assert judge(CONTENT, {KEY: [ONE, TWO]}, [*some, of_package(4, TWO, "applied")]).broken[0] == (
        "entries 2 and 4 are the same"
    )


def test_truth_is_read_from_the_sandbox() -> None:
    """The recorded events and deliveries are returned in order, and none for an unknown order."""
    content = make(60, 1)
    oms = orders_of(content, OmsSettings(), lambda: 0.0)
    good = next(key for key, fate in content.fates.items() if fate == "good")
    gone = next(key for key, fate in content.fates.items() if fate != "good")
    event = {"date": TODAY.isoformat(), "description": "x", "city": "", "state": ""}
    for is_delivered in (False, True):
        oms.update_tracking_status(*good, {"events": [event], "isDelivered": is_delivered, "deliveredDate": None})
    told = TrackingEvent(**event)
    assert truth_of(oms, [good, gone]) == {good: [told, told, None], gone: []}
