"""The file of a journal: recognition, creation and opening.

Only SQLite opens the journal: closing a file that was opened by other means would drop SQLite's locks on it
(https://sqlite.org/howtocorrupt.html, 2.2).
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.text import visible

from . import schema
from .connection import connect, fetch_int
from .errors import ADVICE, damage, translated_errors
from .guard import refuse_links
from .mark import APPLICATION_ID, end_mark, log_path, mark_of, read_header

if TYPE_CHECKING:
    from pathlib import Path

#: Makes SQLite open the file and read the tables' definitions, which it delays until the first query.
_FIRST_READ: Final = "SELECT count(*) FROM meta"


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
    application_id, version, _ = read_header(path)
    if not mark_of(application_id):
        raise JournalError(f"The journal file {visible(str(path))}: {ADVICE[sqlite3.SQLITE_NOTADB]}.")
    schema.refuse_newer(path, version)
    return version


def create(path: Path, created: str) -> None:
    """Create an empty journal atomically, readable only by its owner because it names orders."""
    fresh = path.with_name(f"{path.name}-new")
    with translated_errors(path):
        fresh.unlink(missing_ok=True)  # left by a process that was killed here
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with closing(connect(fresh, "mode=rw")) as connection:
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("BEGIN")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION}")
            for statement in schema.SCHEMA:
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
        connection = stack.enter_context(closing(connect(path, "mode=rw")))
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'OFF'}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # begin_log() does that
        fetch_int(connection, _FIRST_READ)
        if is_checked:
            _check(connection)
        end_mark(path, connection)
        schema.migrate(path, connection)
        if is_checked and (found := connection.execute(schema.WRONG_CHECKSUM).fetchone()):
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
            # A read-only folder: no other process can write either.
            connection = _open_to_read(path, "mode=ro&immutable=1")
        version = fetch_int(connection, "PRAGMA user_version")
        if version != schema.SCHEMA_VERSION:
            connection.close()
            schema.refuse_newer(path, version)
            raise JournalError(
                f"The journal {visible(str(path))} has version {version}, but this program reads version "
                f"{schema.SCHEMA_VERSION}; a push, or `vtex-tracking migrate`, brings it up to date."
            )
        return connection


def _open_to_read(path: Path, mode: str) -> sqlite3.Connection:
    with ExitStack() as stack:
        connection = stack.enter_context(closing(connect(path, mode)))
        connection.execute("PRAGMA query_only = ON")
        fetch_int(connection, _FIRST_READ)
        stack.pop_all()
    return connection
