"""Orders from the feed and the hook, against the sandbox: saved first, committed after."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from attrs import evolve

from vtex_tracking_ext import FeedConfiguration, TrackingClient, errors
from vtex_tracking_ext.bulk.delivery.calls import AccountPause
from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.delivery.paced import CancelledError
from vtex_tracking_ext.bulk.journal.account_name import account_name_of
from vtex_tracking_ext.bulk.journal.entries import AccountUpdate
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader
from vtex_tracking_ext.orders import OrderStore
from vtex_tracking_ext.orders.reader import OrderReader
from vtex_tracking_ext.orders.sync import CONFIGURATION, receive_notification, sync_feed
from vtex_tracking_ext.orders.to_read import OrdersToRead, Request
from vtex_tracking_ext.sandbox import OmsSettings, notification
from vtex_tracking_ext.sandbox.hook import PING

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.orders.reader import Synced
    from vtex_tracking_ext.testing import VtexSandbox

    from support.journaled import Clock

#: When the tests begin, by the sandbox's clock.
START = dt.datetime(2026, 10, 1, 12, tzinfo=dt.UTC).timestamp()


@pytest.fixture
def now(vtex_sandbox: VtexSandbox) -> list[float]:
    """Return the sandbox's time, which tests change."""
    times = [START]
    vtex_sandbox.oms.clock = lambda: times[0]
    return times


def fast(**options: Any) -> Pace:
    """Return a pace that never waits, except for freezes."""
    return Pace(rate=1e6, initial_rate=1e6, **options)


def synced(sandbox: VtexSandbox, journal: Journal, **options: Any) -> Synced:
    """Sync once."""
    return sync_feed(sandbox.client, OrderStore(journal, sandbox.client), fast(), **options)


def known(sandbox: VtexSandbox, journal: Journal, what: str) -> list[tuple[str, str, str]]:
    """Return order, invoice and status of the packages that are known with an identifier."""
    found = OrderStore(journal, sandbox.client).find(what)
    return [(each.package.order_id, each.package.invoice_number, each.order_status) for _, each in found]


def calls(sandbox: VtexSandbox) -> list[str]:
    """Return the requests that the sandbox received since the last call, in short."""
    short = [f"{each.method} {each.path.rpartition('/')[2]}" for each in sandbox.oms.received]
    sandbox.oms.received.clear()
    return short


def test_orders_of_the_feed_are_saved(vtex_sandbox: VtexSandbox, journal: Journal, now: list[float]) -> None:
    """A key without a feed gets one. Later items are committed after their order is read, once for each answer."""
    assert synced(vtex_sandbox, journal).is_configured
    assert vtex_sandbox.client.get_feed_configuration() == CONFIGURATION
    for number in range(9):
        vtex_sandbox.add_order(f"o-{number}", ["1"])
    vtex_sandbox.oms.add_invoice("o-3", "2", tracking_number="BR000000999BR")
    now[0] += 60
    vtex_sandbox.change_status("o-8", "canceled")
    calls(vtex_sandbox)
    result = synced(vtex_sandbox, journal)
    assert (result.items, result.read, result.committed, result.known) == (11, 10, 11, 0)
    assert result.is_complete
    reads = [f"GET o-{number}" for number in range(9)]
    feed = "GET feed"
    assert calls(vtex_sandbox) == [
        *("GET config", feed, *reads, "POST feed", feed, "GET o-8", "POST feed", feed, feed),
    ]
    assert known(vtex_sandbox, journal, "BR000000999BR") == [("o-3", "2", "invoiced")]
    assert known(vtex_sandbox, journal, "o-8") == [("o-8", "1", "canceled")]
    assert synced(vtex_sandbox, journal).items == 0


def test_a_run_that_is_killed_before_the_commit(
    vtex_sandbox: VtexSandbox, file: Journal, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The orders are saved. Their items come again, and are committed without reading the orders again."""
    synced(vtex_sandbox, file)
    for number in range(3):
        vtex_sandbox.add_order(f"o-{number}", ["1"])
    with monkeypatch.context() as patch:
        patch.setattr(TrackingClient, "commit_feed", _raise(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            synced(vtex_sandbox, file)
    assert known(vtex_sandbox, file, "o-2") == [("o-2", "1", "invoiced")]
    assert synced(vtex_sandbox, file).items == 0  # still hidden
    now[0] += 241
    result = synced(vtex_sandbox, file)
    assert (result.items, result.read, result.known, result.committed) == (3, 0, 3, 3)


def test_orders_that_fail_and_orders_that_do_not_exist(
    vtex_sandbox: VtexSandbox, file: Journal, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed order is named, and its item comes again; the item of an order that VTEX does not have is committed."""
    synced(vtex_sandbox, file)
    for order_id in ("o-1", "o-2", "o-3"):
        vtex_sandbox.add_order(order_id, ["1"])
    del vtex_sandbox.oms.orders["o-2"]
    read = TrackingClient.get_packages

    def fail(client: TrackingClient, order_id: str) -> Any:
        if order_id == "o-1":
            raise errors.ReadFailedError("The order is too large.")
        return read(client, order_id)

    with monkeypatch.context() as patch:
        patch.setattr(TrackingClient, "get_packages", fail)
        result = synced(vtex_sandbox, file)
    assert (result.read, result.missing, result.committed) == (1, 1, 2)
    assert (result.failed, result.is_complete) == ({"o-1": "The order is too large."}, False)
    now[0] += 241
    result = synced(vtex_sandbox, file)
    assert (result.items, result.read, result.is_complete) == (1, 1, True)


def test_a_reading_that_is_older_than_a_saved_one(
    vtex_sandbox: VtexSandbox, file: Journal, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order to which another process saved a package, while it was read, is read again: the package stays known."""
    synced(vtex_sandbox, file)
    vtex_sandbox.add_order("o-1", ["1"])
    read, is_first = TrackingClient.get_packages, [True, False, False]

    def read_slowly(client: TrackingClient, order_id: str) -> Any:
        packages = read(client, order_id)
        if is_first.pop(0):
            now[0] += 1
            vtex_sandbox.oms.add_invoice(order_id, "2")
            assert synced(vtex_sandbox, file).committed == 1
        return packages

    monkeypatch.setattr(TrackingClient, "get_packages", read_slowly)
    assert synced(vtex_sandbox, file).committed == 1
    assert [invoice for _, invoice, _ in known(vtex_sandbox, file, "o-1")] == ["1", "2"]


def test_a_change_without_a_time_is_always_read(vtex_sandbox: VtexSandbox, file: Journal) -> None:
    """Neither an unknown time nor one without a zone says that the order was read since."""
    vtex_sandbox.add_order("o-1", ["1"])
    reader = OrderReader(vtex_sandbox.client, OrderStore(file, vtex_sandbox.client), fast())
    reader.read(Request("o-1", dt.datetime(2026, 10, 1, tzinfo=dt.UTC)))
    changes = reader.to_read.changes_read(["o-1", "o-2"])
    assert [*changes] == ["o-1"]
    assert Request("o-1", changes["o-1"]).is_read(changes)
    assert not Request("o-1", changes["o-1"].replace(tzinfo=None)).is_read(changes)
    assert not Request("o-1").is_read(changes)


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"filter": {"type": "FromWorkflow", "status": ["ready-for-handling"]}}, "ready-for-handling.*such as an ERP"),
        ({"filter": {"type": "FromWorkflow", "status": ["invoiced"]}}, "follows the statuses invoiced, and not"),
        (
            {"filter": {"type": "FromOrders", "expression": "value > 0"}},
            "the condition value > 0 .type FromOrders.*contents of orders",
        ),
    ],
)
def test_the_feed_of_another_system(
    vtex_sandbox: VtexSandbox, file: Journal, configuration: dict[str, Any], message: str
) -> None:
    """It is neither read nor changed, also not with ``reconfigure``; the error says whose it looks like."""
    queue = {"visibilityTimeoutInSeconds": 250, "MessageRetentionPeriodInSeconds": 345_600}
    (key,) = _feed_keys(vtex_sandbox)
    vtex_sandbox.oms.configure_feed(key, {**configuration, "queue": queue})
    vtex_sandbox.add_order("o-1", ["1"])
    before = vtex_sandbox.oms.get_feed_configuration(key)
    for reconfigure in (False, True):
        with pytest.raises(errors.ConfigurationError, match=message):
            synced(vtex_sandbox, file, reconfigure=reconfigure)
    assert vtex_sandbox.oms.get_feed_configuration(key)["filter"] == before["filter"]
    assert calls(vtex_sandbox) == ["GET config"] * 2


def _feed_keys(sandbox: VtexSandbox) -> list[str]:
    """Return the app keys that have a feed, after one was configured and removed again."""
    sandbox.client.configure_feed(FeedConfiguration())
    keys = [*sandbox.oms.feeds]
    sandbox.oms.feeds.clear()
    sandbox.oms.received.clear()
    return keys


def test_own_statuses_with_other_times(vtex_sandbox: VtexSandbox, file: Journal) -> None:
    """The feed is used as it is, and configured again if the user says so."""
    own = evolve(CONFIGURATION, visibility_timeout=300)
    vtex_sandbox.client.configure_feed(own)
    assert not synced(vtex_sandbox, file).is_configured
    assert vtex_sandbox.client.get_feed_configuration() == own
    assert synced(vtex_sandbox, file, reconfigure=True).is_configured
    assert vtex_sandbox.client.get_feed_configuration() == CONFIGURATION


def test_notifications_of_the_hook(vtex_sandbox: VtexSandbox, journal: Journal) -> None:
    """A notification is on disk when the function returns; a sync reads its order, also without a feed."""
    vtex_sandbox.add_order("o-1", ["1"], status="invoiced")
    store = OrderStore(journal, vtex_sandbox.client)
    payload = notification(vtex_sandbox.oms.orders["o-1"].change)
    assert receive_notification(payload, store)
    assert receive_notification(json.dumps({**payload, "OrderId": "o-2"}).encode(), store)
    assert not receive_notification(PING, store)
    result = synced(vtex_sandbox, journal, has_feed=False)
    assert (result.read, result.missing, result.items) == (1, 1, 0)
    assert known(vtex_sandbox, journal, "o-1") == [("o-1", "1", "")]
    assert calls(vtex_sandbox) == ["GET o-1", "GET o-2"]
    assert synced(vtex_sandbox, journal, has_feed=False).read == 0


def test_a_notification_that_comes_while_its_order_is_read(vtex_sandbox: VtexSandbox, file: Journal) -> None:
    """The order may have changed after it was read, so it is read once more."""
    vtex_sandbox.add_order("o-1", ["1"])
    store = OrderStore(file, vtex_sandbox.client)
    payload = notification(vtex_sandbox.oms.orders["o-1"].change)
    receive_notification(payload, store)
    reader = OrderReader(vtex_sandbox.client, store, fast())
    (request,) = reader.to_read.requests()
    receive_notification(payload, store)
    reader.read(request)
    assert synced(vtex_sandbox, file, has_feed=False).read == 1
    assert synced(vtex_sandbox, file, has_feed=False).read == 0


def test_reading_ends_after_some_seconds(vtex_sandbox: VtexSandbox, file: Journal) -> None:
    """The orders that are left are read by the next run."""
    vtex_sandbox.add_order("o-1", ["1"])
    store = OrderStore(file, vtex_sandbox.client)
    receive_notification(notification(vtex_sandbox.oms.orders["o-1"].change), store)
    assert not OrderReader(vtex_sandbox.client, store, fast()).read_requested(-1.0)
    reader = OrderReader(vtex_sandbox.client, store, fast())
    assert reader.read_requested(60.0)
    assert reader.synced.read == 1


def test_requests_are_pruned(file: Journal, clock: Clock) -> None:
    """A request that no run answered for long is deleted with old entries; one that was repeated since stays."""
    to_read = OrdersToRead(file, "mystore")
    for order_id in ("o-1", "o-2"):
        to_read.add(order_id)
    clock.now += dt.timedelta(days=2)
    to_read.add("o-2")
    file.prune(dt.timedelta(days=1))
    assert to_read.requests() == [Request("o-2", None, 2)]


def test_what_is_no_notification(file: Journal) -> None:
    """An error says what is wrong, and nothing is recorded."""
    store = OrderStore(file, "mystore")
    payload = {"OrderId": "o-1", "Origin": {"Account": "mystore", "Key": "vtexappkey-mystore-MODELO"}}
    for wrong, message in (
        ("[]", "payload: it is not a JSON object"),
        (b"\xff", "payload: it is not a JSON object"),
        ({**payload, "OrderId": None}, "OrderId: None is not text"),
        ({**payload, "OrderId": "../o-1"}, "OrderId: "),
        ({**payload, "Origin": {"Account": ""}}, "Origin.Account: it is missing"),
        ({**payload, "Origin": None}, "Origin.Account: it is missing"),
    ):
        with pytest.raises(errors.InvalidUpdateError, match=message):
            receive_notification(cast("Any", wrong), store)
    with pytest.raises(errors.ConfigurationError, match="other is not the account of this run"):
        receive_notification({**payload, "Origin": {"Account": "other"}}, store)
    assert OrdersToRead(file, "mystore").requests() == []
    assert receive_notification(payload, store)
    assert OrdersToRead(file, "mystore").requests() == [Request("o-1", None, 1)]


def test_a_rate_limit_pauses_all_processes(vtex_sandbox: VtexSandbox, file: Journal) -> None:
    """A 429 is reported, and recorded for other processes unless one of them delivers; the call is made again."""
    vtex_sandbox.configure(OmsSettings(rate_limit=1, retry_after=2))
    waited: list[float] = []
    pauses: list[AccountPause] = []
    clock = _WaitingClock(vtex_sandbox, waited)
    pace = Pace(clock, rate=1e6, initial_rate=1e6, changed=cast("Any", clock))
    vtex_sandbox.client.get_feed_configuration()
    store = OrderStore(file, vtex_sandbox.client)
    assert sync_feed(vtex_sandbox.client, store, pace, on_pause=pauses.append).is_complete
    name = account_name_of(vtex_sandbox.client)
    assert [(each.account, each.seconds) for each in pauses] == [(name, 2.0)]
    assert max(waited) == 2.0
    record = file.account(name)
    assert record is not None
    assert record.quiet_seconds == 2
    assert "429" in record.quiet_reason
    # A later process waits as long, and keeps what deliveries learned.
    pace = fast(longest_wait=0.1)
    assert not OrderReader(vtex_sandbox.client, store, pace).pace.wait_for_turn()
    assert 0 < pace.quiet_seconds <= 2


class _WaitingClock:
    """A clock, and a condition that moves it instead of waiting. Then the sandbox has no limit any more."""

    def __init__(self, sandbox: VtexSandbox, waited: list[float]) -> None:
        self.now = 1.0
        self._sandbox = sandbox
        self._waited = waited

    def __call__(self) -> float:
        return self.now

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def notify_all(self) -> None:
        pass

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self._waited.append(seconds)
        self._sandbox.configure(OmsSettings())


def test_pauses_of_other_processes(vtex_sandbox: VtexSandbox, file: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the lease is taken, a pause is not recorded; a pause that another process records holds this one."""
    store, name = OrderStore(file, vtex_sandbox.client), account_name_of(vtex_sandbox.client)
    monkeypatch.setattr("vtex_tracking_ext.orders.reader._QUIET_INTERVAL", -1)
    pace = fast(longest_wait=0.1)
    reader = OrderReader(vtex_sandbox.client, store, pace)
    reader.call(lambda client: client.get_feed_configuration())
    with file.lease(name) as lease:
        assert lease is not None
        reader._paused(AccountPause(name, 30.0, "429"))
        assert not lease.record.quiet_seconds
        lease.update_account(AccountUpdate(quiet_seconds=30.0, pace='{"rate": 2.5}'))
    with pytest.raises(CancelledError):
        reader.call(lambda client: client.read_feed())
    assert 29 < pace.quiet_seconds <= 30
    reader = OrderReader(vtex_sandbox.client, store)
    assert 29 < reader.pace.delay() <= 30
    assert json.loads(reader.pace.learned())["rate"] == 2.5
    reader._paused(AccountPause(name, 60.0, "429"))
    record = file.account(name)
    assert record is not None
    assert (record.quiet_seconds, record.pace) == (60, '{"rate": 2.5}')


def test_runs_that_end_early(vtex_sandbox: VtexSandbox, file: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled run and one without rights say why they ended; a journal that fails raises."""
    store = OrderStore(file, vtex_sandbox.client)
    pace = fast()
    pace.cancel()
    assert sync_feed(vtex_sandbox.client, store, pace).is_cancelled
    vtex_sandbox.add_order("o-1", ["1"])
    receive_notification(notification(vtex_sandbox.oms.orders["o-1"].change), store)
    error = errors.PermissionDeniedError("no View order", status_code=403)
    with monkeypatch.context() as patch:
        patch.setattr(TrackingClient, "get_packages", _raise(error))
        result = synced(vtex_sandbox, file)
    assert (result.error, result.failed, result.is_complete) == (error, {}, False)
    for failure in (JournalError("full"), errors.ConfigurationError("closed")):
        with monkeypatch.context() as patch:
            patch.setattr(TrackingClient, "get_packages", _raise(failure))
            with pytest.raises(type(failure)):
                synced(vtex_sandbox, file)


def _raise(error: BaseException) -> Callable[..., Any]:
    def function(*_: object) -> Any:
        raise error

    return function


def test_a_journal_that_is_open_for_reading(vtex_sandbox: VtexSandbox, file: SqliteJournal) -> None:
    """Nothing could be saved, so nothing is read."""
    with SqliteReader.open(file.path) as reader, pytest.raises(errors.ConfigurationError, match="for writing"):
        synced(vtex_sandbox, reader)  # type: ignore[arg-type]
