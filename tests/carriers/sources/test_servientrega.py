"""Servientrega: the answer of ConsultarGuia; what the numbers of its states mean is not public."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.carriers import PayloadError, load_table, read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses

if TYPE_CHECKING:
    from collections.abc import Sequence


def guide(scans: Sequence[tuple[str, str]], pattern: str = "%d/%m/%Y %H:%M", state: str = "") -> bytes:
    """Return a guide with the movements that are given, without SOAP."""
    movements = ""
    for code, time in scans:
        moment = f"{dt.datetime.fromisoformat(time):{pattern}}" if "T" in time else time
        movements += f"<InformacionMov><NomMov>{code}</NomMov><FecMov>{moment}</FecMov></InformacionMov>"
    return f"<InformacionGuiaMov><NumGui>TC18</NumGui>{state}<Mov>{movements}</Mov></InformacionGuiaMov>".encode()


def test_sample() -> None:
    """The state is an event beside the movements, and a delivery only if the merchant names its code."""
    reading = read("servientrega", sample("servientrega.xml"))
    assert lines(reading) == [
        "2026-09-14 17:05:00 mov/1 info_received | BOGOTA, CUNDINAMARCA | GUIA GENERADA",
        "2026-09-17 08:02:00 mov/9 out_for_delivery | NEIVA, HUILA | EN ZONA DE DISTRIBUCION",
        "2026-09-17 10:21:00 ENTREGA VERIFICADA unknown | NEIVA | ENTREGA VERIFICADA",
        "2026-09-17 10:21:00 8 unknown | - | ENTREGADO",
    ]
    assert {event.tracking_code for event in reading.events} == {"2000000018"}
    assert (reading.problems, reading.notes) == ((), ())
    assert reading.unknown_codes == ("ENTREGA VERIFICADA", "8")
    assert load_table("servientrega").delivered == ()
    named = read("servientrega", sample("servientrega.xml"), options={"delivered": ["8"]})
    assert statuses(named)[-1] == "delivered!"
    assert "MODELO" not in repr(named)


@pytest.mark.parametrize(
    ("word", "status"), [("ENTREGADO", "delivered!"), ("ENTREGADO A REMITENTE", "returned"), ("EN PROCESO", "unknown")]
)
def test_state_without_a_number_has_its_word_as_code(word: str, status: str) -> None:
    """A guide that was delivered to the sender is not delivered, whatever codes the merchant names."""
    state = f"<EstAct>{word}</EstAct><FecEst>17/09/2026 10:21</FecEst>"
    payload = guide([("ENTREGA VERIFICADA", "2026-09-17T09:00:00")], state=state)
    reading = read("servientrega", payload, options={"delivered": ["ENTREGADO", "ENTREGA VERIFICADA"]})
    assert statuses(reading) == ["returned" if status == "returned" else "delivered!", status]


def test_dates_that_begin_with_the_month() -> None:
    """One date that can only begin with its month decides for the whole guide."""
    scans = [("A", "2026-09-03T08:02:00"), ("B", "2026-09-17T10:21:37")]
    reading = read("servientrega", guide(scans, "%m/%d/%Y %H:%M:%S"))
    assert [event.occurred_at.isoformat() for event in reading.events] == [time for _, time in scans]
    assert reading.notes == ()
    reading = read("servientrega", guide([("A", "2026-09-03T08:02:00")], "%d/%m/%Y %H:%M:%S"))
    assert reading.events[0].occurred_at.isoformat() == "2026-09-03T08:02:00"
    (note,) = reading.notes
    assert note.message == "TC18: its dates do not tell the day from the month; they are read as day/month/year"


def test_movement_without_fields() -> None:
    """An empty element among the movements is a problem, and does not stop the others."""
    payload = guide([("A", "2026-09-17T08:02:00")]).replace(b"<Mov>", b"<Mov><InformacionMov/>")
    reading = read("servientrega", payload)
    assert [str(problem) for problem in reading.problems] == [
        "servientrega: InformacionGuiaMov.Mov.InformacionMov[0].NomMov: missing"
    ]
    assert [event.code for event in reading.events] == ["A"]


def test_unknown_guide_and_other_documents() -> None:
    """A guide 0 is noted; a document with several elements and no guide is refused."""
    reading = read("servientrega", b"<InformacionGuiaMov><NumGui>0</NumGui><Mov/></InformacionGuiaMov>")
    assert [str(note) for note in reading.notes] == [
        "servientrega: InformacionGuiaMov: Servientrega does not know the guide"
    ]
    with pytest.raises(PayloadError, match=r"^servientrega: another shape"):
        read("servientrega", b"<Envelope><Body><A/><B/></Body></Envelope>")


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("servientrega", guide)
