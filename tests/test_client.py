"""Both clients, through the generated functions, against a made-up server. Each test runs with either twin."""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import json
import pickle
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest
from attrs import evolve

from vtex_tracking_ext import (
    AsyncTrackingClient,
    AttemptEvent,
    ConfigurationError,
    FeedConfiguration,
    InvalidUpdateError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    ReadFailedError,
    RetryBudget,
    RetryPolicy,
    TrackingClient,
    TrackingEvent,
    TrackingUpdate,
    VtexTrackingError,
)
from vtex_tracking_ext.call import steps
from vtex_tracking_ext.call.answer import Answer
from vtex_tracking_ext.call.faults import Fault
from vtex_tracking_ext.client_arguments import AsyncClientArguments, ClientArguments
from vtex_tracking_ext.config.options import ClientOptions
from vtex_tracking_ext.config.redaction import Redactor
from vtex_tracking_ext.config.server import Server

from support.answers import (
    APP_KEY,
    APP_TOKEN,
    HASTY,
    INVOICE,
    ORDER,
    RECEIPT,
    Recorder,
    Twin,
    async_client,
    sync_client,
)

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = [
    TrackingEvent(
        date=dt.date(2015, 6, 23), description="Coletado pela transportadora", city="Rio de Janeiro", state="RJ"
    ),
    TrackingEvent(date=dt.date(2015, 6, 24), description="A caminho de Curitiba", city="Sao Paulo", state="SP"),
]
UPDATE = TrackingUpdate(ORDER, INVOICE, EVENTS, is_delivered=True)
ORDER_BODY = {
    "orderId": ORDER,
    "packageAttachment": {
        "packages": [
            {
                "invoiceNumber": INVOICE,
                "type": "Output",
                "courierStatus": {
                    "finished": True,
                    "data": [
                        {
                            "lastChange": f"{event.date}T00:00:00",
                            "description": event.description,
                            "city": event.city,
                            "state": event.state,
                        }
                        for event in reversed(EVENTS)
                    ],
                },
            }
        ]
    },
}
OK = httpx.Response(200, json=RECEIPT)
NOT_AN_ORDER = httpx.Response(200, json={})
NOT_SHOWN = httpx.Response(200, json={"orderId": ORDER})
ORDER_SHOWN = httpx.Response(200, json=ORDER_BODY)


@pytest.fixture(params=["sync", "async"])
def make(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, twin: Callable[..., Twin]
) -> Callable[..., Twin]:
    """Return a function that makes a client; pauses pass at once."""
    monkeypatch.setattr(steps, "CHECK_PAUSES", (0.0, 0.0))
    kind = sync_client if request.param == "sync" else async_client
    return lambda handler, **options: twin(kind, handler, **options)


def test_the_older_guides_example_is_reproduced(make: Callable[..., Twin]) -> None:
    """Method, path, headers and JSON of the guide's curl call; VTEX's own text adds a deliveredDate of null."""
    server = Recorder()
    make(server).mark_delivered(ORDER, INVOICE, events=EVENTS)
    (request,) = server.requests
    assert request.method == "PUT"
    assert str(request.url) == (
        "https://mystore.vtexcommercestable.com.br/api/oms/pvt/orders/v501245lspt-01/invoice/000030711/tracking"
    )
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["X-VTEX-API-AppKey"] == APP_KEY
    assert request.headers["X-VTEX-API-AppToken"] == APP_TOKEN
    assert json.loads(request.content) == {
        "isDelivered": True,
        "deliveredDate": None,
        "events": [
            {
                "city": "Rio de Janeiro",
                "state": "RJ",
                "description": "Coletado pela transportadora",
                "date": "2015-06-23",
            },
            {"city": "Sao Paulo", "state": "SP", "description": "A caminho de Curitiba", "date": "2015-06-24"},
        ],
    }


def test_its_answer_is_read(make: Callable[..., Twin]) -> None:
    """Seven fraction digits, an offset, and the headers VTEX sends."""
    headers = {"X-Track": "stable", "Content-Type": "application/json; charset=utf-8"}
    receipt = make(Recorder(httpx.Response(200, json=RECEIPT, headers=headers))).send(UPDATE)
    assert receipt.date == dt.datetime(2017, 3, 29, 18, 4, 31, 52123, tzinfo=dt.UTC)
    assert receipt.order_id == ORDER
    assert receipt.receipt == "f67d33a8029c42ce9a8f07fc17f54449"
    assert receipt.applied is True
    assert receipt.attempts == 1
    assert receipt.headers["x-track"] == "stable"
    assert receipt.confirmed_by == "answer"
    assert pickle.loads(pickle.dumps(receipt)) == receipt  # noqa: S301 - our own


def test_an_update_is_not_a_delivery(make: Callable[..., Twin]) -> None:
    """Events alone leave the flag off and the date null."""
    server = Recorder()
    make(server).update(ORDER, INVOICE, events=iter(EVENTS))
    body = json.loads(server.requests[0].content)
    assert (body["isDelivered"], body["deliveredDate"], len(body["events"])) == (False, None, 2)


def test_a_delivery_carries_its_date(make: Callable[..., Twin]) -> None:
    """To the minute, and without events if there are none."""
    server = Recorder()
    moment = dt.datetime(2022, 10, 1, 21, 15)  # noqa: DTZ001 - a carrier's local time
    make(server).mark_delivered(ORDER, INVOICE, delivered_date=moment)
    assert json.loads(server.requests[0].content) == {
        "isDelivered": True,
        "deliveredDate": "2022-10-01 21:15",
        "events": [],
    }


def test_a_user_token_travels_in_its_header(make: Callable[..., Twin]) -> None:
    """And in no other."""
    server = Recorder()
    make(server, app_key=None, app_token=None, user_token="MADEUPUSERTOKEN").send(UPDATE)
    headers = server.requests[0].headers
    assert headers["VtexIdclientAutCookie"] == "MADEUPUSERTOKEN"
    assert "X-VTEX-API-AppKey" not in headers


def test_a_bad_update_is_not_sent(make: Callable[..., Twin]) -> None:
    """The check comes first, for every call that takes values."""
    server = Recorder()
    client = make(server)
    calls: list[Callable[[], object]] = [
        lambda: client.update(ORDER, "a b", events=EVENTS),
        lambda: client.mark_delivered("..", INVOICE),
        lambda: client.set_tracking_number(ORDER, INVOICE, tracking_number=""),
        lambda: client.set_tracking_number("a/b", INVOICE, tracking_number="T"),
        lambda: client.get_packages("../x"),
        lambda: client.was_applied(TrackingUpdate(ORDER, INVOICE)),
    ]
    for call in calls:
        with pytest.raises(InvalidUpdateError):
            call()
    assert server.requests == []


def test_a_tracking_number_is_registered(make: Callable[..., Twin]) -> None:
    """The four values of VTEX's contract, null where none was given."""
    server = Recorder()
    client = make(server)
    dispatched = dt.datetime(2022, 2, 8, 13, 16, 13, tzinfo=dt.UTC)
    receipt = client.set_tracking_number(
        ORDER,
        INVOICE,
        tracking_number="87658",
        tracking_url="https://www.tracking.com/url",
        courier="carrierOne",
        dispatched_date=dispatched,
    )
    client.set_tracking_number(ORDER, INVOICE, tracking_number="87658", dispatched_date="2022-02-08")
    first, second = server.requests
    assert first.method == "PATCH"
    assert first.url.path == f"/api/oms/pvt/orders/{ORDER}/invoice/{INVOICE}"
    assert json.loads(first.content) == {
        "trackingNumber": "87658",
        "trackingUrl": "https://www.tracking.com/url",
        "courier": "carrierOne",
        "dispatchedDate": "2022-02-08T13:16:13+00:00",
    }
    assert json.loads(second.content) == {
        "trackingNumber": "87658",
        "trackingUrl": None,
        "courier": None,
        "dispatchedDate": "2022-02-08",
    }
    assert receipt.receipt == RECEIPT["receipt"]


def test_packages_are_read(make: Callable[..., Twin]) -> None:
    """Newest event first, as VTEX shows them."""
    server = Recorder(ORDER_SHOWN)
    (package,) = make(server).get_packages(ORDER)
    assert package.invoice_number == INVOICE
    assert package.finished is True
    assert [event.date for event in package.events] == ["2015-06-24", "2015-06-23"]
    assert server.requests[0].method == "GET"


def test_whether_an_update_was_applied_is_read(make: Callable[..., Twin]) -> None:
    """None where the order cannot be read."""
    assert make(Recorder(ORDER_SHOWN)).was_applied(UPDATE) is True
    assert make(Recorder(NOT_SHOWN)).was_applied(UPDATE) is False
    assert make(Recorder(httpx.Response(403))).was_applied(UPDATE) is None


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"{}", b'"x"', b'{"packageAttachment": '])
def test_an_answer_that_is_no_order_is_a_failed_read(make: Callable[..., Twin], body: bytes) -> None:
    """Never a crash of the parser, never an empty list."""
    with pytest.raises(ReadFailedError, match="not an order") as caught:
        make(Recorder(httpx.Response(200, content=body))).get_packages(ORDER)
    assert caught.value.status_code == 200
    assert caught.value.attempts == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json={"date": "x"}),
        httpx.Response(201, content=b"{"),
        httpx.Response(204),
        httpx.Response(299, json={}),
        httpx.Response(200, json=[1]),
        httpx.Response(200, content=b"[" * 100_000),
    ],
)
def test_any_2xx_is_applied_and_sent_once(make: Callable[..., Twin], answer: httpx.Response) -> None:
    """Whatever the body is; the receipt says what is odd."""
    server = Recorder(answer)
    receipt = make(server, on_unknown="resend").send(UPDATE)
    assert receipt.applied is True
    assert "no readable receipt" in (receipt.note or "")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_a_receipt_is_read_in_any_2xx(make: Callable[..., Twin], status: int) -> None:
    """The contract names 200 alone."""
    assert make(Recorder(httpx.Response(status, json=RECEIPT))).send(UPDATE).receipt == RECEIPT["receipt"]


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520, 999])
def test_an_unknown_outcome_is_raised_and_never_sent_again(make: Callable[..., Twin], status: int) -> None:
    """By default."""
    server = Recorder(httpx.Response(status))
    with pytest.raises(OutcomeUnknownError) as caught:
        make(server).send(UPDATE)
    assert caught.value.applied is None
    assert caught.value.status_code == status
    assert len(server.requests) == 1


def test_an_unknown_outcome_is_sent_again_where_the_caller_says_so(make: Callable[..., Twin]) -> None:
    """Knowing that the shopper may see events twice."""
    server = Recorder(httpx.ReadTimeout("x"), OK)
    assert make(server, on_unknown="resend").send(UPDATE).attempts == 2


def test_an_unknown_outcome_is_settled_by_reading(make: Callable[..., Twin]) -> None:
    """With patience: the first look finds nothing yet."""
    server = Recorder(httpx.Response(502), NOT_SHOWN, ORDER_SHOWN)
    receipt = make(server, on_unknown="check").send(UPDATE)
    assert receipt.applied is True
    assert receipt.confirmed_by == "reading"
    assert receipt.receipt is None
    assert receipt.note == "the answer was 502, but the order shows it"
    assert [request.method for request in server.requests] == ["PUT", "GET", "GET"]


def test_a_receipt_read_off_the_order_says_where_no_answer_came(make: Callable[..., Twin]) -> None:
    """And does not ask for what has been done."""
    receipt = make(Recorder(httpx.ReadTimeout("x"), ORDER_SHOWN), on_unknown="check").send(UPDATE)
    assert receipt.note == "no answer came, but the order shows it"


def test_what_reading_does_not_find_stays_unknown(make: Callable[..., Twin]) -> None:
    """Not found is no proof; the update is not sent again."""
    server = Recorder(httpx.Response(502), NOT_SHOWN)
    with pytest.raises(OutcomeUnknownError):
        make(server, on_unknown="check").send(UPDATE)
    assert [request.method for request in server.requests] == ["PUT", "GET", "GET"]


def test_a_429_is_sent_again(make: Callable[..., Twin]) -> None:
    """It was turned away, so nothing was applied."""
    server = Recorder(httpx.Response(429), httpx.Response(429, headers={"Retry-After": "0"}), OK)
    assert make(server).send(UPDATE).attempts == 3
    assert len(server.requests) == 3


def test_a_429_is_raised_where_the_wait_does_not_fit(make: Callable[..., Twin]) -> None:
    """Above the cap, or past the call's own time-out."""
    server = Recorder(httpx.Response(429, headers={"Retry-After": "80"}))
    with pytest.raises(RateLimitedError) as caught:
        make(server, timeout=60).send(UPDATE)
    assert caught.value.retry_after == 80
    assert len(server.requests) == 1


def test_no_connection_is_tried_again_and_told(make: Callable[..., Twin]) -> None:
    """Nothing left, so it is safe."""
    server = Recorder(httpx.ConnectError("refused"))
    with pytest.raises(NotSentError, match="refused") as caught:
        make(server).send(UPDATE)
    assert caught.value.attempts == 3
    assert len(server.requests) == 3


def test_reads_are_tried_again(make: Callable[..., Twin]) -> None:
    """They change nothing."""
    server = Recorder(httpx.Response(500), ORDER_SHOWN)
    assert len(make(server).get_packages(ORDER)) == 1


def test_cookies_are_neither_kept_nor_sent(make: Callable[..., Twin]) -> None:
    """What one answer sets must not colour the next call."""
    server = Recorder(httpx.Response(200, json=RECEIPT, headers={"Set-Cookie": "a=b; Path=/"}))
    client = make(server)
    receipt = client.send(UPDATE)
    client.send(UPDATE)
    assert "Cookie" not in server.requests[1].headers
    assert "set-cookie" not in receipt.headers


def test_redirects_are_not_followed(make: Callable[..., Twin]) -> None:
    """The credentials would go along."""
    server = Recorder(httpx.Response(307, headers={"Location": "https://evil.example/"}))
    with pytest.raises(Exception, match="307"):
        make(server).send(UPDATE)
    assert len(server.requests) == 1


def test_inputs_are_not_changed(make: Callable[..., Twin]) -> None:
    """A list of events is the caller's."""
    events = list(EVENTS)
    make(Recorder()).update(ORDER, INVOICE, events=events)
    assert events == EVENTS


def test_no_text_shows_a_credential(make: Callable[..., Twin]) -> None:
    """Neither the client's repr nor an error on an answer that echoes both."""
    client = make(Recorder(httpx.Response(400, text=f"{APP_KEY} {APP_TOKEN}", headers={"X-Echo": APP_TOKEN})))
    with pytest.raises(Exception, match="400") as caught:
        client.send(UPDATE)
    error = caught.value
    for text in (repr(client.client), str(error), repr(error), error.body, str(error.headers), repr(vars(error))):  # type: ignore[attr-defined]
        assert APP_TOKEN not in text
        assert APP_KEY not in text
    assert repr(client.client).endswith("Client('mystore', 'https://mystore.vtexcommercestable.com.br', app key)")


def test_a_mistake_of_this_package_is_not_hidden(make: Callable[..., Twin], monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception before a request is made goes on as it is."""
    monkeypatch.setattr("vtex_tracking_ext.transport.request._user_agent", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make(Recorder()).send(UPDATE)


@pytest.mark.parametrize("place", ["httpx.Request", "vtex_tracking_ext.transport.request.encode_json"])
def test_a_request_that_cannot_be_built_was_not_sent(
    make: Callable[..., Twin], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Whatever the HTTP library dislikes about it; its words could hold a credential, so they are left out."""
    client = make(Recorder())

    def fail(*_: object, **__: object) -> None:
        raise ValueError(APP_TOKEN)

    monkeypatch.setattr(place, fail)
    with pytest.raises(NotSentError, match="cannot be built: ValueError"):
        client.send(UPDATE)


async def _later(_: object) -> None:
    """Be a hook that nobody awaits."""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": float("inf")}, "timeout is inf"),
        ({"timeout": float("nan")}, "timeout is nan"),
        ({"timeout": "5"}, "timeout is '5'"),
        ({"on_unknown": "retry"}, "on_unknown is 'retry'"),
        ({"ca_file": "/nowhere/ca.pem"}, "ca_file /nowhere/ca.pem cannot be used"),
        ({"proxy": "nonsense"}, "proxy cannot be used"),
        ({"app_token": None}, "app_key without app_token"),
        ({"base_url": "http://x.example"}, "clear text"),
        ({"retry": {}}, "give a RetryPolicy"),
        ({"timeout": True}, "timeout is True"),
        ({"timeout": 1e7}, "up to 604800 .a week"),
        ({"timeout": 10**400}, "timeout is 1000"),
        ({"on_attempt": _later}, "plain def"),
        ({"max_connections": 0}, "max_connections is 0"),
        ({"max_connections": True}, "max_connections is True"),
        ({"ca_file": 5}, "ca_file is 5"),
        ({"ca_file": "a\0b"}, "ca_file a.x00b cannot be used"),
        ({"proxy": 5}, "proxy cannot be used"),
        ({"proxy": "socks5://127.0.0.1:1"}, "http_client of your own"),
        ({"on_attempt": 5}, "on_attempt"),
        ({"on_attempt": [print, 5]}, "on_attempt"),
        ({"proxy": "http://127.0.0.1:1", "http_client": object()}, "cannot be given with http_client"),
    ],
)
@pytest.mark.parametrize("kind", [TrackingClient, AsyncTrackingClient])
def test_options_that_cannot_be_used_are_refused(kind: Any, options: dict[str, Any], said: str) -> None:
    """When the client is made, not at its first call."""
    with pytest.raises(ConfigurationError, match=said):
        kind("mystore", **{"app_key": APP_KEY, "app_token": APP_TOKEN, **options})


@pytest.mark.parametrize("kind", [TrackingClient, AsyncTrackingClient])
def test_a_client_comes_from_the_environment(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options come before it."""
    with pytest.raises(ConfigurationError, match="set VTEX_ACCOUNT"):
        kind.from_env()
    monkeypatch.setenv("VTEX_ACCOUNT", "mystore")
    monkeypatch.setenv("VTEX_APP_KEY", APP_KEY)
    monkeypatch.setenv("VTEX_APP_TOKEN", APP_TOKEN)
    assert "mystore" in repr(kind.from_env(retry=HASTY))
    assert kind.from_env(account="other", user_token="MADEUP").account == "other"
    assert "user token" in repr(kind.from_env(user_token="MADEUP"))


def test_a_callers_own_client_is_not_closed() -> None:
    """Neither twin takes what is not its own."""
    http = httpx.Client(transport=httpx.MockTransport(Recorder()))
    with sync_client(Recorder(), http_client=http):
        pass
    assert not http.is_closed

    async def scenario() -> None:
        own = httpx.AsyncClient(transport=httpx.MockTransport(Recorder()))
        async with async_client(Recorder(), http_client=own):
            pass
        assert not own.is_closed

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", [TrackingClient, AsyncTrackingClient])
def test_a_closed_client_says_so_and_sends_nothing(kind: Any, twin: Callable[..., Twin]) -> None:
    """It is no outcome of a call."""
    client = twin(kind, "mystore", app_key=APP_KEY, app_token=APP_TOKEN)
    client.close()
    with pytest.raises(ConfigurationError, match="closed") as caught:
        client.send(UPDATE)
    assert (caught.value.order_id, caught.value.operation) == (ORDER, "send")


#: A call of each operation, with its operation, order and invoice.
CALLS: dict[str, tuple[Callable[[Any], object], str | None, str | None]] = {
    "send": (lambda client: client.send(UPDATE), ORDER, INVOICE),
    "set_tracking_number": (
        lambda client: client.set_tracking_number(ORDER, INVOICE, tracking_number="1"),
        ORDER,
        INVOICE,
    ),
    "get_packages": (lambda client: client.get_packages(ORDER), ORDER, None),
    "read_feed": (lambda client: client.read_feed(), None, None),
    "commit_feed": (lambda client: client.commit_feed(["handle"]), None, None),
    "get_feed_configuration": (lambda client: client.get_feed_configuration(), None, None),
    "configure_feed": (
        lambda client: client.configure_feed(FeedConfiguration(["invoiced"]), replaces=None),
        None,
        None,
    ),
    "list_orders": (lambda client: client.list_orders(), None, None),
}


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize(
    "answer", [httpx.Response(403), httpx.Response(500), httpx.ConnectError("x"), httpx.ReadTimeout("x"), OK]
)
def test_each_error_says_what_it_is_about(make: Callable[..., Twin], operation: str, answer: Any) -> None:
    """Errors of each operation name account, operation, order and invoice, and never a path."""
    call, order_id, invoice_number = CALLS[operation]
    answers = [answer] if operation != "configure_feed" else [httpx.Response(404), answer]
    if answer is OK and operation in {"send", "set_tracking_number", "commit_feed", "configure_feed"}:
        call(make(Recorder(*answers)))
        return  # any 2xx is applied
    if answer is OK and operation == "get_packages":
        answers = [NOT_AN_ORDER]
    with pytest.raises(VtexTrackingError) as caught:
        call(make(Recorder(*answers)))
    error = caught.value
    assert (error.account, error.operation) == ("mystore", operation)
    assert (error.order_id, error.invoice_number) == (order_id, invoice_number)
    subject = f"Order {ORDER}" if order_id else operation.replace("_", " ").capitalize()
    assert str(error).startswith(subject + (f", invoice {INVOICE}: " if invoice_number else ": "))
    assert "/api/" not in str(error)
    assert ORDER not in error.reason
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own


@pytest.mark.parametrize(
    ("call", "operation", "order_id", "invoice_number"),
    [
        (lambda c: c.update(ORDER, INVOICE, events=[]), "send", ORDER, INVOICE),
        (lambda c: c.send("x"), "send", None, None),
        (lambda c: c.was_applied(TrackingUpdate("a b", INVOICE)), "get_packages", "a b", INVOICE),
        (lambda c: c.set_tracking_number(5, INVOICE, tracking_number=""), "set_tracking_number", None, INVOICE),
        (lambda c: c.get_packages(APP_TOKEN + " 1"), "get_packages", "[credential]" + " 1", None),
        (lambda c: c.read_feed(0), "read_feed", None, None),
        (lambda c: c.commit_feed("x"), "commit_feed", None, None),
        (lambda c: c.commit_feed([""]), "commit_feed", None, None),
        (lambda c: c.configure_feed(5), "configure_feed", None, None),
        (lambda c: c.list_orders(page=0), "list_orders", None, None),
    ],
)
def test_an_error_about_invalid_values_says_what_it_is_about(
    make: Callable[..., Twin], call: Any, operation: str, order_id: str | None, invoice_number: str | None
) -> None:
    """Ids are as the caller gave them, if they are text, without credentials."""
    with pytest.raises(InvalidUpdateError) as caught:
        call(make(Recorder()))
    error = caught.value
    assert (error.account, error.operation) == ("mystore", operation)
    assert (error.order_id, error.invoice_number) == (order_id, invoice_number)
    assert APP_TOKEN not in str(error)


def test_other_options_apply_to_a_copy_of_the_client(make: Callable[..., Twin]) -> None:
    """The copy has the same connections and the other options of the client, which keeps its own."""
    server = Recorder(httpx.ReadTimeout("x"), OK)
    client = make(server, timeout=60)
    copied = client.with_options(on_unknown="resend", timeout=5)
    assert copied._transport is client.client._transport
    assert type(copied) is type(client.client)
    assert (copied._options.timeout, copied._options.on_unknown, copied._options.retry) == (5, "resend", HASTY)
    assert (client.client._options.timeout, client.client._options.on_unknown) == (60, "raise")
    assert client.with_options()._options is client.client._options
    policy = RetryPolicy(attempts=1)
    assert client.with_options(retry=policy)._options.retry is policy


def test_a_paced_copy_stays_paced(make: Callable[..., Twin]) -> None:
    """Other options do not make it wait after a 429 or send again."""
    paced = make(Recorder()).paced().with_options(retry=RetryPolicy(attempts=9), on_unknown="resend", timeout=7)
    made = paced._options
    assert (made.timeout, made.retry.attempts, made.retry.retry_after_cap, made.on_unknown) == (7, 9, 0, "raise")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"timeout": 0}, "timeout is 0"),
        (
            {"timeout": httpx.Timeout(5)},
            r"timeout is Timeout\(timeout=5\): give .* RetryPolicy\(attempt_timeout=",
        ),
        ({"retry": 3}, "give a RetryPolicy"),
        ({"on_unknown": APP_TOKEN}, r"on_unknown is '\[credential\]'"),
    ],
)
def test_other_options_are_checked(make: Callable[..., Twin], changes: dict[str, Any], said: str) -> None:
    """As those of the client are."""
    with pytest.raises(ConfigurationError, match=said):
        make(Recorder()).with_options(**changes)


@pytest.mark.parametrize("method", [name for name in CALLS if name != "configure_feed"])
def test_each_call_takes_a_timeout(make: Callable[..., Twin], method: str) -> None:
    """It limits the call with its retries, and is checked before anything is sent."""
    arguments: dict[str, tuple[list[Any], dict[str, Any]]] = {
        "send": ([UPDATE], {}),
        "set_tracking_number": ([ORDER, INVOICE], {"tracking_number": "1"}),
        "get_packages": ([ORDER], {}),
        "commit_feed": ([["handle"]], {}),
    }
    positional, named = arguments.get(method, ([], {}))
    server = Recorder(httpx.Response(429, headers={"Retry-After": "80"}))
    client = make(server, timeout=600)
    with pytest.raises(RateLimitedError) as caught:
        getattr(client, method)(*positional, **named, timeout=60)
    assert caught.value.retry_after == 80
    assert len(server.requests) == 1
    with pytest.raises(ConfigurationError, match="timeout is -1"):
        getattr(client, method)(*positional, **named, timeout=-1)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.update(ORDER, INVOICE, events=EVENTS, timeout=60),
        lambda c: c.mark_delivered(ORDER, INVOICE, timeout=60),
        lambda c: c.configure_feed(FeedConfiguration(["invoiced"]), timeout=60),
    ],
)
def test_the_other_methods_hand_the_timeout_on(make: Callable[..., Twin], call: Any) -> None:
    """A 429 whose wait does not fit is raised at once."""
    server = Recorder(httpx.Response(429, headers={"Retry-After": "80"}))
    with pytest.raises(RateLimitedError):
        call(make(server, timeout=600))
    assert len(server.requests) == 1
    assert make(server, timeout=600).was_applied(UPDATE, timeout=60) is None
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("kind", "arguments"), [(TrackingClient, ClientArguments), (AsyncTrackingClient, AsyncClientArguments)]
)
def test_the_types_of_from_env_have_all_arguments(kind: Any, arguments: Any) -> None:
    """The names are those of the constructor, with the same annotations."""
    constructor = inspect.signature(kind.__init__).parameters
    described = {name: annotation.__forward_arg__ for name, annotation in arguments.__annotations__.items()}
    assert described == {name: each.annotation for name, each in constructor.items() if name != "self"}


@pytest.mark.parametrize("kind", [TrackingClient, AsyncTrackingClient])
@pytest.mark.parametrize("wrong", ["x", httpx.MockTransport(Recorder())])
def test_what_is_no_http_client_of_its_kind_is_refused(kind: Any, wrong: Any) -> None:
    """By name."""
    with pytest.raises(ConfigurationError, match=rf"http_client is {type(wrong).__name__}"):
        kind("mystore", app_key=APP_KEY, app_token=APP_TOKEN, http_client=wrong)


def test_a_client_of_the_other_kind_is_refused() -> None:
    """Its calls would have to be awaited, or could not be."""
    with httpx.Client() as http, pytest.raises(ConfigurationError, match=r"hand in an httpx\.AsyncClient"):
        AsyncTrackingClient("mystore", app_key=APP_KEY, app_token=APP_TOKEN, http_client=cast("Any", http))
    with pytest.raises(ConfigurationError, match=r"hand in an httpx\.Client"):
        TrackingClient("mystore", app_key=APP_KEY, app_token=APP_TOKEN, http_client=cast("Any", httpx.AsyncClient()))


@pytest.mark.parametrize(("kind", "own"), [(sync_client, httpx.Client), (async_client, httpx.AsyncClient)])
def test_nothing_of_a_callers_client_but_its_way_is_used(kind: Any, own: Any, twin: Callable[..., Twin]) -> None:
    """Neither its query, its headers, its cookies nor its auth gets into a request."""
    server = Recorder()
    options: Any = {"params": {"q": "1"}, "headers": {"X-Own": "1"}, "cookies": {"a": "b"}, "auth": ("u", "p")}
    http = own(transport=httpx.MockTransport(server), **options)
    twin(kind, server, http_client=http).send(UPDATE)
    (request,) = server.requests
    assert request.url.raw_path == b"/api/oms/pvt/orders/v501245lspt-01/invoice/000030711/tracking"
    assert not {"x-own", "cookie", "authorization"} & set(request.headers)


@pytest.mark.parametrize("unsure", [httpx.Response(500), httpx.ReadTimeout("x")])
@pytest.mark.parametrize("then", [httpx.Response(409), httpx.ConnectError("x")])
def test_a_resend_that_is_refused_does_not_make_the_first_try_undone(
    make: Callable[..., Twin], unsure: Any, then: Any
) -> None:
    """It may have been applied; so nobody knows."""
    server = Recorder(unsure, then)
    with pytest.raises(OutcomeUnknownError) as caught:
        make(server, on_unknown="resend").send(UPDATE)
    assert caught.value.applied is None
    assert caught.value.attempts == len(server.requests) >= 2


def test_calls_share_a_budget_of_retries(make: Callable[..., Twin]) -> None:
    """One retry is afforded, and then none; what goes well gives it back."""
    policy = RetryPolicy(attempts=10, first_wait=0, rate_limit_wait=0, budget=RetryBudget(capacity=5))
    down = make(Recorder(httpx.ConnectError("refused")), retry=policy)
    for attempts in (2, 1, 1):
        with pytest.raises(NotSentError) as caught:
            down.send(UPDATE)
        assert caught.value.attempts == attempts
    up = make(Recorder(OK), retry=policy)
    for _ in range(5):
        up.send(UPDATE)
    assert make(Recorder(httpx.Response(429), OK), retry=policy).send(UPDATE).attempts == 2
    with pytest.raises(NotSentError) as caught:
        down.send(UPDATE)
    assert caught.value.attempts == 2


def options(timeout: float, retry: RetryPolicy, on_unknown: Any, clock: Callable[[], float]) -> ClientOptions:
    """Return options with a clock of the test's."""
    return ClientOptions("mystore", Server("", {}, Redactor()), timeout, retry, on_unknown, clock=clock)


@pytest.mark.parametrize(
    ("on_unknown", "timeout", "seconds"),
    [("raise", 10, 10), ("resend", 10, 10), ("check", 10, 5), ("check", 120, 90)],
)
def test_checking_keeps_a_part_of_the_time_for_its_looks(on_unknown: Any, timeout: float, seconds: float) -> None:
    """Half of it, or half a minute; so that a server which uses up the rest leaves time to find out."""
    made = options(timeout, RetryPolicy(attempt_timeout=1000), on_unknown, lambda: 0.0)
    step = next(steps.send_update(UPDATE, made))
    assert isinstance(step, steps.Attempt)
    assert step.seconds == seconds


@pytest.mark.parametrize(
    ("timeout", "pauses"), [(120, [2.0, 5.0, 8.0]), (4, [1.0, 0.5, 0.25]), (0.5, [0.125, 0.0625, 0.03125])]
)
def test_an_update_that_got_no_answer_is_looked_for_however_short_the_time(timeout: float, pauses: list[float]) -> None:
    """The server says nothing until the looks' part of the time begins; each look leaves time for itself."""
    now = 0.0
    seen: list[float] = []
    made = options(timeout, RetryPolicy(attempt_timeout=1000), "check", lambda: now)
    conversation = steps.send_update(UPDATE, made)

    def carry_out() -> None:
        nonlocal now
        step = next(conversation)
        while True:
            result: Answer | Fault | None = None
            if isinstance(step, steps.Pause):
                seen.append(step.seconds)
                now += step.seconds
            elif step.call.subject.writes:
                now += step.seconds
                result = Fault("x", sent=True)
            else:
                assert step.seconds > 0
                result = Answer(200, body=json.dumps({"orderId": ORDER}).encode())
            step = conversation.send(result)

    with pytest.raises(OutcomeUnknownError):
        carry_out()
    assert seen == pauses


def test_no_look_is_taken_once_the_time_is_over() -> None:
    """A request that took longer than it was given leaves none."""
    now = 0.0
    made = options(4, RetryPolicy(), "check", lambda: now)
    conversation = steps.send_update(UPDATE, made)
    next(conversation)
    now = 4.0
    with pytest.raises(OutcomeUnknownError):
        conversation.send(Fault("x", sent=True))


def test_a_call_that_is_given_up_reports_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Closing the generator of a call, as Python does with one that is left over, is no interruption."""
    events: list[AttemptEvent] = []
    made = evolve(options(4, RetryPolicy(), "raise", lambda: 0.0), hooks=(events.append,))
    conversation = steps.send_update(UPDATE, made)
    next(conversation)
    conversation.close()
    assert (events, caplog.records) == ([], [])


def _public(kind: type) -> dict[str, Any]:
    return {name: member for name, member in vars(kind).items() if not name.startswith("_")}


def test_the_twins_have_the_same_methods_arguments_and_docstrings() -> None:
    """They differ in await alone, and in the httpx client they take."""
    assert _public(TrackingClient).keys() == _public(AsyncTrackingClient).keys()
    for name in [*_public(TrackingClient), "__init__"]:
        mine, other = getattr(TrackingClient, name), getattr(AsyncTrackingClient, name)
        assert inspect.getdoc(mine) == inspect.getdoc(other), name
        if callable(mine):
            signature = (
                str(inspect.signature(other))
                .replace("AsyncHttpClient", "HttpClient")
                .replace("AsyncClientArguments", "ClientArguments")
            )
            assert str(inspect.signature(mine)) == signature, name


@pytest.mark.parametrize("handler", [Recorder, lambda: Recorder(httpx.Response(502), ORDER_SHOWN)])
def test_the_twins_send_identical_bytes(handler: Callable[[], Recorder], twin: Callable[..., Twin]) -> None:
    """The same requests in the same order, to the byte."""
    seen = []
    for kind in (sync_client, async_client):
        server = handler()
        twin(kind, server, retry=RetryPolicy(attempts=1)).was_applied(UPDATE)
        with suppress(OutcomeUnknownError):
            twin(kind, server).send(UPDATE)
        seen.append([(r.method, r.url, r.headers.raw, r.content) for r in server.requests])
    assert seen[0] == seen[1]


def test_without_asyncio_the_asynchronous_client_says_so() -> None:
    """Under trio, say; and nothing is sent."""
    recorder = Recorder()
    with pytest.raises(ConfigurationError, match="asyncio alone"):
        async_client(recorder).send(UPDATE).send(None)
    assert recorder.requests == []


@pytest.mark.parametrize("kind", [TrackingClient, AsyncTrackingClient])
def test_a_paced_client_is_the_same_but_does_not_wait_itself(kind: type[TrackingClient | AsyncTrackingClient]) -> None:
    """Whoever paces many calls waits for all of them; the connections are shared."""
    client = kind("mystore", app_key="k", app_token="t", on_unknown="resend", retry=RetryPolicy(attempts=7))
    paced = client.paced()
    assert type(paced) is kind
    assert (paced.account, paced.base_url) == ("mystore", client.base_url)
    assert paced._transport is client._transport
    made = paced._options
    assert (made.on_unknown, made.retry.attempts, made.retry.retry_after_cap) == ("raise", 7, 0)
    assert made.retry.rate_limit_wait > made.retry.retry_after_cap
    assert client._options.on_unknown == "resend"
