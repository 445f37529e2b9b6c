"""The file of a journal: creation, recognition, locking and migrations; its errors as JournalError.

Only SQLite opens the journal: closing a file that was opened by other means would drop SQLite's locks on it
(https://sqlite.org/howtocorrupt.html, 2.2).
"""

from __future__ import annotations

import datetime as dt
import os
import random
import re
import sqlite3
import stat
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Self

from vtex_tracking_ext.bulk.journal.entries import STATES
from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalInUseError
from vtex_tracking_ext.bulk.journal.sql import WITHDRAWN_IF_BY_HAND, tables_for
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: Identifies a journal in the file's header.
APPLICATION_ID: Final = int.from_bytes(b"VTXj")

#: Version of the tables below, kept as SQLite's ``user_version``.
SCHEMA_VERSION: Final = 3

#: Index of the open entries. States are compared one by one, because SQLite builds a table in memory of a longer list
#: each time that an entry is written, which takes longer than writing it. (Tables of version 1 do, to check a state.)
_OPEN_ENTRIES: Final = """
    CREATE INDEX open_entries ON entries (account, package)
    WHERE state <> 'applied' AND state <> 'refused' AND state <> 'withdrawn'
"""

#: Times are stored as microseconds since 1970, UTC.
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND: Final = dt.timedelta(microseconds=1)

SCHEMA: Final = (
    *tables_for(
        id="INTEGER PRIMARY KEY AUTOINCREMENT",  # the number of a pruned entry is not given to another one
        text="TEXT",
        bytes="BLOB",
        bigint="INTEGER",
        float="REAL",
        time="INTEGER",
        is_state=" OR ".join(f"state = '{state}'" for state in STATES),
        without_rowid="WITHOUT ROWID",
    ),
    _OPEN_ENTRIES,
)

#: Statements that migrate from a version to the next one; ``MIGRATIONS[1]`` from 1 to 2. The last one also uses the
#: statements of :data:`SCHEMA` that create a table or index: SQLite cannot change the states that a table allows.
MIGRATIONS: Final[dict[int, tuple[str, ...]]] = {
    1: (
        "DROP INDEX open_entries",
        "CREATE INDEX open_entries ON entries (package) WHERE state <> 'applied' AND state <> 'refused'",
    ),
    2: (
        "DROP INDEX open_entries",
        "ALTER TABLE entries RENAME TO old_entries",
        *(statement for statement in SCHEMA if re.search("(TABLE|INDEX) (accounts|pruned_keys|entries)", statement)),
        "INSERT INTO accounts (name, revision) SELECT DISTINCT account, 1 FROM packages ORDER BY account",
        f"""
        INSERT INTO entries (id, account, package, key, event_date, event_city, event_state, event_description,
            delivered_date, source, line, state, attempts, status_code, receipt, reason, added, begun, settled)
        SELECT e.id, a.id, e.package, e.key, event_date, event_city, event_state, event_description, delivered_date,
            source, line, {WITHDRAWN_IF_BY_HAND}, attempts, status_code, receipt, reason, added, begun, settled
        FROM old_entries e JOIN packages p ON p.id = e.package JOIN accounts a ON a.name = p.account
        """,  # noqa: S608 - constants
        "DROP TABLE old_entries",
        _OPEN_ENTRIES,
        "DELETE FROM meta WHERE name = 'holder'",
    ),
}

#: Seconds to wait for another program that locks the file briefly: a backup, a database browser.
BUSY_TIMEOUT: Final = 5.0

#: Seconds to wait for other processes that write to the journal. Each holds the lock for one transaction.
WRITE_TIMEOUT: Final = 30.0

#: Seconds between two attempts to lock.
_LOCK_INTERVAL: Final = 0.002

#: Makes SQLite open the file and read the tables' definitions, which it delays until the first query.
_FIRST_READ: Final = "SELECT count(*) FROM meta"

_ADVICE: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and run again",
    sqlite3.SQLITE_READONLY: "it is read-only; allow writing to it and its folder, or name a journal elsewhere",
    sqlite3.SQLITE_PERM: "access was denied; allow it, or name a journal elsewhere",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and that you may write to both",
    sqlite3.SQLITE_BUSY: "another program (a backup, a database browser) has locked it; end that and run again",
    sqlite3.SQLITE_IOERR: "the disk failed; check it and run again",
    sqlite3.SQLITE_NOTADB: (
        "it is not a journal; name another file. If it was one, it is damaged: restore it from a backup"
    ),
    sqlite3.SQLITE_CORRUPT: (
        "it is damaged; restore it from a backup. A new journal has no history and would send everything again"
    ),
}


def damage(what: str) -> sqlite3.DatabaseError:
    """Return an error for damage that SQLite did not detect."""
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def describe_error(path: Path, error: sqlite3.Error) -> str:
    """Return a message for an error of SQLite, with advice."""
    # Python's own errors have no code: text that is not UTF-8, or a closed connection.
    otherwise = sqlite3.SQLITE_CORRUPT if isinstance(error, sqlite3.OperationalError) else sqlite3.SQLITE_OK
    code = getattr(error, "sqlite_errorcode", otherwise) & 0xFF  # the low byte of an extended code is the kind
    advice = _ADVICE.get(code, "it cannot be used")
    return f"The journal file {visible(str(path))}: {advice} ({visible(str(error))})."


#: What SQLite and the operating system raise; a UnicodeDecodeError comes from a message that quotes damaged data.
ERRORS: Final = (sqlite3.Error, UnicodeDecodeError, OSError)


def journal_error(path: Path, error: Exception) -> JournalError:
    """Return the JournalError for one of :data:`ERRORS`."""
    if isinstance(error, OSError):
        return JournalError(
            f"The journal file {visible(str(path))}: {error.strerror}; fix that, or name a journal elsewhere."
        )
    return JournalError(describe_error(path, error if isinstance(error, sqlite3.Error) else damage(str(error))))


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the operating system into JournalError."""
    try:
        yield
    except ERRORS as error:
        raise journal_error(path, error) from None


def is_journal(path: Path) -> bool:
    """Return whether there is a journal at ``path``. Raises like :func:`stored_version`."""
    return stored_version(path) is not None


def stored_version(path: Path) -> int | None:
    """Return the version of the journal at ``path``, or None if there is nothing or an empty file. Changes nothing.

    A version that is only in the log of a killed run is not seen.

    Raises:
        JournalError: There is something else, or a newer journal, or the folder does not exist.
    """
    with translated_errors(path):
        try:
            status = path.stat()
        except FileNotFoundError:
            path.parent.stat()
            return None
    if not stat.S_ISREG(status.st_mode):
        raise JournalError(f"{visible(str(path))} is not a file; name another place for the journal.")
    if not status.st_size:
        return None
    # "immutable" reads only the file: no lock, no recovery, no other file created. "writable_schema" accepts a file
    # that is shorter than its header says: the rest may be in the log of a killed run.
    with translated_errors(path), closing(_connect(path, "mode=ro&immutable=1")) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        application_id = _fetch_int(connection, "PRAGMA application_id")
        version = _fetch_int(connection, "PRAGMA user_version")
    if application_id != APPLICATION_ID:
        raise JournalError(f"The journal file {visible(str(path))}: it is not a journal; name another file.")
    _refuse_newer(path, version)
    return version


def create(path: Path, created: str) -> None:
    """Create an empty journal atomically, readable only by its owner because it names orders."""
    fresh = path.with_name(f"{path.name}-new")
    with translated_errors(path):
        fresh.unlink(missing_ok=True)  # left by a process that was killed here
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with closing(_connect(fresh, "mode=rw")) as connection:
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("BEGIN")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute("INSERT INTO meta VALUES ('created', ?)", (created,))
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
        fresh.replace(path)
        with suppress(OSError):  # Windows cannot open folders; some network file systems cannot sync them
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def open_to_write(path: Path, *, is_durable: bool = True) -> sqlite3.Connection:
    """Open an existing journal, bring its tables up to date, and return a connection for any thread.

    Call it with the write lock, unless no other process knows the file.

    Args:
        path: The journal.
        is_durable: Whether a commit waits for the disk.

    Raises:
        JournalError: It cannot be used.
    """
    with translated_errors(path), ExitStack() as stack:
        connection = stack.enter_context(closing(_connect(path, "mode=rw")))
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'OFF'}")
        _fetch_int(connection, _FIRST_READ)
        migrate(path, connection)
        stack.pop_all()
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open an existing journal for reading, and return a connection for any thread.

    Raises:
        JournalError: It cannot be used, or is of an older version.
    """
    with translated_errors(path):
        try:
            connection = _open_to_read(path, "mode=rw")  # so that the last connection to close it can clean up
        except sqlite3.OperationalError as error:
            cannot_write = error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
            log = path.with_name(f"{path.name}-wal")
            if not cannot_write or (log.exists() and log.stat().st_size):
                raise
            connection = _open_to_read(
                path, "mode=ro&immutable=1"
            )  # a read-only folder: no other process can write either
        version = _fetch_int(connection, "PRAGMA user_version")
        if version != SCHEMA_VERSION:
            connection.close()
            _refuse_newer(path, version)
            raise JournalError(
                f"The journal {visible(str(path))} has version {version}, but this program reads version "
                f"{SCHEMA_VERSION}; a push, or `vtex-tracking migrate`, brings it up to date."
            )
        return connection


def _open_to_read(path: Path, mode: str) -> sqlite3.Connection:
    with ExitStack() as stack:
        connection = stack.enter_context(closing(_connect(path, mode)))
        connection.execute("PRAGMA query_only = ON")
        _fetch_int(connection, _FIRST_READ)
        stack.pop_all()
    return connection


class FileLock:
    """A lock that one connection at a time holds, of any process; it ends with the process. Not thread-safe.

    The lock is SQLite's on an empty file beside the journal, which works on every system. That file stays: if it were
    removed, two processes could each lock a file of that name.

    Args:
        path: The lock file; it is created if it does not exist.
        like: The journal, which has the permissions with which the lock file is created; by default 0600. A user who
            can open the lock file can hold the lock.

    Raises:
        JournalError: The file cannot be used.
    """

    def __init__(self, path: Path, like: Path | None = None) -> None:
        self.path = path
        with translated_errors(path):
            is_new = not path.exists()
            self._connection = _connect(path, "mode=rwc", 0)
            if is_new:  # SQLite has created it; opening and closing it here could release another thread's lock
                path.chmod(stat.S_IMODE(like.stat().st_mode) if like else 0o600)
        # No other file for a lock that writes nothing. The setting needs the lock as well.
        self._statements = ["PRAGMA journal_mode = MEMORY", "BEGIN EXCLUSIVE"]

    def try_acquire(self, seconds: float = 0.0) -> bool:
        """Acquire the lock within some seconds, and return whether it succeeded."""
        end = time.monotonic() + seconds
        while True:
            try:
                for statement in self._statements:
                    self._connection.execute(statement)
            except ERRORS as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                    raise journal_error(self.path, error) from None
            else:
                del self._statements[:-1]
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(_LOCK_INTERVAL * random.random())  # noqa: S311 - so that two processes do not keep in step

    def __enter__(self) -> Self:
        """Acquire the lock.

        Raises:
            JournalInUseError: Others keep it for longer than :data:`WRITE_TIMEOUT`.
        """
        try:
            if self.try_acquire(WRITE_TIMEOUT):
                return self
            raise JournalInUseError(  # noqa: TRY301
                f"{visible(str(self.path))}: another process has kept the journal locked for {WRITE_TIMEOUT:.0f} s. "
                "Wait for it; if it was stopped or hangs, end it. (An earlier version of vtex-tracking keeps the lock "
                "until it ends.)"
            )
        except BaseException:  # an interrupt can come as soon as the lock is acquired
            self._connection.rollback()
            raise

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self._connection.rollback()

    def close(self) -> None:
        """Release the lock, and close the file."""
        self._connection.close()


def write_lock_path(path: Path) -> Path:
    """Return the file of the lock that is held during each transaction that writes to a journal.

    Earlier versions of this program hold it for a whole run.
    """
    return path.with_name(f"{path.name}-lock")


def lease_path(path: Path, account_id: int) -> Path:
    """Return the file of the lock that the process holds that delivers an account."""
    return path.with_name(f"{path.name}-lease-{account_id}")


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock of a lock file, without acquiring it or creating a file.

    Raises:
        JournalError: The lock file cannot be used.
    """
    if not path.exists():
        return False
    with translated_errors(path), closing(_connect(path, "mode=ro", 0)) as connection:
        try:
            _fetch_int(connection, "PRAGMA schema_version")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return True
    return False


def _connect(path: Path, mode: str, timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    # One thread at a time uses it, not always the same one. Transactions are begun explicitly.
    uri = f"{path.as_uri()}?{mode}"
    return sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)


def _fetch_int(connection: sqlite3.Connection, sql: str) -> int:
    return int(connection.execute(sql).fetchone()[0])


def _refuse_newer(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"The journal {visible(str(path))} has version {version}, but this program supports versions up to "
            f"{SCHEMA_VERSION}; use a newer vtex-tracking, or another journal."
        )


def migrate(path: Path, connection: sqlite3.Connection) -> None:
    """Bring the tables up to date, one transaction for each version."""
    version = _fetch_int(connection, "PRAGMA user_version")
    _refuse_newer(path, version)  # again: is_journal did not see what is only in the log
    for number in range(version, SCHEMA_VERSION):
        connection.execute("BEGIN IMMEDIATE")
        for statement in MIGRATIONS[number]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute("COMMIT")
