"""SSW: the answer of the tracking service."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.carriers import PayloadError, read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses


def answer(*scans: tuple[str, str, str], invoice: str = "45120") -> dict[str, Any]:
    """Return an answer with one document: code of SSW, occurrence and time of each event."""
    tracking = [{"codigo_ssw": code, "ocorrencia": text, "data_hora": f"2026-09-{time}"} for code, text, time in scans]
    return {"success": True, "message": "", "documento": {"header": {"nro_nf": invoice}, "tracking": tracking}}


def test_sample() -> None:
    """SSW's code counts, not the carrier's number; the time of the delivery is not that of its recording."""
    reading = read("ssw", sample("ssw.json"))
    assert lines(reading) == [
        "2026-09-10 18:10:11 80 info_received | CAMPINAS, SP | DOCUMENTO DE TRANSPORTE EMITIDO",
        "2026-09-14 07:30:00 85 out_for_delivery | JABOATAO DOS GUARARAPES, PE | SAIDA PARA ENTREGA",
        "2026-09-14 10:21:00 01 delivered! | RECIFE, PE | MERCADORIA ENTREGUE",
    ]
    assert {(event.series, event.invoice_number, event.order_reference) for event in reading.events} == {
        ("3", "45120", "1200345600077-01")
    }
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())
    assert "MODELO" not in repr(reading)


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [
        ("1", "ENTREGA REALIZADA (1)", "delivered!"),
        ("", "MERCADORIA ENTREGUE (01)", "delivered!"),
        ("02", "AGUARDANDO AGENDAMENTO DO CLIENTE (02)", "in_transit"),
        ("82", "SAIDA DE UNIDADE (01)", "in_transit"),
        ("", "ANEXADO COMPROVANTE (70)", "unknown"),
        ("24", "MERCADORIA ENTREGUE", "unknown"),
    ],
)
def test_codes(code: str, text: str, status: str) -> None:
    """SSW's code decides, and only without one the number in the occurrence; no text does."""
    reading = read("ssw", answer((code, text, "14T10:21:00")))
    assert statuses(reading) == [status]
    assert bool(reading.unknown_codes) == (status == "unknown")


def test_merchant_names_codes() -> None:
    """A carrier's table can be another one: the merchant's codes count, and no others."""
    payload = answer(("01", "EMITIDO", "10T10:00:00"), ("24", "ENTREGUE", "14T10:21:00"))
    reading = read("ssw", payload, options={"delivered": ["24"], "in_transit": ["1"]})
    assert statuses(reading) == ["in_transit", "delivered!"]
    reading = read("ssw", payload, options={"delivered": ["1", "24"]})
    assert statuses(reading) == ["delivered!", "delivered!"]


@pytest.mark.parametrize(
    ("text", "series", "number"), [("1 45120", "1", "45120"), ("000045120", "", "45120"), ("45120, 45121", "", "")]
)
def test_invoice(text: str, series: str, number: str) -> None:
    """The invoice has a series or not; of several invoices, none is taken."""
    (event,) = read("ssw", answer(("01", "", "14T10:21:00"), invoice=text)).events
    assert (event.series, event.invoice_number) == (series, number)


def test_forms_of_answers() -> None:
    """An answer has several documents, or its fields are those of the one document."""
    one = answer(("85", "", "14T12:00:00"))["documento"]
    for payload in ({"success": True, "documentos": [one]}, {"success": True, **one}):
        assert statuses(read("ssw", payload)) == ["out_for_delivery"]


def test_no_document_bad_event_and_another_shape() -> None:
    """SSW's message is noted; a problem has its place; other answers are refused."""
    reading = read("ssw", {"success": False, "message": "Nenhum documento localizado"})
    assert [str(note) for note in reading.notes] == ["ssw: Nenhum documento localizado"]
    reading = read("ssw", answer(("80", "", "14"), ("80", "", "99T"), ("", "SEM CODIGO", "14T10:00:00")))
    assert [problem.place for problem in reading.problems] == [
        "documento.tracking[1].data_hora",
        "documento.tracking[2].codigo_ssw",
    ]
    others: list[dict[str, Any]] = [{"documento": {}}, {"success": True}]
    for payload in others:
        with pytest.raises(PayloadError, match=r"ssw: another shape; expected: the answer of POST"):
            read("ssw", payload)


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules(
        "ssw",
        lambda scans: answer(*((code, "", time.removeprefix("2026-09-")) for code, time in scans)),
        tracking_code="",
    )
