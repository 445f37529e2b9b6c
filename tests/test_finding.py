"""The calls that find orders, against a made-up server. Each test runs with either twin."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from vtex_tracking_ext import (
    ConflictError,
    FeedConfiguration,
    FeedItem,
    InvalidUpdateError,
    NotFoundError,
    NotSentError,
    OrderPage,
    OutcomeUnknownError,
    PermissionDeniedError,
    ReadFailedError,
    RetryPolicy,
    errors,
)

from support.answers import Recorder, async_client, sync_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.answers import Twin

    Make = Callable[..., Twin]

#: VTEX's example, with a shorter handle.
ITEM = {
    "eventId": "ED423DDED4C1AE580CADAC1A4D02DA3F",
    "handle": "MADEUPHANDLE",
    "domain": "Fulfillment",
    "state": "ready-for-handling",
    "lastState": "window-to-cancel",
    "orderId": "953712004126-01",
    "lastChange": "2019-08-12T20:54:01.134057Z",
    "currentChange": "2019-08-12T20:54:23.7153839Z",
}
WANTED = FeedConfiguration(statuses=["invoiced", "canceled"])
#: As VTEX's guide shows an answer; the name of the last field differs from that of the request.
STORED = {
    "filter": {"type": "FromWorkflow", "status": ["canceled", "invoiced"]},
    "queue": {"visibilityTimeoutInSeconds": 240, "messageRetentionPeriodInSeconds": 1_209_600},
    "quantity": 1261,
}
OTHERS = {
    "filter": {"type": "FromOrders", "expression": 'status = "invoiced"', "disableSingleFire": False},
    "queue": {"visibilityTimeoutInSeconds": 60, "MessageRetentionPeriodInSeconds": 345_600},
}
NO_FEED = httpx.Response(404)
DONE = httpx.Response(200)
DAY = (dt.datetime(2022, 1, 1, 2, tzinfo=dt.UTC), dt.datetime(2022, 1, 2, 1, 59, 59, 999_999, tzinfo=dt.UTC))


@pytest.fixture(params=[sync_client, async_client])
def make(request: pytest.FixtureRequest, twin: Callable[..., Twin]) -> Make:
    """Return a function that returns a client for a server."""
    return lambda server, **options: twin(request.param, server, **options)


def listed(*order_ids: object, **paging: object) -> httpx.Response:
    """Return a page of the order list, as VTEX documents it."""
    orders = [{"orderId": order_id, "clientName": "MADEUPNAME"} for order_id in order_ids]
    numbers = {"total": 84, "pages": 6, "currentPage": 1, "perPage": 15, **paging}
    return httpx.Response(200, json={"list": orders, "facets": [], "paging": numbers, "stats": {}})


def test_items_of_the_feed_are_read(make: Make) -> None:
    """Each has what is needed to read its order and to commit it; its repr does not show the handle."""
    server = Recorder(httpx.Response(200, json=[ITEM, {**ITEM, "state": None, "currentChange": None}]))
    first, second = make(server).read_feed(2)
    changed_at = dt.datetime(2019, 8, 12, 20, 54, 23, 715_383, tzinfo=dt.UTC)
    assert first == FeedItem(
        "ED423DDED4C1AE580CADAC1A4D02DA3F", "MADEUPHANDLE", "953712004126-01", "ready-for-handling", changed_at
    )
    assert (second.state, second.changed_at) == (None, None)
    assert "MADEUPHANDLE" not in repr(first)
    (request,) = server.requests
    assert (request.method, request.url.raw_path, request.content) == ("GET", b"/api/orders/feed?maxlot=2", b"")


def test_an_empty_feed_and_unusable_items(make: Make) -> None:
    """An empty list is a result; an item without an order id or a handle is left out, and hides no other one."""
    broken = [7, None, {}, {**ITEM, "handle": None}, {**ITEM, "handle": ""}, {**ITEM, "orderId": 5}]
    server = Recorder(httpx.Response(200, json=[]), httpx.Response(200, json=[*broken, ITEM]))
    client = make(server)
    assert client.read_feed() == ()
    assert [item.order_id for item in client.read_feed()] == ["953712004126-01"]


def test_a_feed_without_a_usable_item_is_a_failed_read(make: Make) -> None:
    """Otherwise items would seem to be read, and be dropped after 14 days."""
    body = [{**ITEM, "handle": None}, {"OrderId": "953712004126-01"}]
    with pytest.raises(ReadFailedError, match="not feed items with an order id and a handle"):
        make(Recorder(httpx.Response(200, json=body))).read_feed()


@pytest.mark.parametrize("body", [b"<html>", b"", b"{}", b"null", b"[" * 100_000, b'[{"handle": '])
def test_an_answer_that_is_no_list_of_items_is_a_failed_read(make: Make, body: bytes) -> None:
    """It is not mistaken for an empty feed."""
    with pytest.raises(ReadFailedError, match="not a list of feed items"):
        make(Recorder(httpx.Response(200, content=body))).read_feed()


def test_items_are_committed_by_their_handles(make: Make) -> None:
    """Any series of handles is one request; an empty one is none."""
    server = Recorder(DONE)
    client = make(server)
    client.commit_feed(handle for handle in ["a", "b"])
    client.commit_feed([])
    (request,) = server.requests
    assert (request.method, request.url.raw_path) == ("POST", b"/api/orders/feed")
    assert json.loads(request.content) == {"handles": ["a", "b"]}


@pytest.mark.parametrize("failure", [httpx.Response(500), httpx.ReadError("x"), httpx.Response(408)])
def test_a_commit_with_an_unknown_outcome_is_repeated(make: Make, failure: Any) -> None:
    """A second commit of the same items removes nothing else."""
    server = Recorder(failure, DONE)
    make(server).commit_feed(["a"])
    assert len(server.requests) == 2


def test_a_paced_client_repeats_a_commit() -> None:
    """As it repeats a read."""
    server = Recorder(httpx.Response(500), DONE)
    with sync_client(server) as client:
        client.paced().commit_feed(["a"])
    assert len(server.requests) == 2


def test_a_commit_that_stays_unknown(make: Make) -> None:
    """The last error says that the outcome is unknown, and what to do."""
    server = Recorder(httpx.Response(500), httpx.Response(404))
    with pytest.raises(OutcomeUnknownError, match="Commit the items again; what was not removed comes again") as caught:
        make(server).commit_feed(["a"])
    assert caught.value.applied is None
    assert caught.value.attempts == 2


def test_reads_are_retried_and_refusals_are_not(make: Make) -> None:
    """A read changes nothing. The advice names the resource that the operation needs."""
    server = Recorder(httpx.Response(500), httpx.Response(200, json=[ITEM]))
    assert len(make(server).read_feed()) == 1
    client = make(Recorder(httpx.Response(403)))
    for call, resource in [(client.read_feed, "Feed v3 and Hook Admin"), (client.list_orders, "List Orders")]:
        with pytest.raises(PermissionDeniedError, match=f"a role with the resource {resource}") as caught:
            call()
        assert (caught.value.applied, caught.value.attempts) == (False, 1)
    with pytest.raises(NotFoundError, match="The key has no feed: it was never configured"):
        make(Recorder(NO_FEED)).read_feed()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (STORED, WANTED),
        (OTHERS, FeedConfiguration([], 60, 345_600, "FromOrders", 'status = "invoiced"')),
        ({"filter": None, "queue": {}}, FeedConfiguration([], None, None, None)),
        ({"filter": {"status": None}, "queue": None}, FeedConfiguration([], None, None, None)),
    ],
)
def test_a_configuration_is_read(make: Make, body: Any, expected: FeedConfiguration) -> None:
    """Both names of the retention are read, and the order of statuses does not matter."""
    server = Recorder(httpx.Response(200, json=body))
    assert make(server).get_feed_configuration() == expected
    assert (server.requests[0].method, server.requests[0].url.path) == ("GET", "/api/orders/feed/config")


def test_a_key_without_a_feed_has_no_configuration(make: Make) -> None:
    """Only the 404 says so; an answer that cannot be read might hide another system's configuration."""
    assert make(Recorder(NO_FEED)).get_feed_configuration() is None
    for answer in [{}, [], "x", {"filter": 1, "queue": 2}]:
        with pytest.raises(ReadFailedError, match="not a configuration of a feed"):
            make(Recorder(httpx.Response(200, json=answer))).configure_feed(WANTED)


def test_a_feed_is_configured(make: Make) -> None:
    """If the key has no feed, the configuration is stored under the names of VTEX's request."""
    server = Recorder(NO_FEED, DONE)
    assert make(server).configure_feed(WANTED) == WANTED
    assert (server.requests[1].method, server.requests[1].url.path) == ("POST", "/api/orders/feed/config")
    assert json.loads(server.requests[1].content) == {
        "filter": {"type": "FromWorkflow", "status": ["canceled", "invoiced"]},
        "queue": {"visibilityTimeoutInSeconds": 240, "MessageRetentionPeriodInSeconds": 1_209_600},
    }


def test_a_configuration_of_another_system_is_not_overwritten(make: Make) -> None:
    """It is returned. Only a caller who passes exactly what is there replaces it."""
    server = Recorder(httpx.Response(200, json=OTHERS))
    client = make(server)
    found = client.configure_feed(WANTED)
    assert (found.filter_type, found.expression) == ("FromOrders", 'status = "invoiced"')
    assert client.configure_feed(WANTED, replaces=WANTED) == found
    assert [request.method for request in server.requests] == ["GET", "GET"]
    assert client.configure_feed(WANTED, replaces=found) == WANTED
    assert [request.method for request in server.requests[2:]] == ["GET", "POST"]


def test_an_equal_configuration_is_not_sent_again(make: Make) -> None:
    """The statuses are compared without their order."""
    server = Recorder(httpx.Response(200, json=STORED))
    assert make(server).configure_feed(WANTED) == WANTED
    assert len(server.requests) == 1


def test_a_lost_answer_to_a_configuration_is_not_repeated(make: Make) -> None:
    """In the meantime another system may have stored one, which a second request would overwrite."""
    server = Recorder(NO_FEED, httpx.ReadError("x"))
    with pytest.raises(OutcomeUnknownError, match="Read the feed's configuration before sending it again"):
        make(server, on_unknown="resend").configure_feed(WANTED)
    assert len(server.requests) == 2
    with pytest.raises(ConflictError, match="Check the filter of the configuration"):
        make(Recorder(NO_FEED, httpx.Response(409))).configure_feed(WANTED)


def test_orders_are_listed(make: Make) -> None:
    """The filters are sent as VTEX's examples write them, with %20 for blanks."""
    server = Recorder(listed("1306331686122-01", "v502556llux-01", None))
    client = make(server)
    expected = OrderPage(("1306331686122-01", "v502556llux-01"), page=1, pages=6, total=84)
    assert client.list_orders() == expected
    client.list_orders(page=30, per_page=15, invoiced=DAY, status="invoiced", order_by="orderId,desc")
    first, second = [request.url.raw_path.decode() for request in server.requests]
    assert first == "/api/oms/pvt/orders?page=1&per_page=100&orderBy=creationDate%2Casc"
    assert second == (
        "/api/oms/pvt/orders?page=30&per_page=15&orderBy=orderId%2Cdesc&f_invoicedDate=invoicedDate%3A%5B"
        "2022-01-01T02%3A00%3A00.000Z%20TO%202022-01-02T01%3A59%3A59.999Z%5D&f_status=invoiced"
    )


def test_a_period_is_sent_in_utc(make: Make) -> None:
    """Times of any zone are converted."""
    server = Recorder(listed())
    moment = dt.datetime(2021, 12, 31, 23, tzinfo=dt.timezone(dt.timedelta(hours=-3)))
    make(server).list_orders(invoiced=(moment, moment))
    assert dict(server.requests[0].url.params)["f_invoicedDate"] == (
        "invoicedDate:[2022-01-01T02:00:00.000Z TO 2022-01-01T02:00:00.000Z]"
    )


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"list": []}),
        httpx.Response(200, json={"list": [7], "paging": {"total": 1, "pages": 1, "currentPage": 1}}),
        httpx.Response(200, json={"paging": {"total": 1, "pages": 1, "currentPage": 1}}),
        listed(total=None),
        listed(pages=True),
    ],
)
def test_an_answer_that_is_no_page_is_a_failed_read(make: Make, answer: httpx.Response) -> None:
    """It is not mistaken for an empty page, which would end a backfill early."""
    with pytest.raises(ReadFailedError, match="a list of orders"):
        make(Recorder(answer)).list_orders()


class _BrokenZone(dt.tzinfo):
    utcoffset = dst = tzname = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("call", "place"),
    [
        (lambda client: client.read_feed(0), "max_items"),
        (lambda client: client.read_feed(11), "max_items"),
        (lambda client: client.read_feed(max_items=True), "max_items"),
        (lambda client: client.read_feed("5"), "max_items"),
        (lambda client: client.commit_feed("handle"), "handles"),
        (lambda client: client.commit_feed(None), "handles"),
        (lambda client: client.commit_feed(["a", ""]), "handles[1]"),
        (lambda client: client.commit_feed([None]), "handles[0]"),
        (lambda client: client.configure_feed(STORED), "configuration"),
        (lambda client: client.configure_feed(FeedConfiguration("invoiced")), "statuses"),
        (lambda client: client.configure_feed(FeedConfiguration(cast("Any", None))), "statuses"),
        (lambda client: client.configure_feed(FeedConfiguration([])), "statuses"),
        (lambda client: client.configure_feed(FeedConfiguration(["invoiced", ""])), "statuses"),
        (lambda client: client.configure_feed(FeedConfiguration(cast("Any", [7]))), "statuses"),
        (lambda client: client.configure_feed(FeedConfiguration(filter_type="FromOrders")), "filter_type"),
        (lambda client: client.configure_feed(FeedConfiguration(expression="x")), "filter_type"),
        (lambda client: client.configure_feed(FeedConfiguration(visibility_timeout=0)), "visibility_timeout"),
        (lambda client: client.configure_feed(FeedConfiguration(visibility_timeout=None)), "visibility_timeout"),
        (lambda client: client.configure_feed(FeedConfiguration(retention=345_599)), "retention"),
        (lambda client: client.configure_feed(FeedConfiguration(retention=1_209_601)), "retention"),
        (lambda client: client.list_orders(page=31), "page"),
        (lambda client: client.list_orders(per_page=101), "per_page"),
        (lambda client: client.list_orders(order_by="invoicedDate,asc"), "order_by"),
        (lambda client: client.list_orders(order_by=None), "order_by"),
        (lambda client: client.list_orders(status="a b"), "status"),
        (lambda client: client.list_orders(status=""), "status"),
        (lambda client: client.list_orders(invoiced=DAY[::-1]), "invoiced"),
        (lambda client: client.list_orders(invoiced=DAY[:1]), "invoiced"),
        (lambda client: client.list_orders(invoiced="2022-01-01"), "invoiced"),
        (lambda client: client.list_orders(invoiced=("2022-01-01", "2022-01-02")), "invoiced"),
        (lambda client: client.list_orders(invoiced=tuple(moment.replace(tzinfo=None) for moment in DAY)), "invoiced"),
        (lambda client: client.list_orders(invoiced=(dt.datetime.min.replace(tzinfo=_BrokenZone()),) * 2), "invoiced"),
    ],
)
def test_what_vtex_does_not_take_is_not_sent(make: Make, call: Any, place: str) -> None:
    """The error names the argument; no request is made."""
    server = Recorder()
    with pytest.raises(InvalidUpdateError) as caught:
        call(make(server))
    assert [problem.place for problem in caught.value.problems] == [place]
    assert server.requests == []


def test_problems_do_not_quote_credentials(make: Make) -> None:
    """People paste credentials into the wrong place."""
    with pytest.raises(InvalidUpdateError) as caught:
        make(Recorder()).commit_feed("MADEUPTOKENMADEUPTOKEN")
    assert "MADEUPTOKEN" not in str(caught.value)


def test_nothing_sent_is_said_so(make: Make) -> None:
    """A commit that never left is not unknown."""
    with pytest.raises(NotSentError) as caught:
        make(Recorder(httpx.ConnectError("x")), retry=RetryPolicy(attempts=1)).commit_feed(["a"])
    assert isinstance(caught.value, errors.VtexTrackingError)
    assert caught.value.applied is False
