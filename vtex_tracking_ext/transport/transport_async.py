"""The asynchronous client's way out: the twin of :mod:`.transport`."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, cast

import httpx

from vtex_tracking_ext.errors import ConfigurationError

from .caller_client_async import AsyncHttpxStub
from .pool_async import AsyncPool
from .transport import AS_IT_IS, address_of, sends_itself, trust_in
from .via_httpcore_async import AsyncCarrier

try:
    from . import connection_async, direct_async
except ImportError:  # pragma: no cover - without the extra, as in the test of the wheel
    direct_async = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from vtex_tracking_ext.call.steps import Attempt, Exchange
    from vtex_tracking_ext.config.server import Wiring

    from .request import Stub


class _OwnAsyncTransport(httpx.AsyncHTTPTransport):
    """Its asynchronous twin."""

    def __init__(self, carrier: AsyncCarrier) -> None:
        self._pool = cast("Any", carrier)


class AsyncTransport:
    """Its asynchronous twin: carries out as many attempts at once as there are tasks.

    Raises:
        ConfigurationError: ``http`` is no asynchronous client, or one that cannot be given the guarantees.
    """

    def __init__(self, wiring: Wiring, http: httpx.AsyncClient | None) -> None:
        if not (http is None or isinstance(http, httpx.AsyncClient)):
            raise ConfigurationError(f"http_client is {type(http).__name__}: hand in an httpx.AsyncClient, or none.")
        self._wiring = wiring
        self._closed = False
        self._http = http
        if http is not None:
            self._trust = trust_in(http, wiring.base_url)
            return
        route = wiring.route()
        self._own = _OwnAsyncTransport(AsyncCarrier(route, wiring.max_connections))
        self._direct: AsyncPool[connection_async.AsyncConnection] | None = None
        if direct_async is not None and route.proxy is None:
            connect = functools.partial(connection_async.connect_async, route)
            self._direct = AsyncPool(connect, wiring.max_connections)
            self._address = address_of(wiring.base_url)

    async def attempt(self, step: Attempt) -> Exchange:
        """Make one request, through the generated function.

        Raises:
            ConfigurationError: The client is closed, or asyncio does not run.
        """
        if self._closed or (self._http is not None and self._http.is_closed):
            raise ConfigurationError("This client is closed: make another one.")
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # trio, say
            raise ConfigurationError("AsyncTrackingClient runs under asyncio alone.") from None
        stub = self._stub(step.seconds)
        try:
            response = await step.call.asyncio(client=stub, **step.call.arguments)
        except Exception:  # noqa: BLE001 - handed on unless a request was made
            return stub.without_parsed()
        return stub.with_parsed(response)

    def _stub(self, seconds: float) -> Stub:
        if self._http is not None:
            send = functools.partial(self._http.send, **AS_IT_IS)
            return AsyncHttpxStub(self._wiring, seconds, send, owned=False, trust=self._trust)
        if self._direct is not None and sends_itself(httpx.AsyncHTTPTransport.handle_async_request):
            return direct_async.AsyncDirectStub(self._wiring, seconds, self._address, self._direct)
        return AsyncHttpxStub(self._wiring, seconds, self._own.handle_async_request, owned=True, trust="progress")

    async def close(self) -> None:
        """Close the connections, unless the caller's own client holds them."""
        self._closed = True
        if self._http is None:
            await self._own.aclose()
            if self._direct is not None:
                await self._direct.aclose()
