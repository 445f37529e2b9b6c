"""What is recorded and replayed: each case is one call of a client, and what must come of it.

The cases use VTEX's public example values; recording against another account and order replaces those, and the
cassette has the example values again.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from vtex_tracking_ext import TrackingEvent, TrackingUpdate

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext import TrackingClient

Target = Literal["real", "prism", "sandbox"]
TARGETS: tuple[Target, ...] = ("real", "prism", "sandbox")

ACCOUNT = "apiexamples"
ORDER, INVOICE = "1172452900788-01", "000030711"
UNKNOWN_ORDER = "9999999999999-01"

COLLECTED = TrackingEvent(dt.date(2015, 6, 23), "Coletado pela transportadora", "Rio de Janeiro", "RJ")
MOVING = TrackingEvent(dt.date(2015, 6, 24), "A caminho de Curitiba", "Sao Paulo", "SP")


@frozen
class Case:
    """One cassette.

    Attributes:
        name: Its name, and the cassette's.
        call: What is done with a client, an order id and an invoice number.
        targets: The servers that can answer it. Nothing that delivers, or overwrites a tracking number, is sent
            to the real VTEX.
        error: Name of the error it ends in, or None.
        credentials: ``good``, ``wrong`` for a token nobody knows, ``reader`` for a key that may not write.
        rate_limit: Calls a minute that the sandbox allows, or None.
    """

    name: str
    call: Callable[[TrackingClient, str, str], Any]
    targets: tuple[Target, ...]
    error: str | None = None
    credentials: Literal["good", "wrong", "reader"] = "good"
    rate_limit: int | None = None


def _update(client: TrackingClient, order_id: str, invoice_number: str) -> Any:
    return client.update(order_id, invoice_number, events=[COLLECTED])


def _two_events(client: TrackingClient, order_id: str, invoice_number: str) -> Any:
    return client.send(TrackingUpdate(order_id, invoice_number, [COLLECTED, MOVING]))


def _delivery(client: TrackingClient, order_id: str, invoice_number: str) -> Any:
    moment = dt.datetime(2022, 10, 1, 21, 15)  # noqa: DTZ001 - VTEX's own example, a local time
    return client.mark_delivered(order_id, invoice_number, delivered_date=moment, events=[COLLECTED, MOVING])


def _tracking_number(client: TrackingClient, order_id: str, invoice_number: str) -> Any:
    return client.set_tracking_number(
        order_id,
        invoice_number,
        tracking_number="87658",
        tracking_url="https://www.tracking.com/url",
        courier="carrierOne",
        dispatched_date="2022-02-08T13:16:13.4617653+00:00",
    )


def _packages(client: TrackingClient, order_id: str, _: str) -> Any:
    return client.get_packages(order_id)


def _unknown_order(client: TrackingClient, _: str, invoice_number: str) -> Any:
    return client.update(UNKNOWN_ORDER, invoice_number, events=[COLLECTED])


CASES = (
    Case("update", _update, TARGETS),
    Case("two_events", _two_events, ("prism", "sandbox")),
    Case("delivery", _delivery, ("prism", "sandbox")),
    Case("tracking_number", _tracking_number, ("prism", "sandbox")),
    Case("packages", _packages, TARGETS),
    Case("unauthorized", _update, ("real", "sandbox"), error="AuthenticationError", credentials="wrong"),
    Case("forbidden", _update, ("sandbox",), error="PermissionDeniedError", credentials="reader"),
    Case("not_found", _unknown_order, ("real", "sandbox"), error="NotFoundError"),
    Case("rate_limited", _update, ("sandbox",), error="RateLimitedError", rate_limit=0),
)
