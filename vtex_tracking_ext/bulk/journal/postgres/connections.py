"""Connections to a journal on PostgreSQL: a pool for all threads."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalUnavailableError, process_name
from vtex_tracking_ext.config.secret import hidden_frames

from .errors import translated_errors
from .locks import lock_number
from .schema import Connection, check_version, version_of
from .session import configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .address import Address

#: Connections of one journal at most. A delivery uses one for each account, and a few that are shared.
MAX_CONNECTIONS: Final = 64

#: Seconds to wait for a connection: most servers restart faster.
CONNECTION_TIMEOUT: Final = 15.0

#: How often to check for a pooler in transaction mode, because it may happen to assign the same session again.
_POOLER_CHECKS: Final = 3

# Errors are raised. The pool also logs its attempts in the background; Python prints them if logging is not configured.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


@contextmanager
def connect(address: Address, *, was_open: bool = False) -> Iterator[Connection]:
    """Open a connection outside of the pool; PostgreSQL's errors become JournalError.

    Args:
        address: The journal's address.
        was_open: Whether this process had a connection before, so that a failure is an outage.
    """
    # psycopg's frames contain the password, and so does an attribute of its errors.
    with (
        hidden_frames(),
        translated_errors(address, is_connecting=True, was_open=was_open),
        ExitStack() as stack,
    ):
        connection = stack.enter_context(psycopg.connect(**_arguments(address)))
        _refuse_transaction_pooling(address, connection)
        _configure(address, connection)
        stack.pop_all()
    with translated_errors(address), connection:
        yield connection


class Connections:
    """The connections of one journal. Thread-safe.

    Args:
        address: The journal's address.
        is_writing: Whether its sessions count as writing to it.
        first: An idle connection outside of the pool, to check that a pooler keeps the sessions apart.

    Raises:
        JournalError: The server does not answer, or a pooler gives each transaction another session.
    """

    def __init__(self, address: Address, *, is_writing: bool, first: Connection) -> None:
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
            with self._pooled() as second:
                _refuse_shared_session(address, _process_id(first), first, second)
            self._pool.wait(CONNECTION_TIMEOUT)  # a thread returns it
        except PoolTimeout:
            raise self._timeout_error(was_open=False) from None
        except BaseException:
            self.close()
            raise

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
                raise self._timeout_error(was_open=True) from None
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

    def _timeout_error(self, *, was_open: bool) -> JournalError:
        """Return why the pool has no connection, which it does not say: try to open one outside of it."""
        try:
            with connect(self._address, was_open=was_open) as connection:
                check_version(self._address, version_of(self._address, connection))
        except JournalError as error:
            return error
        return JournalUnavailableError(
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

    This is checked before the session's settings are changed, which others may use then. Most poolers answer for
    PostgreSQL, and so do not tell the true process id of a session when a connection is opened.
    """
    own = _process_id(connection)
    if own != connection.info.backend_pid:
        with psycopg.connect(**_arguments(address)) as other:
            for _ in range(_POOLER_CHECKS):
                _refuse_shared_session(address, own, connection, other)


def _refuse_shared_session(address: Address, own: int, connection: Connection, other: Connection) -> None:
    """Raise JournalError if a pooler gives the session of an idle connection to another one, or a third one to it.

    In transaction mode it does so. In statement mode it refuses transactions.
    """
    try:
        with other.transaction():
            is_shared = _process_id(other) == own or _process_id(connection) != own
    except psycopg.errors.ProtocolViolation as error:
        if "transaction" not in str(error):
            raise
        is_shared = True
    if is_shared:
        raise JournalError(
            f"The journal {address.name} is behind a connection pooler (such as PgBouncer) in transaction mode, or in "
            "statement mode, where locks of a session do not work. Name PostgreSQL's own address and port, or set the "
            "pooler's pool_mode to session for this database."
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
    connection.execute(*configuration(address.schema))
