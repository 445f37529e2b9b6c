"""What users' own tests get."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import (
    ConflictError,
    FeedConfiguration,
    OrderPage,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RetryPolicy,
    TrackingClient,
    TrackingEvent,
)
from vtex_tracking_ext.sandbox import READ_ONLY_APP_KEY, READ_ONLY_APP_TOKEN, USER_TOKEN, OmsSettings

if TYPE_CHECKING:
    from vtex_tracking_ext.testing import VtexSandbox

ORDER, INVOICE = "1172452900788-01", "000030711"
EVENT = TrackingEvent(dt.date(2015, 6, 23), "Coletado", "Rio de Janeiro", "RJ")


def test_a_client_is_ready_and_events_are_asserted(vtex_sandbox: VtexSandbox) -> None:
    """Events are compared in order, whatever the form of their dates."""
    vtex_sandbox.add_order(ORDER, [INVOICE])
    vtex_sandbox.assert_events(ORDER, INVOICE, [])
    vtex_sandbox.client.update(ORDER, INVOICE, events=[EVENT])
    vtex_sandbox.assert_events(ORDER, INVOICE, [EVENT])
    assert vtex_sandbox.events(ORDER, INVOICE)[0].date == "2015-06-23"
    vtex_sandbox.client.update(ORDER, INVOICE, events=[EVENT])
    with pytest.raises(AssertionError):
        vtex_sandbox.assert_events(ORDER, INVOICE, [EVENT])


def test_a_delivery_is_asserted(vtex_sandbox: VtexSandbox) -> None:
    """A delivery is asserted with its date or without."""
    vtex_sandbox.add_order(ORDER, [INVOICE])
    with pytest.raises(AssertionError, match="was not reported as delivered"):
        vtex_sandbox.assert_delivered(ORDER, INVOICE)

    async def deliver() -> None:
        async with vtex_sandbox.async_client() as client:
            await client.mark_delivered(ORDER, INVOICE, delivered_date="2022-10-01 21:15")

    asyncio.run(deliver())
    vtex_sandbox.assert_delivered(ORDER, INVOICE)
    vtex_sandbox.assert_delivered(ORDER, INVOICE, "2022-10-01")
    for right in ("2022-10-01 21:15", dt.date(2022, 10, 1), dt.datetime(2022, 10, 1, 21, 15)):  # noqa: DTZ001
        vtex_sandbox.assert_delivered(ORDER, INVOICE, right)
    told = f"^invoice {INVOICE} of order {ORDER} was delivered 2022-10-01 21:15, not "
    for wrong in ("2022-10-02", "2022-10-01 21:16", "2022-10", "", dt.datetime(2022, 10, 1)):  # noqa: DTZ001
        with pytest.raises(AssertionError, match=told + str(wrong)[:16]):
            vtex_sandbox.assert_delivered(ORDER, INVOICE, wrong)


def test_a_delivery_without_a_date_is_not_on_any_day(vtex_sandbox: VtexSandbox) -> None:
    """A delivery without a date fails an assertion with one, and one with a day fails one with a minute."""
    vtex_sandbox.add_order(ORDER, ["1", "2"])
    vtex_sandbox.client.mark_delivered(ORDER, "1")
    vtex_sandbox.assert_delivered(ORDER, "1")
    with pytest.raises(AssertionError, match="was delivered without a date, not 2022-10-01"):
        vtex_sandbox.assert_delivered(ORDER, "1", "2022-10-01")
    vtex_sandbox.client.mark_delivered(ORDER, "2", delivered_date="2022-10-01")
    vtex_sandbox.assert_delivered(ORDER, "2", "2022-10-01")
    with pytest.raises(AssertionError, match="was delivered 2022-10-01, not 2022-10-01 00:00"):
        vtex_sandbox.assert_delivered(ORDER, "2", "2022-10-01 00:00")


def test_an_unknown_order_or_invoice_is_named(vtex_sandbox: VtexSandbox) -> None:
    """The message lists the existing ones, so that a typo is easy to find."""
    with pytest.raises(AssertionError, match=r"^no order nope in the sandbox; existing: none"):
        vtex_sandbox.assert_events("nope", INVOICE, [])
    vtex_sandbox.add_order(ORDER, [INVOICE])
    for call in (vtex_sandbox.events, vtex_sandbox.assert_delivered):
        with pytest.raises(AssertionError, match=f"^no order nope in the sandbox; existing: {ORDER}"):
            call("nope", INVOICE)
        with pytest.raises(AssertionError, match=f"^no invoice 9 on order {ORDER}; existing: {INVOICE}"):
            call(ORDER, "9")


def test_errors_can_be_configured(vtex_sandbox: VtexSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals and a rate limit can be set, and a client can come from the environment."""
    vtex_sandbox.add_order(ORDER, [INVOICE], status="canceled")
    vtex_sandbox.add_order("2-01", [INVOICE], tracking_number=None)
    for order in (ORDER, "2-01"):
        with pytest.raises(ConflictError):
            vtex_sandbox.client.update(order, INVOICE, events=[EVENT])
    vtex_sandbox.configure(OmsSettings(rate_limit=0))
    for name, value in vtex_sandbox.environ.items():
        monkeypatch.setenv(name, value)
    with TrackingClient.from_env(retry=RetryPolicy(attempts=1)) as client, pytest.raises(RateLimitedError):
        client.update(ORDER, INVOICE, events=[EVENT])


@pytest.mark.parametrize("after_applying", [True, False])
def test_the_next_requests_fail(vtex_sandbox: VtexSandbox, after_applying: bool) -> None:
    """A status and a cut connection, as often as asked for, leave the outcome unknown to the client only."""
    vtex_sandbox.add_order(ORDER, [INVOICE])
    vtex_sandbox.fail_next(503, after_applying=after_applying, times=2)
    vtex_sandbox.cut_next(after_applying=after_applying)
    for _ in range(3):
        with pytest.raises(OutcomeUnknownError):
            vtex_sandbox.client.update(ORDER, INVOICE, events=[EVENT])
    assert len(vtex_sandbox.events(ORDER, INVOICE)) == 3 * after_applying
    vtex_sandbox.client.update(ORDER, INVOICE, events=[EVENT])


def test_faults_have_defaults(vtex_sandbox: VtexSandbox) -> None:
    """An error comes before applying; a connection is cut after."""
    vtex_sandbox.add_order(ORDER, [INVOICE])
    vtex_sandbox.fail_next(500)
    with pytest.raises(OutcomeUnknownError):
        vtex_sandbox.client.update(ORDER, INVOICE, events=[EVENT])
    vtex_sandbox.assert_events(ORDER, INVOICE, [])
    vtex_sandbox.cut_next()
    with pytest.raises(OutcomeUnknownError):
        vtex_sandbox.client.update(ORDER, INVOICE, events=[EVENT])
    vtex_sandbox.assert_events(ORDER, INVOICE, [EVENT])


def test_a_fault_can_be_of_one_operation(vtex_sandbox: VtexSandbox) -> None:
    """The other requests are answered as usual, until the reset."""
    vtex_sandbox.add_order(ORDER, [INVOICE])
    vtex_sandbox.fail_next(403, times=None, operation="get_packages")
    vtex_sandbox.client.update(ORDER, INVOICE, events=[EVENT])
    for _ in range(2):
        with pytest.raises(PermissionDeniedError):
            vtex_sandbox.client.get_packages(ORDER)
    with pytest.raises(ValueError, match="is not an operation"):
        vtex_sandbox.fail_next(500, operation="put")  # type: ignore[arg-type]


def test_a_late_answer_is_not_waited_for(vtex_sandbox: VtexSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client's timeout ends the call, with its outcome unknown; the sandbox does not wait, either."""
    vtex_sandbox.add_order(ORDER, [INVOICE])
    for name, value in vtex_sandbox.environ.items():
        monkeypatch.setenv(name, value)
    vtex_sandbox.slow_next()
    with TrackingClient.from_env(timeout=0.5) as client, pytest.raises(OutcomeUnknownError):
        client.update(ORDER, INVOICE, events=[EVENT])


def test_a_client_waits_after_a_429(vtex_sandbox: VtexSandbox) -> None:
    """It waits as long as the sandbox asks it to, and sends the update once more."""
    vtex_sandbox.add_order(ORDER, [INVOICE])
    vtex_sandbox.rate_limit(retry_after=0)
    assert vtex_sandbox.client.update(ORDER, INVOICE, events=[EVENT]).attempts == 2
    vtex_sandbox.assert_events(ORDER, INVOICE, [EVENT])
    vtex_sandbox.rate_limit(retry_after=200)
    with pytest.raises(RateLimitedError) as caught:
        vtex_sandbox.client.update(ORDER, INVOICE, events=[EVENT])
    assert caught.value.retry_after == 200


def test_duplicates_fail_an_assertion(vtex_sandbox: VtexSandbox) -> None:
    """The message names the event. An equal event of another package, or one with another text, is not a duplicate."""
    vtex_sandbox.add_order(ORDER, [INVOICE, "000030712"])
    other = TrackingEvent("2015-06-23", "Postado", "Rio de Janeiro", "RJ")
    for invoice in (INVOICE, "000030712"):
        vtex_sandbox.client.update(ORDER, invoice, events=[EVENT, other])
    vtex_sandbox.assert_no_duplicates()
    vtex_sandbox.client.update(ORDER, INVOICE, events=[EVENT])
    with pytest.raises(
        AssertionError, match=rf"sees twice: invoice {INVOICE} of order {ORDER}: 2015-06-23 Coletado(\n|$)"
    ):
        vtex_sandbox.assert_no_duplicates()


def test_a_reset_returns_to_the_start(vtex_sandbox: VtexSandbox) -> None:
    """Orders, requests, faults and settings are those of a new sandbox; its address and client stay."""
    vtex_sandbox.add_order(ORDER, [INVOICE])
    vtex_sandbox.client.update(ORDER, INVOICE, events=[EVENT])
    vtex_sandbox.configure(OmsSettings(rate_limit=0))
    vtex_sandbox.fail_next(500, times=None)
    vtex_sandbox.reset()
    assert (vtex_sandbox.oms.orders, list(vtex_sandbox.oms.received)) == ({}, [])
    vtex_sandbox.add_order(ORDER, [INVOICE])
    vtex_sandbox.client.update(ORDER, INVOICE, events=[EVENT])
    vtex_sandbox.assert_events(ORDER, INVOICE, [EVENT])


def test_each_test_has_a_sandbox_of_its_own(vtex_sandbox: VtexSandbox) -> None:
    """The orders of another test are not there."""
    assert vtex_sandbox.oms.orders == {}


def test_a_missing_extra_is_named(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure has the command that installs it."""
    monkeypatch.delattr("vtex_tracking_ext.sandbox", raising=False)
    monkeypatch.setitem(sys.modules, "vtex_tracking_ext.sandbox", None)
    pytester.makepyfile("def test_it(vtex_sandbox): pass")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*pip install 'vtex-tracking?testing?'*"])


def test_orders_are_found_by_the_feed_and_the_list(vtex_sandbox: VtexSandbox) -> None:
    """A change is read, its order and the key of its invoice too, and after the commit it does not come again."""
    client, configuration = vtex_sandbox.client, FeedConfiguration(["invoiced", "canceled"])
    assert client.get_feed_configuration() is None
    assert client.configure_feed(configuration) == client.get_feed_configuration() == configuration
    vtex_sandbox.add_order(ORDER, [INVOICE], invoice_keys={INVOICE: "4" * 44})
    (item,) = client.read_feed()
    assert (item.order_id, item.state) == (ORDER, "invoiced")
    assert client.read_feed() == ()
    assert client.get_packages(item.order_id)[0].invoice_key == "4" * 44
    client.commit_feed([item.handle])
    vtex_sandbox.change_status(ORDER, "canceled")
    assert [item.state for item in client.read_feed()] == ["canceled"]
    assert client.list_orders(status="canceled") == OrderPage((ORDER,), page=1, pages=1, total=1)


def test_the_feed_belongs_to_the_credentials(vtex_sandbox: VtexSandbox) -> None:
    """A user token has another one than the app key, and a key without the resource none."""
    vtex_sandbox.client.configure_feed(FeedConfiguration())
    with TrackingClient("sandbox", base_url=vtex_sandbox.url, user_token=USER_TOKEN) as user:
        assert user.get_feed_configuration() is None
    reader: dict[str, Any] = {"app_key": READ_ONLY_APP_KEY, "app_token": READ_ONLY_APP_TOKEN}
    with TrackingClient("sandbox", base_url=vtex_sandbox.url, **reader) as client:
        assert client.list_orders().total == 0
        with pytest.raises(PermissionDeniedError, match="Feed v3 and Hook Admin"):
            client.read_feed()
