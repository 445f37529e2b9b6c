"""Opening a journal by its location: a file, or the URL of a PostgreSQL database.

Each kind is imported when it is opened, so that importing this module is cheap.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from vtex_tracking_ext.config.secret import Secret

if TYPE_CHECKING:
    from .interface import Journal, JournalReader

#: The location of a journal: the path of its file, or ``postgresql://user:password@host:port/database``.
Location: TypeAlias = "str | os.PathLike[str]"

T = TypeVar("T")

_SCHEMES: Final = ("postgresql://", "postgres://")


def is_postgres(location: object) -> bool:
    """Return whether a location is the URL of a PostgreSQL database."""
    return isinstance(location, Secret) or (isinstance(location, str) and location.startswith(_SCHEMES))


def hidden(location: T) -> T | Secret:
    """Return a location, the URL of a database as a secret: it may contain a password."""
    return Secret(location) if is_postgres(location) else location


def display_name(location: Location | Secret) -> str:
    """Return a location without secrets. Raises like :func:`open_journal`, but does not connect."""
    location = hidden(location)
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
    if isinstance(location, Secret):
        from .postgres import PostgresJournal  # noqa: PLC0415

        return PostgresJournal.open(location, create=create)
    from .sqlite import SqliteJournal  # noqa: PLC0415

    return SqliteJournal.open(location, create=create)


def open_reader(location: Location | Secret) -> JournalReader:
    """Open a journal for reading, possibly while a run writes to it. Raises like :func:`open_journal`."""
    location = hidden(location)
    if isinstance(location, Secret):
        from .postgres import PostgresReader  # noqa: PLC0415

        return PostgresReader.open(location)
    from .sqlite import SqliteReader  # noqa: PLC0415

    return SqliteReader.open(location)


def migrate(location: Location | Secret) -> str:
    """Create a journal or bring it up to date, and return a message about it. Raises like :func:`open_journal`."""
    location = hidden(location)
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
