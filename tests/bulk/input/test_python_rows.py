"""Rows that a program gives."""

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
    """Return what is made of rows that are given."""
    return list(check_rows(given, NOW))


def expected(event: TrackingEvent | None = EVENT, line: int = 1, **changes: Any) -> Row:
    """Return the row that such a mapping is."""
    return Row(
        Place(SOURCE, line), "", "1-01", "1", event, **{"is_delivered": False, "delivered_date": None, **changes}
    )


def test_rows_pass_as_they_are() -> None:
    """And so do problems: what reads files yields both."""
    problem = RowProblem(Place("f.csv", 3), "date", "wrong")
    assert read(row(2, "a"), problem) == [row(2, "a"), problem]


def test_a_mapping_is_a_row() -> None:
    """In either spelling, with dates as dates or as text; its place counts from 1."""
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


def test_an_event_at_a_moment_is_of_that_day() -> None:
    """Its own day, never shifted."""
    late = dt.datetime(2026, 10, 1, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=-3)))
    assert read({**MAPPING, "date": late}) == [expected()]


def test_what_was_delivered_far_east_is_not_in_the_future() -> None:
    """There the clock says more than here; one that is truly later is refused."""
    tokyo = dt.timezone(dt.timedelta(hours=9))
    for hour, is_fine in ((9, True), (11, False)):
        moment = dt.datetime(2026, 11, 25, hour, 0, tzinfo=tokyo)
        (found,) = read({**MAPPING, "is_delivered": True, "delivered_date": moment})
        assert isinstance(found, Row) is is_fine


def test_all_that_is_wrong_with_a_mapping_is_told() -> None:
    """With the place of the row among those that were given."""
    found = read(MAPPING, {**MAPPING, "date": "1/10/2026", "invoice_number": 7, "colour": "red"})
    problems = [item for item in found if isinstance(item, RowProblem)]
    assert {(p.place.line, p.column) for p in problems} == {(2, "date"), (2, "invoice_number"), (2, "colour")}


@pytest.mark.parametrize("what", [None, 7, "text", [EVENT]])
def test_what_is_no_row_is_told(what: Any) -> None:
    """By its kind, with what to give instead."""
    (problem,) = read(what)
    assert isinstance(problem, RowProblem)
    assert f"{type(what).__name__} is not a row" in problem.message


def test_an_update_is_a_row_for_each_of_its_events() -> None:
    """And one for its delivery."""
    update = TrackingUpdate("1-01", "1", [EVENT, EVENT], is_delivered=True, delivered_date=dt.date(2026, 10, 2))
    delivery = expected(None, is_delivered=True, delivered_date="2026-10-02")
    assert read(update) == [expected(), expected(), delivery]
    assert read(TrackingUpdate("1-01", "1", is_delivered=True)) == [expected(None, is_delivered=True)]


def test_all_that_is_wrong_with_an_update_is_told() -> None:
    """At its place in the update; nothing of it is taken."""
    found = read(TrackingUpdate("1 01", "1", [EVENT, TrackingEvent("soon", "")]))
    assert [item.column for item in found if isinstance(item, RowProblem)] == [
        "order_id",
        "events[1].description",
        "events[1].date",
    ]
    assert len(found) == 3
