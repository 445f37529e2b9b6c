"""Mandaê: the answer of its tracking service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.carriers import read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses

if TYPE_CHECKING:
    from collections.abc import Sequence


def answer(scans: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return an answer with the events that are given."""
    return {"trackingCode": "TC18", "events": [{"id": code, "name": code, "timestamp": time} for code, time in scans]}


def test_sample() -> None:
    """The oldest event is first; an event without a timestamp has a date to the minute; there is no order id."""
    reading = read("mandae", sample("mandae.json"))
    assert lines(reading) == [
        "2026-09-14 17:05:48 101 in_transit | - | Encomenda coletada",
        "2026-09-17 08:02:00 31 in_transit | - | Em rota",
        "2026-09-17 10:21:37 1 delivered! | - | A entrega foi realizada",
    ]
    assert {(event.tracking_code, event.order_reference) for event in reading.events} == {("MODELO0018", "")}
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())


@pytest.mark.parametrize(
    ("code", "status"),
    [("1", "delivered!"), ("01", "delivered!"), ("6", "returned"), ("66", "returned"), ("110", "in_transit")],
)
def test_status(code: str, status: str) -> None:
    """Only 1 is a delivery; 6 and 66 are returns."""
    assert statuses(read("mandae", answer([(code, "2026-09-17T10:00:00")]))) == [status]


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("mandae", answer)
