"""Packages that should have moved on: without an event, without a delivery, or delivered and not shown."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from vtex_tracking_ext import Package, TrackingEvent
from vtex_tracking_ext.bulk.input.rows import Place, Row
from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.orders import OrderStore
from vtex_tracking_ext.orders.stale import stale_packages

from support.journaled import START, Clock

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.interface import Journal

TODAY = START.date()
HOUR = dt.timedelta(hours=1)


def save(journal: Journal, order_id: str, invoiced: str | None, status: str = "invoiced", **values: bool) -> None:
    """Save an order as if it was read now, with a package and a return."""
    packages = [
        Package("1", type_, "QB1", None, "Modelo", values.get("finished", False), None, (), issuance_date=invoiced)
        for type_ in ("Output", "Input")
    ]
    OrderStore(journal, "mystore").save_order("mystore", order_id, packages, status)


def send(journal: Journal, order_id: str, day: str = "", state: str = "applied") -> None:
    """Add an event of a package, or its delivery, with an outcome."""
    event = TrackingEvent(day, "Em transporte") if day else None
    row = Row(Place("f.csv", 1), "mystore", order_id, "1", event, is_delivered=not day, delivered_date=None)
    ((added),) = journal.add([row])
    entries = [*journal.entries(Selection(("pending",)))]
    assert added
    if state != "pending":
        with journal.lease("mystore") as lease:
            assert lease is not None
            lease.settle(lease.begin(entries), state)  # type: ignore[arg-type]


def found(journal: Journal) -> list[tuple[str, str, str, int]]:
    """Return reason, order, day and age of the stale packages."""
    return [
        (each.reason, each.order_id, each.since.isoformat(), each.days)
        for each in stale_packages(journal, 3, 14, TODAY)
    ]


def test_packages_without_an_event(journal: Journal) -> None:
    """Those are stale that were invoiced long enough ago, unless they are delivered or nothing is expected of them.

    A refused event is none.
    """
    save(journal, "o-new", "2026-11-21T00:00:00Z")
    save(journal, "o-old", "2026-11-20T23:59:00Z")
    save(journal, "o-older", "2026-11-01")
    save(journal, "o-canceled", "2026-11-01", "canceled")
    save(journal, "o-delivered", "2026-11-01", finished=True)
    save(journal, "o-odd", "last week")
    save(journal, "o-unknown", None)
    save(journal, "o-sent", "2026-11-01")
    send(journal, "o-sent", "2026-11-20")
    save(journal, "o-refused", "2026-11-02")
    send(journal, "o-refused", "2026-11-20", "refused")
    assert found(journal) == [
        ("no_event", "o-older", "2026-11-01", 22),
        ("no_event", "o-refused", "2026-11-02", 21),
        ("no_event", "o-old", "2026-11-20", 3),
    ]


def test_packages_without_a_delivery(journal: Journal) -> None:
    """Those are stale whose first event is long enough ago, also without a known order; a refused event is none."""
    for order_id, day, state in (
        ("o-old", "2026-11-01", "applied"),
        ("o-refused", "2026-11-01", "refused"),
        ("o-new", "2026-11-10", "applied"),
        ("o-canceled", "2026-11-01", "applied"),
        ("o-finished", "2026-11-01", "applied"),
        ("o-delivered", "2026-11-01", "applied"),
        ("o-waiting", "2026-11-01", "applied"),
        ("o-returned", "2026-11-02", "applied"),
    ):
        send(journal, order_id, day, state)
    save(journal, "o-canceled", None, "canceled")
    save(journal, "o-finished", None, finished=True)
    send(journal, "o-delivered")
    send(journal, "o-waiting", state="pending")
    assert found(journal) == [
        ("no_delivery", "o-old", "2026-11-01", 22),
        ("no_delivery", "o-returned", "2026-11-02", 21),
    ]


def test_deliveries_that_the_order_does_not_show(journal: Journal, clock: Clock) -> None:
    """An order that was read an hour after the delivery or later must show it."""
    for order_id in ("o-early", "o-hidden", "o-shown", "o-hidden-2"):
        send(journal, order_id)
    clock.now = START + HOUR
    save(journal, "o-early", None)
    clock.now = START + 2 * HOUR
    save(journal, "o-hidden", None)
    save(journal, "o-hidden-2", None)
    save(journal, "o-shown", None, finished=True)
    assert found(journal) == [(("not_finished"), each, TODAY.isoformat(), 0) for each in ("o-hidden", "o-hidden-2")]
