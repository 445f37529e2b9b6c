"""What httpx's asynchronous transport calls instead of a pool of its own: the twin of :mod:`.via_httpcore`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpcore

from .connect_async import AsyncWatchedStream, connect_async
from .pool_async import AsyncPool
from .via_httpcore import WATCH, left_over

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .connect import Route, Watch


class _AsyncConnection:
    """A connection of httpcore's, with the stream under it."""

    def __init__(self, route: Route, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = AsyncWatchedStream(stream)
        self.http = httpcore.AsyncHTTP11Connection(route.origin, self._stream)

    def watched_by(self, watch: Watch) -> None:
        self._stream.watch = watch

    def ended_cleanly(self) -> bool:
        return self.http.is_idle() and not left_over(self.http) and not self._stream.unread

    def is_touched(self) -> bool:
        return self.http.has_expired()  # a keep-alive time that it does not know cannot be over

    async def aclose(self) -> None:
        await self.http.aclose()


class AsyncCarrier:
    """Its asynchronous twin."""

    def __init__(self, route: Route, limit: int) -> None:
        async def connected() -> _AsyncConnection:
            return _AsyncConnection(route, await connect_async(route))

        self._pool = AsyncPool(connected, limit)

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request, and return its answer with the body still to be read; closing it gives its place back.

        Raises:
            httpcore.PoolTimeout: Every connection was in use for all of the request's time.
        """
        connection = await self._pool.take(request.extensions[WATCH])
        try:
            response = await connection.http.handle_async_request(request)
        except BaseException:  # httpcore closes it where it fails, but not wherever it is cancelled
            await self._pool.give_back(connection)
            raise
        body = _AsyncBody(self._pool, connection, response)
        return httpcore.Response(response.status, headers=response.headers, content=body)

    async def aclose(self) -> None:
        """Close the idle connections of this loop; those in use are closed when they come back."""
        await self._pool.aclose()


class _AsyncBody:
    """A body to be read; closing it gives the connection back."""

    def __init__(
        self, pool: AsyncPool[_AsyncConnection], connection: _AsyncConnection, response: httpcore.Response
    ) -> None:
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
                await self._pool.give_back(connection)
