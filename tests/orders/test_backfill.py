"""Orders from VTEX's list: in windows that it lists completely, resumed after a kill, each order once."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext import TrackingClient, errors
from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.finding import OrderPage
from vtex_tracking_ext.orders import OrderStore
from vtex_tracking_ext.orders import backfill as module
from vtex_tracking_ext.orders.backfill import backfill
from vtex_tracking_ext.orders.sync import sync_feed

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.orders.reader import Synced
    from vtex_tracking_ext.testing import VtexSandbox

FIRST, LAST = dt.date(2026, 9, 1), dt.date(2026, 9, 3)
MIDNIGHT = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
NOW = dt.datetime(2026, 9, 30, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let windows have fewer than six orders, on pages of two."""
    monkeypatch.setattr(module, "_PER_PAGE", 2)
    monkeypatch.setattr(module, "_PAGES", 3)


def add(sandbox: VtexSandbox, order_id: str, hours: float) -> None:
    """Add an order that was invoiced so many hours after the first midnight."""
    sandbox.oms.clock = (MIDNIGHT + dt.timedelta(hours=hours)).timestamp
    sandbox.add_order(order_id, ["1"])


def run(sandbox: VtexSandbox, journal: Journal, now: dt.datetime = NOW, last: dt.date = LAST) -> Synced:
    """Run a backfill of the three days."""
    pace = Pace(rate=1e6, initial_rate=1e6)
    return backfill(sandbox.client, OrderStore(journal, sandbox.client), FIRST, last, pace, now=now)


def reads(sandbox: VtexSandbox) -> list[str]:
    """Return the orders that were read since the last call, in order."""
    paths = [each.path.rpartition("/")[2] for each in sandbox.oms.received]
    sandbox.oms.received.clear()
    return [path for path in paths if path.startswith("o-")]


def test_windows_are_halved(vtex_sandbox: VtexSandbox, file: Journal) -> None:
    """Days with too many orders are listed in parts; each order of the period is read once, the oldest first."""
    hours = [0, 0.5, 1, 1, 1, 1, 2, 3, 12, 23.9999, 24, 30, 71.9999]
    for number, hour in enumerate(hours):
        add(vtex_sandbox, f"o-{number:02}", hour)
    add(vtex_sandbox, "o-early", -0.0001)
    add(vtex_sandbox, "o-late", 72)
    result = run(vtex_sandbox, file)
    assert (result.listed, result.read, result.is_complete) == (13, 13, True)
    read = reads(vtex_sandbox)
    assert sorted(read) == [f"o-{number:02}" for number in range(13)]
    assert read[0] < "o-02"
    assert read[-3:] == ["o-10", "o-11", "o-12"]
    assert OrderStore(file, vtex_sandbox.client).counts()[0].orders == 13
    # Again: everything is listed, and nothing is read.
    result = run(vtex_sandbox, file)
    assert (result.listed, result.known, result.read) == (13, 13, 0)


def test_a_backfill_that_is_killed_goes_on(
    vtex_sandbox: VtexSandbox, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was listed is not listed again, and what was read is not read again."""
    for number, hour in enumerate([1, 2, 30, 31, 32, 60]):
        add(vtex_sandbox, f"o-{number}", hour)
    read = TrackingClient.get_packages

    def read_until_the_kill(client: TrackingClient, order_id: str) -> object:
        if order_id == "o-3":
            raise KeyboardInterrupt
        return read(client, order_id)

    with monkeypatch.context() as patch:
        patch.setattr(TrackingClient, "get_packages", read_until_the_kill)
        with pytest.raises(KeyboardInterrupt):
            run(vtex_sandbox, journal)
    assert reads(vtex_sandbox) == ["o-0", "o-1", "o-2"]
    result = run(vtex_sandbox, journal)
    assert reads(vtex_sandbox) == ["o-3", "o-4", "o-5"]
    assert (result.listed, result.read) == (1, 3)
    # One of another period begins anew, and so does one that follows a finished one.
    assert run(vtex_sandbox, journal, last=FIRST).listed == 2
    assert run(vtex_sandbox, journal).listed == 6


def test_orders_that_the_feed_brought(vtex_sandbox: VtexSandbox, file: Journal) -> None:
    """An order that was read since its window is not read again; one that has an invoice that the feed lost is."""
    pace = Pace(rate=1e6, initial_rate=1e6)
    store = OrderStore(file, vtex_sandbox.client)
    add(vtex_sandbox, "o-0", 1)
    sync_feed(vtex_sandbox.client, store, pace)
    add(vtex_sandbox, "o-1", 26)
    add(vtex_sandbox, "o-2", 30)
    sync_feed(vtex_sandbox.client, store, pace)
    vtex_sandbox.oms.add_invoice("o-2", "2", tracking_number="QB2")
    vtex_sandbox.oms.feeds.clear()
    sync_feed(vtex_sandbox.client, store, pace)
    vtex_sandbox.oms.clock = (MIDNIGHT + dt.timedelta(hours=48)).timestamp
    vtex_sandbox.change_status("o-1", "canceled")
    sync_feed(vtex_sandbox.client, store, pace)
    assert reads(vtex_sandbox) == ["o-1", "o-2", "o-1"]
    result = run(vtex_sandbox, file)
    assert reads(vtex_sandbox) == ["o-0", "o-2"]
    assert (result.listed, result.known, result.read) == (3, 1, 2)
    assert [*store.find("QB2")]


def test_a_period_that_ends_in_the_future(vtex_sandbox: VtexSandbox, file: Journal) -> None:
    """The last minutes are left to the feed, because VTEX lists orders late; a later run has them."""
    add(vtex_sandbox, "o-0", 11.5)
    add(vtex_sandbox, "o-1", 11.9)
    noon = MIDNIGHT + dt.timedelta(hours=12)
    result = run(vtex_sandbox, file, noon)
    assert (result.listed, result.until) == (1, noon - dt.timedelta(minutes=15))
    result = run(vtex_sandbox, file, noon + dt.timedelta(hours=1))
    assert (result.listed, result.read) == (2, 1)
    assert run(vtex_sandbox, file, MIDNIGHT).listed == 0
    assert run(vtex_sandbox, file).until is None


def test_the_longest_period(vtex_sandbox: VtexSandbox, file: Journal) -> None:
    """The first and the last day that Python knows are a period; windows begin in 2000."""
    pace, now = Pace(rate=1e6, initial_rate=1e6), dt.datetime(2000, 1, 2, tzinfo=dt.UTC)
    result = backfill(
        vtex_sandbox.client, OrderStore(file, vtex_sandbox.client), dt.date.min, dt.date.max, pace, now=now
    )
    assert (result.is_complete, len(vtex_sandbox.oms.received)) == (True, 1)


def test_too_many_orders_in_one_moment(vtex_sandbox: VtexSandbox, file: Journal) -> None:
    """What VTEX does not list is counted, and the run is not complete."""
    for number in range(8):
        add(vtex_sandbox, f"o-{number}", 1)
    result = run(vtex_sandbox, file)
    assert (result.read, result.unlisted, result.is_complete) == (6, 2, False)


def test_a_list_that_moves_while_it_is_read(
    vtex_sandbox: VtexSandbox, file: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window whose pages have fewer orders than VTEX counts is listed again."""
    for order_id in ("o-1", "o-2", "o-3"):
        add(vtex_sandbox, order_id, 1)
    pages = iter(
        [
            *(OrderPage(("o-1", "o-2"), 1, 2, 3), OrderPage(("o-2",), 2, 2, 3)),
            *(OrderPage(("o-1", "o-2"), 1, 2, 3), OrderPage(("o-3",), 2, 2, 3)),
        ]
    )
    monkeypatch.setattr(TrackingClient, "list_orders", lambda *_, **__: next(pages))
    result = run(vtex_sandbox, file, last=FIRST)
    assert (result.listed, result.read, result.is_complete) == (3, 3, True)


def test_an_order_that_fails(vtex_sandbox: VtexSandbox, file: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried once a run; the orders after it are read, and a later run reads it."""
    for order_id, hour in (("o-1", 1), ("o-2", 30)):
        add(vtex_sandbox, order_id, hour)
    read, tried = TrackingClient.get_packages, []

    def fail(client: TrackingClient, order_id: str) -> object:
        tried.append(order_id)
        if order_id == "o-1":
            raise errors.ReadFailedError("No answer.")
        return read(client, order_id)

    with monkeypatch.context() as patch:
        patch.setattr(TrackingClient, "get_packages", fail)
        result = run(vtex_sandbox, file)
    assert (tried, result.failed, result.read) == (["o-1", "o-2"], {"o-1": "No answer."}, 1)
    assert sync_feed(vtex_sandbox.client, OrderStore(file, vtex_sandbox.client), has_feed=False).read == 1


def test_runs_that_end_early(vtex_sandbox: VtexSandbox, file: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused list ends the run with its error; a wrong period and a journal that fails raise."""
    with pytest.raises(errors.ConfigurationError, match="2026-08-31, is before the first, 2026-09-01"):
        run(vtex_sandbox, file, last=dt.date(2026, 8, 31))
    failures = iter([errors.PermissionDeniedError("no List Orders", status_code=403), JournalError("full")])

    def fail(*_: object, **__: object) -> None:
        raise next(failures)

    monkeypatch.setattr(TrackingClient, "list_orders", fail)
    assert isinstance(run(vtex_sandbox, file).error, errors.PermissionDeniedError)
    with pytest.raises(JournalError):
        run(vtex_sandbox, file)
