"""One connection of a synchronous client: requests out, responses in."""

from __future__ import annotations

import select
from contextlib import suppress
from typing import TYPE_CHECKING

import httpcore

from .connect import CHUNK_SIZE, connect

if TYPE_CHECKING:
    import socket

    from .progress import Progress
    from .proxy import Route
    from .response import ResponseReader


class Connection:
    """A connection of a synchronous client.

    Args:
        route: The server.
        progress: The first request, whose deadline bounds connecting.

    Attributes:
        reusable: Whether the last response ended cleanly: complete, with nothing behind it.
    """

    def __init__(self, route: Route, progress: Progress) -> None:
        self._stream = connect(route, progress.seconds_left())
        self._probe = SocketProbe(self._stream.get_extra_info("socket"))
        self.reusable = False

    def exchange(self, request: memoryview, reader: ResponseReader, progress: Progress) -> None:
        """Send a request and read its response.

        A socket's timeout bounds one read, so each read and write gets what is left until the deadline: a server that
        sends a byte at a time cannot exceed it.

        Raises:
            httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException: The response is missing or
                incomplete.
        """
        self.reusable = False
        with suppress(httpcore.WriteError):  # a server may refuse a request before it has read all of it, and close
            for start in range(0, len(request), CHUNK_SIZE):
                timeout = progress.timeout(httpcore.WriteTimeout)
                progress.may_have_left = True
                self._stream.write(request[start : start + CHUNK_SIZE], timeout)  # type: ignore[arg-type]  # any buffer
        while not reader.ended:
            timeout = progress.timeout(httpcore.ReadTimeout)
            reader.feed(progress.count_received(self._stream.read(CHUNK_SIZE, timeout)))
        self.reusable = reader.reusable

    def is_stale(self) -> bool:
        """Return whether the server closed the connection, or sent something unasked, while the connection was idle."""
        return self._probe.is_readable()

    def close(self) -> None:
        """Close the connection. Closing is idempotent."""
        self._stream.close()


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
