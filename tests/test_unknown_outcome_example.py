"""An example for users: a webhook handler, and its own tests of outcomes that are unknown.

A carrier posts each event of a parcel to :func:`carrier_webhook`, a view as Django has them. The view sends the event
to VTEX. If the connection breaks, the view cannot know whether the event is on the order, and must not send it again:
the shopper would see it twice. Instead it keeps the update, and :func:`settle`, a job that runs some minutes later,
reads the order. The tests let the sandbox break the connection, and look at what the shopper sees.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from attrs import frozen

from vtex_tracking_ext import OutcomeUnknownError, TrackingClient, TrackingEvent, TrackingUpdate, VtexTrackingError

if TYPE_CHECKING:
    from vtex_tracking_ext.testing import VtexSandbox

ORDER, INVOICE = "1172452900788-01", "000030711"
PICKUP = TrackingEvent("2015-06-23", "Coletado", "Rio de Janeiro", "RJ")


# --- Your code: a view, and a job. ---


@frozen
class HttpRequest:
    """Stands for Django's class."""

    body: bytes


@frozen
class HttpResponse:
    """Stands for Django's class."""

    status: int


#: Stands for a table of your database: each update that was sent, with ``applied`` or ``unknown``.
States = dict[TrackingUpdate, str]


def carrier_webhook(request: HttpRequest, client: TrackingClient, states: States) -> HttpResponse:
    """Send the event that a carrier posts. With 503, the carrier posts it again later."""
    parcel = json.loads(request.body)
    event = TrackingEvent(parcel["day"], parcel["text"], parcel["city"], parcel["state"])
    update = TrackingUpdate(parcel["order"], parcel["invoice"], [event])
    if update in states:
        return HttpResponse(200)  # the carrier posts it again
    try:
        client.send(update)
    except OutcomeUnknownError:
        states[update] = "unknown"  # it may be on the order: do not send it again
    except VtexTrackingError:
        return HttpResponse(503)  # it is certainly not on the order
    else:
        states[update] = "applied"
    return HttpResponse(200)


def settle(client: TrackingClient, states: States) -> None:
    """Find out what happened to the updates of unknown outcome. VTEX shows an event some seconds after accepting it."""
    for update in [update for update, state in states.items() if state == "unknown"]:
        was_applied = client.was_applied(update)
        if was_applied is None:
            continue  # the order cannot be read now
        if not was_applied:
            client.send(update)
        states[update] = "applied"


# --- Your tests. ---

REQUEST = HttpRequest(
    json.dumps(
        {
            "order": ORDER,
            "invoice": INVOICE,
            "day": "2015-06-23",
            "text": "Coletado",
            "city": "Rio de Janeiro",
            "state": "RJ",
        }
    ).encode()
)


@pytest.mark.parametrize("after_applying", [True, False])
def test_an_event_is_shown_once_although_its_answer_is_lost(vtex_sandbox: VtexSandbox, after_applying: bool) -> None:
    """The connection breaks after VTEX has applied the update, or before. The view cannot tell; the job can."""
    vtex_sandbox.add_order(ORDER, [INVOICE])
    client, states = vtex_sandbox.client, States()

    vtex_sandbox.cut_next(after_applying=after_applying)
    assert carrier_webhook(REQUEST, client, states).status == 200
    assert list(states.values()) == ["unknown"]
    assert carrier_webhook(REQUEST, client, states).status == 200  # the carrier posts it again: nothing is sent
    assert len(vtex_sandbox.events(ORDER, INVOICE)) == (1 if after_applying else 0)

    settle(client, states)
    assert list(states.values()) == ["applied"]
    vtex_sandbox.assert_events(ORDER, INVOICE, [PICKUP])
    vtex_sandbox.assert_no_duplicates()


def test_the_job_waits_while_the_order_cannot_be_read(vtex_sandbox: VtexSandbox) -> None:
    """An answer 500 to the update is no answer, and while VTEX does not let the order be read, nothing is sent."""
    vtex_sandbox.add_order(ORDER, [INVOICE])
    client, states = vtex_sandbox.client, States()

    vtex_sandbox.fail_next(500, after_applying=True)
    vtex_sandbox.fail_next(403, operation="get_packages")
    carrier_webhook(REQUEST, client, states)
    settle(client, states)
    assert list(states.values()) == ["unknown"]
    settle(client, states)
    assert list(states.values()) == ["applied"]
    vtex_sandbox.assert_events(ORDER, INVOICE, [PICKUP])


def test_a_client_can_read_the_order_itself(vtex_sandbox: VtexSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``on_unknown="check"``, the view waits until the order shows the event, and the update is applied."""
    vtex_sandbox.add_order(ORDER, [INVOICE])
    for name, value in vtex_sandbox.environ.items():
        monkeypatch.setenv(name, value)
    states = States()

    vtex_sandbox.cut_next()
    with TrackingClient.from_env(on_unknown="check", timeout=3) as client:
        assert carrier_webhook(REQUEST, client, states).status == 200
    assert list(states.values()) == ["applied"]
    vtex_sandbox.assert_events(ORDER, INVOICE, [PICKUP])


def test_a_refusal_is_no_unknown_outcome(vtex_sandbox: VtexSandbox) -> None:
    """Nothing was applied: the carrier posts the event again, and then it is sent."""
    vtex_sandbox.add_order(ORDER, [INVOICE])
    client, states = vtex_sandbox.client, States()

    vtex_sandbox.fail_next(403)
    assert carrier_webhook(REQUEST, client, states).status == 503
    assert carrier_webhook(REQUEST, client, states).status == 200
    vtex_sandbox.assert_events(ORDER, INVOICE, [PICKUP])
