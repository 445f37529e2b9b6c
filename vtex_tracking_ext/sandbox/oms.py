"""The sandbox's orders, packages and rules. In memory and thread-safe, without HTTP; the clock is a parameter."""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from attrs import Factory, define, field, frozen

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
    """

    rate_limit: int | None = None
    rate_window: float = 60.0
    retry_after: int | None = None
    show_after: float = 0.0


@frozen
class ReceivedRequest:
    """A request without its credentials, with the status of its response."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int


@frozen
class _Change:
    """An accepted change of a package: events, a delivery, or a tracking number."""

    at: float
    events: tuple[dict[str, str], ...] = ()
    delivered: bool = False
    delivered_date: str | None = None
    numbers: Mapping[str, str | None] | None = None


@define
class Package:
    """An invoice of an order."""

    invoice_number: str
    type: str = "Output"
    changes: list[_Change] = Factory(list)

    def shown(self, until: float) -> dict[str, Any]:
        """Return the package as GET returns it, with the changes accepted up to a time."""
        numbers: dict[str, str | None] = {"trackingNumber": None, "trackingUrl": None, "courier": None}
        events: list[dict[str, str]] = []
        tracked, finished, delivered_date = False, False, None
        for change in self.changes:
            if change.at > until:
                break
            if change.numbers is not None:
                numbers |= {name: change.numbers.get(name) for name in numbers}
                continue
            tracked = True
            events += [_event_shown(event, change.at) for event in change.events]
            finished = finished or change.delivered  # permanent (guess: no documented way to undo it)
            delivered_date = _moment(change.delivered_date) or delivered_date
        status = {
            "status": "unknown",  # never changes (VTEX documentation)
            "finished": finished,
            "deliveredDate": delivered_date,
            "data": events[::-1],  # newest first (observed)
        }
        return {
            "items": [],
            "invoiceNumber": self.invoice_number,
            "invoiceValue": 10150,
            "invoiceUrl": None,
            "issuanceDate": timestamp(0),
            **numbers,
            "invoiceKey": None,
            "type": self.type,
            "courierStatus": status if tracked else None,
            "cfop": None,
            "volumes": 1,
        }


@define
class Order:
    """An order and its packages."""

    order_id: str
    status: str = "invoiced"
    packages: dict[str, Package] = Factory(dict)
    sequence: str = "500000"

    def shown(self, until: float) -> dict[str, Any]:
        """Return the order as GET returns it."""
        return {
            "orderId": self.order_id,
            "sequence": self.sequence,
            "origin": "Fulfillment",
            "salesChannel": "1",
            "status": self.status,  # a tracking update does not change it (VTEX documentation)
            "value": 10150,
            "creationDate": timestamp(0),
            "orderGroup": self.order_id.rpartition("-")[0] or self.order_id,
            "hostname": "sandbox",
            "isCompleted": True,
            "packageAttachment": {"packages": [package.shown(until) for package in self.packages.values()]},
        }


@define
class Oms:
    """The order system.

    Attributes:
        settings: Its behaviour.
        clock: Seconds since the epoch.
        orders: The orders by id.
        received: The most recent requests, oldest first.
    """

    settings: OmsSettings = Factory(OmsSettings)
    clock: Callable[[], float] = time.time
    orders: dict[str, Order] = Factory(dict)
    received: deque[ReceivedRequest] = field(factory=lambda: deque(maxlen=10_000))
    _calls: deque[float] = Factory(deque)
    _lock: threading.RLock = Factory(threading.RLock)

    def add_order(
        self,
        order_id: str,
        invoices: Iterable[str] = (),
        *,
        status: str = "invoiced",
        tracking_number: str | None = "BR000000000BR",
        courier: str | None = "Correios",
        returns: Iterable[str] = (),
    ) -> Order:
        """Add an order with a package for each invoice, and for each return."""
        order = Order(order_id, status, sequence=str(500_000 + len(self.orders)))
        for invoice in invoices:
            package = order.packages[invoice] = Package(invoice)
            if tracking_number is not None:
                package.changes.append(_Change(0.0, numbers={"trackingNumber": tracking_number, "courier": courier}))
        for invoice in returns:
            order.packages[invoice] = Package(invoice, "Input")
        with self._lock:
            self.orders[order_id] = order
        return order

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
                _Change(self.clock(), events, delivered=body["isDelivered"], delivered_date=body["deliveredDate"])
            )
            return self._receipt(order)

    def send_tracking_number(self, order_id: str, invoice_number: str, body: Mapping[str, Any]) -> dict[str, str]:
        """Replace the tracking number, URL and courier; null deletes a value.

        Raises:
            OmsError: 404 and 409 as for an update.
        """
        with self._lock:
            order, package = self._find(order_id, invoice_number)
            package.changes.append(_Change(self.clock(), numbers=dict(body)))
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

    def applied(self, order_id: str, invoice_number: str) -> list[dict[str, str]]:
        """Return the recorded events, oldest first, including those not shown yet."""
        with self._lock:
            package = self.orders[order_id].packages[invoice_number]
            return [dict(event) for change in package.changes for event in change.events]

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


def timestamp(seconds: float) -> str:
    """Return a time as VTEX writes it: ISO 8601 with seven fraction digits and an offset."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}0+00:00"


def _event_shown(event: Mapping[str, str], at: float) -> dict[str, str]:
    return {
        "lastChange": f"{event['date']}T00:00:00.0000000+00:00",  # guess: the event's day
        "city": event["city"],
        "state": event["state"],
        "description": event["description"],
        "createDate": timestamp(at),
    }


def _moment(text: str | None) -> str | None:
    """Return a delivered date as the order shows it."""
    if text is None:
        return None
    day, _, minute = text.partition(" ")
    return f"{day}T{minute or '00:00'}:00.0000000+00:00"
