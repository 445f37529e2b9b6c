"""What httpx's transport calls instead of a pool of its own: httpcore's connections, kept by :mod:`.pool`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpcore

from .connect import Route, Watch, WatchedStream, connect
from .pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Name of the request extension that holds its :class:`.connect.Watch`.
WATCH: Final = "vtex_tracking.watch"


class _Connection:
    """A connection of httpcore's, with the stream under it."""

    def __init__(self, route: Route, watch: Watch) -> None:
        self._stream = WatchedStream(connect(route, watch.left()), watch)
        self.http = httpcore.HTTP11Connection(route.origin, self._stream)

    def watched_by(self, watch: Watch) -> None:
        self._stream.watch = watch

    def ended_cleanly(self) -> bool:
        return self.http.is_idle() and not left_over(self.http)

    def is_touched(self) -> bool:
        return self.http.has_expired()  # a keep-alive time that it does not know cannot be over

    def close(self) -> None:
        self.http.close()


class Carrier:
    """Carries httpcore's requests over our connections.

    Args:
        route: The way to the server.
        limit: Connections that are open at once at most.
    """

    def __init__(self, route: Route, limit: int) -> None:
        self._pool = Pool(lambda watch: _Connection(route, watch), limit)

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request, and return its answer with the body still to be read; closing it gives its place back.

        Raises:
            httpcore.PoolTimeout: Every connection was in use for all of the request's time.
        """
        connection = self._pool.take(request.extensions[WATCH])
        try:
            response = connection.http.handle_request(request)  # closes the connection where it fails
        except BaseException:
            self._pool.give_back(connection)
            raise
        body = _Body(self._pool, connection, response)
        return httpcore.Response(response.status, headers=response.headers, content=body)

    def close(self) -> None:
        """Close the idle connections; those in use are closed when they come back."""
        self._pool.close()


class _Body:
    """A body to be read; closing it gives the connection back."""

    def __init__(self, pool: Pool[_Connection], connection: _Connection, response: httpcore.Response) -> None:
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
                self._pool.give_back(connection)


def left_over(http: httpcore.HTTP11Connection | httpcore.AsyncHTTP11Connection) -> bool:
    """Tell whether bytes stand behind the answer that a connection has just given.

    httpcore does not show its parser; where a version of it hides that elsewhere, no connection is used again.
    """
    parser = getattr(http, "_h11_state", None)
    return parser is None or bool(parser.trailing_data[0])
