"""Adding rows to a journal in an SQLite file.

It all happens in one transaction, and one process at a time writes, so nothing that was read changes before it is used.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.bulk.journal.add_rows import RowWriter
from vtex_tracking_ext.bulk.journal.entries import PackageKey, draft_of
from vtex_tracking_ext.bulk.journal.sql import ENTRIES, STATES_BY_TEXT, TAKE_BACK, VOLUME_ENTRIES

from .checksum import draft_checksum, verified, with_checksum
from .errors import damage
from .schema import EPOCH, MICROSECOND

if TYPE_CHECKING:
    import datetime as dt
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from vtex_tracking_ext.bulk.journal.entries import Draft, Entry

#: Maximum number of parameters of one statement: older SQLite versions accept 999.
MAX_PARAMETERS: Final = 900

_UPDATE_ACCOUNT: Final = """
    INSERT INTO accounts (name, revision) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET revision = revision + 1
"""
_ACCOUNTS: Final = "SELECT name, id FROM accounts WHERE name IN ({})"
_PACKAGES: Final = """
    WITH wanted (account, order_id, invoice_number) AS (VALUES {})
    SELECT p.account, p.order_id, p.invoice_number, p.id
    FROM wanted w CROSS JOIN packages p USING (account, order_id, invoice_number)
"""
_INSERT_PACKAGE: Final = "INSERT INTO packages (account, order_id, invoice_number) VALUES (?, ?, ?)"
_SOURCES: Final = "SELECT name, id FROM sources WHERE name IN ({})"
_INSERT_SOURCE: Final = "INSERT INTO sources (name) VALUES (?) ON CONFLICT DO NOTHING"
_EXISTING: Final = """
    WITH wanted (package, key) AS (VALUES {})
    SELECT e.key, e.id, e.state, e.delivered_date, s.name, e.line, e.reason, e.not_before
    FROM wanted w CROSS JOIN entries e USING (package, key) JOIN sources s ON s.id = e.source
"""
ENTRIES_BY_ID: Final = with_checksum(f"{ENTRIES} WHERE e.id IN ({{}}) ORDER BY e.id")
_VOLUMES: Final = with_checksum(VOLUME_ENTRIES.format(packages="e.package IN ({})"))
_PRUNED: Final = "SELECT key FROM pruned_keys WHERE key IN ({})"
_COLUMNS: Final = """package, key, account, event_date, event_city, event_state, event_description, event_id,
    event_time, delivered_date, source, line, checksum"""
_CARRIER_COLUMNS: Final = "not_before, volume, volume_delivered"
#: Without the columns that few entries have: a parameter that is None takes long.
_INSERT: Final = f"""
    INSERT INTO entries ({_COLUMNS}, added, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')
"""  # noqa: S608 - constants
_INSERT_ALL: Final = f"""
    INSERT INTO entries ({_COLUMNS}, {_CARRIER_COLUMNS}, added, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')
"""  # noqa: S608 - constants
#: An earlier version told events apart that differ in their blanks alone, and count as one now.
_COPY: Final = f"""
    INSERT OR IGNORE INTO entries ({_COLUMNS}, {_CARRIER_COLUMNS}, added, id, state, attempts, reason)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""  # noqa: S608 - constants
_RENEW: Final = """
    UPDATE entries SET package = ?, key = ?, account = ?, event_date = ?, event_city = ?, event_state = ?,
        event_description = ?, event_id = ?, event_time = ?, delivered_date = ?, source = ?, line = ?,
        checksum = ?, not_before = ?, volume = ?, volume_delivered = ?,
        state = 'pending', status_code = NULL, receipt = NULL, reason = NULL, settled = NULL
    WHERE id = ?
"""
_TAKE_BACK: Final = TAKE_BACK.format(now="?", keys="package = ? AND key = ?")


class SqliteRowWriter(RowWriter):
    """Adds rows within one transaction.

    Args:
        connection: In a transaction.
        now: The time, as it is stored.
    """

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        super().__init__()
        self._connection = connection
        self._now = now

    def copy(self, entries: Sequence[Entry]) -> None:
        """Add the entries of another journal with their ids, states and reasons, without what was answered."""
        self._find_packages(entry.package for entry in entries)
        self._accounts |= self._update_accounts(sorted({entry.package.account for entry in entries}))
        columns = self._all_columns([draft_of(entry) for entry in entries])
        values = [((e.added - EPOCH) // MICROSECOND, e.id, e.state, e.attempts, e.reason) for e in entries]
        self._connection.executemany(_COPY, [a + b for a, b in zip(columns, values, strict=True)])

    def _all_columns(self, drafts: Collection[Draft]) -> list[tuple[Any, ...]]:
        rows = zip(drafts, self._columns(drafts), self._carrier_columns(drafts), strict=True)
        return [(*columns, draft_checksum(draft, more), *more) for draft, columns, more in rows]

    def _update_accounts(self, names: Sequence[str]) -> dict[str, int]:
        self._connection.executemany(_UPDATE_ACCOUNT, [(name,) for name in names])
        return dict(select_many(self._connection, _ACCOUNTS, names))

    def _select_packages(self, packages: Sequence[PackageKey]) -> dict[PackageKey, int]:
        by_text = {(each.account, each.order_id, each.invoice_number): each for each in packages}
        found = select_many(self._connection, _PACKAGES, [*by_text])
        return {by_text[account, order_id, invoice]: id_ for account, order_id, invoice, id_ in found}

    def _insert_packages(self, packages: Sequence[PackageKey]) -> dict[PackageKey, int]:
        insert = self._connection.execute
        columns = [(each.account, each.order_id, each.invoice_number) for each in packages]
        ids = [insert(_INSERT_PACKAGE, values).lastrowid or 0 for values in columns]
        return dict(zip(packages, ids, strict=True))

    def _insert_sources(self, names: Sequence[str]) -> dict[str, int]:
        self._connection.executemany(_INSERT_SOURCE, [(name,) for name in names])
        return dict(select_many(self._connection, _SOURCES, names))

    def _select_existing(self, keys: Sequence[tuple[int, bytes]]) -> Iterable[tuple[Any, ...]]:
        found = select_many(self._connection, _EXISTING, keys)
        for _, id_, state, _, source, line, reason, _ in found:
            if state not in STATES_BY_TEXT or not (isinstance(source, str) and isinstance(line, int)):
                raise damage(f"entry {id_} has the state {state!r}, and is from {source!r}, line {line!r}")
            if reason is not None and not isinstance(reason, str):
                raise damage(f"entry {id_} has the reason {reason!r}")
        # What is compared of deliveries: their dates and holds.
        deliveries = [each[1] for each in found if each[3] is not None or each[7] is not None]
        self._select_verified(ENTRIES_BY_ID, deliveries)
        return found

    def _select_volumes(self, packages: Sequence[int]) -> Iterable[tuple[Any, ...]]:
        return sorted(self._select_verified(_VOLUMES, packages))

    def _select_verified(self, sql: str, ids: Sequence[int]) -> list[tuple[Any, ...]]:
        try:
            return [verified(record) for record in select_many(self._connection, sql, ids)]
        except ValueError as error:
            raise damage(str(error)) from None

    def _select_pruned(self, keys: Sequence[bytes]) -> Iterable[bytes]:
        if not self._connection.execute("SELECT EXISTS (SELECT 1 FROM pruned_keys)").fetchone()[0]:
            return []  # fast for most journals
        return [key for (key,) in select_many(self._connection, _PRUNED, keys)]

    def _insert(self, drafts: Collection[Draft]) -> None:
        now = self._now
        if any(draft.not_before or draft.volume for draft in drafts):
            self._connection.executemany(_INSERT_ALL, [(*columns, now) for columns in self._all_columns(drafts)])
            return
        rows = zip(drafts, self._columns(drafts), strict=True)
        self._connection.executemany(_INSERT, [(*columns, draft_checksum(draft), now) for draft, columns in rows])

    def _renew(self, drafts: Collection[Draft], ids: Sequence[int]) -> None:
        rows = zip(self._all_columns(drafts), ids, strict=True)
        self._connection.executemany(_RENEW, [(*columns, id_) for columns, id_ in rows])

    def _take_back(self, keys: Sequence[tuple[int, bytes]]) -> None:
        self._connection.executemany(_TAKE_BACK, [(self._now, package, key) for package, key in keys])

    def _to_stored(self, moment: dt.datetime) -> int:
        return (moment - EPOCH) // MICROSECOND

    def _to_time(self, stored: int) -> dt.datetime:
        return EPOCH + stored * MICROSECOND


def select_many(
    connection: sqlite3.Connection, sql: str, wanted: Sequence[int | str | bytes] | Sequence[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """Return the records of a query for each of these values, or rows of values.

    Args:
        connection: The database.
        sql: The query, with ``{}`` for the values: ``?, ?``, or rows of them, ``(?, ?), (?, ?)``.
        wanted: The values; all rows have the same length.
    """
    found: list[tuple[Any, ...]] = []
    width = len(wanted[0]) if wanted and isinstance(wanted[0], tuple) else 0
    most = MAX_PARAMETERS // max(width, 1)
    for start in range(0, len(wanted), most):
        page: Sequence[Any] = wanted[start : start + most]
        values = list(chain.from_iterable(page)) if width else page
        found += connection.execute(_statement(sql, width, len(page)), values)
    return found


def storable(value: Any) -> Any:
    """Return a value with the lone surrogates of a text escaped, because SQLite refuses them."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


@lru_cache(maxsize=128)
def _statement(sql: str, width: int, rows: int) -> str:
    row = f"({', '.join('?' * width)})" if width else "?"
    return sql.format(", ".join([row] * rows))
