"""Kangu: the current state of a package; no code of it is a delivery unless the merchant names it."""

from __future__ import annotations

import pytest

from vtex_tracking_ext.carriers import PayloadError, load_table, read, recognise

from support.carriers import lines, sample, statuses


def test_sample() -> None:
    """The state is one event; the carrier's observation, which may name the receiver, is left out."""
    reading = read("kangu", sample("kangu.json"))
    assert lines(reading) == ["2026-09-17 10:21:37 DELIVERED unknown | - | Entregue"]
    assert reading.events[0].tracking_code == "MODELO000000018"
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ("DELIVERED",))
    assert load_table("kangu").delivered == ()
    named = read("kangu", sample("kangu.json"), options={"delivered": ["DELIVERED"]})
    assert statuses(named) == ["delivered!"]
    assert "MARIA" not in repr(named)


@pytest.mark.parametrize(
    ("code", "text"),
    [("SHIPPED", "Objeto enviado"), ("DROPPED_OFF", "Objeto postado"), ("IN_HUB", "Objeto em unidade de distribuição")],
)
def test_status(code: str, text: str) -> None:
    """A state without a text has that of the table."""
    state = {"shipmentStatus": code, "dataHora": "2026-09-17T10:21:37"}
    reading = read("kangu", {"codigo": "TC18", "situacao": state, "historico": []})
    assert lines(reading) == [f"2026-09-17 10:21:37 {code} in_transit | - | {text}"]


def test_state_without_a_time_is_no_event() -> None:
    """No time is invented: a note says so, and that the answer does not name its package."""
    reading = read("kangu", {"situacao": {"shipmentStatus": "DELIVERED"}, "historico": []})
    assert (reading.events, reading.problems) == ((), ())
    (note,) = reading.notes
    assert str(note) == (
        "kangu: the answer does not name its package; add the tracking code to it as codigo; "
        "no event, because the state has no time: DELIVERED"
    )


def test_payloads_that_cannot_be_read() -> None:
    """A time that cannot be read is a problem with its place; a payload of another shape is refused."""
    payload = sample("kangu.json")
    assert recognise(payload) == "kangu"
    payload["situacao"]["dataHora"] = "soon"
    (problem,) = read("kangu", payload).problems
    assert str(problem).startswith("kangu: situacao.dataHora: 'soon' is not a time")
    with pytest.raises(PayloadError, match=r"^kangu: another shape; expected: "):
        read("kangu", {"situacao": {}})
