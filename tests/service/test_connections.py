"""Connections that send nothing, or that are too many."""

from __future__ import annotations

import resource
import socket
import sys
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from vtex_tracking_ext.asgi_server import listen, running
from vtex_tracking_ext.service.connections import Connection, allow_connections

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 60.0
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def quick(_: object) -> PlainTextResponse:
    """Answer a request."""
    return PlainTextResponse("done")


@contextmanager
def opened(
    protocol: Callable[..., Connection], endpoint: Callable[..., Any] = quick
) -> Iterator[Callable[[], socket.socket]]:
    """Yield a function that opens a connection to a server of an endpoint."""
    sockets: list[socket.socket] = []
    app = Starlette(routes=[Route("/", endpoint)])
    with running(app, listen(0), http=protocol) as url:
        address = urlsplit(url).hostname, urlsplit(url).port

        def open_() -> socket.socket:
            sockets.append(socket.create_connection(address, PATIENCE))
            return sockets[-1]

        try:
            yield open_
        finally:
            for each in sockets:
                each.close()


@pytest.mark.parametrize("sent", [b"", REQUEST[:-2], REQUEST + REQUEST[:-2]])
def test_a_connection_without_a_request_is_closed(sent: bytes) -> None:
    """Whether nothing came, or the headers of the first request are not complete, or those of a later one."""
    with opened(partial(Connection, header_seconds=0.02)) as open_:
        connection = open_()
        connection.sendall(sent)
        received = b""
        while part := connection.recv(1000):
            received += part
        assert received.count(b"done") == sent.count(REQUEST)


def test_a_request_in_progress_may_take_longer() -> None:
    """The connection is looked at several times before it is answered."""
    looked = threading.Semaphore(0)

    class Watched(Connection):
        def _look(self, before: object) -> None:
            super()._look(before)
            looked.release()

    def slow(request: object) -> PlainTextResponse:
        for _ in range(4):
            assert looked.acquire(timeout=PATIENCE)
        return quick(request)

    with opened(partial(Watched, header_seconds=0.02), slow) as open_:
        connection = open_()
        connection.sendall(REQUEST)
        assert b"200 OK" in connection.recv(1000)


def test_a_connection_too_many_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    """Others stay open, and there is a warning."""
    with opened(partial(Connection, most=1)) as open_:
        first = open_()
        first.sendall(REQUEST)
        assert b"200 OK" in first.recv(1000)
        for _ in range(3):
            assert is_closed(open_())
        first.sendall(REQUEST)
        assert first.recv(1000)
    assert "a connection was closed: there are 1 already" in caplog.text


def is_closed(connection: socket.socket) -> bool:
    """Wait for the end of a connection."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "most"),
    [
        (1024, 4096, 4096, 3072),
        (1024, 1_048_576, 20_000, 10_000),
        (1024, resource.RLIM_INFINITY, 20_000, 10_000),
        (256, 256, None, 192),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, 10_000),
    ],
)
def test_open_files_are_allowed(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int | None, most: int
) -> None:
    """As many as the system permits and the connections need."""
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    assert allow_connections() == most
    assert limits == ([] if raised is None else [(raised, hard)])


def test_windows_has_no_such_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """There, sockets are not files."""
    monkeypatch.setattr(sys, "platform", "win32")
    assert allow_connections() == 10_000
