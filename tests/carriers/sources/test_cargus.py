"""Cargus: the answer of GetAwbTrace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.carriers import read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses

if TYPE_CHECKING:
    from collections.abc import Sequence


def answer(scans: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return an answer with one package."""
    return [{"Code": "TC18", "Event": [{"Date": time, "EventId": code, "Description": code} for code, time in scans]}]


def test_sample() -> None:
    """The texts do not contain the name of the receiver."""
    reading = read("cargus", sample("cargus.json"))
    assert lines(reading) == [
        "2026-09-15 17:05:48.123000 70 in_transit | IASI | Preluat de la expeditor",
        "2026-09-17 08:02:00 5 out_for_delivery | ORADEA | In livrare",
        "2026-09-17 10:21:37 21 delivered! | ORADEA | Livrat",
    ]
    assert {event.tracking_code for event in reading.events} == {"9000000018"}
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())
    assert "MODELO" not in repr(reading)


@pytest.mark.parametrize(("code", "status"), [("21", "delivered!"), ("5", "out_for_delivery"), ("11", "in_transit")])
def test_status(code: str, status: str) -> None:
    """Only 21 is a delivery."""
    assert statuses(read("cargus", answer([(code, "2026-09-17T10:00:00")]))) == [status]


def test_rules() -> None:
    """The rules of every source hold; an answer without packages has no events."""
    check_rules("cargus", answer)
    assert read("cargus", []).events == ()
