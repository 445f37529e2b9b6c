"""A journal on PostgreSQL behind a connection pooler."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Self
from unittest import mock

import psycopg
import pytest

from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalUnavailableError
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, PostgresReader, connections, parse_url
from vtex_tracking_ext.bulk.journal.postgres.locks import lock_number

from support import pgbouncer
from support.postgres import execute, until

if TYPE_CHECKING:
    from collections.abc import Iterator

needs_pgbouncer = pytest.mark.skipif(pgbouncer.PROGRAM is None, reason="PgBouncer is not installed")


class Session:
    """A fake connection: the process id that was told when it was opened, and those that the server tells in turn."""

    def __init__(self, told: int, *actual: int) -> None:
        self.info = mock.Mock(backend_pid=told)
        self.transaction: Any = nullcontext
        self._actual: Iterator[int] = iter(actual)

    def execute(self, _: str) -> list[tuple[int]]:
        """Return the process id of the session that executes the statement."""
        return [(next(self._actual),)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("own", "other"),
    [
        (Session(7, 7), Session(8)),
        (Session(1, 7, 7, 7, 7), Session(2, 8, 8, 8)),
    ],
)
def test_sessions_that_stay_the_same_are_accepted(own: Any, other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL itself tells the true process id; a pooler in session mode does not, but keeps the sessions apart."""
    monkeypatch.setattr(psycopg, "connect", lambda **_: other)
    connections._refuse_transaction_pooling(parse_url("postgresql://h/d"), own)


@pytest.mark.parametrize(
    ("own", "other"),
    [
        (Session(1, 7), Session(2, 7)),
        (Session(1, 7, 9), Session(2, 8)),
        (Session(1, 7, 7, 7), Session(2, 8, 8, 7)),
    ],
)
def test_sessions_that_change_are_refused(own: Any, other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pooler in transaction mode gives this session to another connection, or this connection another session."""
    monkeypatch.setattr(psycopg, "connect", lambda **_: other)
    with pytest.raises(JournalError, match=r"in transaction mode, .* set the pooler's pool_mode to session"):
        connections._refuse_transaction_pooling(parse_url("postgresql://h/d"), own)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("transaction blocks not allowed in statement pooling mode", JournalError),
        ("query_wait_timeout", psycopg.errors.ProtocolViolation),
    ],
)
def test_pooler_that_allows_no_transaction_is_refused(
    message: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statement mode is refused; another error of the pooler is raised."""
    own, other = Session(1, 7), Session(2)
    other.transaction = mock.Mock(side_effect=psycopg.errors.ProtocolViolation(message))
    monkeypatch.setattr(psycopg, "connect", lambda **_: other)
    with pytest.raises(error):
        connections._refuse_transaction_pooling(parse_url("postgresql://h/d"), own)  # type: ignore[arg-type]


def test_refused_journal_keeps_no_connection(journal_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connections that were opened for the check are closed."""
    monkeypatch.setattr(connections, "_process_id", lambda _: 7)
    monkeypatch.setattr(connections, "_refuse_transaction_pooling", lambda *_: None)
    with pytest.raises(JournalError, match="in transaction mode"):
        PostgresJournal.open(journal_url)
    name = journal_url.partition("&schema=")[2]
    lock = f"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = {lock_number('writing', name) & 0xFFFFFFFF}"
    until(lambda: not execute(journal_url, lock))


@needs_pgbouncer
@pytest.mark.parametrize(
    ("pool_mode", "settings"),
    [("transaction", {}), ("transaction", {"default_pool_size": 1}), ("statement", {})],
)
def test_shared_sessions_are_refused(database: str, pool_mode: str, settings: dict[str, int]) -> None:
    """A journal behind PgBouncer in transaction or statement mode cannot be opened; the error says what to do."""
    with pgbouncer.running(database, pool_mode, **settings) as url:
        for use in (PostgresJournal, PostgresReader):
            with pytest.raises(JournalError, match=r"in transaction mode, .* set the pooler's pool_mode to session"):
                use.open(url)


@needs_pgbouncer
def test_pooler_that_tells_true_process_ids_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal's own connections are checked, too, because the first one may not show that there is a pooler."""
    monkeypatch.setattr(connections, "_refuse_transaction_pooling", lambda *_: None)
    with pgbouncer.running(database, "transaction") as url:
        for use in (PostgresJournal, PostgresReader):
            with pytest.raises(JournalError, match=r"in transaction mode, .* set the pooler's pool_mode to session"):
                use.open(url)


@needs_pgbouncer
def test_pooler_with_a_single_session_is_reported(database: str) -> None:
    """A journal needs several sessions at a time; the error says that the pooler allows too few."""
    with (
        pgbouncer.running(database, "session", default_pool_size=1, query_wait_timeout=1) as url,
        pytest.raises(JournalUnavailableError, match=r"accepts no more connections; .* a pooler's default_pool_size"),
    ):
        PostgresJournal.open(url)


@needs_pgbouncer
def test_session_mode_is_accepted(database: str) -> None:
    """Behind PgBouncer in session mode, one of two leases is granted."""
    with pgbouncer.running(database, "session") as url, PostgresJournal.open(url) as journal:
        with journal.lease("mystore") as first, journal.lease("mystore") as second:
            assert first is not None
            assert second is None
        assert journal.deliverers() == {}
