"""SQLite's errors as JournalError, with advice."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.input.disk import TEMPORARY
from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalUnavailableError
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: Advice by the kind of an error; see :func:`_kind`.
ADVICE: Final[Mapping[int, str]] = {
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

#: Errors that end by themselves, or when someone frees space or repairs the disk: a run can be resumed afterwards.
_TEMPORARY: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM})

#: The same once a journal is open. Before, the further ones mean that the path of the journal may be wrong.
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


#: What SQLite and the operating system raise; a UnicodeDecodeError comes from a message that quotes damaged data.
ERRORS: Final = (sqlite3.Error, UnicodeDecodeError, OSError)


def journal_error(path: Path, error: Exception, *, is_open: bool = False) -> JournalError:
    """Return the JournalError for one of :data:`ERRORS`.

    Args:
        path: The file.
        error: The error.
        is_open: Whether the journal was open, so that its path is right.
    """
    if isinstance(error, OSError):
        kind = JournalUnavailableError if error.errno in TEMPORARY else JournalError
        return kind(f"The journal file {visible(str(path))}: {error.strerror}; fix that, or name a journal elsewhere.")
    error = error if isinstance(error, sqlite3.Error) else damage(str(error))
    code = _kind(error)
    is_temporary = code in (_TEMPORARY_WHILE_OPEN if is_open else _TEMPORARY)
    advice = ADVICE.get(code, "it cannot be used")
    return (JournalUnavailableError if is_temporary else JournalError)(
        f"The journal file {visible(str(path))}: {advice} ({visible(str(error))})."
    )


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
