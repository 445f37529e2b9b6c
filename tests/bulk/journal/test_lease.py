"""Tests of the lease of an account: who has it, and what it records."""

from __future__ import annotations

import datetime as dt
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.journal.entries import STATES, AccountUpdate, Outcome, Selection, State
from vtex_tracking_ext.bulk.journal.interface import Journal, JournalError, process_name
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, connections
from vtex_tracking_ext.bulk.journal.postgres import journal as postgres_journal
from vtex_tracking_ext.bulk.journal.postgres.lease import PostgresLease
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

from support.journaled import START, Clock, add, delivery, row, told
from support.postgres import execute, until
from support.processes import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import ExitStack
    from pathlib import Path

    from vtex_tracking_ext.bulk.journal.interface import Lease

    from .conftest import Store

SECOND = dt.timedelta(seconds=1)
RECEIPT = "f67d33a8029c42ce9a8f07fc17f54449"

#: Takes the lease of an account, begins one entry and defers its outcome; then waits for its input to end.
HOLDER = """
import sys
from vtex_tracking_ext.bulk.journal.opening import open_journal

with open_journal(sys.argv[1]) as journal, journal.lease("mystore") as lease:
    (entry,) = lease.begin(list(journal.entries())[:1])
    lease.settle([entry], "applied", is_deferred=True)
    print(journal.deliverers()["mystore"], flush=True)
    sys.stdin.read()
"""

#: Takes the lease of an account, and forks a child that outlives it.
FORKING_HOLDER = """
import os, signal, sys
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

with SqliteJournal.open(sys.argv[1]) as journal, journal.lease("mystore") as lease:
    child = os.fork()
    if child:
        print(child, flush=True)
    signal.pause()
"""


@pytest.fixture
def lease(journal: Journal, opened: ExitStack) -> Lease:
    """Return the lease of ``mystore``, whose entries are the events a, b and c of one package."""
    add(journal, row(2, "a"), row(3, "b"), row(4, "c"))
    lease = opened.enter_context(journal.lease("MyStore"))
    assert lease is not None
    return lease


def is_free(journal: Journal, account: str = "mystore") -> bool:
    """Return whether a lease can be taken."""
    with journal.lease(account) as lease:
        return lease is not None


def in_threads(number: int, work: Callable[[], object]) -> None:
    """Run work in several threads at once."""
    start = threading.Barrier(number, timeout=30)

    def run() -> None:
        start.wait()
        work()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


class TestTaking:
    """One at a time has the lease of an account."""

    def test_a_lease_that_is_taken_is_not_given_again(self, store: Store) -> None:
        """Neither the same journal nor another one gets it, in any thread; other accounts are free."""
        journal, other = store.open(), store.open()
        for _ in range(2):
            with journal.lease("mystore") as lease:
                assert lease is not None
                assert lease.account == "mystore"
                takers = [(each, name) for each in (journal, other) for name in ("mystore", "MYSTORE")]
                assert [is_free(*taker) for taker in takers] == [False] * 4
                free: list[bool] = []
                in_threads(1, lambda free=free: free.append(is_free(other)))  # type: ignore[misc]
                assert free == [False]
                assert is_free(other, "north")
                assert other.deliverers() == {"mystore": process_name()}
            assert other.deliverers() == {}

    def test_of_many_threads_one_gets_the_lease(self, journal: Journal) -> None:
        """Of eight threads that ask at the same time, and keep what they get, one has it."""
        got: list[bool] = []
        asked = threading.Barrier(8, timeout=30)

        def take() -> None:
            with journal.lease("mystore") as lease:
                got.append(lease is not None)
                asked.wait()

        in_threads(8, take)
        assert sorted(got) == [False] * 7 + [True]

    def test_a_killed_process_loses_its_lease(self, store: Store) -> None:
        """The lease is free at once. What was begun stays in flight, also where its outcome was deferred."""
        journal = store.open()
        add(journal, row(1, "a"), row(2, "b"))
        with Program(HOLDER, store.location) as holder:
            assert holder.read_line().startswith(f"process {holder.pid} on ")
            assert not is_free(journal)
            assert journal.deliverers()["mystore"].startswith(f"process {holder.pid} on ")
            holder.kill()
            until(lambda: is_free(journal))
        assert journal.deliverers() == {}
        assert told(journal) == [(1, "a", "in_flight"), (2, "b", "pending")]

    def test_a_lease_says_what_is_known_of_the_account(self, store: Store, clock: Clock) -> None:
        """Who delivers since when is recorded when the lease is taken, and kept afterwards."""
        journal = store.open()
        add(journal, row(1, "a"))
        clock.now += SECOND
        with journal.lease("mystore") as lease:
            assert lease is not None
            record = lease.record
        assert (record.account, record.revision, record.now) == ("mystore", 1, START + SECOND)
        assert (record.deliverer, record.delivers_since) == (process_name(), START + SECOND)
        assert journal.account("mystore") == record

    def test_a_lease_of_an_account_without_entries_can_be_taken(self, journal: Journal) -> None:
        """Its revision is 0, and nothing is to be done."""
        with journal.lease("mystore") as lease:
            assert lease is not None
            assert lease.record.revision == 0
            assert lease.begin([]) == ()
            lease.settle([], "applied")
            lease.flush()
        assert journal.counts() == {}


class TestBegin:
    """Entries are in flight before they are sent."""

    def test_beginning_counts_attempts_and_stores_the_time(self, journal: Journal, lease: Lease, clock: Clock) -> None:
        """Begun entries are returned as they were read, in the given order; the others stay pending."""
        a, b, c = journal.entries()
        clock.now += SECOND
        assert lease.begin([b, a]) == (b, a)
        changes: dict[str, Any] = {"state": "in_flight", "attempts": 1, "begun": START + SECOND}
        assert list(journal.entries()) == [evolve(a, **changes), evolve(b, **changes), c]
        lease.settle([a], "pending", status_code=429, reason="over its limit")
        clock.now += SECOND
        assert lease.begin([a]) == (a,)
        again = next(journal.entries())
        assert (again.attempts, again.begun) == (2, START + 2 * SECOND)

    @pytest.mark.parametrize("state", [state for state in STATES if state != "pending"])
    def test_only_pending_entries_are_begun(self, journal: Journal, lease: Lease, state: State) -> None:
        """An entry that is not pending any more is left out; the others of the call are begun."""
        a, b, _ = journal.entries()
        if state == "withdrawn":
            journal.withdraw(Selection(ids=(2,)))
        else:
            lease.begin([b])
            if state != "in_flight":
                lease.settle([b], state)
        assert lease.begin([a, b]) == (a,)
        assert told(journal) == [(1, "a", "in_flight"), (2, "b", state), (3, "c", "pending")]

    def test_entries_that_were_changed_are_not_begun(self, journal: Journal, lease: Lease) -> None:
        """An entry whose date or text was replaced since it was read is left out, and begun after it is read again."""
        add(journal, delivery(5))
        *_, c, delivered = journal.entries()
        lease.begin([c])
        lease.settle([c], "refused")
        written = TrackingEvent("2026-10-01", "c", "Sa\u0303o Paulo", "SP")
        assert add(journal, row(6, event=written), delivery(7, "2026-10-01")) == ["renewed", "renewed"]
        assert lease.begin([c, delivered]) == ()
        *_, c, delivered = journal.entries()
        assert lease.begin([c, delivered]) == (c, delivered)

    def test_of_many_threads_one_begins_an_entry(self, journal: Journal, lease: Lease) -> None:
        """Of sixteen threads that begin the same entries, one gets each, also where they share a transaction."""
        entries = list(journal.entries())
        begun: list[int] = []
        in_threads(16, lambda: begun.extend(entry.id for entry in lease.begin(entries)))
        assert sorted(begun) == [1, 2, 3]
        assert {entry.attempts for entry in journal.entries()} == {1}

    def test_begun_entries_are_committed(self, store: Store) -> None:
        """Another connection sees that an entry is in flight when ``begin`` returns."""
        journal = store.open()
        add(journal, row(2, "a"))
        reader = store.read()
        with journal.lease("mystore") as lease:
            assert lease is not None
            lease.begin([*journal.entries()])
            assert told(reader) == [(1, "a", "in_flight")]


class TestSettle:
    """Outcomes of entries that were sent."""

    @pytest.mark.parametrize("state", ["applied", "refused", "unknown"])
    def test_outcome_is_stored(self, journal: Journal, lease: Lease, clock: Clock, state: Outcome) -> None:
        """Status, receipt, reason and time are stored for all entries of the call."""
        begun = lease.begin([*journal.entries()])
        before = list(journal.entries())
        clock.now += SECOND
        lease.settle(begun, state, status_code=200, receipt=RECEIPT, reason="why")
        changes: dict[str, Any] = {"status_code": 200, "receipt": RECEIPT, "reason": "why"}
        assert list(journal.entries()) == [
            evolve(entry, state=state, settled=START + SECOND, **changes) for entry in before
        ]

    def test_entries_that_were_not_sent_are_pending_again(self, journal: Journal, lease: Lease) -> None:
        """They have the reason, and no time of settling."""
        begun = lease.begin([*journal.entries()])
        before = list(journal.entries())
        lease.settle(begun, "pending", reason="no connection")
        assert list(journal.entries()) == [evolve(e, state="pending", reason="no connection") for e in before]

    def test_unknown_outcome_can_become_known(self, journal: Journal, lease: Lease) -> None:
        """An unknown entry can be settled as applied, or as pending to be sent again."""
        a, b, _ = journal.entries()
        lease.begin([a, b])
        lease.settle([a, b], "unknown", reason="cut")
        lease.settle([a], "applied", reason="found")
        lease.settle([b], "pending", reason="not shown")
        assert [(e.state, e.reason) for e in journal.entries()] == [
            ("applied", "found"),
            ("pending", "not shown"),
            ("pending", ""),
        ]

    def test_entries_that_a_person_resolved_stay(self, journal: Journal, lease: Lease) -> None:
        """A late outcome changes no entry that is not in flight or unknown any more."""
        a, b, c = lease.begin([*journal.entries()])
        lease.settle([a, b], "unknown")
        journal.resolve(Selection(ids=(1,)), "applied", "found by hand")
        journal.resolve(Selection(ids=(2,)), "pending")
        lease.settle([a, b, c], "refused", reason="late")
        assert [(e.state, e.reason) for e in journal.entries()] == [
            ("applied", "found by hand"),
            ("pending", ""),
            ("refused", "late"),
        ]

    @pytest.mark.parametrize(
        "record",
        [
            lambda lease, _a, b: lease.begin([b]),
            lambda lease, _a, b: lease.settle([b], "applied"),
            lambda lease, _a, _b: lease.flush(),
        ],
    )
    def test_deferred_outcomes_are_recorded_by_the_next_change(
        self, journal: Journal, lease: Lease, record: Callable[[Lease, Any, Any], object]
    ) -> None:
        """The entries are in flight until ``begin``, ``settle`` or ``flush`` is called."""
        a, b, c = journal.entries()
        lease.begin([a, c])
        lease.settle([a], "applied", receipt=RECEIPT, is_deferred=True)
        lease.settle([c], "refused", status_code=400, is_deferred=True)
        assert told(journal)[0] == (1, "a", "in_flight")
        record(lease, a, b)
        outcomes = [(e.state, e.receipt, e.status_code) for e in (*journal.entries(Selection(ids=(1, 3))),)]
        assert outcomes == [("applied", RECEIPT, None), ("refused", None, 400)]

    def test_texts_of_a_server_can_always_be_stored(self, journal: Journal, lease: Lease) -> None:
        """Long texts are cut, and control characters and surrogates are escaped."""
        lease.begin([*journal.entries()])
        text = "\x1b[31m\n\ud800\x00" * 1000
        lease.settle([*journal.entries()], "applied", receipt="\ud800" * 1000, reason=text)
        entry = next(journal.entries())
        assert entry.receipt is not None
        assert len(entry.receipt) < 1000
        assert len(entry.reason) < 10_000
        assert entry.reason.startswith(r"\x1b[31m\n\ud800\x00")


class TestAccountRecord:
    """What a deliverer learned about an account."""

    def test_everything_that_was_learned_is_stored(self, journal: Journal, lease: Lease, clock: Clock) -> None:
        """The next deliverer reads why and since when the account is stopped, until when it is quiet, and the pace."""
        clock.now += SECOND
        lease.update_account(AccountUpdate("forbidden", 60.5, "429", has_applied=True, resend_after=1800.0, pace="{}"))
        clock.now += SECOND
        record = journal.account("mystore")
        assert record == evolve(
            lease.record,
            now=START + 2 * SECOND,
            stopped=START + SECOND,
            stopped_reason="forbidden",
            quiet_until=START + dt.timedelta(seconds=61.5),
            quiet_reason="429",
            last_applied=START + SECOND,
            resend_after=1800.0,
            pace="{}",
        )
        assert record is not None
        assert record.quiet_seconds == 59.5
        clock.now += 60 * SECOND
        record = journal.account("mystore")
        assert record is not None
        assert record.quiet_seconds == 0.0

    def test_time_of_the_stop_stays_while_the_reason_is_the_same(
        self, journal: Journal, lease: Lease, clock: Clock
    ) -> None:
        """Another reason has its own time; an update without a reason clears both, and keeps ``last_applied``."""

        def stopped(update: AccountUpdate) -> tuple[dt.datetime | None, str]:
            lease.update_account(update)
            clock.now += SECOND
            record = journal.account("mystore")
            assert record is not None
            assert record.last_applied == START
            assert (record.quiet_until, record.quiet_reason) == (None, "")
            return record.stopped, record.stopped_reason

        assert stopped(AccountUpdate("a", has_applied=True)) == (START, "a")
        assert stopped(AccountUpdate("a")) == (START, "a")
        assert stopped(AccountUpdate("b")) == (START + 2 * SECOND, "b")
        assert stopped(AccountUpdate()) == (None, "")


@pytest.fixture
def server_journal(journal_url: str) -> Iterator[PostgresJournal]:
    """Return a journal on PostgreSQL with the pending events a and b."""
    with PostgresJournal.open(journal_url) as journal:
        add(journal, row(1, "a"), row(2, "b"))
        yield journal


def test_nothing_is_begun_once_the_session_is_lost(server_journal: PostgresJournal, journal_url: str) -> None:
    """When the session of a lease was ended, ``begin`` and ``settle`` raise, and another one can take the lease."""
    a, b = server_journal.entries()
    with PostgresJournal.open(journal_url) as other, server_journal.lease("mystore") as lease:
        assert lease is not None
        lease.begin([a])
        assert isinstance(lease, PostgresLease)
        session = lease._connection.info.backend_pid
        execute(journal_url, f"SELECT pg_terminate_backend({session}, 10000)")
        for use in (
            lambda: lease.begin([b]),
            lambda: lease.settle([a], "applied"),
            lambda: lease.update_account(AccountUpdate()),
        ):
            with pytest.raises(JournalError, match=r"ended the connection|cannot be used"):
                use()
        assert is_free(other)
        assert told(other) == [(1, "a", "in_flight"), (2, "b", "pending")]
    assert is_free(server_journal)


def test_leases_leave_connections_for_other_use(journal_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many threads want a lease, half of the connections are left: who has a lease needs them, too."""
    for module in (connections, postgres_journal):
        monkeypatch.setattr(module, "MAX_CONNECTIONS", 4)
    monkeypatch.setattr(connections, "CONNECTION_TIMEOUT", 3.0)
    names = iter(range(8))
    with PostgresJournal.open(journal_url) as journal:

        def deliver() -> None:
            account = f"store{next(names)}"
            with journal.lease(account) as lease:
                assert lease is not None
                held.wait(0.05)
                assert journal.revision(account) == 0

        held = threading.Event()
        in_threads(8, deliver)
        assert len(journal.accounts()) == 8


def test_nothing_is_begun_after_the_lock_file_was_deleted(tmp_path: Path) -> None:
    """Another process can lock a new file of that name, so the lease is lost."""
    with SqliteJournal.open(tmp_path / "journal.db") as journal:
        add(journal, row(1, "a"))
        with journal.lease("mystore") as lease:
            assert lease is not None
            (tmp_path / "journal.db-lease-1").unlink()
            assert is_free(journal)
            with pytest.raises(JournalError, match=r"journal\.db-lease-1 was moved or deleted during the run"):
                lease.begin([*journal.entries()])
        assert told(journal) == [(1, "a", "pending")]


def test_forked_child_does_not_keep_a_lease(tmp_path: Path) -> None:
    """The lease of a journal in a file is free once its process has ended, although a forked child lives on."""
    path = tmp_path / "journal.db"
    with SqliteJournal.open(path) as journal, Program(FORKING_HOLDER, path) as holder:
        child = int(holder.read_line())
        try:
            assert not is_free(journal)
            holder.kill()
            assert is_free(journal)
        finally:
            os.kill(child, signal.SIGKILL)
