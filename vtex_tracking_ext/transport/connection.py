"""Connections whose answers httptools parses, kept by :mod:`.pool`: the extra ``fast``.

The request leaves in one write, and what comes goes straight into a :class:`.response.Reading`. What is watched, and
what makes a connection fit for the next request, is the same as with httpcore's.
"""

from __future__ import annotations

import select
from contextlib import suppress
from typing import TYPE_CHECKING

import httpcore

from .connect import PIECE, Route, Watch, WatchedStream, connect

if TYPE_CHECKING:
    import socket

    from .response import Reading


class Connection:
    """A connection of a synchronous client.

    Args:
        route: The way to the server.
        watch: What the first request is watched by.
    """

    def __init__(self, route: Route, watch: Watch) -> None:
        self._stream = WatchedStream(connect(route, watch.left()), watch)
        self._sniffer = Sniffer(self._stream.get_extra_info("socket"))
        self._clean = False

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

    def watched_by(self, watch: Watch) -> None:
        """Begin a request under its watch."""
        self._stream.watch = watch
        self._clean = False

    def ended_cleanly(self) -> bool:
        """Tell whether its last answer ended where it should, with nothing behind it."""
        return self._clean

    def is_touched(self) -> bool:
        """Tell whether the server has closed it, or sent anything unasked, while it was idle."""
        return self._sniffer.readable()

    def close(self) -> None:
        """Close it; again does nothing."""
        self._stream.close()


class Sniffer:
    """Looks whether anything can be read of a socket, the other side's end included, without reading it."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(sock, select.POLLIN)

    def readable(self) -> bool:
        """Tell whether a read would return at once; a closed socket is one."""
        if self._socket.fileno() < 0:
            return True
        if self._poll is not None:
            return bool(self._poll.poll(0))
        return bool(select.select([self._socket], [], [], 0)[0])
