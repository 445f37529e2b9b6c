"""The sandbox over HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from vtex_tracking_ext import asgi_server
from vtex_tracking_ext.sandbox import (
    APP_KEY,
    APP_TOKEN,
    READ_ONLY_APP_KEY,
    READ_ONLY_APP_TOKEN,
    USER_TOKEN,
    WRITE_ONLY_APP_KEY,
    WRITE_ONLY_APP_TOKEN,
    Fault,
    Oms,
    OmsSettings,
    ReceivedRequest,
    parse_fault,
    running,
    serve,
)
from vtex_tracking_ext.sandbox.app import create_app

from support.contract_check import SentRequest, check_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

ORDER = "/api/oms/pvt/orders/o-01"
INVOICE = f"{ORDER}/invoice/1"
TRACKING = f"{INVOICE}/tracking"
BODY = {
    "isDelivered": False,
    "deliveredDate": None,
    "events": [{"city": "", "state": "", "description": "Coletado <b>", "date": "2015-06-23"}],
}
KEY = {"X-VTEX-API-AppKey": APP_KEY, "X-VTEX-API-AppToken": APP_TOKEN}
READER = {"X-VTEX-API-AppKey": READ_ONLY_APP_KEY, "X-VTEX-API-AppToken": READ_ONLY_APP_TOKEN}
WRITER = {"X-VTEX-API-AppKey": WRITE_ONLY_APP_KEY, "X-VTEX-API-AppToken": WRITE_ONLY_APP_TOKEN}


class Received(deque[ReceivedRequest]):
    """Requests as the sandbox notes them; says when one is."""

    def __init__(self, noted: threading.Event) -> None:
        super().__init__()
        self.noted = noted

    def append(self, request: ReceivedRequest) -> None:
        """Take one in."""
        super().append(request)
        self.noted.set()


@pytest.fixture
def oms() -> Oms:
    """Return an OMS with one order."""
    oms = Oms()
    oms.add_order("o-01", ["1"], returns=["9"])
    oms.add_order("o-02")
    oms.add_order("o-03", ["1"], status="canceled")
    oms.add_order("o-04", ["1"], tracking_number=None)
    return oms


@pytest.fixture
def http(oms: Oms) -> Iterator[httpx.Client]:
    """Return a client of the running sandbox."""
    with running(oms) as url, httpx.Client(base_url=url, trust_env=False) as http:
        yield http


def call(http: httpx.Client, method: str, path: str, headers: dict[str, str], **body: Any) -> httpx.Response:
    """Make a call; its answer conforms to openapi.yaml, and a refusal comes in OMS's envelope."""
    answer = http.request(method, path, headers=headers, **body)
    request = SentRequest(method, path, answer.request.headers.multi_items(), answer.request.content)
    check_answer(request, answer.status_code, answer.headers.multi_items(), answer.content)
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert error.keys() == {"code", "message", "exception"}
        assert answer.headers["x-vtex-error-code"] == error["code"]
    assert answer.headers["X-Track"] == "stable"
    assert answer.headers["x-vtex-operation-id"]
    return answer


@pytest.mark.parametrize("headers", [KEY, {"VtexIdclientAutCookie": USER_TOKEN}])
def test_both_kinds_of_credentials_are_accepted(http: httpx.Client, headers: dict[str, str]) -> None:
    """App key and user token work for all operations."""
    assert call(http, "PUT", TRACKING, headers, json=BODY).status_code == 200
    numbers = {"trackingNumber": "T", "trackingUrl": None, "courier": "C", "dispatchedDate": None}
    assert call(http, "PATCH", INVOICE, headers, json=numbers).status_code == 200
    (package, _) = call(http, "GET", ORDER, headers).json()["packageAttachment"]["packages"]
    assert package["trackingNumber"] == "T"
    assert package["courierStatus"]["data"][0]["description"] == "Coletado <b>"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("PUT", TRACKING, {}, 401),
        ("PUT", TRACKING, {"X-VTEX-API-AppKey": APP_KEY}, 401),
        ("PUT", TRACKING, {**KEY, "X-VTEX-API-AppToken": "x"}, 401),
        ("PUT", TRACKING, {"VtexIdclientAutCookie": "x"}, 401),
        ("PUT", TRACKING, READER, 403),
        ("GET", ORDER, WRITER, 403),
        ("GET", ORDER, READER, 200),
        ("PUT", TRACKING, WRITER, 200),
        ("PUT", f"{ORDER}/invoice/2/tracking", KEY, 404),
        ("PUT", f"{ORDER}/invoice/9/tracking", KEY, 404),
        ("PUT", "/api/oms/pvt/orders/x-01/invoice/1/tracking", KEY, 404),
        ("PUT", "/api/oms/pvt/orders/o-03/invoice/1/tracking", KEY, 409),
        ("PUT", "/api/oms/pvt/orders/o-04/invoice/1/tracking", KEY, 409),
        ("PUT", f"{ORDER}/invoice/a%20b/tracking", KEY, 500),
    ],
)
def test_each_refusal_has_its_status(
    http: httpx.Client, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """Credentials, resources, orders, invoices and states have VTEX's statuses; a space in the invoice gets 500."""
    assert call(http, method, path, headers, json=BODY if method == "PUT" else None).status_code == status


def test_an_unknown_path_is_answered_with_the_envelope(http: httpx.Client, oms: Oms) -> None:
    """A slash in the invoice number, another method and another path get OMS's error envelope."""
    for path in (f"{ORDER}/invoice/a/b/tracking", f"{ORDER}/invoice/a%2Fb/tracking", f"{TRACKING}/", "/api"):
        answer = http.put(path, headers=KEY, json=BODY)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "404")
    assert http.delete(TRACKING, headers=KEY).status_code == 405
    assert oms.applied("o-01", "1") == []


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b'{"isDelivered": true}', b"x" * (1024 * 1024 + 1)])
def test_a_bad_body_is_refused(http: httpx.Client, oms: Oms, body: bytes) -> None:
    """An invalid body is answered with 400, and nothing is applied."""
    assert call(http, "PUT", TRACKING, {**KEY, "Content-Type": "application/json"}, content=body).status_code == 400
    assert oms.applied("o-01", "1") == []


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/json2", ""])
def test_a_body_of_another_type_is_refused(http: httpx.Client, oms: Oms, kind: str) -> None:
    """A body with another Content-Type is answered with 415."""
    headers = {**KEY, **({"Content-Type": kind} if kind else {})}
    assert http.put(TRACKING, headers=headers, content=json.dumps(BODY)).status_code == 415
    assert oms.applied("o-01", "1") == []
    headers = {**KEY, "Content-Type": "Application/JSON; charset=utf-8"}
    assert call(http, "PUT", TRACKING, headers, content=json.dumps(BODY)).status_code == 200


def test_a_disconnected_client_is_recorded(http: httpx.Client, oms: Oms, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is applied, and the server logs nothing."""
    noted = threading.Event()
    oms.received = Received(noted)
    with socket.create_connection((http.base_url.host, http.base_url.port or 80)) as client:
        lines = [f"PUT {TRACKING} HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Content-Length: 999"]
        lines += [f"{name}: {value}" for name, value in KEY.items()]
        client.sendall("\r\n".join([*lines, "", '{"isDelivered"']).encode())
    assert noted.wait(10)
    (request,) = oms.received
    assert (request.method, request.path, request.status) == ("PUT", TRACKING, 499)
    assert request.body in {b"", b'{"isDelivered"'}
    assert oms.applied("o-01", "1") == []
    assert caplog.records == []
    assert "499" in http.get("/").text


def test_the_rate_limit_answers_429(http: httpx.Client, oms: Oms) -> None:
    """A call above the limit is not applied, and gets Retry-After if that is set."""
    oms.settings = OmsSettings(rate_limit=1)
    assert call(http, "PUT", TRACKING, KEY, json=BODY).status_code == 200
    answer = call(http, "PUT", TRACKING, KEY, json=BODY)
    assert answer.status_code == 429
    assert "Retry-After" not in answer.headers
    oms.settings = OmsSettings(rate_limit=1, retry_after=7)
    assert call(http, "GET", ORDER, KEY).headers["Retry-After"] == "7"
    assert len(oms.applied("o-01", "1")) == 1


def test_requests_are_kept_without_credentials(http: httpx.Client, oms: Oms) -> None:
    """Raw path, body and status are kept."""
    call(http, "PUT", f"{ORDER}/invoice/a%20b/tracking", KEY, json=BODY)
    call(http, "PUT", TRACKING, KEY, json=BODY)
    first, second = oms.received
    assert (first.path, first.status) == (f"{ORDER}/invoice/a%20b/tracking", 500)
    assert (second.method, second.path, second.status) == ("PUT", TRACKING, 200)
    assert json.loads(second.body) == BODY
    assert APP_TOKEN not in repr(second)
    assert APP_KEY not in repr(second)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example"])
def test_another_host_name_is_refused(http: httpx.Client, host: str) -> None:
    """A web page cannot reach the sandbox through a DNS name of its own."""
    for path in ("/", ORDER, "/nowhere"):
        assert http.get(path, headers={**KEY, "Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "[::1]", "[::1]:8000"])
def test_loopback_host_names_are_accepted(http: httpx.Client, host: str) -> None:
    """They may have a port."""
    assert http.get(ORDER, headers={**KEY, "Host": host}).status_code == 200


def test_the_page_shows_orders_and_timelines(http: httpx.Client, oms: Oms) -> None:
    """The page escapes all texts and has a content security policy."""
    assert "No requests yet" in http.get("/").text
    http.put(TRACKING, headers=KEY, json={**BODY, "isDelivered": True, "deliveredDate": "2022-10-01 21:15"})
    answer = http.get("/")
    assert "Coletado &lt;b&gt;" in answer.text
    assert "delivered 2022-10-01 21:15" in answer.text
    assert "no tracking number" in answer.text
    assert "return" in answer.text
    assert TRACKING in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    oms.orders.clear()
    assert "No orders." in http.get("/").text


def test_a_port_in_use_is_an_error() -> None:
    """The error is raised before the server starts."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        serve(Oms(), port=taken.getsockname()[1], ready=print)


def test_serve_reports_its_address_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server responds when the address is reported."""
    urls: list[str] = []
    original = asgi_server.Server.startup

    async def start_and_end(self: asgi_server.Server, sockets: list[socket.socket] | None = None) -> None:
        await original(self, sockets)
        self.should_exit = True

    monkeypatch.setattr(asgi_server.Server, "startup", start_and_end)
    serve(Oms(), port=0, ready=urls.append)
    (url,) = urls
    assert url.startswith("http://127.0.0.1:")


def test_responses_are_not_delayed() -> None:
    """Nagle's algorithm and delayed acknowledgements would delay each response by 40 ms."""
    with asgi_server.listen(0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    ("text", "status", "applied"), [("500", 500, 0), ("500-after", 500, 1), ("408-after", 408, 1), ("404", 404, 0)]
)
def test_an_error_on_demand(http: httpx.Client, oms: Oms, text: str, status: int, applied: int) -> None:
    """The status is that which was asked for, before or after applying; the next request is answered as usual."""
    oms.faults.add(parse_fault(text))
    answer = http.put(TRACKING, headers=KEY, json=BODY)
    assert (answer.status_code, len(oms.applied("o-01", "1"))) == (status, applied)
    assert answer.json()["error"]["message"] == "The sandbox was asked to answer with this status."
    assert call(http, "PUT", TRACKING, KEY, json=BODY).status_code == 200
    faulty, usual = oms.received
    assert (faulty.status, faulty.fault, json.loads(faulty.body)) == (status, str(parse_fault(text)), BODY)
    assert faulty.answer == answer.content
    assert (usual.status, usual.fault) == (200, "")


def test_a_429_on_demand_has_retry_after_if_asked_for(http: httpx.Client, oms: Oms) -> None:
    """Both forms of VTEX's answer conform to openapi.yaml."""
    oms.faults.add(parse_fault("429=7"))
    oms.faults.add(parse_fault("429"))
    assert call(http, "PUT", TRACKING, KEY, json=BODY).headers["Retry-After"] == "7"
    assert "Retry-After" not in call(http, "PUT", TRACKING, KEY, json=BODY).headers
    assert oms.applied("o-01", "1") == []


@pytest.mark.parametrize(("text", "applied"), [("cut", 1), ("cut-before", 0)])
def test_a_connection_is_cut_on_demand(
    capfd: pytest.CaptureFixture[str], http: httpx.Client, oms: Oms, text: str, applied: int
) -> None:
    """The client gets no byte of an answer, the record is there at once, and the server logs nothing."""
    oms.faults.add(parse_fault(text))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        http.put(TRACKING, headers=KEY, json=BODY)
    (request,) = oms.received
    assert (request.status, request.answer, json.loads(request.body)) == (444, b"", BODY)
    assert request.fault.startswith("connection cut")
    assert len(oms.applied("o-01", "1")) == applied
    assert call(http, "PUT", TRACKING, KEY, json=BODY).status_code == 200
    assert capfd.readouterr().err == ""


def test_a_large_request_is_cut_on_demand(capfd: pytest.CaptureFixture[str], http: httpx.Client, oms: Oms) -> None:
    """The connection is cut while the client sends, and the server logs nothing."""
    oms.faults.add(parse_fault("cut"))
    with pytest.raises(httpx.TransportError):
        http.put(TRACKING, headers={**KEY, "Content-Type": "application/json"}, content=b"x" * 8 * 1024 * 1024)
    assert [request.status for request in oms.received] == [444]
    assert http.get(ORDER, headers=KEY).status_code == 200
    assert capfd.readouterr().err == ""


def test_a_request_that_is_refused_is_not_applied_by_a_fault(http: httpx.Client, oms: Oms) -> None:
    """The fault hides the refusal, as it would hide a receipt."""
    oms.faults.add(parse_fault("500-after:2"))
    assert http.put(TRACKING, json=BODY).status_code == 500
    assert http.put(TRACKING, headers=KEY, json={}).status_code == 500
    assert oms.applied("o-01", "1") == []


def test_an_answer_is_late_on_demand(http: httpx.Client, oms: Oms) -> None:
    """The request is applied before; an answer that comes in time is the usual one."""
    oms.faults.add(Fault(delay=0.05))
    assert call(http, "PUT", TRACKING, KEY, json=BODY).status_code == 200
    noted = threading.Event()
    oms.received = Received(noted)
    oms.faults.add(Fault(delay=60))
    with pytest.raises(httpx.ReadTimeout):
        http.put(TRACKING, headers=KEY, json=BODY, timeout=0.1)
    assert noted.wait(10)
    assert len(oms.applied("o-01", "1")) == 2
    assert [request.fault for request in oms.received] == ["answered 60 s late"]


def test_a_fault_of_another_operation_waits(http: httpx.Client, oms: Oms) -> None:
    """Each operation is known by its name."""
    oms.faults.add(Fault(500, operation="get_packages"))
    assert http.put(TRACKING, headers=KEY, json=BODY).status_code == 200
    assert http.get(ORDER, headers=KEY).status_code == 500


def test_a_server_without_transports_gets_an_error(oms: Oms) -> None:
    """ASGI has no way to cut a connection; other servers than uvicorn close it when the application fails."""
    oms.faults.add(parse_fault("cut"))

    async def put() -> None:
        transport = httpx.ASGITransport(create_app(oms))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            await client.put(TRACKING, headers=KEY, json=BODY)

    with pytest.raises(ConnectionResetError, match="asked to cut"):
        asyncio.run(put())
    assert len(oms.applied("o-01", "1")) == 1
