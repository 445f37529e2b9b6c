"""Writing to a journal on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import psycopg

from vtex_tracking_ext.bulk.journal.interface import Journal
from vtex_tracking_ext.bulk.journal.sql import ENTRY_COLUMNS

from . import schema
from .add_rows import PostgresRowWriter
from .address import parse_url
from .connections import Connections, connect
from .locks import lock_number
from .reader import PostgresReader, fetch

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Self

    from vtex_tracking_ext.bulk.input.rows import Row
    from vtex_tracking_ext.bulk.journal.entries import Added, Clock, Entry, PackageKey, State

    from .address import Address
    from .schema import Connection

#: The entries that are in the required state, locked in the order of their ids. An entry that another session changes
#: at this moment is waited for, and then judged by its new state.
_MATCHING: Final = """
    WITH matching AS (
        SELECT id FROM entries WHERE id = ANY(%(ids)s) AND state = %(from)s ORDER BY id FOR UPDATE
    )
"""
_ALL_OR_NONE: Final = " AND (SELECT count(*) FROM matching) = %(number)s"
_MARK_IN_FLIGHT: Final = f"""
    {_MATCHING}, begun AS (
        UPDATE entries e SET state = 'in_flight', attempts = e.attempts + 1,
            begun = coalesce(%(now)s::timestamptz, (SELECT clock_timestamp()))
        FROM matching WHERE e.id = matching.id {_ALL_OR_NONE} RETURNING e.*
    )
    SELECT {ENTRY_COLUMNS} FROM begun e JOIN packages p ON p.id = e.package JOIN sources s ON s.id = e.source
    ORDER BY e.id
"""  # noqa: S608 - constants
_MOVE: Final = f"""
    {_MATCHING}
    UPDATE entries e SET state = %(state)s, status_code = %(status_code)s, receipt = %(receipt)s, reason = %(reason)s,
        settled = CASE WHEN %(state)s <> 'pending' THEN coalesce(%(now)s::timestamptz, (SELECT clock_timestamp())) END
    FROM matching WHERE e.id = matching.id
"""  # noqa: S608 - constants
_MOVE_ALL: Final = _MOVE + _ALL_OR_NONE
_STATES: Final = "SELECT id, state FROM entries WHERE id = ANY(%s)"


class PostgresJournal(PostgresReader, Journal):
    """A journal on PostgreSQL, opened for writing, possibly by many runs on many machines."""

    def __init__(self, address: Address, connections: Connections, clock: Clock | None) -> None:
        super().__init__(address, connections)
        self._clock = clock

    @classmethod
    def open(cls, url: str, clock: Clock | None = None, *, create: bool = True) -> Self:
        """Open a journal for writing.

        Args:
            url: See :meth:`PostgresReader.open`.
            clock: Returns the current time; by default the server's clock does, which is the same for all machines.
            create: Whether to create the tables if there are none. Older ones are left to :meth:`migrate`.

        Raises:
            JournalError: It cannot be used, or does not exist and ``create`` is False.
        """
        address = parse_url(url)
        with connect(address) as connection:
            _check_writable(connection)
            version = schema.version_of(address, connection)
            if create and not version:
                schema.migrate(address, connection, clock and clock())
            else:
                schema.check_version(address, version)
        return cls(address, Connections(address, is_writing=True), clock)

    @classmethod
    def migrate(cls, url: str, clock: Clock | None = None) -> str:
        """Create a journal's tables or bring them up to date, and return a message that says what was done.

        Raises:
            JournalInUseError: It is of an older version, and is being written to.
            JournalError: It is newer than this program, or cannot be changed.
        """
        address = parse_url(url)
        with connect(address) as connection:
            _check_writable(connection)
            version = schema.migrate(address, connection, clock and clock())
        if version == schema.SCHEMA_VERSION:
            return f"The journal {address.name} is up to date (version {version})."
        done = f"had version {version}, and now has" if version else "was created with"
        return f"The journal {address.name} {done} version {schema.SCHEMA_VERSION}."

    def try_lock(self, package: PackageKey) -> AbstractContextManager[bool]:
        """Lock a package against every other session, in any process on any machine; see :mod:`.connections`."""
        return self.connections.try_lock(package)

    def mark_in_flight(self, ids: Iterable[int]) -> tuple[Entry, ...]:
        """Record that pending entries are about to be sent, and return them as they now are."""
        wanted = sorted(set(ids))
        values = {"ids": wanted, "number": len(wanted), "from": "pending", "now": self._now()}
        while True:
            with self.connections.connection() as connection:
                begun = fetch(connection, _MARK_IN_FLIGHT, values)
                if len(begun) == len(wanted):
                    return tuple(self._parsed(begun))
                self._explain_failure("pending", wanted, connection)

    def _add(self, rows: Sequence[Row], account: str) -> list[Added]:
        with self.connections.connection() as connection, connection.transaction():
            # Held until the commit, so that ids become visible in the order in which they are assigned, no two sessions
            # add the same event, and none waits for another in a circle. Adding is short, compared to sending.
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock_number("adding", self.address.schema),))
            return PostgresRowWriter(connection, self._now()).add(rows, account)

    def _move(self, ids: Sequence[int], change: Mapping[str, Any]) -> int:
        with self.connections.connection() as connection:
            return connection.execute(_MOVE, {**change, "ids": ids}).rowcount

    def _move_all(self, ids: Sequence[int], change: Mapping[str, Any]) -> None:
        values = {**change, "ids": ids, "number": len(ids)}
        while True:
            with self.connections.connection() as connection:
                if connection.execute(_MOVE_ALL, values).rowcount == len(ids):
                    return
                self._explain_failure(change["from"], ids, connection)

    def _now(self) -> dt.datetime | None:
        return self._clock and self._clock()

    def _explain_failure(self, state: State, ids: Sequence[int], connection: Connection) -> None:
        """Raise WrongStateError, unless all entries are in the required state by now, and it can be tried again."""
        states: dict[int, str] = dict(connection.execute(_STATES, (ids,)).fetchall())
        self._expect_state(state, ids, states)


def _check_writable(connection: Connection) -> None:
    ((is_read_only,),) = connection.execute("SELECT current_setting('transaction_read_only')::boolean")
    if is_read_only:
        raise psycopg.errors.ReadOnlySqlTransaction("it is a replica, or its changes are turned off")
