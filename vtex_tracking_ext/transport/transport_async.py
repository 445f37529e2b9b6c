"""Make one attempt of a call with asyncio: the twin of :mod:`.transport`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from vtex_tracking_ext.config.secret import hidden_frames
from vtex_tracking_ext.errors import ConfigurationError

from .body import Body
from .caller_client import trust_in, trust_now
from .caller_client_async import AsyncHttpxExchange
from .pool_async import AsyncPool
from .progress import Progress
from .request import BUILD_ERRORS, build_fault, build_request, encode_request
from .response import ResponseReader
from .transport import is_fault, is_own_method, origin_of, result_of, substitute_options

if TYPE_CHECKING:
    from vtex_tracking_ext.call.answer import Answer
    from vtex_tracking_ext.call.faults import Fault
    from vtex_tracking_ext.call.steps import Attempt
    from vtex_tracking_ext.config.server import Server

    from .route import Route


class AsyncTransport:
    """Makes attempts, as many at once as there are tasks.

    Args:
        server: The server.
        route: How to reach it, or None with ``http_client``.
        http_client: A caller's client to send through, or None.

    Raises:
        ConfigurationError: ``http_client`` is not an asynchronous client, or cannot be given the guarantees.
    """

    def __init__(self, server: Server, route: Route | None, http_client: httpx.AsyncClient | None) -> None:
        if not (http_client is None or isinstance(http_client, httpx.AsyncClient)):
            raise ConfigurationError(
                f"http_client is {type(http_client).__name__}: hand in an httpx.AsyncClient, or none."
            )
        self._server = server
        self._closed = False
        self._http = http_client
        if http_client is not None:
            self._trust = trust_in(http_client, server.base_url)
        if route is None:
            return
        self._route = route
        self._origin = origin_of(server.base_url)
        self._pool = AsyncPool(route, server.max_connections)

    async def attempt(self, step: Attempt) -> Answer | Fault:
        """Make one request, and return the answer or the fault that it ended in.

        Raises:
            ConfigurationError: The client is closed, or asyncio is not running.
        """
        if self._closed or (self._http is not None and self._http.is_closed):
            raise ConfigurationError("This client is closed: make another one.")
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # for example under trio
            raise ConfigurationError("AsyncTrackingClient runs under asyncio alone.") from None
        is_replaced = not is_own_method(httpx.AsyncHTTPTransport.handle_async_request)
        if self._http is None and not is_replaced:
            return await self._exchange(step)
        with hidden_frames():
            if self._http is not None:
                trust = trust_now(self._trust, is_replaced=is_replaced)
                return await AsyncHttpxExchange(self._server, step, trust).send(self._http)
            async with httpx.AsyncClient(**substitute_options(self._route)) as substitute:
                return await AsyncHttpxExchange(self._server, step, "exceptions").send(substitute)

    async def _exchange(self, step: Attempt) -> Answer | Fault:
        step.progress = progress = Progress(step.seconds)
        reader = ResponseReader(Body)
        try:
            request = encode_request(build_request(step.call, self._server), self._origin)
        except BUILD_ERRORS as error:
            return build_fault(error)
        try:
            async with asyncio.timeout(progress.seconds_left()):
                await self._pool.exchange(request, reader, progress)
        except Exception as error:
            if not is_fault(error):
                raise
            return result_of(reader, progress, error, self._server)
        return result_of(reader, progress, None, self._server)

    def close(self) -> None:
        """Close the connections of this loop, except those of a caller's client."""
        self._closed = True
        if self._http is None:
            self._pool.close()
