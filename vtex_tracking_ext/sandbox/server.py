"""Runs the sandbox on loopback: in a thread for tests, in the foreground for the command line."""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from .app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .oms import Oms


class _Server(uvicorn.Server):
    """Calls a function when the server is ready."""

    def __init__(self, oms: Oms, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(create_app(oms), log_level="warning", lifespan="off", timeout_graceful_shutdown=5)
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then call the function."""
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGINT and SIGTERM, except those that the process was started to ignore (``nohup``)."""
        ignored = [number for number in HANDLED_SIGNALS if signal.getsignal(number) is signal.SIG_IGN]
        with super().capture_signals():
            if threading.current_thread() is threading.main_thread():  # uvicorn handles signals only there
                for number in ignored:
                    signal.signal(number, signal.SIG_IGN)
            yield


def _listen(port: int) -> socket.socket:
    """Return a listening socket on loopback.

    Raises:
        OSError: The port is in use, or not permitted.
    """
    listener = socket.create_server(("127.0.0.1", port))
    # Connections inherit it. asyncio sets it only for sockets with an explicit protocol, unlike this one. Without it,
    # each response on a reused connection is 40 ms late.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _url(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def running(oms: Oms, port: int = 0) -> Iterator[str]:
    """Run the sandbox in a thread, and yield its address.

    Raises:
        OSError: The port is in use, or not permitted.
    """
    ready = threading.Event()
    with _listen(port) as listener:
        server = _Server(oms, ready.set)
        thread = threading.Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
        thread.start()
        ready.wait()
        try:
            yield _url(listener)
        finally:
            server.should_exit = True
            thread.join()


def serve(oms: Oms, *, port: int, ready: Callable[[str], None]) -> None:
    """Run the sandbox until SIGINT or SIGTERM.

    Args:
        oms: The order system to serve.
        port: The port, or 0 for any free one.
        ready: Called with the address when the server is ready.

    Raises:
        OSError: The port is in use, or not permitted.
        KeyboardInterrupt: SIGINT was received, and the server is closed. After SIGTERM, the process ends.
    """
    with _listen(port) as listener:
        _Server(oms, lambda: ready(_url(listener))).run([listener])
