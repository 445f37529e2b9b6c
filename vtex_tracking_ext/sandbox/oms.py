"""The rules of the sandbox's order system. In memory and thread-safe, without HTTP; the clock is a parameter."""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from attrs import Factory, define, field, frozen

from .faults import Faults
from .feed import Feed, StatusChange
from .order_list import list_orders
from .orders import Change, Order, Package, timestamp
from .received import ReceivedRequest, ReceivedRequests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: Order states that refuse tracking updates (guess: not documented).
_CLOSED: Final = frozenset({"canceled", "cancel"})


class OmsError(Exception):
    """A refusal, with the HTTP status and the code and message of OMS's envelope."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


@frozen
class OmsSettings:
    """Settings of the sandbox; they may be replaced while it runs.

    Attributes:
        rate_limit: Maximum calls per window, all credentials together, or None for no limit.
        rate_window: Length of the window in seconds.
        retry_after: Seconds in ``Retry-After`` of a 429, or None for no such header.
        show_after: Seconds until an accepted change is shown on the order. VTEX: about 6 (observed).
        list_after: Seconds until a changed order is in the order list. VTEX: about 240 (documented).
    """

    rate_limit: int | None = None
    rate_window: float = 60.0
    retry_after: int | None = None
    show_after: float = 0.0
    list_after: float = 0.0


@define
class Oms:
    """The order system.

    Attributes:
        settings: Its behaviour.
        clock: Seconds since the epoch.
        orders: The orders by id.
        feeds: The feeds by app key; each key has one at most (VTEX's guide on Feed v3).
        received: The most recent requests, oldest first.
        faults: What goes wrong with the next requests.
        fill: Adds the orders that it has at the start; :meth:`reset` calls it.
    """

    settings: OmsSettings = Factory(OmsSettings)
    clock: Callable[[], float] = time.time
    orders: dict[str, Order] = Factory(dict)
    feeds: dict[str, Feed] = Factory(dict)
    received: deque[ReceivedRequest] = Factory(ReceivedRequests)
    faults: Faults = Factory(Faults)
    fill: Callable[[Oms], None] = lambda _: None
    _first_settings: OmsSettings = field(init=False, default=Factory(lambda self: self.settings, takes_self=True))
    _calls: deque[float] = Factory(deque)
    _lock: threading.RLock = Factory(threading.RLock)

    def reset(self) -> None:
        """Return to the start: the first orders and settings, no requests, no feeds, and no faults."""
        with self._lock:
            self.orders.clear()
            self.feeds.clear()
            self.received.clear()
            self.faults.clear()
            self._calls.clear()
            self.settings = self._first_settings
            self.fill(self)

    def add_order(
        self,
        order_id: str,
        invoices: Iterable[str] = (),
        *,
        status: str = "invoiced",
        tracking_number: str | None = "BR000000000BR",
        courier: str | None = "Correios",
        returns: Iterable[str] = (),
        invoice_keys: Mapping[str, str] | None = None,
        at: float | None = None,
    ) -> Order:
        """Add an order with a package for each invoice, and for each return; feeds get an item for its status.

        Args:
            order_id: The order id.
            invoices: Invoice numbers of the packages to the shopper.
            status: The status that the order has reached.
            tracking_number: Tracking number of each of these packages, or None.
            courier: Their carrier.
            returns: Invoice numbers of returns.
            invoice_keys: Invoice number -> key of the invoice.
            at: When all of this happened, in seconds since the epoch; now, unless given.
        """
        with self._lock:
            now, keys = self.clock() if at is None else at, invoice_keys or {}
            # The status before is a guess: an order passes through many.
            order = Order(order_id, StatusChange(order_id, status, now, "order-created", now), now)
            order.sequence = str(500_000 + len(self.orders))
            for invoice in invoices:
                self._add_package(order, invoice, tracking_number, courier, keys.get(invoice), now)
            for invoice in returns:
                order.packages[invoice] = Package(invoice, "Input", keys.get(invoice), now)
            self.orders[order_id] = order
            self._status_changed(order, now)
        return order

    def add_invoice(
        self,
        order_id: str,
        invoice: str,
        *,
        tracking_number: str | None = "BR000000000BR",
        courier: str | None = "Correios",
        invoice_key: str | None = None,
    ) -> None:
        """Add a package to an order. Feeds get another item ``invoiced`` (VTEX's FAQ on ERP integration)."""
        with self._lock:
            self._add_package(self.orders[order_id], invoice, tracking_number, courier, invoice_key, self.clock())
            self.change_status(order_id, "invoiced")

    def change_status(self, order_id: str, status: str) -> None:
        """Change the status of an order. Feeds get an item, also if it had that status before."""
        with self._lock:
            order, now = self.orders[order_id], self.clock()
            order.change = StatusChange(order_id, status, now, order.change.state, order.change.at)
            self._status_changed(order, now)

    def count_call(self) -> None:
        """Count a call against the account's limit.

        Raises:
            OmsError: 429; a refused call is not counted.
        """
        with self._lock:
            now = self.clock()
            while self._calls and self._calls[0] <= now - self.settings.rate_window:
                self._calls.popleft()
            limit = self.settings.rate_limit
            if limit is not None and len(self._calls) >= limit:
                seconds = self.settings.retry_after
                raise OmsError(
                    429, "429", "Too many requests.", {} if seconds is None else {"Retry-After": str(seconds)}
                )
            self._calls.append(now)

    def update_tracking_status(self, order_id: str, invoice_number: str, body: Mapping[str, Any]) -> dict[str, str]:
        """Append events, and the delivery if there is one; repeated calls append again (observed).

        Raises:
            OmsError: 404 for an unknown order or invoice; 409 for a closed order (OMS003), or an invoice without
                a tracking number (guess: VTEX requires one, but does not document the error).
        """
        with self._lock:
            order, package = self._find(order_id, invoice_number)
            if package.shown(float("inf"))["trackingNumber"] is None:
                raise OmsError(409, "OMS003", "The invoice has no tracking number.")
            events = tuple(dict(event) for event in body["events"])
            package.changes.append(
                Change(self.clock(), events, delivered=body["isDelivered"], delivered_date=body["deliveredDate"])
            )
            return self._receipt(order)

    def send_tracking_number(self, order_id: str, invoice_number: str, body: Mapping[str, Any]) -> dict[str, str]:
        """Replace the tracking number, URL and courier; null deletes a value.

        Raises:
            OmsError: 404 and 409 as for an update.
        """
        with self._lock:
            order, package = self._find(order_id, invoice_number)
            package.changes.append(Change(self.clock(), numbers=dict(body)))
            return self._receipt(order)

    def get_order(self, order_id: str) -> dict[str, Any]:
        """Return an order by its id, or by ``seq`` and its sequence (VTEX documentation).

        Raises:
            OmsError: 404.
        """
        with self._lock:
            sequence = order_id.removeprefix("seq")
            found = self.orders.get(order_id) or next(
                (o for o in self.orders.values() if order_id.startswith("seq") and o.sequence == sequence), None
            )
            if found is None:
                raise OmsError(404, "OMS001", "Order Not Found")
            return found.shown(self.clock() - self.settings.show_after)

    def all_orders(self) -> list[dict[str, Any]]:
        """Return all orders as :meth:`get_order` does."""
        with self._lock:
            shown = self.clock() - self.settings.show_after
            return [order.shown(shown) for order in self.orders.values()]

    def list_orders(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return a page of the order list; see :func:`.check_list_query` for its limits."""
        with self._lock:
            shown = self.clock() - self.settings.list_after
            orders = [order for order in self.orders.values() if order.change.at <= shown]
            return list_orders(orders, query)

    def configure_feed(self, key: str, configuration: Mapping[str, Any]) -> None:
        """Create the feed of an app key, or replace its configuration."""
        with self._lock:
            now = self.clock()
            if key not in self.feeds or self.feeds[key].is_removed(now):
                self.feeds[key] = Feed({}, 0, 0, now)
            self.feeds[key].configure(configuration, now)

    def get_feed_configuration(self, key: str) -> dict[str, Any]:
        """Return the configuration of an app key's feed.

        Raises:
            OmsError: 404: the key has no feed.
        """
        with self._lock:
            return self._feed(key).shown(self.clock())

    def read_feed(self, key: str, count: int) -> list[dict[str, str]]:
        """Return at most ``count`` items of an app key's feed, and hide them. Raises like the above."""
        with self._lock:
            return self._feed(key).read(count, self.clock())

    def commit_feed(self, key: str, handles: Iterable[str]) -> None:
        """Remove items from an app key's feed. Raises like the above."""
        with self._lock:
            self._feed(key).commit(handles, self.clock())

    def applied(self, order_id: str, invoice_number: str) -> list[dict[str, str]]:
        """Return the recorded events, oldest first, including those not shown yet."""
        with self._lock:
            package = self.orders[order_id].packages[invoice_number]
            return [dict(event) for change in package.changes for event in change.events]

    def _add_package(
        self, order: Order, invoice: str, tracking_number: str | None, courier: str | None, key: str | None, now: float
    ) -> None:
        package = order.packages[invoice] = Package(invoice, "Output", key, now)
        if tracking_number is not None:
            package.changes.append(Change(0.0, numbers={"trackingNumber": tracking_number, "courier": courier}))

    def _status_changed(self, order: Order, now: float) -> None:
        if order.status == "invoiced":
            order.invoiced_at = now
        for feed in self.feeds.values():
            feed.add(order.change, now)

    def _feed(self, key: str) -> Feed:
        feed = self.feeds.get(key)
        if feed is None or feed.is_removed(self.clock()):
            raise OmsError(404, "404", "Value not found.")
        return feed

    def _find(self, order_id: str, invoice_number: str) -> tuple[Order, Package]:
        order = self.orders.get(order_id)
        if order is None:
            raise OmsError(404, "OMS001", "Order Not Found")
        package = order.packages.get(invoice_number)
        if package is None or package.type != "Output":
            raise OmsError(404, "OMS007", "Invoice Not Found")
        if order.status in _CLOSED:
            raise OmsError(409, "OMS003", "The order's status does not allow this operation.")
        return order, package

    def _receipt(self, order: Order) -> dict[str, str]:
        return {"date": timestamp(self.clock()), "orderId": order.order_id, "receipt": uuid.uuid4().hex}
