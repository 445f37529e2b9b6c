"""GLS: the answer of Track And Trace V1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.carriers import read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses

if TYPE_CHECKING:
    from collections.abc import Sequence


def answer(scans: Sequence[tuple[str, str]], status: str = "", time: str = "") -> dict[str, Any]:
    """Return an answer with one parcel: its events, and its status."""
    events = [{"code": code, "eventDateTime": f"{time}+0200", "description": code} for code, time in scans]
    parcel = {"requested": "TC18", "unitno": "TC18", "status": status, "statusDateTime": f"{time}+0200"}
    return {"parcels": [{**parcel, "events": events}]}


def test_sample() -> None:
    """The delivery is the status of the package, with the place and the text of the event of its time."""
    reading = read("gls", sample("gls.json"))
    assert lines(reading) == [
        "2026-09-15 09:02:00+02:00 INTIAL.PREADVICE info_received | - | The parcel data was entered.",
        "2026-09-15 18:40:10+02:00 INTIAL.NORMAL in_transit | Kassel | The parcel was handed over to GLS.",
        "2026-09-17 10:21:37+02:00 DELIVERED delivered! | Lyon | The parcel has been delivered.",
    ]
    assert {event.tracking_code for event in reading.events} == {"90000000018"}
    assert [str(note) for note in reading.notes] == ["gls: parcels[1]: 90000000021: Resource Not Found"]
    assert (reading.problems, reading.unknown_codes) == ((), ())


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("DELIVERED", "delivered!"),
        ("DELIVEREDPS", "available_for_pickup"),
        ("NOTDELIVERED", "attempt_failed"),
        ("CANCELED", "cancelled"),
        ("FINAL", "unknown"),
    ],
)
def test_status(code: str, status: str) -> None:
    """DELIVERED is a delivery; a parcel shop is not one, and FINAL only says that the history is closed."""
    assert statuses(read("gls", answer([], code, "2026-09-17T10:00:00"))) == [status]


def test_status_that_another_one_replaces_does_not_take_the_place_of_an_event() -> None:
    """The event of a parcel shop is the same in two answers; that of another time stays beside the status."""
    reading = read("gls", answer([("DELIVD.PARCELSHOP", "2026-09-17T10:00:00")], "DELIVEREDPS", "2026-09-17T10:00:00"))
    assert [event.code for event in reading.events] == ["DELIVD.PARCELSHOP"]
    assert statuses(reading) == ["available_for_pickup"]
    reading = read("gls", answer([("INTIAL.NORMAL", "2026-09-16T10:00:00")], "INTRANSIT", "2026-09-16T11:00:00"))
    assert [event.code for event in reading.events] == ["INTIAL.NORMAL", "INTRANSIT"]


def test_delivery_takes_the_place_of_one_event() -> None:
    """Another event of the same second stays."""
    time = "2026-09-17T10:00:00"
    reading = read("gls", answer([("DELIVD.MODELO", time), ("INFO.MODELO", time)], "DELIVERED", time))
    assert [event.code for event in reading.events] == ["INFO.MODELO", "DELIVERED"]
    assert reading.events[-1].description == "DELIVD.MODELO"


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("gls", answer)
