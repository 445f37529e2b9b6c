"""A journal that consists of made-up entries, for tests of reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vtex_tracking_ext.bulk.journal.entries import Held, Meta
from vtex_tracking_ext.bulk.journal.interface import ALL, JournalReader

from support.entries import ADDED

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from vtex_tracking_ext.bulk.journal.entries import AccountRecord, Entry, Selection


class FakeJournal(JournalReader):
    """A journal that consists of these entries.

    Args:
        entries: The entries.
        records: What it knows of accounts.
        deliverers: The accounts that are being delivered, each with the process that does.
        parked: Its parked events, the latest first: number, account, event id, whether it was given up, reason, time.
    """

    name = "/var/lib/my journal.db"

    def __init__(
        self,
        entries: Iterable[Entry] = (),
        records: Iterable[AccountRecord] = (),
        deliverers: Mapping[str, str] | None = None,
        parked: Iterable[tuple[int, str, str, int, str, int]] = (),
    ) -> None:
        self._entries = tuple(entries)
        self._records = tuple(records)
        self._deliverers = deliverers or {}
        self._parked = tuple(parked)

    def meta(self) -> Meta:
        """Return when it was made."""
        return Meta(1, ADDED)

    def deliverers(self) -> Mapping[str, str]:
        """Return who delivers which account."""
        return self._deliverers

    def accounts(self) -> Mapping[str, AccountRecord]:
        """Return what is known of each account."""
        return {record.account: record for record in self._records}

    def held(self) -> Mapping[str, Held]:
        """Return the entries with a hold, each of an account of its own."""
        return {e.package.account: Held(1, e.not_before) for e in self._entries if e.not_before}

    def entries(self, selection: Selection = ALL) -> Iterator[Entry]:
        """Yield the selected entries."""
        return filter(selection.matches, self._entries)

    def select(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Return the parked events, or how many there are of each account."""
        if statement == "latest_parked":
            found = [each for each in self._parked if each[0] < values["before"]]
            return list(found[: values["limit"]])
        assert statement == "count_parked"
        names = sorted({each[1] for each in self._parked})
        return [(name, *self._count(name), 0) for name in names]

    def select_many(self, statement: str, wanted: Sequence[int | str]) -> list[tuple[Any, ...]]:
        """Return the packages of orders."""
        assert statement == "packages_of_orders"
        found = {(e.package.account, e.package.order_id, e.package.invoice_number) for e in self._entries}
        return sorted(each for each in found if each[1] in wanted)

    def close(self) -> None:
        """Do nothing."""

    def _count(self, name: str) -> tuple[int, int]:
        given_up = [each[3] for each in self._parked if each[1] == name]
        return len(given_up), sum(given_up)

    def _now(self) -> dt.datetime:
        return ADDED

    def _fetch(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        raise NotImplementedError(sql, values)

    def _fetch_many(self, sql: str, wanted: Sequence[int | str]) -> list[tuple[Any, ...]]:
        raise NotImplementedError(sql, wanted)

    def _to_utc(self, stored: Any) -> dt.datetime:
        raise NotImplementedError(stored)
