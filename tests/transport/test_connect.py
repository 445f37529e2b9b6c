"""Connecting, and the size limit of what is received."""

from __future__ import annotations

import asyncio
import gc
import select
import socket
import struct
import threading
import warnings
from typing import Any

import certifi
import httpcore
import httpx
import pytest

from vtex_tracking_ext import TrackingUpdate
from vtex_tracking_ext.transport import body, connection_async, tls
from vtex_tracking_ext.transport.connection import Connection
from vtex_tracking_ext.transport.connection_async import AsyncConnection
from vtex_tracking_ext.transport.progress import Progress
from vtex_tracking_ext.transport.route import Route

from support.answers import INVOICE, ORDER, RECEIPT, Recorder, sync_client

ROUTE = Route("127.0.0.1", 9)


def test_a_server_that_never_comes_to_its_answer_is_left() -> None:
    """Interim answers count as well."""
    progress = Progress(60, 10)
    assert progress.count_received(b"12345") == b"12345"
    with pytest.raises(httpcore.ReadError, match="more than 10 bytes received"):
        progress.count_received(b"678901")


def test_a_look_up_that_never_ends_holds_up_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting times out; the thread of the look-up ends with it, whether it finds an address or not."""
    outcomes: list[Any] = [OSError("Name or service not known"), []]
    for found in outcomes:
        go = threading.Event()

        def slow(*_: object, found: Any = found, go: threading.Event = go, **__: object) -> Any:
            go.wait(30)
            if isinstance(found, OSError):
                raise found
            return found

        monkeypatch.setattr(socket, "getaddrinfo", slow)
        with pytest.raises(httpcore.ConnectTimeout):
            Connection().open(ROUTE, Progress(0.01))
        (thread,) = [each for each in threading.enumerate() if each.name == "vtex-tracking-look-up"]
        go.set()
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.parametrize("error", [UnicodeError("label too long"), OSError("Name or service not known")])
def test_a_host_without_an_address_is_no_connection(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """An unknown name and one that cannot be a name are both a failed connection."""

    def look_up(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(httpcore.ConnectError, match=str(error)):
        Connection().open(ROUTE, Progress(10))


def test_a_mistake_in_the_look_up_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that is not the system's is raised in the waiting thread as it is."""

    def look_up(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(ZeroDivisionError):
        Connection().open(ROUTE, Progress(10))


def test_a_system_without_threads_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system has no thread for the look-up, nothing was sent."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(httpcore.ConnectError, match="can't start new thread"):
        Connection().open(ROUTE, Progress(10))


@pytest.mark.parametrize("ca_file", [None, certifi.where()], ids=["usual", "ca_file"])
def test_a_reset_before_tls_leaves_no_socket_open(ca_file: str | None) -> None:
    """Python 3.11 forgets the socket it has begun to make; as often as not the reset comes in that moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), timeout=30)
        far, _ = listener.accept()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        select.select([near], [], [], 30)  # the reset has come
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(OSError):  # noqa: PT011 - which one differs between systems
            tls.tls_context(ca_file, trust_env=False)().wrap_socket(near, server_hostname="x.example")
        del near
        gc.collect()
    assert [str(warning.message) for warning in seen] == []


def test_connecting_has_a_time_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asynchronously too, however much is left of the call's."""

    async def never(_: Route, __: list[socket.socket]) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(connection_async, "connect_socket", never)
    monkeypatch.setattr(connection_async, "CONNECT_TIMEOUT", 0.01)
    with pytest.raises(httpcore.ConnectTimeout, match="no connection in time"):
        asyncio.run(asyncio.wait_for(AsyncConnection().open(ROUTE), 30))


def test_an_answer_of_a_test_tool_is_capped_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes whole, and is marked."""
    monkeypatch.setattr(body, "MAX_BODY", 10)
    with sync_client(Recorder(httpx.Response(200, json=RECEIPT))) as client:
        receipt = client.send(TrackingUpdate(ORDER, INVOICE, is_delivered=True))
    assert receipt.applied is True
    assert "the response was cut off" in (receipt.note or "")
