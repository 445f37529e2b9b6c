"""Adding rows to a journal on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import astuple

from vtex_tracking_ext.bulk.journal.add_rows import RowWriter

from .encoding import decode_record, encode

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from vtex_tracking_ext.bulk.journal.entries import PackageKey

    from .schema import Connection

# Keys are sent in binary (%b): as text, their meaning would depend on the session's settings.

_UPDATE_ACCOUNTS: Final = """
    INSERT INTO accounts (name, revision) SELECT unnest(%s::text[]), 1
    ON CONFLICT (name) DO UPDATE SET revision = accounts.revision + 1 RETURNING name, id
"""
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
_EXISTING: Final = """
    SELECT e.key, e.id, e.state, e.delivered_date, s.name, e.line, e.reason FROM {} JOIN sources s ON s.id = e.source
"""
_EXISTING_BY_KEY: Final = _EXISTING.format(
    "unnest(%s::bigint[], %b::bytea[]) AS w(package, key) JOIN entries e USING (package, key)"
)
_PRUNED: Final = "SELECT key FROM pruned_keys WHERE key = ANY(%b)"
_LOCK: Final = _EXISTING.format("(SELECT * FROM entries WHERE id = ANY(%s) ORDER BY id FOR UPDATE) AS e")
_ROWS: Final = """
    unnest(%s::bigint[], %b::bytea[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::text[], %s::bigint[], %s::bigint[])
    WITH ORDINALITY AS w(package, key, account, date, city, state, description, event_id, time, delivered_date, source,
        line, number)
"""
_INSERT: Final = f"""
    INSERT INTO entries (package, key, account, event_date, event_city, event_state, event_description, event_id,
        event_time, delivered_date, source, line, state, added)
    SELECT package, key, account, date, city, state, description, event_id, time, delivered_date, source, line,
        'pending', coalesce(%s::timestamptz, (SELECT clock_timestamp()))
    FROM {_ROWS} ORDER BY number
"""  # noqa: S608 - constants
_RENEW: Final = f"""
    UPDATE entries e SET event_date = w.date, event_city = w.city, event_state = w.state,
        event_description = w.description, event_id = w.event_id, event_time = w.time,
        delivered_date = w.delivered_date, source = w.source, line = w.line,
        state = 'pending', status_code = NULL, receipt = NULL, reason = NULL, settled = NULL
    FROM {_ROWS} WHERE e.package = w.package AND e.key = w.key
"""  # noqa: S608 - constants


class PostgresRowWriter(RowWriter):
    """Adds rows within one transaction.

    Args:
        connection: In a transaction that has the lock for adding.
        now: The time, or None for the server's.
    """

    def __init__(self, connection: Connection, now: dt.datetime | None) -> None:
        super().__init__()
        self._connection = connection
        self._now = now

    def _update_accounts(self, names: Sequence[str]) -> dict[str, int]:
        stored = {encode(name): name for name in names}
        found = self._connection.execute(_UPDATE_ACCOUNTS, ([*stored],))
        return {stored[name]: id_ for name, id_ in found}

    def _select_packages(self, packages: Sequence[PackageKey]) -> dict[PackageKey, int]:
        columns = _transposed([astuple(package) for package in packages]) or [[], [], []]
        found = self._connection.execute(_PACKAGES, columns)
        return {packages[number - 1]: id_ for number, id_ in found}

    def _insert_packages(self, packages: Sequence[PackageKey]) -> dict[PackageKey, int]:
        self._connection.execute(_INSERT_PACKAGES, _transposed([astuple(package) for package in packages]))
        return self._select_packages(packages)

    def _insert_sources(self, names: Sequence[str]) -> dict[str, int]:
        stored = [encode(name) for name in names]
        self._connection.execute(_INSERT_SOURCES, (stored,))
        ids: dict[str, int] = dict(self._connection.execute(_SOURCES, (stored,)).fetchall())
        return {name: ids[encode(name)] for name in names}

    def _select_existing(self, keys: Sequence[tuple[int, bytes]]) -> Iterable[tuple[Any, ...]]:
        return map(decode_record, self._connection.execute(_EXISTING_BY_KEY, _transposed(keys)))

    def _select_pruned(self, keys: Sequence[bytes]) -> Iterable[bytes]:
        return [key for (key,) in self._connection.execute(_PRUNED, (keys,))]

    def _lock(self, ids: Sequence[int]) -> Iterable[tuple[Any, ...]]:
        return map(decode_record, self._connection.execute(_LOCK, (ids,)))

    def _insert(self, columns: Sequence[tuple[Any, ...]]) -> None:
        self._connection.execute(_INSERT, [self._now, *_transposed(columns)])

    def _renew(self, columns: Sequence[tuple[Any, ...]], ids: Sequence[int]) -> None:
        del ids  # packages and keys identify them
        self._connection.execute(_RENEW, _transposed(columns))


def _transposed(records: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Return one list a column, with the texts as they are stored."""
    columns = zip(*records, strict=True)
    return [[encode(value) if isinstance(value, str) else value for value in column] for column in columns]
