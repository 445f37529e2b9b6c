"""Many write to one journal on PostgreSQL at once: threads, and processes of other machines as it were."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from vtex_tracking_ext.bulk.delivery.deliver import AccountDelivery, DeliveryOptions
from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.journal.interface import JournalError, WrongStateError
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, PostgresReader, connections

from support.journaled import START, Account, Clock, delivery, package, row, told
from support.postgres import execute, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Opens the journal that it is given, and does what it is told line by line; says what came of it.
PROGRAM = """
import sys
from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.journal.entries import PackageKey
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
from vtex_tracking_ext.bulk.input.rows import Place, Row

def row(n):
    event = TrackingEvent("2026-10-01", f"event {n}", "", "")
    return Row(Place("f.csv", n), "", "o-01", str(n % 700), event, is_delivered=False, delivered_date=None)

journal = PostgresJournal.open(sys.argv[1])
held = []
for line in sys.stdin:
    match line.split():
        case ["add", number]:
            verdicts = [added.status for added in journal.add([row(n) for n in range(int(number))], "mystore")]
            print(verdicts.count("new"), verdicts.count("known"), flush=True)
        case ["hold", invoice]:
            held.append(journal.try_lock(PackageKey("mystore", "o-01", invoice)))
            print(held[-1].__enter__(), flush=True)
        case ["begin", id_]:
            print(journal.mark_in_flight([int(id_)])[0].state, flush=True)
"""


class Other:
    """Another process that has the journal open."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-c", PROGRAM, url]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, line: str) -> None:
        """Have it do something."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def said(self) -> str:
        """Return what came of it."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """End it as no program can prevent."""
        self.process.kill()
        self.process.communicate()


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
def other(journal_url: str, journal: PostgresJournal, opened: ExitStack) -> PostgresJournal:  # noqa: ARG001 - it is there
    """Return the same journal, opened once more."""
    return opened.enter_context(PostgresJournal.open(journal_url))


@pytest.fixture
def processes(journal_url: str, journal: PostgresJournal) -> Iterator[Callable[[], Other]]:  # noqa: ARG001 - it is there
    """Return what starts other processes; they are ended with the test."""
    started: list[Other] = []

    def start() -> Other:
        started.append(Other(journal_url))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def run_in_threads(*works: Callable[[], Any]) -> list[Any]:
    """Do works at once, and return what each returned or raised."""
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
def meanwhile(url: str, *statements: str) -> Iterator[Callable[[Callable[[], Any]], list[Any]]]:
    """Change a journal in a transaction that is open; give what lets a work run into it, and then commits."""
    schema = url.partition("&schema=")[2]
    with psycopg.connect(url.partition("&schema=")[0]) as connection:
        connection.execute(f"SET search_path TO {schema}")
        for statement in statements:
            connection.execute(statement)
        found: list[Any] = []

        def let(work: Callable[[], Any]) -> list[Any]:
            thread = threading.Thread(target=lambda: found.extend(run_in_threads(work)))
            thread.start()
            until(
                lambda: execute(
                    url, f"SELECT pid FROM pg_locks WHERE NOT granted AND pid <> {connection.info.backend_pid}"
                )
            )
            connection.commit()
            thread.join(30)
            return found

        yield let


def add(journal: PostgresJournal, *rows: Any) -> list[str]:
    """Add rows and return what each meant."""
    return [added.status for added in journal.add(rows, "mystore")]


def test_the_same_rows_at_once_come_once(journal: PostgresJournal, processes: Callable[[], Other]) -> None:
    """Pushed by four processes; every row is new to one of them."""
    others = [processes() for _ in range(4)]
    for other in others:
        other.tell("add 2500")
    said = [tuple(map(int, other.said().split())) for other in others]
    assert sum(new for new, _ in said) == 2500
    assert {new + known for new, known in said} == {2500}
    texts = Counter(text for _, text, _ in told(journal))
    assert texts == Counter(f"event {n}" for n in range(2500))
    assert len(list(journal.open_packages())) == 700


def test_rows_in_any_order_do_not_wait_in_a_circle(journal: PostgresJournal, other: PostgresJournal) -> None:
    """Added, and at the same time begun, refused, and pushed again."""
    rows = [row(n, f"event {n}", invoice=str(n % 50)) for n in range(400)]
    found = run_in_threads(
        lambda: add(journal, *rows), lambda: add(other, *reversed(rows)), lambda: add(journal, *rows[200:], *rows[:200])
    )
    assert [Counter(verdicts).total() for verdicts in found] == [400, 400, 400]
    assert sum(Counter(verdicts)["new"] for verdicts in found) == 400
    journal.mark_in_flight(range(1, 401))
    journal.record_outcome(range(1, 401), "refused")
    found = run_in_threads(
        lambda: journal.retry(Selection()),
        lambda: add(other, *reversed(rows)),
        lambda: other.withdraw(Selection(), "x"),
        lambda: journal.retry(Selection()),
    )
    assert not [error for error in found if isinstance(error, JournalError)]
    assert len(list(journal.entries())) == 400


def test_of_two_who_begin_one_wins(journal_url: str, journal: PostgresJournal) -> None:
    """The other one waits for it, and is told."""
    add(journal, row(1, "a"), row(2, "b"))
    with meanwhile(journal_url, "UPDATE entries SET state = 'in_flight' WHERE id = 1") as let:
        (error,) = let(lambda: journal.mark_in_flight([1, 2]))
    assert isinstance(error, WrongStateError)
    assert str(error) == f"The journal {journal.name}: entry 1 is in_flight, where pending was expected."
    assert told(journal) == [(1, "a", "in_flight"), (2, "b", "pending")]


def test_what_has_become_right_meanwhile_is_done(journal_url: str, journal: PostgresJournal) -> None:
    """What a statement that began earlier could not see is looked at again, rather than told as wrong."""
    add(journal, row(1, "a"), row(2, "b"))
    to_begin = "UPDATE entries SET state = 'refused' WHERE id = 2"
    execute(journal_url, _in(journal_url, to_begin))
    touch, wake = "UPDATE entries SET line = line WHERE id = 1", "UPDATE entries SET state = {} WHERE id = 2"
    with meanwhile(journal_url, touch, wake.format("'pending'")) as let:
        (begun,) = let(lambda: journal.mark_in_flight([1, 2]))
    assert [entry.attempts for entry in begun] == [1, 1]
    execute(journal_url, _in(journal_url, wake.format("'unknown'")))
    with meanwhile(journal_url, touch, wake.format("'in_flight'")) as let:
        assert let(lambda: journal.record_outcome([1, 2], "applied")) == [None]
    assert journal.counts() == {"mystore": {"applied": 2}}


def test_a_date_that_comes_while_the_delivery_leaves_comes_too_late(journal_url: str, journal: PostgresJournal) -> None:
    """What is to be renewed is looked at again once nobody else can change it."""
    add(journal, delivery(1))
    with meanwhile(journal_url, "UPDATE entries SET state = 'in_flight' WHERE id = 1") as let:
        ((added,),) = let(lambda: list(journal.add([delivery(2, "2026-10-01")], "mystore")))
    assert (added.status, "comes too late" in added.note) == ("known", True)
    assert told(journal) == [(1, "D None", "in_flight")]


def test_a_package_is_held_by_one(journal: PostgresJournal, other: PostgresJournal) -> None:
    """In this thread or another, in this journal or another; other packages are free."""
    with journal.try_lock(package()) as mine:
        assert mine
        with other.try_lock(package()) as theirs, other.try_lock(package("2")) as another:
            assert (theirs, another) == (False, True)
            assert run_in_threads(lambda: _held(journal, "1"), lambda: _held(journal, "2")) == [False, False]
        with journal.try_lock(package("2")) as both:
            assert both
            assert not _held(other, "2")
        assert _held(other, "2")
        assert not _held(other, "1")
    assert _held(other, "1")


def test_a_holder_uses_one_connection_for_all(journal: PostgresJournal, other: PostgresJournal) -> None:
    """So it fails where that is lost; others can hold the package, and the journal itself goes on."""
    add(journal, row(1, "a"), row(2, "b"))
    with journal.try_lock(package()), journal.connections.connection() as connection:
        journal.mark_in_flight([1])
        with other.connections.connection() as another:
            another.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        for use in (
            lambda: journal.mark_in_flight([2]),
            lambda: journal.record_outcome([1], "applied"),
            journal.counts,
        ):
            with pytest.raises(JournalError, match=r"ended the connection|cannot be used"):
                use()
        until(lambda: _held(other, "1"))
        assert run_in_threads(journal.counts) == [{"mystore": {"in_flight": 1, "pending": 1}}]
    assert _held(journal, "1")
    journal.record_outcome([1], "unknown")
    assert told(journal) == [(1, "a", "unknown"), (2, "b", "pending")]


def test_a_killed_worker_lets_go(journal: PostgresJournal, processes: Callable[[], Other]) -> None:
    """At once; what it had begun stays in flight."""
    add(journal, row(1, "a"))
    other = processes()
    other.tell("hold 1")
    assert other.said() == "True"
    other.tell("begin 1")
    assert other.said() == "in_flight"
    assert not _held(journal, "1")
    assert f"process {other.process.pid} on " in journal.active_writers()
    other.kill()
    until(lambda: _held(journal, "1"))
    until(lambda: f"process {other.process.pid} on " not in journal.active_writers())
    assert told(journal) == [(1, "a", "in_flight")]


def test_who_is_at_work_is_told(journal_url: str, journal: PostgresJournal) -> None:
    """Writers alone, and of this journal alone."""
    with PostgresReader.open(journal_url) as reader, PostgresReader.open(journal_url):
        assert reader.active_writers().startswith("vtex-tracking, process ")
        journal.close()
        with PostgresJournal.open(f"{journal_url}_b"):
            until(lambda: not reader.active_writers())
    execute(journal_url, f"DROP SCHEMA {journal_url.partition('&schema=')[2]}_b CASCADE")


def test_a_withdrawal_during_a_push_is_heeded(journal: PostgresJournal, other: PostgresJournal) -> None:
    """What is withdrawn after it was read is not sent; the rest of the package is."""
    add(journal, *[row(n, text) for n, text in enumerate("abcd", 1)])
    account: Any = Account()

    def withdraw(_: Any) -> None:
        other.withdraw(Selection(ids=(3, 4) if len(account.sent) == 2 else (2,)), "sent by mistake")

    account.answers(withdraw, withdraw)
    options = DeliveryOptions(concurrency=1, events_per_call=1, recheck_delays=())
    AccountDelivery(
        account, journal, "mystore", Pace(rate=1e6, initial_rate=1e6), lambda _: None, options, Clock()
    ).run()
    assert account.sent == ["a", "c"]
    states = [state for _, _, state in told(journal)]
    assert states == ["applied", "refused", "applied", "refused"]


def test_two_pushes_at_once_send_each_event_once(journal: PostgresJournal, other: PostgresJournal) -> None:
    """Each takes the packages that the other one does not have."""
    add(journal, *[row(n, f"event {n}", invoice=str(n % 40)) for n in range(120)])
    account: Any = Account()
    runs = [
        AccountDelivery(
            account,
            one,
            "mystore",
            Pace(rate=1e6, initial_rate=1e6),
            lambda _: None,
            DeliveryOptions(4, 1, recheck_delays=()),
            Clock(),
        )
        for one in (journal, other)
    ]
    assert run_in_threads(*[run.run for run in runs]) == [None, None]
    assert Counter(account.sent) == Counter(f"event {n}" for n in range(120))
    for events in account.applied.values():
        assert events == sorted(events, key=lambda text: int(text.split()[1]))
    assert journal.counts() == {"mystore": {"applied": 120}}


def test_too_many_at_once_are_told(journal_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than waiting for ever."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    monkeypatch.setattr(connections, "CONNECTION_TIMEOUT", 0.1)
    with PostgresJournal.open(journal_url) as journal, journal.try_lock(package()):
        (error,) = run_in_threads(journal.counts)
        assert "uses 1 connections and waits for another one; use a lower --concurrency" in str(error)
        assert journal.counts() == {}


def test_many_entries_are_read_in_little_memory(journal_url: str, journal: PostgresJournal) -> None:
    """Page by page, 50,000 of them."""
    code = (
        "import sys, tracemalloc\nfrom vtex_tracking_ext.bulk.journal.postgres import PostgresReader\n"
        "with PostgresReader.open(sys.argv[1]) as journal:\n"
        "    next(journal.entries())\n    tracemalloc.start()\n"
        "    print(sum(1 for _ in journal.entries()), tracemalloc.get_traced_memory()[1])"
    )
    assert Counter(journal_added.status for journal_added in journal.add(_many(50_000), "mystore")) == {"new": 50_000}
    done = subprocess.run([sys.executable, "-c", code, journal_url], check=True, capture_output=True, text=True)
    number, peak = map(int, done.stdout.split())
    assert number == 50_000
    assert peak < 5_000_000


def test_times_are_the_servers(journal: PostgresJournal) -> None:
    """Unless a clock is handed in: machines' clocks differ."""
    add(journal, row(1, "a"))
    journal.mark_in_flight([1])
    journal.record_outcome([1], "applied")
    (entry,) = journal.entries()
    with journal.connections.connection() as connection:
        ((now,),) = connection.execute("SELECT clock_timestamp()")
    assert entry.begun is not None
    assert entry.settled is not None
    assert START < journal.meta().created < entry.added < entry.begun < entry.settled < now


def test_texts_that_postgresql_cannot_keep_are_kept(journal: PostgresJournal) -> None:
    """Nothing is lost, and no two become one."""
    names = ["a\x00b\ud800", "a\x1a0000b\ud800", "a\x1ab"]
    rows = [row(1, name, order_id=name, account=name) for name in names]
    assert add(journal, *rows) == ["new"] * 3
    assert add(journal, *rows) == ["known"] * 3
    entries = list(journal.entries())
    assert [entry.package.account for entry in entries] == names
    assert [entry.event and entry.event.description for entry in entries] == names
    assert [e.id for e in journal.entries(Selection(account=names[1]))] == [2]
    assert [e.id for e in journal.entries(Selection(package=entries[0].package))] == [1]
    assert list(journal.counts()) == sorted(names, key=lambda name: name.encode("utf-8", "surrogatepass"))
    assert list(journal.open_packages(names[2])) == [entries[2].package]
    with journal.try_lock(entries[0].package) as is_mine:
        assert is_mine


def test_a_number_that_no_entry_can_have_is_not_there(journal: PostgresJournal) -> None:
    """Rather than an error of the database."""
    assert list(journal.entries(Selection(ids=(2**70,)))) == []


def _in(url: str, statement: str) -> str:
    return statement.replace("entries", f"{url.partition('&schema=')[2]}.entries")


def _held(journal: PostgresJournal, invoice: str) -> bool:
    with journal.try_lock(package(invoice)) as is_mine:
        return is_mine


def _many(number: int) -> Iterator[Any]:
    for n in range(number):
        yield row(n, f"event {n}", invoice=str(n // 5))
