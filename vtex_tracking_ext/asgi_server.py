"""Run an ASGI application with uvicorn. Needs the extra ``sandbox`` or ``service``."""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Server(uvicorn.Server):
    """A server that calls a function when it is ready. Nothing that it logs contains an address or a header.

    Args:
        app: The ASGI application.
        ready: The function.
        **settings: Settings of uvicorn.
    """

    def __init__(self, app: Any, ready: Callable[[], None], **settings: Any) -> None:
        super().__init__(uvicorn.Config(app, **{"log_level": "warning", "access_log": False, "ws": "none", **settings}))
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then call the function."""
        await super().startup(sockets)
        if self.started:
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


def listen(port: int, host: str = "127.0.0.1") -> socket.socket:
    """Return a listening socket.

    Raises:
        OSError: The host is not one of this machine, or the port is in use, or not permitted.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    # Connections inherit it. asyncio sets it only for sockets with an explicit protocol, unlike this one. Without it,
    # each response on a reused connection is 40 ms late.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address of a listening socket as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def running(app: Any, listener: socket.socket, **settings: Any) -> Iterator[str]:
    """Run an application in a thread, and yield its address. The listener is closed with it."""
    ready = threading.Event()
    with listener:
        server = Server(app, ready.set, **settings)
        thread = threading.Thread(target=server.run, args=([listener],), name="server", daemon=True)
        thread.start()
        ready.wait()
        try:
            yield url_of(listener)
        finally:
            server.should_exit = True
            thread.join()
