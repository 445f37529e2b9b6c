"""Loggi: its webhook and its tracking service, whose codes are not public."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vtex_tracking_ext.carriers import load_table, read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses

if TYPE_CHECKING:
    from collections.abc import Sequence


def webhook(scans: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return a webhook with one package."""
    history = [{"status": {"code": code, "updatedTime": f"{time}-03:00"}} for code, time in scans]
    return {"packages": [{"loggiKey": "LG18", "trackingCode": "TC18", "trackingHistory": history}]}


def test_sample() -> None:
    """Times in UTC have their day in Brazil; no code is a delivery, unless the merchant names it."""
    reading = read("loggi", sample("loggi.json"))
    assert lines(reading) == [
        "2026-09-15 17:05:48-03:00 7 unknown | Campinas, SP | O pacote saiu da base",
        "2026-09-17 22:21:37-03:00 31 unknown | Recife, PE | O pacote foi entregue",
    ]
    assert {event.tracking_code for event in reading.events} == {"TCMODELO18"}
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ("7", "31"))
    assert load_table("loggi").delivered == ()
    named = read("loggi", sample("loggi.json"), options={"delivered": ["31"], "in_transit": ["7"]})
    assert (statuses(named), named.unknown_codes) == (["in_transit", "delivered!"], ())


def test_status_serves_where_there_is_no_history() -> None:
    """A package without a history has its status and its place; one without a tracking code has its key."""
    payload = sample("loggi.json")
    (package,) = payload["packages"]
    del package["trackingHistory"], package["trackingCode"]
    package["location"] = {"city": "Recife", "state": "PE"}
    reading = read("loggi", payload)
    assert lines(reading) == ["2026-09-17 22:21:37-03:00 31 unknown | Recife, PE | O pacote foi entregue"]
    assert reading.events[0].tracking_code == "LGMODELO18"
    assert read("loggi", {"packages": []}).events == ()


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("loggi", webhook)
