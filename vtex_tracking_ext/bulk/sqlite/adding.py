"""Adding rows to a journal in an SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.bulk.entries import Added, Draft, Standing, drafts_of, gravest, judge, key_of
from vtex_tracking_ext.bulk.rows import Place

from .reader import stamp_of

if TYPE_CHECKING:
    import sqlite3

    from vtex_tracking_ext.bulk.entries import Entry, PackageKey
    from vtex_tracking_ext.bulk.rows import Row

_FIND_PACKAGE: Final = "SELECT id FROM packages WHERE account = ? AND order_id = ? AND invoice_number = ?"
_INSERT_PACKAGE: Final = "INSERT INTO packages (account, order_id, invoice_number) VALUES (?, ?, ?)"
_FIND_SOURCE: Final = "SELECT id FROM sources WHERE name = ?"
_INSERT_SOURCE: Final = "INSERT INTO sources (name) VALUES (?)"
_FIND: Final = """
    SELECT e.id, e.state, e.delivered_date, s.name, e.line FROM entries e JOIN sources s ON s.id = e.source
    WHERE e.package = ? AND e.key = ?
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
    """Adds rows within one transaction.

    Args:
        connection: In a transaction.
        now: The time, as it is stored.
    """

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        self._connection = connection
        self._now = now
        self._ids: dict[tuple[str, ...], int] = {}

    def add(self, row: Row, account: str) -> Added:
        """Add a row, or leave it out as a whole where it contradicts."""
        met = [(draft, *self._meet(draft)) for draft in drafts_of(row, account)]
        verdicts = [judge(draft, standing) for draft, _, standing in met]
        verdict, note = gravest(verdicts)
        if verdict != "contradicts":
            for (draft, id_, _), (meaning, _) in zip(met, verdicts, strict=True):
                if meaning == "new":
                    self._connection.execute(_INSERT, (*self._values(draft), self._now))
                elif meaning == "renewed":
                    self._connection.execute(_RENEW, (*self._values(draft), id_))
        return Added(row, verdict, note)

    def copy(self, entry: Entry) -> None:
        """Add an entry as it stands, with its number; what became of its calls is left out."""
        key = key_of(entry.package, entry.event)
        values = self._values(Draft(entry.package, key, entry.event, entry.delivered_date, entry.place))
        self._connection.execute(_COPY, (*values, stamp_of(entry.added), entry.id, entry.state, entry.attempts))

    def _meet(self, draft: Draft) -> tuple[int, Standing | None]:
        """Return the number of the entry under a draft's key, and what is known of it."""
        found = self._connection.execute(_FIND, (self._package(draft.package), draft.key)).fetchone()
        if found is None:
            return 0, None
        id_, state, delivered_date, source, line = found
        return id_, Standing(state, delivered_date, Place(source, line))

    def _values(self, draft: Draft) -> tuple[Any, ...]:
        """Return the columns that a row tells."""
        event, place = draft.event, draft.place
        told = (None,) * 4 if event is None else (event.date, event.city, event.state, event.description)
        name = place.source.encode("utf-8", "backslashreplace").decode()  # a file's name can be of any bytes
        source = self._id(_FIND_SOURCE, _INSERT_SOURCE, (name,))
        return (self._package(draft.package), draft.key, *told, draft.delivered_date, source, place.line)

    def _package(self, key: PackageKey) -> int:
        return self._id(_FIND_PACKAGE, _INSERT_PACKAGE, (key.account, key.order_id, key.invoice_number))

    def _id(self, find: str, insert: str, columns: tuple[str, ...]) -> int:
        """Return the number of a package or a source, told apart by how many columns they have."""
        id_ = self._ids.get(columns)
        if id_ is None:
            found = self._connection.execute(find, columns).fetchone()
            id_ = int(found[0] if found else self._connection.execute(insert, columns).lastrowid or 0)
            self._ids[columns] = id_
        return id_
