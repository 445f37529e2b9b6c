"""Rows of carrier events: what joins an order, what is held, and what is left out."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from vtex_tracking_ext import NotFoundError, Package, PermissionDeniedError
from vtex_tracking_ext.bulk.input.rows import Row, RowNote, RowProblem
from vtex_tracking_ext.carriers import CarrierEvent, CarrierOptions, Reading, ReadingMessage, Status
from vtex_tracking_ext.errors import VtexTrackingError
from vtex_tracking_ext.orders import OrderIndex, OrderPackage, carrier_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = dt.datetime(2026, 9, 17, 15, 0, tzinfo=dt.UTC)  # noon in Brasília
ORDER = OrderPackage("1001-01", "000030711", tracking_number="QB000000018BR", account="mystore")


def event(time: str = "2026-09-17T10:21:37", status: Status = Status.IN_TRANSIT, **values: Any) -> CarrierEvent:
    """Return an event of Correios of the known order."""
    known = {"tracking_code": "QB000000018BR", "description": "Objeto postado", "city": "Recife", "state": "PE"}
    return CarrierEvent("correios", "PO/01", dt.datetime.fromisoformat(time), status, **{**known, **values})


def rows(*events: CarrierEvent, **arguments: Any) -> list[Row | RowProblem | RowNote]:
    """Return the rows of events of the known order, or of an order that is read."""
    arguments = {"orders": OrderIndex([ORDER]), **arguments}
    return [*carrier_rows(Reading("correios", events), name="f.json", now=NOW, **arguments)]


def test_row() -> None:
    """A row has the time, the identity and the order's own invoice number."""
    (row,) = rows(event())
    assert isinstance(row, Row)
    assert (row.account, row.order_id, row.invoice_number) == ("mystore", "1001-01", "000030711")
    assert row.event is not None
    assert (row.event.date, row.event.city, row.event.state) == ("2026-09-17", "Recife", "PE")
    assert (row.time, row.event_id) == ("10:21:37", "correios|QB000000018BR|PO/1|2026-09-17T10:21:37")
    assert not row.is_delivered


@pytest.mark.parametrize(
    ("time", "values", "options", "held"),
    [
        ("2026-09-17T11:40:00", {}, {}, "15:40"),  # 14:40 in UTC, and an hour
        ("2026-09-17T10:00:00", {}, {}, None),  # over
        ("2026-09-17T11:40:00", {}, {"hold": "off"}, None),
        ("2026-09-17T11:59:00", {}, {"hold": "2h"}, "16:59"),
        ("2026-09-17T16:30:00+02:00", {}, {}, "15:30"),
        ("2026-09-17T00:00:00", {"has_time": False}, {}, "16:00"),  # at some time of this day
        ("2026-09-15T00:00:00", {"has_time": False}, {}, None),
    ],
)
def test_hold(time: str, values: dict[str, Any], options: dict[str, Any], held: str | None) -> None:
    """A delivery is held from its own time on where the carrier can take it back."""
    delivery = event(time, Status.DELIVERED, is_delivered=True, **values)
    (row,) = rows(delivery, options=options)
    assert isinstance(row, Row)
    assert row.is_delivered
    assert row.delivered_date == (time[:10] if values else time[:16].replace("T", " "))
    assert row.time == ("" if values else f"{time[11:19]}")
    assert (row.hold_until and f"{row.hold_until.astimezone(dt.UTC):%H:%M}") == held


def test_nothing_is_held_that_the_carrier_cannot_take_back() -> None:
    """Without a code of correction there is no hold, unless a merchant sets one; without a zone it begins now."""
    known: dict[str, Any] = {"invoice_number": "30711", "description": "Entrega realizada"}
    hold = CarrierOptions(hold=3600.0)
    for source, options, held in (("ocoren", None, None), ("ocoren", hold, "15:40"), ("aftership", hold, "16:00")):
        delivery = CarrierEvent(source, "1", dt.datetime(2026, 9, 17, 11, 40), Status.DELIVERED, **known)  # noqa: DTZ001
        (row,) = carrier_rows(Reading(source, (delivery,)), orders=OrderIndex([ORDER]), options=options, now=NOW)
        assert isinstance(row, Row)
        assert (row.hold_until and f"{row.hold_until.astimezone(dt.UTC):%H:%M}") == held


def test_unmatched_events_are_named_once_for_each_package() -> None:
    """Events of one unmatched package are one problem; what else the reading reports is passed on."""
    other: dict[str, Any] = {"tracking_code": "QB000000021BR", "line": 7}
    reading = Reading(
        "correios",
        (event(**other), event("2026-09-17T11:00:00", **other), event()),
        (ReadingMessage("correios", "objetos[1]", "missing", 3), ReadingMessage("correios", "line 6", "not one", 6)),
        (ReadingMessage("correios", "objetos[2]", "not known yet", 4),),
        tuple(f"X{number}" for number in range(22)),
    )
    found = [*carrier_rows(reading, orders=OrderIndex([ORDER]), now=NOW)]
    problem, other_problem, note, codes, row, unmatched = found
    assert str(problem) == "correios:3: correios: objetos[1]: missing"
    assert str(other_problem) == "correios:6: correios: not one"
    assert isinstance(note, RowNote)
    assert (note.place.line, note.message) == (4, "not known yet")
    assert isinstance(codes, RowNote)
    assert codes.message.startswith("22 codes not in the table of correios: X0, X1, ")
    assert " and 2 more; the events are sent, but not as deliveries." in codes.message
    assert isinstance(row, Row)
    assert str(unmatched) == "correios:7: 2 events: no order is known with tracking number 'QB000000021BR'"


def package(invoice: str | None, tracking: str | None = None, type_: str | None = "Output") -> Package:
    """Return a package as an order shows it."""
    return Package(invoice, type_, tracking, None, None, finished=False, delivered_date=None, events=())


@pytest.mark.parametrize(
    ("shown", "values", "expected"),
    [
        ([package("000030711"), package("9", type_="Input")], {}, "000030711"),
        (
            [package("000030711", "QB1"), package("9", "qb000000018br", type_="Input")],
            {},
            "the tracking number 'QB000000018BR' of order 1001-01 is that of a return",
        ),
        ([package("000030711", "QB000000018BR"), package("9", "QB000000018BR", type_="Input")], {}, "000030711"),
        (
            [package("000030711", "QB1"), package("9", type_="Input")],
            {},
            "the tracking number 'QB000000018BR' of order 1001-01 may be that of a return",
        ),
        ([package("000030711", "QB1"), package("9", type_="Input")], {"invoice_number": "30711"}, "000030711"),
        ([package("1", "QB000000018BR"), package("2", "QB000000021BR")], {}, "1"),
        ([package("000030711"), package("30712")], {"invoice_number": "30711"}, "000030711"),
        (
            [package("1"), package("2")],
            {},
            "several packages may be meant: order 1001-01, invoice 1; order 1001-01, in",
        ),
        ([package(None)], {}, "order 1001-01 has no invoice yet"),
        (NotFoundError("x", status_code=404), {"invoice_number": "1"}, "order 1001-01 does not exist in this account"),
        (
            PermissionDeniedError("no *View order*", status_code=403),
            {},
            "order 1001-01 cannot be read: no *View order*",
        ),
        (PermissionDeniedError("x", status_code=403), {"invoice_number": "30711"}, "30711"),
    ],
)
def test_order_that_the_payload_echoes_is_read(
    shown: Sequence[Package] | VtexTrackingError, values: dict[str, Any], expected: str
) -> None:
    """An order is read once, and its invoice number is used. Without the permission, that of the payload is."""
    reads: list[tuple[str, str]] = []

    def read(account: str, order_id: str) -> Sequence[Package]:
        reads.append((account, order_id))
        if isinstance(shown, VtexTrackingError):
            raise shown
        return shown

    echo = {"order_reference": "1001-01", "account": "mystore", **values}
    found, *_ = rows(event(**echo), event(**echo), orders=OrderIndex(), read_packages=read, accounts={"mystore"})
    assert reads == [("mystore", "1001-01")]
    if isinstance(found, Row):
        assert (found.account, found.order_id, found.invoice_number) == ("mystore", "1001-01", expected)
    else:
        assert expected in str(found)


def test_package_with_several_tracking_numbers_has_volumes() -> None:
    """Each tracking number of one invoice is a volume of its package."""
    index = OrderIndex([ORDER, evolve(ORDER, tracking_number="QB000000021BR")])
    (row,) = rows(event(), orders=index)
    assert isinstance(row, Row)
    assert row.volume == "QB000000018BR"


def test_account_that_the_run_does_not_have_is_ignored() -> None:
    """An account that the run does not have is left out of the row, which is then of the run's own account."""
    (row,) = rows(event(order_reference="1-01", account="other", invoice_number="1"), orders=OrderIndex())
    assert isinstance(row, Row)
    assert row.account == ""


def test_without_reading_orders_the_invoice_number_of_the_payload_counts() -> None:
    """Without reading orders, the payload's invoice number is used; without a number, the event is left out."""
    (row,) = rows(event(order_reference="1001-01", invoice_number="30711"), orders=OrderIndex())
    assert isinstance(row, Row)
    assert row.invoice_number == "30711"
    echoes = event(order_reference="1001-01"), event(order_reference="1001-01")
    (left_out,) = rows(*echoes, orders=OrderIndex())
    assert str(left_out).endswith("; order 1001-01 was not read, because read_packages= is missing")
    (note,) = rows(*echoes, orders=OrderIndex(), is_trial=True)
    assert isinstance(note, RowNote)
    assert note.message == "2 events: the invoice number of order 1001-01 is read when the file is pushed"
    index = OrderIndex([evolve(ORDER, tracking_number="")])
    (unsure,) = rows(event(order_reference="1001-01"), orders=index)
    assert str(unsure).endswith("order 1001-01 was not read, because read_packages= is missing")
    (row,) = rows(event(order_reference="1001-01", tracking_code=""), orders=index)
    assert isinstance(row, Row)
    (other,) = rows(event(order_reference="not an order", invoice_number="1"), orders=OrderIndex())
    assert "no order is known with order id 'not an order'" in str(other)


def test_event_that_cannot_be_sent_is_a_problem() -> None:
    """A delivery in the future, in its own zone, is a problem with its place in the payload."""
    (problem,) = rows(event("2026-09-17T23:00:00-03:00", Status.DELIVERED, place="objetos[0].eventos[0]"))
    assert isinstance(problem, RowProblem)
    assert str(problem).startswith("f.json:1: correios: objetos[0].eventos[0]: delivered_date: ")
