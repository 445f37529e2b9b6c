"""The journal: what was sent, and what is known of it.

This module has its interface, and what does not depend on the database. :mod:`.sqlite` keeps a journal in a file,
:mod:`.postgres` in a database that several machines share; :mod:`.opening` opens either.

``in_flight`` is on disk before a request leaves: whatever happens to the process, each entry that may have been sent is
known. What a journal knows is never sent again because its row is pushed again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from attrs import asdict, evolve

from vtex_tracking_ext.errors import VtexTrackingError
from vtex_tracking_ext.text import visible

from .entries import OPEN_STATES, Backlog, PackageKey, Selection
from .sql import COUNTS, PAGE, STATES_BY_TEXT, entry_from_record

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Self

    from vtex_tracking_ext.bulk.input.rows import Row

    from .entries import Added, Entry, Meta, Outcome, Resolution, State
    from .sql import Queries

T = TypeVar("T")

#: All entries of a journal.
ALL: Final = Selection()

#: Rows, or entries, that one transaction changes at most.
BATCH: Final = 1000

#: Characters that are kept of a reason, and of a receipt (VTEX's have 32).
REASON_LENGTH: Final = 1000
RECEIPT_LENGTH: Final = 100

#: What reading a damaged record may raise.
_INVALID_RECORD: Final = (AttributeError, LookupError, OverflowError, TypeError, ValueError)

#: The largest id: both databases store 64 bits.
_LAST_ID: Final = 2**63 - 1


class JournalError(VtexTrackingError):
    """A journal cannot be used; the message names it and says what to do.

    If :meth:`Journal.mark_in_flight` raises it, nothing was sent. If :meth:`Journal.record_outcome` raises it, the
    entries stay in flight, and the next run determines their outcome.
    """


class NoJournalError(JournalError):
    """There is no journal at that place."""


class JournalInUseError(JournalError):
    """Another run is writing to the journal."""


class WrongStateError(JournalError):
    """An entry's state does not allow the change; nothing was changed. See :mod:`.entries`."""


class JournalReader(ABC):
    """A journal opened for reading, possibly while a run writes to it. Thread-safe.

    Methods that yield read page by page: they take little memory and block nobody, and each entry is as it was when its
    page was read. Every method may raise :class:`JournalError`.

    Attributes:
        name: Its file, or the URL of its database without secrets.
    """

    name: str
    _queries: ClassVar[Queries]

    @abstractmethod
    def meta(self) -> Meta:
        """Return what the journal says of itself."""

    @abstractmethod
    def active_writers(self) -> str:
        """Return who has the journal open for writing, as text, or an empty text.

        While there is a writer, entries in flight may be awaiting their answer. Otherwise a killed run left them.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the journal. Closing is idempotent; using a closed journal raises."""

    def open_packages(self, account: str | None = None) -> Iterator[PackageKey]:
        """Yield the packages with entries that are pending, in flight or unknown, in the order of their arrival.

        Args:
            account: Only those of this account.
        """
        for page in self._pages(self._queries.open_packages, {"account": account and account.lower()}):
            yield from (PackageKey(*key) for _, *key in page)

    def count_backlogs(self, account: str) -> Mapping[Backlog, int]:
        """Return how many packages of an account have which backlog; packages without one are left out."""
        records = self._scan(self._queries.backlogs, {"account": account.lower()})
        return {Backlog(*backlog): number for *backlog, number in records}

    def entries(self, selection: Selection = ALL) -> Iterator[Entry]:
        """Yield the selected entries, in the order of their arrival."""
        package = selection.package
        if selection.ids is not None:
            matches = evolve(selection, ids=None).matches
            for ids in batched((id_ for id_ in selection.ids if id_ <= _LAST_ID), PAGE):
                yield from filter(matches, self._parsed(self._fetch_by_id(ids)))
            return
        values: dict[str, Any] = {"states": list(selection.states), "account": selection.account}
        if package is None:
            sql = self._queries.entries
        elif selection.account not in {None, package.account}:
            return
        else:
            is_open = set(selection.states) <= set(OPEN_STATES)
            sql = self._queries.open_entries_of_package if is_open else self._queries.entries_of_package
            values |= asdict(package)
        for page in self._pages(sql, values):
            yield from self._parsed(page)

    def counts(self) -> Mapping[str, Counter[State]]:
        """Return how many entries of each account are in each state."""
        counts: defaultdict[str, Counter[State]] = defaultdict(Counter)
        records = self._scan(COUNTS, {})
        try:
            for account, state, number in records:
                counts[account][STATES_BY_TEXT[state]] = number
        except _INVALID_RECORD as error:
            raise self._damage_error(error) from None
        return dict(counts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _fetch(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the records of a query."""

    @abstractmethod
    def _fetch_by_id(self, ids: Sequence[int]) -> list[tuple[Any, ...]]:
        """Return the records of entries, in the order of their ids."""

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
        except _INVALID_RECORD as error:
            raise self._damage_error(error) from None

    def _pages(self, sql: str, values: Mapping[str, Any]) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the records of a query whose first column grows, by page; no transaction stays open in between."""
        last = 0
        while True:
            page = self._fetch(sql, {**values, "last": last})
            yield page
            if len(page) < PAGE:
                return
            last = page[-1][0]


class Journal(JournalReader):
    """A journal opened for writing, by any number of threads.

    Changes are on disk when a method returns. :meth:`mark_in_flight` and :meth:`record_outcome` change all of their
    entries or none; the other methods work in batches of :data:`BATCH` and can be called again after an error.
    """

    def add(self, rows: Iterable[Row], account: str) -> Iterator[Added]:
        """Add rows as they are iterated over, a batch a transaction, and yield what each meant.

        Only rows that are iterated over are added, and every row that was yielded is on disk. If reading a file fails
        halfway, the rows before that point were added; pushing the file again adds the rest.

        Args:
            rows: Checked rows, any number of them.
            account: The account of rows that name none.
        """
        for batch in batched(rows, BATCH):
            yield from self._add(batch, account)

    @abstractmethod
    def try_lock(self, package: PackageKey) -> AbstractContextManager[bool]:
        """Lock a package while the context lasts, and return whether it was free.

        Entries in flight of a package that this thread has locked were left behind by a run that died. While a thread
        holds a lock, every method raises :class:`JournalError` if the lock may have been lost.
        """

    @abstractmethod
    def mark_in_flight(self, ids: Iterable[int]) -> tuple[Entry, ...]:
        """Record that pending entries are about to be sent: ``in_flight``, with one more attempt.

        Returns:
            The entries as they now are, in the order of their arrival. Send these: a row may have dated a delivery
            since they were read.

        Raises:
            WrongStateError: One of them is not pending.
        """

    def record_outcome(
        self,
        ids: Iterable[int],
        state: Outcome,
        *,
        status_code: int | None = None,
        receipt: str | None = None,
        reason: str = "",
    ) -> None:
        """Record the outcome of entries in flight.

        Args:
            ids: The entries.
            state: Their outcome; ``pending`` if they were certainly not sent.
            status_code: HTTP status of the answer, or None.
            receipt: VTEX's receipt, or None.
            reason: Why they are not applied, without credentials, or who says that they are.

        Raises:
            WrongStateError: One of them is not in flight.
        """
        self._move_all(sorted(set(ids)), self._change("in_flight", state, reason, status_code, receipt))

    def resolve(self, selection: Selection, state: Resolution, reason: str = "") -> int:
        """Record what unknown outcomes turned out to be, and return how many there were.

        Args:
            selection: Among these entries; those that are not unknown stay as they are.
            state: ``applied``, or ``pending`` to send them again.
            reason: Who says so.
        """
        return self._move_selected(selection, self._change("unknown", state, reason))

    def retry(self, selection: Selection) -> int:
        """Make refused entries pending, and return how many; those that are not refused stay as they are."""
        return self._move_selected(selection, self._change("refused", "pending", ""))

    def withdraw(self, selection: Selection, reason: str) -> int:
        """Make pending entries refused, so that they are not sent, and return how many; others stay as they are.

        Pushing their rows again renews them, like all refused entries.

        Args:
            selection: Among these entries.
            reason: Who says so.
        """
        return self._move_selected(selection, self._change("pending", "refused", reason))

    @abstractmethod
    def _add(self, rows: Sequence[Row], account: str) -> list[Added]:
        """Add a batch of rows in one transaction."""

    @abstractmethod
    def _move(self, ids: Sequence[int], change: Mapping[str, Any]) -> int:
        """Change those entries that are in the state ``from``, and return how many."""

    @abstractmethod
    def _move_all(self, ids: Sequence[int], change: Mapping[str, Any]) -> None:
        """Change entries, all or none.

        Raises:
            WrongStateError: One of them is not in the state ``from``.
        """

    @abstractmethod
    def _now(self) -> Any:
        """Return the current time as the database stores it."""

    def _change(
        self, origin: State, state: Outcome, reason: str, status_code: int | None = None, receipt: str | None = None
    ) -> dict[str, Any]:
        """Return the parameters of a change of state; text from elsewhere is made safe to store and show."""
        return {
            "from": origin,
            "state": state,
            "status_code": status_code,
            "receipt": receipt and visible(receipt, RECEIPT_LENGTH),
            "reason": visible(reason, REASON_LENGTH) or None,
            "now": self._now(),
        }

    def _move_selected(self, selection: Selection, change: Mapping[str, Any]) -> int:
        found = (entry.id for entry in self.entries(evolve(selection, states=(change["from"],))))
        return sum(self._move(ids, change) for ids in batched(found, BATCH))

    def _expect_state(self, state: State, ids: Iterable[int], states: Mapping[int, str]) -> None:
        """Raise WrongStateError unless all of these entries are in a state."""
        others = [f"entry {id_} is {states.get(id_, 'not there')}" for id_ in ids if states.get(id_) != state]
        if others:
            message = f"The journal {visible(self.name)}: {', '.join(others)}, where {state} was expected."
            raise WrongStateError(message)


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of so many items, as they are iterated over."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
