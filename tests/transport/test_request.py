"""The bytes of a request, and failures before it is sent."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from vtex_tracking_ext import AsyncTrackingClient, NotSentError, TrackingClient
from vtex_tracking_ext.config.secret import hidden_headers
from vtex_tracking_ext.transport.connection import SocketProbe
from vtex_tracking_ext.transport.request import Origin, Request, encode_json, encode_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.answers import Twin


def request(headers: dict[str, str], path: str = "", content: bytes = b"") -> bytes:
    """Return the bytes of a request."""
    built = Request("PUT" if content else "GET", "/api/x", headers, hidden_headers({"X-Key": "k"}), content)
    return bytes(encode_request(built, Origin("a.example", path)))


def test_a_request_is_one_piece_of_bytes() -> None:
    """As httpx writes it, in the same order."""
    head, _, body = request({"Accept": "application/json"}, "/base", b"{}").partition(b"\r\n\r\n")
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
    assert request({}) == b"GET /api/x HTTP/1.1\r\nHost: a.example\r\nX-Key: k\r\n\r\n"


def test_json_is_written_as_httpx_writes_it() -> None:
    """Byte for byte."""
    value = {"a": "é", "b": [1, None, True, "\u2028"]}
    assert encode_json(value) == httpx.Request("PUT", "https://a.example", json=value).content


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


@pytest.mark.parametrize("kind", [TrackingClient, AsyncTrackingClient])
def test_request_that_cannot_be_encoded_was_not_sent(
    monkeypatch: pytest.MonkeyPatch, twin: Callable[..., Twin], kind: type
) -> None:
    """A line break in a header is found before anything is sent."""
    monkeypatch.setattr("vtex_tracking_ext.transport.request._user_agent", lambda: "a\nb")
    client = twin(kind, "mystore", user_token="MADEUP", base_url="http://127.0.0.1:9")
    with pytest.raises(NotSentError, match="cannot be built"):
        client.get_packages("o-01")


def test_a_host_name_without_address_raises_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error carries the message of the system's name look-up."""

    def look_up(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    async def send() -> None:
        async with AsyncTrackingClient("mystore", user_token="MADEUP", base_url="http://localhost:9") as client:
            await client.get_packages("o-01")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(NotSentError, match="Name or service not known"):
        asyncio.run(send())


def test_a_socket_is_probed_without_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no poll; select does the same."""
    monkeypatch.delattr("select.poll")
    near, far = socket.socketpair()
    with near, far:
        probe = SocketProbe(near)
        assert not probe.is_readable()
        far.send(b"x")
        assert probe.is_readable()
        near.close()
        assert probe.is_readable()
