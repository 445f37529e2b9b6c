"""Bytes on the wire, watched, for asyncio: the twin of :mod:`.connect`."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import httpcore

from .connect import CONNECT_TIMEOUT, PIECE, Proxy, Route, Watch, through, told_of, tunnel_request

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")

#: More bytes than an event loop takes from a socket at once (asyncio: 256 KiB).
ALL_THAT_CAME: Final = 1024 * 1024


class AsyncWatchedStream(httpcore.AsyncNetworkStream):
    """Its asynchronous twin; the deadline is the caller's ``asyncio.timeout``, which can end any await.

    Attributes:
        unread: What has come and was not read yet. Whoever looks whether the socket can be read does not see it.
    """

    watch: Watch

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self.unread = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109 - see above
        """Read of what has come.

        All of it is taken at once: what stayed in a buffer of anyio's, decrypted or not, would be the next request's.
        """
        if self.unread:
            await asyncio.sleep(0)  # the deadline may be over
        else:
            self.unread = await self._stream.read(max(max_bytes, ALL_THAT_CAME))
            self.unread += self._decrypted() if self.unread else b""
        piece, self.unread = self.unread[:max_bytes], self.unread[max_bytes:]
        return self.watch.took(piece)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - see above
        """Write all of ``buffer``."""
        self.watch.sending = True
        await self._stream.write(buffer)

    async def aclose(self) -> None:
        """Close the socket."""
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        """Tell about the socket."""
        return self._stream.get_extra_info(info)

    def _decrypted(self) -> bytes:
        """Return what more of TLS came along: one read gives one record, however many came."""
        tls = self._stream.get_extra_info("ssl_object")
        pieces = []
        try:
            while isinstance(tls, ssl.SSLObject) and (piece := tls.read(PIECE)):
                pieces.append(piece)
        except ssl.SSLError:  # nothing more, or the end; the next read is told the same
            pass
        return b"".join(pieces)


async def connect_async(route: Route) -> httpcore.AsyncNetworkStream:
    """Connect, name look-up, proxy and TLS included; see :func:`connect`."""
    return await connected_in_time(_connect_async(route))


async def connected_in_time(connecting: Awaitable[T]) -> T:
    """Return what a connecting comes to.

    Raises:
        httpcore.ConnectTimeout: It takes too long.
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            return await connecting
    except TimeoutError:
        raise httpcore.ConnectTimeout("no connection in time") from None


async def _connect_async(route: Route) -> httpcore.AsyncNetworkStream:
    first = route.proxy or route
    with told_of(route.proxy):
        stream = await httpcore.AnyIOBackend().connect_tcp(first.host, first.port)
    try:
        if route.proxy is not None:  # pragma: no branch - Python 3.11's tracing loses this line after the await
            with told_of(route.proxy):
                stream = await _tunnel_async(stream, route, route.proxy)
        if route.tls is None:
            return stream
        context = await asyncio.to_thread(route.tls)  # the first time takes a while
        return await stream.start_tls(context, route.host)
    except BaseException:
        await stream.aclose()
        raise


async def _tunnel_async(stream: httpcore.AsyncNetworkStream, route: Route, proxy: Proxy) -> httpcore.AsyncNetworkStream:
    """Ask a proxy to connect to the server, and return the way through it."""
    http = httpcore.AsyncHTTP11Connection(proxy.origin, stream)
    answer = await http.handle_async_request(tunnel_request(route, proxy))
    return cast("httpcore.AsyncNetworkStream", through(answer))
