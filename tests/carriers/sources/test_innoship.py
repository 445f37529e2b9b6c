"""Innoship: the histories of shipments; the code of a delivery is not public."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vtex_tracking_ext.carriers import load_table, read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses

if TYPE_CHECKING:
    from collections.abc import Sequence


def answer(scans: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return an answer with one shipment, all of whose events are final."""
    history = [{"clientStatusId": code, "eventDate": time, "isFinalStatus": True} for code, time in scans]
    return [{"shipmentAwb": "TC18", "history": history}]


def test_sample() -> None:
    """A final status is not a delivery, unless the merchant names its code; the return is another package."""
    reading = read("innoship", sample("innoship.json"))
    assert lines(reading) == [
        "2026-09-15 17:05:48 2 unknown | - | In transit",
        "2026-09-17 10:21:37 5 unknown | - | Delivered",
    ]
    assert {(event.tracking_code, event.order_reference) for event in reading.events} == {
        ("900000018", "1310000000018-01")
    }
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ("2", "5"))
    assert load_table("innoship").delivered == ()
    named = read("innoship", sample("innoship.json"), options={"delivered": ["5"]})
    assert statuses(named) == ["unknown", "delivered!"]


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("innoship", answer)
