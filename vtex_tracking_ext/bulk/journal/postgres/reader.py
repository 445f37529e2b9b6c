"""Reading a journal on PostgreSQL."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES, Meta
from vtex_tracking_ext.bulk.journal.interface import JournalReader
from vtex_tracking_ext.bulk.journal.sql import ENTRIES, statements_for

from . import schema
from .address import parse_url
from .connections import Connections, connect
from .encoding import decode, decode_record, encode, encode_values
from .locks import lock_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from typing import Self

    from vtex_tracking_ext.bulk.journal.entries import Clock
    from vtex_tracking_ext.config.secret import Secret

    from .address import Address
    from .schema import Connection

_NOW: Final = "coalesce(:now, clock_timestamp())"
_STATEMENTS: Final = statements_for(
    is_open=f"e.state IN {OPEN_STATES}",
    in_states="e.state = ANY(:states)",
    in_values="= ANY(:values)",
    now=_NOW,
    seconds="CAST(floor(extract(epoch FROM {})) AS bigint)",
    quiet_until=f"{_NOW} + :quiet_seconds * interval '1 second'",
    join="JOIN",
    parameter=r"%(\1)s",
)
SQL: Final = {**_STATEMENTS, "entries_by_id": f"{ENTRIES} WHERE e.id = ANY(%(values)s) ORDER BY e.id"}
_DELIVERERS: Final = "SELECT name, deliverer FROM accounts ORDER BY name"
_SERVED_ACCOUNTS: Final = "SELECT name FROM accounts WHERE served_until > clock_timestamp()"

#: Allows what a session's other statements must not do (see :mod:`.session`): it is best for a whole table.
_ALLOW_SCANS: Final = """
    SELECT set_config(name, 'on', true)
    FROM unnest(ARRAY['enable_seqscan', 'enable_hashjoin', 'enable_hashagg']) AS name
"""


class PostgresReader(JournalReader):
    """A journal on PostgreSQL, opened for reading.

    Attributes:
        address: Where it is.
        connections: Also for other tables beside the journal's, in its schema.
    """

    _sql = SQL

    def __init__(self, address: Address, connections: Connections, clock: Clock | None = None) -> None:
        self.name = address.name
        self._clock = clock
        self.address = address
        self.connections = connections

    @classmethod
    def open(cls, url: str | Secret) -> Self:
        """Open an existing journal, possibly while runs write to it.

        Args:
            url: ``postgresql://user:password@host:port/database``, with any option that libpq knows, and
                ``schema=`` if its tables are not in ``vtex_tracking``.

        Raises:
            JournalError: The journal does not exist or cannot be used.
        """
        address = parse_url(url)
        with connect(address) as connection:
            schema.check_version(address, schema.version_of(address, connection))
            return cls(address, Connections(address, is_writing=False, first=connection))

    def meta(self) -> Meta:
        """Return what the journal says of itself."""
        values = dict(self._fetch("SELECT name, value FROM meta", {}))
        return Meta(int(values["schema_version"]), dt.datetime.fromisoformat(values["created"]))

    def deliverers(self) -> Mapping[str, str]:
        """Return the accounts that are being delivered now, each with the process that does.

        A replica does not know; it returns every account that was ever delivered.
        """
        names: dict[str, str | None] = dict(self._fetch(_DELIVERERS, {}))
        numbers = {lock_number("delivering", self.address.schema, name): name for name in names}
        with self.connections.connection() as connection:
            ((is_replica,),) = connection.execute("SELECT pg_is_in_recovery()")
            if is_replica:
                return {name: f"{who}, or no longer: this server is a replica" for name, who in names.items() if who}
            held = schema.lock_holders([*numbers], connection)
        return {numbers[number]: names[numbers[number]] or "another process" for number, _ in held}

    def served_accounts(self) -> AbstractSet[str]:
        """Return the accounts that workers deliver, so that others leave it to them."""
        number = lock_number("serving", self.address.schema)
        with self.connections.connection() as connection:
            if not schema.lock_holders([number], connection):
                return frozenset()
            return {decode(name) for (name,) in connection.execute(_SERVED_ACCOUNTS)}

    def close(self) -> None:
        """Close all connections."""
        self.connections.close()

    def _fetch(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with self.connections.connection() as connection:
            return fetch(connection, sql, values)

    def _fetch_many(self, sql: str, wanted: Sequence[int | str]) -> list[tuple[Any, ...]]:
        return self._fetch(sql, {"values": [encode(each) if isinstance(each, str) else each for each in wanted]})

    def _scan(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with self.connections.connection() as connection, connection.transaction():
            connection.execute(_ALLOW_SCANS)
            return fetch(connection, sql, values)

    def _now(self) -> dt.datetime | None:
        return self._clock and self._clock()

    def _to_utc(self, stored: dt.datetime) -> dt.datetime:
        return stored.astimezone(dt.UTC)


def fetch(connection: Connection, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return the records of a statement; see :mod:`.encoding`."""
    return [decode_record(record) for record in connection.execute(sql, encode_values(values))]
