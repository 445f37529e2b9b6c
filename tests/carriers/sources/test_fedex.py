"""FedEx: the answer of its Track API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.carriers import read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses

if TYPE_CHECKING:
    from collections.abc import Sequence


def answer(scans: Sequence[tuple[str, str]], latest: str = "IT") -> dict[str, Any]:
    """Return an answer with one package: its scans, and its latest status."""
    events = [{"date": f"{time}-05:00", "eventType": code, "eventDescription": code} for code, time in scans]
    result = {"latestStatusDetail": {"code": latest}, "scanEvents": events}
    return {"output": {"completeTrackResults": [{"trackingNumber": "TC18", "trackResults": [result]}]}}


def test_sample() -> None:
    """Each time keeps its own offset, and so its day; the receiver is left out; an unknown number is noted."""
    reading = read("fedex", sample("fedex.json"), zone="America/Sao_Paulo")
    assert lines(reading) == [
        "2026-09-15 17:05:48-07:00 PU in_transit | RENO, NV | Picked up",
        "2026-09-17 08:02:00-05:00 OD out_for_delivery | HOUSTON, TX | On FedEx vehicle for delivery",
        "2026-09-17 23:21:37-05:00 DL delivered! | HOUSTON, TX | Delivered",
    ]
    assert f"{reading.events[-1].date}" == "2026-09-17"
    assert {event.tracking_code for event in reading.events} == {"900000000018"}
    assert [str(note) for note in reading.notes] == [
        "fedex: output.completeTrackResults[1]: 900000000021: Tracking number cannot be found."
    ]
    assert (reading.problems, reading.unknown_codes) == ((), ())
    assert "MARIA" not in repr(reading)


@pytest.mark.parametrize(
    ("code", "latest", "status"),
    [
        ("DL", "DL", "delivered!"),
        ("DL", "RS", "returned"),
        ("HL", "HL", "available_for_pickup"),
        ("HP", "HP", "available_for_pickup"),
        ("RS", "RS", "returning"),
        ("RT", "RT", "returning"),
        ("DE", "DE", "exception"),
    ],
)
def test_status(code: str, latest: str, status: str) -> None:
    """DL is a delivery unless the package goes back; a package that is held at a location is not delivered."""
    assert statuses(read("fedex", answer([(code, "2026-09-17T10:00:00")], latest))) == [status]


def test_number_of_two_packages_is_a_problem() -> None:
    """FedEx uses numbers again: events of an old package must not be those of the new one."""
    payload = answer([("DL", "2026-09-17T10:00:00")])
    (result,) = payload["output"]["completeTrackResults"]
    result["trackResults"] *= 2
    reading = read("fedex", payload)
    assert reading.events == ()
    assert [str(problem) for problem in reading.problems] == [
        "fedex: output.completeTrackResults[0]: 2 packages have the number TC18: ask for one, by trackingNumberUniqueId"
    ]


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("fedex", answer)
