"""Adding rows to a journal in an SQLite file: a few statements for a batch, because each costs more than what it does.

Written within one transaction of the only run that writes, so nothing that was looked up changes before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.classify import classify_rows
from vtex_tracking_ext.bulk.journal.entries import Draft, Existing, drafts_from_row, entry_key

from .lookup import select_many
from .reader import stamp_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator

    from vtex_tracking_ext.bulk.input.rows import Row
    from vtex_tracking_ext.bulk.journal.entries import Added, Entry, PackageKey

_PACKAGES: Final = """
    WITH wanted (account, order_id, invoice_number) AS (VALUES {})
    SELECT p.account, p.order_id, p.invoice_number, p.id
    FROM wanted w CROSS JOIN packages p USING (account, order_id, invoice_number)
"""
_INSERT_PACKAGE: Final = "INSERT INTO packages (account, order_id, invoice_number) VALUES (?, ?, ?)"
_FIND_SOURCE: Final = "SELECT id FROM sources WHERE name = ?"
_INSERT_SOURCE: Final = "INSERT INTO sources (name) VALUES (?)"
_STANDINGS: Final = """
    WITH wanted (package, key) AS (VALUES {})
    SELECT e.key, e.id, e.state, e.delivered_date, s.name, e.line
    FROM wanted w CROSS JOIN entries e USING (package, key) JOIN sources s ON s.id = e.source
"""
_INSERT: Final = """
    INSERT INTO entries (package, key, event_date, event_city, event_state, event_description, delivered_date,
        source, line, state, added)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?)
"""
_COPY: Final = """
    INSERT INTO entries (package, key, event_date, event_city, event_state, event_description, delivered_date,
        source, line, added, id, state, attempts)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_RENEW: Final = """
    UPDATE entries SET package = ?, key = ?, event_date = ?, event_city = ?, event_state = ?, event_description = ?,
        delivered_date = ?, source = ?, line = ?, state = 'pending', status_code = NULL, receipt = NULL, reason = NULL,
        settled = NULL
    WHERE id = ?
"""


class Adding:
    """Adds a batch within one transaction.

    Args:
        connection: In a transaction.
        now: The time, as it is stored.
    """

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        self._connection = connection
        self._now = now
        self._packages: dict[PackageKey, int] = {}
        self._sources: dict[str, int] = {}

    def add(self, rows: Iterable[Row], account: str) -> list[Added]:
        """Add rows, each but those that contradict, and return what each meant."""
        pairs = [(row, drafts_from_row(row, account)) for row in rows]
        ids, standings = self._standings([draft for _, drafts in pairs for draft in drafts])
        weighed = classify_rows(pairs, standings)
        now = (self._now,)
        self._connection.executemany(_INSERT, [values + now for values in self._values(weighed.new.values())])
        renewed = zip(self._values(weighed.renewed.values()), weighed.renewed, strict=True)
        self._connection.executemany(_RENEW, [(*values, ids[key]) for values, key in renewed])
        return weighed.added

    def copy(self, entries: Iterable[Entry]) -> None:
        """Add entries as they stand, with their numbers; what became of their calls is left out."""
        given = tuple(entries)
        drafts = [
            Draft(entry.package, entry_key(entry.package, entry.event), entry.event, entry.delivered_date, entry.place)
            for entry in given
        ]
        self._find_packages(entry.package for entry in given)
        told = zip(self._values(drafts), given, strict=True)
        self._connection.executemany(
            _COPY, [(*values, stamp_of(entry.added), entry.id, entry.state, entry.attempts) for values, entry in told]
        )

    def _standings(self, drafts: Collection[Draft]) -> tuple[dict[bytes, int], dict[bytes, Existing]]:
        """Return the numbers of the entries under the keys of drafts, and what is known of each."""
        self._find_packages(draft.package for draft in drafts)
        wanted = {draft.key: (id_, draft.key) for draft in drafts if (id_ := self._packages.get(draft.package))}
        ids: dict[bytes, int] = {}
        standings: dict[bytes, Existing] = {}
        for key, id_, state, delivered_date, source, line in select_many(
            self._connection, _STANDINGS, [*wanted.values()]
        ):
            ids[key], standings[key] = id_, Existing(state, delivered_date, Place(source, line))
        return ids, standings

    def _values(self, drafts: Collection[Draft]) -> Iterator[tuple[Any, ...]]:
        """Yield the columns that rows tell, of packages that were looked for."""
        self._make_packages(draft.package for draft in drafts)
        for draft in drafts:
            event, place = draft.event, draft.place
            date, city, state, description = (
                (None, None, None, None) if event is None else (event.date, event.city, event.state, event.description)
            )
            yield (
                self._packages[draft.package],
                draft.key,
                date,
                city,
                state,
                description,
                draft.delivered_date,
                self._sources.get(place.source) or self._source(place.source),
                place.line,
            )

    def _find_packages(self, packages: Iterable[PackageKey]) -> None:
        wanted = {(key.account, key.order_id, key.invoice_number): key for key in packages}
        for *names, id_ in select_many(self._connection, _PACKAGES, [*wanted]):
            self._packages[wanted[tuple(names)]] = id_

    def _make_packages(self, packages: Iterable[PackageKey]) -> None:
        missing = dict.fromkeys(key for key in packages if key not in self._packages)
        columns = [(key.account, key.order_id, key.invoice_number) for key in missing]
        self._connection.executemany(_INSERT_PACKAGE, columns)
        self._find_packages(missing)

    def _source(self, name: str) -> int:
        stored = (name.encode("utf-8", "backslashreplace").decode(),)  # a file's name can be of any bytes
        found = self._connection.execute(_FIND_SOURCE, stored).fetchone()
        id_ = int(found[0] if found else self._connection.execute(_INSERT_SOURCE, stored).lastrowid or 0)
        self._sources[name] = id_
        return id_
