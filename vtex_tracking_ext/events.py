"""The values that go in and out of a client: updates, receipts, packages, and the events of hooks.

They are immutable, and nothing is checked here: a client checks an update when it sends it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Literal, cast

from attrs import field, frozen

from .errors import Operation, VtexTrackingError  # noqa: TC001 - keeps the annotations of AttemptEvent resolvable
from .text import plain

#: A date as a caller may give it: a date, a datetime (a subclass of date), or text.
DateLike = dt.date | str


def _plain_text(value: str) -> str:
    return value if type(value) is str else plain(value)


def _plain_date(value: DateLike) -> DateLike:
    return value if type(value) is str else plain(value)


def _plain_date_or_none(value: DateLike | None) -> DateLike | None:
    return value if value is None else _plain_date(value)


@frozen
class TrackingEvent:
    """One event in the transport of a package.

    The values are checked when the update is sent, so that one error lists all problems. The maximum lengths are those
    of openapi.yaml, by way of ``vtex_oms_client.constants``.

    Attributes:
        date: Local calendar day of the event, as the carrier wrote it: a date, a datetime (only its day is sent; no
            time zone is converted) or text ``yyyy-mm-dd``. VTEX documents this format.
        description: Text that the shopper reads; from 1 to ``EVENT_DESCRIPTION_MAX_LENGTH`` characters. VTEX's
            guide on order tracking states the maximum.
        city: City, or empty if unknown.
        state: State, such as ``RJ``, or empty if unknown.
    """

    date: DateLike = field(converter=_plain_date)
    description: str = field(converter=_plain_text)
    city: str = field(default="", converter=_plain_text)
    state: str = field(default="", converter=_plain_text)


def _as_tuple(events: Iterable[TrackingEvent]) -> tuple[TrackingEvent, ...]:
    if type(events) is tuple:
        return events
    value: object = events  # may be anything; a value that is not a series of events is kept, and refused on sending
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        return tuple(value)
    return cast("tuple[TrackingEvent, ...]", value)


@frozen
class TrackingUpdate:
    """One call of VTEX's tracking API: events to add to a package, or its delivery, or both.

    Attributes:
        order_id: Id of the order in the account that fulfils it, such as ``1172452900788-01``.
        invoice_number: Invoice number of the package. It is text, because leading zeros count.
        events: Events, oldest first. VTEX adds them on every call; it has no idempotency key.
        is_delivered: Whether the package has reached the shopper or the pickup point. Treat it as final: VTEX documents
            no way to undo it.
        delivered_date: Date of the delivery: a datetime (sent as ``yyyy-mm-dd hh:mm``; no time zone is converted), a
            date (sent as ``yyyy-mm-dd``), or text in one of these formats. Only with ``is_delivered``, and not in the
            future: both are rules of this package.
    """

    order_id: str = field(converter=_plain_text)
    invoice_number: str = field(converter=_plain_text)
    events: tuple[TrackingEvent, ...] = field(default=(), converter=_as_tuple)
    is_delivered: bool = False
    delivered_date: DateLike | None = field(default=None, converter=_plain_date_or_none)


@frozen
class TrackingReceipt:
    """Confirmation that VTEX accepted a change. The order shows the change some seconds later (seen).

    Attributes:
        date: Time at which VTEX accepted the change, with VTEX's offset, to the microsecond (VTEX sends seven fraction
            digits); None if the response does not contain it.
        order_id: Order id in the response, or None.
        receipt: VTEX's id of the acceptance, 32 hexadecimal digits, or None.
        headers: Response headers, with lower-case names.
        attempts: Number of requests that were begun for the call.
        applied: Always True: a receipt exists only for an applied change.
        note: What is unusual about the response, such as an unreadable receipt or the id of another order, or None.
        confirmed_by: ``answer`` if VTEX's response confirmed the change; ``reading`` if no usable response arrived and
            the order, read back, shows the change.
    """

    date: dt.datetime | None
    order_id: str | None
    receipt: str | None
    headers: Mapping[str, str] = field(factory=dict, repr=False, hash=False)
    attempts: int = 1
    applied: Literal[True] = True
    note: str | None = None
    confirmed_by: Literal["answer", "reading"] = "answer"


@frozen
class PackageEvent:
    """A tracking event as the order shows it.

    Attributes:
        date: Calendar day of the event, ``yyyy-mm-dd``, or empty if VTEX sends none.
        description: Text that the shopper reads.
        city: City, or empty.
        state: State, or empty.
        last_change: VTEX's ``lastChange``, as stored, or None.
        create_date: VTEX's ``createDate``, as stored, or None. VTEX does not document which of the two is the event's.
    """

    date: str
    description: str
    city: str = ""
    state: str = ""
    last_change: str | None = None
    create_date: str | None = None


@frozen
class Package:
    """One package of an order, which has one invoice.

    Attributes:
        invoice_number: Invoice number, or None if VTEX sends none.
        type: ``Output`` for a package on its way to the shopper, ``Input`` for a return; other values are possible.
        tracking_number: The carrier's tracking number, or None if none is registered.
        tracking_url: URL at which the shopper follows the package, or None.
        courier: Name of the carrier, or None.
        finished: Whether the package was reported as delivered. VTEX's ``status`` is of no use: it stays ``unknown``.
        delivered_date: Date of the delivery as VTEX stored it, in an undocumented format and time zone, or None.
        events: Events, newest first, in VTEX's order.
        invoice_key: Key of the invoice as the merchant gave it to VTEX, such as the 44 digits of a Brazilian NF-e; or
            None.
        issuance_date: When the merchant issued the invoice, as VTEX stored it (ISO 8601, VTEX documentation), or None.
    """

    invoice_number: str | None
    type: str | None
    tracking_number: str | None
    tracking_url: str | None
    courier: str | None
    finished: bool
    delivered_date: str | None
    events: tuple[PackageEvent, ...]
    invoice_key: str | None = None
    issuance_date: str | None = None


@frozen
class AttemptEvent:
    """One finished request, as given to the ``on_attempt`` hooks. It holds no credential and no body.

    Its repr shows no order and no invoice, because they may be personal data where it is logged. ``error`` names them.

    Attributes:
        method: HTTP method.
        path: Path template of openapi.yaml, without the ids.
        server: URL of the server, without the path.
        attempt: Number of the request within its call, from 1.
        started: Start of the request, with a time zone.
        call_started: Start of the call's first request, with a time zone.
        seconds: Duration of the request.
        status_code: HTTP status, or None if there was no response.
        request_id: Id by which VTEX's support can find the request, or None.
        error: Error of the request, or None if it was accepted; ``error.applied`` tells whether the change was applied.
        retry_in: Seconds until the next attempt, or None if this was the last one.
        account: The VTEX account.
        operation: What was called, by the name of the client's method; see :class:`.VtexTrackingError`.
        order_id: The order, or None if the call is not about one.
        invoice_number: The invoice, or None if the call is not about one.
    """

    method: str
    path: str
    server: str
    attempt: int
    started: dt.datetime
    call_started: dt.datetime
    seconds: float
    status_code: int | None = None
    request_id: str | None = None
    error: VtexTrackingError | None = field(default=None, repr=False)
    retry_in: float | None = None
    account: str | None = None
    operation: Operation | None = None
    order_id: str | None = field(default=None, repr=False)
    invoice_number: str | None = field(default=None, repr=False)
