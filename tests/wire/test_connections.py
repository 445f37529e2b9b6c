"""Which connections are used again, and what is never read on them: keep-alive, its races, left-over bytes."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from vtex_tracking_ext import AsyncTrackingClient, OutcomeUnknownError, RefusedError, TrackingClient
from vtex_tracking_ext.transport import connection, connection_async, pool

from wire.calls import HASTY, OK, ONCE, UPDATE, answer, ended, ended_at_once, receipt, update
from wire.server import (
    Server,
    again,
    apply,
    close,
    half_close,
    handshake,
    pause,
    read,
    records,
    reset,
    respond,
    say,
    signal,
    until_gone,
    wait_for,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from support.answers import Twin


pytestmark = pytest.mark.both_parsers

#: An answer that nobody asked for: as a receipt it would be a lie.
FORGED = answer(200, receipt(number=666))
_SECOND = [read, apply, say(answer(200, receipt(number=2))), until_gone]
_TRUE = f"{2:032x}"


def _long(size: int) -> bytes:
    """Return an answer of so many bytes in all."""
    body = b" " * (size - len(answer(200, b"", length=size)))
    return answer(200, body)


#: As long as what httpcore reads at once: what follows it would stay in a buffer of the event loop's.
FULL = _long(64 * 1024)


def test_a_clean_connection_is_used_again(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """Ten calls, one connection: every test below would pass without keep-alive, too."""
    server = serve([again(read, apply, say(OK))])
    assert ended(make(server.url), *[UPDATE] * 10).applied is True
    assert server.connections == 1
    assert len(server.applied) == 10


def test_a_no_leaves_its_connection_usable(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """It ended as cleanly as a receipt."""
    server = serve([read, say(answer(404, b"{}")), read, apply, say(OK), until_gone])
    client = make(server.url)
    assert isinstance(ended(client), RefusedError)
    assert ended(client).applied is True
    assert server.connections == 1


_UNCLEAN = {
    "a second answer at once": [say(OK + FORGED)],
    "a second answer in parts": [say(OK + FORGED[:20]), pause(0.02), say(FORGED[20:])],
    "a body longer than it said": [say(answer(200, receipt() + FORGED, length=len(receipt())))],
    "bytes behind the last chunk": [
        say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + FORGED)
    ],
    "bytes behind a 404": [say(answer(404, b"{}") + FORGED)],
    "bytes behind an empty answer": [say(answer(200, b"") + FORGED)],
    "an empty line": [say(OK + b"\r\n" + FORGED)],
    "a cut answer": [say(answer(200, b"{", length=len(FORGED))), half_close],
    "too long an answer": [say(answer(200, b"", length=10**9)), say(b" " * (9 << 20)), say(FORGED)],
    "an undecodable answer": [say(answer(200, b"{}", "Content-Encoding: gzip") + FORGED)],
    "an answer that says close": [say(answer(200, None, "Connection: close"))],
    "an answer in HTTP/1.0": [say(OK.replace(b"HTTP/1.1", b"HTTP/1.0"))],
    "an upgrade": [say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + FORGED)],
    "bytes behind an answer as long as one read": [say(FULL + FORGED)],
    "an answer without length": [say(answer(200, length=-1)), half_close],
}


@pytest.mark.parametrize("steps", _UNCLEAN.values(), ids=_UNCLEAN)
def test_left_over_bytes_are_never_the_next_receipt(
    make: Callable[..., Twin], serve: Callable[..., Server], steps: list[Any]
) -> None:
    """After an answer that did not end cleanly, the next call goes over a new connection and gets its own receipt."""
    server = serve([read, apply, *steps, until_gone], _SECOND)
    client = make(server.url, timeout=5)
    ended(client)
    result = ended(client)
    assert result.applied is True
    assert result.receipt == _TRUE
    assert [request.connection for request in server.requests] == [0, 1]


def test_a_left_over_record_of_tls_is_never_the_next_receipt(
    make: Callable[..., Twin], serve: Callable[..., Server], tls: ssl.SSLContext, ca_file: Path
) -> None:
    """It came along with the answer, and nothing more stands in the socket."""
    server = serve([records(tls, OK, FORGED), until_gone], [handshake(tls), *_SECOND], scheme="https")
    client = make(server.url, ca_file=ca_file)
    assert ended(client).receipt == f"{1:032x}"
    assert ended(client).receipt == _TRUE
    assert server.connections == 2


@pytest.mark.parametrize("late", [FORGED, FORGED[:9], b"\r\n", b"\x00"], ids=["answer", "half", "empty line", "NUL"])
def test_bytes_that_come_on_an_idle_connection_are_never_the_next_receipt(
    make: Callable[..., Twin], serve: Callable[..., Server], late: bytes
) -> None:
    """They came before the next request left, so they cannot be its answer."""
    go, gone = threading.Event(), threading.Event()
    server = serve([read, apply, say(OK), wait_for(go), say(late), signal(gone), until_gone], _SECOND)
    client = make(server.url)
    assert ended(client).applied is True
    go.set()
    assert gone.wait(5)
    assert ended(client).receipt == _TRUE
    assert [request.connection for request in server.requests] == [0, 1]


@pytest.mark.parametrize("steps", [[apply], []], ids=["applied", "not applied"])
def test_an_answer_after_the_time_out_is_never_the_next_receipt(
    make: Callable[..., Twin], serve: Callable[..., Server], steps: list[Any]
) -> None:
    """On a connection that had been used before."""
    late = threading.Event()
    server = serve([read, apply, say(OK), read, *steps, wait_for(late), say(FORGED), until_gone], _SECOND)
    client = make(server.url, timeout=0.4)
    assert ended(client).applied is True
    assert isinstance(ended(client), OutcomeUnknownError)
    late.set()
    assert ended(client).receipt == _TRUE
    assert [request.connection for request in server.requests] == [0, 0, 1]


@pytest.mark.parametrize("end", [close, reset, half_close])
def test_a_connection_that_the_server_closed_while_idle_is_replaced(
    make: Callable[..., Twin], serve: Callable[..., Server], end: Any
) -> None:
    """Seen before the next request leaves: nothing is lost, nothing is sent twice."""
    half_closed = threading.Event()
    server = serve([read, apply, say(OK), end, signal(half_closed), until_gone], _SECOND)
    client = make(server.url)
    assert ended(client).applied is True
    if end is half_close:
        assert half_closed.wait(5)
    else:
        server.wait_until(lambda each: each.open == 0)
    result = ended(client)
    assert result.receipt == _TRUE
    assert result.attempts == 1
    assert len(server.applied) == len(server.requests) == 2


@pytest.mark.parametrize("end", [close, reset])
def test_a_connection_that_the_server_closes_as_the_next_request_comes(
    make: Callable[..., Twin], serve: Callable[..., Server], end: Any
) -> None:
    """The race that nobody can win: the request left, no answer came; it is unknown and not sent again."""
    server = serve([read, apply, say(OK), read, end], _SECOND)
    client = make(server.url, retry=HASTY)
    assert ended(client).applied is True
    error = ended(client)
    assert isinstance(error, OutcomeUnknownError)
    assert error.attempts == 1
    assert len(server.requests) == 2
    assert ended(client).receipt == _TRUE


def test_keep_alive_races_in_a_row(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """A server that closes after each answer without a word: what is unknown is told so, nothing comes twice."""
    server = serve([read, apply, respond(lambda request: answer(200, receipt(request.order_id))), close])
    client = make(server.url, retry=HASTY)
    receipts = unknown = 0
    for number in range(60):
        result = ended(client, update(f"{number}-01"))
        receipts += result.applied is True
        unknown += result.applied is None
    assert receipts <= len(server.applied) <= receipts + unknown
    assert len({request.order_id for request in server.applied}) == len(server.applied)
    assert receipts >= 30


@pytest.mark.parametrize("cookies", [["a=1"], ["a=1; Path=/", "b=2; Domain=127.0.0.1; Max-Age=99"]])
def test_cookies_are_never_sent_back(
    make: Callable[..., Twin], serve: Callable[..., Server], cookies: list[str]
) -> None:
    """Nor kept: a session of one account must not reach the next call."""
    lines = [f"Set-Cookie: {cookie}" for cookie in cookies]
    server = serve([again(read, apply, say(answer(200, None, *lines)))])
    client = make(server.url)
    result = ended(client, UPDATE, UPDATE, UPDATE)
    assert "set-cookie" not in result.headers
    assert [request.values("Cookie") for request in server.requests] == [[], [], []]


def test_no_more_connections_than_allowed(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """Twelve calls side by side over three connections: all end well, none opens a fourth."""
    server = serve([again(read, apply, pause(0.01), respond(lambda each: answer(200, receipt(each.order_id))))])
    results = ended_at_once(make(server.url, max_connections=3), *(update(f"{number}-01") for number in range(12)))
    assert [result.order_id for result in results] == [f"{number}-01" for number in range(12)]
    assert all(result.note is None for result in results)
    assert server.most_open == server.connections == 3


def test_side_by_side_each_call_gets_its_own_receipt(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """64 calls side by side, some of which break: none gets the answer of another."""
    script = [read, apply, respond(lambda each: answer(200, receipt(each.order_id)))]
    server = serve([*script, *script, read, apply, say(b"HTTP/1.1"), close])
    results = ended_at_once(make(server.url), *(update(f"{number}-01") for number in range(64)))
    for number, result in enumerate(results):
        assert result.applied is not False
        if result.applied:
            assert result.order_id == f"{number}-01"
            assert result.note is None
    assert len(server.applied) == 64


@pytest.mark.usefixtures("way")
def test_each_event_loop_has_connections_of_its_own(serve: Callable[..., Server]) -> None:
    """Those of another, ended or not, are of no use to it: a request on one would wait for an answer in vain."""
    server = serve([again(read, apply, say(OK))])
    client = AsyncTrackingClient("mystore", user_token="MADEUP", base_url=server.url, retry=ONCE, max_connections=2)

    async def calls() -> None:
        results = await asyncio.gather(*(client.send(UPDATE) for _ in range(5)))
        assert all(result.attempts == 1 for result in results)

    with asyncio.Runner() as first, asyncio.Runner() as second:
        for runner in (first, second, first, second):
            runner.run(calls())
        assert server.connections == 4
        second.run(client.close())
        server.wait_until(lambda each: each.open == 2)
        first.run(client.close())
        server.wait_until(lambda each: each.open == 0)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("way")
def test_a_loop_that_ended_leaves_nothing_behind(serve: Callable[..., Server]) -> None:
    """``asyncio.run`` for each call is common; what an unclosed client leaves goes when the next loop comes."""
    server = serve([again(read, apply, say(OK))])
    client = AsyncTrackingClient("mystore", user_token="MADEUP", base_url=server.url, retry=ONCE)
    for _ in range(3):
        assert asyncio.run(client.send(UPDATE)).applied is True
        gc.collect()
    server.wait_until(lambda each: each.open == 1)
    asyncio.run(client.close())
    gc.collect()
    server.wait_until(lambda each: each.open == 0)
    assert len(server.applied) == 3


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("warm", [False, True], ids=["new connection", "used connection"])
@pytest.mark.usefixtures("way")
def test_a_call_that_is_cancelled_anywhere_leaves_no_connection(
    serve: Callable[..., Server], times: int, *, warm: bool
) -> None:
    """At each step of the loop, once or again while it cleans up; nor does it keep its place."""
    server = serve([again(read, apply, say(OK))])

    async def scenario(steps: int) -> bool:
        client = AsyncTrackingClient("mystore", user_token="MADEUP", base_url=server.url, retry=ONCE, max_connections=1)
        if warm:
            await client.send(UPDATE)
        call = asyncio.ensure_future(client.send(UPDATE))
        for _ in range(steps):
            await asyncio.sleep(0)
        for _ in range(times):
            call.cancel()
            await asyncio.sleep(0)
        (result,) = await asyncio.gather(call, return_exceptions=True)
        assert (await client.send(UPDATE)).applied is True
        await client.close()
        return isinstance(result, asyncio.CancelledError)

    gc.collect()
    gc.disable()  # which would close what was forgotten
    try:
        assert asyncio.run(scenario(0))
        for steps in range(1, 25):
            asyncio.run(scenario(steps))
            server.wait_until(lambda each: each.open == 0)
    finally:
        gc.enable()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.usefixtures("way")
def test_a_forked_process_has_connections_of_its_own(serve: Callable[..., Server]) -> None:
    """On one that both hold, each would read the answers of the other."""
    server = serve([again(read, apply, respond(lambda each: answer(200, receipt(each.order_id))))])
    with TrackingClient("mystore", user_token="MADEUP", base_url=server.url, retry=ONCE, timeout=5) as client:
        assert ended(client).applied is True  # type: ignore[arg-type]
        child = os.fork()
        if child == 0:  # pragma: no cover - it is not this process
            try:
                os._exit(0 if client.send(update("child-01")).order_id == "child-01" else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert client.send(UPDATE).note is None
    assert [request.connection for request in server.requests] == [0, 1, 0]


@pytest.mark.usefixtures("way")
def test_a_pool_that_begins_again_closes_what_it_had(serve: Callable[..., Server]) -> None:
    """As a forked process does."""
    server = serve([again(read, apply, say(OK))])
    with TrackingClient("mystore", user_token="MADEUP", base_url=server.url, retry=ONCE) as client:
        client.send(UPDATE)
        pool._reset_pools()
        server.wait_until(lambda each: each.open == 0)
        assert client.send(UPDATE).applied is True


def test_a_connection_that_was_idle_too_long_is_not_used(
    make: Callable[..., Twin], serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is about to close it, or has done so."""
    for module in (connection, connection_async):
        monkeypatch.setattr(module, "KEEPALIVE", 0.0)
    server = serve([again(read, apply, say(OK))])
    assert ended(make(server.url), UPDATE, UPDATE).applied is True
    server.wait_until(lambda each: each.open == 0)
    assert server.connections == 2


def test_bytes_that_come_on_an_idle_connection_close_it_at_once(serve: Callable[..., Server]) -> None:
    """Where the event loop goes on, nothing has to look for them."""
    go = threading.Event()
    server = serve([read, apply, say(OK), wait_for(go), say(FORGED), until_gone], _SECOND)

    async def scenario() -> None:
        async with AsyncTrackingClient("mystore", user_token="MADEUP", base_url=server.url, retry=ONCE) as client:
            assert (await client.send(UPDATE)).applied is True
            go.set()
            await asyncio.to_thread(server.wait_until, lambda each: each.open == 0)
            assert (await client.send(UPDATE)).receipt == _TRUE

    asyncio.run(scenario())


def test_closing_ends_the_connections(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """The server sees them go."""
    server = serve([again(read, apply, say(OK))])
    client = make(server.url)
    ended_at_once(client, UPDATE, UPDATE, UPDATE)
    assert server.open >= 1
    client.close()
    server.wait_until(lambda each: each.open == 0)


def test_a_callers_async_client_may_go_from_loop_to_loop(serve: Callable[..., Server]) -> None:
    """It keeps no connection for the next request."""
    server = serve(*[[read, apply, say(OK), close]] * 2)
    http = httpx.AsyncClient()
    client = AsyncTrackingClient("mystore", user_token="MADEUP", base_url=server.url, http_client=http)
    with asyncio.Runner() as first, asyncio.Runner() as second:
        assert first.run(client.send(UPDATE)).applied is True
        assert second.run(client.send(UPDATE)).applied is True
        second.run(http.aclose())
    assert len(server.applied) == 2
