"""One connection of a synchronous client: requests out, responses in."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Final

import httpcore

from vtex_tracking_ext.call.faults import raise_interruption

from .connect import CHUNK_SIZE, Socket

if TYPE_CHECKING:
    import socket

    from .progress import Progress
    from .response import ResponseReader
    from .route import Route

#: Seconds after which an idle connection is not used again. Servers close idle connections, and a request that meets
#: the close has an unknown outcome.
KEEPALIVE: Final = 5.0


class Connection(Socket):
    """A connection of a synchronous client; it is opened after it is made, so that it can be closed at any time.

    Attributes:
        expires: When the connection becomes too old for another request (``time.monotonic``). 0.0 unless the last
            response ended cleanly: complete, with nothing behind it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.expires = 0.0

    def open(self, route: Route, progress: Progress) -> None:
        """Connect to a server before the deadline of a request.

        Raises:
            httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError: No connection was made.
        """
        self.connect(route, progress.seconds_left())
        self._probe = SocketProbe(self.sock)

    def exchange(self, request: memoryview, reader: ResponseReader, progress: Progress) -> None:
        """Send a request and read its response.

        A socket's timeout bounds one read, so each read and write gets what is left until the deadline: a server that
        sends a byte at a time cannot exceed it.

        Raises:
            OSError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException: The response is missing
                or incomplete.
        """
        self.expires = 0.0
        self._send(request, progress)
        try:
            while not reader.ended:
                self.sock.settimeout(progress.timeout(httpcore.ReadTimeout))
                reader.feed(progress.count_received(self.sock.recv(CHUNK_SIZE)))
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error
        if reader.reusable:
            self.expires = time.monotonic() + KEEPALIVE

    def _send(self, request: memoryview, progress: Progress) -> None:
        try:
            while request:
                self.sock.settimeout(progress.timeout(httpcore.WriteTimeout))
                progress.may_have_left = True
                request = request[self.sock.send(request[:CHUNK_SIZE]) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:  # a server may refuse a request before it has read all of it, and close
            raise_interruption(error)

    def is_stale(self) -> bool:
        """Return whether the server closed the connection, or sent something unasked, while the connection was idle."""
        return self._probe.is_readable()


class SocketProbe:
    """Checks whether a socket is readable without reading from it."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(sock, select.POLLIN)

    def is_readable(self) -> bool:
        """Return whether a read would return at once, as it does at the end of the stream or on a closed socket."""
        if self._socket.fileno() < 0:
            return True
        if self._poll is not None:
            return bool(self._poll.poll(0))
        return bool(select.select([self._socket], [], [], 0)[0])
