"""The actions sync, backfill and stale of the command orders."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import TrackingClient, errors
from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.input.rows import Place, Row
from vtex_tracking_ext.bulk.journal.entries import AccountUpdate
from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.cli import order_sync
from vtex_tracking_ext.events import TrackingEvent
from vtex_tracking_ext.orders import OrderStore
from vtex_tracking_ext.orders.sync import receive_notification
from vtex_tracking_ext.sandbox import notification

from support.carriers import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vtex_tracking_ext.sandbox import Oms

    from support.commands import Ran

pytestmark = pytest.mark.usefixtures("account")

FAST = ("--rate", "1000")
BACKFILL = ("orders", "backfill", "--from", "2026-09-01", "--to", "2026-09-02")


@pytest.fixture(autouse=True)
def _quick_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let calls begin at the highest rate, and not slowly."""
    defaults: Any = Pace.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "initial_rate", 1e6)


def documents(ran: Ran) -> list[dict[str, Any]]:
    """Return the JSON lines of a command."""
    return [json.loads(line) for line in ran.out.splitlines()]


@pytest.mark.usefixtures("usual")
def test_orders_that_are_named_are_read(run: Callable[..., Ran]) -> None:
    """Orders of the arguments are read at once, and the feed is not touched; ids are checked first."""
    ran = run("orders", "sync", "1172452900788-01", "7-99", *FAST)
    assert (ran.status, ran.out) == (1, "Orders of sandbox: 1 read, 1 not found.\n")
    assert run("orders", "find", "1172452900788-01").status == 0
    assert run("orders", "sync", "..", *FAST).status == 2
    assert run("orders", "sync", "1172452900788-01", "--follow").status == 2


def test_sync(run: Callable[..., Ran], usual: Path, oms: Oms) -> None:
    """It configures the feed, says that earlier orders are not in it, and then saves what comes."""
    ran = run("orders", "sync", *FAST)
    assert ran.status == 0
    assert ran.out == (
        "The feed of sandbox is configured. Orders that were invoiced before are not in it: vtex-tracking orders "
        "backfill reads them.\nOrders of sandbox: nothing new.\n"
    )
    oms.add_order("9-01", ["1"], tracking_number="QB9")
    ran = run("orders", "sync", *FAST, "--json")
    assert documents(ran) == [
        {
            "type": "summary",
            "account": "sandbox",
            "read": 1,
            "known": 0,
            "missing": 0,
            "items": 1,
            "committed": 1,
            "listed": 0,
            "unlisted": 0,
            "failed": 0,
            "configured": False,
            "ended": "",
        }
    ]
    assert run("orders", "find", "QB9").status == 0
    assert usual.exists()


def test_parked_events_of_an_order_that_is_read(run: Callable[..., Ran], oms: Oms) -> None:
    """They find it, and the next push sends them; an order that no parked event is about says nothing of them."""
    payload = SAMPLES / "correios.json"
    run("orders", "sync", *FAST)
    assert run("push", payload).status == 5
    oms.add_order("9-01", ["1"], tracking_number="QB9")
    assert "parked" not in run("orders", "sync", *FAST).out
    oms.add_order("9-02", ["1"], tracking_number="QB000000018BR")
    assert run("orders", "sync", *FAST).out.startswith("5 parked events found their orders.\n")
    assert run("push").status == 0


def test_parked_events_in_json(run: Callable[..., Ran], oms: Oms) -> None:
    """With --json, those that found their orders are a document, and no command is proposed."""
    run("orders", "sync", *FAST)
    run("push", SAMPLES / "correios.json")
    oms.add_order("9-02", ["1"], tracking_number="QB000000018BR")
    ran = run("orders", "sync", *FAST, "--json")
    assert documents(ran)[0] == {"type": "parked", "unparked": 5, "waiting": 0, "given_up": 0}
    assert "vtex-tracking push" not in ran.out


def test_the_feed_of_another_system(run: Callable[..., Ran], oms: Oms) -> None:
    """The message says what to do, and what the hook requested is read nevertheless."""
    queue = {"visibilityTimeoutInSeconds": 250, "MessageRetentionPeriodInSeconds": 345_600}
    run("orders", "sync", *FAST)
    (key,) = oms.feeds
    oms.configure_feed(key, {"filter": {"type": "FromWorkflow", "status": ["handling"]}, "queue": queue})
    for options in ((), ("--configure",)):
        ran = run("orders", "sync", *FAST, *options)
        assert ran.status == 3
        assert "The feed of this app key follows the statuses handling" in ran.err
        assert "create another app key in VTEX Admin" in ran.err
    assert run("orders", "sync", *FAST, "--no-feed").status == 0


def test_orders_that_fail(run: Callable[..., Ran], oms: Oms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is named with the reason, up to a number; the status says that something is left to do."""
    monkeypatch.setattr(order_sync, "_NAMED", 1)
    run("orders", "sync", *FAST)
    for order_id in ("8-01", "9-01"):
        oms.add_order(order_id, ["1"])

    def fail(*_: object) -> None:
        raise errors.ReadFailedError("No answer.")

    monkeypatch.setattr(TrackingClient, "get_packages", fail)
    ran = run("orders", "sync", *FAST)
    assert (ran.status, ran.err) == (5, "order 8-01: No answer.\n1 other order could not be read.\n")
    assert ran.out == "Orders of sandbox: 2 feed items, 2 failed. Run the command again to go on.\n"
    assert run("orders", "sync", *FAST, "--no-feed").status == 0


def test_an_account_that_is_stopped(
    run: Callable[..., Ran], usual: Path, url: str, oms: Oms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error that stopped it is printed, and decides the status; named failures come as JSON lines, too."""

    def refuse(*_: object) -> None:
        raise errors.PermissionDeniedError("no View order", status_code=403)

    with open_journal(usual) as journal:
        name = f"sandbox@{url.partition('//')[2]}"
        store = OrderStore(journal, name)
        order = oms.add_order("9-01", ["1"])
        receive_notification(notification(order.change), store)
        with journal.lease(name) as lease:
            assert lease is not None
            lease.update_account(AccountUpdate(pace='{"rate": 900}'))
    monkeypatch.setattr(TrackingClient, "get_packages", refuse)
    for action in (("orders", "sync", "--no-feed"), ("orders", "sync", "--follow"), BACKFILL):
        ran = run(*action, *FAST)
        assert (ran.status, ran.err) == (3, "sandbox: no View order\n")
        assert ran.out == "Orders of sandbox: nothing was read. Run the command again to go on.\n"

    def fail(*_: object) -> None:
        raise errors.ReadFailedError("No answer.")

    monkeypatch.setattr(TrackingClient, "get_packages", fail)
    failed, summary = documents(run("orders", "sync", "--no-feed", *FAST, "--json"))
    assert failed == {"type": "failed", "order_id": "9-01", "reason": "No answer."}
    assert summary["failed"] == 1


def test_follow_goes_on_until_a_signal(run: Callable[..., Ran], oms: Oms, monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints what is new, survives an outage, and ends with 130 when a signal comes."""
    rounds = []

    class CountingEvent(Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout == 30.0
            rounds.append(len(oms.received))
            if len(rounds) == 1:
                network.setattr(TrackingClient, "read_feed", _lose_the_network)
            elif len(rounds) == 2:
                network.undo()
                oms.add_order("9-01", ["1"])
            elif len(rounds) == 4:
                os.kill(os.getpid(), signal.SIGTERM)
            return self.is_set()

    monkeypatch.setattr(order_sync, "Event", CountingEvent)
    with pytest.MonkeyPatch.context() as network:
        ran = run("orders", "sync", "--follow", *FAST)
    assert ran.status == 130
    assert ran.out.splitlines()[1:] == [
        "Orders of sandbox: nothing new.",
        "Orders of sandbox: nothing was read. Run the command again to go on.",
        "Orders of sandbox: 1 feed item, 1 read.",
    ]
    assert ran.err == (
        "sandbox: no network\nInterrupted: finishing the calls in flight. Interrupt again to exit at once.\n"
    )


def _lose_the_network(*_: object) -> None:
    raise errors.NotSentError("no network")


def test_a_signal_during_a_backfill(run: Callable[..., Ran], oms: Oms, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order that is being read is saved; the same command reads the others."""
    _add_invoiced(oms, 3)
    read = TrackingClient.get_packages

    def read_and_interrupt(client: TrackingClient, order_id: str) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        return read(client, order_id)

    with monkeypatch.context() as patch:
        patch.setattr(TrackingClient, "get_packages", read_and_interrupt)
        ran = run(*BACKFILL, *FAST)
    assert ran.status == 130
    assert "Orders of sandbox: 3 listed, 1 read. Run the command again to go on.\n" in ran.out
    ran = run(*BACKFILL, *FAST)
    assert (ran.status, ran.out) == (0, "Orders of sandbox: 2 read.\n")


def _add_invoiced(oms: Oms, number: int) -> None:
    """Add orders that were invoiced on the backfill's first day."""
    clock, oms.clock = oms.clock, dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC).timestamp
    for order in range(number):
        oms.add_order(f"{order}-01", ["1"])
    oms.clock = clock


def test_backfill(run: Callable[..., Ran], oms: Oms) -> None:
    """It prints how far it came; wrong days are refused."""
    _add_invoiced(oms, 2)
    ran = run(*BACKFILL, *FAST)
    assert (ran.status, ran.out) == (0, "Orders of sandbox: 2 listed, 2 read.\n")
    assert ran.err == (
        "invoiced until 2026-09-01 23:59 UTC: 2 listed, 2 read\ninvoiced until 2026-09-02 23:59 UTC: 2 listed, 2 read\n"
    )
    first, _, summary = documents(run(*BACKFILL, *FAST, "--json"))
    assert (first["type"], first["until"]) == ("progress", "2026-09-01T23:59:59.999000+00:00")
    assert (summary["listed"], summary["known"], summary["read"]) == (2, 2, 0)
    ran = run("orders", "backfill", "--from", "9999-12-31", "--to", "9999-12-31")
    assert (ran.status, "were not read: VTEX lists them some minutes late" in ran.err) == (0, True)
    ran = run("orders", "backfill", "--from", "2026-09-02", "--to", "2026-09-01")
    assert (ran.status, "--to 2026-09-01 is before --from 2026-09-02" in ran.err) == (2, True)
    ran = run("orders", "backfill", "--from", "1 Sep", "--to", "2026-09-01")
    assert (ran.status, "'1 Sep' is not a day such as 2026-10-01" in ran.err) == (2, True)


def test_stale(run: Callable[..., Ran], usual: Path) -> None:
    """It lists the packages and counts them; the status says whether there are any."""
    with open_journal(usual) as journal:
        event = TrackingEvent("2026-01-01", "Em transporte")
        for account in ("mystore", "other"):
            [*journal.add([Row(Place("f", 1), account, "1-01", "7", event, is_delivered=False, delivered_date=None)])]
    ran = run("orders", "stale", "--account", "other")
    assert ran.status == 5
    line, totals = ran.out.splitlines()
    assert line.startswith("other, order 1-01, invoice 7: first event ")
    assert line.endswith(" days ago, and no delivery is known")
    assert totals == "Stale packages: 0 no_event, 1 no_delivery, 0 not_finished."
    package, _, summary = documents(run("orders", "stale", "--json"))
    assert package["days"] > 200
    del package["days"]
    assert package == {
        "type": "package",
        "reason": "no_delivery",
        "account": "mystore",
        "order_id": "1-01",
        "invoice_number": "7",
        "tracking_number": "",
        "courier": "",
        "since": "2026-01-01",
    }
    assert summary == {"type": "summary", "no_event": 0, "no_delivery": 2, "not_finished": 0}
    assert run("orders", "stale", "--account", "third").status == 2
    ran = run("orders", "stale", "--shipped-days", "100000", "--account", "other")
    assert (ran.status, ran.out) == (0, "Stale packages: 0 no_event, 0 no_delivery, 0 not_finished.\n")
