"""Adding rows to a journal on PostgreSQL: a batch a transaction, a few statements a batch.

Who adds has a lock until the commit, so one at a time does. Pushing is what takes long, not adding; and so each event
comes once, nobody waits for another in a circle, and numbers become visible in the order in which they are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import astuple

from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.classify import classify_rows
from vtex_tracking_ext.bulk.journal.entries import Existing, drafts_from_row

from . import encoding
from .locks import adding_lock

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable

    from vtex_tracking_ext.bulk.input.rows import Row
    from vtex_tracking_ext.bulk.journal.entries import Added, Draft, PackageKey

    from .schema import Connection

_PACKAGES: Final = """
    SELECT w.number, p.id FROM unnest(%s::text[], %s::text[], %s::text[])
        WITH ORDINALITY AS w(account, order_id, invoice_number, number)
    JOIN packages p USING (account, order_id, invoice_number)
"""
_INSERT_PACKAGES: Final = """
    INSERT INTO packages (account, order_id, invoice_number)
    SELECT account, order_id, invoice_number FROM unnest(%s::text[], %s::text[], %s::text[])
        WITH ORDINALITY AS w(account, order_id, invoice_number, number)
    ORDER BY number
"""
_INSERT_SOURCES: Final = "INSERT INTO sources (name) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING"
_SOURCES: Final = "SELECT name, id FROM sources WHERE name = ANY(%s)"
_STANDINGS: Final = """
    SELECT e.key, e.id, e.state, e.delivered_date, s.name, e.line
    FROM unnest(%s::bigint[], %s::bytea[]) AS w(package, key)
    JOIN entries e USING (package, key) JOIN sources s ON s.id = e.source
"""
_LOCK: Final = """
    SELECT e.key, e.id, e.state, e.delivered_date, s.name, e.line
    FROM (SELECT * FROM entries WHERE id = ANY(%s) ORDER BY id FOR UPDATE) AS e JOIN sources s ON s.id = e.source
"""
_COLUMNS: Final = """
    unnest(%(packages)s::bigint[], %(keys)s::bytea[], %(dates)s::text[], %(cities)s::text[], %(states)s::text[],
        %(descriptions)s::text[], %(delivered)s::text[], %(sources)s::bigint[], %(lines)s::bigint[])
    WITH ORDINALITY AS w(package, key, date, city, state, description, delivered_date, source, line, number)
"""
_INSERT: Final = f"""
    INSERT INTO entries (package, key, event_date, event_city, event_state, event_description, delivered_date, source,
        line, state, added)
    SELECT package, key, date, city, state, description, delivered_date, source, line, 'pending',
        coalesce(%(now)s::timestamptz, (SELECT clock_timestamp()))
    FROM {_COLUMNS} ORDER BY number
"""  # noqa: S608 - all of it is ours
_RENEW: Final = f"""
    UPDATE entries e SET event_date = w.date, event_city = w.city, event_state = w.state,
        event_description = w.description, delivered_date = w.delivered_date, source = w.source, line = w.line,
        state = 'pending', status_code = NULL, receipt = NULL, reason = NULL, settled = NULL
    FROM {_COLUMNS} WHERE e.package = w.package AND e.key = w.key
"""  # noqa: S608 - all of it is ours


def add(connection: Connection, schema: str, rows: Iterable[Row], account: str, now: dt.datetime | None) -> list[Added]:
    """Add rows, and return what each meant when it is committed.

    Args:
        connection: A connection in no transaction.
        schema: The journal's schema.
        rows: A batch of checked rows.
        account: The account of rows that name none.
        now: The time, or None for the server's.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (adding_lock(schema),))
        return _Batch(connection, rows, account).add(now)


class _Batch:
    def __init__(self, connection: Connection, rows: Iterable[Row], account: str) -> None:
        self._connection = connection
        self._rows = [(row, drafts_from_row(row, account)) for row in rows]
        self._drafts = [draft for _, drafts in self._rows for draft in drafts]
        self._packages: dict[PackageKey, int] = {}
        self._ids: dict[bytes, int] = {}
        self._standings: dict[bytes, Existing] = {}

    def add(self, now: dt.datetime | None) -> list[Added]:
        self._find_packages([draft.package for draft in self._drafts])
        known = [draft for draft in self._drafts if draft.package in self._packages]
        if known:
            packages = [self._packages[draft.package] for draft in known]
            self._learn(_STANDINGS, packages, [draft.key for draft in known])
        weighed = classify_rows(self._rows, self._standings)
        locked: set[bytes] = set()
        while not weighed.renewed.keys() <= locked:
            # What is to be renewed may be begun or withdrawn by somebody else just now: with the lock, look again.
            locked |= weighed.renewed.keys()
            self._learn(_LOCK, [self._ids[key] for key in locked])
            weighed = classify_rows(self._rows, self._standings)
        new, renewed = weighed.new.values(), weighed.renewed.values()
        self._make_packages([draft.package for draft in new])
        if new:
            self._connection.execute(_INSERT, {**self._values(new), "now": now})
        if renewed:
            self._connection.execute(_RENEW, self._values(renewed))
        return weighed.added

    def _find_packages(self, packages: Iterable[PackageKey]) -> None:
        wanted = list(dict.fromkeys(packages))
        found = self._connection.execute(_PACKAGES, _columns(wanted))
        self._packages |= {wanted[number - 1]: id_ for number, id_ in found}

    def _make_packages(self, packages: Iterable[PackageKey]) -> None:
        missing = [package for package in dict.fromkeys(packages) if package not in self._packages]
        if missing:
            self._connection.execute(_INSERT_PACKAGES, _columns(missing))
            self._find_packages(missing)

    def _learn(self, sql: str, *values: Any) -> None:
        for key, id_, state, delivered_date, source, line in self._connection.execute(sql, values):
            self._ids[key] = id_
            self._standings[key] = Existing(state, delivered_date, Place(encoding.read(source), line))

    def _source_ids(self, names: Iterable[str]) -> dict[str, int]:
        wanted = list(dict.fromkeys(names))
        self._connection.execute(_INSERT_SOURCES, (wanted,))
        return {name: id_ for name, id_ in self._connection.execute(_SOURCES, (wanted,))}  # noqa: C416 - for the types

    def _values(self, drafts: Collection[Draft]) -> dict[str, Any]:
        """Return the columns that rows tell."""
        sources = self._source_ids(encoding.kept_name(draft.place.source) for draft in drafts)
        events = [draft.event for draft in drafts]
        return {
            "packages": [self._packages[draft.package] for draft in drafts],
            "keys": [draft.key for draft in drafts],
            "dates": [None if event is None else str(event.date) for event in events],
            "cities": [None if event is None else encoding.kept(event.city) for event in events],
            "states": [None if event is None else encoding.kept(event.state) for event in events],
            "descriptions": [None if event is None else encoding.kept(event.description) for event in events],
            "delivered": [draft.delivered_date for draft in drafts],
            "sources": [sources[encoding.kept_name(draft.place.source)] for draft in drafts],
            "lines": [draft.place.line for draft in drafts],
        }


def _columns(packages: Iterable[PackageKey]) -> list[list[str]]:
    rows = [tuple(map(encoding.kept, astuple(package))) for package in packages]
    return [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
