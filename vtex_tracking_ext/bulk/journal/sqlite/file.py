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

from vtex_tracking_ext.bulk.input.disk import TEMPORARY
from vtex_tracking_ext.bulk.journal.entries import STATES
from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalInUseError, JournalUnavailableError
from vtex_tracking_ext.bulk.journal.sql import WITHDRAWN_IF_BY_HAND, tables_for
from vtex_tracking_ext.text import visible

from .checksum import text_checksum
from .guard import is_signed, refuse_link, refuse_links, sign
from .log import Log, read_log

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: Identifies a journal in the file's header, with any letter at the end; see :func:`begin_log`.
APPLICATION_ID: Final = int.from_bytes(b"VTXj")

#: Version of the tables below, kept as SQLite's ``user_version``.
SCHEMA_VERSION: Final = 4

_CHECKSUM: Final = "checksum INTEGER NOT NULL DEFAULT 0"

#: Index of the open entries. States are compared one by one, because SQLite builds a table in memory of a longer list
#: each time that an entry is written, which takes longer than writing it. (Tables of version 1 do, to check a state.)
_OPEN_ENTRIES: Final = """
    CREATE INDEX open_entries ON entries (account, package)
    WHERE state <> 'applied' AND state <> 'refused' AND state <> 'withdrawn'
"""

#: A second place with the keys of pruned entries, so that a damaged key is found by ``integrity_check``.
_PRUNED_KEYS_BY_TIME: Final = "CREATE INDEX pruned_keys_by_time ON pruned_keys (settled)"

#: The checksum that an entry must have, by a function that :func:`migrate` defines.
_CONTENT_CHECKSUM: Final = """entry_checksum(p.account, p.order_id, p.invoice_number, event_date, event_description,
    event_city, event_state, delivered_date, event_id, event_time)"""
_WRONG_CHECKSUM: Final = f"""
    SELECT e.id FROM entries e JOIN packages p ON p.id = e.package
    WHERE state <> 'applied' AND state <> 'refused' AND state <> 'withdrawn' AND checksum <> {_CONTENT_CHECKSUM}
"""  # noqa: S608 - constants

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
        checksum=f"{_CHECKSUM}, ",
    ),
    _PRUNED_KEYS_BY_TIME,
    _OPEN_ENTRIES,
)

#: Statements that migrate from a version to the next one; ``MIGRATIONS[1]`` from 1 to 2. From 2 to 3, tables of
#: :data:`SCHEMA` are created anew: SQLite cannot change the states that a table allows.
MIGRATIONS: Final[dict[int, tuple[str, ...]]] = {
    1: (
        "DROP INDEX open_entries",
        "CREATE INDEX open_entries ON entries (package) WHERE state <> 'applied' AND state <> 'refused'",
    ),
    2: (
        "DROP INDEX open_entries",
        "ALTER TABLE entries RENAME TO old_entries",
        *(s.replace(f"{_CHECKSUM}, ", "") for s in SCHEMA if re.search("TABLE (accounts|pruned_keys|entries) ", s)),
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
    3: (
        _PRUNED_KEYS_BY_TIME,
        f"ALTER TABLE entries ADD COLUMN {_CHECKSUM}",
        f"UPDATE entries SET checksum = (SELECT {_CONTENT_CHECKSUM} FROM packages p WHERE p.id = entries.package)",  # noqa: S608
    ),
}

#: Seconds to wait for another program that locks the file briefly: a backup, a database browser.
BUSY_TIMEOUT: Final = 5.0

#: Seconds to wait for other processes that write to the journal. Each holds the lock for one transaction.
WRITE_TIMEOUT: Final = 30.0

#: Upper bounds for the seconds between two attempts to lock, at first and after several attempts. If many threads
#: continued to try as often as at first, they would slow down the thread that holds the lock.
_LOCK_INTERVAL: Final = 0.002
_MAX_LOCK_INTERVAL: Final = 0.05

#: Seconds to wait for other processes before it is found out whether any uses the journal.
_LAST_USE_TIMEOUT: Final = 1.0

#: Makes SQLite open the file and read the tables' definitions, which it delays until the first query.
_FIRST_READ: Final = "SELECT count(*) FROM meta"

_ADVICE: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and run again",
    sqlite3.SQLITE_READONLY: "it is read-only; allow writing to it and its folder, or name a journal elsewhere",
    sqlite3.SQLITE_PERM: "access was denied; allow it, or name a journal elsewhere",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and that you may write to both",
    sqlite3.SQLITE_NOMEM: "there is not enough memory; free some and run again",
    sqlite3.SQLITE_BUSY: "another program (a backup, a database browser) has locked it; end that and run again",
    sqlite3.SQLITE_IOERR: "the disk failed, or a quota or size limit was reached; check that and run again",
    sqlite3.SQLITE_NOTADB: (
        "it is not a journal; name another file. If it was one, it is damaged: restore it from a backup"
    ),
    sqlite3.SQLITE_CORRUPT: (
        "it is damaged; restore it from a backup. A new journal has no history and would send everything again"
    ),
}

#: Other codes that mean damage: tables that are not this program's, indexes that lack rows, a file that is too short.
_DAMAGE_CODES: Final = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_CONSTRAINT_CHECK,
        sqlite3.SQLITE_CONSTRAINT_NOTNULL,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
        sqlite3.SQLITE_CONSTRAINT_UNIQUE,
        sqlite3.SQLITE_IOERR_SHORT_READ,
        sqlite3.SQLITE_IOERR_CORRUPTFS,
    }
)

#: What ends by itself, or when someone frees space or repairs the disk: the run can go on afterwards.
_TEMPORARY: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM})

#: What else ends so once the journal is open: until then, the place of the journal may be wrong.
_TEMPORARY_WHILE_OPEN: Final = _TEMPORARY | {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
}


def damage(what: str) -> sqlite3.DatabaseError:
    """Return an error for damage that SQLite did not detect."""
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _kind(error: sqlite3.Error) -> int:
    """Return the kind of an error of SQLite: the low byte of its extended code, unless that means damage."""
    # Python's own errors have no code: text that is not UTF-8, or a closed connection.
    otherwise = sqlite3.SQLITE_CORRUPT if isinstance(error, sqlite3.OperationalError) else sqlite3.SQLITE_OK
    code = getattr(error, "sqlite_errorcode", otherwise)
    return sqlite3.SQLITE_CORRUPT if code in _DAMAGE_CODES else code & 0xFF


def describe_error(path: Path, error: sqlite3.Error) -> str:
    """Return a message for an error of SQLite, with advice."""
    advice = _ADVICE.get(_kind(error), "it cannot be used")
    return f"The journal file {visible(str(path))}: {advice} ({visible(str(error))})."


#: What SQLite and the operating system raise; a UnicodeDecodeError comes from a message that quotes damaged data.
ERRORS: Final = (sqlite3.Error, UnicodeDecodeError, OSError)


def journal_error(path: Path, error: Exception, *, is_open: bool = False) -> JournalError:
    """Return the JournalError for one of :data:`ERRORS`.

    Args:
        path: The file.
        error: The error.
        is_open: Whether the journal was open, so that its place is right.
    """
    if isinstance(error, OSError):
        kind = JournalUnavailableError if error.errno in TEMPORARY else JournalError
        return kind(f"The journal file {visible(str(path))}: {error.strerror}; fix that, or name a journal elsewhere.")
    error = error if isinstance(error, sqlite3.Error) else damage(str(error))
    is_temporary = _kind(error) in (_TEMPORARY_WHILE_OPEN if is_open else _TEMPORARY)
    return (JournalUnavailableError if is_temporary else JournalError)(describe_error(path, error))


def damage_error(path: Path, what: str) -> JournalError:
    """Return the JournalError for damage that SQLite did not detect."""
    return journal_error(path, damage(what))


@contextmanager
def translated_errors(path: Path, *, is_open: bool = False) -> Iterator[None]:
    """Turn errors of SQLite and of the operating system into JournalError; see :func:`journal_error`."""
    try:
        yield
    except ERRORS as error:
        raise journal_error(path, error, is_open=is_open) from None


def is_journal(path: Path) -> bool:
    """Return whether there is a journal at ``path``. Raises like :func:`stored_version`."""
    return stored_version(path) is not None


def stored_version(path: Path) -> int | None:
    """Return the version of the journal at ``path``, or None if there is nothing or an empty file. Changes nothing.

    A version that is only in the log of a killed run is not seen.

    Raises:
        JournalError: There is something else, or a newer journal, or the folder does not exist, or the file has other
            names.
    """
    with translated_errors(path):
        try:
            status = path.stat()
        except FileNotFoundError:
            path.parent.stat()
            return None
    if not stat.S_ISREG(status.st_mode):
        raise JournalError(f"{visible(str(path))} is not a file; name another place for the journal.")
    refuse_links(path)
    if not status.st_size:
        return None
    application_id, version, _ = _read_header(path)
    if not _mark(application_id):
        raise JournalError(f"The journal file {visible(str(path))}: {_ADVICE[sqlite3.SQLITE_NOTADB]}.")
    _refuse_newer(path, version)
    return version


def _read_header(path: Path) -> tuple[int, int, int]:
    """Return application id, version and page size of a database, without its log."""
    # "immutable" reads only the file: no lock, no recovery, no other file created. "writable_schema" accepts a file
    # that is shorter than its header says: the rest may be in the log of a killed run.
    with translated_errors(path), closing(_connect(path, "mode=ro&immutable=1")) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        application_id, version, page_size = (
            _fetch_int(connection, f"PRAGMA {name}") for name in ("application_id", "user_version", "page_size")
        )
    return application_id, version, page_size


def is_unchanged(path: Path) -> bool:
    """Return whether the last process that used a journal closed it, and its file is as that process left it."""
    with suppress(OSError):
        if log_path(path).stat().st_size:
            return False
    return is_signed(path, write_lock_path(path)) and _read_mark(path).islower()


def check_log(path: Path) -> None:
    """Check that a journal's log has all that was written to it. Call it while no process uses the journal.

    Raises:
        JournalError: Committed transactions would be lost.
    """
    application_id, _, page_size = _read_header(path)
    log = _read_log(path, page_size)
    if log.has_lost_commits:
        raise damage_error(
            path,
            f"the end of its file {path.name}-wal cannot be read. If this machine lost power while it was written, "
            "drop what was not complete: open and close the journal once with the program sqlite3",
        )
    # The second time because the last process that used it may have closed it just now.
    if not log.commits and _mark(application_id).isupper() and _read_mark(path).isupper():
        raise damage_error(
            path,
            f"a process was using it, and its file {path.name}-wal with what was last written is missing, as in a copy "
            "of this file alone; put that file beside it",
        )
    mark, log_mark = _mark(application_id), _mark(application_id if log.application_id is None else log.application_id)
    if log.commits and log_mark not in {mark, mark.lower(), _next_mark(mark)}:
        raise damage_error(
            path,
            f"it and its file {path.name}-wal are not from the same time, as in a copy that was made while a process "
            "wrote to it; copy both while no process uses it",
        )


def _read_log(path: Path, page_size: int) -> Log:
    with translated_errors(path):
        try:
            return read_log(log_path(path).read_bytes(), page_size)
        except FileNotFoundError:
            return Log()


def begin_log(path: Path, connection: sqlite3.Connection) -> None:
    """Copy the log into the journal's file, and mark the file as incomplete without what the log gets from now on.

    The mark is a capital letter at the end of the application id, the next one each time. The log then begins with the
    same letter in lower case: so the file is marked until the last process that uses it has closed it, a copy that was
    made by SQLite is not marked, and a file and a log that do not belong together are recognized.
    """
    mark = _next_mark(_mark(_fetch_int(connection, "PRAGMA application_id")) or "A")
    try:
        _set_mark(connection, mark)
        connection.execute("PRAGMA wal_checkpoint")
    finally:
        end_mark(path, connection)


def end_mark(path: Path, connection: sqlite3.Connection) -> None:
    """Write the letter of the file's mark in lower case to the log, if the log ends with a mark."""
    if _mark(_fetch_int(connection, "PRAGMA application_id")).isupper():
        _set_mark(connection, _read_mark(path).lower())


def _mark(application_id: int) -> str:
    """Return the letter at the end of a journal's application id, or an empty text for other programs' files."""
    *start, last = (application_id & 0xFFFFFFFF).to_bytes(4)
    letter = chr(last)
    return letter if bytes(start) == b"VTX" and letter.isascii() and letter.isalpha() else ""


def _next_mark(mark: str) -> str:
    return chr((ord(mark.upper()) - ord("A") + 1) % 26 + ord("A"))


def _read_mark(path: Path) -> str:
    return _mark(_read_header(path)[0])


def _set_mark(connection: sqlite3.Connection, mark: str) -> None:
    connection.execute(f"PRAGMA application_id = {int.from_bytes(b'VTX' + mark.encode())}")


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


def open_to_write(path: Path, *, is_durable: bool = True, is_checked: bool = False) -> sqlite3.Connection:
    """Open an existing journal, bring its tables up to date, and return a connection for any thread.

    Call it with the write lock, unless no other process knows the file.

    Args:
        path: The journal.
        is_durable: Whether a commit waits for the disk.
        is_checked: Whether to check that it is not damaged, which takes about a second for a million entries. Of the
            texts only those are checked that are still to be sent; others are when they are read.

    Raises:
        JournalError: It cannot be used.
    """
    with translated_errors(path), ExitStack() as stack:
        connection = stack.enter_context(closing(_connect(path, "mode=rw")))
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'OFF'}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # begin_log() does that
        _fetch_int(connection, _FIRST_READ)
        if is_checked:
            _check(connection)
        end_mark(path, connection)
        migrate(path, connection)
        if is_checked and (found := connection.execute(_WRONG_CHECKSUM).fetchone()):
            raise damage(f"entry {found[0]}: its content does not match its checksum")
        stack.pop_all()
    return connection


def _check(connection: sqlite3.Connection) -> None:
    """Compare tables with their indexes, and with each other."""
    found = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if found != "ok":
        raise damage(found)
    if dangling := connection.execute("PRAGMA foreign_key_check").fetchone():
        raise damage(f"{dangling[0]} {dangling[1]}: no {dangling[2]}")


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
            log = log_path(path)
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
        is_open: Whether the journal is open; see :func:`journal_error`.

    Raises:
        JournalError: The file cannot be used.
    """

    def __init__(self, path: Path, like: Path | None = None, *, is_open: bool = False) -> None:
        self.path = path
        with translated_errors(path, is_open=is_open):
            is_new = not path.exists()
            self._connection = _connect(path, "mode=rwc", 0)
            if is_new:  # SQLite has created it; opening and closing it here could release another thread's lock
                path.chmod(stat.S_IMODE(like.stat().st_mode) if like else 0o600)
        # No other file for a lock that writes nothing. The setting needs the lock as well.
        self._statements = ["PRAGMA journal_mode = MEMORY", "BEGIN EXCLUSIVE"]

    def try_acquire(self, seconds: float = 0.0) -> bool:
        """Acquire the lock within some seconds, and return whether it succeeded."""
        end, interval = time.monotonic() + seconds, _LOCK_INTERVAL
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
            time.sleep(interval * random.random())  # noqa: S311 - so that two processes do not keep in step
            interval = min(1.5 * interval, _MAX_LOCK_INTERVAL)

    def share(self) -> None:
        """Hold the lock together with others that share it; nobody can acquire it meanwhile.

        Raises:
            JournalError: The file cannot be used, or another connection holds the lock.
        """
        self._connection.rollback()
        with translated_errors(self.path):
            self._connection.execute("BEGIN")
            _fetch_int(self._connection, "PRAGMA schema_version")

    def release(self) -> None:
        """Release the lock."""
        self._connection.rollback()

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
        self.release()

    def close(self) -> None:
        """Release the lock, and close the file."""
        self._connection.close()


def log_path(path: Path) -> Path:
    """Return the file of a journal's write-ahead log."""
    return path.with_name(f"{path.name}-wal")


def write_lock_path(path: Path) -> Path:
    """Return the file of the lock that is held during each transaction that writes to a journal.

    Earlier versions of this program hold it for a whole run.
    """
    return path.with_name(f"{path.name}-lock")


def use_path(path: Path) -> Path:
    """Return the file of the lock that processes share that write to a journal; the last one deletes it."""
    return path.with_name(f"{path.name}-open")


def end_use(path: Path, write_lock: FileLock, use_lock: FileLock, *, has_failed: bool) -> None:
    """Close the lock of :func:`use_path`, after the journal was closed, and sign the files if no process uses them.

    Args:
        path: The journal.
        write_lock: Its write lock.
        use_lock: The lock, shared.
        has_failed: Whether SQLite failed, so that the journal must be checked when it is opened the next time.
    """
    use_lock.release()
    with closing(use_lock), suppress(*ERRORS, JournalError):
        if write_lock.try_acquire(_LAST_USE_TIMEOUT):
            if use_lock.try_acquire():
                if not has_failed:
                    sign(path, write_lock.path)
                use_lock.close()
                use_lock.path.unlink()
            write_lock.release()


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
    refuse_link(path)
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
            f"{SCHEMA_VERSION}; use a newer vtex-tracking, or another journal. If no newer one wrote it, it is "
            "damaged: restore it from a backup."
        )


def migrate(path: Path, connection: sqlite3.Connection) -> None:
    """Bring the tables up to date, one transaction for each version."""
    version = _fetch_int(connection, "PRAGMA user_version")
    _refuse_newer(path, version)  # again: is_journal did not see what is only in the log
    connection.create_function("entry_checksum", 10, text_checksum)
    for number in range(version, SCHEMA_VERSION):
        connection.execute("BEGIN IMMEDIATE")
        for statement in MIGRATIONS[number]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute("COMMIT")
