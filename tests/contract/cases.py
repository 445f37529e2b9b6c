"""The recorded and replayed cases: each is one call of a client and its expected result.

The cases use VTEX's public example values. A recording with another account and order is rewritten to these values.
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
    """One case, which has one cassette per target.

    Attributes:
        name: The name of the case and of its cassettes.
        call: Makes the call with a client, an order id and an invoice number.
        targets: The servers to record from. The real VTEX gets no delivery and no tracking number.
        error: Name of the expected error, or None.
        credentials: ``good``, ``wrong`` for an unknown token, ``reader`` for a read-only key.
        rate_limit: Rate limit of the sandbox in calls per minute, or None.
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
