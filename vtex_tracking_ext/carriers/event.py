"""Carrier events, and the result of reading a payload. Pure."""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum
from typing import Final

from attrs import field, frozen

_LEADING_ZEROS: Final = re.compile(r"(?<![0-9A-Za-z])0+(?=[0-9])")


def code_key(code: str) -> str:
    """Return the form in which a code is compared: without leading zeros."""
    return _LEADING_ZEROS.sub("", code)


class Status(StrEnum):
    """The meaning of a carrier's code. Only ``DELIVERED`` is reported to VTEX as a delivery."""

    INFO_RECEIVED = "info_received"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPT_FAILED = "attempt_failed"
    AVAILABLE_FOR_PICKUP = "available_for_pickup"
    DELIVERED = "delivered"
    DELIVERED_IN_PART = "delivered_in_part"
    RETURNING = "returning"
    RETURNED = "returned"
    EXCEPTION = "exception"
    CANCELLED = "cancelled"
    CORRECTION = "correction"  #: The carrier declares the event before this one void.
    VOID = "void"  #: An event that the carrier declared void.
    UNKNOWN = "unknown"  #: The code table does not contain the code, or its meaning is unknown.


@frozen(kw_only=True)
class PackageReference:
    """What a payload says to identify a package. A value that the payload does not contain is an empty text.

    Attributes:
        tracking_code: The carrier's tracking code.
        nfe_key: The 44 characters of the NF-e key.
        issuer: The CNPJ of the issuer of the invoice; letters are possible from 2026 on.
        series: The series of the invoice.
        invoice_number: The number of the invoice.
        order_reference: The order id that the shop gave the carrier.
        account: The VTEX account.
        volume: The number of the volume, if an invoice has several.
        volumes: How many volumes the invoice has, if the payload says so.
    """

    tracking_code: str = ""
    nfe_key: str = ""
    issuer: str = ""
    series: str = ""
    invoice_number: str = ""
    order_reference: str = ""
    account: str = ""
    volume: str = ""
    volumes: int | None = None


@frozen
class CarrierEvent(PackageReference):
    """One event of a package, as its carrier reports it.

    The attributes of :class:`PackageReference` identify the package: NF-e key and CNPJ have no punctuation there, and
    series, number and volume have no leading zeros. A value that the source does not have is an empty text. The
    receiver's name and document are never kept.

    Attributes:
        source: The name of the source, such as ``correios``.
        code: The carrier's code, such as ``BDE/01``.
        occurred_at: The time of the event; naive, and then the carrier's local time, if the carrier sends no offset. A
            time in UTC is converted to the zone of the reading, or else of the source.
        status: What the code means.
        is_delivered: Whether this event completes the delivery of the package: its status is ``DELIVERED``, and every
            other volume in the payload was delivered before it.
        description: The text for shoppers: the merchant's own, or else the carrier's.
        city: The city of the event.
        state: The state of the event.
        has_time: Whether ``occurred_at`` has the time of day; otherwise it is midnight.
        takes_back: Whether the event declares a delivery void, or an event that the payload does not contain.
        place: The place of the event in the payload.
        line: The line of the file where the event, or its document, begins.
    """

    source: str
    code: str
    occurred_at: dt.datetime
    status: Status = Status.UNKNOWN
    is_delivered: bool = False
    description: str = ""
    city: str = ""
    state: str = ""
    has_time: bool = True
    takes_back: bool = False
    place: str = field(default="", eq=False)
    line: int = field(default=1, eq=False)

    @property
    def date(self) -> dt.date:
        """The local day of the event."""
        return self.occurred_at.date()

    @property
    def package(self) -> str:
        """The identity of the package: its tracking code, or else its invoice, or else its order id."""
        invoice = self.nfe_key or "-".join(filter(None, (self.issuer, self.series, self.invoice_number)))
        return self.tracking_code or invoice or self.order_reference

    @property
    def event_id(self) -> str:
        """The identity of the event: source, package, code, full time and volume, without its texts."""
        time = self.occurred_at if self.occurred_at.tzinfo is None else self.occurred_at.astimezone(dt.UTC)
        return "|".join((self.source, self.package, code_key(self.code), time.isoformat(), self.volume)).rstrip("|")


@frozen
class ReadingMessage:
    """A message about a part of a payload: a problem, because of which the part was not read, or a note.

    Attributes:
        source: The name of the source.
        place: The place in the payload, such as ``objetos[0].eventos[2].dtHrCriado``.
        message: What is wrong, and what was expected; or the text of the note.
        line: The line of the file where the part, or its document, begins.
    """

    source: str
    place: str
    message: str
    line: int = 1

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.source, self.place, self.message)))


@frozen
class Reading:
    """The events in a payload, and what could not be read.

    Attributes:
        source: The name of the source.
        events: The events, oldest first; events of one time in the order of the history.
        problems: The packages and events that could not be read.
        notes: Messages about what was read, such as packages that the carrier does not know.
        unknown_codes: Codes that the code table does not contain, each once, in the order of the events.
    """

    source: str
    events: tuple[CarrierEvent, ...] = ()
    problems: tuple[ReadingMessage, ...] = ()
    notes: tuple[ReadingMessage, ...] = ()
    unknown_codes: tuple[str, ...] = ()
