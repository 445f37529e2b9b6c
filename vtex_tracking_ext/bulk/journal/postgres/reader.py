"""Looking at a journal on PostgreSQL: entries and packages page by page, counts."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict, evolve

from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES, Backlog, Entry, Meta, PackageKey, Selection
from vtex_tracking_ext.bulk.journal.interface import ALL
from vtex_tracking_ext.events import TrackingEvent

from . import encoding, schema
from .address import parse_url
from .connections import Connections, connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from vtex_tracking_ext.bulk.journal.entries import State

    from .address import Address

#: Entries, or packages, that are read at once.
PAGE: Final = 500

#: Numbers that an entry can have.
LAST_ID: Final = 2**63 - 1

#: The columns of an entry for :func:`entry_of`, where ``e`` is the entry.
COLUMNS: Final = """
    SELECT e.id, p.account, p.order_id, p.invoice_number, e.event_date, e.event_description, e.event_city,
        e.event_state, e.delivered_date, s.name, e.line, e.state, e.attempts, e.status_code, e.receipt, e.reason,
        e.added, e.begun, e.settled
"""
_ENTRY: Final = f"{COLUMNS} FROM entries e JOIN packages p ON p.id = e.package JOIN sources s ON s.id = e.source"
# Any, if none is given. No condition for an index: the pages' order is what matters.
_OF_ACCOUNT: Final = " WHERE coalesce(p.account = %(account)s, true)"
_OF_PACKAGE: Final = """
    WHERE e.package = (
        SELECT id FROM packages
        WHERE account = %(account)s AND order_id = %(order_id)s AND invoice_number = %(invoice_number)s
    )
"""
_PAGE: Final = f" AND e.state = ANY(%(states)s) AND e.id > %(last)s ORDER BY e.id LIMIT {PAGE}"

_ENTRIES_BY_ID: Final = _ENTRY + " WHERE e.id = ANY(%s) ORDER BY e.id"
_ENTRIES: Final = _ENTRY + _OF_ACCOUNT + _PAGE
_ENTRIES_OF_PACKAGE: Final = _ENTRY + _OF_PACKAGE + _PAGE
# A partial index is used only where its condition stands word for word.
_OPEN_ENTRIES_OF_PACKAGE: Final = _ENTRY + _OF_PACKAGE + "AND e.state IN ('pending', 'in_flight', 'unknown')" + _PAGE
_OPEN_PACKAGES: Final = f"""
    SELECT p.id, p.account, p.order_id, p.invoice_number
    FROM (
        SELECT package FROM entries
        WHERE state IN ('pending', 'in_flight', 'unknown') AND package > %(last)s
        GROUP BY package
    ) AS o JOIN packages p ON p.id = o.package
    {_OF_ACCOUNT}
    ORDER BY o.package LIMIT {PAGE}
"""  # noqa: S608 - all of it is ours
# All of it is read, so the ways that the other statements must not go are the best here.
_TO_COUNT: Final = """
    SELECT set_config(name, 'on', true)
    FROM unnest(ARRAY['enable_seqscan', 'enable_hashjoin', 'enable_hashagg']) AS name
"""
_LOADS: Final = """
    SELECT events, deliveries, in_doubt, count(*) FROM (
        SELECT
            count(*) FILTER (WHERE e.state = 'pending' AND e.event_date IS NOT NULL) AS events,
            count(*) FILTER (WHERE e.state = 'pending' AND e.event_date IS NULL) AS deliveries,
            count(*) FILTER (WHERE e.state <> 'pending') AS in_doubt
        FROM entries e JOIN packages p ON p.id = e.package
        WHERE e.state IN ('pending', 'in_flight', 'unknown') AND p.account = %s
        GROUP BY e.package
    ) AS loads
    GROUP BY events, deliveries, in_doubt
"""
_COUNTS: Final = """
    SELECT p.account, e.state, count(*) FROM entries e JOIN packages p ON p.id = e.package
    GROUP BY p.account, e.state ORDER BY p.account, e.state
"""


class PostgresReader:
    """A journal on PostgreSQL, to look at: a :class:`~vtex_tracking_ext.bulk.journal.interface.JournalReader`.

    Attributes:
        name: Its URL, without what is secret.
        address: Where it is.
        connections: For whoever keeps other tables beside the journal's, in its schema.
    """

    def __init__(self, address: Address, connections: Connections) -> None:
        self.name = address.name
        self.address = address
        self.connections = connections

    @classmethod
    def open(cls, url: str) -> Self:
        """Open a journal that is there, also while runs write to it.

        Args:
            url: ``postgresql://user:password@host:port/database``, with any option that libpq knows, and
                ``schema=`` where its tables are not in ``vtex_tracking``.

        Raises:
            JournalError: There is none, or it cannot be used.
        """
        address = parse_url(url)
        with connect(address) as connection:
            schema.check_version(address, schema.version_of(address, connection))
        return cls(address, Connections(address, is_writing=False))

    def meta(self) -> Meta:
        """Return what the journal says of itself."""
        said = dict(self._fetch("SELECT name, value FROM meta"))
        return Meta(int(said["schema_version"]), dt.datetime.fromisoformat(said["created"]))

    def active_writers(self) -> str:
        """Return who has the journal open to write to it, or an empty text."""
        with self.connections.connection() as connection:
            ((is_copy,),) = connection.execute("SELECT pg_is_in_recovery()")
            if is_copy:
                return "or not: this server is a copy, and cannot tell"
            return "; ".join(schema.writers(self.address.schema, connection))

    def open_packages(self, account: str | None = None) -> Iterator[PackageKey]:
        """Yield the packages with something left to do, in the order of their arrival."""
        for _, *names in self._pages(_OPEN_PACKAGES, {"account": account and encoding.kept(account.lower())}):
            yield PackageKey(*map(encoding.read, names))

    def count_backlogs(self, account: str) -> Mapping[Backlog, int]:
        """Return how many packages of an account have how much left to do."""
        with self.connections.connection() as connection, connection.transaction():
            connection.execute(_TO_COUNT)
            found = connection.execute(_LOADS, (encoding.kept(account.lower()),)).fetchall()
        return {Backlog(*load): number for *load, number in found}

    def entries(self, selection: Selection = ALL) -> Iterator[Entry]:
        """Yield the selected entries, in the order of their arrival."""
        if selection.ids is not None:
            yield from filter(evolve(selection, ids=None).matches, self._by_id(selection.ids))
            return
        account = selection.account
        values: dict[str, Any] = {"states": list(selection.states), "account": account and encoding.kept(account)}
        if selection.package is None:
            sql = _ENTRIES
        elif account not in {None, selection.package.account}:
            return
        else:
            sql = _OPEN_ENTRIES_OF_PACKAGE if set(selection.states) <= set(OPEN_STATES) else _ENTRIES_OF_PACKAGE
            values |= {name: encoding.kept(text) for name, text in asdict(selection.package).items()}
        yield from map(entry_of, self._pages(sql, values))

    def counts(self) -> Mapping[str, Counter[State]]:
        """Return how many entries of each account are in each state."""
        counts: defaultdict[str, Counter[State]] = defaultdict(Counter)
        with self.connections.connection() as connection, connection.transaction():
            connection.execute(_TO_COUNT)
            for account, state, number in connection.execute(_COUNTS):
                counts[encoding.read(account)][state] = number
        return dict(counts)

    def close(self) -> None:
        """Let go of the journal."""
        self.connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _by_id(self, ids: tuple[int, ...]) -> Iterator[Entry]:
        remaining = (id_ for id_ in ids if id_ <= LAST_ID)
        while page := list(islice(remaining, PAGE)):
            yield from map(entry_of, self._fetch(_ENTRIES_BY_ID, (page,)))

    def _pages(self, sql: str, values: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query whose first column grows, a page at a time: no transaction stays open meanwhile."""
        last = 0
        while True:
            page = self._fetch(sql, {**values, "last": last})
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1][0]

    def _fetch(self, sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
        with self.connections.connection() as connection:
            return connection.execute(sql, values).fetchall()


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Make an entry of a row of :data:`COLUMNS`."""
    id_, account, order_id, invoice_number, date, description, city, event_state, *rest = row
    delivered_date, source, line, state, attempts, status_code, receipt, reason, added, begun, settled = rest
    return Entry(
        id=id_,
        package=PackageKey(*map(encoding.read, (account, order_id, invoice_number))),
        event=None if date is None else TrackingEvent(date, *map(encoding.read, (description, city, event_state))),
        delivered_date=delivered_date,
        place=Place(encoding.read(source), line),
        state=state,
        attempts=attempts,
        status_code=status_code,
        receipt=receipt,
        reason=reason or "",
        added=_utc(added),
        begun=begun and _utc(begun),
        settled=settled and _utc(settled),
    )


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC)
