"""Adding rows to a journal on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import astuple

from vtex_tracking_ext.bulk.journal.add_rows import RowWriter
from vtex_tracking_ext.bulk.journal.sql import TAKE_BACK, VOLUME_ENTRIES

from .encoding import decode_record, encode

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Sequence

    from vtex_tracking_ext.bulk.journal.entries import Draft, PackageKey

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
    SELECT e.key, e.id, e.state, e.delivered_date, s.name, e.line, e.reason, e.not_before
    FROM {} JOIN sources s ON s.id = e.source
"""
_EXISTING_BY_KEY: Final = _EXISTING.format(
    "unnest(%s::bigint[], %b::bytea[]) AS w(package, key) JOIN entries e USING (package, key)"
)
_VOLUMES: Final = VOLUME_ENTRIES.format(packages="e.package = ANY(%s)")
_PRUNED: Final = "SELECT key FROM pruned_keys WHERE key = ANY(%b)"
_LOCK: Final = _EXISTING.format("(SELECT * FROM entries WHERE id = ANY(%s) ORDER BY id FOR UPDATE) AS e")
_ROWS: Final = """
    unnest(%s::bigint[], %b::bytea[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[], %s::text[])
    WITH ORDINALITY AS w(package, key, account, date, city, state, description, event_id, time, delivered_date, source,
        line, not_before, volume, volume_delivered, number)
"""
_INSERT: Final = f"""
    INSERT INTO entries (package, key, account, event_date, event_city, event_state, event_description, event_id,
        event_time, delivered_date, source, line, not_before, volume, volume_delivered, state, added)
    SELECT package, key, account, date, city, state, description, event_id, time, delivered_date, source, line,
        not_before, volume, volume_delivered, 'pending', coalesce(%s::timestamptz, (SELECT clock_timestamp()))
    FROM {_ROWS} ORDER BY number
"""  # noqa: S608 - constants
_RENEW: Final = f"""
    UPDATE entries e SET event_date = w.date, event_city = w.city, event_state = w.state,
        event_description = w.description, event_id = w.event_id, event_time = w.time,
        delivered_date = w.delivered_date, source = w.source, line = w.line, not_before = w.not_before,
        volume = w.volume, volume_delivered = w.volume_delivered,
        state = 'pending', status_code = NULL, receipt = NULL, reason = NULL, settled = NULL
    FROM {_ROWS} WHERE e.package = w.package AND e.key = w.key
"""  # noqa: S608 - constants
_TAKE_BACK: Final = TAKE_BACK.format(
    now="coalesce(%s::timestamptz, clock_timestamp())",
    keys="(package, key) IN (SELECT * FROM unnest(%s::bigint[], %b::bytea[]))",
)


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

    def _select_volumes(self, packages: Sequence[int]) -> Iterable[tuple[Any, ...]]:
        return map(decode_record, self._connection.execute(_VOLUMES, (packages,)))

    def _select_pruned(self, keys: Sequence[bytes]) -> Iterable[bytes]:
        return [key for (key,) in self._connection.execute(_PRUNED, (keys,))]

    def _lock(self, ids: Sequence[int]) -> Iterable[tuple[Any, ...]]:
        return map(decode_record, self._connection.execute(_LOCK, (ids,)))

    def _insert(self, drafts: Collection[Draft]) -> None:
        self._connection.execute(_INSERT, [self._now, *self._all_columns(drafts)])

    def _renew(self, drafts: Collection[Draft], ids: Sequence[int]) -> None:
        del ids  # packages and keys identify them
        self._connection.execute(_RENEW, self._all_columns(drafts))

    def _all_columns(self, drafts: Collection[Draft]) -> list[list[Any]]:
        return [*_transposed(self._columns(drafts)), *_transposed(self._carrier_columns(drafts))]

    def _take_back(self, keys: Sequence[tuple[int, bytes]]) -> None:
        self._connection.execute(_TAKE_BACK, [self._now, *_transposed(keys)])


def _transposed(records: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Return one list a column, with the texts as they are stored."""
    columns = zip(*records, strict=True)
    return [[encode(value) if isinstance(value, str) else value for value in column] for column in columns]
