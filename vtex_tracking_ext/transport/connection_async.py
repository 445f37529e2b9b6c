"""One connection of an asynchronous client: the twin of :mod:`.connection`."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, cast

import httpcore

from .connect import CONNECT_TIMEOUT, connect_errors
from .connect_async import connect_socket
from .connection import KEEPALIVE, SocketProbe

if TYPE_CHECKING:
    import socket

    from .progress import Progress
    from .response import ResponseReader
    from .route import Route


class AsyncConnection(asyncio.Protocol):
    """A connection of an asynchronous client; the caller's ``asyncio.timeout`` is its deadline.

    Attributes:
        expires: When the connection becomes too old for another request (``time.monotonic``). 0.0 unless the last
            response ended cleanly: complete, with nothing behind it.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._connecting: list[socket.socket] = []  # the socket, until it is connected
        self._probe: SocketProbe
        self._progress: Progress
        self._reader: ResponseReader | None = None
        self._ended: asyncio.Future[None] | None = None
        self.expires = 0.0

    async def open(self, route: Route) -> None:
        """Connect to a server, with TLS established.

        Raises:
            httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError: No connection was made.
        """
        tls: dict[str, Any] = {}
        with connect_errors():
            async with asyncio.timeout(CONNECT_TIMEOUT):
                if route.tls is not None:
                    context = await asyncio.to_thread(route.tls)  # building the first one takes tens of milliseconds
                    tls = {"ssl": context, "server_hostname": route.host}
                await connect_socket(route, self._connecting)
                # If the server's certificate cannot be verified, no other address of the host is tried.
                await asyncio.get_running_loop().create_connection(lambda: self, sock=self._connecting[0], **tls)

    async def exchange(self, request: memoryview, reader: ResponseReader, progress: Progress) -> None:
        """Send a request and read its response.

        Raises:
            httpcore.NetworkError, httpcore.ProtocolError: The response is missing or incomplete.
            TimeoutError: The deadline has passed, and nothing was sent.
        """
        self.expires = 0.0
        if progress.seconds_left() <= 0:  # the event loop was busy, and has not raised the timeout yet
            raise TimeoutError
        if self._transport.is_closing():  # connection_lost was called already, and will not be called again
            raise httpcore.ConnectError("the server closed the connection before the request")
        self._reader, self._progress = reader, progress
        self._ended = asyncio.get_running_loop().create_future()
        progress.may_have_left = True
        self._transport.write(request)
        try:
            await self._ended
        finally:
            self._reader = self._ended = None  # an exception in the future would form a cycle with this connection
        if reader.reusable and not self._transport.is_closing():
            self.expires = time.monotonic() + KEEPALIVE

    def is_stale(self) -> bool:
        """Return whether the server closed the connection, or sent something unasked, while the connection was idle."""
        return self._transport.is_closing() or self._probe.is_readable()

    def close(self) -> None:
        """Close the connection at once. Closing is idempotent."""
        self._reader = None
        if hasattr(self, "_transport"):
            self._transport.abort()
        for sock in self._connecting:
            sock.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport. asyncio calls this method and the following ones."""
        self._transport = cast("asyncio.Transport", transport)
        self._probe = SocketProbe(transport.get_extra_info("socket"))
        self._connecting.clear()

    def data_received(self, data: bytes) -> None:
        """Read received data; data that nobody asked for closes the connection."""
        if self._reader is None:  # it would be read as the next response
            self._transport.abort()
            return
        try:
            self._reader.feed(self._progress.count_received(data))
        except Exception as error:  # noqa: BLE001 - raised again in exchange()
            self._finish(error)
        else:
            if self._reader.ended:
                self._finish(None)

    def eof_received(self) -> None:
        """Handle the server's end of the stream; asyncio then closes the connection."""
        if self._reader is not None:
            self.data_received(b"")

    def connection_lost(self, error: Exception | None) -> None:
        """Handle the loss of the connection."""
        if self._reader is not None:
            lost = httpcore.ReadError(str(error or ""))
            lost.__cause__ = error
            self._finish(lost)

    def _finish(self, error: Exception | None) -> None:
        self._reader = None
        if self._ended is None or self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)
