"""PostgreSQL's errors as JournalError, with advice."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg_pool import PoolClosed

from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .address import Address

#: libpq reports failed connections without a code.
_NO_CONNECTION: Final = "no connection; see that the server runs, and check host, port, database, user and password"

_GONE: Final = "its server ended the connection; run again when it is back. That run resolves what was in flight"
_MIGRATE: Final = "`vtex-tracking migrate --journal URL`, as a user with the privileges, creates or updates its tables"

#: Advice by SQLSTATE, or by its class, the first two characters.
_ADVICE: Final[Mapping[str, str]] = {
    "08": _GONE,
    "22": "it cannot store such a value",
    "25": "it cannot be changed now; run again",
    "25006": "it is read-only there; name the primary server, or allow changes",
    "25P03": _GONE,
    "3F000": f"its tables do not exist; {_MIGRATE}",
    "40": "transactions conflicted; run again",
    "42": "its tables are not this program's; name another schema (?schema=NAME), or restore it from a backup",
    "42501": f"this user lacks a privilege. {_MIGRATE}; GRANT lets other users use them",
    "42P01": f"its tables do not exist; {_MIGRATE}",
    "53": "its server has run out of a resource; fix that and run again",
    "53100": "its server's disk is full; free some space there and run again",
    "53300": "its server accepts no more connections; close some, or allow more (max_connections)",
    "55": "another session has locked it; wait for it to end and run again",
    "57": _GONE,
    "57014": "its server canceled a statement; check statement_timeout, and what else runs there",
    "58": "its server's disk failed; fix that and run again",
    "XX": "it is damaged; restore it from a backup. A new journal has no history and would send everything again",
}


def describe_error(address: Address, error: psycopg.Error, *, is_connecting: bool = False) -> str:
    """Return a message for an error, with advice and without secrets."""
    code = error.sqlstate or ""
    advice = _ADVICE.get(code) or _ADVICE.get(code[:2]) or "it cannot be used"
    if not code and isinstance(error, psycopg.OperationalError):  # libpq's own
        advice = _NO_CONNECTION if is_connecting else _GONE
    message = error.diag.message_primary or str(error)
    return f"The journal {address.name}: {advice} ({visible(address.redact(' '.join(message.split())))})."


@contextmanager
def translated_errors(address: Address, *, is_connecting: bool = False) -> Iterator[None]:
    """Turn PostgreSQL's errors into JournalError."""
    try:
        yield
    except PoolClosed:
        raise JournalError("The journal has been closed.") from None
    except psycopg.Error as error:
        raise JournalError(describe_error(address, error, is_connecting=is_connecting)) from None
