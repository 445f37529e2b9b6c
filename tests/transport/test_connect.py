"""Bytes on the wire under a watch, and the ends of a connection that comes too late."""

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
from vtex_tracking_ext.transport import connect as connecting
from vtex_tracking_ext.transport.connect import connect
from vtex_tracking_ext.transport.connection_async import AsyncConnection
from vtex_tracking_ext.transport.progress import Progress
from vtex_tracking_ext.transport.proxy import Route

from support.answers import INVOICE, ORDER, RECEIPT, Recorder, sync_client

ROUTE = Route("127.0.0.1", 9)


def test_a_server_that_never_comes_to_its_answer_is_left() -> None:
    """Interim answers count as well."""
    progress = Progress(60, 10)
    assert progress.count_received(b"12345") == b"12345"
    with pytest.raises(httpcore.ReadError, match="more than 10 bytes received"):
        progress.count_received(b"678901")


def test_a_connection_that_comes_too_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it any more."""
    go, closed = threading.Event(), threading.Event()

    class Late(httpcore.MockStream):
        """Says when it is closed."""

        def close(self) -> None:
            """Say so."""
            closed.set()

    def slow(_: Route) -> Any:
        go.wait(30)
        return Late([])

    monkeypatch.setattr(connecting, "_connect", slow)
    with pytest.raises(httpcore.ConnectTimeout):
        connect(ROUTE, 0.01)
    go.set()
    assert closed.wait(30)


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


def test_a_failure_that_comes_too_late_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was not waited for."""
    go, gone = threading.Event(), threading.Event()

    def slow(_: Route) -> Any:
        go.wait(30)
        gone.set()
        raise httpcore.ConnectError("refused")

    monkeypatch.setattr(connecting, "_connect", slow)
    with pytest.raises(httpcore.ConnectTimeout):
        connect(ROUTE, 0.01)
    go.set()
    assert gone.wait(30)


def test_connecting_has_a_time_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asynchronously too, however much is left of the call's."""

    async def never(_: Route) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(AsyncConnection, "_open", never)
    monkeypatch.setattr(connection_async, "CONNECT_TIMEOUT", 0.01)
    with pytest.raises(httpcore.ConnectTimeout, match="no connection in time"):
        asyncio.run(asyncio.wait_for(AsyncConnection.open(ROUTE), 30))


def test_an_answer_of_a_test_tool_is_capped_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes whole, and is marked."""
    monkeypatch.setattr(body, "MAX_BODY", 10)
    with sync_client(Recorder(httpx.Response(200, json=RECEIPT))) as client:
        receipt = client.send(TrackingUpdate(ORDER, INVOICE, is_delivered=True))
    assert receipt.applied is True
    assert "the response was cut off" in (receipt.note or "")
