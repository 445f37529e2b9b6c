"""The CONNECT that opens a tunnel through an HTTP proxy."""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpcore

from .body import Body
from .h11_parser import MAX_HEAD
from .progress import Progress
from .response import ResponseReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .route import Proxy, Route


@contextmanager
def proxy_errors(proxy: Proxy | None) -> Iterator[None]:
    """Report failures of a proxy as ProxyError; without a proxy, exceptions pass unchanged.

    Raises:
        httpcore.ProxyError: The proxy cannot be reached, closed the connection, or does not speak HTTP.
        httpcore.ConnectTimeout: The proxy did not answer in time.
    """
    try:
        yield
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        if proxy is None:
            raise
        raise httpcore.ProxyError(f"{proxy.host}:{proxy.port}: {error}") from error


class TunnelHandshake:
    """One CONNECT and its answer, without I/O.

    Args:
        route: The server that the proxy is asked for.
        proxy: The proxy.
        seconds: How long the handshake may take.

    Attributes:
        request: The bytes to send to the proxy; a memoryview does not show them.
        progress: The deadline of the handshake.
    """

    def __init__(self, route: Route, proxy: Proxy, seconds: float) -> None:
        host = f"[{route.host}]" if ":" in route.host else route.host
        target = f"{host}:{route.port}"
        head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n".encode("ascii")
        self.request = memoryview(b"".join((head, proxy.headers, b"\r\n")))
        self.progress = Progress(seconds, MAX_HEAD)
        self._reader = ResponseReader(lambda _: Body("", MAX_HEAD))
        self._received = b""

    def feed(self, data: bytes) -> bool:
        """Read data from the proxy, and return whether the tunnel is open.

        Raises:
            httpcore.ProxyError, httpcore.RemoteProtocolError, httpcore.ReadError: The proxy opens no tunnel.
        """
        self._reader.feed(self.progress.count_received(data))
        self._received += data
        status, body = self._reader.status, self._reader.body
        if status is None or body is None:
            return False
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise httpcore.ProxyError(f"the proxy answered {status} to CONNECT")
        if body.content or not self._received.endswith((b"\r\n\r\n", b"\n\n")):
            raise httpcore.ProxyError("the proxy sent data behind its answer to CONNECT")
        return True
