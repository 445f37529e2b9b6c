"""Total Express: the SOAP answer of ObterTracking."""

from __future__ import annotations

import pytest

from vtex_tracking_ext.carriers import PayloadError, read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses

ECT = "<EctTipo>{}</EctTipo><EctStatus>{}</EctStatus><EctData>{}</EctData><EctHora>{}</EctHora>"


def answer(body: str) -> str:
    """Return a SOAP answer without namespaces."""
    return f"<Envelope><Body>{body}</Body></Envelope>"


def history(*scans: tuple[str, str], correios: str = "", awb: str = "<Awb>700000011</Awb>") -> str:
    """Return an answer with one parcel: code and time of each event of Total Express, and the items of Correios."""
    items = "".join(
        f"<item><CodStatus>{code}</CodStatus><DescStatus>{code}</DescStatus><DataStatus>{time}</DataStatus></item>"
        for code, time in scans
    )
    parcel = f"{awb}<ArrayStatusTotal>{items}</ArrayStatusTotal><ArrayStatusEct>{correios}</ArrayStatusEct>"
    lot = f"<item><ArrayEncomendaRetorno><item>{parcel}</item></ArrayEncomendaRetorno></item>"
    content = f"<CodigoProc>1</CodigoProc><ArrayLoteRetorno>{lot}</ArrayLoteRetorno>"
    return answer(f"<ObterTrackingResponse>{content}</ObterTrackingResponse>")


def test_sample() -> None:
    """Each parcel has its invoice and its order; the file is in ISO-8859-1."""
    reading = read("total_express", sample("total_express.xml"))
    assert lines(reading) == [
        "2026-09-15 09:20:00 0 info_received | - | ARQUIVO RECEBIDO",
        "2026-09-16 22:05:00 102 in_transit | - | TRANSFERENCIA PARA: - SALVADOR",
        "2026-09-18 08:11:00 104 out_for_delivery | - | PROCESSO DE ENTREGA",
        "2026-09-18 10:00:00 25 returning | - | DEVOLUÇÃO EM ANDAMENTO AO CD",
        "2026-09-18 15:47:00 1 delivered! | - | ENTREGA REALIZADA",
    ]
    event = reading.events[-1]
    assert (event.tracking_code, event.series, event.invoice_number) == ("700000011", "2", "40821")
    assert event.order_reference == "1263300700015-01"
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("1", "delivered!"),
        ("01", "delivered!"),
        ("29", "available_for_pickup"),
        ("38", "in_transit"),
        ("91", "in_transit"),
        ("25", "returning"),
        ("21", "attempt_failed"),
        ("2", "unknown"),
    ],
)
def test_status(code: str, status: str) -> None:
    """Code 1 alone is a delivery; codes of PROCEDA that were not seen here, such as 2, are unknown."""
    reading = read("total_express", history((code, "2026-09-18T15:47:00")))
    assert (statuses(reading), reading.unknown_codes) == ([status], ("2",) if code == "2" else ())


def test_text_of_a_delivery() -> None:
    """What a person adds to the text of a delivery may name the receiver, and is left out."""
    payload = sample("total_express.xml").replace(b"ENTREGA REALIZADA", b"ENTREGA REALIZADA - - MARIA MODELO")
    reading = read("total_express", payload)
    assert reading.events[-1].description == "ENTREGA REALIZADA"
    assert "MODELO" not in repr(reading)


def test_events_of_correios() -> None:
    """Events of Correios have a place, and the codes of SRO; a returned object is not a delivery."""
    first = ECT.format("BDE", "1", "2026-09-18", "15:47:09") + "<EctCidade>Recife</EctCidade><EctUf>PE</EctUf>"
    scans = f"<item>{first}</item><item>{ECT.format('BDE', '23', '2026-09-19', '10:00:00')}</item>"
    reading = read("total_express", history(("38", "2026-09-16T22:05:00"), correios=scans))
    assert lines(reading) == [
        "2026-09-16 22:05:00 38 in_transit | - | 38",
        "2026-09-18 15:47:09 BDE/01 delivered! | Recife, PE | Objeto entregue ao destinatário",
        "2026-09-19 10:00:00 BDE/23 unknown | - | BDE/23",
    ]


def test_answers_without_events() -> None:
    """Neither an empty history nor an answer without lots is a problem; an error of the service is one."""
    for payload in (history(), answer("<ObterTrackingResponse><CodigoProc>1</CodigoProc></ObterTrackingResponse>")):
        reading = read("total_express", payload)
        assert (reading.events, reading.problems) == ((), ())
    refused = "<Fault><faultcode>0</faultcode><faultstring>Acesso Negado!</faultstring></Fault>"
    (problem,) = read("total_express", answer(refused)).problems
    assert str(problem) == "total_express: Envelope.Body.Fault: Total Express answered with an error: Acesso Negado!"
    down = "<ObterTrackingResponse><CodigoProc>2</CodigoProc></ObterTrackingResponse>"
    (problem,) = read("total_express", answer(down)).problems
    assert str(problem).endswith("Total Express answered with an error: CodigoProc 2")


def test_bad_input() -> None:
    """A problem has its place; another SOAP answer is refused, and AWB may be in upper case."""
    reading = read("total_express", history(("104", "ontem"), ("1", "2026-09-18T15:47:00")))
    assert statuses(reading) == ["delivered!"]
    (problem,) = reading.problems
    assert problem.place.endswith("ArrayEncomendaRetorno.item.ArrayStatusTotal.item[0].DataStatus")
    (event,) = read("total_express", history(("1", "2026-09-18T15:47:00"), awb="<AWB>TX1</AWB>")).events
    assert event.tracking_code == "TX1"
    with pytest.raises(PayloadError, match="total_express: another shape; expected: the SOAP answer of ObterTracking"):
        read("total_express", "<Envelope><Body><Outro/></Body></Envelope>")


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("total_express", lambda scans: history(*scans), tracking_code="700000011")
