"""The mark in the header of a journal's file, which shows whether the file is complete without its write-ahead log.

The mark is the last letter of the application id in the file's header. If it is upper case, the latest changes are only
in the log. Each time that the log is begun anew, the mark is the next letter, so a log of another time is recognized.
The log itself sets the lower-case letter. So the mark is lower case once SQLite has copied the whole log into the file,
and in copies that SQLite makes.
"""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from .connection import connect, fetch_int
from .errors import damage_error, translated_errors
from .guard import is_signed
from .locks import write_lock_path
from .log import Log, read_log

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

#: Identifies a journal in the file's header, with any letter at the end; see :func:`begin_log`.
APPLICATION_ID: Final = int.from_bytes(b"VTXj")


def read_header(path: Path) -> tuple[int, int, int]:
    """Return application id, version and page size of a database, without its log."""
    # "immutable" reads only the file: no lock, no recovery, no other file created. "writable_schema" accepts a file
    # that is shorter than its header says: the rest may be in the log of a killed run.
    with translated_errors(path), closing(connect(path, "mode=ro&immutable=1")) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        application_id, version, page_size = (
            fetch_int(connection, f"PRAGMA {name}") for name in ("application_id", "user_version", "page_size")
        )
    return application_id, version, page_size


def log_path(path: Path) -> Path:
    """Return the file of a journal's write-ahead log."""
    return path.with_name(f"{path.name}-wal")


def is_unchanged(path: Path) -> bool:
    """Return whether the last process that used a journal closed it, and its file is as that process left it."""
    with suppress(OSError):
        if log_path(path).stat().st_size:
            return False
    return is_signed(path, write_lock_path(path)) and _read_mark(path).islower()


def check_log(path: Path) -> None:
    """Check that a journal's log is complete. Call it while no process uses the journal.

    Raises:
        JournalError: Committed transactions would be lost.
    """
    application_id, _, page_size = read_header(path)
    log = _read_log(path, page_size)
    if log.has_lost_commits:
        raise damage_error(
            path,
            f"the end of its file {path.name}-wal cannot be read. If this machine lost power while it was written, "
            f'drop the incomplete transaction: sqlite3 {path.name} "PRAGMA wal_checkpoint"',
        )
    # The mark is read again, because the last process that used the journal may have closed it just now.
    if not log.commits and mark_of(application_id).isupper() and _read_mark(path).isupper():
        raise damage_error(
            path,
            f"its latest changes are in the file {path.name}-wal, which is missing, for example because only this file "
            "was copied; put that file beside it",
        )
    mark = mark_of(application_id)
    log_mark = mark if log.application_id is None else mark_of(log.application_id)
    if log.commits and log_mark not in {mark, mark.lower(), _next_mark(mark)}:
        raise damage_error(
            path,
            f"it and its file {path.name}-wal do not belong together, for example because they were copied while a "
            "process wrote to them; copy both while no process uses them",
        )


def _read_log(path: Path, page_size: int) -> Log:
    with translated_errors(path):
        try:
            return read_log(log_path(path).read_bytes(), page_size)
        except FileNotFoundError:
            return Log()


def begin_log(path: Path, connection: sqlite3.Connection) -> None:
    """Copy the log into the journal's file, and mark the file as incomplete without the log that begins now.

    The log begins with the lower-case letter, so that the file is complete again once SQLite has copied the log into it
    and nothing more is written.
    """
    mark = _next_mark(mark_of(fetch_int(connection, "PRAGMA application_id")) or "A")
    try:
        _set_mark(connection, mark)
        connection.execute("PRAGMA wal_checkpoint")
    finally:
        end_mark(path, connection)


def end_mark(path: Path, connection: sqlite3.Connection) -> None:
    """Write the file's mark in lower case to the log, if the log does not contain it yet."""
    if mark_of(fetch_int(connection, "PRAGMA application_id")).isupper():
        _set_mark(connection, _read_mark(path).lower())


def mark_of(application_id: int) -> str:
    """Return the mark in a journal's application id, or an empty text for another program's file."""
    *start, last = (application_id & 0xFFFFFFFF).to_bytes(4)
    letter = chr(last)
    return letter if bytes(start) == b"VTX" and letter.isascii() and letter.isalpha() else ""


def _next_mark(mark: str) -> str:
    return chr((ord(mark.upper()) - ord("A") + 1) % 26 + ord("A"))


def _read_mark(path: Path) -> str:
    return mark_of(read_header(path)[0])


def _set_mark(connection: sqlite3.Connection, mark: str) -> None:
    connection.execute(f"PRAGMA application_id = {int.from_bytes(b'VTX' + mark.encode())}")
