"""Connect to a server, directly or through an HTTP proxy, for asyncio: the twin of :mod:`.connect`."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from vtex_tracking_ext.call.faults import interruption_of

from .connect import ADDRESS_TIMEOUT, CHUNK_SIZE, CONNECT_TIMEOUT, connect_errors, interleave_families
from .proxy import TunnelHandshake, proxy_errors

if TYPE_CHECKING:
    from .route import Proxy, Route


async def connect_socket(route: Route, connecting: list[socket.socket]) -> None:
    """Connect a socket to a server; TLS is still to be established over it.

    Args:
        route: The server.
        connecting: Receives the socket as soon as it is made, so that the caller can close it at any time.

    Raises:
        httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError: No connection was made.
    """
    first_hop = route.proxy or route
    with proxy_errors(route.proxy), connect_errors():
        await _connect_tcp(first_hop.host, first_hop.port, connecting)
        if route.proxy is not None:
            await _open_tunnel(connecting[0], route, route.proxy)


async def _connect_tcp(host: str, port: int, connecting: list[socket.socket]) -> None:
    """Connect to the first address of a host that accepts a connection.

    ``loop.create_connection`` would race the addresses, but leaks sockets when it is cancelled (Python 3.11).

    Raises:
        OSError: No address accepted a connection.
    """
    loop = asyncio.get_running_loop()
    addresses = interleave_families(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    remaining = range(len(addresses) - 1, -1, -1)
    for others, (family, kind, protocol, _, address) in zip(remaining, addresses, strict=True):  # pragma: no branch
        try:
            async with asyncio.timeout(ADDRESS_TIMEOUT if others else None):
                connecting.append(socket.socket(family, kind, protocol))
                connecting[0].setblocking(False)  # noqa: FBT003 - the standard library's signature
                await loop.sock_connect(connecting[0], address)
        except OSError as error:  # TimeoutError is one
            connecting[0].close()
            connecting.clear()
            if not others or interruption_of(error) is not None:
                raise
        else:
            return


async def _open_tunnel(connected: socket.socket, route: Route, proxy: Proxy) -> None:
    loop = asyncio.get_running_loop()
    handshake = TunnelHandshake(route, proxy, CONNECT_TIMEOUT)
    await loop.sock_sendall(connected, handshake.request)
    while not handshake.feed(await loop.sock_recv(connected, CHUNK_SIZE)):
        pass
