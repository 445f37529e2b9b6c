"""Opening a journal by its location: a file, or the URL of a PostgreSQL database.

Each kind is imported when it is opened, so that importing this module is cheap.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from vtex_tracking_ext.config.secret import Secret

if TYPE_CHECKING:
    from .interface import Journal, JournalReader

#: The location of a journal: the path of its file, or ``postgresql://user:password@host:port/database``.
Location: TypeAlias = "str | os.PathLike[str]"

T = TypeVar("T")

_SCHEMES: Final = ("postgresql://", "postgres://")

#: What no path of a file looks like: a URL, also one that pathlib has shortened; name:password@host; settings of libpq,
#: ODBC or ADO.NET. A path that begins with ``/``, ``./`` or ``../`` is the path of a file, whatever else it contains.
_NO_PATH: Final = re.compile(
    r"""
    :// | ^(?!\.{0,2}/(?!/)) .*? (?:
      ^\W*[a-z][\w+.-]+:/ | ^\W*jdbc: | :[^/\\]*@
    | (?:^|[\s;&?'"])
      (?:host|hostaddr|server|port|db_?name|database|data\ source|dsn|service|user|user_?name|user\ id|uid|password
      |passwd|pwd|passfile|ssl\w+|options|application_name|connect_timeout|target_session_attrs|schema)\s*=
    )
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def is_postgres(location: object) -> bool:
    """Return whether a location is the URL of a PostgreSQL database."""
    return isinstance(location, Secret) or (isinstance(location, str) and location.startswith(_SCHEMES))


def hidden(location: T) -> T | Secret:
    """Return the path of a file unchanged, and any other location as a secret, because it may contain a password."""
    text = str(location) if isinstance(location, str | os.PathLike) else ""
    return Secret(text) if is_postgres(text) or _NO_PATH.search(text) else location


def check_location(location: object) -> None:
    """Raise JournalError if the result of :func:`hidden` is neither the path of a file nor the URL of a database.

    Hide the location in a statement of its own first: an error shows what the caller's variables hold.
    """
    if isinstance(location, Secret) and not str(location.reveal()).startswith(_SCHEMES):
        from .interface import JournalError  # noqa: PLC0415

        raise JournalError(
            "The journal's location is neither the path of a file nor a URL of PostgreSQL. It is not shown, because it "
            "may contain a password. Write postgresql://USER@HOST/DATABASE, in lower case, with the password in "
            "PGPASSWORD or ~/.pgpass. If it is a file with such a name, write ./ before it."
        )


def display_name(location: Location | Secret) -> str:
    """Return a location without secrets. Raises like :func:`open_journal`, but does not connect."""
    location = hidden(location)
    check_location(location)
    if not isinstance(location, Secret):
        return str(location)
    from .postgres import parse_url  # noqa: PLC0415

    return parse_url(location).name


def open_journal(location: Location | Secret, *, create: bool = True) -> Journal:
    """Open a journal to write to it.

    Args:
        location: Where it is.
        create: Whether to create the journal if it does not exist.

    Raises:
        JournalError: It cannot be used.
        ConfigurationError: It is in a database, and the extra ``postgres`` is not installed.
    """
    location = hidden(location)
    check_location(location)
    if isinstance(location, Secret):
        from .postgres import PostgresJournal  # noqa: PLC0415

        return PostgresJournal.open(location, create=create)
    from .sqlite import SqliteJournal  # noqa: PLC0415

    return SqliteJournal.open(location, create=create)


def open_reader(location: Location | Secret) -> JournalReader:
    """Open a journal for reading, possibly while a run writes to it. Raises like :func:`open_journal`."""
    location = hidden(location)
    check_location(location)
    if isinstance(location, Secret):
        from .postgres import PostgresReader  # noqa: PLC0415

        return PostgresReader.open(location)
    from .sqlite import SqliteReader  # noqa: PLC0415

    return SqliteReader.open(location)


def migrate(location: Location | Secret) -> str:
    """Create a journal or bring it up to date, and return a message about it. Raises like :func:`open_journal`."""
    location = hidden(location)
    check_location(location)
    if isinstance(location, Secret):
        from .postgres import PostgresJournal  # noqa: PLC0415

        return PostgresJournal.migrate(location)
    from .sqlite.file import stored_version  # noqa: PLC0415

    before = stored_version(Path(os.path.realpath(location)))
    with open_journal(location) as journal:
        name, version = journal.name, journal.meta().schema_version
    if before == version:
        return f"The journal {name} is up to date (version {version})."
    done = "was created with" if before is None else f"had version {before}, and now has"
    return f"The journal {name} {done} version {version}."
