"""Connections to one server for asyncio: the twin of :mod:`.pool`."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import httpcore

from .pool import KEEPALIVE, LAST_MOMENT, Kept

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .connect import Watch


class AsyncConnection(Kept, Protocol):
    """A connection of an asynchronous client."""

    def watched_by(self, watch: Watch) -> None:
        """Begin a request under its watch."""

    async def aclose(self) -> None:
        """Close it; again does nothing."""


A = TypeVar("A", bound=AsyncConnection)


class _Lane(Generic[A]):
    """What belongs to one event loop: the places, and the idle connections."""

    def __init__(self, limit: int) -> None:
        self.slots = asyncio.BoundedSemaphore(limit)
        self.idle: deque[tuple[float, A]] = deque()  # with the times at which they expire

    async def idle_one(self) -> A | None:
        """Take the connection that was used last, if it can still be used."""
        while self.idle:
            expires, connection = self.idle.pop()
            if time.monotonic() < expires and not connection.is_touched():
                return connection
            await connection.aclose()
        return None


class AsyncPool(Generic[A]):
    """Its asynchronous twin; how long a request may take is the caller's ``asyncio.timeout``.

    Connections are of use in the event loop that made them alone, so each loop has its own, and its own limit.
    """

    def __init__(self, connect: Callable[[], Awaitable[A]], limit: int) -> None:
        self._connect = connect
        self._limit = limit
        self._lanes: dict[asyncio.AbstractEventLoop, _Lane[A]] = {}
        self._closed = False

    def _lane(self) -> _Lane[A]:
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

    async def take(self, watch: Watch) -> A:
        """Return a connection for one request; it must be given back, in the same loop.

        Raises:
            httpcore.PoolTimeout: Every connection was in use for all of the request's time.
            httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError: There is no connection.
        """
        watch.reached = True
        lane = self._lane()
        if lane.slots.locked():
            try:
                async with asyncio.timeout(watch.left() - LAST_MOMENT):
                    await lane.slots.acquire()
            except TimeoutError:
                raise httpcore.PoolTimeout(f"all {self._limit} connections are in use") from None
        else:
            await lane.slots.acquire()
        try:
            connection = await lane.idle_one() or await self._connect()
        except BaseException:
            lane.slots.release()
            raise
        connection.watched_by(watch)
        return connection

    async def give_back(self, connection: A) -> None:
        """Keep a connection for the next request if its answer ended cleanly."""
        lane = self._lanes[asyncio.get_running_loop()]
        expired: list[A] = []
        now = time.monotonic()
        if self._closed or not connection.ended_cleanly():
            expired.append(connection)
        else:
            lane.idle.append((now + KEEPALIVE, connection))
        while lane.idle and lane.idle[0][0] <= now:
            expired.append(lane.idle.popleft()[1])
        lane.slots.release()
        for one in expired:
            await one.aclose()

    async def aclose(self) -> None:
        """Close the idle connections of this loop; those in use are closed when they come back."""
        self._closed = True
        self._drop_ended()
        lane = self._lanes.get(asyncio.get_running_loop())
        while lane is not None and lane.idle:
            await lane.idle.popleft()[1].aclose()
