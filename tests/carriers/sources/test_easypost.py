"""EasyPost: the webhook event of a tracker."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.carriers import PayloadError, read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses


def tracker(*scans: tuple[str, str], detail: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return a tracker: status and time of each detail."""
    details = [
        {"status": status, "status_detail": detail, "datetime": time, "message": status, "tracking_location": None}
        for status, time in scans
    ]
    return {"object": "Tracker", "tracking_code": "EZ1", "is_return": False, "tracking_details": details, **fields}


def test_sample() -> None:
    """Times in UTC are converted to the zone of New York, which is noted; the receiver is left out."""
    reading = read("easypost", sample("easypost.json"))
    assert lines(reading) == [
        "2026-09-14 18:10:00-04:00 pre_transit info_received | - | Shipping label created",
        "2026-09-15 22:40:00-04:00 in_transit in_transit | ATLANTA, GA | Arrived at regional facility",
        "2026-09-17 10:21:37-04:00 delivered delivered! | CHARLESTON, SC | Delivered, Front Desk",
    ]
    assert {event.tracking_code for event in reading.events} == {"9400100000000000000071"}
    (note,) = reading.notes
    assert note.message.startswith("times in UTC are read in America/New_York, the default of this source; ")
    assert (reading.problems, reading.unknown_codes) == ((), ())
    assert "MODELO" not in repr(reading)


@pytest.mark.parametrize(
    ("status", "fields", "expected"),
    [
        ("delivered", {}, "delivered!"),
        ("delivered", {"is_return": None}, "delivered!"),
        ("delivered", {"is_return": True}, "returned"),
        ("delivered", {"detail": "return"}, "returned"),
        ("delivered", {"detail": "arrived_at_pickup_location"}, "available_for_pickup"),
        ("in_transit", {"detail": "return"}, "in_transit"),
        ("available_for_pickup", {}, "available_for_pickup"),
        ("return_to_sender", {}, "returning"),
        ("failure", {}, "exception"),
        ("cancelled", {}, "cancelled"),
    ],
)
def test_status(status: str, fields: dict[str, Any], expected: str) -> None:
    """Only a delivery to the receiver is one: not a return, nor an arrival at a pickup point."""
    assert statuses(read("easypost", tracker((status, "2026-09-17T14:21:37Z"), **fields))) == [expected]


def test_zone() -> None:
    """A named zone decides on the day of a time in UTC; a time with another offset keeps its own day."""
    scans = [("in_transit", "2026-09-17T01:00:00Z"), ("delivered", "2026-09-18T00:30:00-03:00")]
    reading = read("easypost", tracker(*scans), zone="America/Sao_Paulo")
    assert [f"{event.date}" for event in reading.events] == ["2026-09-16", "2026-09-18"]
    assert reading.notes == ()


def test_bad_detail_and_other_shapes() -> None:
    """A problem has its place in the webhook; other events of EasyPost are refused."""
    answer = sample("easypost.json")
    answer["result"]["tracking_details"][1]["status"] = None
    reading = read("easypost", answer)
    assert len(reading.events) == 2
    assert [str(problem) for problem in reading.problems] == ["easypost: result.tracking_details[1].status: missing"]
    others: list[dict[str, Any]] = [
        {"object": "Event", "description": "batch.updated", "result": {"object": "Batch"}},
        {"result": []},
    ]
    for other in others:
        with pytest.raises(PayloadError, match="easypost: another shape; expected: the webhook event of a tracker"):
            read("easypost", other)


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("easypost", lambda scans: tracker(*scans), code="lost", tracking_code="EZ1")
