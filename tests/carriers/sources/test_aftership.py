"""AfterShip: the webhook of a tracking."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.carriers import PayloadError, read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses


def tracking(*scans: tuple[str, str], **fields: Any) -> dict[str, Any]:
    """Return a tracking: subtag (or tag) and time of each checkpoint."""
    checkpoints = [
        {"tag": code.split("_")[0], "subtag": code if "_" in code else None, "checkpoint_time": time, "message": code}
        for code, time in scans
    ]
    return {"tracking_number": "QB1BR", "slug": "brazil-correios", "checkpoints": checkpoints, **fields}


def test_sample() -> None:
    """Times with and without an offset, and dates alone, are sorted; the receiver is left out."""
    reading = read("aftership", sample("aftership.json"))
    assert lines(reading) == [
        "2026-09-14 InfoReceived_001 info_received | - | Shipment information received",
        "2026-09-14 17:05:48 InTransit_002 in_transit | Campinas, SP | Objeto postado",
        "2026-09-17 08:02:00-03:00 OutForDelivery_001 out_for_delivery | Recife, PE | Objeto saiu para entrega",
        "2026-09-17 10:21:37 Delivered_003 delivered! | Recife, PE | Objeto entregue",
    ]
    event = reading.events[0]
    assert (event.tracking_code, event.order_reference) == ("QB000000071BR", "1263300700071-01")
    assert (event.account, event.invoice_number) == ("lojamodelo", "40871")
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())
    assert "MODELO" not in repr(reading)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("Delivered", "delivered!"),
        ("Delivered_001", "delivered!"),
        ("Delivered_002", "delivered!"),
        ("Delivered_004", "delivered!"),
        ("AvailableForPickup", "available_for_pickup"),
        ("AvailableForPickup_001", "available_for_pickup"),
        ("OutForDelivery_002", "available_for_pickup"),
        ("AttemptFail_002", "attempt_failed"),
        ("Exception_003", "exception"),
        ("Exception_010", "returning"),
        ("Exception_011", "returned"),
    ],
)
def test_status(code: str, status: str) -> None:
    """The subtag decides, or else the tag."""
    assert statuses(read("aftership", tracking((code, "2026-09-17T10:21:37")))) == [status]


def test_a_delivery_to_the_sender() -> None:
    """If AfterShip says that the package went back, Delivered is a return, not a delivery."""
    reading = read("aftership", tracking(("Delivered_001", "2026-09-17T10:21:37"), return_to_sender=True))
    assert statuses(reading) == ["returned"]


def test_order_number_and_custom_fields() -> None:
    """Without an order id, the order number counts; custom fields may be missing."""
    scan = ("Pending_001", "2026-09-17T10:21:37")
    (event,) = read("aftership", tracking(scan, order_id=None, order_number=71, custom_fields=None)).events
    assert (event.order_reference, event.account, event.invoice_number) == ("71", "", "")


def test_times_in_utc() -> None:
    """Without a zone, a time in UTC keeps its day, with a note, because AfterShip serves every country."""
    payload = tracking(("InTransit_001", "2026-09-18T01:30:00Z"))
    reading = read("aftership", payload)
    assert (f"{reading.events[0].date}", len(reading.notes)) == ("2026-09-18", 1)
    reading = read("aftership", payload, zone="America/Sao_Paulo")
    assert (f"{reading.events[0].date}", reading.notes) == ("2026-09-17", ())


def test_bad_checkpoint_and_other_shapes() -> None:
    """A problem has its place in the webhook; other messages of AfterShip are refused."""
    answer = sample("aftership.json")
    answer["msg"]["checkpoints"][1]["checkpoint_time"] = None
    reading = read("aftership", answer)
    assert len(reading.events) == 3
    assert [str(problem) for problem in reading.problems] == ["aftership: msg.checkpoints[1].checkpoint_time: missing"]
    others: list[dict[str, Any]] = [{"event": "ping", "msg": "ok"}, {"msg": {}}, {"checkpoints": []}]
    for other in others:
        with pytest.raises(PayloadError, match="aftership: another shape; expected: the webhook of a tracking"):
            read("aftership", other)


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("aftership", lambda scans: tracking(*scans), code="Delivered_999", tracking_code="QB1BR")
