"""Connections whose answers httptools parses, kept by :mod:`.pool`: the extra ``fast``.

The request leaves in one write, and what comes goes straight into a :class:`.reading.Reading`. What is watched, and
what makes a connection fit for the next request, is the same as with httpcore's.
"""

from __future__ import annotations

import select
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import httpcore

from .network import PIECE, Route, Watch, WatchedStream, connect
from .pool import KEEPALIVE

if TYPE_CHECKING:
    import socket

    from .reading import Reading


class Connection:
    """A connection of a synchronous client.

    Args:
        route: The way to the server.
        watch: What the first request is watched by.
    """

    def __init__(self, route: Route, watch: Watch) -> None:
        self._stream = WatchedStream(connect(route, watch.left()), watch)
        self._socket: socket.socket = self._stream.get_extra_info("socket")
        self._clean = False
        self._expires = 0.0

    def exchange(self, request: bytes, reading: Reading) -> None:
        """Send a request, and read its answer.

        Raises:
            httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException: There is none, or a part of one.
        """
        with suppress(httpcore.WriteError):  # a server may say no before it has read all, and hang up
            self._stream.write(request)
        while not reading.ended:
            reading.feed(self._stream.read(PIECE))
        self._clean = reading.clean
        self._expires = time.monotonic() + KEEPALIVE

    def watched_by(self, watch: Watch) -> None:
        """Begin a request under its watch."""
        self._stream.watch = watch
        self._clean = False

    def ended_cleanly(self) -> bool:
        """Tell whether its last answer ended where it should, with nothing behind it."""
        return self._clean

    def has_expired(self) -> bool:
        """Tell whether it was idle too long, the server has closed it, or sent anything unasked."""
        return time.monotonic() > self._expires or readable(self._socket)

    def close(self) -> None:
        """Close it; again does nothing."""
        self._stream.close()


def readable(sock: socket.socket) -> bool:
    """Tell whether anything can be read, the other side's end included, or the socket is closed."""
    try:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([sock], [], [], 0)[0])  # pragma: no cover - Windows
    except (OSError, ValueError):
        return True
