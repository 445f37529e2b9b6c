"""Frenet: the tracking webhook."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.carriers import PayloadError, read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses


def webhook(*scans: tuple[object, str]) -> dict[str, Any]:
    """Return a webhook with these types and times of September 2026."""
    events = [{"EventType": code, "EventDateTime": f"{time[:2]}/09/2026 {time[3:]}"} for code, time in scans]
    return {"OrderId": "1200345600077-01", "TrackingNumber": "QB000000018BR", "TrackingEvents": events}


def test_sample() -> None:
    """The oldest event is first; names of cities can contain hyphens; the receiver is left out."""
    reading = read("frenet", sample("frenet.json"))
    assert lines(reading) == [
        "2026-09-10 17:05:48 0 in_transit | São Paulo, SP | Objeto postado",
        "2026-09-14 08:02:00 5 out_for_delivery | Guajará-Mirim, RO | Objeto saiu para entrega ao destinatário",
        "2026-09-14 10:21:00 9 delivered! | Guajará-Mirim, RO | Objeto entregue ao destinatário",
    ]
    assert {(event.tracking_code, event.order_reference) for event in reading.events} == {
        ("QB000000018BR", "1200345600077-01")
    }
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())
    assert "MODELO" not in repr(reading)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("9", "delivered!"),
        (9, "delivered!"),
        ("18", "in_transit"),
        ("3", "returned"),
        ("4", "exception"),
        ("77", "unknown"),
    ],
)
def test_codes(code: object, status: str) -> None:
    """The type decides, as a text or a number; another type is reported."""
    reading = read("frenet", webhook((code, "14 10:21")))
    assert (statuses(reading), reading.unknown_codes) == ([status], ("77",) if code == "77" else ())


def test_place_without_state() -> None:
    """A place without a state is a city, also with a hyphen; a missing text is that of the table."""
    payload = webhook(("5", "14 10:21"))
    payload["TrackingEvents"][0]["EventLocation"] = "Mogi-Mirim"
    assert lines(read("frenet", payload)) == ["2026-09-14 10:21:00 5 out_for_delivery | Mogi-Mirim | Saiu para entrega"]


def test_histories() -> None:
    """Events of one minute keep their order; a webhook may have null as its history."""
    reading = read("frenet", webhook(("1", "14 12:00"), ("1", "14 09:00"), ("18", "14 09:00")))
    assert [event.code for event in reading.events] == ["18", "1", "1"]
    assert not read("frenet", webhook() | {"TrackingEvents": None}).events


def test_bad_event_and_another_shape() -> None:
    """A problem has its place; the message about the balance of an account is refused."""
    reading = read("frenet", webhook(("", "14 10:00"), ("1", "34 10:00"), ("1", "14 10:00")))
    assert statuses(reading) == ["in_transit"]
    first, second = (str(problem) for problem in reading.problems)
    assert first == "frenet: TrackingEvents[0].EventType: missing"
    assert second.startswith("frenet: TrackingEvents[1].EventDateTime: '34/09/2026 10:00' is not a time")
    with pytest.raises(PayloadError, match=r"frenet: another shape; expected: a tracking webhook"):
        read("frenet", {"OrderId": "1", "ShipmentId": 1, "ShipmentStatus": 5, "Balance": 50})


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules(
        "frenet",
        lambda scans: webhook(*((code, f"{time[8:10]} {time[11:]}") for code, time in scans)),
        tracking_code="QB000000018BR",
    )
