"""The journal of a fleet: on PostgreSQL, with the fleet's tables beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.journal.opening import is_postgres
from vtex_tracking_ext.errors import ConfigurationError

from .status import journal_path

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal


def fleet_journal(parsed: argparse.Namespace, environ: Mapping[str, str]) -> PostgresJournal:
    """Open the journal, and make the fleet's tables or bring them up to date.

    Raises:
        ConfigurationError: It is in a file, or an extra is missing.
        JournalError: It cannot be used.
    """
    where = journal_path(parsed, environ)
    if not is_postgres(where):
        raise ConfigurationError(
            "A fleet needs a journal that several machines can share: name one on PostgreSQL, --journal "
            "postgresql://USER@HOST/DATABASE, or by VTEX_JOURNAL."
        )
    try:
        from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal  # noqa: PLC0415 - an extra
        from vtex_tracking_ext.fleet.tables import prepare  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"A fleet needs an extra ({error.name} is missing): pip install 'vtex-tracking[postgres]'."
        ) from None
    journal = PostgresJournal.open(str(where))
    try:
        with journal.connections.connection() as connection:
            prepare(connection)
    except BaseException:
        journal.close()
        raise
    return journal


def ring_for(journal: Journal, labels: Iterable[str]) -> int:
    """Ring for the packages of some accounts that have something to do, and return for how many.

    Args:
        journal: As :func:`fleet_journal` opened it.
        labels: The accounts, by their names in the journal.
    """
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal  # noqa: PLC0415 - an extra
    from vtex_tracking_ext.fleet.enqueue import Ringing  # noqa: PLC0415 - an extra

    assert isinstance(journal, PostgresJournal)  # noqa: S101 - see above
    ringing = Ringing(journal.connections)
    return ringing.ring(ringing.lacking(labels))
