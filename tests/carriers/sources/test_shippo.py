"""Shippo: the webhook track_updated."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.carriers import PayloadError, read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses


def track(*scans: tuple[str, str], **fields: Any) -> dict[str, Any]:
    """Return a track: status and time of each event of its history."""
    history = [{"status": status, "status_date": time, "status_details": status} for status, time in scans]
    return {"tracking_number": "SH1", "tracking_status": None, "tracking_history": history, **fields}


def test_sample() -> None:
    """The status of the track is the last event of the history, and counts once; the receiver is left out."""
    reading = read("shippo", sample("shippo.json"), zone="America/New_York")
    assert lines(reading) == [
        "2026-09-14 18:10:00-04:00 PRE_TRANSIT info_received | - | Information about the package received.",
        "2026-09-16 08:40:00-04:00 TRANSIT in_transit | Atlanta, GA | Departed.",
        "2026-09-17 20:21:37-04:00 DELIVERED delivered! | Miami, FL | Delivered",
    ]
    event = reading.events[0]
    assert (event.tracking_code, event.order_reference) == ("9400100000000000000081", "1263300700081-01")
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())
    assert "MODELO" not in repr(reading)


@pytest.mark.parametrize(
    ("status", "expected"),
    [("DELIVERED", "delivered!"), ("RETURNED", "returned"), ("FAILURE", "exception"), ("UNKNOWN", "unknown")],
)
def test_status(status: str, expected: str) -> None:
    """Only DELIVERED is a delivery, in the history or in the status of the track."""
    scan = (status, "2026-09-17T14:21:37Z")
    assert statuses(read("shippo", track(scan))) == [expected]
    current = track(scan)["tracking_history"][0]
    alone = read("shippo", {"data": {"tracking_number": "SH1", "tracking_status": current}})
    assert (statuses(alone), alone.unknown_codes) == ([expected], ())


@pytest.mark.parametrize(
    ("metadata", "order"),
    [
        ("1172452900788-01", "1172452900788-01"),
        ("order 1172452900788-01", "1172452900788-01"),
        ("pedido:1172452900788-01;", "1172452900788-01"),
        ('{"order": "v501245lspt-01"}', "v501245lspt-01"),
        ("GFG-1172452900788-01", "GFG-1172452900788-01"),
        ("1172452900788-01 1172452900788-01", "1172452900788-01"),
        ("1172452900788-01 or 1172452900789-01", ""),
        ("1172452900788-011", ""),
        ("x1172452900788-01", ""),
        ("phone 555-01, 2026-09-14", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_order_in_the_metadata(metadata: str | None, order: str) -> None:
    """Free text tells the order only if exactly one word of it has the form of an order id."""
    (event,) = read("shippo", track(("TRANSIT", "2026-09-17T14:21:37Z"), metadata=metadata)).events
    assert event.order_reference == order


def test_bad_event_and_other_shapes() -> None:
    """A problem has its place in the webhook; other webhooks of Shippo are refused."""
    answer = sample("shippo.json")
    del answer["data"]["tracking_history"][1]["status_date"]
    reading = read("shippo", answer)
    assert statuses(reading) == ["info_received", "delivered!"]
    assert [str(problem) for problem in reading.problems] == ["shippo: data.tracking_history[1].status_date: missing"]
    others: list[dict[str, Any]] = [{"event": "transaction_created", "data": {"object_id": "x"}}, {"data": [1]}]
    for other in others:
        with pytest.raises(PayloadError, match="shippo: another shape; expected: the webhook track_updated"):
            read("shippo", other)


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("shippo", lambda scans: track(*scans), code="LOST", tracking_code="SH1")
