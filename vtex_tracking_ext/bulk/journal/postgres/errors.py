"""PostgreSQL's errors as JournalError, with advice."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg_pool import PoolClosed

from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalUnavailableError
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .address import Address

#: libpq reports failed connections without a code.
_NO_CONNECTION: Final = "no connection; see that the server runs, and check host, port, database, user and password"

_GONE: Final = "its server ended the connection; run again when it is back. That run resolves what was in flight"
_MIGRATE: Final = "`vtex-tracking migrate --journal URL`, as a user with the privileges, creates or updates its tables"

#: The SQLSTATE of errors without one, or with another one: libpq passes on no code before a connection is open, and
#: PgBouncer gives all of its errors the same. A server that speaks another language is not understood; its errors are
#: failed connections.
_CODES: Final[Mapping[str, re.Pattern[str]]] = {
    "53300": re.compile("too many (clients|connections)|no more connections|remaining connection|query_wait_timeout"),
    "57P03": re.compile("the database system is"),
}

#: Classes of errors that end by themselves, or with what an administrator does on the server. Without a connection or a
#: writable server at the very start, the journal's address may be wrong.
_TEMPORARY: Final = ("40", "53", "55", "57", "58")
_TEMPORARY_ONCE_OPEN: Final = ("", "08", "25", *_TEMPORARY)

#: Advice by SQLSTATE, or by its class, the first two characters.
_ADVICE: Final[Mapping[str, str]] = {
    "08": _GONE,
    "22": "it cannot store such a value",
    "25": "it cannot be changed now; run again",
    "25006": "it is read-only there; name the primary server, or allow changes, and run again",
    "25P03": _GONE,
    "3F000": f"its tables do not exist; {_MIGRATE}",
    "40": "transactions conflicted; run again",
    "42": "its tables are not this program's; name another schema (?schema=NAME), or restore it from a backup",
    "42501": f"this user lacks a privilege. {_MIGRATE}; GRANT lets other users use them",
    "42P01": f"its tables do not exist; {_MIGRATE}",
    "53": "its server has run out of a resource; fix that and run again",
    "53100": "its server's disk is full; free some space there and run again",
    "53300": "its server accepts no more connections; close some, or allow more (max_connections, "
    "a CONNECTION LIMIT, or a pooler's default_pool_size)",
    "55": "another session has locked it; wait for it to end and run again",
    "57": _GONE,
    "57P03": "its server is starting or stopping; run again when it is ready",
    "57014": "its server canceled a statement; check statement_timeout, and what else runs there; then run again",
    "58": "its server's disk failed; fix that and run again",
    "XX": "it is damaged; restore it from a backup. A new journal has no history and would send everything again",
}


def describe_error(address: Address, error: psycopg.Error, *, is_connecting: bool = False) -> str:
    """Return a message for an error, with advice and without secrets."""
    code = _code_of(error)
    advice = _ADVICE.get(code) or _ADVICE.get(code[:2]) or "it cannot be used"
    if not code and isinstance(error, psycopg.OperationalError):  # libpq's own
        advice = _NO_CONNECTION if is_connecting else _GONE
    message = error.diag.message_primary or str(error)
    return f"The journal {address.name}: {advice} ({visible(address.redact(' '.join(message.split())))})."


def journal_error(
    address: Address, error: psycopg.Error, *, is_connecting: bool = False, was_open: bool = True
) -> JournalError:
    """Return the error to raise instead of one of PostgreSQL's.

    Args:
        address: The journal's address.
        error: The error.
        is_connecting: Whether there is no connection yet.
        was_open: Whether this process has had a connection.
    """
    temporary = _TEMPORARY_ONCE_OPEN if was_open else _TEMPORARY
    is_temporary = isinstance(error, psycopg.OperationalError | psycopg.InternalError) and (
        _code_of(error)[:2] in temporary
    )
    kind = JournalUnavailableError if is_temporary else JournalError
    return kind(describe_error(address, error, is_connecting=is_connecting))


@contextmanager
def translated_errors(address: Address, *, is_connecting: bool = False, was_open: bool = True) -> Iterator[None]:
    """Turn PostgreSQL's errors into JournalError; see :func:`journal_error`."""
    try:
        yield
    except PoolClosed:
        raise JournalError("The journal has been closed.") from None
    except psycopg.Error as error:
        raise journal_error(address, error, is_connecting=is_connecting, was_open=was_open) from None


def _code_of(error: psycopg.Error) -> str:
    """Return the SQLSTATE of an error, or an empty text."""
    text = str(error)
    return next((code for code, pattern in _CODES.items() if pattern.search(text)), error.sqlstate or "")
