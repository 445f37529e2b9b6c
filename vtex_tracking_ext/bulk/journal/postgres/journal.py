"""Writing to a journal on PostgreSQL."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg

from vtex_tracking_ext.bulk.journal.interface import Journal, JournalError, Lease, process_name
from vtex_tracking_ext.bulk.journal.sql import PRUNED_PACKAGES

from . import schema
from .add_rows import PostgresRowWriter
from .address import parse_url
from .connections import MAX_CONNECTIONS, Connections, connect
from .encoding import encode, encode_values
from .errors import describe_error
from .lease import PostgresLease, try_lock
from .locks import lock_number
from .reader import SQL, PostgresReader

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    from vtex_tracking_ext.bulk.input.rows import Row
    from vtex_tracking_ext.bulk.journal.entries import Added, Clock, Draft
    from vtex_tracking_ext.config.secret import Secret

    from .address import Address
    from .schema import Connection

#: Seconds to wait while this process holds as many leases as it may.
_LEASE_TIMEOUT: Final = 1.0

_TAKE_LEASE: Final = """
    INSERT INTO accounts (name, deliverer, delivers_since)
    VALUES (%(account)s, %(process)s, coalesce(%(now)s::timestamptz, clock_timestamp()))
    ON CONFLICT (name) DO UPDATE SET deliverer = excluded.deliverer, delivers_since = excluded.delivers_since
"""
_MOVE: Final = f"""
    WITH moved AS (
        {SQL["move"]}
        -- Locked in the order of their ids. One that another session changes now is judged by its new state.
        FROM (SELECT id FROM entries WHERE id = ANY(%(ids)s) AND state = %(from)s ORDER BY id FOR UPDATE) AS matching
        WHERE entries.id = matching.id RETURNING account
    ), revised AS (
        UPDATE accounts SET revision = revision + 1 WHERE %(state)s = 'pending' AND id IN (SELECT account FROM moved)
    )
    SELECT count(*) FROM moved
"""  # noqa: S608 - constants


class PostgresJournal(PostgresReader, Journal):
    """A journal on PostgreSQL, opened for writing, possibly by many runs on many machines."""

    def __init__(self, address: Address, connections: Connections, clock: Clock | None) -> None:
        super().__init__(address, connections, clock)
        self._adding = threading.Lock()
        # Who has a lease needs other connections, too: with all of them taken by leases, nobody would go on.
        self._leases = threading.Semaphore(MAX_CONNECTIONS // 2)

    @classmethod
    def open(cls, url: str | Secret, clock: Clock | None = None, *, create: bool = True) -> Self:
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
            _check_writable(address, connection)
            version = schema.version_of(address, connection)
            if create and not version:
                schema.migrate(address, connection, clock and clock())
            else:
                schema.check_version(address, version)
            return cls(address, Connections(address, is_writing=True, first=connection), clock)

    @classmethod
    def migrate(cls, url: str | Secret, clock: Clock | None = None) -> str:
        """Create a journal's tables or bring them up to date, and return a message that says what was done.

        Raises:
            JournalInUseError: It is of an older version, and is being written to.
            JournalError: It is newer than this program, or cannot be changed.
        """
        address = parse_url(url)
        with connect(address) as connection:
            _check_writable(address, connection)
            version = schema.migrate(address, connection, clock and clock())
        if version == schema.SCHEMA_VERSION:
            return f"The journal {address.name} is up to date (version {version})."
        done = f"had version {version}, and now has" if version else "was created with"
        return f"The journal {address.name} {done} version {schema.SCHEMA_VERSION}."

    @contextmanager
    def lease(self, account: str) -> Iterator[Lease | None]:
        """Take the lease of an account while the context lasts.

        None if another session has it, or if too many leases are held: the caller asks again, unless it was stopped.
        """
        if not self._leases.acquire(timeout=_LEASE_TIMEOUT):
            yield None
            return
        try:
            name = account.lower()
            number = lock_number("delivering", self.address.schema, name)
            with self.connections.connection() as connection, try_lock(connection, number) as is_acquired:
                if not is_acquired:
                    yield None
                    return
                values = {"account": encode(name), "process": process_name(), "now": self._now()}
                connection.execute(_TAKE_LEASE, values)
                record = self.account(name)
                assert record is not None  # noqa: S101 - it was added above
                yield PostgresLease(record, connection, self.address, self._now)
        finally:
            self._leases.release()

    def _add(self, rows: Sequence[Row], first: Draft | None) -> list[Added]:
        # One thread of a process at a time, which takes one connection: in the database, too, one adds at a time.
        with self._adding, self.connections.connection() as connection, connection.transaction():
            self._lock_adding(connection)
            return PostgresRowWriter(connection, self._now()).add(rows, first)

    def _lock_adding(self, connection: Connection) -> None:
        """Let one session at a time change entries or known orders, until the end of the transaction.

        So ids become visible in the order in which they are assigned, no two sessions add the same event, and sessions
        that change several accounts do not deadlock. These transactions are short, compared to sending.
        """
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock_number("adding", self.address.schema),))

    def _execute(self, statements: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> None:
        with self.connections.connection() as connection, connection.transaction(), connection.cursor() as cursor:
            self._lock_adding(connection)
            for sql, values in statements:
                cursor.executemany(sql, map(encode_values, values))

    def _move(self, ids: Sequence[int], change: Mapping[str, Any]) -> int:
        with self.connections.connection() as connection, connection.transaction():
            self._lock_adding(connection)
            ((number,),) = connection.execute(_MOVE, {**change, "ids": ids})
            return int(number)

    def _prune(self, older_than: dt.timedelta, last: int, *, forget: bool) -> tuple[int, int | None]:
        with self.connections.connection() as connection, connection.transaction():
            self._lock_adding(connection)
            now = self._now() or connection.execute("SELECT clock_timestamp()").fetchall()[0][0]
            cursor, values = connection.cursor(), {"last": last, "before": now - older_than}
            packages = [{"package": id_} for (id_,) in cursor.execute(self._sql["prunable_packages"], values)]
            if forget:
                cursor.execute(self._sql["forget"], values)
            else:
                cursor.executemany(self._sql["keep_keys"], packages)
            cursor.executemany(self._sql["prune_entries"], packages)
            number = max(0, cursor.rowcount)
            cursor.executemany(self._sql["prune_package"], packages)
            return number, packages[-1]["package"] if len(packages) == PRUNED_PACKAGES else None

    def _shrink(self) -> None:
        """Delete sources without entries. PostgreSQL reuses the space of deleted entries."""
        with self.connections.connection() as connection, connection.transaction():
            self._lock_adding(connection)
            connection.execute(self._sql["prune_sources"])


def _check_writable(address: Address, connection: Connection) -> None:
    ((is_read_only,),) = connection.execute("SELECT current_setting('transaction_read_only')::boolean")
    if is_read_only:
        error = psycopg.errors.ReadOnlySqlTransaction("it is a replica, or its changes are turned off")
        raise JournalError(describe_error(address, error)) from None
