"""Connect to a server, directly or through an HTTP proxy (see :mod:`.proxy`).

The sockets are those of httpcore's public network streams.
"""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

import httpcore

from .proxy import TunnelHandshake, proxy_errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .proxy import Proxy, Route

    #: One address of a host, as ``socket.getaddrinfo`` returns it.
    AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]

#: Seconds to wait for a connection, including name look-up, proxy and TLS.
CONNECT_TIMEOUT: Final = 10.0

#: Seconds to wait for one address of a host, if the host has further addresses.
ADDRESS_TIMEOUT: Final = 2.0

#: Bytes that one read takes from a socket, and one write passes to it.
CHUNK_SIZE: Final = 64 * 1024


def connect(route: Route, seconds: float) -> httpcore.NetworkStream:
    """Return a connection to a server, with TLS established.

    Args:
        route: The server.
        seconds: How long connecting may take; :data:`CONNECT_TIMEOUT` at most.

    Raises:
        httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError: No connection was made.
    """
    # The system's name look-up accepts no timeout, so it runs in a thread that can be abandoned.
    connecting: Future[httpcore.NetworkStream] = Future()

    def work() -> None:
        try:
            stream = _connect(route)
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            if connecting.set_running_or_notify_cancel():
                connecting.set_exception(error)
        else:
            if connecting.set_running_or_notify_cancel():
                connecting.set_result(stream)
            else:
                stream.close()

    threading.Thread(target=work, name="vtex-tracking-connect", daemon=True).start()
    try:
        return connecting.result(max(0.0, min(seconds, CONNECT_TIMEOUT)))
    except TimeoutError:
        raise httpcore.ConnectTimeout("no connection in time") from None
    finally:
        connecting.cancel()  # a late connect closes its own socket; without effect once there is a result


def _connect(route: Route) -> httpcore.NetworkStream:
    first_hop = route.proxy or route
    with proxy_errors(route.proxy):
        stream = _connect_tcp(first_hop.host, first_hop.port)
        if route.proxy is not None:
            _open_tunnel(stream, route, route.proxy)
    return stream if route.tls is None else stream.start_tls(route.tls(), route.host, CONNECT_TIMEOUT)


def _connect_tcp(host: str, port: int) -> httpcore.NetworkStream:
    """Return a TCP connection to the first address of a host that accepts one.

    Raises:
        httpcore.ConnectError, httpcore.ConnectTimeout: No address accepted a connection.
    """
    try:
        addresses = interleave_families(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error
    *others, last = addresses
    backend = httpcore.SyncBackend()
    for *_, address in others:
        with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
            return backend.connect_tcp(address[0], port, ADDRESS_TIMEOUT)
    return backend.connect_tcp(last[-1][0], port, CONNECT_TIMEOUT)


def interleave_families(addresses: Iterable[AddressInfo]) -> list[AddressInfo]:
    """Return addresses with IPv6 and IPv4 in turn, because the network of one of them may be broken (RFC 8305)."""
    families: dict[int, list[AddressInfo]] = {}
    for each in addresses:
        families.setdefault(each[0], []).append(each)
    return [each for turn in zip_longest(*families.values()) for each in turn if each is not None]


def _open_tunnel(stream: httpcore.NetworkStream, route: Route, proxy: Proxy) -> None:
    try:
        handshake = TunnelHandshake(route, proxy, CONNECT_TIMEOUT)
        timeout = handshake.progress.timeout(httpcore.ConnectTimeout)
        stream.write(handshake.request, timeout)  # type: ignore[arg-type]  # httpcore accepts any buffer
        while not handshake.feed(stream.read(CHUNK_SIZE, handshake.progress.timeout(httpcore.ConnectTimeout))):
            pass
    except BaseException:
        stream.close()
        raise
