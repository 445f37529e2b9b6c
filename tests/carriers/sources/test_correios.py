"""Correios: the answer of the SRO REST service."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.carriers import read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses


def history(*scans: tuple[str, str]) -> dict[str, Any]:
    """Return an answer with one object: code/type and time of each event."""
    events = [
        {"codigo": name.split("/")[0], "tipo": name.split("/")[1], "dtHrCriado": time, "descricao": name, "unidade": {}}
        for name, time in scans
    ]
    return {"objetos": [{"codObjeto": "QB000000018BR", "eventos": events}]}


def test_sample() -> None:
    """The oldest event is first; the receiver is left out; an object that Correios does not know is noted."""
    reading = read("correios", sample("correios.json"))
    assert lines(reading) == [
        "2026-09-14 17:05:48 PO/01 in_transit | Campinas, SP | Objeto postado",
        "2026-09-14 21:30:00 RO/01 in_transit | Campinas, SP | Objeto em transferência - por favor aguarde",
        "2026-09-16 15:40:10 BDE/20 attempt_failed | Recife, PE | Carteiro não atendido",
        "2026-09-17 08:02:00 OEC/01 out_for_delivery | Recife, PE | Objeto saiu para entrega ao destinatário",
        "2026-09-17 10:21:37 BDE/01 delivered! | Recife, PE | Objeto entregue ao destinatário",
    ]
    assert {event.tracking_code for event in reading.events} == {"QB000000018BR"}
    assert [str(note) for note in reading.notes] == [
        "correios: objetos[1]: QB000000021BR: SRO-020: Objeto não encontrado na base de dados dos Correios."
    ]
    assert (reading.problems, reading.unknown_codes) == ((), ())
    assert "MODELO" not in repr(reading)


@pytest.mark.parametrize("code", ["BDE/00", "BDE/1", "BDI/01", "BDR/0", "BDE/67", "BDI/70"])
def test_delivered(code: str) -> None:
    """The codes of a delivery, with or without a leading zero."""
    assert statuses(read("correios", history((code, "2026-09-17T10:21:37")))) == ["delivered!"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("BDE/23", "returned"),
        ("BDI/68", "available_for_pickup"),
        ("LDI/01", "available_for_pickup"),
        ("LDI/14", "available_for_pickup"),
        ("BDE/20", "attempt_failed"),
        ("BDR/33", "returning"),
        ("LDE/09", "returning"),
        ("IDC/01", "exception"),
        ("BDE/79", "unknown"),
        ("CO/08", "unknown"),
        ("PAR/15", "in_transit"),
        ("OEC/09", "returning"),
    ],
)
def test_not_delivered(code: str, status: str) -> None:
    """Codes that look like a delivery have another status."""
    assert statuses(read("correios", history((code, "2026-09-17T10:21:37")))) == [status]


def test_corrections() -> None:
    """Each EST voids the last event before it that is not void; without one, it takes back what was read earlier."""
    day = "2026-09-17T"
    reading = read("correios", history(("EST/01", f"{day}12:00:00"), ("BDE/01", f"{day}10:00:00")))
    assert statuses(reading) == ["void", "correction"]
    assert [event.takes_back for event in reading.events] == [False, True]
    reading = read(
        "correios",
        history(("EST/2", f"{day}14:00:00"), ("BDE/20", f"{day}13:00:00"), ("BDE/01", f"{day}10:00:00")),
    )
    assert statuses(reading) == ["delivered!", "void", "correction"]
    assert not any(event.takes_back for event in reading.events)
    (alone,) = read("correios", history(("EST/01", f"{day}12:00:00"))).events
    assert alone.takes_back


def test_problems() -> None:
    """A problem has its place; neither a bad event nor an object without code stops the others."""
    answer = sample("correios.json")
    del answer["objetos"][0]["eventos"][1]["dtHrCriado"]
    answer["objetos"].append({"eventos": []})
    reading = read("correios", answer)
    assert [event.code for event in reading.events] == ["PO/01", "RO/01", "BDE/20", "BDE/01"]
    assert [str(problem) for problem in reading.problems] == [
        "correios: objetos[0].eventos[1].dtHrCriado: missing",
        "correios: objetos[2].codObjeto: missing",
    ]


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("correios", lambda scans: history(*scans), code="XYZ/77", tracking_code="QB000000018BR")
