"""17TRACK: the push of tracking updates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.carriers import read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses

if TYPE_CHECKING:
    from collections.abc import Sequence


def push(scans: Sequence[tuple[str, str]], latest: str = "InTransit_Other") -> dict[str, Any]:
    """Return a push with the events of one provider, and the latest status."""
    events = [{"time_iso": f"{time}-03:00", "sub_status": code, "description": code} for code, time in scans]
    status = {"status": latest.partition("_")[0], "sub_status": latest}
    info = {"latest_status": status, "tracking": {"providers": [{"events": events}]}}
    return {"event": "TRACKING_UPDATED", "data": {"number": "TC18", "tag": "1310000000018-01", "track_info": info}}


def test_sample() -> None:
    """The latest event is one of those of the provider; a local time stays, one in UTC needs the zone."""
    reading = read("track17", sample("track17.json"), zone="America/Sao_Paulo")
    assert lines(reading) == [
        "2026-09-10 08:00:00+08:00 none unknown | SHENZHEN | Processed at hub",
        "2026-09-15 22:30:00-03:00 InTransit_Departure in_transit | Curitiba | Departed from facility",
        "2026-09-17 22:21:37-03:00 Delivered_Other delivered! | Recife, PE | Objeto entregue ao destinatário",
    ]
    assert {(event.tracking_code, event.order_reference) for event in reading.events} == {
        ("LX000000018CN", "1310000000017-01")
    }
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("Delivered", "delivered!"),
        ("Delivered_Other", "delivered!"),
        ("AvailableForPickup_Other", "available_for_pickup"),
        ("AvailableForPickup", "available_for_pickup"),
        ("Exception_Returned", "returned"),
        ("Exception_Returning", "returning"),
        ("DeliveryFailure_NoBody", "attempt_failed"),
        ("Expired_Other", "exception"),
    ],
)
def test_status(code: str, status: str) -> None:
    """Delivered is a delivery; a pickup point, a return and a failed attempt are not."""
    assert statuses(read("track17", push([(code, "2026-09-17T10:00:00")]))) == [status]


def test_a_package_that_came_back_is_not_delivered() -> None:
    """The carrier calls the delivery to the sender a delivery; the status of the package tells that it was returned."""
    reading = read("track17", push([("Delivered_Other", "2026-09-17T10:00:00")], latest="Exception_Returned"))
    assert statuses(reading) == ["returned"]


def test_a_latest_event_without_a_stage_has_the_status_of_the_package() -> None:
    """An older push has the latest event alone, and a push without any event is noted."""
    payload = sample("track17.json")
    info = payload["data"]["track_info"]
    del info["tracking"], info["latest_event"]["sub_status"], info["latest_event"]["stage"]
    assert statuses(read("track17", payload)) == ["delivered!"]
    info["latest_status"], info["latest_event"] = {"status": "NotFound"}, None
    reading = read("track17", payload)
    assert reading.events == ()
    assert [str(note) for note in reading.notes] == ["track17: data: LX000000018CN: no events; its status is NotFound"]


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("track17", push)
