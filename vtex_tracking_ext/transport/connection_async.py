"""Connections for asyncio whose answers httptools parses: the twin of :mod:`.connection`."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import httpcore

from .connect import PATIENCE, in_turn
from .connect_async import connected_in_time
from .connection import Sniffer

if TYPE_CHECKING:
    from .connect import Found, Route, Watch
    from .response import Reading


class AsyncConnection(asyncio.Protocol):
    """A connection of an asynchronous client; the deadline is the caller's ``asyncio.timeout``."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._sniffer: Sniffer
        self._watch: Watch
        self._reading: Reading | None = None
        self._ended: asyncio.Future[None] | None = None
        self._clean = False

    async def exchange(self, request: bytes, reading: Reading) -> None:
        """Send a request, and read its answer.

        Raises:
            httpcore.NetworkError, httpcore.ProtocolError: There is none, or a part of one.
            TimeoutError: The time is over, and nothing was sent.
        """
        if self._watch.left() <= 0:  # the event loop was busy elsewhere, and has not said so yet
            raise TimeoutError
        if self._transport.is_closing():  # nobody would be told that it is lost: that has been said
            raise httpcore.ConnectError("the server hung up before the request")
        self._reading = reading
        self._ended = asyncio.get_running_loop().create_future()
        self._watch.sending = True
        self._transport.write(request)
        try:
            await self._ended
        finally:
            self._reading = self._ended = None  # an error in the one would hold this, and this the error
        self._clean = reading.clean and not self._transport.is_closing()

    def watched_by(self, watch: Watch) -> None:
        """Begin a request under its watch."""
        self._watch = watch
        self._clean = False

    def ended_cleanly(self) -> bool:
        """Tell whether its last answer ended where it should, with nothing behind it."""
        return self._clean

    def is_touched(self) -> bool:
        """Tell whether the server has closed it, or sent anything unasked, while it was idle."""
        return self._transport.is_closing() or self._sniffer.readable()

    async def aclose(self) -> None:
        """Close it at once; again does nothing."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; asyncio calls this, and the following."""
        self._transport = cast("asyncio.Transport", transport)
        self._sniffer = Sniffer(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._reading is None:  # nobody asked for it: it would be the next answer
            self._transport.abort()
            return
        try:
            self._reading.feed(self._watch.took(data))
        except Exception as error:  # noqa: BLE001 - raised again where the answer is waited for
            self._end(error)
        else:
            if self._reading.ended:
                self._end(None)

    def eof_received(self) -> None:
        """Take the server's end; the connection is closed then."""
        if self._reading is not None:
            self.data_received(b"")

    def connection_lost(self, error: Exception | None) -> None:
        """Take the end of it all."""
        if self._reading is not None:
            self._end(httpcore.ReadError(str(error or "")))

    def _end(self, error: Exception | None) -> None:
        self._reading = None
        if self._ended is None or self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)


async def connect_async(route: Route) -> AsyncConnection:
    """Connect, name look-up and TLS included.

    Raises:
        httpcore.ConnectError, httpcore.ConnectTimeout: There is no connection.
    """
    return await connected_in_time(_connected(route))


async def _connected(route: Route) -> AsyncConnection:
    loop = asyncio.get_running_loop()
    tls: dict[str, Any] = {}
    if route.tls is not None:
        tls = {"ssl": await asyncio.to_thread(route.tls), "server_hostname": route.host}  # the first time takes a while
    try:
        found = await loop.getaddrinfo(route.host, route.port, type=socket.SOCK_STREAM)
        # What answers is the server: where its certificate proves nothing, no other address is asked.
        _, connection = await loop.create_connection(AsyncConnection, sock=await _first(in_turn(found)), **tls)
    except OSError as error:  # ssl.SSLError is one
        raise httpcore.ConnectError(str(error)) from error
    return connection


async def _first(addresses: list[Found]) -> socket.socket:
    """Return a socket that is connected to the first address that lets itself be reached.

    asyncio's own race between the addresses forgets sockets where it is cancelled (Python 3.11).

    Raises:
        OSError: There is none.
    """
    *others, last = addresses
    for address in others:
        with suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(PATIENCE):
                return await _reached(address)
    return await _reached(last)


async def _reached(found: Found) -> socket.socket:
    family, kind, protocol, _, address = found
    reached = socket.socket(family, kind, protocol)
    try:
        reached.setblocking(False)  # noqa: FBT003 - so the standard library says it
        await asyncio.get_running_loop().sock_connect(reached, address)
    except BaseException:
        reached.close()
        raise
    return reached
