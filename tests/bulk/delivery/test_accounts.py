"""Delivering several accounts, and planning it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import TrackingEvent, TrackingUpdate, errors
from vtex_tracking_ext.bulk.delivery.accounts import (
    MAX_ACCOUNTS,
    DeliveryPlan,
    MultiAccountDelivery,
    count_states,
    plan_delivery,
)
from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.journal.interface import WORKERS, JournalError
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal
from vtex_tracking_ext.bulk.journal.sqlite.journal import SqliteLease

from support.deliveries import ONCE
from support.journaled import Account, add, delivery, refused, row, to_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


EVENT = TrackingEvent("2026-10-01", "a", "S\u00e3o Paulo", "SP")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    """Return an empty journal."""
    with SqliteJournal.open(tmp_path / "journal.db") as journal:
        yield journal


def accounts(*names: str) -> dict[str, Any]:
    """Return a fake client for each account."""
    return {name: Account(name) for name in names}


def run(journal: SqliteJournal, clients: dict[str, Any], **options: Any) -> MultiAccountDelivery:
    """Deliver what is pending of some accounts."""
    deliveries = MultiAccountDelivery(clients, journal, None, DeliveryOptions(recheck_delays=ONCE, **options), 1000)
    deliveries.run()
    return deliveries


def test_all_accounts_are_delivered(journal: SqliteJournal) -> None:
    """Each with its own client; calls and outcomes are those of all accounts."""
    clients = accounts("store1", "store2")
    add(journal, row(1, "a", account="store1"), row(2, "x", account="store2"), row(3, "y", account="other"))
    deliveries = run(journal, clients)
    assert [client.sent for client in clients.values()] == [["a"], ["x"]]
    assert (deliveries.calls, deliveries.reads) == (2, 0)
    assert deliveries.outcomes == {"applied": 2, "unknown": 0}
    assert (deliveries.others, deliveries.stop_errors) == ({}, {})


def test_each_account_can_have_its_own_options(journal: SqliteJournal) -> None:
    """Here the number of events in a call."""
    clients = accounts("store1", "store2")
    add(journal, *(row(number, text, account=name) for number, text in enumerate("ab") for name in clients))
    options = {"store1": DeliveryOptions(events_per_call=1), "store2": DeliveryOptions()}
    MultiAccountDelivery(clients, journal, None, options, 1000).run()
    assert [client.sent for client in clients.values()] == [["a", "b"], ["a b"]]


def test_more_accounts_than_are_delivered_at_once_are_delivered(journal: SqliteJournal) -> None:
    """The others take their turns."""
    names = [f"store{number}" for number in range(MAX_ACCOUNTS + 3)]
    add(journal, *(row(number, "a", account=name) for number, name in enumerate(names)))
    assert run(journal, accounts(*names)).outcomes["applied"] == len(names)


def test_an_account_that_stops_does_not_stop_the_others(journal: SqliteJournal) -> None:
    """Its error is among the stop errors."""
    clients = accounts("store1", "store2")
    clients["store1"].answers(error := refused(403))
    add(journal, row(1, "a", account="store1"), row(2, "x", account="store2"))
    assert run(journal, clients).stop_errors == {"store1": error}
    assert journal.counts() == {"store1": {"pending": 1}, "store2": {"applied": 1}}


def test_outcomes_are_counted_once(journal: SqliteJournal) -> None:
    """An entry that is unknown at first and applied in the end counts as applied."""
    clients = accounts("mystore")
    clients["mystore"].answers(
        clients["mystore"].applied_and_lost, refused(404), errors.OutcomeUnknownError("the connection was cut")
    )
    add(journal, row(1, "a"), row(2, "x", "2"), row(3, "y", "3"))
    deliveries = run(journal, clients, concurrency=1)
    assert deliveries.outcomes == {"applied": 1, "refused": 1, "unknown": 1}
    assert deliveries.reads == 2  # for the invoice that was not found, and for what was unknown


def test_outcomes_and_pauses_are_reported_by_one_thread_at_a_time(journal: SqliteJournal) -> None:
    """Two accounts report at the same moment, one of them a pause, during which the delivery is stopped."""
    clients = accounts("store1", "store2")
    together = threading.Barrier(2)
    lock, news = threading.Lock(), list[DeliveryResult | AccountPause]()

    def meet(_: TrackingUpdate) -> None:
        together.wait(10)

    def limit(update: TrackingUpdate) -> None:
        meet(update)
        raise refused(429, retry_after=60.0)

    def report(event: DeliveryResult | AccountPause) -> None:
        assert lock.acquire(blocking=False)
        news.append(event)
        lock.release()
        if len(news) == 2:
            deliveries.stop()

    clients["store1"].answers(limit)
    clients["store2"].answers(meet)
    add(journal, row(1, "a", account="store1"), row(2, "x", account="store2"))
    deliveries = MultiAccountDelivery(clients, journal, report)
    deliveries.run()
    assert {type(event): getattr(event, "reason", "") for event in news} == {
        AccountPause: "refused: 429",
        DeliveryResult: "",
    }


def test_an_account_that_another_process_delivers_is_left_to_it(journal: SqliteJournal) -> None:
    """``others`` names the process."""
    clients = accounts("store1", "store2")
    add(journal, row(1, "a", account="store1"), row(2, "x", account="store2"))
    with journal.lease("store1") as lease:
        assert lease is not None
        deliveries = run(journal, clients)
        assert deliveries.others == journal.deliverers()
    assert deliveries.others.keys() == {"store1"}
    assert journal.counts() == {"store1": {"pending": 1}, "store2": {"applied": 1}}


def test_an_account_that_workers_serve_is_left_to_them(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although no process delivers it now."""
    monkeypatch.setattr(journal, "served_accounts", lambda: {"store1", "other"})
    add(journal, row(1, "a", account="store1"), row(2, "x", account="store2"))
    assert run(journal, accounts("store1", "store2")).others == {"store1": WORKERS}
    assert journal.counts() == {"store1": {"pending": 1}, "store2": {"applied": 1}}


def test_a_journal_error_stops_every_account(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other account's call is finished; then the error is raised."""
    clients = accounts("store1", "store2")
    calling, stopped = threading.Event(), threading.Event()
    settle = SqliteLease.settle

    def fail(lease: SqliteLease, *arguments: Any, **more: Any) -> None:
        if lease.account == "store1":
            assert calling.wait(10)
            raise JournalError("the disk is full")
        settle(lease, *arguments, **more)

    def wait(_: TrackingUpdate) -> None:
        calling.set()
        assert stopped.wait(10)

    add(journal, row(1, "a", account="store1"), *(row(n, "x", str(n), account="store2") for n in range(2, 9)))
    clients["store2"].answers(wait)
    deliveries = MultiAccountDelivery(clients, journal, None, DeliveryOptions(concurrency=1), 1000)
    stop = deliveries.accounts["store2"].stop

    def stop_and_tell() -> None:
        stop()
        stopped.set()

    monkeypatch.setattr(deliveries.accounts["store2"], "stop", stop_and_tell)
    monkeypatch.setattr(SqliteLease, "settle", fail)
    with pytest.raises(JournalError, match="disk is full"):
        deliveries.run()
    assert journal.counts() == {"store1": {"in_flight": 1}, "store2": {"applied": 1, "pending": 6}}


def test_stopping_stops_every_account(journal: SqliteJournal) -> None:
    """No call is made any more."""
    clients = accounts("store1", "store2")
    add(journal, row(1, "a", account="store1"), row(2, "x", account="store2"))
    deliveries = MultiAccountDelivery(clients, journal, None)
    deliveries.stop()
    deliveries.run()
    assert deliveries.calls == 0


def test_a_client_is_used_as_it_paces_itself(journal: SqliteJournal) -> None:
    """``paced()`` returns a client that does not wait after a 429 itself."""
    plain, paced = Account(), Account()
    plain.paced = lambda: paced  # type: ignore[method-assign]
    add(journal, row(1, "a"))
    run(journal, {"mystore": plain})
    assert (plain.sent, paced.sent) == ([], ["a"])


def test_a_plan_counts_what_would_be_sent(journal: SqliteJournal) -> None:
    """Calls depend on the events in each; entries in doubt are counted by themselves, and other accounts are not."""
    add(journal, row(1, "a"), row(2, "b"), delivery(3), row(4, "x", "2"), row(5, "y", account="other"))
    to_state(journal, 4, "in_flight")
    assert plan_delivery(journal, ["mystore", "mystore"]) == DeliveryPlan(2, 2, 1, 1, 1)
    assert plan_delivery(journal, ["mystore"], events_per_call=1).calls == 2
    assert plan_delivery(journal, ["unknown"]) == DeliveryPlan(0, 0, 0, 0, 0)


def test_states_are_counted_over_accounts(journal: SqliteJournal) -> None:
    """Each account once; one that the journal does not contain has no entries."""
    add(journal, row(1, "a"), row(2, "b"), row(3, "x", account="store2"), row(4, "y", account="other"))
    to_state(journal, 1, "applied")
    counted = count_states(journal, ["mystore", "store2", "mystore", "unknown"])
    assert counted == Counter({"pending": 2, "applied": 1})
