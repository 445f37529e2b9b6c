"""What a journal holds: entries, their states and keys. Pure.

A row becomes up to two entries, an event and a delivery. These are the only changes of an entry's state::

    pending --mark_in_flight--> in_flight --record_outcome--> applied | refused | unknown
       ^                            |
       |<------record_outcome-------'   certainly not sent: no connection, 429, stopped
       |<------resolve--- unknown --resolve--> applied    after reading the order, or because a person says so
       |<------retry----- refused                         explicitly, or because the row was pushed again
       '-----withdraw---> refused                         because a person says so, before it was sent
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import unicodedata
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from attrs import evolve, field, frozen
from attrs.converters import optional

from vtex_tracking_ext.call.validation import format_delivered_date, format_event_date
from vtex_tracking_ext.config import defaults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vtex_tracking_ext.bulk.input.rows import Place, Row
    from vtex_tracking_ext.events import TrackingEvent

#: What is known of an entry. ``in_flight`` after a run has ended means that the run was killed: it may have been sent.
State = Literal["pending", "in_flight", "applied", "refused", "unknown"]
STATES: Final[tuple[State, ...]] = defaults.STATES

#: States in which something is left to do.
OPEN_STATES: Final[tuple[State, ...]] = ("pending", "in_flight", "unknown")

#: The outcome of an entry in flight; ``pending``: it was not sent.
Outcome = Literal["applied", "refused", "unknown", "pending"]

#: What an unknown outcome can turn out to be; ``pending``: it was not applied and is to be sent again.
Resolution = Literal["applied", "pending"]

#: What a row meant to the journal, in order of precedence; see :class:`Added`.
AddStatus = Literal["contradicts", "new", "renewed", "known"]
ADD_STATUSES: Final[tuple[AddStatus, ...]] = get_args(AddStatus)

Kind = Literal["event", "delivery"]

#: Returns the current time, aware.
Clock: TypeAlias = "Callable[[], dt.datetime]"

#: Bytes of a key. Two of 10 billion entries collide with probability 1e-19.
KEY_SIZE: Final = 16


#: Returns the current time in UTC.
utc_now: Final[Clock] = functools.partial(dt.datetime.now, dt.UTC)


def _lower(text: str) -> str:
    return text.lower()


def _sorted(ids: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(ids)))


@frozen
class PackageKey:
    """The key of a package, among all accounts.

    Attributes:
        account: The account's name in the journal, in lower case, because host names ignore case.
        order_id: Order id.
        invoice_number: Invoice number.
    """

    account: str = field(converter=_lower)
    order_id: str
    invoice_number: str


@frozen
class Draft:
    """An entry that a row asks for, before a journal has seen it.

    Attributes:
        package: Its package.
        key: Identifies what must not be sent twice; see :func:`entry_key`.
        event: The event as it will be sent, its date as text; None for the delivery.
        delivered_date: When the package was delivered, as it will be sent; None for an event, or if not known.
        place: The place of the row.
    """

    package: PackageKey
    key: bytes
    event: TrackingEvent | None
    delivered_date: str | None
    place: Place


@frozen
class Added:
    """What a row meant to the journal.

    Attributes:
        row: The row.
        status: ``new``: it added an entry. ``renewed``: it made a refused entry pending, or dated a pending delivery.
            ``known``: it has nothing new, and nothing is sent. ``contradicts``: its date of the delivery differs from
            an earlier row's; nothing of it was added, so it can be corrected and pushed again.
        note: Why it contradicts, or which part of it is too late to be sent; otherwise empty.
    """

    row: Row
    status: AddStatus
    note: str = ""


@frozen
class Entry:
    """One event or one delivery, and what is known of it. Times are in UTC.

    Attributes:
        id: Its number in the journal; ids grow in the order of arrival.
        package: Its package.
        event: The event as it is sent, its date as text; None for the delivery.
        delivered_date: When the package was delivered, as it is sent, or None.
        place: The place of the row that added or last renewed it.
        state: What is known of it.
        attempts: How many calls with it were begun.
        status_code: HTTP status of the last answer, or None.
        receipt: VTEX's receipt, or None.
        reason: Why it is refused or unknown or was not sent, or who says that it is applied; otherwise empty.
        added: When it was added.
        begun: When the last call with it was begun, or None.
        settled: When it became applied, refused or unknown; None while it is pending or in flight.
    """

    id: int
    package: PackageKey
    event: TrackingEvent | None
    delivered_date: str | None
    place: Place
    state: State
    attempts: int
    status_code: int | None
    receipt: str | None
    reason: str
    added: dt.datetime
    begun: dt.datetime | None
    settled: dt.datetime | None

    @property
    def kind(self) -> Kind:
        """``event`` or ``delivery``."""
        return "delivery" if self.event is None else "event"


@frozen
class Selection:
    """A filter of entries, which must meet all of its conditions. Without arguments it selects all entries.

    Attributes:
        states: States, any of them.
        account: Account, in any case.
        package: Package.
        ids: Ids, any of them.
    """

    states: tuple[State, ...] = STATES
    account: str | None = field(default=None, converter=optional(_lower))
    package: PackageKey | None = None
    ids: tuple[int, ...] | None = field(default=None, converter=optional(_sorted))

    def matches(self, entry: Entry) -> bool:
        """Return whether an entry meets the conditions."""
        return (
            entry.state in self.states
            and self.account in {None, entry.package.account}
            and self.package in {None, entry.package}
            and (self.ids is None or entry.id in self.ids)
        )


@frozen
class Backlog:
    """What is open in a package, by number of entries.

    Attributes:
        events: Pending events.
        deliveries: Pending deliveries: one or none.
        in_doubt: Events and deliveries that are in flight or unknown.
    """

    events: int
    deliveries: int
    in_doubt: int


@frozen
class Meta:
    """What a journal says of itself.

    Attributes:
        schema_version: Version of its tables.
        created: When it was created, in UTC.
    """

    schema_version: int
    created: dt.datetime


def drafts_from_row(row: Row, account: str) -> tuple[Draft, ...]:
    """Return the entries that a row asks for: its event, then its delivery.

    Args:
        row: A row that has been checked.
        account: The account of rows that name none.
    """
    package = PackageKey(row.account or account, row.order_id, row.invoice_number)
    drafts = []
    if row.event is not None:
        date = row.event.date
        event = row.event if isinstance(date, str) else evolve(row.event, date=format_event_date(date))
        drafts.append(Draft(package, entry_key(package, event), event, None, row.place))
    if row.is_delivered:
        moment = None if row.delivered_date is None else format_delivered_date(row.delivered_date)
        drafts.append(Draft(package, entry_key(package, None), None, moment, row.place))
    return tuple(drafts)


def entry_key(package: PackageKey, event: TrackingEvent | None) -> bytes:
    """Return the key of an event, or of the package's one delivery (None).

    Leading and trailing spaces and the Unicode normal form (NFC, NFD) do not matter: a shopper sees no difference, and
    exports of the same events differ in both. Every other difference makes another event. The texts are sent as they
    were written.
    """
    if event is None:
        content = "8:delivery"
    else:
        date = event.date if isinstance(event.date, str) else format_event_date(event.date)
        city = _composed(event.city)
        state, description = _composed(event.state), _composed(event.description)
        content = f"5:event{len(date)}:{date}{len(city)}:{city}{len(state)}:{state}{len(description)}:{description}"
    # Each with its length, because a join on any character could make the same text of two different lists.
    account, order_id, invoice = package.account, package.order_id, package.invoice_number
    text = f"{len(account)}:{account}{len(order_id)}:{order_id}{len(invoice)}:{invoice}{content}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_SIZE).digest()


def _composed(text: str) -> str:
    text = text.strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)  # fast for most texts
