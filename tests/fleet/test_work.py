"""What a worker does for an account, and when it continues; VTEX is replaced by a fake client."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import ConfigurationError, OutcomeUnknownError
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.fleet.work import Work

from support.fleets import PATIENCE, ResultRecorder, clear_tasks, execute, fill, move, package, states, stored_tasks
from support.journaled import Account, delivery, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vtex_tracking_ext import TrackingUpdate
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal

UNKNOWN = OutcomeUnknownError("no answer")


class Bench:
    """A worker's work, its account and its journal."""

    def __init__(self, journal: PostgresJournal) -> None:
        self.journal = journal
        self.account = Account()
        self.seen = ResultRecorder()
        self.made: list[Work] = []

    def work(self, client_of: Callable[[str], Any] | None = None, **options: Any) -> Work:
        """Return the work of a worker."""
        given: Callable[[str], Any] = client_of or (lambda _: self.account)
        chosen = DeliveryOptions(**{"concurrency": 4, "slice_seconds": 30.0, **options})
        work = Work(self.journal, given, 200.0, {"mystore": chosen}, self.seen, chosen.concurrency)
        self.made.append(work)
        return self.made[-1]

    def deliver(self, work: Work | None = None) -> None:
        """Start the account's task, as Procrastinate does, deliver, and end the task."""
        execute(self.journal, "UPDATE procrastinate_jobs SET status = 'doing'")
        (work or self.work()).start("mystore").result(PATIENCE)
        execute(self.journal, "DELETE FROM procrastinate_jobs WHERE status = 'doing'")

    def delay(self) -> float:
        """Return the seconds until the account's one waiting task is due."""
        (task,) = stored_tasks(self.journal)
        return task.delay or 0.0


@pytest.fixture
def bench(journal: PostgresJournal) -> Iterator[Bench]:
    """Return a bench."""
    bench = Bench(journal)
    yield bench
    for work in bench.made:
        work.close()


def test_everything_is_sent(bench: Bench) -> None:
    """When nothing is left, no task is added."""
    fill(bench.journal, 20, "a", "b")
    bench.deliver()
    assert bench.account.sent == ["a b"] * 20
    assert states(bench.journal) == {"applied": 40}
    assert stored_tasks(bench.journal) == []


def test_a_slice_ends_and_is_continued_behind_the_others(bench: Bench) -> None:
    """The account has another task, behind the waiting one of another account."""
    fill(bench.journal, 30)
    fill(bench.journal, 1, account="other")
    work = bench.work(concurrency=1, slice_seconds=0.5)

    def take_long(_: TrackingUpdate) -> None:
        threading.Event().wait(0.6)

    bench.account.answers(take_long)
    execute(bench.journal, "UPDATE procrastinate_jobs SET status = 'doing' WHERE queue_name = 'mystore'")
    work.start("mystore").result(PATIENCE)
    assert 0 < states(bench.journal)["applied"] < 30
    waiting = [task for task in stored_tasks(bench.journal) if task.status == "todo"]
    assert [(task.account, task.delay) for task in waiting] == [("other", None), ("mystore", None)]


def test_an_account_that_is_delivered_elsewhere_is_left(bench: Bench) -> None:
    """The process with the lease looks for new entries at its end: the task ends, and adds none."""
    fill(bench.journal, 1)
    with bench.journal.lease("mystore"):
        bench.deliver()
    assert bench.account.sent == []
    assert stored_tasks(bench.journal) == []


def test_entries_noted_meanwhile_are_sent(bench: Bench) -> None:
    """Their task finds nothing more to do."""
    fill(bench.journal, 1, "a")
    bench.account.answers(lambda _: fill(bench.journal, 1, "b", first=1))
    bench.deliver()
    assert bench.account.sent == ["a", "b"]
    bench.deliver()
    assert bench.account.sent == ["a", "b"]
    assert stored_tasks(bench.journal) == []


def test_an_unknown_outcome_is_read_when_it_is_due(bench: Bench) -> None:
    """The account has a task for the time at which its order is to be read, and the thread is free until then."""
    bench.account.shows = False
    bench.account.answers(UNKNOWN)
    fill(bench.journal, 1)
    bench.deliver()
    assert states(bench.journal) == {"unknown": 1}
    assert bench.account.reads == []
    assert bench.delay() == pytest.approx(5, abs=3)
    execute(bench.journal, "UPDATE entries SET begun = begun - interval '7 s', settled = settled - interval '6 s'")
    bench.account.shows = True
    bench.deliver()
    assert states(bench.journal) == {"unknown": 1}
    assert len(bench.account.reads) == 1
    assert bench.delay() == pytest.approx(9, abs=4)


def test_what_a_dead_worker_left_is_read(bench: Bench) -> None:
    """The order is read before anything else of the package is sent."""
    fill(bench.journal, 1, "a")
    move(bench.journal, "in_flight", package(0))
    fill(bench.journal, 1, "b")
    bench.account.answers()
    bench.deliver()
    assert len(bench.account.reads) == 1
    assert states(bench.journal) == {"unknown": 1, "pending": 1}


def test_unknown_outcomes_are_sent_again_after_an_hour(bench: Bench) -> None:
    """With resend_after, an event that the order does not show so long after its call is sent again."""
    fill(bench.journal, 1, "a")
    bench.deliver()
    fill(bench.journal, 1, "b")
    move(bench.journal, "unknown", package(0), "61 minutes")
    execute(bench.journal, "UPDATE entries SET settled = begun + interval '2 minutes' WHERE state = 'unknown'")
    bench.deliver(bench.work(resend_after=3600.0))
    assert bench.account.sent == ["a", "b"]
    assert states(bench.journal) == {"applied": 2}


def test_a_held_delivery_is_sent_when_its_hold_ends(bench: Bench) -> None:
    """The account has a task for the end of the hold, and the thread is free until then."""
    hold = "UPDATE entries SET not_before = clock_timestamp() + %s::interval WHERE event_date IS NULL"
    list(bench.journal.add([delivery(1, None, "a", account="mystore")]))
    execute(bench.journal, hold, "1 hour")
    bench.deliver()
    assert bench.account.sent == ["a"]
    assert bench.delay() == pytest.approx(3600, abs=30)
    execute(bench.journal, hold, "-1 second")
    bench.deliver()
    assert bench.account.sent == ["a", "D"]
    assert stored_tasks(bench.journal) == []


def test_a_stopped_account_is_left_to_the_sweep(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """After a 403 the log says why, and it has no task; its new entries wait until it has rested."""
    bench.account.answers(refused(403), refused(403), refused(403), refused(403))
    fill(bench.journal, 6)
    bench.deliver()
    assert "mystore: stopped: refused: 403" in caplog.messages
    record = bench.journal.account("mystore")
    assert record is not None
    assert record.stopped is not None
    assert stored_tasks(bench.journal) == []
    fill(bench.journal, 1, "more")
    assert bench.delay() > 500


def test_a_frozen_account_continues_after_the_freeze(bench: Bench) -> None:
    """After a 429 the slice ends, and the next one is due when the account may be called again."""
    bench.account.answers(refused(429, retry_after=40))
    fill(bench.journal, 6)
    bench.deliver(bench.work(concurrency=1))
    assert bench.delay() == pytest.approx(40, abs=3)
    assert len(bench.seen.pauses) == 1


def test_stopping_ends_the_slice(bench: Bench) -> None:
    """The call in flight is finished, and other workers find a task."""
    work = bench.work(concurrency=1)
    fill(bench.journal, 6)

    def stop(_: TrackingUpdate) -> None:
        work.stop()

    bench.account.answers(stop)
    bench.deliver(work)
    assert states(bench.journal) == {"applied": 1, "pending": 5}
    assert bench.delay() == 0
    bench.deliver(work)
    assert states(bench.journal) == {"applied": 1, "pending": 5}
    assert bench.delay() == 0


@pytest.mark.parametrize(
    ("error", "text", "has_traceback"),
    [
        (ConfigurationError("no profile\x1b"), r"mystore: failed, will be retried: no profile\x1b", False),
        (ZeroDivisionError("a mistake"), "mystore: failed, will be retried", True),
    ],
)
def test_failures_are_logged(
    bench: Bench,
    error: Exception,
    text: str,
    has_traceback: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A known error is a line, an internal one has a traceback. The next sweep adds a task."""

    def fail(_: str) -> Any:
        raise error

    fill(bench.journal, 1)
    with caplog.at_level(logging.WARNING, "vtex_tracking_ext.fleet"):
        bench.deliver(bench.work(fail))
    (record,) = caplog.records
    assert record.message == text
    assert bool(record.exc_info) is has_traceback
    assert stored_tasks(bench.journal) == []


def test_an_error_of_one_thread_ends_the_slice(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once, and the account's lease is free again."""
    bench.account.answers(ZeroDivisionError("a mistake"))
    fill(bench.journal, 20)
    with caplog.at_level(logging.WARNING, "vtex_tracking_ext.fleet"):
        bench.deliver()
    assert [record.message for record in caplog.records] == ["mystore: failed, will be retried"]
    assert bench.journal.deliverers() == {}


def test_outcomes_and_pauses_are_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """A line has account, order, invoice, number of entries, outcome, attempt and reason."""
    fill(bench.journal, 2, "a", "b")
    bench.account.answers(refused(404), refused(429, retry_after=30))
    with caplog.at_level(logging.INFO, "vtex_tracking_ext.fleet"):
        bench.deliver(bench.work(concurrency=1))
    execute(bench.journal, "UPDATE accounts SET quiet_until = NULL")
    clear_tasks(bench.journal)
    with caplog.at_level(logging.INFO, "vtex_tracking_ext.fleet"):
        bench.deliver(bench.work(concurrency=1))
    assert [(record.levelname, record.message) for record in caplog.records] == [
        (
            "WARNING",
            "mystore, order 0-01, invoice 1: 2 refused, attempt 1: refused: 404; the order has no invoice yet.",
        ),
        ("WARNING", "mystore: paused for 30 s: refused: 429"),
        ("INFO", "mystore, order 1-01, invoice 1: 2 applied, attempt 2"),
    ]
