"""Connections to a journal on PostgreSQL: a pool for all threads, and one for each thread that holds a package.

An advisory lock ends with its session. So that nothing is done under a lock that was lost, all that a thread does while
it holds a package goes through the connection that has the lock: where that is gone, it fails.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from vtex_tracking_ext.bulk.journal.interface import JournalError

from .errors import explaining
from .locks import package_lock, writing_lock
from .schema import Connection, check_version, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.bulk.journal.entries import PackageKey

    from .address import Address

#: Connections of one journal at most. A push uses one for each package that is on its way.
MOST: Final = 500

#: Seconds to wait for a connection: a server that restarts is mostly back by then.
PATIENCE: Final = 15.0

#: What a session needs, whatever is usual on its server: the journal's tables alone, times in UTC, commits that wait
#: for the disk, a lock that outlasts a call (idle sessions have no limit before PostgreSQL 14), and no locks kept for
#: more than a minute by a machine that has gone (keepalives are for two hours elsewhere).
_SETTINGS: Final = """
    SELECT set_config('search_path', %s || ', pg_temp', false), set_config('timezone', 'UTC', false),
        set_config('default_transaction_isolation', 'read committed', false),
        set_config('idle_in_transaction_session_timeout', '60s', false),
        set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),
        set_config('tcp_keepalives_count', '3', false),
        set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), false),
        (SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout')
"""

#: Every statement finds its rows by an index, and a page in the order in which it is wanted. Left alone, PostgreSQL
#: goes through whole tables for each page until it has statistics, which it has not while a first file is read in.
_BY_INDEX: Final = """
    SELECT set_config(name, 'off', false), set_config('plan_cache_mode', 'force_generic_plan', false)
    FROM unnest(ARRAY['enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin', 'enable_hashagg'])
        AS name
"""

# Errors are told by exceptions. The pool also logs what it tries in the background, which Python would print where
# nobody has said where a log goes.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


@contextmanager
def connect(address: Address) -> Iterator[Connection]:
    """Give a connection of its own, in no transaction; PostgreSQL's errors become JournalError."""
    with explaining(address, is_connecting=True):
        connection = psycopg.connect(**_arguments(address))
    with explaining(address), connection:
        _settle_in(address, connection)
        yield connection


class Connections:
    """The connections of one journal. Thread-safe.

    Args:
        address: Where the journal is.
        is_writing: Whether its sessions count as writing to it.

    Raises:
        JournalError: The server does not answer.
    """

    def __init__(self, address: Address, *, is_writing: bool) -> None:
        self._address = address
        self._is_writing = is_writing
        self._own = threading.local()
        self._pool = ConnectionPool(
            kwargs=_arguments(address),
            min_size=1,
            max_size=MOST,
            open=False,
            configure=self._prepare,
            timeout=PATIENCE,
            name="vtex-tracking",
        )
        try:
            self._pool.open(wait=True, timeout=PATIENCE)
        except PoolTimeout:
            raise self._why_none() from None

    def close(self) -> None:
        """Close all connections; those in use, when they are given back. Closing twice is no matter."""
        self._pool.close()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Give a connection in no transaction: the one with which this thread holds a package, or any.

        PostgreSQL's errors become JournalError.
        """
        with explaining(self._address), ExitStack() as stack:
            if self._pool.closed:
                self._pool.getconn()  # says so
            yield self._held or stack.enter_context(self._taken())

    @contextmanager
    def try_lock(self, package: PackageKey) -> Iterator[bool]:
        """Take a package's lock, as long as the context lasts, and give whether it was free.

        A thread that holds several has all the locks with one connection; the server would give it the same one twice.
        """
        number, outer, held = package_lock(self._address.schema, package), self._held, self._numbers
        if number in held:
            yield False
            return
        with ExitStack() as stack:
            with explaining(self._address):
                connection = outer or stack.enter_context(self._taken())
                ((is_mine,),) = connection.execute("SELECT pg_try_advisory_lock(%s)", (number,))
            if not is_mine:
                stack.close()
                yield False
                return
            self._own.connection = connection
            held.add(number)
            try:
                yield True
            finally:
                held.discard(number)
                self._own.connection = outer
                try:
                    connection.execute("SELECT pg_advisory_unlock(%s)", (number,))
                except psycopg.Error:
                    connection.close()  # and the lock with it, if the server has not ended both already

    @property
    def _held(self) -> Connection | None:
        return getattr(self._own, "connection", None)

    @property
    def _numbers(self) -> set[int]:
        found: set[int] = self._own.__dict__.setdefault("numbers", set())
        return found

    @contextmanager
    def _taken(self) -> Iterator[Connection]:
        try:
            connection = self._alive()
        except PoolTimeout:
            raise self._why_none() from None
        try:
            yield connection
        finally:
            self._pool.putconn(connection)

    def _alive(self) -> Connection:
        """Return a connection that its server has not ended meanwhile.

        All of them may have ended. The pool's own check would pause after each, every time for longer.
        """
        end = time.monotonic() + PATIENCE
        while True:
            connection = self._pool.getconn(end - time.monotonic())
            try:
                connection.execute("")
            except BaseException as error:
                connection.close()
                self._pool.putconn(connection)  # which makes a new one
                if not isinstance(error, psycopg.Error):
                    raise
            else:
                return connection

    def _why_none(self) -> JournalError:
        """Return why the pool has no connection to give: it cannot be asked itself."""
        try:
            with connect(self._address) as looking:
                check_version(self._address, version_of(self._address, looking))
        except JournalError as error:
            return error
        return JournalError(
            f"The journal {self._address.name}: this run uses {MOST} connections and waits for another one; use a "
            "lower --concurrency."
        )

    def _prepare(self, connection: Connection) -> None:
        _settle_in(self._address, connection)
        if self._is_writing:
            connection.execute("SELECT pg_advisory_lock_shared(%s)", (writing_lock(self._address.schema),))
        check_version(self._address, version_of(self._address, connection))  # it may have been changed meanwhile


def _arguments(address: Address) -> dict[str, Any]:
    # A name of a program has at most 63 characters; PostgreSQL cuts it.
    name = f"vtex-tracking, process {os.getpid()} on {socket.gethostname()}"
    return {**address.parameters, "client_encoding": "UTF8", "application_name": name, "autocommit": True}


def _settle_in(address: Address, connection: Connection) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise JournalError(
            f"The journal {address.name}: the database keeps texts as {encoding}; name one that was made with "
            "ENCODING 'UTF8'."
        )
    connection.execute(_SETTINGS, (address.schema,))
    connection.execute(_BY_INDEX)
