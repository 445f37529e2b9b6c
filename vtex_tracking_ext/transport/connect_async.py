"""Connect to a server, directly or through an HTTP proxy, for asyncio: the twin of :mod:`.connect`."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import httpcore

from .connect import ADDRESS_TIMEOUT, CHUNK_SIZE, CONNECT_TIMEOUT, interleave_families
from .proxy import TunnelHandshake, proxy_errors

if TYPE_CHECKING:
    from .connect import AddressInfo
    from .proxy import Proxy, Route


async def connect_socket(route: Route) -> socket.socket:
    """Return a connected socket; TLS is still to be established over it.

    Raises:
        httpcore.ConnectError, httpcore.ProxyError: No connection was made.
    """
    first_hop = route.proxy or route
    with proxy_errors(route.proxy):
        try:
            connected = await _connect_tcp(first_hop.host, first_hop.port)
            if route.proxy is not None:
                await _open_tunnel(connected, route, route.proxy)
        except OSError as error:
            raise httpcore.ConnectError(str(error) or type(error).__name__) from error
    return connected


async def _connect_tcp(host: str, port: int) -> socket.socket:
    """Return a socket that is connected to the first address of a host that accepts a connection.

    ``loop.create_connection`` would race the addresses, but leaks sockets when it is cancelled (Python 3.11).

    Raises:
        OSError: No address accepted a connection.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    *others, last = interleave_families(found)
    for address in others:
        with suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(ADDRESS_TIMEOUT):
                return await _connect_address(address)
    return await _connect_address(last)


async def _connect_address(address: AddressInfo) -> socket.socket:
    family, kind, protocol, _, target = address
    connecting = socket.socket(family, kind, protocol)
    try:
        connecting.setblocking(False)  # noqa: FBT003 - the standard library's signature
        await asyncio.get_running_loop().sock_connect(connecting, target)
    except BaseException:
        connecting.close()
        raise
    return connecting


async def _open_tunnel(connected: socket.socket, route: Route, proxy: Proxy) -> None:
    loop = asyncio.get_running_loop()
    try:
        handshake = TunnelHandshake(route, proxy, CONNECT_TIMEOUT)
        await loop.sock_sendall(connected, handshake.request)
        while not handshake.feed(await loop.sock_recv(connected, CHUNK_SIZE)):
            pass
    except BaseException:
        connected.close()
        raise
