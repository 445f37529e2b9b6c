"""Andreani: the history and the state of a shipment; the code of a delivery is not public."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vtex_tracking_ext.carriers import load_table, read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses

if TYPE_CHECKING:
    from collections.abc import Sequence


def history(scans: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return a history to which the number of its shipment was added."""
    events = [{"Fecha": time, "EstadoId": code, "Estado": code} for code, time in scans]
    return {"numeroDeTracking": "TC18", "eventos": events}


def test_history() -> None:
    """Events have the text for shoppers where there is one, and no place: a branch is not a city."""
    reading = read("andreani", sample("andreani_trazas.json"))
    assert lines(reading) == [
        "2026-09-14 17:05:48 1 info_received | - | ENVIO INGRESADO AL SISTEMA",
        "2026-09-15 09:53:55 6 out_for_delivery | - | ENVIO CON SALIDA A REPARTO",
        "2026-09-15 11:59:04 11 attempt_failed | - | Visita",
    ]
    assert {event.tracking_code for event in reading.events} == {"360000000000018"}
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())


def test_history_that_does_not_name_its_shipment_is_noted() -> None:
    """The answer of Andreani has no number: its events are read, and a note says what to add."""
    payload = sample("andreani_trazas.json")
    del payload["numeroDeTracking"]
    reading = read("andreani", payload)
    assert len(reading.events) == 3
    assert [str(note) for note in reading.notes] == [
        "andreani: the history does not name its shipment; add its number to it as numeroDeTracking"
    ]


def test_state() -> None:
    """The state is one event; its code is a delivery only if the merchant names it."""
    reading = read("andreani", sample("andreani_estado.json"))
    assert lines(reading) == ["2026-09-17 10:21:37 77 unknown | - | Entregado"]
    assert (reading.unknown_codes, load_table("andreani").delivered) == (("77",), ())
    named = read("andreani", sample("andreani_estado.json"), options={"delivered": ["77"]})
    assert (statuses(named), named.events[0].tracking_code) == (["delivered!"], "360000000000018")


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("andreani", history)
