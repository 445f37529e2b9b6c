"""What a journal holds: entries, their states and keys, and what a row means to what is there already. Pure.

A row becomes up to two entries, an event and a delivery. An entry moves like this; nothing else is allowed::

    pending --begin--> in_flight --settle--> applied | refused | unknown
       ^                   |
       |<------settle------'   it certainly did not leave: no connection, 429, stopped
       |<------resolve-- unknown --resolve--> applied     a reading's or a person's word
       |<------retry---- refused                          explicitly, or because the row was pushed again
       '----withdraw---> refused                          a person's word, before it was sent
"""

from __future__ import annotations

import datetime as dt
import hashlib
import unicodedata
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from attrs import evolve, field, frozen

from vtex_tracking_ext.call.checks import format_delivered_date, format_event_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vtex_tracking_ext.bulk.input.rows import Place, Row
    from vtex_tracking_ext.events import TrackingEvent

#: What is known of an entry. ``in_flight`` after a run has ended means that the run was killed: it may have left.
State = Literal["pending", "in_flight", "applied", "refused", "unknown"]
STATES: Final[tuple[State, ...]] = get_args(State)

#: States that leave something to do for a package.
OPEN_STATES: Final[tuple[State, ...]] = ("pending", "in_flight", "unknown")

#: What can be learnt of an entry in flight; ``pending``: it was not sent.
Outcome = Literal["applied", "refused", "unknown", "pending"]

#: What an unknown outcome can turn out to be; ``pending``: it was not applied and is to be sent again.
Resolution = Literal["applied", "pending"]

#: What a row meant to the journal, from the gravest to the least; see :class:`Added`.
AddStatus = Literal["contradicts", "new", "renewed", "known"]
_VERDICTS: Final[tuple[AddStatus, ...]] = get_args(AddStatus)

Kind = Literal["event", "delivery"]

#: Gives the current time, aware.
Clock: TypeAlias = "Callable[[], dt.datetime]"

#: Bytes of a key. Among 10 thousand million entries two would share one by chance with a likelihood of 1e-19.
KEY_SIZE: Final = 16


def utc_now() -> dt.datetime:
    """Return the current time in UTC: the clock of everything that is not a test."""
    return dt.datetime.now(dt.UTC)


def _lower(account: str) -> str:
    return account.lower()


def _lower_if_given(account: str | None) -> str | None:
    return None if account is None else account.lower()


def _sorted_if_given(ids: Iterable[int] | None) -> tuple[int, ...] | None:
    return None if ids is None else tuple(sorted(set(ids)))


@frozen
class PackageKey:
    """One package, among all accounts.

    Attributes:
        account: VTEX account, in lower case: it is part of a host name, so ``MyStore`` and ``mystore`` are one.
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
        package: Whose it is.
        key: Equal for whatever must not be sent twice; see :func:`entry_key`.
        event: The event as it will be sent, its date as text; None for the delivery.
        delivered_date: When it was delivered, as it will be sent; None for an event, or where nobody told.
        place: Where the row stands.
    """

    package: PackageKey
    key: bytes
    event: TrackingEvent | None
    delivered_date: str | None
    place: Place


@frozen
class Existing:
    """What a journal holds under a draft's key, as far as it matters to a row that says the same again."""

    state: State
    delivered_date: str | None
    place: Place


@frozen
class Added:
    """What a row meant to the journal.

    Attributes:
        row: The row.
        status: ``new``: it brought an entry. ``renewed``: it woke a refused entry, or dated a delivery that was
            waiting. ``known``: it said nothing new, and sends nothing. ``contradicts``: it dates the delivery
            otherwise than an earlier row; nothing of it was taken, so it can be mended and pushed again.
        note: Why it contradicts, or which part of it comes too late to be sent; else empty.
    """

    row: Row
    status: AddStatus
    note: str = ""


@frozen
class Entry:
    """One event or one delivery, and what is known of it. Times are in UTC.

    Attributes:
        id: Its number in the journal; it grows in the order of arrival.
        package: Whose it is.
        event: The event as it is sent, its date as text; None for the delivery.
        delivered_date: When it was delivered, as it is sent, or None.
        place: Where the row stood that asked for it, or that renewed it.
        state: What is known of it.
        attempts: How many calls were begun that carry it.
        status_code: HTTP status of the last answer, or None.
        receipt: VTEX's receipt, or None.
        reason: Why it is refused or unknown or was not sent, or on whose word it is applied; else empty.
        added: When it came.
        begun: When the last call that carries it was begun, or None.
        settled: When it was last applied, refused or given up as unknown; None while it is pending or in flight.
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
        """Which of the two it is."""
        return "delivery" if self.event is None else "event"


@frozen
class Selection:
    """Which entries: those that meet everything that is given. Without arguments, all of them.

    Attributes:
        states: They are in one of these states.
        account: They go to this account (any case).
        package: They are of this package.
        ids: They have one of these numbers.
    """

    states: tuple[State, ...] = STATES
    account: str | None = field(default=None, converter=_lower_if_given)
    package: PackageKey | None = None
    ids: tuple[int, ...] | None = field(default=None, converter=_sorted_if_given)

    def matches(self, entry: Entry) -> bool:
        """Tell whether an entry is among them."""
        return (
            entry.state in self.states
            and self.account in {None, entry.package.account}
            and self.package in {None, entry.package}
            and (self.ids is None or entry.id in self.ids)
        )


@frozen
class Backlog:
    """What is open in a package.

    Attributes:
        events: Events that are pending.
        deliveries: Deliveries that are pending: one or none.
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
        created: When it was made, in UTC.
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
        event = (
            row.event if isinstance(row.event.date, str) else evolve(row.event, date=format_event_date(row.event.date))
        )
        drafts.append(Draft(package, entry_key(package, event), event, None, row.place))
    if row.is_delivered:
        moment = None if row.delivered_date is None else format_delivered_date(row.delivered_date)
        drafts.append(Draft(package, entry_key(package, None), None, moment, row.place))
    return tuple(drafts)


def entry_key(package: PackageKey, event: TrackingEvent | None) -> bytes:
    """Return the key of an event, or of the package's one delivery (None).

    Spaces at the ends of a text and the ways to write an accent (NFC, NFD) make no other event of it: a shopper
    sees no difference, and files differ in both from one export to the next. Everything else does. The texts
    that are sent stay as they were written.
    """
    if event is None:
        told = "8:delivery"
    else:
        date, city = format_event_date(event.date), _composed(event.city)
        state, description = _composed(event.state), _composed(event.description)
        told = f"5:event{len(date)}:{date}{len(city)}:{city}{len(state)}:{state}{len(description)}:{description}"
    # Each with its length, because a join on any character could make one text of two different lists.
    account, order_id, invoice = package.account, package.order_id, package.invoice_number
    text = f"{len(account)}:{account}{len(order_id)}:{order_id}{len(invoice)}:{invoice}{told}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_SIZE).digest()


def _composed(text: str) -> str:
    text = text.strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)  # quick for what most texts are


def classify_draft(draft: Draft, standing: Existing | None) -> tuple[AddStatus, str]:
    """Return what a draft means to a journal that holds ``standing`` under its key, with a note or an empty text.

    - Refused, and met again: it is renewed, as this row says it. VTEX's no is definite, so nothing is doubled, and
      whoever pushes again after mending something on VTEX's side expects it to be tried. A refusal that lasts
      costs one call a push.
    - A delivery has one date. A row that says more than the earlier one (a day where there was none, a time where
      there was a day) prevails while the delivery is still waiting; after that it comes too late, which is noted.
      A row that says less or the same is known. Anything else contradicts.
    """
    if standing is None:
        return "new", ""
    if standing.state == "refused":
        return "renewed", ""
    earlier, later = standing.delivered_date or "", draft.delivered_date or ""
    if earlier.startswith(later):  # of events too: neither has a delivered date
        return "known", ""
    if not later.startswith(earlier):
        return "contradicts", f"{later}, but {standing.place} says {earlier}; a package has one delivery"
    if standing.state == "pending":
        return "renewed", ""
    told = f"on {earlier}" if earlier else "without a date"
    return "known", f"{later} comes too late: the delivery of {standing.place} was sent {told}, and there is only one"


def gravest(verdicts: Sequence[tuple[AddStatus, str]]) -> tuple[AddStatus, str]:
    """Return a row's verdict from those on its drafts: the gravest of them, with all notes."""
    if len(verdicts) == 1:
        return verdicts[0]
    found = {verdict for verdict, _ in verdicts}
    known: AddStatus = "known"
    return next((verdict for verdict in _VERDICTS if verdict in found), known), "; ".join(
        note for _, note in verdicts if note
    )
