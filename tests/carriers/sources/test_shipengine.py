"""ShipEngine and ShipStation: the webhook API_TRACK."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.carriers import PayloadError, read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses


def tracking(*scans: tuple[str, str], key: str = "status_detail_code") -> dict[str, Any]:
    """Return tracking information: code and local time of each event."""
    events = [
        {"status_code": "IT", key: code, "carrier_occurred_at": time, "occurred_at": "2026-09-20T00:00:00Z"}
        for code, time in scans
    ]
    return {"tracking_number": "SE1", "status_code": "IT", "events": events}


def test_sample() -> None:
    """The oldest event is first; the carrier's local time counts, or else that in UTC; the receiver is left out."""
    reading = read("shipengine", sample("shipengine.json"))
    assert lines(reading) == [
        "2026-09-14 22:10:00-04:00 AC in_transit | - | Accepted",
        "2026-09-17 08:02:00 OUT_FOR_DELIVERY out_for_delivery | AUSTIN, TX | Out for delivery",
        "2026-09-17 21:21:37 DELIVERED delivered! | AUSTIN, TX | Delivered, front desk",
    ]
    assert {event.tracking_code for event in reading.events} == {"9400100000000000000091"}
    assert [note.place for note in reading.notes] == ["data.events[2]"]
    assert (reading.problems, reading.unknown_codes) == ((), ())
    assert "MODELO" not in repr(reading)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("DELIVERED_TO_NEIGHBOUR", "delivered!"),
        ("DELIVERED_TO_RECEPTION", "delivered!"),
        ("DELIVERED_SPECIFIED_SAFE_PLACE", "delivered!"),
        ("PARCEL_COLLECTED_FROM_PICKUP_POINT", "delivered!"),
        ("DELIVERED_TO_PICKUP_POINT", "available_for_pickup"),
        ("DELIVERED_TO_ALTERNATIVE_DELIVERY_LOCATION", "available_for_pickup"),
        ("DELIVERED_IN_PART", "delivered_in_part"),
        ("NOT_COLLECTED_FROM_PICKUP_POINT", "returning"),
        ("RETURN_TO_SENDER", "returning"),
        ("UNDELIVERABLE_RETURNED_TO_SENDER", "returned"),
        ("NOT_DELIVERED", "returning"),
    ],
)
def test_status_detail_code(code: str, expected: str) -> None:
    """A detail code decides, even if the status code means a delivery."""
    answer = tracking((code, "2026-09-17T10:21:37"))
    answer["events"][0]["status_code"] = "DE"
    assert statuses(read("shipengine", answer)) == [expected]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("DE", "delivered!"),
        ("SP", "available_for_pickup"),
        ("EX", "exception"),
        ("UN", "unknown"),
        ("AT", "attempt_failed"),
    ],
)
def test_status_code(code: str, expected: str) -> None:
    """The status code decides where there is no detail code."""
    reading = read("shipengine", tracking((code, "2026-09-17T10:21:37"), key="status_code"))
    assert (statuses(reading), reading.unknown_codes) == ([expected], ())


def test_local_time_with_an_offset() -> None:
    """The time of the carrier is local, also where it is written as if it were in UTC."""
    reading = read("shipengine", tracking(("DELIVERED", "2026-09-17T23:30:00Z")), zone="America/Sao_Paulo")
    assert reading.events[0].occurred_at.isoformat() == "2026-09-17T23:30:00"


def test_bad_event_and_other_shapes() -> None:
    """A problem has its place in the webhook; other webhooks of ShipEngine are refused."""
    answer = sample("shipengine.json")
    answer["data"]["events"][1]["carrier_occurred_at"] = "soon"
    reading = read("shipengine", answer)
    assert len(reading.events) == 2
    (problem,) = reading.problems
    assert str(problem).startswith("shipengine: data.events[1].carrier_occurred_at: 'soon' is not a time; one such as ")
    others: list[dict[str, Any]] = [{"resource_type": "BATCH", "data": {"batch_id": "x"}}, {"events": []}]
    for other in others:
        with pytest.raises(PayloadError, match="shipengine: another shape; expected: the webhook API_TRACK"):
            read("shipengine", other)


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("shipengine", lambda scans: tracking(*scans), code="NEW_CODE", tracking_code="SE1")
