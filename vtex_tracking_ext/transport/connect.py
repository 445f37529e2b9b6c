"""Connect to a server, directly or through an HTTP proxy (see :mod:`.proxy`).

Only the name look-up runs in a thread of its own, because the system's function accepts no timeout. All other steps run
in the thread of the call: the deadline or an interrupt ends them, and no thread or socket is left.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from itertools import zip_longest
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

import httpcore

from vtex_tracking_ext.call.faults import interruption_of

from .progress import Progress
from .proxy import TunnelHandshake, proxy_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .route import Proxy, Route

    #: One address of a host, as ``socket.getaddrinfo`` returns it.
    AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]

#: Seconds to wait for a connection, including name look-up, proxy and TLS.
CONNECT_TIMEOUT: Final = 10.0

#: Seconds to wait for one address of a host, if the host has further addresses.
ADDRESS_TIMEOUT: Final = 2.0

#: Bytes that one read takes from a socket, and one write passes to it.
CHUNK_SIZE: Final = 64 * 1024


class Socket:
    """A socket that can be closed at any time while it is being connected, for example after an interrupt.

    Attributes:
        sock: The socket; missing at first.
    """

    def __init__(self) -> None:
        self.sock: socket.socket

    def connect(self, route: Route, seconds: float) -> None:
        """Connect to a server, with TLS established.

        Args:
            route: The server.
            seconds: How long connecting may take; :data:`CONNECT_TIMEOUT` at most.

        Raises:
            httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError: No connection was made.
        """
        progress = Progress(min(seconds, CONNECT_TIMEOUT))
        first_hop = route.proxy or route
        with proxy_errors(route.proxy), connect_errors():
            self._connect_tcp(look_up(first_hop.host, first_hop.port, progress), progress)
            if route.proxy is not None:
                self._open_tunnel(route, route.proxy, progress)
        if route.tls is not None:
            with connect_errors():
                # wrap_socket closes the socket that it is given. The handshake is a step of its own, so that the new
                # one is known here before anything can interrupt the handshake.
                self.sock = route.tls().wrap_socket(
                    self.sock, server_hostname=route.host, do_handshake_on_connect=False
                )
                self.sock.settimeout(progress.timeout(httpcore.ConnectTimeout))
                self.sock.do_handshake()

    def _connect_tcp(self, addresses: list[AddressInfo], progress: Progress) -> None:
        """Connect to the first address of a host that accepts a connection."""
        remaining = range(len(addresses) - 1, -1, -1)
        for others, (family, kind, protocol, _, address) in zip(remaining, addresses, strict=True):  # pragma: no branch
            left = progress.timeout(httpcore.ConnectTimeout)
            try:
                self.sock = socket.socket(family, kind, protocol)
                self.sock.settimeout(min(left, ADDRESS_TIMEOUT) if others else left)
                self.sock.connect(address)
            except OSError as error:
                self.close()
                if not others or interruption_of(error) is not None:
                    raise
            else:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return

    def _open_tunnel(self, route: Route, proxy: Proxy, progress: Progress) -> None:
        handshake = TunnelHandshake(route, proxy, progress.seconds_left())
        self.sock.settimeout(progress.timeout(httpcore.ConnectTimeout))
        self.sock.sendall(handshake.request)
        while not handshake.feed(self.sock.recv(CHUNK_SIZE)):
            self.sock.settimeout(progress.timeout(httpcore.ConnectTimeout))

    def close(self) -> None:
        """Close the connection. Closing is idempotent."""
        if hasattr(self, "sock"):
            self.sock.close()


@contextmanager
def connect_errors() -> Iterator[None]:
    """Report the system's errors as ConnectTimeout or ConnectError."""
    try:
        yield
    except TimeoutError as error:
        raise httpcore.ConnectTimeout("no connection in time") from error
    except (
        OSError,
        UnicodeError,
    ) as error:  # ssl.SSLError is one; a host name may be invalid in IDNA
        raise httpcore.ConnectError(str(error) or type(error).__name__) from error


def look_up(host: str, port: int, progress: Progress) -> list[AddressInfo]:
    """Return the addresses of a host, in the order in which to try them.

    Raises:
        OSError, UnicodeError: The host has no address, or its name is invalid.
        httpcore.ConnectError: There is no thread for the look-up.
        httpcore.ConnectTimeout: The look-up took too long. Its thread ends when the look-up does.
    """
    results: SimpleQueue[Iterable[AddressInfo] | BaseException] = SimpleQueue()

    def work() -> None:
        try:
            results.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            results.put(error)

    try:
        threading.Thread(target=work, name="vtex-tracking-look-up", daemon=True).start()
    except RuntimeError as error:  # the system has no thread left
        raise httpcore.ConnectError(str(error)) from error
    try:
        found = results.get(timeout=progress.timeout(httpcore.ConnectTimeout))
    except Empty:
        raise httpcore.ConnectTimeout("no connection in time") from None
    if isinstance(found, BaseException):
        raise found
    return interleave_families(found)


def interleave_families(addresses: Iterable[AddressInfo]) -> list[AddressInfo]:
    """Return addresses with IPv6 and IPv4 in turn, because the network of one of them may be broken (RFC 8305)."""
    families: dict[int, list[AddressInfo]] = {}
    for each in addresses:
        families.setdefault(each[0], []).append(each)
    return [each for turn in zip_longest(*families.values()) for each in turn if each is not None]
