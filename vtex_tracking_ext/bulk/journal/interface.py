"""The journal: what was sent, and what is known of it.

This module has its interface, and what does not depend on the database. :mod:`.sqlite` keeps a journal in a file,
:mod:`.postgres` in a database that several machines share; :mod:`.opening` opens either.

Any number of threads and processes may add rows at any time. One process at a time delivers an account: it holds the
account's :class:`Lease`. ``in_flight`` is on disk before a request leaves: whatever happens to the process, each entry
that may have been sent is known. What a journal knows is never sent again because its row is pushed again.
"""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from collections import Counter, defaultdict, deque
from contextlib import suppress
from itertools import groupby, islice
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from attrs import asdict, evolve, frozen

from vtex_tracking_ext.errors import VtexTrackingError
from vtex_tracking_ext.text import visible

from .entries import BY_HAND, OPEN_STATES, Backlog, Held, Selection, Settlement
from .sql import COUNTS, PAGE, STATES_BY_TEXT, account_from_record, entry_from_record

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from contextlib import AbstractContextManager
    from typing import Self

    from vtex_tracking_ext.bulk.input.rows import Row

    from .entries import AccountRecord, AccountUpdate, Added, Draft, Entry, Meta, Outcome, Resolution, State

T = TypeVar("T")

#: All entries of a journal.
ALL: Final = Selection()

#: Rows, or entries, that one transaction changes at most.
BATCH: Final = 1000

#: Characters that are kept of a reason, and of a receipt (VTEX's have 32).
REASON_LENGTH: Final = 1000
RECEIPT_LENGTH: Final = 100

#: What reading a damaged record may raise.
INVALID_RECORD: Final = (AttributeError, LookupError, OverflowError, TypeError, ValueError)

#: The largest id: both databases store 64 bits.
_LAST_ID: Final = 2**63 - 1


_DRAFT: Final = attrgetter("draft")

#: Who delivers the accounts that workers serve; see :meth:`JournalReader.served_accounts`.
WORKERS: Final = "workers"


class JournalError(VtexTrackingError):
    """A journal cannot be used; the message names it and says what to do.

    If :meth:`Lease.begin` raises it, nothing was sent. If :meth:`Lease.settle` raises it, the entries stay in flight,
    and the next delivery determines their outcome.
    """


class NoJournalError(JournalError):
    """There is no journal at that place."""


class JournalUnavailableError(JournalError):
    """A journal cannot be used at the moment, for example because a disk is full or its server restarts.

    Run again to resume; nothing needs to be configured.
    """


class JournalInUseError(JournalError):
    """Another process has locked the journal for too long."""


class JournalReader(ABC):
    """A journal opened for reading, possibly while a run writes to it. Thread-safe.

    Methods that yield read page by page: they take little memory and block nobody, and each entry is as it was when its
    page was read. Every method may raise :class:`JournalError`.

    Attributes:
        name: Its file, or the URL of its database without secrets.
    """

    name: str
    _sql: ClassVar[Mapping[str, str]]

    @abstractmethod
    def meta(self) -> Meta:
        """Return what the journal says of itself."""

    @abstractmethod
    def deliverers(self) -> Mapping[str, str]:
        """Return the accounts that are being delivered now, each with the process that does.

        Entries in flight of other accounts were left behind by a process that died.
        """

    def served_accounts(self) -> AbstractSet[str]:
        """Return the accounts that workers deliver, so that others leave it to them."""
        return frozenset()

    @abstractmethod
    def close(self) -> None:
        """Close the journal. Closing is idempotent; using a closed journal raises."""

    def accounts(self) -> Mapping[str, AccountRecord]:
        """Return what is known of each account, by its name."""
        return {record.account: record for record in self._account_records(None)}

    def account(self, name: str) -> AccountRecord | None:
        """Return what is known of an account, or None if the journal does not contain it."""
        return next(iter(self._account_records(name.lower())), None)

    def revision(self, account: str) -> int | None:
        """Return the revision of an account, or None if the journal does not contain it.

        It grows with every change that can give a deliverer something to do.
        """
        records = self._fetch(self._sql["revision"], {"account": account.lower()})
        return records[0][0] if records else None

    def backlog(self, account: str) -> Iterator[tuple[Entry, ...]]:
        """Yield the open entries of an account, a tuple for each package, in the order of the packages' arrival.

        Entries of one package are in the order of their arrival. A package appears once, as it was when its page was
        read.
        """
        last = 0
        while True:
            records = self._fetch(self._sql["open_entries_of_account"], {"account": account.lower(), "last": last})
            packages = [tuple(group) for _, group in groupby(records, itemgetter(0))]
            is_last_page = len(records) < PAGE
            if not is_last_page and len(packages) > 1:
                packages.pop()  # it may have more entries
            for package in packages:
                entries = self._parsed(record[1:] for record in package)
                if len(package) == PAGE:  # it fills the page, and may have more entries
                    entries = [*self.entries(Selection(OPEN_STATES, package=entries[0].package))]
                last = package[0][0]
                yield tuple(entries)
            if is_last_page:
                return

    def count_backlogs(self, account: str) -> Mapping[Backlog, int]:
        """Return how many packages of an account have which backlog; packages without one are left out."""
        records = self._scan(self._sql["backlogs"], {"account": account.lower()})
        return {Backlog(*backlog): number for *backlog, number in records}

    def held(self) -> Mapping[str, Held]:
        """Return the pending deliveries of each account that are not sent yet; accounts without any are left out."""
        records = self._fetch(self._sql["held"], {"now": self._now()})
        try:
            return {account: Held(number, self._to_utc(until)) for account, number, until in records}
        except INVALID_RECORD as error:
            raise self._damage_error(error) from None

    def pending_since(self) -> Mapping[str, dt.datetime]:
        """Return when the oldest pending entry of each account was added, except for deliveries that are held."""
        records = self._fetch(self._sql["pending_since"], {"now": self._now()})
        try:
            return {account: self._to_utc(since) for account, since in records}
        except INVALID_RECORD as error:
            raise self._damage_error(error) from None

    def entries(self, selection: Selection = ALL) -> Iterator[Entry]:
        """Yield the selected entries, in the order of their arrival."""
        package = selection.package
        if selection.ids is not None:
            matches = evolve(selection, ids=None).matches
            for ids in batched((id_ for id_ in selection.ids if id_ <= _LAST_ID), PAGE):
                yield from filter(matches, self._parsed(self.select_many("entries_by_id", ids)))
            return
        values: dict[str, Any] = {"states": list(selection.states), "account": selection.account}
        if package is None:
            sql = self._sql["entries"]
        elif selection.account not in {None, package.account}:
            return
        else:
            is_open = set(selection.states) <= set(OPEN_STATES)
            sql = self._sql["open_entries_of_package"] if is_open else self._sql["entries_of_package"]
            values |= asdict(package)
        for page in self._pages(sql, values):
            yield from self._parsed(page)

    def pruned_keys(self) -> Iterator[bytes]:
        """Yield the keys of entries that were pruned and must not be sent again."""
        for page in self._pages(self._sql["pruned_keys"], {}, b""):
            yield from (key for (key,) in page)

    def counts(self) -> Mapping[str, Counter[State]]:
        """Return how many entries of each account are in each state."""
        counts: defaultdict[str, Counter[State]] = defaultdict(Counter)
        records = self._scan(COUNTS, {})
        try:
            for account, state, number in records:
                counts[account][STATES_BY_TEXT[state]] = number
        except INVALID_RECORD as error:
            raise self._damage_error(error) from None
        return dict(counts)

    def select(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Return the records of a query that reads most of a table, by the query's name.

        Args:
            statement: A name in :mod:`.sql`, :mod:`.known_orders` or :mod:`.parked_events`.
            **values: The values of its parameters.
        """
        return self._scan(self._sql[statement], values)

    def pages(self, statement: str, after: int = 0) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the records of such a query by page, those after an id; no transaction stays open in between."""
        return self._pages(self._sql[statement], {}, after)

    def select_many(self, statement: str, wanted: Sequence[int | str]) -> list[tuple[Any, ...]]:
        """Return the records of a query for all wanted values, in a few statements, by the query's name."""
        return self._fetch_many(self._sql[statement], wanted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _fetch(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the records of a query."""

    @abstractmethod
    def _fetch_many(self, sql: str, wanted: Sequence[int | str]) -> list[tuple[Any, ...]]:
        """Return the records of a query of :data:`_sql` for all wanted values."""

    @abstractmethod
    def _now(self) -> Any:
        """Return the current time as the database stores it."""

    @abstractmethod
    def _to_utc(self, stored: Any) -> dt.datetime:
        """Return a stored time, in UTC."""

    def _scan(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the records of a query that reads most of the journal."""
        return self._fetch(sql, values)

    def _damage_error(self, error: Exception) -> JournalError:
        """Return the error for records that are not valid, which the database did not detect."""
        return JournalError(f"The journal {visible(self.name)} is damaged ({visible(repr(error))}).")

    def _parsed(self, records: Iterable[tuple[Any, ...]]) -> list[Entry]:
        try:
            return [entry_from_record(record, self._to_utc) for record in records]
        except INVALID_RECORD as error:
            raise self._damage_error(error) from None

    def _account_records(self, name: str | None) -> list[AccountRecord]:
        records = self._fetch(self._sql["account"], {"account": name, "now": self._now()})
        try:
            return [account_from_record(record, self._to_utc) for record in records]
        except INVALID_RECORD as error:
            raise self._damage_error(error) from None

    def _pages(self, sql: str, values: Mapping[str, Any], last: Any = 0) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the records of a query whose first column grows, by page; no transaction stays open in between."""
        while True:
            page = self._fetch(sql, {**values, "last": last})
            yield page
            if len(page) < PAGE:
                return
            last = page[-1][0]


class Journal(JournalReader):
    """A journal opened for writing, by any number of threads, while other processes write to it, too.

    Changes are on disk when a method returns. Methods work in batches of :data:`BATCH` and can be called again after an
    error.
    """

    def add(self, rows: Iterable[Row]) -> Iterator[Added]:
        """Add rows as they are iterated over, a batch a transaction, and yield what each meant.

        Only rows that are iterated over are added, and every row that was yielded is on disk.

        Args:
            rows: Checked rows of one input with their accounts, any number of them.
        """
        first: Draft | None = None
        for batch in batched(rows, BATCH):
            added = self._add(batch, first)
            first = first or next(filter(None, map(_DRAFT, added)), None)
            yield from added

    @abstractmethod
    def lease(self, account: str) -> AbstractContextManager[Lease | None]:
        """Take the lease of an account while the context lasts; None if another process or thread has it.

        Entries in flight of an account whose lease was taken were left behind by a process that died.
        """

    def resolve(self, selection: Selection, state: Resolution, reason: str = "") -> int:
        """Record what unknown outcomes turned out to be, and return how many there were.

        Args:
            selection: Among these entries; those that are not unknown stay as they are.
            state: ``applied``, or ``pending`` to send them again.
            reason: Who says so.
        """
        return self._move_selected(selection, "unknown", state, reason)

    def retry(self, selection: Selection) -> int:
        """Make refused or withdrawn entries pending, and return how many; others stay as they are."""
        states: tuple[State, ...] = ("refused", "withdrawn")
        return sum(
            self._move_selected(selection, state, "pending", "") for state in states if state in selection.states
        )

    def withdraw(self, selection: Selection) -> int:
        """Make pending entries withdrawn, so that they are not sent, and return how many; others stay as they are.

        Pushing their rows again renews them, like refused entries. Their reason tells them from dismissed refusals.
        """
        return self._move_selected(selection, "pending", "withdrawn", BY_HAND)

    def dismiss(self, selection: Selection) -> int:
        """Make refused entries withdrawn, because a person has seen them, and return how many.

        They keep the reason and the status of the refusal, and pushing their rows again does not renew them.
        """
        return self._move_selected(selection, "refused", "withdrawn", None)

    def explain(self, entries: Iterable[Entry], reason: str) -> None:
        """Replace the reason of refused entries; others stay as they are."""
        change = {"from": "refused", "state": "refused", "reason": visible(reason, REASON_LENGTH), "keeps": True}
        self._move([entry.id for entry in entries], {**change, "now": self._now()})

    def prune(self, older_than: dt.timedelta, *, forget: bool = False) -> int:
        """Delete entries that were settled long ago, and return how many.

        The entries of a package are deleted together, once none of them is open and each was settled long enough ago.
        A package that waits for its delivery is kept: the carrier took the delivery back, or volumes are missing.
        What is known of an order is deleted if it was last read or imported as long ago, and the journal has no entry
        of the order any more.

        Args:
            older_than: How long ago.
            forget: Also forget what was applied or dismissed: its rows would be sent again if they are pushed again.
        """
        number, last = self._prune(older_than, 0, forget=forget)
        while last is not None:
            deleted, last = self._prune(older_than, last, forget=forget)
            number += deleted
        limit = {"older_than": int(older_than.total_seconds())}
        for page in self._pages(self._sql["prunable_known_orders"], {**limit, "now": self._now()}):
            orders = [{**limit, "id": id_} for (id_,) in page]
            statements = ("prune_known_packages", "prune_known_parcels", "prune_known_order")
            self.execute([(statement, orders) for statement in statements])
        self.execute([("prune_requests", [limit])])
        self._shrink()
        return number

    def execute(self, statements: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> None:
        """Run statements of :mod:`.known_orders` and :mod:`.parked_events` in one transaction.

        Args:
            statements: The name of each, and the values of its parameters, once for each time that it is to run. The
                current time is added to them.
        """
        now = self._now()
        self._execute([(self._sql[name], [{**each, "now": now} for each in values]) for name, values in statements])

    @abstractmethod
    def _execute(self, statements: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> None:
        """Run statements in one transaction."""

    @abstractmethod
    def _add(self, rows: Sequence[Row], first: Draft | None) -> list[Added]:
        """Add a batch of rows in one transaction; see :meth:`.add_rows.RowWriter.add`."""

    @abstractmethod
    def _move(self, ids: Sequence[int], change: Mapping[str, Any]) -> int:
        """Change those entries that are in the state ``from``, and return how many.

        The revision of their accounts grows if they become pending.
        """

    @abstractmethod
    def _prune(self, older_than: dt.timedelta, last: int, *, forget: bool) -> tuple[int, int | None]:
        """Delete the entries of a batch of packages after the package ``last``, in one transaction.

        Returns:
            How many entries were deleted, and the last package of the batch, or None after the last batch.
        """

    @abstractmethod
    def _shrink(self) -> None:
        """Delete what no entry refers to any more, and return free space to the system if the database does not."""

    def _move_selected(self, selection: Selection, origin: State, state: State, reason: str | None) -> int:
        """Change the selected entries that are in a state; None keeps their reason and status."""
        change = {
            "from": origin,
            "state": state,
            "reason": reason and visible(reason, REASON_LENGTH),
            "keeps": reason is None,
            "now": self._now(),
        }
        found = (entry.id for entry in self.entries(evolve(selection, states=(origin,))))
        return sum(self._move(ids, change) for ids in batched(found, BATCH))


@frozen
class Changes:
    """What a thread changes under a lease at once.

    Attributes:
        settlements: Outcomes to record.
        begun: Entries to begin.
        update: What was learned about the account, or None.
    """

    settlements: Sequence[Settlement] = ()
    begun: Sequence[Entry] = ()
    update: AccountUpdate | None = None


class Lease(ABC):
    """The right to deliver an account's entries, which one process has at a time. Thread-safe.

    It ends with its process; once it is lost, :meth:`begin` raises :class:`JournalError`, so that nothing is sent.

    Attributes:
        account: The account's name in the journal.
        record: What the journal knew of the account when the lease was taken.
        deferred: Outcomes that are recorded with the next changes.
    """

    def __init__(self, record: AccountRecord) -> None:
        self.account = record.account
        self.record = record
        self.deferred: deque[Settlement] = deque()

    def begin(self, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        """Record that pending entries are about to be sent: ``in_flight``, with one more attempt.

        Args:
            entries: Entries as they were read.

        Returns:
            Those that are in flight now. An entry that is held, or that was withdrawn or changed since it was read, is
            left out; what it became is found when the backlog is read again.
        """
        begun = self._commit(Changes(self._take_deferred(), entries))
        return tuple(entry for entry in entries if entry.id in begun)

    def settle(
        self,
        entries: Iterable[Entry],
        state: Outcome,
        *,
        status_code: int | None = None,
        receipt: str | None = None,
        reason: str = "",
        is_deferred: bool = False,
    ) -> None:
        """Record the outcome of entries that are in flight or unknown.

        Args:
            entries: The entries. One that a person resolved meanwhile stays as it is.
            state: Their outcome; ``pending`` if they were certainly not applied.
            status_code: HTTP status of the answer, or None.
            receipt: VTEX's receipt, or None.
            reason: Why they are not applied, without credentials, or who says that they are.
            is_deferred: Whether the next :meth:`begin`, :meth:`settle` or :meth:`flush` records it. If the process is
                killed before, the entries are in flight, and their order is read.
        """
        receipt = receipt and visible(receipt, RECEIPT_LENGTH)
        ids = tuple(entry.id for entry in entries)
        settlement = Settlement(ids, state, status_code, receipt, visible(reason, REASON_LENGTH))
        if is_deferred:
            self.deferred.append(settlement)
        else:
            self._commit(Changes([*self._take_deferred(), settlement]))

    def flush(self) -> None:
        """Record the outcomes that were deferred."""
        if deferred := self._take_deferred():
            self._commit(Changes(deferred))

    def update_account(self, update: AccountUpdate) -> None:
        """Record what was learned about the account, and the outcomes that were deferred."""
        self._commit(Changes(self._take_deferred(), update=update))

    @abstractmethod
    def _commit(self, changes: Changes) -> AbstractSet[int]:
        """Make changes, together with those of other threads, and return the ids of the entries that were begun."""

    def _take_deferred(self) -> list[Settlement]:
        taken = []
        with suppress(IndexError):  # other threads take from it, too
            while True:
                taken.append(self.deferred.popleft())
        return taken


def process_name() -> str:
    """Return the name of this process, for those who wait for it."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of so many items, as they are iterated over."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
