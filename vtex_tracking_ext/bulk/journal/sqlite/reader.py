"""Looking at a journal in an SQLite file: entries and packages page by page, counts."""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES, STATES, Backlog, Entry, Meta, PackageKey, Selection
from vtex_tracking_ext.bulk.journal.interface import ALL, JournalError, NoJournalError
from vtex_tracking_ext.events import TrackingEvent
from vtex_tracking_ext.text import visible

from . import file
from .lookup import select_many

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Self

    from vtex_tracking_ext.bulk.journal.entries import State

#: Entries, or packages, that are read at once.
PAGE: Final = 500

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)

_STATES: Final[Mapping[str, State]] = {state: state for state in STATES}

_ENTRY: Final = """
    SELECT e.id, p.account, p.order_id, p.invoice_number, e.event_date, e.event_description, e.event_city,
        e.event_state, e.delivered_date, s.name, e.line, e.state, e.attempts, e.status_code, e.receipt, e.reason,
        e.added, e.begun, e.settled
    FROM entries e JOIN packages p ON p.id = e.package JOIN sources s ON s.id = e.source
"""
_OF_PACKAGE: Final = """
    WHERE e.package = (
        SELECT id FROM packages WHERE account = :account AND order_id = :order_id AND invoice_number = :invoice_number
    )
"""
_PAGE: Final = " AND instr(:states, '/' || e.state || '/') AND e.id > :last ORDER BY e.id LIMIT :page"

ENTRIES_BY_ID: Final = _ENTRY + "WHERE e.id IN ({}) ORDER BY e.id"
_ENTRIES: Final = _ENTRY + "WHERE (:account IS NULL OR p.account = :account)" + _PAGE
_ENTRIES_OF_PACKAGE: Final = _ENTRY + _OF_PACKAGE + _PAGE
# A partial index is used only where its condition stands word for word.
_OPEN_ENTRIES_OF_PACKAGE: Final = _ENTRY + _OF_PACKAGE + "AND e.state <> 'applied' AND e.state <> 'refused'" + _PAGE
_OPEN_PACKAGES: Final = """
    SELECT p.id, p.account, p.order_id, p.invoice_number FROM entries e CROSS JOIN packages p ON p.id = e.package
    WHERE e.state <> 'applied' AND e.state <> 'refused' AND e.package > :last
        AND (:account IS NULL OR p.account = :account)
    GROUP BY e.package ORDER BY e.package LIMIT :page
"""
_LOADS: Final = """
    SELECT events, deliveries, in_doubt, count(*) FROM (
        SELECT
            sum(e.state = 'pending' AND e.event_date IS NOT NULL) AS events,
            sum(e.state = 'pending' AND e.event_date IS NULL) AS deliveries,
            sum(e.state <> 'pending') AS in_doubt
        FROM entries e CROSS JOIN packages p ON p.id = e.package
        WHERE e.state <> 'applied' AND e.state <> 'refused' AND p.account = ?
        GROUP BY e.package
    )
    GROUP BY events, deliveries, in_doubt
"""
_COUNTS: Final = """
    SELECT p.account, e.state, count(*) FROM entries e JOIN packages p ON p.id = e.package
    GROUP BY p.account, e.state ORDER BY p.account, e.state
"""


class SqliteReader:
    """A journal in a file, to look at: a :class:`~vtex_tracking_ext.bulk.journal.interface.JournalReader`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: threading.Lock) -> None:
        self.path = path
        self.name = str(path)
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a journal that is there, also while a run writes to it.

        Raises:
            JournalError: There is none, or it cannot be used.
        """
        real = Path(os.path.realpath(path))
        if not file.is_journal(real):
            raise missing_journal_error(real)
        return cls(real, file.open_to_read(real), threading.Lock())

    def meta(self) -> Meta:
        """Return what the journal says of itself."""
        ((version,),) = self._fetch("PRAGMA user_version")
        return Meta(version, dt.datetime.fromisoformat(self.word("created")))

    def word(self, name: str) -> str:
        """Return what the journal keeps under a name: ``created``, or ``holder``, who last wrote; else nothing."""
        return next((value for (value,) in self._fetch("SELECT value FROM meta WHERE name = ?", (name,))), "")

    def has_writer(self) -> bool:
        """Tell whether a run is writing to it."""
        return file.is_locked(self.path)

    def active_writers(self) -> str:
        """Return the run that is writing to it, or an empty text."""
        return (self.word("holder") or "it has just begun") if self.has_writer() else ""

    def open_packages(self, account: str | None = None) -> Iterator[PackageKey]:
        """Yield the packages with something left to do, in the order of their arrival."""
        for page in self._pages(_OPEN_PACKAGES, {"account": account and account.lower()}):
            yield from [PackageKey(*row[1:]) for row in page]

    def count_backlogs(self, account: str) -> Mapping[Backlog, int]:
        """Return how many packages of an account have how much left to do."""
        return {Backlog(*load): number for *load, number in self._fetch(_LOADS, (account.lower(),))}

    def entries(self, selection: Selection = ALL) -> Iterator[Entry]:
        """Yield the selected entries, in the order of their arrival."""
        if selection.ids is not None:
            selected = evolve(selection, ids=None).matches
            for start in range(0, len(selection.ids), PAGE):
                yield from filter(selected, self._read(self._by_id(selection.ids[start : start + PAGE])))
            return
        values: dict[str, Any] = {"states": f"/{'/'.join(selection.states)}/", "account": selection.account}
        if selection.package is None:
            sql = _ENTRIES
        elif selection.account not in {None, selection.package.account}:
            return
        else:
            sql = _OPEN_ENTRIES_OF_PACKAGE if set(selection.states) <= set(OPEN_STATES) else _ENTRIES_OF_PACKAGE
            package = selection.package
            values |= {"account": package.account, "order_id": package.order_id}
            values["invoice_number"] = package.invoice_number
        for page in self._pages(sql, values):
            yield from self._read(page)

    def counts(self) -> Mapping[str, Counter[State]]:
        """Return how many entries of each account are in each state."""
        counts: defaultdict[str, Counter[State]] = defaultdict(Counter)
        for account, state, number in self._fetch(_COUNTS):
            with file.explaining(self.path):
                counts[account][_state_of(state)] = number
        return dict(counts)

    def close(self) -> None:
        """Let go of the journal."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, rows: Iterable[tuple[Any, ...]]) -> list[Entry]:
        with file.explaining(self.path):
            return [entry_of(row) for row in rows]

    def _by_id(self, ids: Sequence[int]) -> list[tuple[Any, ...]]:
        with self._lock, file.explaining(self.path):
            return select_many(self._connection, ENTRIES_BY_ID, ids)

    def _pages(self, sql: str, values: Mapping[str, Any]) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query whose first column grows, a page at a time."""
        last = 0
        while True:
            page = self._fetch(sql, {**values, "last": last, "page": PAGE})
            yield page
            if len(page) < PAGE:
                return
            last = page[-1][0]

    def _fetch(self, sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
        with self._lock, file.explaining(self.path):
            return self._connection.execute(sql, values).fetchall()


def missing_journal_error(path: Path) -> JournalError:
    """Return the error of whoever wants a journal that is there."""
    return NoJournalError(f"There is no journal {visible(str(path))}; a push makes one.")


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Make an entry of a row of :data:`ENTRIES_BY_ID`.

    Raises:
        sqlite3.DatabaseError: It makes no sense: the file is damaged in a way that SQLite does not see.
    """
    id_, account, order_id, invoice_number, date, description, city, event_state, *rest = row
    delivered_date, source, line, state, attempts, status_code, receipt, reason, added, begun, settled = rest
    try:
        return Entry(
            id=id_,
            package=PackageKey(account, order_id, invoice_number),
            event=None if date is None else TrackingEvent(date, description, city, event_state),
            delivered_date=delivered_date,
            place=Place(source, line),
            state=_state_of(state),
            attempts=attempts,
            status_code=status_code,
            receipt=receipt,
            reason=reason or "",
            added=moment_of(added),
            begun=None if begun is None else moment_of(begun),
            settled=None if settled is None else moment_of(settled),
        )
    except (AttributeError, TypeError, OverflowError) as error:
        raise file.damaged(f"entry {id_}: {error}") from None


def _state_of(text: str) -> State:
    state = _STATES.get(text)
    if state is None:
        raise file.damaged(f"no such state: {text!r}")
    return state


def stamp_of(moment: dt.datetime) -> int:
    """Return a moment as it is stored: microseconds since 1970, UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(stamp: int) -> dt.datetime:
    """Return a stored moment, in UTC."""
    return _EPOCH + stamp * _MICROSECOND
