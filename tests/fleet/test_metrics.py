"""What Prometheus is told."""

from __future__ import annotations

import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
from vtex_tracking_ext.bulk.journal.entries import AccountUpdate, Selection
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.fleet.metrics import Metrics, serve

from support.fleets import fill, move, package

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from vtex_tracking_ext.bulk.journal.entries import State
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal

Samples = dict[tuple[str, ...], float]


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def samples(text: str) -> Samples:
    """Read Prometheus' format: name and values of the labels -> value."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def told(metrics: Metrics) -> Samples:
    """Ask."""
    return samples(generate_latest(metrics.registry).decode())


@pytest.fixture
def clock() -> Clock:
    """Return a clock."""
    return Clock()


@pytest.fixture
def metrics(journal: PostgresJournal, clock: Clock) -> Metrics:
    """Return the metrics of a worker."""
    return Metrics(journal, clock)


def news(journal: PostgresJournal, outcome: str, *, is_call: bool) -> DeliveryResult:
    """Return what became of the entries of a package."""
    entries = tuple(journal.entries(Selection(package=package(0))))
    return DeliveryResult(entries, outcome, "", is_call=is_call)  # type: ignore[arg-type]


def test_outcomes_calls_and_pauses_are_counted(journal: PostgresJournal, metrics: Metrics) -> None:
    """They are counted by account; outcomes found by reading are not calls."""
    fill(journal, 1, "one", "two")
    metrics.record(news(journal, "applied", is_call=True))
    metrics.record(news(journal, "applied", is_call=False))
    metrics.record(news(journal, "unknown", is_call=True))
    metrics.record(AccountPause("mystore", 60.0, "429"))
    found = told(metrics)
    assert found["vtex_tracking_events_total", "mystore", "applied"] == 4
    assert found["vtex_tracking_events_total", "mystore", "unknown"] == 2
    assert found["vtex_tracking_calls_total", "mystore"] == 2
    assert found["vtex_tracking_pauses_total", "mystore"] == 1


def test_states_and_accounts_are_gauges(journal: PostgresJournal, metrics: Metrics, clock: Clock) -> None:
    """The gauges are cached for some seconds, so that scraping is cheap for the database."""
    fill(journal, 3)
    fill(journal, 1, account="other")
    move(journal, "refused", package(0))
    with journal.lease("mystore") as lease:
        assert lease is not None
        lease.update_account(AccountUpdate(stopped_reason="403", quiet_seconds=30.0, pace='{"rate": 7.5}'))
        found = told(metrics)
    assert found["vtex_tracking_journal_entries", "mystore", "pending"] == 2
    assert found["vtex_tracking_journal_entries", "mystore", "refused"] == 1
    assert found["vtex_tracking_rate", "mystore"] == 7.5
    assert ("vtex_tracking_rate", "other") not in found  # it was never called
    assert 25 < found["vtex_tracking_quiet_seconds", "mystore"] <= 30
    assert found["vtex_tracking_quiet_seconds", "other"] == 0
    assert (found["vtex_tracking_stopped", "mystore"], found["vtex_tracking_stopped", "other"]) == (1, 0)
    assert (found["vtex_tracking_delivering", "mystore"], found["vtex_tracking_delivering", "other"]) == (1, 0)
    fill(journal, 1, first=5)
    clock.now = 14.0
    assert told(metrics)["vtex_tracking_journal_entries", "mystore", "pending"] == 2
    clock.now = 15.0
    assert told(metrics)["vtex_tracking_journal_entries", "mystore", "pending"] == 3


def test_an_unreadable_journal_keeps_the_counters(journal: PostgresJournal, metrics: Metrics, clock: Clock) -> None:
    """The worker's own counters are served without the gauges."""
    fill(journal, 1)
    metrics.record(news(journal, "applied", is_call=True))
    told(metrics)
    journal.close()
    clock.now = 15.0
    found = told(metrics)
    assert found["vtex_tracking_calls_total", "mystore"] == 1
    assert not any(name == "vtex_tracking_journal_entries" for name, *_ in found)


def test_counting_takes_a_small_share_of_the_time(
    journal: PostgresJournal, metrics: Metrics, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow counts are cached for longer; after a failure, counting is retried soon."""

    def slow() -> Mapping[str, Counter[State]]:
        clock.now += 10
        return counts()

    counts = journal.counts
    monkeypatch.setattr(journal, "counts", slow)
    told(metrics)
    fill(journal, 1)
    clock.now = 10 + 199
    assert ("vtex_tracking_journal_entries", "mystore", "pending") not in told(metrics)
    clock.now = 10 + 200
    assert told(metrics)["vtex_tracking_journal_entries", "mystore", "pending"] == 1

    def failing() -> Mapping[str, Counter[State]]:
        clock.now += 20
        raise JournalError("no connection")

    monkeypatch.setattr(journal, "counts", failing)
    clock.now = 1000
    assert not any(name == "vtex_tracking_journal_entries" for name, *_ in told(metrics))
    monkeypatch.setattr(journal, "counts", counts)
    clock.now = 1040
    assert told(metrics)["vtex_tracking_journal_entries", "mystore", "pending"] == 1


def test_a_concurrent_scrape_gets_cached_values(
    journal: PostgresJournal, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scrape does not wait for a database that does not respond."""
    metrics.record(AccountPause("mystore", 60.0, "429"))
    begun, end = threading.Event(), threading.Event()

    def hanging() -> Mapping[str, Counter[State]]:
        begun.set()
        assert end.wait(30)
        raise JournalError("no connection")

    monkeypatch.setattr(journal, "counts", hanging)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(told, metrics)
        assert begun.wait(30)
        assert pool.submit(told, metrics).result(30)["vtex_tracking_pauses_total", "mystore"] == 1
        end.set()
        first.result(30)


def test_metrics_are_served(metrics: Metrics) -> None:
    """Metrics are served on a free port."""
    server = serve(metrics, "127.0.0.1", 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        with pytest.raises(OSError, match="in use"):
            serve(metrics, "127.0.0.1", server.server_port)
    finally:
        server.shutdown()
        server.server_close()
    assert {family.name for family in text_string_to_metric_families(text)} == {
        "vtex_tracking_events",
        "vtex_tracking_calls",
        "vtex_tracking_pauses",
        "vtex_tracking_journal_entries",
        "vtex_tracking_rate",
        "vtex_tracking_quiet_seconds",
        "vtex_tracking_stopped",
        "vtex_tracking_delivering",
    }
