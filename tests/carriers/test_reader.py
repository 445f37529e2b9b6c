"""What reading has in common for all sources: zones, volumes, texts, and payloads that cannot be read."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from vtex_tracking_ext import ConfigurationError
from vtex_tracking_ext.carriers import CarrierOptions, PayloadError, read, recognise

from support.carriers import SAMPLES, lines, sample, statuses


def answer(*times: str) -> dict[str, Any]:
    """Return an answer of Correios with events at these times."""
    events = [{"codigo": "PO", "tipo": "01", "dtHrCriado": time, "descricao": "Objeto postado"} for time in times]
    return {"objetos": [{"codObjeto": "QB000000018BR", "eventos": events}]}


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.name)
def test_sample_is_recognised(path: Any) -> None:
    """A sample is recognised as the source that its file name begins with, and has events."""
    source = recognise(path.read_bytes())
    assert source is not None
    assert path.name.startswith(source)
    assert read(source, path.read_bytes()).events


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"1",
        b"{",
        b"<a/>",
        b"<a",
        b"order_id,invoice_number\n1,2\n",
        {"order_id": "1"},
        b"\x00",
    ],
)
def test_what_no_source_has_is_not_recognised(payload: Any) -> None:
    """Rows of events, and files that are not payloads, are not recognised."""
    assert recognise(payload) is None


@pytest.mark.parametrize(
    ("zone", "day"),
    [(None, "2026-09-16"), ("America/Sao_Paulo", "2026-09-16"), (ZoneInfo("Europe/Bucharest"), "2026-09-17")],
)
def test_time_in_utc(zone: str | ZoneInfo | None, day: str) -> None:
    """An evening in Brasília keeps its day in the zone that is named, or else in that of the source."""
    (event,) = read("correios", answer("2026-09-17T01:00:00Z"), zone=zone).events
    assert str(event.date) == day
    assert event.event_id == "correios|QB000000018BR|PO/1|2026-09-17T01:00:00+00:00"


def test_other_offsets_are_the_carriers_own() -> None:
    """Times with another offset than UTC are not converted; beside times without one, local times decide the order."""
    reading = read("correios", answer("2026-09-17T23:00:00+02:00", "2026-09-17T22:30:00"), zone="Asia/Tokyo")
    assert [event.occurred_at.isoformat() for event in reading.events] == [
        "2026-09-17T22:30:00",
        "2026-09-17T23:00:00+02:00",
    ]
    reading = read("correios", answer("2026-09-17T23:00:00+02:00", "2026-09-17T22:30:00-03:00"))
    assert [str(event.occurred_at.hour) for event in reading.events] == ["23", "22"]


def test_history_of_one_moment_is_turned_round_where_the_source_lists_the_newest_first() -> None:
    """Events of one time are reversed, because Correios lists the newest event first."""
    payload = answer(*["2026-09-17T10:00:00"] * 2)
    payload["objetos"][0]["eventos"][0]["tipo"] = "09"
    assert [event.code for event in read("correios", payload).events] == ["PO/01", "PO/09"]


@pytest.mark.parametrize(
    ("key", "content", "problem"),
    [
        ("dtHrCriado", "0001-01-01T00:00:00+14:00", "the year of the time is 1; one from 1900 to 2999 was expected"),
        ("dtHrCriado", "9999-12-31T23:59:59Z", "the year of the time is 9999"),
        ("codigo", "x" * 6000, "the identity of the event is 'correios|QB000000018BR|xxx"),
        ("codigo", "\ud800", "the identity of the event is 'correios|QB000000018BR|\\ud800/1|"),
        ("tipo", "0\x00", "at most 200 printable characters were expected"),
    ],
)
def test_event_that_cannot_be_identified(key: str, content: str, problem: str) -> None:
    """It does not stop the others, whatever the journal could make of it."""
    payload = answer(*["2026-09-17T10:00:00"] * 2)
    payload["objetos"][0]["eventos"][1][key] = content
    reading = read("correios", payload)
    assert (len(reading.events), reading.unknown_codes) == (1, ())
    assert problem in reading.problems[0].message


def test_receiver_whom_another_event_names() -> None:
    """The text of one event contains no name that another event has in a field."""
    payload = answer("2026-09-17T10:00:00", "2026-09-17T11:00:00")
    first, last = payload["objetos"][0]["eventos"]
    last["recebedor"] = {"nome": ["Jo\xe3o da Silva"], "documento": 191000}
    first["descricao"] = "Objeto com JOAO SILVA, 191.000"
    assert lines(read("correios", payload))[0].endswith("| Objeto com")


def test_texts_of_the_merchant() -> None:
    """The merchant's text for a code replaces the carrier's."""
    options = {"texts": {"PO/1": "Your parcel is on its way"}}
    (text,) = lines(read("correios", answer("2026-09-17T10:00:00"), options=options))
    assert text.endswith("| Your parcel is on its way")
    own = CarrierOptions(texts={"PO/01": "Posted"})
    assert lines(read("correios", answer("2026-09-17T10:00:00"), options=own))[0].endswith("| Posted")


def test_merchants_code_is_a_delivery() -> None:
    """A code that the merchant names is a delivery, and is not reported as unknown any more."""
    payload = answer("2026-09-17T10:00:00")
    payload["objetos"][0]["eventos"][0]["codigo"] = "XYZ"
    assert read("correios", payload).unknown_codes == ("XYZ/01",)
    reading = read("correios", payload, options=CarrierOptions(delivered=frozenset({"XYZ/1"})))
    assert (statuses(reading), reading.unknown_codes) == (["delivered!"], ())


def test_package_of_several_volumes_is_delivered_with_the_last_one() -> None:
    """Each volume is a webhook of its own; a second delivery of one volume does not complete the package."""
    volumes = []
    for number, state, time in (
        ("1", "IN_TRANSIT", "10:00"),
        ("2", "IN_TRANSIT", "10:00"),
        ("1", "DELIVERED", "11:00"),
        ("01", "DELIVERED", "11:05"),
        ("2", "DELIVERED", "12:00"),
    ):
        volume = sample("intelipost.json")
        volume["volume_number"] = number
        volume["history"]["shipment_order_volume_state"] = state
        volume["history"]["event_date_iso"] = f"2026-09-17T{time}:00.000-03:00"
        volumes.append(volume)
    reading = read("intelipost", volumes)
    assert statuses(reading) == ["in_transit", "in_transit", "delivered", "delivered", "delivered!"]
    assert {event.volume for event in reading.events} == {"1", "2"}


def test_wrong_arguments() -> None:
    """A source, a zone and an option that do not exist each raise an error that names it."""
    with pytest.raises(ConfigurationError, match="'x' is not a source"):
        read("x", {})
    with pytest.raises(ConfigurationError, match="zone is 'x'"):
        read("correios", {}, zone="x")
    with pytest.raises(ConfigurationError, match=r"carriers\.correios: 'x' is not a setting"):
        read("correios", {}, options={"x": 1})


def test_payload_of_another_shape() -> None:
    """The error names the source and what was expected; among other documents, it is a problem of one of them."""
    expected = "another shape; expected: the answer of GET /srorastro/v1/objetos, an object with a list objetos"
    with pytest.raises(PayloadError, match="another shape") as raised:
        read("correios", {"error": "x"})
    assert str(raised.value) == f"correios: {expected}"
    reading = read("correios", [answer("2026-09-17T10:00:00"), {"error": "x"}])
    assert len(reading.events) == 1
    assert [str(problem) for problem in reading.problems] == [f"correios: [1]: {expected}"]
