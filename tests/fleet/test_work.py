"""What a worker does for a package, and when its doorbell rings again; VTEX is stood in for."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import ConfigurationError, OutcomeUnknownError
from vtex_tracking_ext.bulk.delivery.deliver import DeliveryOptions
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


def test_what_waits_is_sent(bench: Bench) -> None:
    """Then the doorbell has done its work; one that was rung in vain has as well."""
    bench.add("a", "b")
    bench.work.process(package())
    assert bench.account.sent == ["a b"]
    assert states(bench.journal) == {"applied": 2}
    bench.work.process(package())
    assert bench.account.sent == ["a b"]
    assert bench.seen.entries() == 2


def test_a_package_that_somebody_else_works_on_is_left_to_them(bench: Bench) -> None:
    """But its doorbell rings again, because they may be about to end."""
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


def test_a_doubt_is_looked_at_again(bench: Bench) -> None:
    """As long as the order may yet show it; what waits behind it does not keep the doorbell tasks afterwards."""
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


def test_a_doubt_is_settled_by_what_the_order_shows(bench: Bench) -> None:
    """Of somebody who died in the middle as well."""
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


def test_an_account_that_is_over_its_limit_is_quiet(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """For all packages and workers; what was to be sent is sent then."""
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


def test_credentials_that_are_refused_let_the_account_rest(bench: Bench) -> None:
    """What waits stays, and its doorbell rings when the account has rested."""
    bench.add("a")
    bench.account.answers(refused(401))
    with pytest.raises(RetryLater) as caught:
        bench.work.process(package())
    assert REST_SECONDS - 5 < caught.value.seconds <= REST_SECONDS
    assert states(bench.journal) == {"pending": 1}


def test_what_was_left_in_flight_and_cannot_be_looked_at_rings_again(bench: Bench) -> None:
    """When the account has rested."""
    bench.add("a")
    move(bench.journal, "in_flight", package())
    bench.account.read_answers(refused(401))
    with pytest.raises(RetryLater) as caught:
        bench.work.process(package())
    assert caught.value.seconds > REST_SECONDS - 5
    assert states(bench.journal) == {"in_flight": 1}


def test_a_doubt_that_cannot_be_looked_at_rings_again(bench: Bench) -> None:
    """However old it is: the order may show it, and what waits behind it would wait for ever."""
    bench.add("a")
    move(bench.journal, "unknown", package(), "20 minutes")
    bench.add("b")
    bench.account.read_answers(refused(401))
    with pytest.raises(RetryLater, match="the account is paused") as caught:
        bench.work.process(package())
    assert caught.value.seconds > REST_SECONDS - 5
    assert states(bench.journal) == {"unknown": 1, "pending": 1}


def test_sending_on_leaves_the_doubt_behind(bench: Bench) -> None:
    """It is looked at again all the same."""
    bench.account.shows = False
    bench.account.answers(UNKNOWN)
    bench.add("a", "b")
    work = bench.another(DeliveryOptions(events_per_call=1, send_after_unknown=True))
    with pytest.raises(RetryLater, match="may not show the update yet"):
        work.process(package())
    assert bench.account.sent == ["a", "b"]
    assert states(bench.journal) == {"unknown": 1, "applied": 1}


@pytest.mark.parametrize("is_known", [True, False])
def test_a_worker_that_ends_begins_no_call(bench: Bench, *, is_known: bool) -> None:
    """For an account that it served, or one that it comes to serve now; the doorbell rings for another worker."""
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


def test_an_account_without_credentials_is_told_of(bench: Bench) -> None:
    """Its doorbell rings again, here or where they are."""

    def client_of(_: str) -> TrackingClient:
        raise ConfigurationError("no credentials")

    with pytest.raises(ConfigurationError, match="no credentials"):
        bench.another(client_of=client_of).process(package())


def test_the_end_reports_what_was_not_reported_yet(bench: Bench) -> None:
    """If that can be done; it is no loss."""
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
    """With package and attempt; what went well is less loud."""
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
    """One that is quiet does not keep another one from being called."""
    fill(bench.journal, 1, account="other")
    bench.add("a")
    bench.account.answers(refused(429, retry_after=30))
    with pytest.raises(AccountPaused):
        bench.work.process(package())
    (other,) = bench.journal.open_packages("other")
    bench.work.process(other)
    assert states(bench.journal, "other") == {"applied": 1}
