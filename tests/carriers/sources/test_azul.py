"""Azul Cargo: the answer of api/Ocorrencias/Consultar."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.carriers import read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses


def history(*scans: tuple[str, str], awb: str = "577-00000071") -> dict[str, Any]:
    """Return an answer with one shipment: code and time of each event."""
    events = [{"Codigo": code, "Descricao": code, "DataHora": time} for code, time in scans]
    return {"HasErrors": False, "ErrorText": None, "Value": [{"Awb": awb, "Ocorrencias": events}]}


def test_sample() -> None:
    """The comment, which names the receiver, is left out."""
    reading = read("azul", sample("azul.json"))
    assert lines(reading) == [
        "2026-09-14 18:02:11 100 info_received | CAMPINAS, SP | EMISSAO DO CONHECIMENTO DE TRANSPORTE.",
        "2026-09-15 23:40:00 134 in_transit | CAMPINAS, SP | SAIDA DO VOO",
        "2026-09-16 07:30:00 106 out_for_delivery | RECIFE, PE | EMISSAO DA LISTAGEM DE ENTREGAS.",
        "2026-09-16 11:05:00 1 delivered! | RECIFE, PE | ENTREGA REALIZADA NORMALMENTE",
    ]
    assert {event.tracking_code for event in reading.events} == {"577-00000071"}
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())
    assert "MODELO" not in repr(reading)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("01", "delivered!"),
        ("2", "delivered!"),
        ("24", "unknown"),
        ("25", "returned"),
        ("29", "available_for_pickup"),
        ("31", "unknown"),
        ("52", "in_transit"),
        ("91", "in_transit"),
        ("20", "attempt_failed"),
        ("107", "exception"),
    ],
)
def test_status(code: str, status: str) -> None:
    """1 and 2 are deliveries; what looks like one has a status of its own; all these codes are known."""
    reading = read("azul", history((code, "2026-09-16T11:05:00")))
    assert (statuses(reading), reading.unknown_codes) == ([status], ())


def test_a_merchant_may_name_the_deliveries() -> None:
    """24, which the merchant names, is a delivery; 2, which the merchant does not name, is not."""
    scans = [("2", "2026-09-16T11:05:00"), ("24", "2026-09-17T11:05:00")]
    reading = read("azul", history(*scans), options={"delivered": ["1", "24"]})
    assert statuses(reading) == ["unknown", "delivered!"]


def test_answers_without_events() -> None:
    """An answer without shipments is not a problem; an error of Azul is one."""
    for payload in ({**history(), "Value": []}, {**history(), "Value": None}):
        reading = read("azul", payload)
        assert (reading.events, reading.problems) == ((), ())
    (problem,) = read("azul", {"HasErrors": True, "ErrorText": "Token inválido", "Value": None}).problems
    assert str(problem) == "azul: ErrorText: Azul answered with an error: Token inválido"


def test_bad_input() -> None:
    """A problem has its place; neither a bad event nor a shipment without AWB stops the others."""
    answer = sample("azul.json")
    answer["Value"][0]["Ocorrencias"][1]["DataHora"] = "ontem"
    answer["Value"].append({"Ocorrencias": []})
    reading = read("azul", answer)
    assert [event.code for event in reading.events] == ["100", "106", "1"]
    assert [str(problem) for problem in reading.problems] == [
        "azul: Value[0].Ocorrencias[1].DataHora: 'ontem' is not a time; one such as 2026-10-05T14:12:09 was expected",
        "azul: Value[1].Awb: missing",
    ]


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("azul", lambda scans: history(*scans), tracking_code="577-00000071")
