"""Try parked events again: those whose orders are known now become entries of the journal."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field, frozen

from vtex_tracking_ext.bulk.input.rows import RowProblem, UnmatchedEvents
from vtex_tracking_ext.bulk.journal.interface import BATCH, Journal, batched
from vtex_tracking_ext.call.validation import EARLIEST_ZONE
from vtex_tracking_ext.carriers.codes import CarrierOptions
from vtex_tracking_ext.errors import ConfigurationError

from .parked import parked_events
from .rows import PackageFinder, RowBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vtex_tracking_ext.bulk.input.rows import Place, Row
    from vtex_tracking_ext.bulk.journal.entries import Added, AddStatus

    from .package import OrderIndex, OrderPackage
    from .parked import ParkedEvent
    from .rows import PackageReader
    from .store import OrderStore

#: An order is read again after this part of the time that its event has waited.
_PAUSE: Final = 0.25


@define
class Unparked:
    """The outcome for parked events.

    Attributes:
        events: How many found their packages.
        by_status: How many of their rows were new, renewed or known to the journal.
        accounts: The accounts of these rows, as the journal names them.
        problems: Why others are given up now, once for each package. Each is reported once.
        notes: Notes about rows that were added, with their places.
    """

    events: int = 0
    by_status: Counter[AddStatus] = field(factory=Counter)
    accounts: set[str] = field(factory=set)
    problems: list[UnmatchedEvents] = field(factory=list)
    notes: list[tuple[Place, str]] = field(factory=list)

    def add(self, added: Added) -> None:
        """Count a row that was added."""
        self.by_status[added.status] += 1
        self.accounts.add(added.row.account)
        if added.note:
            self.notes.append((added.row.place, added.note))

    def give_up(self, events: Iterable[tuple[ParkedEvent, str]]) -> None:
        """Add the problems of events that are given up, each with its reason."""
        problems: dict[tuple[str, str], UnmatchedEvents] = {}
        for parked, reason in events:
            since = f"{reason}; parked since {parked.parked:%Y-%m-%d}"
            place = f" ({parked.event.place})" if parked.event.place else ""
            key = parked.event.package, since
            problem = problems.get(key) or UnmatchedEvents(parked.place, "", since + place, events=0)
            problems[key] = evolve(problem, events=problem.events + 1)
        self.problems += problems.values()


def unpark(
    orders: OrderStore,
    *,
    read_packages: PackageReader | None = None,
    options: Callable[[str], CarrierOptions] | None = None,
    now: dt.datetime | None = None,
) -> Unparked:
    """Try all parked events of the run's accounts again, and add those whose packages are known now to the journal.

    An event is deleted from the parked ones after its rows are in the journal. If the process is killed in between, the
    next call adds the same rows, which the journal knows. An event that has waited too long, or that may be about
    several packages now, is given up: it is reported once, and stays parked until a person drops it or its package is
    found after all.

    Args:
        orders: What is known of orders, in a journal that was opened for writing.
        read_packages: Reads the packages of an order, as for :func:`.carrier_rows`. The order that the payload of an
            event echoes is read again after a pause that grows with the time that the event has waited. Without it, no
            order is read, and events whose order must be read stay parked.
        options: Returns the merchant's settings for a source; by default there are none.
        now: The current time, aware; by default that of the system.

    Raises:
        JournalError: The journal cannot be used.
        ConfigurationError: Settings for a source cannot be used.
    """
    unparked = Unparked()
    journal = orders.journal
    if not isinstance(journal, Journal):
        return unparked
    now = now or dt.datetime.now(EARLIEST_ZONE)
    retry = _Retry(orders, read_packages, now, cache(options or _no_options))
    own = (each for each in parked_events(journal) if not each.account or orders.has_account(each.account))
    for batch in batched(own, BATCH):
        found, hopeless, read = [], [], []
        for event, rows, reason in retry.results(batch):
            if rows:
                found.append((event, rows))
            elif reason and not event.is_reported:
                hopeless.append((event, reason))
            if not rows and event.event.order_reference and retry.reads(event):
                read.append(event)
        for added in journal.add(row for _, rows in found for row in rows):
            unparked.add(added)
        unparked.events += len(found)
        unparked.give_up(hopeless)
        at = int(now.timestamp())
        journal.execute(
            [
                ("delete_parked", [{"id": each.number} for each, _ in found]),
                ("give_up", [{"id": each.number, "reason": reason, "at": at} for each, reason in hopeless]),
                ("read_later", [{"id": each.number, "next_read": _next_read(each, at)} for each in read]),
            ]
        )
    return unparked


def _no_options(_source: str) -> CarrierOptions:
    return CarrierOptions()


def _next_read(parked: ParkedEvent, at: int) -> int:
    return at + int((at - parked.parked.timestamp()) * _PAUSE)


@frozen
class _Retry:
    """Resolves parked events again.

    Attributes:
        orders: What is known of orders.
        read_packages: Reads the packages of an order, or None.
        now: The current time, aware.
        options: Returns the merchant's settings for a source.
    """

    orders: OrderStore
    read_packages: PackageReader | None
    now: dt.datetime
    options: Callable[[str], CarrierOptions]

    def reads(self, parked: ParkedEvent) -> bool:
        """Return whether the order of an event may be read now."""
        return self.read_packages is not None and self.now >= parked.next_read

    def results(self, batch: Sequence[ParkedEvent]) -> Iterator[tuple[ParkedEvent, list[Row], str]]:
        """Yield each event with its rows, or with no rows and the reason why it is given up.

        The reason is an empty text if the event waits on. Events come in the order of their times, because payloads
        may have arrived in another order.
        """
        known = self.orders.look_up(each.event for each in batch)
        finder = PackageFinder(known.index, self.read_packages, self.orders, known.returns)
        for parked in sorted(batch, key=lambda each: each.event.occurred_at.replace(tzinfo=None)):
            match = finder.find(parked.event, reads=self.reads(parked))
            rows, reason = self._rows(parked, finder.index, match.packages)
            is_hopeless = match.is_refused or self.now >= parked.expires
            yield parked, rows, reason or (match.reason if is_hopeless else "")

    def _rows(self, parked: ParkedEvent, index: OrderIndex, packages: Iterable[OrderPackage]) -> tuple[list[Row], str]:
        """Return the rows of an event, or no rows and why they cannot be sent."""
        source = parked.event.source
        builder = RowBuilder.of_source(source, self.options(source), parked.payload, self.now)
        rows = []
        for row in builder.rows(parked.event, packages, index):
            if isinstance(row, RowProblem):
                return [], row.message
            try:
                rows.append(row.with_account(self.orders.journal_account(row.account)))
            except ConfigurationError as error:
                return [], str(error)
        return rows, ""
