"""Jadlog: the answer of the tracking service."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.carriers import read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses


def answer(*scans: tuple[str, str], **query: Any) -> dict[str, Any]:
    """Return an answer about one package: status and time of each event."""
    events = [{"status": status, "data": f"2026-09-{time}", "unidade": "CO EXEMPLO"} for status, time in scans]
    return {"consulta": [query | {"tracking": {"codigo": "18000000000080", "status": "ENTREGUE", "eventos": events}}]}


def test_sample() -> None:
    """The invoice is that of the key; the receiver is left out; a package that is not found is noted."""
    reading = read("jadlog", sample("jadlog.json"))
    assert lines(reading) == [
        "2026-09-10 20:33:39 EMISSAO info_received | - | EMISSAO",
        "2026-09-11 23:05:00 TRANSFERENCIA in_transit | - | TRANSFERENCIA",
        "2026-09-13 06:10:00 ENTRADA in_transit | - | ENTRADA",
        "2026-09-14 08:00:00 EM ROTA out_for_delivery | - | EM ROTA",
        "2026-09-14 10:21:00 ENTREGUE delivered! | - | ENTREGUE",
    ]
    event = reading.events[-1]
    assert (event.tracking_code, event.order_reference) == ("18000000000077", "1200345600077-01")
    assert event.nfe_key == "35260911222333000181550030000451201765432107"
    assert (event.issuer, event.series, event.invoice_number) == ("11222333000181", "3", "45120")
    assert [str(note) for note in reading.notes] == ["jadlog: consulta[1]: 18000000000078: Nao localizado."]
    assert (reading.problems, reading.unknown_codes) == ((), ())
    assert "MODELO" not in repr(reading)


@pytest.mark.parametrize("status", ["ENTREGUE AO REMETENTE", "NAO ENTREGUE", "Entregue", "DEVOLVIDO", "ENTREGUE PUDO"])
def test_not_delivered(status: str) -> None:
    """Any word but ENTREGUE is not a delivery, even if the package has the status ENTREGUE; the word is reported."""
    reading = read("jadlog", answer((status, "14 10:21:00")))
    assert (statuses(reading), reading.unknown_codes) == (["unknown"], (status,))


def test_invoice_of_the_query() -> None:
    """The invoice that a query names is repeated in the answer."""
    invoice = {"nf": "000045120", "serie": "3", "tpDocumento": 2, "cnpjRemetente": "12.ABC.345/01DE-35"}
    (event,) = read("jadlog", answer(("ENTREGUE", "14 10:21:00"), df=invoice)).events
    assert (event.issuer, event.series, event.invoice_number) == ("12ABC34501DE35", "3", "45120")


def test_answers_without_a_history() -> None:
    """Neither an answer without packages nor a package without history is a problem."""
    for items in ([], [{"codigo": "18000000000081"}]):
        reading = read("jadlog", {"consulta": items})
        assert (reading.events, reading.problems, reading.notes) == ((), (), ())


def test_problems() -> None:
    """A problem has its place, and does not stop the other events."""
    reading = read("jadlog", answer(("", "14 10:21:00"), ("ENTRADA", "1410"), ("ENTRADA", "14 10:21:00")))
    assert statuses(reading) == ["in_transit"]
    places = ["consulta[0].tracking.eventos[0].status", "consulta[0].tracking.eventos[1].data"]
    assert [problem.place for problem in reading.problems] == places


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules(
        "jadlog",
        lambda scans: answer(*((code, time.removeprefix("2026-09-")) for code, time in scans)),
        tracking_code="18000000000080",
    )
