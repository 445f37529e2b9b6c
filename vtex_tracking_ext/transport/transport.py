"""Send one request and return an answer or a fault."""

from __future__ import annotations

import functools
import ssl
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, cast

import httpx

from vtex_tracking_ext.errors import ConfigurationError

from .caller_client import SyncHttpxStub
from .pool import Pool
from .via_httpcore import Carrier

try:
    from . import connection, direct
except ImportError:  # pragma: no cover - without the extra, as in the test of the wheel
    direct = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vtex_tracking_ext.call.faults import Trust
    from vtex_tracking_ext.call.steps import Attempt, Exchange
    from vtex_tracking_ext.config.server import Wiring

    from .request import Stub

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
AS_IT_IS: Final[Mapping[str, Any]] = {"stream": True, "auth": None, "follow_redirects": False}


class _OwnTransport(httpx.HTTPTransport):
    """httpx's transport over a pool of ours. It overrides nothing that test tools replace (vcrpy, pytest-httpx)."""

    def __init__(self, carrier: Carrier) -> None:  # the base class would build a pool of its own
        self._pool = cast("Any", carrier)


def sends_itself(method: object) -> bool:
    """Tell whether a method of httpx's transports, such as ``handle_request``, is httpx's own.

    Test tools and instrumentation put theirs in its place, before this module is imported or while a client lives; then
    requests must go through it. They copy the name, the module and the docstring of what they replace, not its globals.
    """
    return type(method) is FunctionType and method.__globals__["__name__"].partition(".")[0] == "httpx"


def trust_in(http: httpx.Client | httpx.AsyncClient, base_url: str) -> Trust:
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


def address_of(base_url: str) -> direct.Address:
    """Return a server's address as requests name it, by httpx's rules."""
    url = httpx.URL(base_url)
    return direct.Address(url.netloc.decode("ascii"), url.raw_path.decode("ascii").rstrip("/"))


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
        if http is not None:
            self._trust = trust_in(http, wiring.base_url)
            return
        route = wiring.route()
        self._own = _OwnTransport(Carrier(route, wiring.max_connections))
        self._direct: Pool[connection.Connection] | None = None
        if direct is not None and route.proxy is None:
            self._direct = Pool(functools.partial(connection.Connection, route), wiring.max_connections)
            self._address = address_of(wiring.base_url)

    def attempt(self, step: Attempt) -> Exchange:
        """Make one request, through the generated function.

        Raises:
            ConfigurationError: The client is closed.
        """
        if self._closed or (self._http is not None and self._http.is_closed):
            raise ConfigurationError("This client is closed: make another one.")
        stub = self._stub(step.seconds)
        try:
            response = step.call.sync(client=stub, **step.call.arguments)
        except Exception:  # noqa: BLE001 - handed on unless a request was made
            return stub.without_parsed()
        return stub.with_parsed(response)

    def _stub(self, seconds: float) -> Stub:
        if self._http is not None:
            send = functools.partial(self._http.send, **AS_IT_IS)
            return SyncHttpxStub(self._wiring, seconds, send, owned=False, trust=self._trust)
        if self._direct is not None and sends_itself(httpx.HTTPTransport.handle_request):
            return direct.SyncDirectStub(self._wiring, seconds, self._address, self._direct)
        return SyncHttpxStub(self._wiring, seconds, self._own.handle_request, owned=True, trust="progress")

    def close(self) -> None:
        """Close the connections, unless the caller's own client holds them."""
        self._closed = True
        if self._http is None:
            self._own.close()
            if self._direct is not None:
                self._direct.close()
