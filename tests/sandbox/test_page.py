"""The sandbox's page: what it shows, its search, and its buttons."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import httpx
import pytest

from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Fault, Oms, OmsSettings, ReceivedRequest, running
from vtex_tracking_ext.sandbox import page as page_module
from vtex_tracking_ext.sandbox.app import create_app
from vtex_tracking_ext.sandbox.page import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message

URL = "http://127.0.0.1:8000"
KEY = {"X-VTEX-API-AppKey": APP_KEY, "X-VTEX-API-AppToken": APP_TOKEN}
PICKUP = {"city": "Niterói", "state": "RJ", "description": "Coletado", "date": "2015-06-23"}


@pytest.fixture
def oms() -> Oms:
    """Return an OMS with two orders."""
    oms = Oms(clock=lambda: 1_000_000.0)
    oms.add_order("o-01", ["1"], tracking_number="AB1")
    oms.add_order("o-02", ["2"], returns=["9"])
    return oms


@pytest.fixture
def http(oms: Oms) -> Iterator[httpx.Client]:
    """Return a client of the running sandbox."""
    with running(oms) as url, httpx.Client(base_url=url, trust_env=False) as http:
        yield http


def update(oms: Oms, order: str, invoice: str, *events: dict[str, str], delivered: bool = False) -> None:
    """Apply an update."""
    body = {"isDelivered": delivered, "deliveredDate": None, "events": list(events)}
    oms.update_tracking_status(order, invoice, body)


def shown(oms: Oms, query: str = "") -> str:
    """Return the page as text: without its head and script, tags and runs of blanks."""
    html = render(oms, "n", URL, query)
    body = html[html.index("<body>") : html.index("<script")]
    return " ".join(re.sub("<[^>]+>", " ", body).split())


def post(http: httpx.Client, form: dict[str, str], **headers: str) -> httpx.Response:
    """Post a form as the page does."""
    return http.post("/", data=form, headers={"Origin": str(http.base_url).rstrip("/"), **headers})


def test_an_event_that_the_shopper_sees_twice_is_marked(oms: Oms) -> None:
    """The event, its package and the totals have a badge; blanks make no difference, other texts do."""
    update(oms, "o-01", "1", PICKUP, {**PICKUP, "description": "Postado"})
    assert "0 duplicates" in shown(oms)
    update(oms, "o-01", "1", {**PICKUP, "description": " Coletado "})
    update(oms, "o-02", "2", PICKUP)
    text = shown(oms)
    assert "1 duplicate " in text
    assert "Invoice 1 1 duplicate in transit" in text
    assert "Coletado duplicate 2015-06-23 , Niterói/RJ Postado 2015-06-23 , Niterói/RJ Coletado 2015-06-23" in text
    update(oms, "o-01", "1", PICKUP)
    assert "2 duplicates" in shown(oms)


def test_a_search_finds_orders_and_their_requests(oms: Oms) -> None:
    """It finds ids, texts, and states such as ``duplicate``; the totals stay those of all orders."""
    update(oms, "o-02", "2", PICKUP, PICKUP)
    oms.received.append(ReceivedRequest("PUT", "/api/oms/pvt/orders/o-02/invoice/2/tracking", {}, b"{}", 200))
    oms.received.append(ReceivedRequest("GET", "/api/oms/pvt/orders/x-03", {}, b"", 404, b'{"a": "Not there"}'))
    for query in ("o-02", "COLETADO", "duplicate", "return"):
        text = shown(oms, query)
        assert "Invoice 2" in text
        assert "Invoice 1" not in text
        assert "o-02/invoice/2/tracking" in text
        assert "x-03" not in text
        assert "2 orders" in text
    assert "No order contains this text" in shown(oms, "not there")
    assert "x-03" in shown(oms, " not there ")
    assert "No request contains this text" in shown(oms, "o-01")


def test_a_search_that_is_left_alone_is_kept(http: httpx.Client) -> None:
    """The query is in the form, escaped, and the buttons return to it."""
    assert 'value="&lt;b&gt;"' in http.get("/", params={"q": "<b>"}).text
    response = post(http, {"do": "clear", "q": "o 1"})
    assert (response.status_code, response.headers["Location"]) == (303, "/?q=o+1")


def test_requests_are_shown_with_time_body_and_answer(oms: Oms, http: httpx.Client) -> None:
    """JSON is indented; other texts are shown as they are, with control characters escaped."""
    http.put("/api/oms/pvt/orders/o-01/invoice/1/tracking", headers=KEY, content=b'{"isDelivered":true}')
    oms.received.append(ReceivedRequest("PUT", "/\u202e", {}, b"<b>\x1b[31m", 200, at=1_000_000.0))
    text = http.get("/").text
    assert re.search(r'<time datetime="1970-01-1\dT\d\d:\d\d:40[+-]\d{4}" class="when soft">\d\d:\d\d:40</time>', text)
    assert "{\n  &#34;isDelivered&#34;: true\n}" in text
    assert "&#34;message&#34;: &#34;The body&#39;s Content-Type" in text
    assert "<pre>&lt;b&gt;\\x1b[31m</pre>" in text
    assert "/\\u202e" in text
    table = text[text.index('id="requests"') :]
    assert APP_TOKEN not in table
    assert APP_KEY not in table


def test_a_fault_that_was_asked_for_is_shown(oms: Oms) -> None:
    """A request whose connection was cut has no answer."""
    oms.received.append(ReceivedRequest("PUT", "/cut", {}, b"", 444, fault="connection cut after applying"))
    oms.received.append(ReceivedRequest("PUT", "/444", {}, b"", 444, b"{}", fault="444"))
    text = shown(oms)
    assert "no answer PUT /cut requested: connection cut after applying" in text
    assert "444 PUT /444 requested: 444" in text


def test_a_long_body_is_truncated(oms: Oms, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page stays small; it says how much is missing."""
    monkeypatch.setattr(page_module, "_MAX_TEXT", 10)
    oms.received.append(ReceivedRequest("PUT", "/", {}, b"0123456789" + b"x" * 2000, 200))
    assert "0123456789 … and 2,000 characters more" in shown(oms)


def test_the_page_is_limited(oms: Oms, monkeypatch: pytest.MonkeyPatch) -> None:
    """The orders that changed last and the newest requests are shown, and how many are not."""
    monkeypatch.setattr(page_module, "MAX_ORDERS", 1)
    monkeypatch.setattr(page_module, "MAX_SHOWN_REQUESTS", 1)
    update(oms, "o-02", "2", PICKUP)
    for path in ("/first", "/second"):
        oms.received.append(ReceivedRequest("GET", path, {}, b"", 404))
    text = shown(oms)
    assert "Invoice 2" in text
    assert "Invoice 1" not in text
    assert "And 1 more, which changed earlier" in text
    assert "/second" in text
    assert "/first" not in text
    assert "And 1 earlier ones" in text


def test_the_page_says_how_to_reach_the_sandbox(oms: Oms, http: httpx.Client) -> None:
    """The variables and the example have its address, and an order that accepts events; the example runs."""
    text = http.get("/").text
    address = str(http.base_url).rstrip("/")
    assert f"export VTEX_BASE_URL={address}\n" in text
    assert f'$env:VTEX_BASE_URL = "{address}"' in text
    match = re.search(r'<pre id="python">(.*?)</pre>', text, re.DOTALL)
    assert match is not None
    exec(match[1], {})  # noqa: S102 - the sandbox's own example
    assert [event["description"] for event in oms.applied("o-01", "1")] == ["Objeto postado"]


def test_without_an_order_the_example_has_one_of_the_documentation() -> None:
    """An order that is cancelled accepts no events, nor does one without a tracking number."""
    oms = Oms()
    oms.add_order("o-01", ["1"], status="canceled")
    oms.add_order("o-02", ["1"], tracking_number=None)
    assert 'update(\n        "1172452900788-01",\n        "000030711",' in render(oms, "n", URL, "")


def test_faults_are_asked_for_and_removed(oms: Oms, http: httpx.Client) -> None:
    """The page shows what waits, and removes it."""
    assert "Next:" not in http.get("/").text
    for form in (
        {"fault": "500-after", "times": "2", "operation": "get_packages"},
        {"fault": "cut", "times": "always", "operation": ""},
        {"fault": "429=5", "times": "1", "operation": "read_feed"},
    ):
        response = post(http, {"do": "fail", **form})
        assert (response.status_code, response.headers["Location"]) == (303, "/")
    assert oms.faults.waiting() == [
        Fault(500, after_applying=True, times=2, operation="get_packages"),
        Fault(after_applying=True, times=None),
        Fault(429, retry_after=5, operation="read_feed"),
    ]
    text = shown(oms)
    assert "500 after applying, only reading an order, 2 times" in text
    assert "connection cut after applying, always" in text
    assert "429 with Retry-After: 5, only read_feed Remove all" in text
    assert post(http, {"do": "clear"}).status_code == 303
    assert oms.faults.waiting() == []


def test_each_fault_that_the_page_offers_is_accepted(oms: Oms, http: httpx.Client) -> None:
    """Its list and the grammar agree."""
    (offered,) = re.findall(r'<select name="fault">(.*?)</select>', http.get("/").text, re.DOTALL)
    values = re.findall('value="([^"]+)"', offered)
    for value in values:
        assert post(http, {"do": "fail", "fault": value}).status_code == 303
    assert len(oms.faults.waiting()) == len(values) > 5


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"do": "fail", "fault": "nothing"}, "is not FAULT"),
        ({"do": "fail"}, "is not FAULT"),
        ({"do": "dance"}, "The form must do fail, clear or reset."),
        ({}, "The form must do fail, clear or reset."),
    ],
)
def test_a_wrong_form_changes_nothing(oms: Oms, http: httpx.Client, form: dict[str, str], said: str) -> None:
    """The answer says what is wrong."""
    response = post(http, form)
    assert response.status_code == 400
    assert said in response.json()["error"]["message"]
    assert oms.faults.waiting() == []
    assert len(oms.orders) == 2


def test_a_large_form_is_refused(http: httpx.Client) -> None:
    """The page posts a few bytes."""
    assert post(http, {"do": "x" * 5000}).status_code == 413


def test_the_reset_button_returns_to_the_start(oms: Oms, http: httpx.Client) -> None:
    """Orders are as at the start; requests, feeds, faults and changed settings are gone."""

    def fill(oms: Oms) -> None:
        oms.add_order("o-09", ["1"])

    oms.fill = fill
    oms.settings = OmsSettings(rate_limit=0)
    oms.faults.add(Fault(500))
    queue = {"visibilityTimeoutInSeconds": 1, "MessageRetentionPeriodInSeconds": 60}
    oms.configure_feed("k", {"filter": {"type": "FromWorkflow", "status": ["invoiced"]}, "queue": queue})
    http.get("/api/oms/pvt/orders/o-01", headers=KEY)
    assert post(http, {"do": "reset"}).status_code == 303
    assert list(oms.orders) == ["o-09"]
    assert (list(oms.received), oms.faults.waiting(), oms.feeds, oms.settings) == ([], [], {}, OmsSettings())


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "https://127.0.0.1", "http://127.0.0.1", "http://localhost:1"]
)
def test_another_page_cannot_post(oms: Oms, http: httpx.Client, origin: str | None) -> None:
    """A browser adds the origin of the page that posts; a sandbox on another port is another origin, too."""
    headers = {} if origin is None else {"Origin": origin}
    response = http.post("/", data={"do": "reset"}, headers=headers)
    assert (response.status_code, len(oms.orders)) == (403, 2)


def test_a_page_with_a_dns_name_of_its_own_cannot_post(oms: Oms, http: httpx.Client) -> None:
    """Host and origin agree, but the name is not one of this machine."""
    response = post(http, {"do": "reset"}, Host="evil.example", Origin="http://evil.example")
    assert (response.status_code, len(oms.orders)) == (400, 2)


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 303), ("::1", 303), ("192.0.2.1", 403)])
def test_another_machine_cannot_post(oms: Oms, address: str, status: int) -> None:
    """A server that listens on other addresses does not pass its clients to the buttons."""

    async def clear() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(oms), client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/", data={"do": "clear"}, headers={"Origin": "http://localhost"})

    response = asyncio.run(clear())
    assert response.status_code == status


def test_the_page_itself_is_not_among_the_requests(oms: Oms, http: httpx.Client) -> None:
    """Neither are its buttons, refused posts and the icon that browsers ask for."""
    http.get("/")
    post(http, {"do": "clear"})
    http.post("/", data={"do": "clear"})
    assert http.get("/favicon.ico").status_code == 204
    assert list(oms.received) == []


def test_a_form_that_ends_early_is_no_error_of_the_sandbox(oms: Oms) -> None:
    """The connection closes within the form: nothing changes, and the server gets no exception to log."""
    headers = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    scope = {"type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "headers": headers}
    messages: list[Message] = [
        {"type": "http.request", "body": b"do=reset", "more_body": True},
        {"type": "http.disconnect"},
    ]
    statuses = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        statuses.append(message.get("status"))

    asyncio.run(create_app(oms)({**scope, "scheme": "http", "client": ("127.0.0.1", 1)}, receive, send))
    assert statuses[0] == 400
    assert len(oms.orders) == 2
