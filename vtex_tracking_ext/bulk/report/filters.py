"""Which entries a report contains."""

from __future__ import annotations

import heapq
from fnmatch import fnmatchcase
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from vtex_tracking_ext.bulk.journal.entries import STATES, PackageKey, Selection
from vtex_tracking_ext.bulk.journal.interface import ALL

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from vtex_tracking_ext.bulk.journal.entries import Entry
    from vtex_tracking_ext.bulk.journal.interface import JournalReader


@frozen
class EntryFilter:
    """The entries of a report, which must meet all of its conditions. Without arguments it selects all entries.

    Attributes:
        selection: States, and account.
        orders: Order ids, any of them; empty for all orders.
        sources: Files, any of them, by their name with or without its folder, or by a pattern with ``*`` and ``?``;
            empty for all files.
        since: Only entries that were added, sent or settled at this time (aware) or later; None for all of them.
    """

    selection: Selection = ALL
    orders: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    since: dt.datetime | None = None

    @property
    def is_everything(self) -> bool:
        """Whether it selects all entries."""
        return self.has_all_states and self.selection.account is None and not self.is_partial

    @property
    def is_partial(self) -> bool:
        """Whether it selects by more than account and state."""
        return bool(self.orders or self.sources or self.since)

    @property
    def has_all_states(self) -> bool:
        """Whether it selects entries in any state."""
        return set(self.selection.states) == set(STATES)

    def entries(self, journal: JournalReader) -> Iterator[Entry]:
        """Yield the entries, in the order of their arrival.

        Raises:
            JournalError: The journal cannot be read.
        """
        if not self.orders:
            return filter(self._matches, journal.entries(self.selection))
        packages = (package for found in find_orders(journal, self.orders).values() for package in found)
        return heapq.merge(*(self.of_package(journal, package) for package in packages), key=attrgetter("id"))

    def of_package(self, journal: JournalReader, package: PackageKey) -> Iterator[Entry]:
        """Yield the entries of a package, in the order of their arrival.

        Raises:
            JournalError: The journal cannot be read.
        """
        return filter(self._matches, journal.entries(evolve(self.selection, package=package)))

    def _matches(self, entry: Entry) -> bool:
        """Return whether an entry meets the conditions on source and time."""
        if self.since is not None and latest_time(entry) < self.since:
            return False
        if not self.sources:
            return True
        name = entry.place.source
        return any(
            pattern in names or any(fnmatchcase(each, pattern) for each in names)
            for names in [(name, file_name(name))]
            for pattern in self.sources
        )


#: All entries of a journal.
EVERYTHING: Final = EntryFilter()


def latest_time(entry: Entry) -> dt.datetime:
    """Return when something last happened to an entry: when it was settled, sent, or added."""
    return max(filter(None, (entry.settled, entry.begun, entry.added)))


def file_name(source: str) -> str:
    """Return the name of a file without its folder, on any system."""
    return source.replace("\\", "/").rpartition("/")[2]


def find_orders(journal: JournalReader, orders: tuple[str, ...]) -> dict[str, list[PackageKey]]:
    """Return the packages of each order in the journal, also of those that it does not contain.

    Raises:
        JournalError: The journal cannot be read.
    """
    found: dict[str, list[PackageKey]] = {order: [] for order in orders}
    for record in journal.select_many("packages_of_orders", [*found]):
        package = PackageKey(*record)
        found[package.order_id].append(package)
    return found
