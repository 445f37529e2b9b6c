"""What PostgreSQL's errors mean for a journal, and how to mend them."""

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

CLOSED: Final = "The journal has been closed."

#: Why no connection was made only libpq's text tells, which has no code.
_NO_CONNECTION: Final = "no connection; see that the server runs, and to host, port, database, user and password"

_GONE: Final = "its server ended the connection; run again when it is back. What was in flight is found out about then"
_MIGRATE: Final = "`vtex-tracking migrate --journal URL`, as a user who may, makes or updates its tables"

#: By SQLSTATE, else by its class, the first two characters.
_MENDING: Final[Mapping[str, str]] = {
    "08": _GONE,
    "22": "it cannot keep such a value",
    "25": "it cannot be changed now; run again",
    "25006": "it can only be read there; name the server that takes changes, or allow them",
    "25P03": _GONE,
    "3F000": f"its tables are not there; {_MIGRATE}",
    "40": "its transactions are in each other's way; run again",
    "42": "its tables are not those of this program; name another schema (?schema=NAME), or fetch it from a backup",
    "42501": f"this user may not do that; allow it. {_MIGRATE}, and then GRANT lets others use them",
    "42P01": f"its tables are not there; {_MIGRATE}",
    "53": "its server has run out of something; see to it and run again",
    "53100": "its server's disk is full; free some space there and run again",
    "53300": "its server takes no more connections; end some, allow more, or use a lower --concurrency",
    "55": "somebody else has locked it; wait for their end and run again",
    "57": _GONE,
    "57014": "its server stopped a statement that took too long; see to statement_timeout and to what else runs there",
    "58": "its server's disk failed; see to it and run again",
    "XX": "it is damaged; fetch it from a backup. A new one would not know what was sent, and would send it again",
}


def explain(address: Address, error: psycopg.Error, *, is_connecting: bool = False) -> str:
    """Return what an error means for the journal, and how to mend it; without what is secret."""
    code = error.sqlstate or ""
    mending = _MENDING.get(code) or _MENDING.get(code[:2]) or "it cannot be used"
    if not code and isinstance(error, psycopg.OperationalError):  # libpq's own
        mending = _NO_CONNECTION if is_connecting else _GONE
    said = error.diag.message_primary or str(error)
    return f"The journal {address.name}: {mending} ({visible(address.redacted(' '.join(said.split())))})."


@contextmanager
def explaining(address: Address, *, is_connecting: bool = False) -> Iterator[None]:
    """Turn PostgreSQL's errors into JournalError."""
    try:
        yield
    except PoolClosed:
        raise JournalError(CLOSED) from None
    except psycopg.Error as error:
        raise JournalError(explain(address, error, is_connecting=is_connecting)) from None
