"""The way past httpx: when it is taken, the request as bytes, and the addresses of a host."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx
import pytest

from vtex_tracking_ext import AsyncTrackingClient, NotSentError, TrackingClient
from vtex_tracking_ext.transport import direct, transport
from vtex_tracking_ext.transport.caller_client import SyncHttpxStub
from vtex_tracking_ext.transport.caller_client_async import AsyncHttpxStub
from vtex_tracking_ext.transport.connection import Sniffer
from vtex_tracking_ext.transport.request import Outgoing, json_bytes


def request(headers: dict[str, str], path: str = "", content: bytes = b"") -> bytes:
    """Return a request as it travels."""
    outgoing = Outgoing("PUT" if content else "GET", "/api/x", headers, content)
    return direct.request_bytes(outgoing, direct.Address("a.example", path))


def test_a_request_is_one_piece_of_bytes() -> None:
    """As httpx writes it, in the same order."""
    headers = {"Accept": "application/json", "X-Key": "k"}
    head, _, body = request(headers, "/base", b"{}").partition(b"\r\n\r\n")
    line = b"PUT /base/api/x HTTP/1.1"
    assert head.split(b"\r\n") == [
        line,
        b"Host: a.example",
        b"Accept: application/json",
        b"X-Key: k",
        b"Content-Length: 2",
    ]
    assert body == b"{}"


def test_a_request_without_a_body_says_no_length() -> None:
    """So does httpx."""
    assert request({}) == b"GET /api/x HTTP/1.1\r\nHost: a.example\r\n\r\n"


def test_json_is_written_as_httpx_writes_it() -> None:
    """Byte for byte."""
    value = {"a": "é", "b": [1, None, True, "\u2028"]}
    assert json_bytes(value) == httpx.Request("PUT", "https://a.example", json=value).content


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({"X": "a\r\nY: b"}, ""),
        ({"X": "a\nb"}, ""),
        ({"X": "é"}, ""),
        ({}, "/a b"),
        ({}, "/a\r\n"),
        ({"X\x00": "a"}, ""),
    ],
)
def test_nothing_makes_a_second_header(headers: dict[str, str], path: str) -> None:
    """What would is not sent."""
    with pytest.raises(ValueError, match=r"head of the request|ascii"):
        request(headers, path)


def test_a_request_that_cannot_be_written_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with it."""
    monkeypatch.setattr("vtex_tracking_ext.transport.request._user_agent", lambda: "a\nb")
    with (
        TrackingClient("mystore", user_token="MADEUP", base_url="http://127.0.0.1:9") as client,
        pytest.raises(NotSentError, match="cannot be built"),
    ):
        client.get_packages("o-01")


@pytest.mark.parametrize("way", ["patched", "proxy", "without httptools"])
def test_requests_go_through_httpx(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test tool waits for them there, where a proxy is between, and where httptools is not installed."""
    options: dict[str, Any] = {"user_token": "MADEUP", "base_url": "http://127.0.0.1:9"}
    if way == "proxy":
        options["proxy"] = "http://127.0.0.1:9"
    elif way == "without httptools":
        monkeypatch.setattr(transport, "direct", None)
        monkeypatch.setattr("vtex_tracking_ext.transport.transport_async.direct_async", None)
    client, other = TrackingClient("mystore", **options), AsyncTrackingClient("mystore", **options)
    if way == "patched":
        assert not isinstance(client._transport._stub(1), SyncHttpxStub)
        assert not isinstance(other._transport._stub(1), AsyncHttpxStub)
        monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda *_: httpx.Response(200))
        monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", lambda *_: httpx.Response(200))
    assert isinstance(client._transport._stub(1), SyncHttpxStub)
    assert isinstance(other._transport._stub(1), AsyncHttpxStub)
    client.close()
    asyncio.run(other.close())


def test_a_name_that_nobody_knows_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's words say so."""

    def look_up(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    async def send() -> None:
        async with AsyncTrackingClient("mystore", user_token="MADEUP", base_url="http://localhost:9") as client:
            await client.get_packages("o-01")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(NotSentError, match="Name or service not known"):
        asyncio.run(send())


def test_without_poll_sockets_are_looked_at_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has none."""
    monkeypatch.delattr("select.poll")
    near, far = socket.socketpair()
    with near, far:
        sniffer = Sniffer(near)
        assert not sniffer.readable()
        far.send(b"x")
        assert sniffer.readable()
        near.close()
        assert sniffer.readable()
