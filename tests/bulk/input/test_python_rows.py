"""Tests of rows that a program passes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import TrackingEvent, TrackingUpdate
from vtex_tracking_ext.bulk.input.python_rows import SOURCE, check_rows
from vtex_tracking_ext.bulk.input.rows import Place, Row, RowProblem

from support.journaled import row

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.input.python_rows import RowInput

NOW = dt.datetime(2026, 11, 25, 1, 0, tzinfo=dt.UTC)
EVENT = TrackingEvent("2026-10-01", "Coletado", "Curitiba", "PR")
MAPPING: dict[str, Any] = {
    "order_id": "1-01",
    "invoice_number": "1",
    "date": "2026-10-01",
    "description": "Coletado",
    "city": "Curitiba",
    "state": "PR",
}


def read(*given: RowInput) -> list[Row | RowProblem]:
    """Return the checked rows and problems of some items."""
    return list(check_rows(given, NOW))


def expected(event: TrackingEvent | None = EVENT, line: int = 1, **changes: Any) -> Row:
    """Return the row that MAPPING makes, with changes."""
    return Row(
        Place(SOURCE, line), "", "1-01", "1", event, **{"is_delivered": False, "delivered_date": None, **changes}
    )


def test_rows_and_problems_pass_unchanged() -> None:
    """Row and RowProblem objects, as read_rows yields them, pass unchanged."""
    problem = RowProblem(Place("f.csv", 3), "date", "wrong")
    assert read(row(2, "a"), problem) == [row(2, "a"), problem]


def test_mapping_makes_a_row() -> None:
    """A mapping in either spelling, with dates as objects or as text, makes a row whose place counts from 1."""
    vtex = {"orderId": "1-01", "invoiceNumber": "1", "date": dt.date(2026, 10, 1), "description": "Coletado"}
    assert read(MAPPING, {**vtex, "city": "Curitiba", "state": "PR"}) == [expected(), expected(line=2)]
    moment = dt.datetime(2026, 10, 2, 21, 15, tzinfo=dt.UTC)
    for name, value, told in (
        ("delivered_date", moment, "2026-10-02 21:15"),
        ("deliveredDate", dt.date(2026, 10, 2), "2026-10-02"),
        ("delivered_date", "2026-10-02 21:15", "2026-10-02 21:15"),
    ):
        (found,) = read({**MAPPING, "is_delivered": True, name: value})
        assert found == expected(is_delivered=True, delivered_date=told)


def test_event_datetime_keeps_its_own_day() -> None:
    """An event's datetime becomes its own calendar day, without a time zone shift."""
    late = dt.datetime(2026, 10, 1, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=-3)))
    assert read({**MAPPING, "date": late}) == [expected()]


@pytest.mark.parametrize("time", [dt.time(9, 5), dt.time(9, 5, tzinfo=dt.UTC), "09:05", "09:05:00"])
def test_time_may_be_an_object(time: dt.time | str) -> None:
    """A time of day may be a datetime.time or text, and is not shifted; a datetime is not a time of day."""
    assert read({**MAPPING, "time": time, "eventId": "BDE-01"}) == [expected(time="09:05", event_id="BDE-01")]
    assert read({**MAPPING, "TIME": dt.time(9, 5, 30, 999)}) == [expected(time="09:05:30")]
    (problem,) = read({**MAPPING, "time": dt.datetime(2026, 10, 1, 9, 5, tzinfo=dt.UTC)})
    assert str(problem) == (
        "rows:1: column time: '2026-10-01' is not a time of day in the form hh:mm or hh:mm:ss, such as 09:05"
    )


def test_future_is_decided_in_the_delivery_time_zone() -> None:
    """A delivered date is compared with the current time in its own time zone, and refused only if it is later."""
    tokyo = dt.timezone(dt.timedelta(hours=9))
    for hour, is_fine in ((9, True), (11, False)):
        moment = dt.datetime(2026, 11, 25, hour, 0, tzinfo=tokyo)
        (found,) = read({**MAPPING, "is_delivered": True, "delivered_date": moment})
        assert isinstance(found, Row) is is_fine


def test_all_problems_of_a_mapping_are_reported() -> None:
    """Every problem of a mapping is reported with the position of the row."""
    found = read(MAPPING, {**MAPPING, "date": "1/10/2026", "invoice_number": 7, "colour": "red"})
    problems = [item for item in found if isinstance(item, RowProblem)]
    assert {(p.place.line, p.column) for p in problems} == {(2, "date"), (2, "invoice_number"), (2, "colour")}


@pytest.mark.parametrize("what", [None, 7, "text", [EVENT]])
def test_item_of_another_type_is_a_problem(what: Any) -> None:
    """An item that is neither a mapping nor an update is reported with its type."""
    (problem,) = read(what)
    assert isinstance(problem, RowProblem)
    assert f"{type(what).__name__} is not a row" in problem.message


def test_update_makes_a_row_for_each_event_and_the_delivery() -> None:
    """A TrackingUpdate makes one row for each event, and one for its delivery."""
    update = TrackingUpdate("1-01", "1", [EVENT, EVENT], is_delivered=True, delivered_date=dt.date(2026, 10, 2))
    delivery = expected(None, is_delivered=True, delivered_date="2026-10-02")
    assert read(update) == [expected(), expected(), delivery]
    assert read(TrackingUpdate("1-01", "1", [EVENT])) == [expected()]
    assert read(TrackingUpdate("1-01", "1", is_delivered=True)) == [expected(None, is_delivered=True)]


def test_all_problems_of_an_update_are_reported() -> None:
    """Every problem of an update is reported at its place in the update, and none of its rows is yielded."""
    found = read(TrackingUpdate("1 01", "1", [EVENT, TrackingEvent("soon", "")]))
    assert [item.column for item in found if isinstance(item, RowProblem)] == [
        "order_id",
        "events[1].description",
        "events[1].date",
    ]
    assert len(found) == 3
