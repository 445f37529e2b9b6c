"""Opens a journal wherever it is: a file, or a PostgreSQL database by its URL.

Imports what it opens when it is opened, so that importing it costs nothing.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import os

    from .interface import Journal, JournalReader

#: Location a journal is: the path of its file, or ``postgresql://user:password@host:port/database``.
Location: TypeAlias = "str | os.PathLike[str]"

_DATABASE: Final = ("postgresql://", "postgres://")


def is_postgres(where: Location) -> bool:
    """Tell whether a journal is in a database, and not in a file."""
    return isinstance(where, str) and where.startswith(_DATABASE)


def display_name(where: Location) -> str:
    """Return where a journal is without what is secret. Raises as :func:`open_journal` does, but asks no server."""
    if not is_postgres(where):
        return str(where)
    from .postgres import parse_url  # noqa: PLC0415

    return parse_url(str(where)).name


def open_journal(where: Location, *, create: bool = True) -> Journal:
    """Open a journal to write to it.

    Args:
        where: Location it is.
        create: Whether to make one where there is none.

    Raises:
        JournalError: It cannot be used.
        ConfigurationError: It is in a database, and the extra ``postgres`` is missing.
    """
    if is_postgres(where):
        from .postgres import PostgresJournal  # noqa: PLC0415

        return PostgresJournal.open(str(where), create=create)
    from .sqlite import SqliteJournal  # noqa: PLC0415

    return SqliteJournal.open(where, create=create)


def open_reader(where: Location) -> JournalReader:
    """Open a journal to look at it, also while somebody writes to it. Raises as :func:`open_journal` does."""
    if is_postgres(where):
        from .postgres import PostgresReader  # noqa: PLC0415

        return PostgresReader.open(str(where))
    from .sqlite import SqliteReader  # noqa: PLC0415

    return SqliteReader.open(where)


def open_temporary_copy(where: Location) -> Journal:
    """Make a temporary journal with what a journal holds, or an empty one where there is none.

    To see what a push would do; the journal itself is only read. Raises as :func:`open_journal` does.
    """
    from .sqlite import SqliteJournal  # noqa: PLC0415

    if not is_postgres(where):
        return SqliteJournal.trial(where)
    from .interface import NoJournalError  # noqa: PLC0415

    with ExitStack() as stack:
        trial = stack.enter_context(SqliteJournal.temporary())
        with suppress(NoJournalError), open_reader(where) as journal:
            trial.copy(journal.entries())
        stack.pop_all()
    return trial


def migrate(where: Location) -> str:
    """Make a journal, or bring its tables up to date, and say what was done. Raises as :func:`open_journal` does."""
    if is_postgres(where):
        from .postgres import PostgresJournal  # noqa: PLC0415

        return PostgresJournal.migrate(str(where))
    with open_journal(where) as journal:
        return f"The journal {journal.name} is of version {journal.meta().schema_version}."
