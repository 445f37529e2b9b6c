"""Try parked events again: those whose orders are known now become entries of the journal."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field, frozen

from vtex_tracking_ext.bulk.input.rows import RowProblem, UnmatchedEvents
from vtex_tracking_ext.bulk.journal.interface import BATCH, Journal, batched
from vtex_tracking_ext.call.validation import EARLIEST_ZONE
from vtex_tracking_ext.carriers.codes import CarrierOptions
from vtex_tracking_ext.errors import ConfigurationError

from .parked import parked_before, parked_events
from .rows import PackageFinder, RowBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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
        last: The number of the last event that was tried.
        has_more: Whether a limit may have left others.
    """

    events: int = 0
    by_status: Counter[AddStatus] = field(factory=Counter)
    accounts: set[str] = field(factory=set)
    problems: list[UnmatchedEvents] = field(factory=list)
    notes: list[tuple[Place, str]] = field(factory=list)
    last: int = field(default=0, eq=False)
    has_more: bool = field(default=False, eq=False)

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
    after: int = 0,
    limit: int | None = None,
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
        after: Only events with a greater number are tried, for a program that has tried the others.
        limit: How many events are tried at most; see :attr:`Unparked.has_more`.

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
    own = parked_events(journal, lambda name: not name or orders.has_account(name), after)
    tried = 0
    for batch in batched(islice(own, limit), BATCH):
        tried += len(batch)
        unparked.last, unparked.has_more = batch[-1].number, tried == limit
        results = retry.results(batch)
        found = [each for each in results if each.rows]
        missing = [each for each in results if not each.rows]
        hopeless = [each for each in missing if each.is_hopeless and not each.parked.is_reported]
        waiting = [each for each in missing if not each.is_hopeless]
        read = [each for each in missing if each.has_read and each.parked.event.order_reference]
        for added in journal.add(row for each in found for row in each.rows):
            unparked.add(added)
        unparked.events += len(found)
        unparked.give_up((each.parked, each.reason) for each in hopeless)
        at = int(now.timestamp())
        journal.execute(
            [
                ("delete_parked", [{"id": each.parked.number} for each in found]),
                ("give_up", [{"id": each.parked.number, "reason": each.reason, "at": at} for each in hopeless]),
                ("explain_parked", [{"id": each.parked.number, "reason": each.reason} for each in waiting]),
                ("read_later", [{"id": each.parked.number, "next_read": _next_read(each.parked, at)} for each in read]),
            ]
        )
    return unparked


def _no_options(_source: str) -> CarrierOptions:
    return CarrierOptions()


def _time(parked: ParkedEvent) -> dt.datetime:
    """Return the time by which events are sorted. Some have a zone, and some do not."""
    return parked.event.occurred_at.replace(tzinfo=None)


def _next_read(parked: ParkedEvent, at: int) -> int:
    return at + int((at - parked.parked.timestamp()) * _PAUSE)


@frozen
class _Result:
    """The outcome for a parked event.

    Attributes:
        parked: The event.
        rows: Its rows; none if its package was not found, or if the event cannot be sent.
        reason: Why there are no rows.
        is_hopeless: Whether it is given up if there are no rows.
        has_read: Whether the order that its payload echoes could be read.
    """

    parked: ParkedEvent
    rows: list[Row]
    reason: str
    is_hopeless: bool
    has_read: bool


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

    def results(self, batch: Sequence[ParkedEvent]) -> list[_Result]:
        """Return the outcome for each event, in the order of their times: payloads may have arrived in another order.

        If an event has found its package, the earlier events of the package that are still parked are tried again, too,
        whether or not they are in the batch. Otherwise, they would be sent after it.
        """
        known = self.orders.look_up(each.event for each in batch)
        finder = PackageFinder(known.index, self.read_packages, self.orders, known.returns)
        results = {each.number: self._result(each, finder, reads=self.reads(each)) for each in sorted(batch, key=_time)}
        before = parked_before(self.orders.journal, (each.parked for each in results.values() if each.rows))
        if earlier := [each for each in before if each.number not in results or not results[each.number].rows]:
            finder.know(self.orders.look_up(each.event for each in earlier))
            results |= {each.number: self._result(each, finder, reads=True) for each in sorted(earlier, key=_time)}
        return sorted(results.values(), key=lambda each: _time(each.parked))

    def _result(self, parked: ParkedEvent, finder: PackageFinder, *, reads: bool) -> _Result:
        match = finder.find(parked.event, reads=reads)
        rows, reason = self._rows(parked, finder.index, match.packages)
        is_hopeless = bool(reason) or match.is_refused or self.now >= parked.expires
        return _Result(parked, rows, reason or match.reason, is_hopeless, reads)

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
