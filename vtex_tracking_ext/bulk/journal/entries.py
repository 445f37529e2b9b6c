"""What a journal holds: entries, their states and keys. Pure.

A row becomes up to two entries, an event and a delivery. A delivery that the carrier can still take back has a time
before which it is not begun (``not_before``); a package of several volumes gets its delivery when all of them were
delivered (:mod:`.volumes`). These are the only changes of an entry's state::

    pending ----begin----> in_flight ----settle----> applied | refused | unknown
       ^                       |
       |<-------settle---------'   certainly not sent: no connection, 429, stopped
       |<-------settle, resolve--- unknown --settle, resolve--> applied   the order was read, or a person says so
       |<-------retry------------- refused, withdrawn       explicitly, or because the row was pushed again, or
       |                                                    because the carrier delivered after it took this back
       |-------withdraw----------> withdrawn                a person or the carrier took it back before it was sent
                 refused --dismiss--> withdrawn             a person has seen the refusal and closed it, or the carrier
                                                            took the delivery back

Only the process that holds the account's lease begins and settles entries.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from attrs import evolve, field, frozen
from attrs.converters import optional

from vtex_tracking_ext.call.validation import format_delivered_date, format_event_date
from vtex_tracking_ext.config import defaults
from vtex_tracking_ext.events import TrackingEvent
from vtex_tracking_ext.text import comparable, trimmed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vtex_tracking_ext.bulk.input.rows import Place, Row

#: What is known of an entry. ``in_flight`` after a run has ended means that the run was killed: it may have been sent.
State = Literal["pending", "in_flight", "applied", "refused", "unknown", "withdrawn"]
STATES: Final[tuple[State, ...]] = defaults.STATES

#: States in which something is left to do.
OPEN_STATES: Final[tuple[State, ...]] = ("pending", "in_flight", "unknown")

#: The outcome of an entry in flight; ``pending``: it was not sent.
Outcome = Literal["applied", "refused", "unknown", "pending"]

#: What an unknown outcome can turn out to be; ``pending``: it was not applied and is to be sent again.
Resolution = Literal["applied", "pending"]

#: The reason of an entry that a person resolved or withdrew. Journals contain it, so it must not change.
BY_HAND: Final = "said so by hand (vtex-tracking resolve)"

#: The reason of a delivery that the carrier took back in time. Journals contain it, so it must not change.
TAKEN_BACK: Final = "taken back by the carrier"

#: What a row meant to the journal, in order of precedence; see :class:`Added`.
AddStatus = Literal["new", "renewed", "known"]
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
        event: The event as it will be sent, its date as text, its texts trimmed; None for the delivery.
        delivered_date: When the package was delivered, as it will be sent; None for an event, or if not known.
        place: The place of the row.
        event_id: The source's own identity of the event, or an empty text.
        time: The time of day of the event, ``hh:mm`` or ``hh:mm:ss``, or an empty text.
        earlier_keys: The keys of the same event without event id, and without event id and time, under which an earlier
            run may have noted it.
        not_before: The time before which the delivery is not begun, aware, or None.
        volume: The volume that the event is about, or an empty text.
        volume_delivered: What the event says of its volume's delivery; see :class:`Entry`.
    """

    package: PackageKey
    key: bytes
    event: TrackingEvent | None
    delivered_date: str | None
    place: Place
    event_id: str = ""
    time: str = ""
    earlier_keys: tuple[bytes, ...] = ()
    not_before: dt.datetime | None = None
    volume: str = ""
    volume_delivered: str | None = None


@frozen
class Added:
    """What a row meant to the journal.

    Attributes:
        row: The row.
        status: ``new``: it added an entry. ``renewed``: it made a refused entry pending, or dated a pending delivery,
            or let it be sent earlier, or reports anew a delivery that the carrier had taken back.
            ``known``: it has nothing new, and nothing is sent.
        note: What a person should know about it, such as a part of it that is not sent; otherwise empty.
        draft: The first entry that it added, or None.
    """

    row: Row
    status: AddStatus
    note: str = ""
    draft: Draft | None = field(default=None, eq=False, repr=False)


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
        settled: When it became applied, refused or withdrawn, or when its outcome was last found to be unknown; None
            while it is pending or in flight.
        event_id: The source's own identity of the event, or an empty text.
        time: The time of day of the event, ``hh:mm`` or ``hh:mm:ss``, or an empty text.
        not_before: The time before which the delivery is not begun, because the carrier can still take it back; or
            None.
        volume: The volume of the package that the event is about, or an empty text.
        volume_delivered: If the event's row reports that this volume was delivered, when, as a delivered date, or an
            empty text if that is not known; :data:`TAKEN_BACK` if the carrier takes that back; otherwise None.
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
    event_id: str = ""
    time: str = ""
    not_before: dt.datetime | None = None
    volume: str = ""
    volume_delivered: str | None = None

    @property
    def kind(self) -> Kind:
        """``event`` or ``delivery``."""
        return "delivery" if self.event is None else "event"

    def is_held(self, now: dt.datetime) -> bool:
        """Return whether it must not be begun yet."""
        return self.not_before is not None and self.not_before > now


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
class Held:
    """Pending deliveries that are not sent yet, because the carrier can still take them back.

    Attributes:
        deliveries: Their number.
        until: When the last of them can be sent, in UTC; None without any.
    """

    deliveries: int = 0
    until: dt.datetime | None = None

    @classmethod
    def total(cls, held: Iterable[Held]) -> Held:
        """Return those of several accounts together."""
        held = tuple(held)
        until = max((each.until for each in held if each.until), default=None)
        return cls(sum(each.deliveries for each in held), until)


@frozen
class Settlement:
    """The outcome of entries that are in flight or unknown.

    Attributes:
        ids: The entries.
        state: Their outcome; ``pending`` if they were certainly not applied.
        status_code: HTTP status of the answer, or None.
        receipt: VTEX's receipt, or None.
        reason: Why they are not applied, without credentials, or who says that they are.
    """

    ids: tuple[int, ...] = field(converter=_sorted)
    state: Outcome
    status_code: int | None = None
    receipt: str | None = None
    reason: str = ""


@frozen
class AccountRecord:
    """What a journal knows of an account, apart from its entries. Times are in UTC.

    Attributes:
        account: The account's name in the journal.
        revision: Grows with every change that can give a deliverer something to do.
        now: The time at which this was read.
        stopped: When a delivery stopped because no call can succeed, or None; cleared by the next accepted call.
        stopped_reason: Why, or an empty text.
        quiet_until: Until when the account must not be called, or None.
        quiet_reason: Why, or an empty text if it is only the time between two calls.
        last_applied: When an event was last applied, or None.
        deliverer: The process that delivers the account, or that delivered it last; or an empty text.
        delivers_since: Since when, or None.
        resend_after: Seconds after which that process sends an unknown event again that its order does not show; or
            None.
        pace: What was learned about the account's rate limit, as JSON, or an empty text.
    """

    account: str
    revision: int
    now: dt.datetime
    stopped: dt.datetime | None = None
    stopped_reason: str = ""
    quiet_until: dt.datetime | None = None
    quiet_reason: str = ""
    last_applied: dt.datetime | None = None
    deliverer: str = ""
    delivers_since: dt.datetime | None = None
    resend_after: float | None = None
    pace: str = ""

    @property
    def quiet_seconds(self) -> float:
        """Seconds for which the account must still not be called."""
        return 0.0 if self.quiet_until is None else max(0.0, (self.quiet_until - self.now).total_seconds())


@frozen
class AccountUpdate:
    """What a deliverer learned about an account.

    Attributes:
        stopped_reason: Why no call can succeed, or an empty text; the time of an unchanged reason stays.
        quiet_seconds: For how many seconds from now the account must not be called.
        quiet_reason: Why, or an empty text if it is only the time between two calls.
        has_applied: Whether an event was applied since the last update.
        resend_after: Seconds after which unknown events are sent again that their orders do not show; or None.
        pace: What was learned about the rate limit, as JSON.
    """

    stopped_reason: str = ""
    quiet_seconds: float = 0.0
    quiet_reason: str = ""
    has_applied: bool = False
    resend_after: float | None = None
    pace: str = ""


@frozen
class Meta:
    """What a journal says of itself.

    Attributes:
        schema_version: Version of its tables.
        created: When it was created, in UTC.
    """

    schema_version: int
    created: dt.datetime


def drafts_from_row(row: Row) -> tuple[Draft, ...]:
    """Return the entries that a row asks for: its event, then its delivery.

    Args:
        row: A row that has been checked, with its account.
    """
    package = PackageKey(row.account, row.order_id, row.invoice_number)
    drafts = []
    if row.event is not None:
        event = _as_sent(row.event)
        key = entry_key(package, event, row.event_id, row.time)
        earlier_keys: tuple[bytes, ...] = ()
        if row.event_id and row.time:
            earlier_keys = (entry_key(package, event, time=row.time),)
        if row.event_id or row.time:
            earlier_keys = (*earlier_keys, entry_key(package, event))
        draft = Draft(package, key, event, None, row.place, row.event_id, row.time, earlier_keys)
        if row.volume:
            delivered = (_delivered_date(row) or "") if row.is_delivered else None
            draft = evolve(draft, volume=row.volume, volume_delivered=TAKEN_BACK if row.takes_back else delivered)
        drafts.append(draft)
    if row.is_delivered and not (row.takes_back or (row.volume and row.event is None)):
        key = entry_key(package, None)
        drafts.append(Draft(package, key, None, _delivered_date(row), row.place, not_before=row.hold_until))
    return tuple(drafts)


def _delivered_date(row: Row) -> str | None:
    return None if row.delivered_date is None else format_delivered_date(row.delivered_date)


def _as_sent(event: TrackingEvent) -> TrackingEvent:
    """Return an event with its date as text, and with trimmed texts."""
    date = event.date if isinstance(event.date, str) else format_event_date(event.date)
    description, city, state = trimmed(event.description), trimmed(event.city), trimmed(event.state)
    if (date, description, city, state) == (event.date, event.description, event.city, event.state):
        return event  # fast for most events
    return TrackingEvent(date, description, city, state)


def draft_of(entry: Entry) -> Draft:
    """Return the draft of an entry of another journal."""
    return Draft(
        entry.package,
        entry_key(entry.package, entry.event, entry.event_id, entry.time),
        entry.event,
        entry.delivered_date,
        entry.place,
        entry.event_id,
        entry.time,
        not_before=entry.not_before,
        volume=entry.volume,
        volume_delivered=entry.volume_delivered,
    )


def entry_key(package: PackageKey, event: TrackingEvent | None, event_id: str = "", time: str = "") -> bytes:
    """Return the key of an event, or of the package's one delivery (None).

    An event with an event id is identified by it alone. Any other event is identified by its day, its time if it has
    one, and its texts. The keys of events without either must not change, because journals contain them.

    How many blanks there are, of which kind, and the Unicode normal form (NFC, NFD) do not matter; see
    :func:`vtex_tracking_ext.text.comparable`. Every other difference makes another event.
    """
    if event is None:
        content = "8:delivery"
    elif event_id:
        content = f"8:event_id{len(event_id)}:{event_id}"
    else:
        date = event.date if isinstance(event.date, str) else format_event_date(event.date)
        city, state, description = comparable(event.city), comparable(event.state), comparable(event.description)
        content = f"5:event{len(date)}:{date}{len(city)}:{city}{len(state)}:{state}{len(description)}:{description}"
        if time:
            content += f"{len(time)}:{time}"
    # Each with its length, because a join on any character could make the same text of two different lists.
    account, order_id, invoice = package.account, package.order_id, package.invoice_number
    text = f"{len(account)}:{account}{len(order_id)}:{order_id}{len(invoice)}:{invoice}{content}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_SIZE).digest()
