"""Connections to one server for asyncio: the twin of :mod:`.pool`."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

import httpcore

from .pool import KEEPALIVE, MIN_SECONDS_LEFT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .connection_async import AsyncConnection
    from .progress import Progress


class _LoopPool:
    """The slots and idle connections of one event loop."""

    def __init__(self, limit: int) -> None:
        self.slots = asyncio.BoundedSemaphore(limit)
        self.idle: deque[tuple[float, AsyncConnection]] = deque()  # with the times at which they expire

    def pop_idle(self) -> AsyncConnection | None:
        """Return the usable idle connection that was used last."""
        while self.idle:
            expires, connection = self.idle.pop()
            if time.monotonic() < expires and not connection.is_stale():
                return connection
            connection.close()
        return None


class AsyncPool:
    """The connections of an asynchronous client; the caller's ``asyncio.timeout`` is the deadline of a request.

    A connection works only in the event loop that opened it, so each loop has its own connections and its own limit.

    Args:
        connect: Opens a connection.
        limit: Maximum number of open connections of one event loop.
    """

    def __init__(self, connect: Callable[[], Awaitable[AsyncConnection]], limit: int) -> None:
        self._connect = connect
        self._limit = limit
        self._loops: dict[asyncio.AbstractEventLoop, _LoopPool] = {}
        self._closed = False

    def _loop_pool(self) -> _LoopPool:
        """Return the pool of the running loop, and drop those of closed loops."""
        loop = asyncio.get_running_loop()
        pool = self._loops.get(loop)
        if pool is None:
            self._drop_closed_loops()
            pool = self._loops[loop] = _LoopPool(self._limit)
        return pool

    def _drop_closed_loops(self) -> None:
        for loop in [each for each in tuple(self._loops) if each.is_closed()]:
            self._loops.pop(loop, None)

    async def acquire(self, progress: Progress) -> AsyncConnection:
        """Return a connection for one request; the caller must release it in the same event loop.

        Raises:
            httpcore.PoolTimeout: Every connection was in use until the deadline.
            httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError: No connection was made.
        """
        progress.observed = True
        pool = self._loop_pool()
        if pool.slots.locked():
            try:
                async with asyncio.timeout(progress.seconds_left() - MIN_SECONDS_LEFT):
                    await pool.slots.acquire()
            except TimeoutError:
                raise httpcore.PoolTimeout(f"all {self._limit} connections are in use") from None
        else:
            await pool.slots.acquire()
        try:
            return pool.pop_idle() or await self._connect()
        except BaseException:
            pool.slots.release()
            raise

    def release(self, connection: AsyncConnection) -> None:
        """Keep a connection for the next request if it is reusable, else close it."""
        pool = self._loops[asyncio.get_running_loop()]
        now = time.monotonic()
        if self._closed or not connection.reusable:
            connection.close()
        else:
            pool.idle.append((now + KEEPALIVE, connection))
        while pool.idle and pool.idle[0][0] <= now:
            pool.idle.popleft()[1].close()
        pool.slots.release()

    def close(self) -> None:
        """Close the idle connections of this loop; connections in use are closed when they are released."""
        self._closed = True
        self._drop_closed_loops()
        pool = self._loops.get(asyncio.get_running_loop())
        while pool is not None and pool.idle:
            pool.idle.popleft()[1].close()
