"""Tests of several sessions that change one journal on PostgreSQL at the same time."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import psycopg
import pytest

from vtex_tracking_ext.bulk.delivery.deliver import AccountDelivery
from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.journal.interface import ALL, JournalError
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, PostgresReader, connections, schema
from vtex_tracking_ext.bulk.journal.postgres import journal as journal_module
from vtex_tracking_ext.bulk.journal.postgres.lease import PostgresLease
from vtex_tracking_ext.bulk.journal.postgres.locks import lock_number
from vtex_tracking_ext.bulk.journal.postgres.session import configuration

from support.journaled import START, Account, add, delivery, row, to_state, told
from support.postgres import execute, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Return a stack; what is entered into it is closed after the test."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def journal(journal_url: str, opened: ExitStack) -> PostgresJournal:
    """Return an empty journal."""
    return opened.enter_context(PostgresJournal.open(journal_url))


@pytest.fixture
def other(journal_url: str, journal: PostgresJournal, opened: ExitStack) -> PostgresJournal:  # noqa: ARG001 - exists
    """Return the same journal, opened once more."""
    return opened.enter_context(PostgresJournal.open(journal_url))


@pytest.fixture
def lease(journal: PostgresJournal, opened: ExitStack) -> PostgresLease:
    """Return the lease of ``mystore``, with the pending events a and b."""
    add(journal, row(1, "a"), row(2, "b"))
    lease = opened.enter_context(journal.lease("mystore"))
    assert isinstance(lease, PostgresLease)
    return lease


def run_in_threads(*works: Callable[[], Any]) -> list[Any]:
    """Run works at the same time, and return what each returned or raised."""
    results: list[Any] = [None] * len(works)
    start = threading.Barrier(len(works), timeout=30)

    def run(number: int, work: Callable[[], Any]) -> None:
        start.wait()
        try:
            results[number] = work()
        except JournalError as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@contextmanager
def meanwhile(url: str, *statements: str) -> Iterator[Callable[..., Any]]:
    """Change entries in a transaction that is not committed yet, and yield a function that runs a work meanwhile.

    The function begins the work, waits until it waits for the transaction, commits, and returns what the work returned
    or raised.
    """
    base, _, schema = url.partition("&schema=")
    with psycopg.connect(base, options=f"-c search_path={schema}") as connection:
        for statement in statements:
            connection.execute(statement)
        is_waiting = f"SELECT pid FROM pg_locks WHERE NOT granted AND pid <> {connection.info.backend_pid}"

        def run(work: Callable[[], Any]) -> Any:
            found: list[Any] = []
            thread = threading.Thread(target=lambda: found.extend(run_in_threads(work)))
            thread.start()
            until(lambda: execute(url, is_waiting))
            connection.commit()
            thread.join(30)
            return found[0]

        yield run


def test_rows_in_any_order_do_not_deadlock(journal: PostgresJournal, other: PostgresJournal) -> None:
    """The same rows are added in different orders, and retried, withdrawn and added again, all at the same time."""
    rows = [row(n, f"event {n}", invoice=str(n % 50)) for n in range(400)]
    found = run_in_threads(
        lambda: add(journal, *rows), lambda: add(other, *reversed(rows)), lambda: add(journal, *rows[200:], *rows[:200])
    )
    assert [len(statuses) for statuses in found] == [400] * 3
    assert sum(Counter(statuses)["new"] for statuses in found) == 400
    to_state(journal, range(1, 401), "refused")
    found = run_in_threads(
        lambda: journal.retry(ALL),
        lambda: add(other, *reversed(rows)),
        lambda: other.withdraw(ALL),
        lambda: journal.retry(ALL),
    )
    assert not [error for error in found if isinstance(error, JournalError)]
    assert len(list(journal.entries())) == 400


@pytest.mark.parametrize(
    "change",
    [
        lambda journal: add(journal, row(3, "a")),
        lambda journal: journal.retry(ALL),
        lambda journal: journal.withdraw(ALL),
        lambda journal: journal.prune(dt.timedelta(0)),
    ],
)
def test_one_session_at_a_time_changes_entries_of_several_accounts(
    journal_url: str, journal: PostgresJournal, change: Callable[[PostgresJournal], object]
) -> None:
    """A change waits for another session that adds rows; otherwise they could wait for each other's accounts."""
    add(journal, row(1, "a"), row(2, "b", account="other"))
    journal.withdraw(Selection(account="other"))
    number = lock_number("adding", journal.address.schema)
    with meanwhile(journal_url, f"SELECT pg_advisory_xact_lock({number})") as run:
        assert not isinstance(run(lambda: change(journal)), JournalError)


def test_entry_that_is_withdrawn_at_the_same_time_is_not_begun(journal_url: str, lease: PostgresLease) -> None:
    """Beginning waits for the other session, and leaves the withdrawn entry out."""
    with PostgresReader.open(journal_url) as reader:
        a, b = reader.entries()
        with meanwhile(journal_url, "UPDATE entries SET state = 'withdrawn' WHERE id = 1") as run:
            assert run(lambda: lease.begin([a, b])) == (b,)
        assert told(reader) == [(1, "a", "withdrawn"), (2, "b", "in_flight")]


def test_deadlock_is_resolved_by_beginning_again(journal: PostgresJournal, lease: PostgresLease) -> None:
    """A statement of the lease that PostgreSQL canceled to resolve a deadlock is executed again."""
    entries = tuple(journal.entries())
    execute, calls = lease._connection.execute, []

    def fail_once(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise psycopg.errors.DeadlockDetected("deadlock detected")
        return execute(*arguments)

    with mock.patch.object(lease._connection, "execute", fail_once):
        assert lease.begin(entries) == entries
    assert {entry.attempts for entry in journal.entries()} == {1}


def test_threads_that_share_a_transaction_begin_different_entries(
    journal: PostgresJournal, lease: PostgresLease
) -> None:
    """Of three threads that begin the same entries in one transaction, one gets them."""
    entries = tuple(journal.entries())
    begun: list[Any] = []
    with lease._lock:
        threads = [threading.Thread(target=lambda: begun.append(lease.begin(entries))) for _ in range(3)]
        for thread in threads:
            thread.start()
        until(lambda: len(lease._queue) == len(threads))
    for thread in threads:
        thread.join(30)
    assert sorted(begun, key=len) == [(), (), entries]
    assert {entry.attempts for entry in journal.entries()} == {1}


def test_date_of_a_delivery_that_is_begun_at_the_same_time_is_too_late(
    journal_url: str, journal: PostgresJournal
) -> None:
    """Adding a date waits for the other session, and then notes that the delivery was sent without it."""
    add(journal, delivery(1))
    with meanwhile(journal_url, "UPDATE entries SET state = 'in_flight' WHERE id = 1") as run:
        (added,) = run(lambda: list(journal.add([delivery(2, "2026-10-01", account="mystore")])))
    assert (added.status, "comes too late" in added.note) == ("known", True)
    assert told(journal) == [(1, "D None", "in_flight")]


def test_delivery_that_is_begun_at_the_same_time_is_not_taken_back(journal_url: str, journal: PostgresJournal) -> None:
    """A take-back that finds it pending, and then waits for the transaction that begins it, changes nothing."""
    add(journal, delivery(1, "2026-10-01"))
    back = row(2, "EST", account="mystore", takes_back=True)
    with meanwhile(journal_url, "UPDATE entries SET state = 'in_flight', attempts = 1 WHERE id = 1") as run:
        (added,) = run(lambda: list(journal.add([back])))
    assert "it may have been sent to VTEX" in added.note
    assert told(journal) == [(1, "D 2026-10-01", "in_flight"), (2, "EST", "pending")]


def test_second_of_two_first_openings_finds_the_tables(journal_url: str) -> None:
    """It waits until the first one has committed, and does not create the tables again."""
    url, _, name = journal_url.partition("&schema=")
    with psycopg.connect(url) as first, ThreadPoolExecutor(1) as pool:
        first.execute(*configuration(name))
        first.execute("SELECT pg_advisory_xact_lock(%s)", (lock_number("migrating", name),))
        second = pool.submit(PostgresJournal.open, journal_url)
        until(lambda: execute(url, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
        schema._create(name, first, None)
        first.commit()
        with second.result(30) as journal:
            assert add(journal, row(1, "a")) == ["new"]


def test_waiting_for_a_lease_ends_when_its_delivery_is_stopped(
    journal_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery that waits because its process holds as many leases as it may ends soon after it was stopped."""
    monkeypatch.setattr(journal_module, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(journal_module, "_LEASE_TIMEOUT", 0.01)
    with PostgresJournal.open(journal_url) as journal:
        add(journal, row(1, "a"), row(2, "b", account="other"))
        client: Any = Account("other")
        delivery = AccountDelivery(client, journal, "other", lambda _: None)
        with journal.lease("mystore") as lease, ThreadPoolExecutor(1) as pool:
            assert lease is not None
            running = pool.submit(delivery.run)
            until(lambda: execute(journal_url, "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_locks%'"))
            delivery.stop()
            running.result(30)
        assert client.sent == []
        AccountDelivery(client, journal, "other", lambda _: None).run()
        assert client.sent == ["b"]


def test_missing_connection_is_reported(journal_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If all connections of a journal stay in use for too long, the next use raises JournalError."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    with PostgresJournal.open(journal_url) as journal:
        monkeypatch.setattr(connections, "CONNECTION_TIMEOUT", 0.1)  # now, because opening can take longer
        with journal.connections.connection(), pytest.raises(JournalError, match="uses 1 connections, and had to wait"):
            journal.counts()
        monkeypatch.undo()
        assert journal.counts() == {}


def test_accounts_of_live_workers_are_served(journal_url: str, journal: PostgresJournal) -> None:
    """An account is served while its workers refreshed it lately and one of them lives."""
    for account in ("north", "south", "west"):
        add(journal, row(1, "a", account=account))
    schema = journal.address.schema
    update = f"UPDATE {schema}.accounts SET served_until = now() + {{}} * interval '1 minute' WHERE name = '{{}}'"
    execute(journal_url, update.format(2, "north"), update.format(-2, "south"))
    assert journal.served_accounts() == frozenset()
    with psycopg.connect(journal_url.partition("&schema=")[0], autocommit=True) as worker:
        worker.execute("SELECT pg_advisory_lock_shared(%s)", (lock_number("serving", schema),))
        assert journal.served_accounts() == {"north"}
    until(lambda: journal.served_accounts() == frozenset())


def test_many_entries_are_read_in_little_memory(journal_url: str, journal: PostgresJournal) -> None:
    """Reading 20,000 entries takes as little memory as a few pages."""
    code = (
        "import sys, tracemalloc\nfrom vtex_tracking_ext.bulk.journal.postgres import PostgresReader\n"
        "with PostgresReader.open(sys.argv[1]) as journal:\n"
        "    next(journal.entries())\n    tracemalloc.start()\n"
        "    print(sum(1 for _ in journal.entries()), tracemalloc.get_traced_memory()[1])"
    )
    rows = (row(n, f"event {n}", invoice=str(n // 5), account="mystore") for n in range(20_000))
    assert Counter(added.status for added in journal.add(rows)) == {"new": 20_000}
    done = subprocess.run([sys.executable, "-c", code, journal_url], check=True, capture_output=True, text=True)
    number, peak = map(int, done.stdout.split())
    assert number == 20_000
    assert peak < 5_000_000


def test_times_are_the_servers(journal: PostgresJournal) -> None:
    """Without a clock all times are the server's, because the clocks of machines differ."""
    add(journal, row(1, "a"))
    to_state(journal, 1, "applied")
    (entry,) = journal.entries()
    record = journal.account("mystore")
    with journal.connections.connection() as connection:
        ((now,),) = connection.execute("SELECT clock_timestamp()")
    assert None not in {record, entry.begun, entry.settled, record and record.delivers_since}
    assert record is not None
    assert entry.begun is not None
    assert entry.settled is not None
    assert START < journal.meta().created < entry.added < entry.begun < entry.settled < record.now < now
    assert journal.prune(dt.timedelta(0)) == 1


def test_texts_that_postgresql_cannot_store_are_stored(journal: PostgresJournal) -> None:
    """NUL and lone surrogates are read as they were written, and no two texts become the same."""
    names = ["a\x00b\ud800", "a\x1a0000b\ud800", "a\x1ab"]
    rows = [row(1, name, order_id=name, account=name) for name in names]
    assert add(journal, *rows) == ["new"] * 3
    assert add(journal, *rows) == ["known"] * 3
    entries = list(journal.entries())
    assert [entry.package.account for entry in entries] == names
    assert [entry.event and entry.event.description for entry in entries] == names
    assert [e.id for e in journal.entries(Selection(account=names[1]))] == [2]
    assert [e.id for e in journal.entries(Selection(package=entries[0].package))] == [1]
    by_bytes = sorted(names, key=lambda name: name.encode("utf-8", "surrogatepass"))
    assert list(journal.counts()) == list(journal.accounts()) == by_bytes
    for name, entry in zip(names, entries, strict=True):
        assert list(journal.backlog(name)) == [(entry,)]
        with journal.lease(name) as lease:
            assert lease is not None
            assert lease.begin([entry]) == (entry,)
            assert list(journal.deliverers()) == [name]
