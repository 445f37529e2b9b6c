"""UPS: the answer of its Track API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.carriers import read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses

if TYPE_CHECKING:
    from collections.abc import Sequence


def answer(scans: Sequence[tuple[str, str]], current: str = "") -> dict[str, Any]:
    """Return an answer with one package: type/code and time of each activity, and its current status."""
    activity = []
    for name, time in scans:
        kind, _, code = name.partition("/")
        day, _, clock = time.replace("-", "").replace(":", "").partition("T")
        activity.append({"date": day, "time": clock, "status": {"type": kind, "code": code, "description": name}})
    package = {"trackingNumber": "TC18", "currentStatus": {"code": current}, "activity": activity}
    return {"trackResponse": {"shipment": [{"package": [package]}]}}


def test_sample() -> None:
    """Each package has its history; the receiver is left out; a number that UPS does not know is noted."""
    reading = read("ups", sample("ups.json"))
    assert lines(reading) == [
        "2026-09-15 M/MP info_received | - | Shipper created a label, UPS has not received the package yet.",
        "2026-09-17 08:02:00 I/OT out_for_delivery | BOSTON, MA | Out For Delivery Today",
        "2026-09-17 10:21:37 D/KB delivered! | BOSTON, MA | DELIVERED",
    ]
    assert {event.tracking_code for event in reading.events} == {"1ZMODELO0000000018"}
    assert [str(note) for note in reading.notes] == [
        "ups: trackResponse.shipment[1]: 1ZMODELO0000000021: Tracking Information Not Found"
    ]
    assert (reading.problems, reading.unknown_codes) == ((), ())
    assert "MARIA" not in repr(reading)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("D/FS", "delivered!"),
        ("D/011", "delivered!"),
        ("D", "delivered!"),
        ("D/UA", "returned"),
        ("D/2Q", "available_for_pickup"),
        ("D/ZP", "available_for_pickup"),
        ("I/DL", "out_for_delivery"),
        ("DO/DL", "in_transit"),
        ("RS/RS", "returned"),
        ("X/48", "exception"),
    ],
)
def test_status(code: str, status: str) -> None:
    """Codes of type D are deliveries, except those of a return to the sender and of an access point."""
    reading = read("ups", answer([(code, "2026-09-17T10:00:00")]))
    assert (statuses(reading), reading.unknown_codes) == ([status], ())


@pytest.mark.parametrize(
    ("text", "status"),
    [("Delivered to UPS Access Point\u2122", "available_for_pickup"), ("Returned to sender", "returned")],
)
def test_text_prevents_a_delivery(text: str, status: str) -> None:
    """A code of type D that the table lacks is not a delivery if its text says otherwise."""
    payload = answer([("D/Q9", "2026-09-17T10:00:00")])
    payload["trackResponse"]["shipment"][0]["package"][0]["activity"][0]["status"]["description"] = text
    assert statuses(read("ups", payload)) == [status]


@pytest.mark.parametrize(("current", "status"), [("034", "returned"), ("040", "available_for_pickup")])
def test_current_status_vetoes_a_delivery(current: str, status: str) -> None:
    """A package that was returned, or waits at an access point, is not delivered, even if an activity is a delivery."""
    assert statuses(read("ups", answer([("D/FS", "2026-09-17T10:00:00")], current))) == [status]


def test_merchant_names_codes() -> None:
    """With codes of a merchant, no other code of type D is a delivery."""
    payload = answer([("D/FS", "2026-09-17T10:00:00"), ("D/KB", "2026-09-17T11:00:00")])
    assert statuses(read("ups", payload, options={"delivered": ["D/KB"]})) == ["unknown", "delivered!"]


def test_package_without_number() -> None:
    """A package without a tracking code is a problem that names its place."""
    payload = answer([])
    del payload["trackResponse"]["shipment"][0]["package"][0]["trackingNumber"]
    (problem,) = read("ups", payload).problems
    assert str(problem) == "ups: trackResponse.shipment[0].package[0].trackingNumber: missing"


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("ups", answer, code="ZZ/99")
