"""What the commands for a fleet of workers share: its journal in PostgreSQL, with the fleet's tables beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.journal.opening import is_postgres
from vtex_tracking_ext.errors import ConfigurationError

from .journal_location import journal_location

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal


def open_fleet_journal(parsed: argparse.Namespace) -> PostgresJournal:
    """Open the journal, and create or upgrade the fleet's tables.

    Raises:
        ConfigurationError: It is in a file, or an extra is missing.
        JournalError: It cannot be used.
    """
    location = journal_location(parsed)
    if not is_postgres(location):
        raise ConfigurationError(
            "--enqueue and worker need a journal in PostgreSQL: name it with --journal postgresql://USER@HOST/DATABASE "
            "or VTEX_JOURNAL."
        )
    try:
        from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal  # noqa: PLC0415 - an extra
        from vtex_tracking_ext.fleet.tables import create_or_upgrade  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"--enqueue and worker need an extra ({error.name} is missing): pip install 'vtex-tracking[postgres]'."
        ) from None
    journal = PostgresJournal.open(str(location))
    try:
        with journal.connections.connection() as connection:
            create_or_upgrade(connection)
    except BaseException:
        journal.close()
        raise
    return journal


def notify_workers(journal: Journal, accounts: Iterable[str]) -> int:
    """Add a task for each package that needs one, and return their number.

    Args:
        journal: The journal, as :func:`open_fleet_journal` returns it.
        accounts: The accounts whose packages are meant, as the journal names them.
    """
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal  # noqa: PLC0415 - an extra
    from vtex_tracking_ext.fleet.enqueue import TaskQueue  # noqa: PLC0415 - an extra

    assert isinstance(journal, PostgresJournal)  # noqa: S101 - see above
    tasks = TaskQueue(journal.connections)
    return tasks.add(tasks.packages_without_task(accounts))
