"""A journal on PostgreSQL behind a connection pooler."""

from __future__ import annotations

import pytest

from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, PostgresReader

from support import pgbouncer

pytestmark = pytest.mark.skipif(pgbouncer.PROGRAM is None, reason="PgBouncer is not installed")


def test_transaction_mode_is_refused(database: str) -> None:
    """A journal behind PgBouncer in transaction mode cannot be opened, and the error says what to do."""
    with pgbouncer.running(database, "transaction") as url:
        for use in (PostgresJournal, PostgresReader):
            with pytest.raises(JournalError, match=r"in transaction mode, .* set the pooler's pool_mode to session"):
                use.open(url)


def test_session_mode_is_accepted(database: str) -> None:
    """Behind PgBouncer in session mode, one of two leases is granted."""
    with pgbouncer.running(database, "session") as url, PostgresJournal.open(url) as journal:
        with journal.lease("mystore") as first, journal.lease("mystore") as second:
            assert first is not None
            assert second is None
        assert journal.deliverers() == {}
