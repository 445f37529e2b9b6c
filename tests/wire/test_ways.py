"""The way to a server: TLS that is verified, proxies that are asked for, and a caller's own client."""

from __future__ import annotations

import base64
import datetime as dt
import inspect
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trustme
from httpcore import Request

from vtex_tracking_ext import (
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RetryPolicy,
    TrackingClient,
    TrackingReceipt,
)

from wire.calls import HASTY, OK, ONCE, UPDATE, answer, ended, receipt, update, within
from wire.server import (
    HOST,
    again,
    apply,
    close,
    dribble,
    handshake,
    read,
    read_head,
    say,
    tunnel,
    until_gone,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from support.answers import Twin
    from wire.server import Server

ALL_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server's TLS context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def bad_contexts(authority: trustme.CA) -> dict[str, ssl.SSLContext]:
    """Return contexts that nobody should trust, though ``authority`` is trusted."""
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    return {
        "expired": context_of(authority.issue_cert(HOST, not_after=past)),
        "wrong host": context_of(authority.issue_cert("other.example")),
        "wrong authority": context_of(trustme.CA().issue_cert(HOST)),
    }


@pytest.mark.parametrize("own", [False, True], ids=["ours", "caller's"])
@pytest.mark.parametrize("kind", ["expired", "wrong host", "wrong authority"])
def test_a_certificate_that_proves_nothing_gets_no_request(
    make: Callable[..., Twin], serve: Callable[..., Server], authority: trustme.CA, ca_file: Path, kind: str, own: bool
) -> None:
    """Not one byte of it, and no credential."""
    server = serve([handshake(bad_contexts(authority)[kind]), read, apply, say(OK)], scheme="https")
    trust: dict[str, Any] = (
        {"own": {"verify": ssl.create_default_context(cafile=str(ca_file))}} if own else {"ca_file": ca_file}
    )
    error = ended(make(server.url, **trust))
    assert isinstance(error, NotSentError)
    assert error.applied is False
    assert server.requests == []


def test_an_authority_of_ones_own_is_trusted_only_where_it_is_named(
    make: Callable[..., Twin], serve: Callable[..., Server], tls: ssl.SSLContext, ca_file: Path
) -> None:
    """By ``ca_file``; the certificate is then good."""
    server = serve([handshake(tls), read, apply, say(OK), close], scheme="https")
    assert isinstance(ended(make(server.url)), NotSentError)
    assert server.requests == []
    assert isinstance(ended(make(server.url, ca_file=ca_file)), TrackingReceipt)
    assert len(server.applied) == 1


def test_the_environment_names_certificates_only_where_it_is_trusted(
    make: Callable[..., Twin],
    serve: Callable[..., Server],
    tls: ssl.SSLContext,
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``SSL_CERT_FILE`` counts with ``trust_env=True`` alone."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    server = serve([handshake(tls), read, apply, say(OK), close], scheme="https")
    assert isinstance(ended(make(server.url)), NotSentError)
    assert isinstance(ended(make(server.url, trust_env=True)), TrackingReceipt)


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "empty"])
def test_certificates_of_the_environment_that_cannot_be_used_are_named(
    make: Callable[..., Twin], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    """When the client is made, and with the variable: nobody sees it in the call."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE of the environment cannot be used: "):
        make("https://mystore.example", trust_env=True)


def test_an_answer_that_ends_without_a_goodbye_is_unknown_or_marked(
    make: Callable[..., Twin], serve: Callable[..., Server], tls: ssl.SSLContext, ca_file: Path
) -> None:
    """A TLS connection that is cut: before the answer nobody knows, after its head it was applied."""
    before = serve([handshake(tls), read, apply, close], scheme="https")
    assert isinstance(ended(make(before.url, ca_file=ca_file)), OutcomeUnknownError)
    amid = serve([handshake(tls), read, apply, say(answer(length=500)), close], scheme="https")
    result = ended(make(amid.url, ca_file=ca_file))
    assert isinstance(result, TrackingReceipt)
    assert "the response was cut off" in (result.note or "")
    assert len(before.applied) == len(amid.applied) == 1


@pytest.mark.parametrize("login", ["", "user:p%40ss@"])
def test_a_proxy_that_is_named_is_asked_to_connect(
    make: Callable[..., Twin],
    serve: Callable[..., Server],
    tls: ssl.SSLContext,
    ca_file: Path,
    login: str,
) -> None:
    """It sees where to, and its own login; the request and its credentials go through it unseen."""
    server = serve([handshake(tls), again(read, apply, say(OK))], scheme="https")
    proxy = serve([read_head, tunnel(server.port)])
    client = make(server.url, ca_file=ca_file, proxy=f"http://{login}{HOST}:{proxy.port}")
    results = [ended(client), ended(client)]
    assert all(isinstance(result, TrackingReceipt) for result in results)
    assert len(server.applied) == 2
    (asked,) = proxy.requests
    assert (asked.method, asked.target) == ("CONNECT", f"{HOST}:{server.port}")
    expected = ["Basic " + base64.b64encode(b"user:p@ss").decode()] if login else []
    assert asked.values("Proxy-Authorization") == expected
    assert asked.values("VtexIdclientAutCookie") == []


def test_a_proxy_is_asked_for_an_ipv6_address_in_brackets(
    make: Callable[..., Twin], serve: Callable[..., Server]
) -> None:
    """Else nobody could tell its port."""
    proxy = serve([read_head, say(b"HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n"), until_gone])
    ended(make("https://[2001:db8::1]", proxy=f"http://{HOST}:{proxy.port}"))
    assert [(asked.target, asked.values("Host")) for asked in proxy.requests] == [
        ("[2001:db8::1]:443", ["[2001:db8::1]:443"])
    ]


@pytest.mark.parametrize("status", [302, 400, 403, 407, 502])
@pytest.mark.parametrize("way", ["ours", "caller's"])
def test_a_proxy_that_refuses_sent_nothing(
    make: Callable[..., Twin], serve: Callable[..., Server], status: int, way: str
) -> None:
    """Its answer is not VTEX's; the request never left."""
    proxy = serve([read_head, say(answer(status, b"no")), close])
    address = f"http://{HOST}:{proxy.port}"
    options: dict[str, Any] = {"own": {"proxy": address}} if way == "caller's" else {"proxy": address}
    error = ended(make("https://mystore.example", **options))
    assert isinstance(error, NotSentError)
    assert error.applied is False
    assert [request.method for request in proxy.requests] == ["CONNECT"]


@pytest.mark.parametrize("how", ["not there", "hangs up", "not HTTP"])
def test_what_goes_wrong_with_a_proxy_is_told_of_it(
    make: Callable[..., Twin], serve: Callable[..., Server], how: str
) -> None:
    """By its address, for it is not the server that is to be mended."""
    port = serve([read_head, *([say(b"220 ready\r\n\r\n")] if how == "not HTTP" else []), close]).port
    if how == "not there":
        with socket.create_server((HOST, 0)) as free:
            port = free.getsockname()[1]
    error = ended(make("https://mystore.example", proxy=f"http://{HOST}:{port}"))
    assert isinstance(error, NotSentError)
    assert "not sent to https://mystore.example: connecting through the proxy failed" in str(error)
    assert f"(ProxyError: {HOST}:{port}: " in str(error)


def test_the_environments_proxies_are_used_only_where_it_is_trusted(
    make: Callable[..., Twin], serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would see, or could fake, everything."""
    server = serve([read, apply, say(OK), close])
    proxy = serve([read_head, tunnel(server.port)])
    for name in ALL_PROXIES:
        monkeypatch.setenv(name, f"http://{HOST}:{proxy.port}")
    assert isinstance(ended(make(server.url)), TrackingReceipt)
    assert proxy.requests == []
    assert isinstance(ended(make(server.url, trust_env=True)), TrackingReceipt)
    assert [request.method for request in proxy.requests] == ["CONNECT"]
    assert len(server.applied) == 2


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_callers_client_is_held_to_the_deadline(
    make: Callable[..., Twin], serve: Callable[..., Server], where: str
) -> None:
    """A server that dribbles cannot outlast it."""
    head, body = answer().split(b"\r\n\r\n")
    steps = [dribble(head)] if where == "head" else [say(head + b"\r\n\r\n"), dribble(body)]
    server = serve([read, apply, *steps])
    with within(0.5, grace=1):
        result = ended(make(server.url, own={}, timeout=0.5))
    assert isinstance(result, OutcomeUnknownError if where == "head" else TrackingReceipt)
    assert len(server.applied) == 1


def test_a_callers_client_stops_reading_a_body_that_cannot_be_decoded(
    make: Callable[..., Twin], serve: Callable[..., Server]
) -> None:
    """The update is applied, and the receipt says that its body is missing."""
    server = serve([read, apply, say(answer(200, b"{}" * 9, "Content-Encoding: gzip"))])
    result = ended(make(server.url, own={}))
    assert result.applied is True
    assert "no readable receipt" in result.note


def test_a_callers_client_follows_no_redirect_and_sends_no_auth(
    make: Callable[..., Twin], serve: Callable[..., Server]
) -> None:
    """Though it was told to."""
    other = serve([read, say(OK)])
    server = serve([read, say(answer(302, b"", f"Location: {other.url}/"))])
    result = ended(make(server.url, own={"follow_redirects": True, "auth": ("u", "p")}))
    assert result.applied is False
    assert other.connections == 0
    assert server.requests[0].values("Authorization") == []


def test_a_callers_client_never_reads_a_left_over_receipt(
    make: Callable[..., Twin], serve: Callable[..., Server]
) -> None:
    """Each request has a connection of its own, and keeps no cookie."""
    forged = answer(200, receipt("o-02", 999))
    server = serve([read, apply, say(answer(200, None, "Set-Cookie: a=b") + forged), until_gone])
    client = make(server.url, own={}, timeout=2)
    first, second = ended(client), ended(client, update("o-02"))
    assert first.receipt == f"{1:032x}"
    assert second.receipt != f"{999:032x}"
    assert server.connections == 2
    assert [request.values("Cookie") for request in server.requests] == [[], []]
    assert [request.values("Connection") for request in server.requests] == [["close"], ["close"]]


def test_a_callers_idle_connections_are_not_used(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """What an answer to the caller left on one would be read as a receipt."""
    forged = answer(200, receipt("o-02", 999))
    left = [read, say(answer(200, b"{}") + forged), until_gone]
    server = serve(left, left, [again(read, apply, say(OK))])
    client = make(server.url, own={})
    http = client.client._transport.open()._http
    if isinstance(http, httpx.Client):
        with http.stream("GET", server.url) as first, http.stream("GET", server.url) as second:
            assert first.read() == second.read() == b"{}"
    else:

        async def twice() -> None:
            async with http.stream("GET", server.url) as first, http.stream("GET", server.url) as second:
                assert await first.aread() == await second.aread() == b"{}"

        client._runner.run(twice())
    assert server.connections == 2
    assert ended(client).receipt == f"{1:032x}"
    assert len(server.requests) == server.connections == 3


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_callers_client_leaves_no_thread_behind(
    make: Callable[..., Twin], serve: Callable[..., Server], tls: ssl.SSLContext, ca_file: Path, where: str
) -> None:
    """One that a dribbling server could keep for ever, with its connection, for each call."""
    head, body = answer().split(b"\r\n\r\n")
    said = [dribble(head * 9)] if where == "head" else [say(head + b"\r\n\r\n"), dribble(body)]
    context = ssl.create_default_context(cafile=str(ca_file))
    for first, scheme in ([], "http"), ([handshake(tls)], "https"):
        server = serve([*first, read, apply, *said], scheme=scheme)
        assert (
            ended(make(server.url, own={"verify": context}, timeout=0.5)).applied is {"head": None, "body": True}[where]
        )
        server.wait_until(lambda each: each.open == 0)
    for thread in threading.enumerate():
        if thread.name.startswith("vtex-tracking"):
            thread.join(5)
            assert not thread.is_alive()


def test_what_was_not_sent_in_time_is_never_sent(
    make: Callable[..., Twin], serve: Callable[..., Server], tls: ssl.SSLContext, ca_file: Path
) -> None:
    """The proxy lets the connection through after the call has said that nothing was sent."""
    late = threading.Event()
    server = serve([handshake(tls), read, apply, say(OK)], [until_gone], scheme="https")
    proxy = serve([read_head, wait_for(late), tunnel(server.port)])
    context = ssl.create_default_context(cafile=str(ca_file))
    own = {"proxy": f"http://{HOST}:{proxy.port}", "verify": context}
    assert isinstance(ended(make(server.url, own=own, timeout=0.3)), NotSentError)
    late.set()
    proxy.wait_until(lambda each: each.open == 0)
    assert server.requests == []


def test_what_was_not_connected_in_time_is_never_sent(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a name is looked up for long; the asynchronous client is cancelled there."""
    late = threading.Event()
    connect = socket.create_connection

    def slow(*arguments: Any, **options: Any) -> socket.socket:
        assert late.wait(30)
        return connect(*arguments, **options)

    server = serve([read])
    monkeypatch.setattr(socket, "create_connection", slow)
    with httpx.Client() as http:
        client = TrackingClient(
            "mystore", user_token="MADEUP", base_url=server.url, http_client=http, timeout=0.1, retry=ONCE
        )
        with pytest.raises(NotSentError):
            client.send(UPDATE)
        late.set()
        server.wait_until(lambda each: each.connections == 1 and each.open == 0)
    assert server.requests == []


class _Stubborn(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Never connects, and has the one connection that it was made with."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Begin to send."""
        request.extensions["trace"]("http11.send_request_headers.started", {"request": Request(b"PUT", "http://x/")})
        raise AssertionError

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Begin to send."""
        asked = {"request": Request(b"PUT", "http://x/")}
        await request.extensions["trace"]("http11.send_request_headers.started", asked)
        raise AssertionError


def test_a_transport_with_used_connections_alone_sends_nothing(make: Callable[..., Twin]) -> None:
    """And does not try for ever."""
    with within(0.1, grace=1):
        error = ended(make("http://127.0.0.1:9", own={"transport": _Stubborn()}, timeout=0.1))
    assert isinstance(error, NotSentError)


def hooked(client: Twin, event: str, hook: Callable[[Any], object]) -> Twin:
    """Give a client's httpx client an event hook, of its own kind."""

    async def later(given: Any) -> None:
        result = hook(given)
        if inspect.isawaitable(result):
            await result

    http = client.client._transport.open()._http
    http.event_hooks = {event: [hook if isinstance(http, httpx.Client) else later]}
    return client


def _refuse(_: object) -> None:
    raise RuntimeError("no")


_FAILING_HOOKS: dict[str, tuple[Callable[[Any], object], tuple[str, ...]]] = {
    "raises": (_refuse, ()),
    "reads a body that is not what it says": (
        lambda response: response.read() if isinstance(response.stream, httpx.SyncByteStream) else response.aread(),
        ("Content-Encoding: gzip",),
    ),
}


@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize(("hook", "lines"), _FAILING_HOOKS.values(), ids=_FAILING_HOOKS)
def test_an_event_hook_that_fails_hides_no_answer(
    make: Callable[..., Twin],
    serve: Callable[..., Server],
    status: int,
    hook: Callable[[Any], object],
    lines: tuple[str, ...],
) -> None:
    """The status has been said: an accepted update is not sent again, even where a caller asked for re-sending."""
    server = serve([again(read, apply, say(answer(status, None, *lines)))])
    client = make(server.url, own={}, retry=HASTY, on_unknown="resend")
    result = ended(hooked(client, "response", hook))
    assert result.applied is {200: True, 404: False, 500: None}[status]
    assert len(server.applied) == {200: 1, 404: 1, 500: 3}[status]


def test_a_proxys_answer_is_not_the_servers(
    make: Callable[..., Twin], serve: Callable[..., Server], tls: ssl.SSLContext, ca_file: Path
) -> None:
    """Its 200 to CONNECT says nothing of the request, which is lost behind it."""
    server = serve([handshake(tls), read, close], scheme="https")
    proxy = serve([read_head, tunnel(server.port)])
    context = ssl.create_default_context(cafile=str(ca_file))
    own = {"proxy": f"http://{HOST}:{proxy.port}", "verify": context}
    assert isinstance(ended(make(server.url, own=own)), OutcomeUnknownError)
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_an_event_hook_that_ends_the_program_does(
    make: Callable[..., Twin], serve: Callable[..., Server], kind: type[BaseException]
) -> None:
    """It is not swallowed by a thread."""

    def leave(_: object) -> None:
        raise kind

    server = serve([read, apply, say(OK)])
    client = hooked(make(server.url, own={}), "response", leave)
    with pytest.raises(kind):
        client.send(UPDATE)


def test_a_client_that_verifies_nothing_is_refused(make: Callable[..., Twin], ca_file: Path) -> None:
    """As one of ours cannot be made; over http there is nothing to verify."""
    lax = ssl.create_default_context(cafile=str(ca_file))
    lax.check_hostname = False
    for verify in (False, lax):
        with pytest.raises(ConfigurationError, match="does not verify"):
            make("https://127.0.0.1:9", own={"verify": verify})
        make("http://127.0.0.1:9", own={"verify": verify})


def test_an_event_hook_that_raises_on_the_status_hides_no_answer(
    make: Callable[..., Twin], serve: Callable[..., Server]
) -> None:
    """``raise_for_status`` as a response hook is common; a no stays a no."""

    def complain(response: httpx.Response) -> None:
        response.raise_for_status()

    async def complain_later(response: httpx.Response) -> None:
        response.raise_for_status()

    server = serve([again(read, say(answer(404)))])
    client = make(server.url, own={})
    hook = complain if isinstance(client.client._transport.open()._http, httpx.Client) else complain_later
    client.client._transport.open()._http.event_hooks = {"response": [hook]}
    assert isinstance(ended(client), NotFoundError)


def test_a_hook_that_raises_before_anything_left_sent_nothing(
    make: Callable[..., Twin], serve: Callable[..., Server]
) -> None:
    """What was watched and not seen did not happen."""

    def refuse(_: httpx.Request) -> None:
        raise RuntimeError("no")

    async def refuse_later(_: httpx.Request) -> None:
        raise RuntimeError("no")

    server = serve([read, apply, say(OK)])
    client = make(server.url, own={})
    hook = refuse if isinstance(client.client._transport.open()._http, httpx.Client) else refuse_later
    client.client._transport.open()._http.event_hooks = {"request": [hook]}
    assert isinstance(ended(client), NotSentError)
    assert server.connections == 0


def test_a_callers_client_that_refuses_connections_is_tried_again(make: Callable[..., Twin]) -> None:
    """As a client of our own is."""
    error = ended(make("http://127.0.0.1:9", own={}, retry=RetryPolicy(attempts=3, first_wait=0)))
    assert isinstance(error, NotSentError)
    assert error.attempts == 3


class _Unclosable(httpx.AsyncByteStream, httpx.SyncByteStream):
    """A body that cannot be closed."""

    def __iter__(self) -> Iterator[bytes]:
        yield receipt()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield receipt()

    def close(self) -> None:
        """Fail."""
        raise RuntimeError("no")

    async def aclose(self) -> None:
        """Fail."""
        raise RuntimeError("no")


def test_a_response_that_cannot_be_closed_is_an_answer(make: Callable[..., Twin]) -> None:
    """What a caller's transport raises afterwards does not matter."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=_Unclosable()))
    assert ended(make("http://127.0.0.1:9", own={"transport": transport})).applied is True


def test_a_client_for_http_2_is_refused(make: Callable[..., Twin], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connections cannot be kept from being used again; a library for it need not be installed to say so."""

    class Pool:
        """What is known of such a client's pool."""

        _http2 = True

        def close(self) -> None:
            """Do nothing."""

        async def aclose(self) -> None:
            """Do nothing."""

    monkeypatch.setattr("httpcore.ConnectionPool", lambda **_: Pool())
    monkeypatch.setattr("httpcore.AsyncConnectionPool", lambda **_: Pool())
    with pytest.raises(ConfigurationError, match="HTTP/2"):
        make("http://127.0.0.1:9", own={})


def test_a_401_on_the_way_in_is_vtexs(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """It is no proxy's: an authentication error, not sent again."""
    server = serve([again(read, say(answer(401)))])
    assert isinstance(ended(make(server.url, own={}, retry=ONCE), UPDATE), AuthenticationError)
    assert len(server.requests) == 1
