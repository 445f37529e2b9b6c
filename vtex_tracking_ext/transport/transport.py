"""Make one attempt of a call: one request, and the answer or the fault that it ended in.

A client of our own sends over its own connections. A caller's ``http_client``, and a test tool that has replaced
httpx's transport, send through httpx: see :mod:`.caller_client`.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

import httpx

from vtex_tracking_ext.call.answer import Answer
from vtex_tracking_ext.call.faults import Fault, fault_of, interruption_of
from vtex_tracking_ext.config.secret import hidden_frames, revealed_headers
from vtex_tracking_ext.errors import ConfigurationError

from .body import Body
from .caller_client import NETWORK_ERRORS, SyncHttpxExchange, trust_in, trust_now
from .pool import Pool
from .progress import Progress
from .request import BUILD_ERRORS, Origin, build_fault, build_request, encode_request
from .response import ResponseReader
from .route import unused_proxy_hint
from .tls import tls_context

if TYPE_CHECKING:
    from vtex_tracking_ext.call.steps import Attempt
    from vtex_tracking_ext.config.server import Server

    from .route import Route


class SyncTransport:
    """Makes attempts, one at a time in each thread.

    Args:
        server: The server.
        route: How to reach it, or None with ``http_client``.
        http_client: A caller's client to send through, or None.

    Raises:
        ConfigurationError: ``http_client`` is not a synchronous client, or cannot be given the guarantees.
    """

    def __init__(self, server: Server, route: Route | None, http_client: httpx.Client | None) -> None:
        if not (http_client is None or isinstance(http_client, httpx.Client)):
            raise ConfigurationError(f"http_client is {type(http_client).__name__}: hand in an httpx.Client, or none.")
        self._server = server
        self._closed = False
        self._http = http_client
        if http_client is not None:
            self._trust = trust_in(http_client, server.base_url)
        if route is None:
            return
        self._route = route
        self._origin = origin_of(server.base_url)
        self._pool = Pool(route, server.max_connections)

    def attempt(self, step: Attempt) -> Answer | Fault:
        """Make one request, and return the answer or the fault that it ended in.

        Raises:
            ConfigurationError: The client is closed.
        """
        if self._closed or (self._http is not None and self._http.is_closed):
            raise ConfigurationError("This client is closed: make another one.")
        is_replaced = not is_own_method(httpx.HTTPTransport.handle_request)
        if self._http is None and not is_replaced:
            return self._exchange(step)
        with hidden_frames():
            if self._http is not None:
                trust = trust_now(self._trust, is_replaced=is_replaced)
                return SyncHttpxExchange(self._server, step, trust).send(self._http)
            with httpx.Client(**substitute_options(self._route)) as substitute:
                return SyncHttpxExchange(self._server, step, "exceptions").send(substitute)

    def _exchange(self, step: Attempt) -> Answer | Fault:
        step.progress = progress = Progress(step.seconds)
        reader = ResponseReader(Body)
        try:
            request = encode_request(build_request(step.call, self._server), self._origin)
        except BUILD_ERRORS as error:
            return build_fault(error)
        try:
            self._pool.exchange(request, reader, progress)
        except Exception as error:
            if not is_fault(error):
                raise
            return result_of(reader, progress, error, self._server)
        return result_of(reader, progress, None, self._server)

    def close(self) -> None:
        """Close the connections, except those of a caller's client."""
        self._closed = True
        if self._http is None:
            self._pool.close()


def is_own_method(method: object) -> bool:
    """Return whether a method of httpx's transports, such as ``handle_request``, sends as httpx wrote it.

    Test tools replace the method, before this module is imported or while a client lives; then requests must go through
    it. Their functions copy the name, module and docstring of httpx's, but not its globals. OpenTelemetry's
    instrumentation wraps the method and only observes. Our own connections do not pass through it, because a request
    through httpx needs a new connection, with a TLS handshake, each time.
    """
    wrapper = getattr(method, "_self_wrapper", None)  # of a wrapt.FunctionWrapper
    if (getattr(getattr(wrapper, "func", wrapper), "__module__", "") or "").startswith("opentelemetry."):
        method = getattr(method, "__wrapped__", None)  # one level: a test tool's function may be below
    return type(method) is FunctionType and method.__globals__.get("__name__", "").partition(".")[0] == "httpx"


def substitute_options(route: Route) -> dict[str, Any]:
    """Return the options of the httpx client through which requests go while a test tool replaces httpx's transport."""
    proxy = route.proxy and httpx.Proxy(
        httpx.URL(scheme="http", host=route.proxy.host, port=route.proxy.port),
        headers=revealed_headers(route.proxy.headers),
    )
    tls = route.tls or tls_context(None, trust_env=False)
    return {"verify": tls(), "proxy": proxy, "trust_env": False}


def origin_of(base_url: str) -> Origin:
    """Return a server as requests name it, normalised by httpx."""
    url = httpx.URL(base_url)
    return Origin(url.netloc.decode("ascii"), url.raw_path.decode("ascii").rstrip("/"))


def is_fault(error: Exception) -> bool:
    """Return whether an exception of an exchange is the network's.

    Other exceptions are not outcomes of a request: what a signal handler raised, and mistakes in this package.
    """
    return isinstance(error, NETWORK_ERRORS) and interruption_of(error) is None


def result_of(reader: ResponseReader, progress: Progress, error: Exception | None, server: Server) -> Answer | Fault:
    """Return the answer if its head was received, whatever happened to its body; else the fault."""
    redactor = server.redactor
    if reader.status is not None and reader.body is not None:
        complete, content = reader.body.complete, reader.body.content
        return Answer(
            reader.status, redactor.redact_headers(reader.headers), redactor.redact_bytes(content), complete=complete
        )
    assert error is not None  # noqa: S101 - without a whole head there is one
    reason = redactor.redact(str(error))
    if not progress.may_have_left:
        reason += unused_proxy_hint(server)
    return fault_of(error, reason, sent=progress.may_have_left, trust="progress")
