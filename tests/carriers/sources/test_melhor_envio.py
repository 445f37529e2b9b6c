"""Melhor Envio: the webhook, and the answer of the tracking service."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.carriers import PayloadError, read, recognise

from support.carriers import lines, sample, statuses


def label(**values: Any) -> dict[str, Any]:
    """Return an answer with one label, posted if nothing else is said."""
    times = {"posted_at": "2026-09-10 17:05:48", "delivered_at": None}
    return {"00000000-0000-4000-8000-000000000080": {"status": "posted", "tracking": "QB000000035BR"} | times | values}


def test_sample() -> None:
    """The milestones of a webhook are its events, at local times; the shop's order is its tag."""
    reading = read("melhor_envio", sample("melhor_envio.json"))
    assert lines(reading) == [
        "2026-09-10 08:25:00 generated info_received | - | Etiqueta gerada",
        "2026-09-10 17:05:48 posted in_transit | - | Postado",
        "2026-09-14 22:21:00 delivered delivered! | - | Entregue",
    ]
    assert {(event.tracking_code, event.order_reference) for event in reading.events} == {
        ("QB000000018BR", "1200345600077-01")
    }
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())


def test_sample_of_the_tracking_service() -> None:
    """An undelivered package gets a note, because the payload lacks the time of that; another code can identify it."""
    reading = read("melhor_envio", sample("melhor_envio_poll.json"))
    assert lines(reading) == [
        "2026-09-10 08:25:00 generated info_received | - | Etiqueta gerada",
        "2026-09-10 17:05:48 posted in_transit | - | Postado",
        "2026-09-12 09:00:00 canceled cancelled | - | Envio cancelado",
    ]
    assert [event.tracking_code for event in reading.events] == ["EXEMPLO000078"] * 2 + ["QB000000021BR"]
    assert [note.message for note in reading.notes] == [
        "EXEMPLO000078: the status is undelivered, of which the payload lacks the time"
    ]


@pytest.mark.parametrize("status", ["undelivered", "posted", "returned"])
def test_time_of_delivery_with_another_status(status: str) -> None:
    """With another status, the time of a delivery is not an event, but a note."""
    reading = read("melhor_envio", label(status=status, delivered_at="2026-09-14 10:21:00"))
    assert (statuses(reading), len(reading.notes)) == (["in_transit"], 1)


@pytest.mark.parametrize(
    "payload",
    [
        {"event": "order.created", "data": {}},
        {"event": "ping", "data": None},
        {"event": "order.created", "data": {"id": "1", "status": "pending"}},
        label(status="released", posted_at=None),
        {"00000000-0000-4000-8000-000000000081": {"status": "pending", "tracking": None, "delivered_at": None}},
    ],
)
def test_empty_histories(payload: dict[str, Any]) -> None:
    """The message that tests a webhook has no label; a label without milestones has no events."""
    assert recognise(payload) == "melhor_envio"
    reading = read("melhor_envio", payload)
    assert (reading.events, reading.problems, reading.notes) == ((), (), ())


def test_polls_and_bad_labels() -> None:
    """A later answer repeats the same events; a bad time or label does not stop the others."""
    first = read("melhor_envio", label()).events
    later = read("melhor_envio", label(status="delivered", delivered_at="2026-09-14 10:21:00")).events
    assert [event.event_id for event in first] == [event.event_id for event in later][:1]
    reading = read("melhor_envio", label(generated_at="ontem") | {"x": {"error": "?"}})
    assert statuses(reading) == ["in_transit"]
    assert [problem.place for problem in reading.problems] == [
        "00000000-0000-4000-8000-000000000080.generated_at",
        "x.status",
    ]


@pytest.mark.parametrize("payload", [{}, {"x": 1}, "[[]]", {"event": {}, "data": {"id": 1}}])
def test_another_shape(payload: Any) -> None:
    """A payload of another shape is refused, with the name of the source."""
    with pytest.raises(PayloadError, match=r"melhor_envio: .*another shape; expected: a webhook with event and data"):
        read("melhor_envio", payload)
