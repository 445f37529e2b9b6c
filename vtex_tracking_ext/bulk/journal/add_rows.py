"""Adding a batch of rows to a journal within one transaction."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from vtex_tracking_ext.bulk.input.rows import Place

from .classify import PRUNED, Existing, classify_rows
from .entries import BY_HAND, TAKEN_BACK, PackageKey, drafts_from_row, entry_key

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Sequence

    from vtex_tracking_ext.bulk.input.rows import Row

    from .classify import Classified
    from .entries import Added, Draft
    from .volumes import VolumeEvent


class RowWriter(ABC):
    """Adds rows within one transaction, with a few statements for all of them."""

    def __init__(self) -> None:
        self._accounts: dict[str, int] = {}
        self._packages: dict[PackageKey, int] = {}
        self._ids: dict[bytes, int] = {}
        self._existing: dict[bytes, Existing] = {}

    def add(self, rows: Iterable[Row], first: Draft | None = None) -> list[Added]:
        """Add rows, and return what each meant.

        Args:
            rows: A batch of the rows of one input.
            first: The first entry that an earlier batch of the input added, or None.
        """
        pairs = [(row, drafts_from_row(row)) for row in rows]
        drafts = [draft for _, drafts in pairs for draft in drafts]
        if first is not None:
            drafts.append(first)
        self._find_packages(draft.package for draft in drafts)
        deliveries = [(package, entry_key(package, None)) for package in self._packages]
        self._read_existing_keys(drafts, [key for _, key in deliveries])
        has_volumes = {drafts[0].package for row, drafts in pairs if row.volume and drafts}
        volume_events = self._read_volumes(has_volumes) if has_volumes else []
        classified = self._classify(pairs, deliveries, first, volume_events)
        locked: set[bytes] = set()
        while not (changing := classified.renewed.keys() | (classified.taken_back.keys() & self._ids.keys())) <= locked:
            locked |= changing
            self._read_existing(self._lock([self._ids[key] for key in locked]))
            classified = self._classify(pairs, deliveries, first, volume_events)
        changed = {draft.package.account for draft in (*classified.new.values(), *classified.renewed.values())}
        if changed:
            self._accounts |= self._update_accounts(sorted(changed))
        if classified.new:
            self._insert(classified.new.values())
        if classified.renewed:
            self._renew(classified.renewed.values(), [self._ids[key] for key in classified.renewed])
        if classified.taken_back:
            self._take_back([(self._packages[package], key) for key, package in classified.taken_back.items()])
        return classified.added

    def _classify(
        self,
        pairs: Sequence[tuple[Row, tuple[Draft, ...]]],
        deliveries: Sequence[tuple[PackageKey, bytes]],
        first: Draft | None,
        volume_events: Sequence[VolumeEvent],
    ) -> Classified:
        existing = {package: self._existing[key] for package, key in deliveries if key in self._existing}
        first_id = math.inf if first is None else self._ids.get(first.key, math.inf)
        return classify_rows(pairs, self._existing, existing, first_id, volume_events)

    def _read_existing_keys(self, drafts: Sequence[Draft], deliveries: Sequence[bytes]) -> None:
        """Read what the journal holds under the drafts' keys, and under those of the deliveries of all packages."""
        keys = dict(zip(deliveries, zip(self._packages.values(), deliveries, strict=True), strict=True))
        keys |= {
            key: (package, key)
            for draft in drafts
            if (package := self._packages.get(draft.package))
            for key in (draft.key, *draft.earlier_keys)
        }
        if keys:
            self._read_existing(self._select_existing([*keys.values()]))
        missing = {key for draft in drafts for key in (draft.key, *draft.earlier_keys)} - self._existing.keys()
        for key in self._select_pruned([*missing]):
            self._existing[key] = PRUNED

    def _read_volumes(self, packages: Iterable[PackageKey]) -> list[VolumeEvent]:
        """Return what the journal's events say of the volumes of packages."""
        ids = [self._packages[package] for package in packages if package in self._packages]
        found = self._select_volumes(ids) if ids else ()
        return [(PackageKey(*record[1:4]), record[-2], record[-1]) for record in found]

    def _find_packages(self, packages: Iterable[PackageKey]) -> None:
        self._packages |= self._select_packages([*dict.fromkeys(packages)])

    def _read_existing(self, records: Iterable[tuple[Any, ...]]) -> None:
        for key, id_, state, delivered_date, source, line, reason, not_before in records:
            self._ids[key] = id_
            place, is_taken_back = Place(source, line), reason == TAKEN_BACK and state == "withdrawn"
            time = None if not_before is None else self._to_time(not_before)
            self._existing[key] = Existing(state, delivered_date, place, reason == BY_HAND, id_, is_taken_back, time)

    def _columns(self, drafts: Collection[Draft]) -> list[tuple[Any, ...]]:
        """Return the columns that most entries have; packages and sources that do not exist are inserted."""
        missing = [key for key in dict.fromkeys(draft.package for draft in drafts) if key not in self._packages]
        if missing:
            self._packages |= self._insert_packages(missing)
        files = dict.fromkeys(draft.place.source for draft in drafts)
        names = {name: name.encode("utf-8", "backslashreplace").decode() for name in files}  # it can be of any bytes
        sources = self._insert_sources([*names.values()])
        return [
            (
                self._packages[draft.package],
                draft.key,
                self._accounts[draft.package.account],
                *((None,) * 4 if (e := draft.event) is None else (str(e.date), e.city, e.state, e.description)),
                draft.event_id or None,
                draft.time or None,
                draft.delivered_date,
                sources[names[draft.place.source]],
                draft.place.line,
            )
            for draft in drafts
        ]

    def _carrier_columns(self, drafts: Iterable[Draft]) -> list[tuple[Any, ...]]:
        """Return the columns that only carriers' entries have: hold and volume."""
        return [
            (each.not_before and self._to_stored(each.not_before), each.volume or None, each.volume_delivered)
            for each in drafts
        ]

    @abstractmethod
    def _update_accounts(self, names: Sequence[str]) -> dict[str, int]:
        """Let the revisions of accounts grow, insert accounts that do not exist, and return their ids."""

    @abstractmethod
    def _select_packages(self, packages: Sequence[PackageKey]) -> dict[PackageKey, int]:
        """Return the ids of those packages that exist."""

    @abstractmethod
    def _insert_packages(self, packages: Sequence[PackageKey]) -> dict[PackageKey, int]:
        """Insert packages that do not exist, and return their ids."""

    @abstractmethod
    def _insert_sources(self, names: Sequence[str]) -> dict[str, int]:
        """Return the ids of sources; those that do not exist are inserted."""

    @abstractmethod
    def _select_existing(self, keys: Sequence[tuple[int, bytes]]) -> Iterable[tuple[Any, ...]]:
        """Return key, id, state, delivered date, source, line, reason and hold of the entries with these keys."""

    @abstractmethod
    def _select_volumes(self, packages: Sequence[int]) -> Iterable[tuple[Any, ...]]:
        """Return the records of the packages' entries that have a volume, in the order of their ids."""

    @abstractmethod
    def _select_pruned(self, keys: Sequence[bytes]) -> Iterable[bytes]:
        """Return those keys whose entries were pruned."""

    def _lock(self, ids: Sequence[int]) -> Iterable[tuple[Any, ...]]:
        """Lock entries against other writers and read them again, as :meth:`_select_existing` does."""
        del ids
        return ()

    @abstractmethod
    def _insert(self, drafts: Collection[Draft]) -> None:
        """Insert entries."""

    @abstractmethod
    def _renew(self, drafts: Collection[Draft], ids: Sequence[int]) -> None:
        """Update entries, and make them pending."""

    @abstractmethod
    def _take_back(self, keys: Sequence[tuple[int, bytes]]) -> None:
        """Withdraw deliveries that the carrier took back, unless they were sent meanwhile."""

    def _to_stored(self, moment: dt.datetime) -> Any:
        """Return a time as it is stored."""
        return moment

    def _to_time(self, stored: Any) -> dt.datetime:
        """Return a stored time."""
        moment: dt.datetime = stored
        return moment
