"""What travels: tracking updates to VTEX, receipts and packages back. Frozen values, no checks, no I/O."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Literal, cast

from attrs import field, frozen

from .errors import VtexTrackingError  # noqa: TC001 - an annotation that attrs keeps
from .text import plain

#: A day as a caller may write it: a date, a datetime (which is a date to Python), or text.
When = dt.date | str


def _text(value: str) -> str:
    return value if type(value) is str else plain(value)


def _when(value: When) -> When:
    return value if type(value) is str else plain(value)


def _when_or_none(value: When | None) -> When | None:
    return plain(value)


@frozen
class TrackingEvent:
    """One thing that happened to a package.

    Values are checked when an update is sent, not here, so that all problems can be told at once.

    Attributes:
        date: Calendar day of the event as the carrier wrote it: a date, a datetime (its own day counts, it is
            never shifted to another time zone) or text ``yyyy-mm-dd``.
        description: What the shopper reads; not empty, and at most as many characters as openapi.yaml says
            (``vtex_oms_client.constants.EVENT_DESCRIPTION_MAX_LENGTH``).
        city: City, or empty where the carrier does not tell.
        state: State, such as ``RJ``, or empty.
    """

    date: When = field(converter=_when)
    description: str = field(converter=_text)
    city: str = field(default="", converter=_text)
    state: str = field(default="", converter=_text)


def _as_tuple(events: Iterable[TrackingEvent]) -> tuple[TrackingEvent, ...]:
    if type(events) is tuple:
        return events
    given: object = events  # whatever a caller gave: what is no series of events stays, to be refused by its name
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping):
        return tuple(given)
    return cast("tuple[TrackingEvent, ...]", given)


@frozen
class TrackingUpdate:
    """One call: events to add to a package, and perhaps its delivery.

    Attributes:
        order_id: Order id in the account that fulfils the order, such as ``1172452900788-01``.
        invoice_number: Invoice number of the package; text, because leading zeros count.
        events: The events, oldest first. VTEX appends them on every call.
        is_delivered: Whether the package reached the shopper or the pickup point. Treat it as final: nothing
            public shows that it can be taken back.
        delivered_date: When it was delivered: a datetime (sent as ``yyyy-mm-dd hh:mm``, never shifted), a date
            (sent as ``yyyy-mm-dd``) or such a text. Only with ``is_delivered``, and never in the future.
    """

    order_id: str = field(converter=_text)
    invoice_number: str = field(converter=_text)
    events: tuple[TrackingEvent, ...] = field(default=(), converter=_as_tuple)
    is_delivered: bool = False
    delivered_date: When | None = field(default=None, converter=_when_or_none)


@frozen
class TrackingReceipt:
    """VTEX's word that a change was accepted. The order shows it some seconds later.

    Attributes:
        date: When VTEX accepted it, with VTEX's offset; Python keeps six of its seven fraction digits. None
            where the answer did not tell.
        order_id: The order VTEX speaks of, or None where the answer did not tell.
        receipt: VTEX's id of the acceptance, 32 hex digits, or None.
        headers: Headers of the answer, names in lower case.
        attempts: How many requests were begun for this call.
        applied: Always True: a receipt exists only for what was applied.
        note: None, or what is odd about the answer: no readable receipt in it, another order's id.
        confirmed_by: ``answer``, or ``reading`` where no answer came and the order was read back instead.
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
        date: Calendar day of the event, ``yyyy-mm-dd``, or empty where VTEX does not tell.
        description: What the shopper reads.
        city: City, or empty.
        state: State, or empty.
        last_change: VTEX's ``lastChange``, as stored, or None.
        create_date: VTEX's ``createDate``, as stored, or None.
    """

    date: str
    description: str
    city: str = ""
    state: str = ""
    last_change: str | None = None
    create_date: str | None = None


@frozen
class Package:
    """A package of an order: one invoice.

    Attributes:
        invoice_number: Invoice number, or None where VTEX does not tell.
        type: ``Output`` on its way to the shopper, ``Input`` for a return; other values may come.
        tracking_number: The carrier's number, or None while none is registered.
        tracking_url: Where the shopper follows the package, or None.
        courier: Name of the carrier, or None.
        finished: Whether it was reported as delivered. VTEX's ``status`` tells nothing: it stays ``unknown``.
        delivered_date: When, as VTEX stored it: the format and the time zone are undocumented. Or None.
        events: Its events, newest first, as VTEX shows them.
    """

    invoice_number: str | None
    type: str | None
    tracking_number: str | None
    tracking_url: str | None
    courier: str | None
    finished: bool
    delivered_date: str | None
    events: tuple[PackageEvent, ...]


@frozen
class AttemptEvent:
    """One request that has ended.

    Attributes:
        method: HTTP method.
        path: Path template of openapi.yaml; the ids are not in it.
        server: Address under which the paths of openapi.yaml begin.
        attempt: Which try of the call it was, from 1.
        started: When it began, aware.
        call_started: When the call began: the first try, or the same time.
        seconds: How long it took.
        status_code: HTTP status, or None where no answer came.
        request_id: What VTEX's support asks for, or None.
        error: What it ended in, or None where it was accepted. ``error.applied`` tells whether it took effect.
        retry_in: Seconds until the next try, or None where it was the last.
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
