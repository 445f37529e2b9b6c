"""DHL: the answer of Shipment Tracking - Unified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.carriers import read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses

if TYPE_CHECKING:
    from collections.abc import Sequence


def answer(scans: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return an answer with one shipment."""
    events = [{"timestamp": time, "statusCode": code, "status": code.upper()} for code, time in scans]
    return {"shipments": [{"id": "TC18", "events": events}]}


def test_sample() -> None:
    """The city is without the country; the person who signed is left out; the customer's reference is the order."""
    reading = read("dhl", sample("dhl.json"))
    assert lines(reading) == [
        "2026-09-14 pre-transit info_received | Bonn | Shipment information received",
        "2026-09-17 08:02:00 transit in_transit | RECIFE | With delivery courier",
        "2026-09-17 10:21:37 delivered delivered! | RECIFE | Delivered",
    ]
    assert {(event.tracking_code, event.order_reference) for event in reading.events} == {
        ("9000000018", "1310000000018-01")
    }
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())
    assert "MODELO" not in repr(reading)


@pytest.mark.parametrize(
    ("code", "status"),
    [("delivered", "delivered!"), ("transit", "in_transit"), ("failure", "exception"), ("unknown", "unknown")],
)
def test_status(code: str, status: str) -> None:
    """Only delivered is a delivery; unknown is a code of DHL, and not reported as one that the table lacks."""
    reading = read("dhl", answer([(code, "2026-09-17T10:00:00")]))
    assert (statuses(reading), reading.unknown_codes) == ([status], ())


def test_status_serves_where_there_are_no_events() -> None:
    """A shipment without events has its status, and its one reference is an object."""
    payload = sample("dhl.json")
    (shipment,) = payload["shipments"]
    del shipment["events"]
    shipment["details"]["references"] = shipment["details"]["references"][1]
    (event,) = read("dhl", payload).events
    assert (event.is_delivered, event.order_reference) == (True, "1310000000018-01")


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("dhl", answer, code="held")
