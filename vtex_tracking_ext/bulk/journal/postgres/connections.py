"""Connections to a journal on PostgreSQL: a pool for all threads."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from vtex_tracking_ext.bulk.journal.interface import JournalError, process_name
from vtex_tracking_ext.config.secret import hidden_frames

from .errors import translated_errors
from .locks import lock_number
from .schema import Connection, check_version, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .address import Address

#: Connections of one journal at most. A delivery uses one for each account, and a few that are shared.
MAX_CONNECTIONS: Final = 64

#: Seconds to wait for a connection: most servers restart faster.
CONNECTION_TIMEOUT: Final = 15.0

#: How often to look for a pooler in transaction mode: other clients may use its sessions at the same time.
_POOLER_CHECKS: Final = 3

#: Settings of a session, whatever the server's defaults: the journal's schema alone, times in UTC, commits that wait
#: for the disk, no timeout for idle sessions, which may have a lock (they cannot time out before PostgreSQL 14), and
#: keepalives that free the locks of a lost machine within a minute instead of two hours.
_SETTINGS: Final = """
    SELECT set_config('search_path', %s || ', pg_temp', false), set_config('timezone', 'UTC', false),
        set_config('default_transaction_isolation', 'read committed', false),
        set_config('idle_in_transaction_session_timeout', '60s', false),
        set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),
        set_config('tcp_keepalives_count', '3', false),
        set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), false),
        (SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout')
"""

#: Makes every statement use an index, and read pages in index order. By default PostgreSQL scans whole tables for each
#: page until it has statistics, and it has none while a first file is being added.
_BY_INDEX: Final = """
    SELECT set_config(name, 'off', false), set_config('plan_cache_mode', 'force_generic_plan', false)
    FROM unnest(ARRAY['enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin', 'enable_hashagg'])
        AS name
"""

# Errors are raised. The pool also logs its attempts in the background; Python prints them if logging is not configured.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


@contextmanager
def connect(address: Address) -> Iterator[Connection]:
    """Open a connection outside of the pool; PostgreSQL's errors become JournalError."""
    # psycopg's frames contain the password, and so does an attribute of its errors.
    with hidden_frames(), translated_errors(address, is_connecting=True):
        connection = psycopg.connect(**_arguments(address))
    with translated_errors(address), connection:
        _refuse_transaction_pooling(address, connection)
        _configure(address, connection)
        yield connection


class Connections:
    """The connections of one journal. Thread-safe.

    Args:
        address: The journal's address.
        is_writing: Whether its sessions count as writing to it.

    Raises:
        JournalError: The server does not answer.
    """

    def __init__(self, address: Address, *, is_writing: bool) -> None:
        self._address = address
        self._is_writing = is_writing
        self._pool = ConnectionPool(
            kwargs=_arguments(address),
            min_size=1,
            max_size=MAX_CONNECTIONS,
            open=False,
            configure=self._configure,
            timeout=CONNECTION_TIMEOUT,
            name="vtex-tracking",
        )
        try:
            self._pool.open(wait=True, timeout=CONNECTION_TIMEOUT)
        except PoolTimeout:
            raise self._timeout_error() from None

    def close(self) -> None:
        """Close all connections; those in use, when they are returned. Closing is idempotent."""
        self._pool.close()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Return a connection outside of a transaction; PostgreSQL's errors become JournalError."""
        with translated_errors(self._address), self._pooled() as connection:
            yield connection

    @contextmanager
    def _pooled(self) -> Iterator[Connection]:
        """Return a connection of the pool that its server has not ended meanwhile. Raises PoolClosed.

        All of them may have ended. The pool's own check would pause after each, every time for longer.
        """
        deadline = time.monotonic() + CONNECTION_TIMEOUT
        while True:
            try:
                connection = self._pool.getconn(deadline - time.monotonic())
            except PoolTimeout:
                raise self._timeout_error() from None
            try:
                connection.execute("")
                break
            except BaseException as error:
                connection.close()
                self._pool.putconn(connection)  # which opens a new one
                if not isinstance(error, psycopg.Error):
                    raise
        try:
            yield connection
        finally:
            self._pool.putconn(connection)

    def _timeout_error(self) -> JournalError:
        """Return why the pool has no connection, which it does not say: try to open one outside of it."""
        try:
            with connect(self._address) as connection:
                check_version(self._address, version_of(self._address, connection))
        except JournalError as error:
            return error
        return JournalError(
            f"The journal {self._address.name}: this process uses {MAX_CONNECTIONS} connections, and had to wait too "
            "long for another one; run again."
        )

    def _configure(self, connection: Connection) -> None:
        _configure(self._address, connection)
        if self._is_writing:
            number = lock_number("writing", self._address.schema)
            connection.execute("SELECT pg_advisory_lock_shared(%s)", (number,))
        check_version(self._address, version_of(self._address, connection))  # it may have changed meanwhile


def _arguments(address: Address) -> dict[str, Any]:
    # PostgreSQL cuts the name after 63 characters.
    name = f"vtex-tracking, {process_name()}"
    return {**address.parameters, "client_encoding": "UTF8", "application_name": name, "autocommit": True}


def _refuse_transaction_pooling(address: Address, connection: Connection) -> None:
    """Raise JournalError if a pooler gives each transaction another session: a lock would not protect anything.

    A pooler answers for PostgreSQL, and so does not tell the true process id of a session when a connection is opened.
    In transaction mode it gives the session of one idle connection to another one, or another session to this one.
    """
    own = _process_id(connection)
    if own == connection.info.backend_pid:
        return
    with hidden_frames(), psycopg.connect(**_arguments(address)) as other:
        for _ in range(_POOLER_CHECKS):
            with other.transaction():
                if _process_id(other) == own or _process_id(connection) != own:
                    raise JournalError(
                        f"The journal {address.name} is behind a connection pooler (such as PgBouncer) in transaction "
                        "mode, where locks of a session do not work. Name PostgreSQL's own address and port, or set "
                        "the pooler's pool_mode to session for this database."
                    )


def _process_id(connection: Connection) -> int:
    ((process_id,),) = connection.execute("SELECT pg_backend_pid()")
    return int(process_id)


def _configure(address: Address, connection: Connection) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise JournalError(
            f"The journal {address.name}: the database stores text as {encoding}; name one that was created with "
            "ENCODING 'UTF8'."
        )
    connection.execute(_SETTINGS, (address.schema,))
    connection.execute(_BY_INDEX)
