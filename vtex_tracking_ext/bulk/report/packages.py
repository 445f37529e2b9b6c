"""The packages that a page lists: those that matter most, each with its events."""

from __future__ import annotations

import datetime as dt
import heapq
import re
from collections import Counter, deque
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import quote

from attrs import frozen

from .filters import file_name, latest_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vtex_tracking_ext.bulk.journal.entries import Entry, PackageKey, State
    from vtex_tracking_ext.bulk.journal.interface import JournalReader

    from .filters import EntryFilter

#: Packages that a page lists at most; a browser still scrolls them smoothly.
MAX_PACKAGES: Final = 1000

#: Events of a package that a page lists at most.
MAX_EVENTS: Final = 50

#: The states in the order of their urgency, which is the order of the packages.
URGENCY: Final[tuple[State, ...]] = ("unknown", "refused", "in_flight", "pending", "applied", "withdrawn")

#: How urgent an entry is, and among those of the same urgency the latest one; ids make it unique.
Rank: TypeAlias = "tuple[int, dt.datetime, int]"

_RANKS: Final[Mapping[State, int]] = {"unknown": 4, "refused": 3, "in_flight": 2, "pending": 1}
_LOWEST: Final[Rank] = (-1, dt.datetime.min.replace(tzinfo=dt.UTC), 0)

#: An account that is called at VTEX's address; another one's name contains its address.
_AT_VTEX: Final = re.compile("[a-z0-9][a-z0-9-]{0,62}")


class UrgentPackages:
    """Keeps the packages with the most urgent entries, at most :data:`MAX_PACKAGES` of any number."""

    def __init__(self) -> None:
        self._ranks: dict[PackageKey, Rank] = {}
        self._lowest = _LOWEST

    def add(self, entry: Entry) -> None:
        """Take an entry into account."""
        rank = (_RANKS.get(entry.state, 0), latest_time(entry), entry.id)
        if rank > self._ranks.get(entry.package, self._lowest):
            self._ranks[entry.package] = rank
            if len(self._ranks) == 2 * MAX_PACKAGES:
                self._ranks = dict(self._top())
                self._lowest = min(self._ranks.values())

    def most_urgent(self) -> list[PackageKey]:
        """Return the packages, the most urgent one first."""
        return [package for package, _ in self._top()]

    def _top(self) -> list[tuple[PackageKey, Rank]]:
        return heapq.nlargest(MAX_PACKAGES, self._ranks.items(), key=itemgetter(1))


@frozen
class ListedPackage:
    """A package, and its latest events.

    Attributes:
        key: The package.
        entries: Its events and its delivery, the latest first, at most :data:`MAX_EVENTS`.
        main: The latest entry in the most urgent state, which says what is to be known of the package.
        states: How many entries are in each state, the most urgent state first.
        left_out: How many earlier entries there are.
    """

    key: PackageKey
    entries: tuple[Entry, ...]
    main: Entry
    states: Mapping[State, int]
    left_out: int

    @property
    def reason(self) -> str:
        """Why the main entry is in its state, or an empty text."""
        return self.main.reason

    @property
    def files(self) -> list[str]:
        """The files that its entries are from, without their folders."""
        return sorted({file_name(entry.place.source) for entry in self.entries})

    @property
    def days(self) -> list[str]:
        """The days (UTC) on which something last happened to its entries."""
        return sorted({f"{latest_time(entry):%Y-%m-%d}" for entry in self.entries}, reverse=True)

    @property
    def admin_url(self) -> str:
        """The address of its order in VTEX Admin, or an empty text if it is not an order at VTEX."""
        if not _AT_VTEX.fullmatch(self.key.account):
            return ""
        order = quote(self.key.order_id, safe="", errors="replace")
        return f"https://{self.key.account}.myvtex.com/admin/orders/{order}"


def read_packages(
    journal: JournalReader, chosen: EntryFilter, packages: Iterable[PackageKey]
) -> Iterator[ListedPackage]:
    """Yield packages with their entries, as they are now. Those without such an entry are left out.

    Raises:
        JournalError: The journal cannot be read.
    """
    for package in packages:
        latest: deque[Entry] = deque(maxlen=MAX_EVENTS)
        main: dict[State, Entry] = {}
        numbers: Counter[State] = Counter()
        for entry in chosen.of_package(journal, package):
            latest.append(entry)
            main[entry.state] = entry
            numbers[entry.state] += 1
        states = {state: numbers[state] for state in URGENCY if numbers[state]}
        if states:
            yield ListedPackage(
                package, tuple(reversed(latest)), main[next(iter(states))], states, numbers.total() - len(latest)
            )
