"""The clients' way out: one request, one :class:`~.outcome.Answer` or :class:`~.outcome.Fault` back.

A client of our own sends through httpx's transport over our :mod:`.pool`. A caller's client is used as it is, for its
proxies, certificates and event hooks, and given the same guarantees from outside: see :mod:`.exchange`. These two rooms
and :mod:`.tls` are the only ones that import httpx.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from typing import TYPE_CHECKING, Any, Final, cast

import httpx
from vtex_oms_client import Client

from .errors import ConfigurationError
from .exchange import AsyncStub, SyncStub
from .pool import AsyncPool, Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .conversation import Attempt, Exchange
    from .faults import Trust
    from .wiring import Wiring

#: What the transports of httpx itself can be trusted to tell. Another library's cannot: a cut after sending has been
#: seen reported as a failed connection.
_TRUST: Final[Mapping[object, Trust]] = {
    httpx.HTTPTransport: "progress",
    httpx.AsyncHTTPTransport: "progress",
    httpx.MockTransport: "exceptions",
    httpx.ASGITransport: "exceptions",
    httpx.WSGITransport: "exceptions",
}


#: How a caller's client sends: without its own credentials, never elsewhere, and with the body still to be read.
_AS_IT_IS: Final[Mapping[str, Any]] = {"stream": True, "auth": None, "follow_redirects": False}


class _OwnTransport(httpx.HTTPTransport):
    """httpx's transport over a pool of ours. It overrides nothing that test tools replace (vcrpy, respx)."""

    def __init__(self, pool: Pool) -> None:  # the base class would build a pool of its own
        self._pool = cast("Any", pool)


class _OwnAsyncTransport(httpx.AsyncHTTPTransport):
    """Its asynchronous twin."""

    def __init__(self, pool: AsyncPool) -> None:
        self._pool = cast("Any", pool)


def _trust_in(http: httpx.Client | httpx.AsyncClient, base_url: str) -> Trust:
    """Tell what can be believed of the transport through which a caller's client goes to the server.

    Raises:
        ConfigurationError: It speaks HTTP/2, where a connection cannot be kept from being used again, or it does not
            verify who the server is.
    """
    find: Callable[[httpx.URL], object] | None = getattr(http, "_transport_for_url", None)
    url = httpx.URL(base_url)
    transport = find(url) if find else None
    pool = getattr(transport, "_pool", None)
    if getattr(pool, "_http2", False):
        raise ConfigurationError("http_client speaks HTTP/2: hand in one made without http2=True.")
    tls = getattr(pool, "_ssl_context", None) if url.scheme == "https" else None
    if tls is not None and not (tls.check_hostname and tls.verify_mode is ssl.CERT_REQUIRED):
        raise ConfigurationError(
            "http_client does not verify who the server is: hand in one made without verify=False, and with the "
            "server's authority in a context of its own if need be: verify=ssl.create_default_context(cafile=...)."
        )
    return _TRUST.get(type(transport), "nothing")


class SyncTransport:
    """Carries out attempts, one at a time a thread.

    Raises:
        ConfigurationError: ``http`` is no synchronous client, or one that cannot be given the guarantees.
    """

    def __init__(self, wiring: Wiring, http: httpx.Client | None) -> None:
        if not (http is None or isinstance(http, httpx.Client)):
            raise ConfigurationError(f"http_client is {type(http).__name__}: hand in an httpx.Client, or none.")
        self._wiring = wiring
        self._closed = False
        self._http = http
        self._own = _OwnTransport(Pool(wiring.route(), wiring.max_connections)) if http is None else None
        self._trust: Trust = "progress" if http is None else _trust_in(http, wiring.base_url)

    def attempt(self, step: Attempt) -> Exchange:
        """Make one request, through the generated function.

        Raises:
            ConfigurationError: The client is closed.
        """
        if self._closed or (self._http is not None and self._http.is_closed):
            raise ConfigurationError("This client is closed: make another one.")
        stub = SyncStub(self._wiring, step.seconds, self._sender(), owned=self._http is None, trust=self._trust)
        client = Client(base_url="").set_httpx_client(cast("httpx.Client", stub))
        try:
            response = step.call.sync(client=client, **step.call.arguments)
        except Exception:  # noqa: BLE001 - handed on unless a request was made
            return stub.without_parsed()
        return stub.with_parsed(response)

    def _sender(self) -> Any:
        if self._own is not None:
            return self._own.handle_request
        return functools.partial(cast("httpx.Client", self._http).send, **_AS_IT_IS)

    def close(self) -> None:
        """Close the connections, unless the caller's own client holds them."""
        self._closed = True
        if self._own is not None:
            self._own.close()


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
        self._own = _OwnAsyncTransport(AsyncPool(wiring.route(), wiring.max_connections)) if http is None else None
        self._trust: Trust = "progress" if http is None else _trust_in(http, wiring.base_url)

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
        stub = AsyncStub(self._wiring, step.seconds, self._sender(), owned=self._http is None, trust=self._trust)
        client = Client(base_url="").set_async_httpx_client(cast("httpx.AsyncClient", stub))
        try:
            response = await step.call.asyncio(client=client, **step.call.arguments)
        except Exception:  # noqa: BLE001 - handed on unless a request was made
            return stub.without_parsed()
        return stub.with_parsed(response)

    def _sender(self) -> Any:
        if self._own is not None:
            return self._own.handle_async_request
        return functools.partial(cast("httpx.AsyncClient", self._http).send, **_AS_IT_IS)

    async def close(self) -> None:
        """Close the connections, unless the caller's own client holds them."""
        self._closed = True
        if self._own is not None:
            await self._own.aclose()
