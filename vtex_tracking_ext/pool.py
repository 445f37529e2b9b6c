"""Connections to one server, kept for the next request only if the last one ended cleanly.

httpcore's own connections in a free list of ours: taking one costs the same however many there are, and a
connection is put back only if its answer was read to the end and not one byte stood behind it. A byte behind an
answer would be read as the beginning of the next: a forged or left-over receipt.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import httpcore

from .network import AsyncWatchedStream, Route, Watch, WatchedStream, connect, connect_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

#: Name of the request extension that holds its :class:`.network.Watch`.
WATCH: Final = "vtex_tracking.watch"

#: Seconds after which an idle connection is not used again: servers close theirs, and a request that meets the
#: closing is one whose outcome is unknown.
KEEPALIVE: Final = 5.0

#: Seconds before the end of a request's time in which it is no longer begun if it had to wait: it could not be
#: answered, and its outcome would be unknown.
LAST_MOMENT: Final = 0.05


class _Connection:
    """A connection with the stream under it."""

    def __init__(self, route: Route, stream: WatchedStream) -> None:
        self.stream = stream
        self.http = httpcore.HTTP11Connection(route.origin, stream, KEEPALIVE)


class Pool:
    """What httpx's transport calls instead of a pool of its own.

    Args:
        route: The way to the server.
        limit: Connections that are open at once at most.
    """

    def __init__(self, route: Route, limit: int) -> None:
        self._route = route
        self._limit = limit
        self._idle: deque[_Connection] = deque()
        self._closed = False
        self.begin()
        _POOLS.add(self)

    def begin(self) -> None:
        """Begin without connections: at first, and again in a forked process, which shares those it was born with.

        Two processes on one connection would read each other's answers. The locks may be held by threads that only
        the parent has.
        """
        self._slots = threading.BoundedSemaphore(self._limit)
        self._lock = threading.Lock()
        while self._idle:
            self._idle.pop().http.close()  # this process's end of it; the parent's stays open

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request, and return its answer with the body still to be read; closing it gives its place back.

        Raises:
            httpcore.PoolTimeout: Every connection was in use for all of the request's time.
        """
        watch: Watch = request.extensions[WATCH]
        watch.reached = True
        patience = max(0.0, watch.left() - LAST_MOMENT)
        if not (self._slots.acquire(blocking=False) or self._slots.acquire(timeout=patience)):
            raise httpcore.PoolTimeout(f"all {self._limit} connections are in use")
        try:
            connection = self._idle_one() or _Connection(
                self._route, WatchedStream(connect(self._route, watch.left()), watch)
            )
            connection.stream.watch = watch
            response = connection.http.handle_request(request)  # closes the connection where it fails
        except BaseException:
            self._slots.release()
            raise
        body = _Body(self, connection, response)
        return httpcore.Response(response.status, headers=response.headers, content=body)

    def _idle_one(self) -> _Connection | None:
        """Take the connection that was used last, if the server has not closed it, nor sent anything unasked."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not connection.http.has_expired():
                return connection
            connection.http.close()

    def take_back(self, connection: _Connection) -> None:
        """Keep a connection for the next request if its answer ended cleanly."""
        expired: list[_Connection] = []
        with self._lock:
            if self._closed or not connection.http.is_idle() or left_over(connection.http):
                expired.append(connection)
            else:
                self._idle.append(connection)
            while self._idle and self._idle[0].http.has_expired():
                expired.append(self._idle.popleft())
        try:
            for one in expired:
                one.http.close()
        finally:
            self._slots.release()

    def close(self) -> None:
        """Close the idle connections; those in use are closed when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, deque()
        for connection in idle:
            connection.http.close()


#: The pools of this process.
_POOLS: Final[WeakSet[Pool]] = WeakSet()


def _after_fork() -> None:
    for pool in _POOLS:
        pool.begin()


if hasattr(os, "register_at_fork"):  # pragma: no branch - where there is none, nothing forks
    os.register_at_fork(after_in_child=_after_fork)


class _Body:
    """A body to be read; closing it gives the connection back."""

    def __init__(self, pool: Pool, connection: _Connection, response: httpcore.Response) -> None:
        self._pool = pool
        self._connection: _Connection | None = connection
        self._stream: Any = response.stream

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def close(self) -> None:
        """Close it; again does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                self._stream.close()
            finally:
                self._pool.take_back(connection)


def left_over(http: httpcore.HTTP11Connection | httpcore.AsyncHTTP11Connection) -> bool:
    """Tell whether bytes stand behind the answer that a connection has just given.

    httpcore does not show its parser; where a version of it hides that elsewhere, no connection is used again.
    """
    parser = getattr(http, "_h11_state", None)
    return parser is None or bool(parser.trailing_data[0])


class _AsyncConnection:
    """A connection with the stream under it."""

    def __init__(self, lane: _Lane, route: Route, stream: AsyncWatchedStream) -> None:
        self.lane = lane
        self.stream = stream
        self.http = httpcore.AsyncHTTP11Connection(route.origin, stream, KEEPALIVE)


class _Lane:
    """What belongs to one event loop: the places, and the idle connections."""

    def __init__(self, limit: int) -> None:
        self.slots = asyncio.BoundedSemaphore(limit)
        self.idle: deque[_AsyncConnection] = deque()

    async def idle_one(self) -> _AsyncConnection | None:
        """Take the connection that was used last, if the server has not closed it, nor sent anything unasked."""
        while self.idle:
            connection = self.idle.pop()
            if not connection.http.has_expired():
                return connection
            await connection.http.aclose()
        return None


class AsyncPool:
    """Its asynchronous twin; how long a request may take is the caller's ``asyncio.timeout``.

    Connections are of use in the event loop that made them alone, so each loop has its own, and its own limit.
    """

    def __init__(self, route: Route, limit: int) -> None:
        self._route = route
        self._limit = limit
        self._lanes: dict[asyncio.AbstractEventLoop, _Lane] = {}
        self._closed = False

    def _lane(self) -> _Lane:
        """Return what belongs to the loop that runs; what belonged to loops that have ended is dropped."""
        loop = asyncio.get_running_loop()
        lane = self._lanes.get(loop)
        if lane is None:
            self._drop_ended()
            lane = self._lanes[loop] = _Lane(self._limit)
        return lane

    def _drop_ended(self) -> None:
        for loop in [each for each in tuple(self._lanes) if each.is_closed()]:
            self._lanes.pop(loop, None)

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request, and return its answer with the body still to be read; closing it gives its place back.

        Raises:
            httpcore.PoolTimeout: Every connection was in use for all of the request's time.
        """
        watch: Watch = request.extensions[WATCH]
        watch.reached = True
        lane = self._lane()
        try:
            async with asyncio.timeout(watch.left() - LAST_MOMENT if lane.slots.locked() else None):
                await lane.slots.acquire()
        except TimeoutError:
            raise httpcore.PoolTimeout(f"all {self._limit} connections are in use") from None
        connection: _AsyncConnection | None = None
        try:
            connection = await lane.idle_one() or _AsyncConnection(
                lane, self._route, AsyncWatchedStream(await connect_async(self._route), watch)
            )
            connection.stream.watch = watch
            response = await connection.http.handle_async_request(request)
        except BaseException:
            lane.slots.release()
            if connection is not None:  # httpcore closes it where it fails, but not wherever it is cancelled
                await connection.http.aclose()
            raise
        body = _AsyncBody(self, connection, response)
        return httpcore.Response(response.status, headers=response.headers, content=body)

    async def take_back(self, connection: _AsyncConnection) -> None:
        """Keep a connection for the next request if its answer ended cleanly."""
        lane = connection.lane
        expired: list[_AsyncConnection] = []
        left = left_over(connection.http) or bool(connection.stream.unread)
        if self._closed or left or not connection.http.is_idle():
            expired.append(connection)
        else:
            lane.idle.append(connection)
        while lane.idle and lane.idle[0].http.has_expired():
            expired.append(lane.idle.popleft())
        lane.slots.release()
        for one in expired:
            await one.http.aclose()

    async def aclose(self) -> None:
        """Close the idle connections of this loop; those in use are closed when they come back."""
        self._closed = True
        self._drop_ended()
        lane = self._lanes.get(asyncio.get_running_loop())
        while lane is not None and lane.idle:
            await lane.idle.popleft().http.aclose()


class _AsyncBody:
    """A body to be read; closing it gives the connection back."""

    def __init__(self, pool: AsyncPool, connection: _AsyncConnection, response: httpcore.Response) -> None:
        self._pool = pool
        self._connection: _AsyncConnection | None = connection
        self._stream: Any = response.stream

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        """Close it; again does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await self._stream.aclose()
            finally:
                await self._pool.take_back(connection)
