"""Intelipost: the tracking webhook."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.carriers import PayloadError, read

from support.carriers import lines, sample, statuses


def webhook(state: str = "IN_TRANSIT", time: str = "2026-09-14T10:21:00.000-03:00", volume: str = "1") -> Any:
    """Return the sample, with another event."""
    document = sample("intelipost.json")
    document["volume_number"] = volume
    document["history"] |= {"shipment_order_volume_state": state, "event_date_iso": time}
    return document


def test_sample() -> None:
    """The state decides; the local day stays; what the carrier typed about a delivery is not shown."""
    reading = read("intelipost", sample("intelipost.json"))
    assert lines(reading) == ["2026-09-14 22:22:00-03:00 DELIVERED delivered! | - | Pedido entregue"]
    (event,) = reading.events
    assert (event.tracking_code, event.order_reference, event.volume) == ("EX00077", "1200345600077-01", "2")
    assert event.nfe_key == "35260911222333000181550030000451201765432107"
    assert (event.issuer, event.series, event.invoice_number) == ("11222333000181", "3", "45120")
    assert event.event_id == "intelipost|EX00077|DELIVERED|2026-09-15T01:22:00+00:00|2"
    assert "MODELO" not in repr(reading)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("TO_BE_DELIVERED", "out_for_delivery"),
        ("CLARIFY_DELIVERY_FAIL", "attempt_failed"),
        ("DELIVERY_FAILED", "exception"),
        ("CANCELLED", "unknown"),
    ],
)
def test_not_delivered(state: str, status: str) -> None:
    """Only DELIVERED is a delivery, even if micro state and texts say otherwise; an unknown state is reported."""
    reading = read("intelipost", webhook(state))
    assert (statuses(reading), reading.unknown_codes) == ([status], ("CANCELLED",) if status == "unknown" else ())


def test_volumes_and_order() -> None:
    """Several webhooks, newest first: the events are sorted, and the last volume completes the delivery."""
    payload = [
        webhook("DELIVERED", "2026-09-14T12:00:00-03:00", "2"),
        webhook("DELIVERED", "2026-09-14T11:00:00-03:00", "1"),
        webhook("IN_TRANSIT", "2026-09-14T10:00:00-03:00", "1"),
        webhook("IN_TRANSIT", "2026-09-14T09:00:00-03:00", "1"),
    ]
    reading = read("intelipost", payload)
    assert statuses(reading) == ["in_transit", "in_transit", "delivered", "delivered!"]
    assert len({event.event_id for event in reading.events}) == len(payload)


def test_empty_history_bad_event_and_another_shape() -> None:
    """A webhook without history has no events; one bad webhook does not stop the others."""
    assert not read("intelipost", sample("intelipost.json") | {"history": None}).events
    reading = read("intelipost", [webhook(time="ontem"), webhook(state=""), webhook()])
    assert statuses(reading) == ["in_transit"]
    assert [str(problem) for problem in reading.problems] == [
        "intelipost: [0].history.event_date_iso: 'ontem' is not a time; one such as 2026-10-05T14:12:09 was expected",
        "intelipost: [1].history.shipment_order_volume_state: missing",
    ]
    with pytest.raises(PayloadError, match=r"intelipost: another shape; expected: a tracking webhook"):
        read("intelipost", {"history": []})
