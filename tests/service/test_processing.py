"""What happens to what was received: orders are read, packages found, and events sent, for one account."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import TrackingEvent, TrackingUpdate, errors
from vtex_tracking_ext.bulk.delivery.deliver import AccountDelivery
from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.journal.entries import AccountUpdate
from vtex_tracking_ext.bulk.journal.interface import JournalUnavailableError
from vtex_tracking_ext.carriers import CarrierOptions
from vtex_tracking_ext.orders import OrderPackage, OrderStore, unpark
from vtex_tracking_ext.orders.parked import parked_events
from vtex_tracking_ext.orders.reader import OrderReader
from vtex_tracking_ext.orders.to_read import OrdersToRead
from vtex_tracking_ext.service import ServedAccount, processing
from vtex_tracking_ext.service.intake import Intake
from vtex_tracking_ext.service.processing import AccountProcessing

from support.journaled import Account, add, refused, row
from support.services import CHECKS, ON_ITS_WAY, POSTED, correios, intelipost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

CODE = "QB000000018BR"
PATIENCE = 60.0


@pytest.fixture(autouse=True)
def _quick_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let calls begin at the highest rate, and not slowly."""
    defaults: Any = Pace.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "initial_rate", 1e6)


def shown(order_id: str) -> TrackingUpdate:
    """Return an update. An order that it was applied to has a package with the tracking number BR1."""
    return TrackingUpdate(order_id, "1", (TrackingEvent("2026-08-31", "Coletado"),))


class Bench:
    """The processing of an account, without its thread, and what is posted to it.

    Attributes:
        account: The client.
        noted: How many events found their packages, in each run.
        seconds: The monotonic time, which tests change.
    """

    def __init__(self, journal: SqliteJournal, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        self.journal = journal
        self.account = account
        self.noted: list[int] = []
        self.seconds = 1000.0
        client: Any = account
        self.served = ServedAccount(client, CHECKS, lambda _: CarrierOptions())
        self.store = OrderStore(journal, "mystore")
        self.intake = Intake(journal)
        monkeypatch.setattr(processing, "monotonic", lambda: self.seconds)

    def processing(self, **options: Any) -> AccountProcessing:
        """Return the processing."""
        return AccountProcessing(
            self.served,
            self.journal,
            rate=1e6,
            on_unparked=lambda _, unparked: self.noted.append(unparked.events),
            **options,
        )

    def receive(self, *events: tuple[str, str, str], code: str = CODE) -> None:
        """Receive a webhook of Correios."""
        self.intake.receive_webhook(self.served, "correios", correios(*events, code=code)).result(PATIENCE)

    def know(self, order_id: str = "1-01", invoice_number: str = "1", tracking_number: str = CODE) -> None:
        """Let the journal know an order."""
        self.store.save([OrderPackage(order_id, invoice_number, tracking_number=tracking_number)])

    @property
    def waiting(self) -> list[tuple[str, str]]:
        """The code of each parked event, and why it waits."""
        return [(each.event.code, each.reason) for each in parked_events(self.journal)]


@pytest.fixture
def bench(journal: SqliteJournal, account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Return a bench."""
    bench = Bench(journal, account, monkeypatch)
    yield bench
    bench.intake.close(PATIENCE)


def test_events_of_known_orders_are_sent(bench: Bench) -> None:
    """They are sent in the order of their times, however their posts came; a repeated post sends nothing."""
    bench.know()
    bench.receive(ON_ITS_WAY)
    bench.receive(POSTED)
    running = bench.processing()
    assert running.process() > 0
    assert bench.account.applied == {"1": ["PO 01", "RO 01"]}
    bench.receive(POSTED, ON_ITS_WAY)
    running.process()
    assert bench.account.applied == {"1": ["PO 01", "RO 01"]}
    assert bench.waiting == []


def test_an_order_that_becomes_known(bench: Bench) -> None:
    """Events wait for it, with the reason; all of them are tried again after a minute, and not before."""
    bench.receive(POSTED)
    running = bench.processing()
    running.process()
    assert bench.waiting == [("PO/01", f"no order is known with tracking number '{CODE}'")]
    bench.know()
    bench.seconds += 10
    running.process()
    assert bench.noted == [0, 0]
    bench.seconds += 60
    running.process()
    assert bench.account.applied == {"1": ["PO 01"]}


def test_an_event_takes_along_those_that_wait(bench: Bench) -> None:
    """An event that comes after its order is known is not sent before the one that was looked up in vain before."""
    bench.receive(POSTED)
    running = bench.processing()
    running.process()
    bench.know()
    bench.receive(ON_ITS_WAY)
    running.process()
    assert bench.account.applied == {"1": ["PO 01", "RO 01"]}


def test_an_order_of_the_hook_is_read(bench: Bench) -> None:
    """Parked events are tried again soon after an order was read."""
    bench.account.apply(shown("1-01"))
    bench.receive(POSTED, code="BR1")
    running = bench.processing()
    running.process()
    OrdersToRead(bench.journal, "mystore").add("1-01")
    bench.seconds += 6
    running.process()
    assert bench.account.reads == ["1-01"]
    assert bench.account.applied["1"] == ["Coletado", "PO 01"]
    assert OrdersToRead(bench.journal, "mystore").requests() == []


def test_an_order_that_a_payload_echoes_is_read(bench: Bench) -> None:
    """It is read at the account's pace, once, and then known."""
    bench.account.apply(shown("1172452900788-01"))
    bench.intake.receive_webhook(bench.served, "intelipost", intelipost("1172452900788-01", "BR1")).result(PATIENCE)
    bench.processing().process()
    assert bench.account.reads == ["1172452900788-01"]
    assert bench.account.applied["1"] == ["Coletado", "Pedido entregue", "D"]


def test_many_events(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked up some at a time; new ones give way to sending after some seconds, and then go on at once."""
    running = bench.processing()
    running.process()
    for number in range(15):
        bench.know(f"{number}-01", f"{number}", f"QB{number:09}BR")
        bench.receive(POSTED, code=f"QB{number:09}BR")

    def slow(*arguments: Any, **options: Any) -> Any:
        bench.seconds += 11
        return unpark(*arguments, **options)

    monkeypatch.setattr(processing, "unpark", slow)
    monkeypatch.setattr(processing, "_LOOKED_UP", 10)
    bench.noted.clear()
    assert running.process() == 0
    assert (bench.noted, len(bench.account.sent)) == ([10], 10)
    assert running.process() > 0
    assert (bench.noted, len(bench.account.sent)) == ([10, 5], 15)


def test_waiting_events_hold_no_others_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying events again takes turns with sending, also if an order must be read for each of them."""
    for number in range(15):
        bench.receive(POSTED, code=f"QB{number:09}BR")
    running = bench.processing()
    running.process()
    bench.know("14-01", "14", "QB000000014BR")
    bench.receive(ON_ITS_WAY, code="QB000000015BR")
    bench.know("15-01", "15", "QB000000015BR")

    def slow(*arguments: Any, **options: Any) -> Any:
        bench.seconds += 6
        return unpark(*arguments, **options)

    monkeypatch.setattr(processing, "unpark", slow)
    monkeypatch.setattr(processing, "_LOOKED_UP", 10)
    bench.seconds += 61
    bench.noted.clear()
    assert running.process() == 0
    assert (bench.noted, bench.account.sent) == ([1, 0], ["RO 01"])
    assert running.process() > 0
    assert (bench.noted, bench.account.sent) == ([1, 0, 0, 1], ["RO 01", "PO 01"])


def test_an_account_that_cannot_be_called_rests(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """After a 403, VTEX is not called for ten minutes; events are still noted, and then sent."""
    bench.know()
    bench.account.answers(refused(403))
    bench.receive(POSTED)
    running = bench.processing()
    running.process()
    assert "mystore: stopped: " in caplog.text
    bench.receive(ON_ITS_WAY)
    OrdersToRead(bench.journal, "mystore").add("1-01")
    bench.seconds += 599
    running.process()
    assert (len(bench.account.sent), bench.account.reads, bench.waiting) == (1, [], [])
    bench.seconds += 2
    running.process()
    assert bench.account.applied == {"1": ["PO 01", "RO 01"]}


def test_a_key_that_may_not_read_orders(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The orders stay requested, and the account rests."""
    bench.account.read_answers(refused(403))
    OrdersToRead(bench.journal, "mystore").add("1-01")
    running = bench.processing()
    running.process()
    assert "mystore: no orders are read: " in caplog.text
    assert "mystore: stopped: " in caplog.text
    running.process()
    assert bench.account.reads == ["1-01"]
    assert len(OrdersToRead(bench.journal, "mystore").requests()) == 1


def test_an_order_that_cannot_be_read(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and read again with the next run."""
    bench.account.read_answers(errors.ReadFailedError("no answer"))
    OrdersToRead(bench.journal, "mystore").add("1-01")
    running = bench.processing()
    running.process()
    assert "mystore, order 1-01: not read: no answer" in caplog.text
    running.process()
    assert bench.account.reads == ["1-01", "1-01"]


def test_a_paused_account(bench: Bench) -> None:
    """While the journal says that the account must not be called, events are only noted."""
    bench.know()
    with bench.journal.lease("mystore") as lease:
        assert lease is not None
        lease.update_account(AccountUpdate(quiet_seconds=60.0, quiet_reason="429"))
    OrdersToRead(bench.journal, "mystore").add("1-01")
    bench.receive(POSTED)
    bench.processing().process()
    assert (bench.noted, bench.account.reads, bench.account.sent) == ([1], [], [])


def test_a_429_while_orders_are_read(bench: Bench) -> None:
    """The pause is reported, and the account is processed again later."""
    reported: list[Any] = []
    limited = errors.RateLimitedError("429", status_code=429)
    limited.retry_after = 60.0
    bench.account.read_answers(limited)
    OrdersToRead(bench.journal, "mystore").add("1-01")
    bench.processing(report=reported.append).process()
    assert [each.account for each in reported] == ["mystore"]
    record = bench.journal.account("mystore")
    assert record is not None
    assert record.quiet_seconds > 0


@pytest.mark.parametrize("delivers", [False, True])
def test_accounts_that_others_deliver(bench: Bench, monkeypatch: pytest.MonkeyPatch, *, delivers: bool) -> None:
    """Nothing is sent with --no-deliver, or while workers serve the account."""
    monkeypatch.setattr(bench.journal, "served_accounts", lambda: frozenset({"mystore"} if delivers else ()))
    bench.know()
    bench.receive(POSTED)
    bench.processing(delivers=delivers).process()
    assert (bench.noted, bench.account.sent) == ([1], [])


def test_an_account_that_another_process_delivers(bench: Bench) -> None:
    """It is tried again until it is free, also if nothing new comes."""
    bench.know()
    bench.receive(POSTED)
    running = bench.processing()
    with bench.journal.lease("mystore"):
        running.process()
        assert bench.account.sent == []
    running.process()
    assert bench.account.sent == ["PO 01"]


def test_the_lease_is_taken_only_if_something_is_to_be_done(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is, if an entry was added, by anyone, or if an order in doubt, or a held delivery, is due."""
    runs: list[float] = []
    run = AccountDelivery.run

    def count(delivery: AccountDelivery) -> None:
        runs.append(bench.seconds)
        run(delivery)

    monkeypatch.setattr(AccountDelivery, "run", count)
    running = bench.processing()
    for _ in range(3):
        running.process()
    assert len(runs) <= 1
    runs.clear()
    add(bench.journal, row(1, "x"))
    bench.account.answers(errors.OutcomeUnknownError("no answer"))
    running.process()
    assert running.process() <= 5
    assert len(runs) == 1
    bench.seconds += 6
    running.process()
    assert len(runs) == 2


def test_errors_are_logged_and_the_account_goes_on(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after an error of this program."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(processing, "_RETRY_SECONDS", 0.0)
    failures = [JournalUnavailableError("the database restarts"), ZeroDivisionError("a bug")]
    done = threading.Event()

    def process(_: AccountProcessing) -> float:
        if failures:
            raise failures.pop(0)
        done.set()
        return 60.0

    monkeypatch.setattr(AccountProcessing, "process", process)
    running = bench.processing()
    running.start()
    assert done.wait(PATIENCE)
    assert running.is_alive()
    running.stop()
    running.stop()
    running.join(PATIENCE)
    assert not running.is_alive()
    assert "mystore: failed, will be retried: the database restarts" in caplog.text
    assert "ZeroDivisionError: a bug" in caplog.text


def test_stop_while_updates_are_sent(bench: Bench) -> None:
    """The update in progress is finished; the others stay pending."""
    for number in range(5):
        bench.know(f"{number}-01", f"{number}", f"QB{number:09}BR")
        bench.receive(POSTED, code=f"QB{number:09}BR")
    running = bench.processing()

    def stop(_: object) -> None:
        running.stop()

    bench.account.answers(*[stop] * 5)
    running.process()
    pending = sum(counts["pending"] for counts in bench.journal.counts().values())
    assert pending == 5 - len(bench.account.sent)


def test_stop_before_calls(bench: Bench) -> None:
    """A processing that was stopped makes no call."""
    bench.know()
    bench.receive(POSTED)
    OrdersToRead(bench.journal, "mystore").add("1-01")
    running = bench.processing()
    running.stop()
    running.process()
    assert (bench.account.sent, bench.account.reads) == ([], [])


def test_stop_between_calls(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders that were about to be read stay requested."""
    OrdersToRead(bench.journal, "mystore").add("1-01")
    running = bench.processing()

    def stop(*arguments: Any) -> Any:
        running.stop()
        return OrderReader(*arguments)

    monkeypatch.setattr(processing, "OrderReader", stop)
    running.process()
    assert bench.account.reads == []
    assert len(OrdersToRead(bench.journal, "mystore").requests()) == 1


def test_a_journal_that_fails_while_orders_are_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is not taken for one of the account."""

    def fail(*_: object) -> None:
        raise JournalUnavailableError("the database restarts")

    monkeypatch.setattr(OrderReader, "read_requested", fail)
    with pytest.raises(JournalUnavailableError):
        bench.processing().process()


def test_times_are_those_of_the_account(bench: Bench) -> None:
    """An event that has waited for two weeks is given up, and stays for a person to look at."""
    bench.receive(POSTED)
    (parked,) = parked_events(bench.journal)
    assert parked.expires - parked.parked == dt.timedelta(days=14)
