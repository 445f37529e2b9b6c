"""Make one request through an httpx client, with the guarantees of our own connections.

The client is a caller's ``http_client``, or a substitute while a test tool replaces httpx's transport.

Their frames hold the credentials as plain text, so exceptions leave :mod:`.transport` without these frames.

The deadline, the size cap, the observation of what was sent, and no reuse of connections are imposed from outside.
"""

from __future__ import annotations

import contextvars
import socket
import ssl
import threading
from contextlib import suppress
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Final, cast

import httpcore
import httpx

from vtex_tracking_ext.call.answer import Answer
from vtex_tracking_ext.call.faults import Fault, Trust, fault_of, raise_interruption
from vtex_tracking_ext.errors import ConfigurationError

from .body import Body
from .connect import CONNECT_TIMEOUT
from .progress import Progress
from .request import BUILD_ERRORS, build_fault, build_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vtex_tracking_ext.call.steps import Attempt
    from vtex_tracking_ext.config.server import Server

#: A caller's own client.
HttpClient = httpx.Client

#: What httpx's own transports can be trusted to report. Another library's cannot: a connection cut after sending has
#: been seen reported as a failed connection.
_TRUST: Final[Mapping[object, Trust]] = {
    httpx.HTTPTransport: "progress",
    httpx.AsyncHTTPTransport: "progress",
    httpx.MockTransport: "exceptions",
    httpx.ASGITransport: "exceptions",
    httpx.WSGITransport: "exceptions",
}

#: How a caller's client sends: without its own credentials, without redirects, and with the body still to be read.
SEND_OPTIONS: Final[Mapping[str, Any]] = {"stream": True, "auth": None, "follow_redirects": False}

#: The exceptions of the network, as the libraries in use report it.
NETWORK_ERRORS: Final = (
    OSError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpx.TransportError,
)


class UsedConnection(Exception):  # noqa: N818 - raised through a caller's client, never seen outside this module
    """The request was about to go over a connection that had been used before, and was not sent over it."""


def trust_in(http_client: httpx.Client | httpx.AsyncClient, base_url: str) -> Trust:
    """Return what can be believed of the transport through which a caller's client reaches the server.

    Raises:
        ConfigurationError: The transport speaks HTTP/2, which keeps connections in use, or does not verify the server.
    """
    find: Callable[[httpx.URL], object] | None = getattr(http_client, "_transport_for_url", None)
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


def trust_now(trust: Trust, *, is_replaced: bool) -> Trust:
    """Return what can be believed of a transport while a test tool may have replaced httpx's method.

    The progress of a request through a replaced method is not observed.
    """
    return "exceptions" if is_replaced and trust == "progress" else trust


def check_is_fault(error: Exception) -> None:
    """Raise an exception again unless it is an outcome of the request: of the network, of the caller's client or hooks.

    Raises:
        Exception: A signal handler raised it, or it shows a mistake in this package.
    """
    raise_interruption(error)
    if _is_mistake(error):
        raise error


def _is_mistake(error: Exception) -> bool:
    """Return whether an exception comes from this package, not from the caller's client or its hooks."""
    if isinstance(error, NETWORK_ERRORS):
        return False
    modules = [frame.f_globals.get("__name__", "").partition(".")[0] for frame, _ in walk_tb(error.__traceback__)]
    return "httpx" not in modules or modules[-1] == __name__.partition(".")[0]


class HttpxExchange:
    """What both twins share: building the request, observing its progress, keeping the answer.

    Args:
        server: The server.
        step: The attempt that the request is.
        trust: What can be believed of the client's transport.
    """

    def __init__(self, server: Server, step: Attempt, trust: Trust) -> None:
        self.result: Answer | Fault | None = None
        self._server = server
        self._step = step
        self._trust = trust
        # The size of what httpx receives cannot be observed from here; its decoded bytes are capped.
        self._progress = Progress(step.seconds)
        step.progress = self
        self._is_to_server = False
        self._stream: Any = None
        self._abandoned = False

    @property
    def may_have_left(self) -> bool:
        """Whether bytes of the request may have left this machine."""
        # httpx's own transports report each step before they take it. Others may have sent something.
        is_observed = self._progress.observed or self._trust == "progress"
        return self._progress.may_have_left or not is_observed

    def _build(self, trace: Any) -> httpx.Request | None:
        """Return the request, without anything of a caller's client (headers, query, cookies, auth).

        Returns None, with the fault in ``result``, if the request cannot be built.
        """
        seconds = self._step.seconds
        timeout = httpx.Timeout(seconds, connect=min(seconds, CONNECT_TIMEOUT))
        try:
            request = build_request(self._step.call, self._server)
            return httpx.Request(
                request.method,
                self._server.base_url + request.path,
                # Whether an answer ended cleanly cannot be observed from here, so no connection is used again.
                headers={**request.headers, "Connection": "close"},
                content=request.content or None,
                extensions={"timeout": timeout.as_dict(), "trace": trace},
            )
        except (*BUILD_ERRORS, httpx.InvalidURL) as error:
            self.result = build_fault(error)
            return None

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Observe a step of a request on its way through a caller's client; httpcore calls this.

        Raises:
            UsedConnection: The request is about to go over a used connection. Bytes left over from another answer,
                which cannot be observed from here, would be read as its own. httpcore closes that connection.
            TimeoutError: The request was abandoned, and its outcome was reported.
        """
        if event.endswith(".complete") and (".connect_" in event or ".start_tls" in event):
            self._stream = info["return_value"]
        if "request" in info:
            self._is_to_server = info["request"].method != b"CONNECT"  # CONNECT goes to the proxy
        if not self._is_to_server:
            return
        self._progress.observed = True
        if ".send_request" in event:  # from the start of the headers on, bytes may have left
            if self._stream is None:
                raise UsedConnection
            self._progress.may_have_left = (
                True  # set before the check; the abandoning thread sets and checks in reverse
            )
            if self._abandoned:
                raise TimeoutError
        elif event.endswith(".receive_response_headers.complete"):
            # An event hook of the caller's may still raise, or fail to read the body; the status stands.
            _, status, _, headers = info["return_value"]
            self._keep(status, httpx.Headers(headers), Body())

    def _fault(self, error: Exception) -> Fault:
        text = self._server.redactor.redact(str(error))
        sent = self._progress.may_have_left if self._progress.observed else None
        return fault_of(error, text, sent=sent, trust=self._trust)

    def _keep(self, status: int, headers: httpx.Headers, body: Body) -> None:
        """Keep an answer as far as it was received, without the credentials that it may echo."""
        redactor = self._server.redactor
        pairs = redactor.redact_headers(headers.multi_items())
        self.result = Answer(status, pairs, redactor.redact_bytes(body.content), complete=body.complete)

    def _receive_head(self, response: httpx.Response) -> Body:
        """Keep the head of an answer, and return what its body goes into."""
        body = Body(response.headers.get("Content-Encoding", ""))
        self._keep(response.status_code, response.headers, body)
        return body

    def _has_content(self, response: httpx.Response) -> bool:
        """Keep an answer whose body is in memory, decoded, as those of test tools are; return whether it was one."""
        if not response.is_stream_consumed:
            return False
        body = Body()
        if body.feed(response.content):
            body.end()
        self._keep(response.status_code, response.headers, body)
        return True


class SyncHttpxExchange(HttpxExchange):
    """One request through an ``httpx.Client``."""

    def send(self, http_client: httpx.Client) -> Answer | Fault:
        """Send a request and return its answer, or the fault.

        The request runs in a thread that is abandoned at the deadline. The timeouts of httpx bound each read, so a
        server that sends a byte at a time would prolong the request.
        """
        request = self._build(self._trace)
        if request is None:
            return cast("Fault", self.result)
        ended = threading.Event()
        raised: list[BaseException] = []
        context = contextvars.copy_context()

        def work() -> None:
            try:
                context.run(self._exchange, http_client, request)
            except BaseException as error:  # noqa: BLE001 - such as SystemExit from an event hook: raised in the caller
                raised.append(error)
            finally:
                ended.set()

        try:
            try:
                threading.Thread(target=work, name="vtex-tracking-request", daemon=True).start()
                ended.wait(max(0.0, self._progress.seconds_left()))
            finally:  # also if the caller is interrupted
                self._abandon()
        finally:  # also if the caller is interrupted here
            self._abandon()
        if raised:
            raise raised[0]
        return self._fault(TimeoutError()) if self.result is None else self.result

    def _exchange(self, http_client: httpx.Client, request: httpx.Request) -> None:
        try:
            response = self._send_on_new_connection(http_client, request)
        except httpx.HTTPStatusError as error:  # raised by a caller's event hook; there is an answer all the same
            response = error.response
        except Exception as error:  # noqa: BLE001 - the progress says which fault it is
            check_is_fault(error)
            if not self._abandoned and self.result is None:
                self.result = self._fault(error)
            return
        self._read(response)

    def _send_on_new_connection(self, http_client: httpx.Client, request: httpx.Request) -> httpx.Response:
        while self._progress.seconds_left() > 0:
            with suppress(UsedConnection):  # httpcore closed that connection; the number of used ones is limited
                return http_client.send(request, **SEND_OPTIONS)
        raise TimeoutError

    def _read(self, response: httpx.Response) -> None:
        body = self._receive_head(response)
        try:
            if self._has_content(response):
                return
            for piece in cast("httpx.SyncByteStream", response.stream):
                if not body.feed(piece) or self._abandoned:
                    break
            else:
                body.end()
        except Exception as error:  # noqa: BLE001 - the status is known; only the body is cut off
            check_is_fault(error)
        finally:
            with suppress(Exception):
                response.close()
        if not self._abandoned:
            self._keep(response.status_code, response.headers, body)

    def _abandon(self) -> None:
        """Stop waiting for the thread: from now on it sends nothing and reads nothing."""
        self._abandoned = True
        # The socket may be missing or closed. The plain method is called because TLS sockets override shutdown.
        with suppress(Exception):
            socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)
