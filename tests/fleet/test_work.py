"""What a worker does for a package, and when the package is retried; VTEX is replaced by a fake client."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import ConfigurationError, OutcomeUnknownError
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.fleet.account_pace import Paces
from vtex_tracking_ext.fleet.pace import AccountPaused, RetryLater
from vtex_tracking_ext.fleet.slots import REST_SECONDS
from vtex_tracking_ext.fleet.work import RECHECK_SECONDS, Work

from support.fleets import ResultRecorder, fill, move, states
from support.journaled import Account, package, refused, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext import TrackingClient, TrackingUpdate
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal

UNKNOWN = OutcomeUnknownError("no answer")


class Bench:
    """A worker's work, its account and its journal."""

    def __init__(self, journal: PostgresJournal) -> None:
        self.journal = journal
        self.account = Account()
        self.seen = ResultRecorder()
        self.work = self.another()

    def another(self, options: DeliveryOptions | None = None, client_of: Callable[[str], Any] | None = None) -> Work:
        """Return the work of another worker, or of one that was told otherwise."""
        given: Callable[[str], Any] = client_of or (lambda _: self.account)
        return Work(
            self.journal, Paces(self.journal.connections), given, 200.0, options or DeliveryOptions(), self.seen
        )

    def add(self, *texts: str) -> None:
        """Add events of one package."""
        rows = [row(line, text) for line, text in enumerate(texts)]
        assert len(list(self.journal.add(rows, "mystore"))) == len(texts)


@pytest.fixture
def bench(journal: PostgresJournal) -> Bench:
    """Return a bench."""
    return Bench(journal)


def test_pending_entries_are_sent(bench: Bench) -> None:
    """A second task for the same package sends nothing."""
    bench.add("a", "b")
    bench.work.process(package())
    assert bench.account.sent == ["a b"]
    assert states(bench.journal) == {"applied": 2}
    bench.work.process(package())
    assert bench.account.sent == ["a b"]
    assert bench.seen.entries() == 2


def test_a_locked_package_is_retried_later(bench: Bench) -> None:
    """The worker with the lock may be about to stop."""
    bench.add("a")

    def meanwhile(_: TrackingUpdate) -> None:
        bench.add("b")
        with pytest.raises(RetryLater, match="entries were added") as caught:
            other.process(package())
        assert caught.value.seconds == 1

    other = bench.another()
    bench.account.answers(elsewhere(meanwhile))
    with pytest.raises(RetryLater, match="entries were added"):
        bench.work.process(package())
    assert bench.account.sent == ["a"]
    bench.work.process(package())
    assert bench.account.sent == ["a", "b"]


def elsewhere(act: Callable[[TrackingUpdate], None]) -> Callable[[TrackingUpdate], None]:
    """Do something in another thread, because what a thread holds it may hold twice."""

    def do(update: TrackingUpdate) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(act, update).result(30)

    return do


def test_an_unknown_outcome_is_checked_again(bench: Bench) -> None:
    """The package is retried as long as the order may not show the update yet."""
    bench.account.shows = False
    bench.account.answers(UNKNOWN)
    bench.add("a")
    for _ in range(2):
        with pytest.raises(RetryLater, match="may not show the update yet") as caught:
            bench.work.process(package())
        assert caught.value.seconds == RECHECK_SECONDS
    assert states(bench.journal) == {"unknown": 1}
    bench.add("b")
    with bench.journal.connections.connection() as connection:
        connection.execute("UPDATE entries SET begun = begun - interval '2 minutes'")
    bench.work.process(package())
    assert states(bench.journal) == {"unknown": 1, "pending": 1}
    assert len(bench.account.reads) == 2


def test_an_unknown_outcome_is_resolved_by_reading(bench: Bench) -> None:
    """This includes entries of a worker that died."""
    bench.add("a")

    def apply_and_lose(update: TrackingUpdate) -> None:
        bench.account.apply(update)
        raise UNKNOWN

    bench.account.answers(apply_and_lose)
    with pytest.raises(RetryLater):
        bench.work.process(package())
    bench.work.process(package())
    assert bench.account.applied == {"1": ["a"]}
    assert states(bench.journal) == {"applied": 1}


def test_a_429_pauses_the_account_for_all_workers(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The pending entries are sent after the pause."""
    bench.add("a")
    bench.account.answers(refused(429, retry_after=30))
    with caplog.at_level(logging.WARNING, "vtex_tracking_ext.fleet"), pytest.raises(AccountPaused) as caught:
        bench.work.process(package())
    assert 29 < caught.value.seconds <= 30
    assert "mystore: paused for 30 s: refused: 429" in caplog.text
    with pytest.raises(AccountPaused, match="over its limit"):
        bench.another().process(package())
    assert states(bench.journal) == {"pending": 1}
    assert [pause.seconds for pause in bench.seen.pauses] == [pytest.approx(30)]


def test_refused_credentials_let_the_account_rest(bench: Bench) -> None:
    """The entries stay pending, and their task is retried after the rest."""
    bench.add("a")
    bench.account.answers(refused(401))
    with pytest.raises(RetryLater) as caught:
        bench.work.process(package())
    assert REST_SECONDS - 5 < caught.value.seconds <= REST_SECONDS
    assert states(bench.journal) == {"pending": 1}


def test_abandoned_entries_of_a_resting_account_are_retried(bench: Bench) -> None:
    """Their order is read after the rest."""
    bench.add("a")
    move(bench.journal, "in_flight", package())
    bench.account.read_answers(refused(401))
    with pytest.raises(RetryLater) as caught:
        bench.work.process(package())
    assert caught.value.seconds > REST_SECONDS - 5
    assert states(bench.journal) == {"in_flight": 1}


def test_unknown_outcomes_of_a_resting_account_are_retried(bench: Bench) -> None:
    """Otherwise later events of the package would wait for ever."""
    bench.add("a")
    move(bench.journal, "unknown", package(), "20 minutes")
    bench.add("b")
    bench.account.read_answers(refused(401))
    with pytest.raises(RetryLater, match="the account is paused") as caught:
        bench.work.process(package())
    assert caught.value.seconds > REST_SECONDS - 5
    assert states(bench.journal) == {"unknown": 1, "pending": 1}


def test_send_on_sends_later_events(bench: Bench) -> None:
    """The unknown outcome is still checked again."""
    bench.account.shows = False
    bench.account.answers(UNKNOWN)
    bench.add("a", "b")
    work = bench.another(DeliveryOptions(events_per_call=1, send_after_unknown=True))
    with pytest.raises(RetryLater, match="may not show the update yet"):
        work.process(package())
    assert bench.account.sent == ["a", "b"]
    assert states(bench.journal) == {"unknown": 1, "applied": 1}


@pytest.mark.parametrize("is_known", [True, False])
def test_a_stopping_worker_starts_no_call(bench: Bench, *, is_known: bool) -> None:
    """The task is retried by another worker, also for an account that is new to this one."""
    if is_known:
        bench.work.process(package())
    bench.add("a")
    bench.work.stop()
    with pytest.raises(RetryLater, match="the worker is stopping"):
        bench.work.process(package())
    assert bench.account.sent == []
    assert states(bench.journal) == {"pending": 1}
    bench.another().process(package())
    assert bench.account.sent == ["a"]


def test_an_account_without_credentials_is_an_error(bench: Bench) -> None:
    """Its task is retried, perhaps by a worker that has them."""

    def client_of(_: str) -> TrackingClient:
        raise ConfigurationError("no credentials")

    with pytest.raises(ConfigurationError, match="no credentials"):
        bench.another(client_of=client_of).process(package())


def test_closing_reports_the_remaining_results(bench: Bench) -> None:
    """A journal error at that time is ignored."""
    bench.add("a")
    bench.work.process(package())
    paces = Paces(bench.journal.connections)
    assert paces.all()["mystore"][0].throttle.accepted_since == 0
    bench.work.close()
    assert paces.all()["mystore"][0].throttle.accepted_since == 1
    bench.add("b")
    bench.work.process(package())
    bench.journal.close()
    bench.work.close()
    with pytest.raises(JournalError):
        paces.all()


def test_each_outcome_is_a_line_of_the_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The line has package and attempt; applied outcomes are logged as information."""
    bench.add("a")
    bench.account.answers(refused(400))
    with caplog.at_level(logging.INFO, "vtex_tracking_ext.fleet"):
        bench.work.process(package())
        bench.journal.retry(Selection())
        bench.work.process(package())
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "mystore, order o-01, invoice 1: 1 refused, attempt 1: refused: 400"),
        ("INFO", "mystore, order o-01, invoice 1: 1 applied, attempt 2"),
    ]


def test_accounts_have_a_pace_each(bench: Bench) -> None:
    """A paused account does not delay another one."""
    fill(bench.journal, 1, account="other")
    bench.add("a")
    bench.account.answers(refused(429, retry_after=30))
    with pytest.raises(AccountPaused):
        bench.work.process(package())
    (other,) = bench.journal.open_packages("other")
    bench.work.process(other)
    assert states(bench.journal, "other") == {"applied": 1}
