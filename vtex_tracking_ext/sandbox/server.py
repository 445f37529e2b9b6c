"""Runs the sandbox on loopback: in a thread for tests, in the foreground for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext import asgi_server

from .app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from .oms import Oms

_SETTINGS: Final[dict[str, Any]] = {"lifespan": "off", "timeout_graceful_shutdown": 5}


def running(oms: Oms, port: int = 0) -> AbstractContextManager[str]:
    """Run the sandbox in a thread, and yield its address.

    Raises:
        OSError: The port is in use, or not permitted.
    """
    return asgi_server.running(create_app(oms), asgi_server.listen(port), **_SETTINGS)


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
    with asgi_server.listen(port) as listener:
        url = asgi_server.url_of(listener)
        asgi_server.Server(create_app(oms), lambda: ready(url), **_SETTINGS).run([listener])
