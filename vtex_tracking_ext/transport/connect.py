"""Bytes on the wire, watched: reads and writes are held to a deadline, and what has left or come is noted.

Built on httpcore's public network streams. A socket's time-out bounds each read, not their sum; here every read and
write gets what is left of the whole request's time, so that a server that dribbles cannot outlast it.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from http import HTTPStatus
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, cast

import httpcore
from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    #: A host's address as the system's look-up gives it.
    Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]

#: Seconds to wait for a connection, TLS included; a host that takes longer is not there.
CONNECT_TIMEOUT: Final = 10.0

#: Seconds that one of a host's addresses is given, if there are others behind it.
PATIENCE: Final = 2.0

#: Bytes that one read takes from a socket, and one write hands to it.
PIECE: Final = 64 * 1024


@frozen
class Proxy:
    """A proxy that is asked to CONNECT.

    Attributes:
        host: Its host name.
        port: Its port.
        headers: Sent to it; they may hold its password.
    """

    host: str
    port: int
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)

    @property
    def origin(self) -> httpcore.Origin:
        """Return it as httpcore names it."""
        return httpcore.Origin(b"http", self.host.encode("ascii"), self.port)


@frozen
class Route:
    """The way to a server.

    Attributes:
        host: Its host name.
        port: Its port.
        tls: Returns how to check who it is; None for plain HTTP on this machine.
        proxy: Through which proxy, or None.
    """

    host: str
    port: int
    tls: Callable[[], ssl.SSLContext] | None = None
    proxy: Proxy | None = None

    @property
    def origin(self) -> httpcore.Origin:
        """Return it as httpcore names it."""
        return httpcore.Origin(b"http" if self.tls is None else b"https", self.host.encode("ascii"), self.port)


class Watch:
    """One request on its way: how long it may take, and what was seen of it.

    Attributes:
        reached: Whether it came to the sockets at all; what is seen from then on is all there is.
        sending: Whether bytes of it may have left this machine.
    """

    def __init__(self, seconds: float, most_bytes: int) -> None:
        self._ends = time.monotonic() + seconds
        self._most_bytes = most_bytes
        self._received = 0
        self.reached = False
        self.sending = False

    def left(self) -> float:
        """Return the seconds that are left; zero or less once it is too late."""
        return self._ends - time.monotonic()

    def took(self, piece: bytes) -> bytes:
        """Count what came, interim answers and all; a server that never comes to its answer is left.

        Raises:
            httpcore.ReadError: It is too much.
        """
        self._received += len(piece)
        if self._received > self._most_bytes:
            raise httpcore.ReadError(f"more than {self._most_bytes} bytes came")
        return piece


class WatchedStream(httpcore.NetworkStream):
    """A connected stream under a watch, which the pool sets anew for each request."""

    def __init__(self, stream: httpcore.NetworkStream, watch: Watch) -> None:
        self._stream = stream
        self.watch = watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the watch knows better
        """Read what has come, in the time that is left."""
        return self.watch.took(self._stream.read(max_bytes, self._left(httpcore.ReadTimeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as above
        """Write all of ``buffer``, in the time that is left."""
        for start in range(0, len(buffer), PIECE):
            left = self._left(httpcore.WriteTimeout)
            self.watch.sending = True
            self._stream.write(buffer[start : start + PIECE], left)

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        """Tell about the socket."""
        return self._stream.get_extra_info(info)

    def _left(self, late: type[httpcore.TimeoutException]) -> float:
        left = self.watch.left()
        if left <= 0:
            raise late("the time for this request is over")
        return left


class ClosingSSLSocket(ssl.SSLSocket):
    """Closes itself where its peer has left before TLS begins; Python 3.11 drops it then, still open."""

    def getpeername(self) -> Any:
        """Tell who is at the other end; the first thing that Python asks a socket it has begun to make."""
        try:
            return super().getpeername()
        except OSError:
            self.close()
            raise


def connect(route: Route, seconds: float) -> httpcore.NetworkStream:
    """Connect within a time, name look-up, proxy and TLS included.

    Raises:
        httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError: There is no connection.
    """
    # The system's name look-up cannot be given a time, and each of a host's addresses gets the whole of it: only
    # another thread can be left behind.
    connecting: Future[httpcore.NetworkStream] = Future()

    def work() -> None:
        try:
            stream = _connect(route)
        except BaseException as error:  # noqa: BLE001 - raised again where somebody waits for it
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
        connecting.cancel()  # whoever comes too late closes what it has; without effect once there is a result


def _connect(route: Route) -> httpcore.NetworkStream:
    first = route.proxy or route
    with told_of(route.proxy):
        stream = _reached(first.host, first.port)
        if route.proxy is not None:
            stream = _tunnel(stream, route, route.proxy)
    return stream if route.tls is None else stream.start_tls(route.tls(), route.host, CONNECT_TIMEOUT)


def _reached(host: str, port: int) -> httpcore.NetworkStream:
    """Return a connection to the first of a host's addresses that lets itself be reached.

    Raises:
        httpcore.ConnectError, httpcore.ConnectTimeout: There is none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error
    *others, last = in_turn(found)
    backend = httpcore.SyncBackend()
    for *_, address in others:
        with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
            return backend.connect_tcp(address[0], port, PATIENCE)
    return backend.connect_tcp(last[-1][0], port, CONNECT_TIMEOUT)


def in_turn(addresses: Iterable[Found]) -> list[Found]:
    """Return a host's addresses such that families take turns: the network of one may be broken (RFC 8305)."""
    families: dict[int, list[Found]] = {}
    for each in addresses:
        families.setdefault(each[0], []).append(each)
    return [each for turn in zip_longest(*families.values()) for each in turn if each is not None]


@contextmanager
def told_of(proxy: Proxy | None) -> Iterator[None]:
    """Let what goes wrong with a proxy be told of it, not of the server behind it.

    Raises:
        httpcore.ProxyError: The proxy cannot be reached, hung up, or does not speak HTTP.
    """
    try:
        yield
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        if proxy is None:
            raise
        raise httpcore.ProxyError(f"{proxy.host}:{proxy.port}: {error}") from error


def _tunnel(stream: httpcore.NetworkStream, route: Route, proxy: Proxy) -> httpcore.NetworkStream:
    """Ask a proxy to connect to the server, and return the way through it."""
    http = httpcore.HTTP11Connection(proxy.origin, stream)
    try:
        return cast("httpcore.NetworkStream", through(http.handle_request(tunnel_request(route, proxy))))
    except BaseException:
        http.close()
        raise


def tunnel_request(route: Route, proxy: Proxy) -> httpcore.Request:
    """Return what asks a proxy to connect to the server."""
    host = f"[{route.host}]" if ":" in route.host else route.host
    target = f"{host}:{route.port}".encode("ascii")
    headers = [(b"Host", target), *proxy.headers]
    times = dict.fromkeys(("read", "write"), CONNECT_TIMEOUT)
    url = httpcore.URL(scheme=b"http", host=proxy.host.encode("ascii"), port=proxy.port, target=target)
    return httpcore.Request("CONNECT", url, headers=headers, extensions={"timeout": times})


def through(response: httpcore.Response) -> Any:
    """Return the stream that a proxy opened, of either kind.

    Raises:
        httpcore.ProxyError: It did not.
    """
    if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        raise httpcore.ProxyError(f"the proxy answered {response.status} to CONNECT")
    return response.extensions["network_stream"]
