"""Connections of our own: addresses of a host, test tools that replace httpx's transport, memory."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import signal
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any
from unittest import mock

import httpx
import pytest
import trustme
import wrapt

from vtex_tracking_ext import AsyncTrackingClient, NotSentError, RetryPolicy, TrackingClient, TrackingReceipt
from vtex_tracking_ext.transport import connect as connecting
from vtex_tracking_ext.transport import connect_async
from vtex_tracking_ext.transport.body import Body
from vtex_tracking_ext.transport.connection_async import AsyncConnection
from vtex_tracking_ext.transport.progress import Progress
from vtex_tracking_ext.transport.response import ResponseReader
from vtex_tracking_ext.transport.transport import is_own_method

from wire.calls import OK, ONCE, UPDATE, answer, ended, within
from wire.server import HOST, Server, again, apply, close, handshake, pause, read, reset, say, wait_for
from wire.server import signal as signal_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.answers import Twin

#: An address of this machine at which no server of these tests listens.
NOBODY = "127.0.0.2"


def named(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name have these addresses; an address has itself."""
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *arguments: Any, **options: Any) -> list[Any]:
        if host in addresses:
            return real(host, port, *arguments, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def client_of(server: Server, **options: Any) -> AsyncTrackingClient:
    """Return a client that calls a server by name."""
    url = server.url.replace(HOST, "localhost")
    return AsyncTrackingClient("mystore", user_token="MADEUP", base_url=url, retry=ONCE, timeout=10, **options)


async def sent(client: AsyncTrackingClient) -> TrackingReceipt:
    """Send an update, and close the client."""
    async with client:
        return await client.send(UPDATE)


def test_families_take_turns() -> None:
    """The network of one may be broken."""
    six = [(socket.AF_INET6, socket.SOCK_STREAM, 0, "", (f"::{number}", 443, 0, 0)) for number in (1, 2, 3)]
    four = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 443))]
    assert connecting.interleave_families([*six, *four]) == [six[0], four[0], six[1], six[2]]


def test_an_address_that_refuses_is_passed_over(
    make: Callable[..., Twin], serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stands among the others."""
    named(monkeypatch, NOBODY, NOBODY, HOST)
    server = serve([again(read, apply, say(OK))])
    assert ended(make(server.url.replace(HOST, "localhost"))).applied is True


def test_an_address_that_says_nothing_is_left(serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs the time that each address is given, not all there is."""
    connect = asyncio.SelectorEventLoop.sock_connect

    async def silent(loop: asyncio.SelectorEventLoop, sock: socket.socket, address: Any) -> None:
        if address[0] == NOBODY:
            await asyncio.Event().wait()
        await connect(loop, sock, address)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", silent)
    monkeypatch.setattr(connect_async, "ADDRESS_TIMEOUT", 0.05)
    named(monkeypatch, NOBODY, NOBODY, HOST)
    with within(0.1, grace=1):
        assert asyncio.run(sent(client_of(serve([again(read, apply, say(OK))])))).applied is True


def test_an_address_that_says_nothing_is_left_by_the_synchronous_client(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one had all of the time: a host whose network for one family is broken was never reached."""
    given: list[tuple[str, float | None]] = []

    class SilentSocket(socket.socket):
        """A socket to which one address does not answer."""

        def connect(self, address: Any) -> None:
            """Time out at once instead of after the timeout."""
            given.append((address[0], self.gettimeout()))
            if address[0] == NOBODY:
                raise TimeoutError
            super().connect(address)

    server = serve([again(read, apply, say(OK))])
    monkeypatch.setattr(socket, "socket", SilentSocket)
    named(monkeypatch, NOBODY, HOST)
    url = server.url.replace(HOST, "localhost")
    with TrackingClient("mystore", user_token="MADEUP", base_url=url, retry=ONCE, timeout=10) as client:
        assert client.send(UPDATE).applied is True
    assert given == [
        (NOBODY, connecting.ADDRESS_TIMEOUT),
        (HOST, pytest.approx(connecting.CONNECT_TIMEOUT, abs=1)),
    ]


def test_an_address_that_is_slow_is_waited_for_if_it_is_the_last(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing better to do with the time."""
    monkeypatch.setattr(connect_async, "ADDRESS_TIMEOUT", 0)
    named(monkeypatch, NOBODY, HOST)
    assert asyncio.run(sent(client_of(serve([again(read, apply, say(OK))])))).applied is True


def context_of(authority: trustme.CA) -> ssl.SSLContext:
    """Return the TLS context of a server that is called by name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def test_a_handshake_may_take_longer_than_an_address_is_given(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, ca_file: Path
) -> None:
    """What has let itself be reached is not dead."""
    monkeypatch.setattr(connect_async, "ADDRESS_TIMEOUT", 0.1)
    named(monkeypatch, HOST, NOBODY)
    server = serve([pause(0.3), handshake(context_of(authority)), again(read, apply, say(OK))], scheme="https")
    assert asyncio.run(sent(client_of(server, ca_file=ca_file))).applied is True


def test_a_certificate_that_proves_nothing_is_told_whatever_other_addresses_there_are(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, ca_file: Path
) -> None:
    """The last of them would be told instead, and not what to do about it."""
    named(monkeypatch, HOST, NOBODY)
    server = serve([handshake(context_of(trustme.CA())), read, apply, say(OK)], scheme="https")
    with pytest.raises(NotSentError, match=r"CERTIFICATE_VERIFY_FAILED.*set ca_file"):
        asyncio.run(sent(client_of(server, ca_file=ca_file)))
    assert server.connections == 1


def test_where_no_address_answers_nothing_was_sent(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And every socket is closed: an open one would warn, which fails the test."""
    named(monkeypatch, NOBODY, NOBODY)
    with pytest.raises(NotSentError, match="no connection could be made"):
        asyncio.run(sent(client_of(serve([read]))))
    gc.collect()


def delayed(monkeypatch: pytest.MonkeyPatch, delay: Callable[[Any, Progress], object]) -> None:
    """Let something happen between a connection and the request over it."""
    exchange = AsyncConnection.exchange

    async def delayed_exchange(
        connection: AsyncConnection, request: memoryview, reader: Any, progress: Progress
    ) -> None:
        result = delay(connection, progress)
        if inspect.isawaitable(result):
            await result
        await exchange(connection, request, reader, progress)

    monkeypatch.setattr(AsyncConnection, "exchange", delayed_exchange)


def test_nothing_is_sent_after_the_deadline(serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the event loop was too busy to end the call in time: its outcome would be unknown."""
    delayed(monkeypatch, lambda _, progress: setattr(progress, "_deadline", 0))
    server = serve([again(read, apply, say(OK))])
    with pytest.raises(NotSentError, match="connecting timed out"):
        asyncio.run(sent(client_of(server)))
    assert server.requests == []


def test_a_connection_that_is_lost_before_the_request_sent_nothing(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call over it would wait for its deadline, since asyncio says only once that a connection is lost."""
    connected = threading.Event()

    async def lost(connection: Any, _: Progress) -> None:
        connected.set()
        while not connection._transport.is_closing():  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)

    delayed(monkeypatch, lost)
    with within(0, grace=1), pytest.raises(NotSentError, match="the server closed the connection before the request"):
        asyncio.run(sent(client_of(serve([wait_for(connected), reset]))))


@pytest.mark.parametrize(
    ("transport", "method"),
    [(httpx.HTTPTransport, "handle_request"), (httpx.AsyncHTTPTransport, "handle_async_request")],
)
def test_what_test_tools_put_in_place_is_told_from_httpxs_own(
    monkeypatch: pytest.MonkeyPatch, transport: Any, method: str
) -> None:
    """At any time: also where it was there before this package was imported."""
    own = getattr(transport, method)
    assert is_own_method(own)

    @functools.wraps(own)
    def wrapper(*arguments: Any) -> Any:
        return own(*arguments)

    for other in (wrapper, functools.partial(own), None):
        monkeypatch.setattr(transport, method, other)
        assert not is_own_method(getattr(transport, method))


def test_test_tools_see_requests_while_they_are_in_place(
    make: Callable[..., Twin], serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come and go while a client lives."""
    server = serve([again(read, apply, say(OK))])
    client = make(server.url)
    seen: list[httpx.Request] = []

    def pretend(_: object, request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(404)

    async def pretend_later(_: object, request: httpx.Request) -> httpx.Response:
        return pretend(_, request)

    for expected in (0, 1):
        assert ended(client).applied is True
        assert len(seen) == expected
        with monkeypatch.context() as patch:
            patch.setattr(httpx.HTTPTransport, "handle_request", pretend)
            patch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", pretend_later)
            assert ended(client).applied is False
    assert len(server.applied) == len(seen) == 2


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="nothing interrupts a thread here")
def test_an_interruption_takes_no_place(serve: Callable[..., Server]) -> None:
    """Ctrl-C while a call waits for a connection: whoever goes on, as in a notebook, can use it."""
    held, goes_on, main = threading.Event(), threading.Event(), threading.get_ident()
    server = serve([read, apply, signal_to(held), wait_for(goes_on), say(OK), again(read, apply, say(OK))])
    client = TrackingClient("mystore", user_token="MADEUP", base_url=server.url, retry=ONCE, max_connections=1)
    with client:
        first = threading.Thread(target=client.send, args=(UPDATE,))
        first.start()
        assert held.wait(5)
        interrupt = threading.Timer(0.05, signal.pthread_kill, args=(main, signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - wherever it comes
            interrupt.start()
            client.send(UPDATE)
        goes_on.set()
        first.join(5)
        assert client.send(UPDATE).applied is True
    assert server.connections == 1


@pytest.mark.parametrize("kind", [TrackingClient, AsyncTrackingClient])
@pytest.mark.parametrize(
    "steps",
    [[again(read, apply, say(OK))], [again(read, say(answer(404)))], [read, apply, close]],
    ids=["yes", "no", "none"],
)
def test_an_answer_is_not_left_to_the_garbage_collector(
    twin: Callable[..., Twin], serve: Callable[..., Server], kind: type, steps: list[Any]
) -> None:
    """Within something that refers to itself it would stay until the next collection, megabytes of it perhaps."""
    client = twin(kind, "mystore", user_token="MADEUP", base_url=serve(steps).url, retry=ONCE)
    ended(client)
    gc.collect()
    gc.disable()
    try:
        ended(client)
        left = _unreachable()
    finally:
        gc.enable()
    assert not [each for each in left if isinstance(each, ResponseReader | Progress | Body)]


def _unreachable() -> list[Any]:
    """Return what only a collection finds."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return list(gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


@pytest.mark.parametrize("own", [None, {}], ids=["our client", "a caller's client"])
def test_replaced_transport_that_answers_too_late_leaves_the_outcome_unknown(
    make: Callable[..., Twin], monkeypatch: pytest.MonkeyPatch, own: dict[str, Any] | None
) -> None:
    """The method may have forwarded the request, so the request is not repeated."""
    seen: list[httpx.Request] = []

    def answer_late(_: object, request: httpx.Request) -> httpx.Response:
        seen.append(request)
        time.sleep(0.3)
        return httpx.Response(200)

    async def answer_late_async(_: object, request: httpx.Request) -> httpx.Response:
        seen.append(request)
        await asyncio.sleep(0.3)
        return httpx.Response(200)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", answer_late)
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer_late_async)
    retry = RetryPolicy(attempts=3, first_wait=0, attempt_timeout=0.05)
    error = ended(make("http://127.0.0.1:9", own=own, retry=retry))
    assert error.applied is None
    assert len(seen) == 1


def test_substitute_client_uses_the_settings_of_the_construction(
    make: Callable[..., Twin], monkeypatch: pytest.MonkeyPatch, ca_file: Path, tmp_path: Path
) -> None:
    """Neither a deleted file of certificates nor a later proxy variable changes how a test tool is reached."""
    copy = tmp_path / "ca.pem"
    copy.write_bytes(ca_file.read_bytes())
    client = make("https://127.0.0.1:9", ca_file=copy, proxy="http://user:secret@[::1]:9")
    copy.unlink()
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")

    async def answer_async(_: object, __: httpx.Request) -> httpx.Response:
        return httpx.Response(404)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda *_: httpx.Response(404))
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer_async)
    assert ended(client).applied is False


def test_functions_and_wrappers_that_replace_httpxs_method_are_recognized() -> None:
    """Only OpenTelemetry's wrapper counts as httpx's own method; mock's has no module among its globals."""
    own = httpx.HTTPTransport.handle_request
    with mock.patch.object(httpx.HTTPTransport, "handle_request", autospec=True):
        assert not is_own_method(httpx.HTTPTransport.handle_request)
    assert not is_own_method(wrapt.FunctionWrapper(own, lambda wrapped, _, args, options: wrapped(*args, **options)))
