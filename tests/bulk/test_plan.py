"""Rows become updates."""

from __future__ import annotations

from typing import Any

from vtex_tracking_ext import TrackingEvent, TrackingUpdate
from vtex_tracking_ext.bulk.plan import plan
from vtex_tracking_ext.bulk.rows import Place, Row, RowProblem


def row(line: int, description: str = "", order: str = "o-01", invoice: str = "1", **changes: Any) -> Row:
    """Return a row; without a description it has no event."""
    fields: dict[str, Any] = {"account": "", "is_delivered": False, "delivered_date": None, **changes}
    event = TrackingEvent("2026-10-01", description) if description else None
    return Row(Place("f.csv", line), order_id=order, invoice_number=invoice, event=event, **fields)


def places(*lines: int) -> tuple[Place, ...]:
    """Return places in the file."""
    return tuple(Place("f.csv", line) for line in lines)


def test_rows_are_grouped_by_package_in_order() -> None:
    """Packages in the order in which they are first named, events in the file's order, whatever lies between."""
    found = plan([row(2, "a"), row(3, "x", order="o-02"), row(4, "b"), row(5, "c", invoice="2")], "mystore")
    assert [(p.order_id, p.invoice_number) for p in found.packages] == [("o-01", "1"), ("o-02", "1"), ("o-01", "2")]
    (first,) = found.packages[0].updates
    assert first.update == TrackingUpdate(
        "o-01", "1", [TrackingEvent("2026-10-01", "a"), TrackingEvent("2026-10-01", "b")]
    )
    assert first.places == places(2, 4)
    assert (found.rows, found.problems, found.duplicates) == (4, (), ())


def test_duplicates_are_left_out_and_named() -> None:
    """The shopper would see the event twice; the same text of another package is no duplicate."""
    found = plan([row(2, "a"), row(3, "a"), row(4, "a", invoice="2")], "mystore")
    assert found.duplicates == places(3)
    assert [len(u.update.events) for p in found.packages for u in p.updates] == [1, 1]


def test_the_delivery_goes_last_with_its_date() -> None:
    """Events after it in the file still come before it on the wire."""
    delivery = row(3, "delivered", is_delivered=True, delivered_date="2026-10-01 21:15")
    found = plan([row(2, "a"), delivery, row(4, "b")], "mystore")
    (call,) = found.packages[0].updates
    assert [event.description for event in call.update.events] == ["a", "delivered", "b"]
    assert (call.update.is_delivered, call.update.delivered_date) == (True, "2026-10-01 21:15")
    assert call.places == places(2, 3, 4)


def test_a_delivery_without_an_event_is_a_call_of_its_own() -> None:
    """No event is made up for it."""
    found = plan([row(2, is_delivered=True)], "mystore")
    (call,) = found.packages[0].updates
    assert call.update == TrackingUpdate("o-01", "1", is_delivered=True)
    assert call.places == places(2)


def test_many_events_travel_in_several_calls_the_last_with_the_delivery() -> None:
    """Twenty a call."""
    found = plan([row(n, f"event {n}", is_delivered=n == 2) for n in range(2, 47)], "mystore")
    calls = found.packages[0].updates
    assert [len(call.update.events) for call in calls] == [20, 20, 5]
    assert [call.update.is_delivered for call in calls] == [False, False, True]
    assert calls[2].places == places(42, 43, 44, 45, 46, 2)


def test_a_second_delivery_row_adds_only_a_date() -> None:
    """The same again is a duplicate; a date where there was none is taken."""
    rows = [
        row(2, is_delivered=True),
        row(3, is_delivered=True, delivered_date="2026-10-01"),
        row(4, is_delivered=True, delivered_date="2026-10-01"),
        row(5, is_delivered=True),
    ]
    found = plan(rows, "mystore")
    assert found.packages[0].updates[0].update.delivered_date == "2026-10-01"
    assert found.duplicates == places(4, 5)
    assert found.problems == ()


def test_two_deliveries_that_differ_are_a_problem() -> None:
    """One of them is wrong, and a delivery cannot be taken back; the first one stands."""
    rows = [
        row(2, is_delivered=True, delivered_date="2026-10-01"),
        row(3, is_delivered=True, delivered_date="2026-10-02"),
    ]
    found = plan(rows, "mystore")
    assert [str(problem) for problem in found.problems] == [
        "f.csv:3: column delivered_date: 2026-10-02, but f.csv:2 says 2026-10-01; a package has one delivery"
    ]
    assert found.packages[0].updates[0].update.delivered_date == "2026-10-01"


def test_rows_of_another_account_are_a_problem() -> None:
    """Their order would not be found, or worse, be another one."""
    found = plan([row(2, "a", account="other"), row(3, "b", account="mystore")], "mystore")
    assert [str(problem) for problem in found.problems] == [
        "f.csv:2: column account: 'other' is not 'mystore', the account of this run; push it on its own"
    ]
    assert found.rows == 1


def test_problems_pass_through() -> None:
    """And a package of problems alone is none."""
    problem = RowProblem(Place("f.csv", 2), "date", "x")
    found = plan([problem], "mystore")
    assert (found.packages, found.problems, found.rows) == ((), (problem,), 0)
