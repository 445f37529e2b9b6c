"""Connections to one server for asyncio: the twin of :mod:`.pool`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpcore

from .connection_async import AsyncConnection
from .pool import MIN_SECONDS_LEFT, PoolRequest, PoolState

if TYPE_CHECKING:
    from .progress import Progress
    from .response import ResponseReader
    from .route import Route


class AsyncPool:
    """The connections of an asynchronous client; the caller's ``asyncio.timeout`` is the deadline of a request.

    A connection works only in the event loop that opened it, so each loop has its own connections and its own limit.

    Args:
        route: The server.
        limit: Maximum number of open connections of one event loop.
    """

    def __init__(self, route: Route, limit: int) -> None:
        self._route = route
        self._limit = limit
        self._loops: dict[asyncio.AbstractEventLoop, PoolState[AsyncConnection]] = {}

    def _state(self) -> PoolState[AsyncConnection]:
        """Return the state of the pool in the running loop, and drop that of closed loops."""
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            for each in [each for each in tuple(self._loops) if each.is_closed()]:
                self._loops.pop(each, None)
            self._loops[loop] = PoolState(self._limit)
        return self._loops[loop]

    async def exchange(self, request: memoryview, reader: ResponseReader, progress: Progress) -> None:
        """Send a request over a connection, and read its response.

        Raises:
            httpcore.PoolTimeout: Every connection was in use until the deadline.
            httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError: No connection was made.
            httpcore.NetworkError, httpcore.ProtocolError: The response is missing or incomplete.
            TimeoutError: The deadline has passed, and nothing was sent.
        """
        progress.observed = True
        state = self._state()
        pool_request: PoolRequest[AsyncConnection] = PoolRequest()
        try:
            try:
                state.requests[pool_request] = None
                if len(state.requests) > state.limit:
                    await self._wait(state, pool_request, progress)
                if not state.acquire_idle(pool_request):
                    pool_request.held.append(AsyncConnection())
                    await pool_request.held[0].open(self._route)
                await pool_request.held[0].exchange(request, reader, progress)
            finally:
                state.release(pool_request)
        finally:
            if not pool_request.released:  # it was interrupted
                state.release(pool_request)

    async def _wait(
        self, state: PoolState[AsyncConnection], pool_request: PoolRequest[AsyncConnection], progress: Progress
    ) -> None:
        woken = asyncio.Event()
        pool_request.wake = woken.set
        try:
            async with asyncio.timeout(progress.seconds_left() - MIN_SECONDS_LEFT):
                while not state.is_admitted(pool_request):
                    await woken.wait()
                    woken.clear()
        except TimeoutError as error:
            raise httpcore.PoolTimeout(f"all {self._limit} connections are in use") from error

    def close(self) -> None:
        """Close the idle connections of this loop; connections in use are closed when their requests end."""
        self._state().close()
