"""The history of a package: what came in, what was sent, and what VTEX answered."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from vtex_tracking_ext.bulk.journal.entries import PackageKey, Selection
from vtex_tracking_ext.carriers.invoice_key import invoice_of_key, letters_and_digits, without_zeros
from vtex_tracking_ext.orders import OrderStore
from vtex_tracking_ext.orders.package import tracking_key
from vtex_tracking_ext.orders.parked import parked_naming
from vtex_tracking_ext.orders.store import KnownPackage
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator

    from vtex_tracking_ext.bulk.journal.entries import Entry
    from vtex_tracking_ext.bulk.journal.interface import JournalReader
    from vtex_tracking_ext.orders.parked import ParkedEvent

#: Packages, events of a package, and parked events that are shown at most.
MAX_PACKAGES: Final = 10
MAX_ENTRIES: Final = 200
MAX_PARKED: Final = 50

#: Characters of an identifier. Longer texts are not looked up.
_LONGEST: Final = 100


@frozen
class PackageHistory:
    """What a journal knows of a package.

    Attributes:
        key: The package.
        found_by: What the identifier is of it, such as ``tracking number``.
        known: What is known of it, or None if only its events are.
        tracking_numbers: Its tracking numbers, one for each parcel.
        entries: Its events and its delivery, by their times, the latest first.
        has_more: Whether it has more of them.
    """

    key: PackageKey
    found_by: tuple[str, ...]
    known: KnownPackage | None
    tracking_numbers: tuple[str, ...]
    entries: tuple[Entry, ...]
    has_more: bool


@frozen
class History:
    """What a journal knows of what an identifier means.

    Attributes:
        what: The identifier.
        now: When this was read, in UTC.
        packages: The packages.
        left_out: How many more packages it means at least.
        parked: The parked events that name it or one of the packages, the latest first.
        has_more_parked: Whether there are more of them.
    """

    what: str
    now: dt.datetime
    packages: tuple[PackageHistory, ...] = ()
    left_out: int = 0
    parked: tuple[ParkedEvent, ...] = ()
    has_more_parked: bool = False


@define
class _Found:
    """A package that an identifier means."""

    found_by: dict[str, None] = field(factory=dict)
    known: list[KnownPackage] = field(factory=list)

    @property
    def tracking_numbers(self) -> tuple[str, ...]:
        """Its tracking numbers."""
        return tuple(dict.fromkeys(each.package.tracking_number for each in self.known if each.package.tracking_number))


def history(journal: JournalReader, what: str, now: dt.datetime) -> History:
    """Return what is known of the packages that an identifier may mean, of all accounts.

    Packages are found in the index of known orders, and, by order id and invoice number, also among those whose events
    the journal has without knowing their orders.

    Args:
        journal: The journal.
        what: An order id, an invoice number with or without leading zeros, an NF-e key, or a tracking number.
        now: The current time, in UTC.

    Raises:
        JournalError: The journal cannot be used.
    """
    what = visible(what.strip(), _LONGEST)
    if not 0 < len(what) <= _LONGEST:
        return History(what, now)
    found = _find(journal, what)
    shown = [*islice(found.items(), MAX_PACKAGES)]
    parked = _parked(journal, what, shown)
    return History(
        what=what,
        now=now,
        packages=tuple(_package_history(journal, *each) for each in shown),
        left_out=len(found) - len(shown),
        parked=tuple(parked[:MAX_PARKED]),
        has_more_parked=len(parked) > MAX_PARKED,
    )


def _find(journal: JournalReader, what: str) -> dict[PackageKey, _Found]:
    """Return the packages that an identifier means, those of the index first."""
    found: dict[PackageKey, _Found] = {}

    def add(key: PackageKey, found_by: str) -> _Found:
        package = found.setdefault(key, _Found())
        package.found_by[found_by] = None
        return package

    for found_by, known in OrderStore(journal, "").find(what):
        key = _key(known)
        add(key, found_by).known.append(known)
    orders = [*islice(dict.fromkeys(key.order_id for key in found), MAX_PACKAGES)]
    for parcel in map(KnownPackage.from_record, journal.select_many("known_parcels", orders)):
        if _key(parcel) in found:
            found[_key(parcel)].known.append(parcel)
    # An event may have been sent under an invoice number with other leading zeros than the known one.
    numbers = {(key.account, key.order_id, without_zeros(key.invoice_number)): each for key, each in found.items()}
    for record in journal.select_many("packages_of_orders", [what, *orders]):
        key = PackageKey(*record)
        similar = numbers.get((key.account, key.order_id, without_zeros(key.invoice_number)))
        if key.order_id == what:
            add(key, "order id")
        elif similar is not None:
            for found_by in similar.found_by:
                add(key, found_by)
    for record in journal.select("packages_of_invoice", number=what.lstrip("0")):
        add(PackageKey(*record), "invoice number")
    return found


def _key(known: KnownPackage) -> PackageKey:
    return PackageKey(known.journal_account, known.package.order_id, known.package.invoice_number)


def _package_history(journal: JournalReader, key: PackageKey, found: _Found) -> PackageHistory:
    entries = deque(journal.entries(Selection(package=key)), MAX_ENTRIES + 1)
    return PackageHistory(
        key=key,
        found_by=tuple(found.found_by),
        known=found.known[0] if found.known else None,
        tracking_numbers=found.tracking_numbers,
        entries=tuple(sorted([*entries][-MAX_ENTRIES:], key=_when, reverse=True)),
        has_more=len(entries) > MAX_ENTRIES,
    )


def _when(entry: Entry) -> tuple[str, int]:
    """Return by what entries are sorted: when it happened, as the carrier says, and when it came in."""
    event = entry.event
    return f"{event.date} {entry.time}" if event else entry.delivered_date or "", entry.id


def _parked(journal: JournalReader, what: str, shown: Iterable[tuple[PackageKey, _Found]]) -> list[ParkedEvent]:
    """Return the parked events that name an identifier, or a package by an identifier that is its own."""
    nfe_key = letters_and_digits(what)
    wanted = {what, tracking_key(what), nfe_key if invoice_of_key(nfe_key).number else what}
    for key, found in shown:
        wanted.add(key.order_id)
        wanted |= {tracking_key(number) for number in found.tracking_numbers}
        wanted |= {known.package.nfe_key for known in found.known}
    events = {event.number: event for value in sorted(wanted - {""}) for event in parked_naming(journal, value)}
    named = (event for event in events.values() if not wanted.isdisjoint(_identifiers(event)))
    return sorted(named, key=lambda event: -event.number)


def _identifiers(parked: ParkedEvent) -> Iterator[str]:
    """Yield the identifiers of an event's package, in each form in which they are looked up."""
    event = parked.event
    known = (event.order_reference, event.nfe_key, event.invoice_number, tracking_key(event.tracking_code))
    yield from filter(None, known)
