"""The recorded and replayed cases: each is one call of a client and its expected result.

The cases use VTEX's public example values. A recording with another account and order is rewritten to these values.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from vtex_tracking_ext import FeedConfiguration, TrackingEvent, TrackingUpdate

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext import TrackingClient

Target = Literal["real", "prism", "sandbox"]
TARGETS: tuple[Target, ...] = ("real", "prism", "sandbox")
BOTH: tuple[Target, ...] = ("prism", "sandbox")

ACCOUNT = "apiexamples"
ORDER, INVOICE = "1172452900788-01", "000030711"
UNKNOWN_ORDER = "9999999999999-01"

COLLECTED = TrackingEvent(dt.date(2015, 6, 23), "Coletado pela transportadora", "Rio de Janeiro", "RJ")
#: The configuration to store, and the one of VTEX's example, which it replaces at Prism.
FEED = FeedConfiguration(["invoiced", "canceled"])
EXAMPLE_FEED = FeedConfiguration([], 240, 345_600, "FromOrders", 'status = "payment-pending"')
HANDLE = "ED423DDED4C1AE580CADAC1A4D02DA3F.1"
PERIOD = (dt.datetime(2022, 1, 1, tzinfo=dt.UTC), dt.datetime(2100, 1, 1, tzinfo=dt.UTC))

MOVING = TrackingEvent(dt.date(2015, 6, 24), "A caminho de Curitiba", "Sao Paulo", "SP")


@frozen
class Case:
    """One case, which has one cassette per target.

    Attributes:
        name: The name of the case and of its cassettes.
        call: Makes the call with a client, an order id and an invoice number.
        targets: The servers to record from. The real VTEX gets no delivery and no tracking number. Its feed is not
            read, because that hides items from others who use the key, and its order list names other orders.
        error: Name of the expected error, or None.
        credentials: ``good``, ``wrong`` for an unknown token, ``reader`` for a read-only key.
        rate_limit: Rate limit of the sandbox in calls per minute, or None.
        requests: Number of requests that the call makes.
        has_feed: Whether the sandbox's key has a feed, with an item for the order.
        is_expected: Whether a result other than a receipt is what the call returns.
    """

    name: str
    call: Callable[[TrackingClient, str, str], Any]
    targets: tuple[Target, ...]
    error: str | None = None
    credentials: Literal["good", "wrong", "reader"] = "good"
    rate_limit: int | None = None
    requests: int = 1
    has_feed: bool = False
    is_expected: Callable[[Any], object] = bool


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


def _read_feed(client: TrackingClient, _: str, __: str) -> Any:
    return client.read_feed()


def _commit_feed(client: TrackingClient, _: str, __: str) -> Any:
    return client.commit_feed([HANDLE])


def _feed_configuration(client: TrackingClient, _: str, __: str) -> Any:
    return client.get_feed_configuration()


def _configure_feed(client: TrackingClient, _: str, __: str) -> Any:
    return client.configure_feed(FEED, replaces=EXAMPLE_FEED)


def _list_orders(client: TrackingClient, _: str, __: str) -> Any:
    return client.list_orders(invoiced=PERIOD, status="invoiced")


CASES = (
    Case("update", _update, TARGETS),
    Case("two_events", _two_events, BOTH),
    Case("delivery", _delivery, BOTH),
    Case("tracking_number", _tracking_number, BOTH),
    Case("packages", _packages, TARGETS, is_expected=lambda found: found[0].invoice_number),
    Case("read_feed", _read_feed, BOTH, has_feed=True, is_expected=lambda found: found[0].order_id),
    Case("commit_feed", _commit_feed, BOTH, has_feed=True, is_expected=lambda found: found is None),
    Case("feed_configuration", _feed_configuration, BOTH, has_feed=True, is_expected=lambda found: found.retention),
    Case("configure_feed", _configure_feed, BOTH, requests=2, is_expected=FEED.__eq__),
    Case("list_orders", _list_orders, BOTH, is_expected=lambda found: found.order_ids),
    Case("no_feed", _read_feed, ("sandbox",), error="NotFoundError"),
    Case("unauthorized", _update, ("real", "sandbox"), error="AuthenticationError", credentials="wrong"),
    Case("forbidden", _update, ("sandbox",), error="PermissionDeniedError", credentials="reader"),
    Case("not_found", _unknown_order, ("real", "sandbox"), error="NotFoundError"),
    Case("rate_limited", _update, ("sandbox",), error="RateLimitedError", rate_limit=0),
)
