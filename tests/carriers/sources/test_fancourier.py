"""FAN Courier: the answer of its tracking report; the code of a delivery is not confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vtex_tracking_ext.carriers import load_table, read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses

if TYPE_CHECKING:
    from collections.abc import Sequence


def answer(scans: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return an answer with one package."""
    events = [{"id": code, "name": code, "date": time.replace("T", " ")} for code, time in scans]
    return {"status": "success", "data": [{"awbNumber": "TC18", "events": events}]}


def test_sample() -> None:
    """No code is a delivery unless the merchant names it; the person who confirmed the delivery is left out."""
    reading = read("fancourier", sample("fancourier.json"))
    assert lines(reading) == [
        "2026-09-15 17:05:48 C0 in_transit | Iasi | Expediere ridicata",
        "2026-09-17 08:02:00 S1 out_for_delivery | Oradea | Expediere in livrare",
        "2026-09-17 10:21:37 S2 unknown | Oradea | Livrat",
    ]
    assert {event.tracking_code for event in reading.events} == {"9000000018"}
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ("S2",))
    assert load_table("fancourier").delivered == ()
    named = read("fancourier", sample("fancourier.json"), options={"delivered": ["S2"]})
    assert statuses(named) == ["in_transit", "out_for_delivery", "delivered!"]
    assert "MODELO" not in repr(named)


def test_date_with_dots() -> None:
    """A date such as that of the older service begins with its day."""
    (event,) = read("fancourier", answer([("C0", "05.10.2026 14:12")])).events
    assert event.occurred_at.isoformat() == "2026-10-05T14:12:00"


def test_rules() -> None:
    """The rules of every source hold; an answer without packages has no events."""
    check_rules("fancourier", answer)
    assert read("fancourier", {"status": "success", "data": []}).events == ()
