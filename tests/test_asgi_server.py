"""The server of ASGI applications."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from vtex_tracking_ext.asgi_server import Server


def test_a_server_that_cannot_start_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvicorn returns without having started if the start of the application fails."""

    async def fail(*_: Any, **__: Any) -> None: ...

    monkeypatch.setattr(uvicorn.Server, "startup", fail)
    is_ready = threading.Event()
    asyncio.run(Server(Starlette(), is_ready.set).startup())
    assert not is_ready.is_set()


@pytest.mark.parametrize("ignored", [False, True])
def test_an_ignored_sigint_stays_ignored(*, ignored: bool) -> None:
    """In the background of a shell, Ctrl-C for the foreground job does not stop a server; SIGTERM does."""
    server = Server(Starlette(), lambda: None)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler)
    try:
        with server.capture_signals():
            assert (signal.getsignal(signal.SIGINT) is signal.SIG_IGN) == ignored
            assert signal.getsignal(signal.SIGTERM) == server.handle_exit
    finally:
        signal.signal(signal.SIGINT, before)
