"""The only room that imports httpx: one request out, one :class:`~.outcome.Answer` or :class:`~.outcome.Fault` back.

The generated functions call ``.request(...)`` on whatever client they are given. Here they are given a stand-in that
lives for one request: it sends through httpx, reads the body under a deadline and a size cap, notes whether bytes of
the request may have left, and lets the generated parser see only what it can read.

A client of our own sends through httpx's transport over our :mod:`.pool`. A caller's client is used as it is, for its
proxies, certificates and event hooks, and given the same guarantees from outside: see :class:`_ForeignSync`.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import socket
import ssl
import threading
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

import httpx
from attrs import field, frozen
from vtex_oms_client import Client

from .body import ACCEPTED_ENCODING, Body
from .conversation import Attempt, Exchange
from .errors import ConfigurationError
from .faults import Fault, Trust, fault_of
from .network import CONNECT_TIMEOUT, ClosingSSLSocket, Route, Watch
from .outcome import Answer, accepted
from .pool import WATCH, AsyncPool, Pool
from .route import route_of
from .text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vtex_oms_client.types import Response

    from .redaction import Redactor

#: Decoded bytes of an answer that are read. Orders of real stores are a few hundred kB; receipts a few hundred bytes.
MAX_BODY: Final = 8 * 1024 * 1024

#: Bytes of an answer that are read in all: the body as it travels, and heads and interim answers before it.
MAX_ANSWER: Final = MAX_BODY + 1024 * 1024

#: What the transports of httpx itself can be trusted to tell. Another library's cannot: a cut after sending has been
#: seen reported as a failed connection.
_TRUST: Final[Mapping[object, Trust]] = {
    httpx.HTTPTransport: "progress",
    httpx.AsyncHTTPTransport: "progress",
    httpx.MockTransport: "exceptions",
    httpx.ASGITransport: "exceptions",
    httpx.WSGITransport: "exceptions",
}


@frozen
class Wiring:
    """How to reach the server.

    Attributes:
        base_url: Where the paths of openapi.yaml begin.
        headers: Sent with every request; they hold the credentials.
        redactor: Keeps the credentials out of what comes back.
        ca_file: A file of certificates to trust instead of the usual ones, or None.
        proxy: Address of a proxy, or None.
        trust_env: Whether the environment's proxies and certificates are used. They would see, or could fake, all.
        max_connections: Connections that are open at once at most.
    """

    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    redactor: Redactor
    ca_file: str | None = None
    proxy: str | None = field(default=None, repr=False)
    trust_env: bool = False
    max_connections: int = 100

    def route(self) -> Route:
        """Return the way to the server.

        Raises:
            ConfigurationError: The proxy or the file of certificates cannot be used.
        """
        try:
            tls = _tls(self.ca_file, trust_env=self.trust_env)
        except ConfigurationError as error:  # it quotes the file's name, into which a credential may have got
            raise ConfigurationError(self.redactor.message(str(error))) from None
        return route_of(self.base_url, tls, self.proxy, trust_env=self.trust_env)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A client is not pickled, nor copied deeply: it holds a credential. Make one where it is needed."
        )


class _Ended(Exception):  # noqa: N818 - a way out of the generated function, never seen outside this module
    """The request has ended and the generated parser has nothing to do."""


class _UsedConnection(Exception):  # noqa: N818 - a way out of a caller's client, never seen outside this module
    """The request was given a connection that had been used before, and was not sent over it."""


class _OwnTransport(httpx.HTTPTransport):
    """httpx's transport over a pool of ours. It overrides nothing that test tools replace (vcrpy, respx)."""

    def __init__(self, pool: Pool) -> None:  # the base class would build a pool of its own
        self._pool = cast("Any", pool)


class _OwnAsyncTransport(httpx.AsyncHTTPTransport):
    """Its asynchronous twin."""

    def __init__(self, pool: AsyncPool) -> None:
        self._pool = cast("Any", pool)


class _Stub:
    """What the stand-ins share: building the request, reading the answer, giving it to the generated parser."""

    def __init__(self, wiring: Wiring, seconds: float, *, owned: bool, trust: Trust) -> None:
        self.result: Answer | Fault | None = None
        self._wiring = wiring
        self._seconds = seconds
        self._owned = owned
        self._trust = trust
        self._watch = Watch(seconds, MAX_ANSWER)
        self._ours = False
        self._stream: Any = None
        self._abandoned = False

    def _build(self, arguments: dict[str, Any]) -> httpx.Request:
        """Make the request; nothing of a caller's client (its headers, query, cookies, auth) gets into it."""
        # VTEX's own text requires Content-Type of every request, even of those without a body.
        headers = {"Accept": "application/json", "Accept-Encoding": ACCEPTED_ENCODING, "User-Agent": _user_agent()}
        headers |= {"Content-Type": "application/json", **arguments.pop("headers", {}), **self._wiring.headers}
        timeout = httpx.Timeout(self._seconds, connect=min(self._seconds, CONNECT_TIMEOUT))
        extensions: dict[str, Any] = {"timeout": timeout.as_dict(), WATCH: self._watch}
        if not self._owned:
            extensions["trace"] = self._trace
            # Whether an answer ended cleanly cannot be seen from here, so no connection is used again.
            headers["Connection"] = "close"
        url = self._wiring.base_url + arguments.pop("url")
        try:
            request = httpx.Request(**arguments, url=url, headers=headers, extensions=extensions)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent
            self._end(Fault(f"the request cannot be built: {type(error).__name__}", sent=False))
        return request

    @property
    def _trace(self) -> Any:
        """Return what httpcore calls at each step of a request."""
        return self._see

    def _see(self, event: str, info: Mapping[str, Any]) -> None:
        """Note a step of a request on its way through a caller's client.

        Raises:
            _UsedConnection: It is about to go over a connection that was there before: bytes left over from another
                answer, which nobody can see from here, would be read as its own. httpcore closes that connection.
            TimeoutError: Nobody waits for it any more, and what it came to was told.
        """
        if event.endswith(".complete") and (".connect_" in event or ".start_tls" in event):
            self._stream = info["return_value"]
        if "request" in info:
            self._ours = info["request"].method != b"CONNECT"  # what a proxy is asked is not the request
        if not self._ours:
            return
        self._watch.reached = True
        if ".send_request" in event:  # from the start of its headers on, bytes may be on the wire
            if self._stream is None:
                raise _UsedConnection
            self._watch.sending = True  # before the look at the other: who abandons it does so the other way round
            if self._abandoned:
                raise TimeoutError
        elif event.endswith(".receive_response_headers.complete"):
            # An event hook of the caller's may yet raise, or fail to read the body: this has been said.
            _, status, _, headers = info["return_value"]
            self._keep(status, httpx.Headers(headers), Body("", MAX_BODY))

    def _fault(self, error: BaseException) -> Fault:
        """Return the fault that an exception stands for, as far as it was seen how far the request came."""
        text = self._wiring.redactor.text(str(error))
        seen = self._watch.sending if self._watch.reached else None
        return fault_of(error, text, sent=seen, trust=self._trust)

    def _head(self, response: httpx.Response) -> Body:
        """Note what an answer's head says; whatever becomes of the body, this has been said."""
        body = Body(response.headers.get("Content-Encoding", ""), MAX_BODY)
        self._keep(response.status_code, response.headers, body)
        return body

    def _keep(self, status: int, headers: httpx.Headers, body: Body) -> None:
        redactor = self._wiring.redactor
        pairs = tuple((redactor.text(name), redactor.text(value)) for name, value in headers.multi_items())
        self.result = Answer(status, pairs, redactor.data(body.content), complete=body.complete)

    def _read_already(self, response: httpx.Response) -> bool:
        """Take over an answer whose body is in memory, as those of test tools are, decoded."""
        if not response.is_stream_consumed:
            return False
        body = Body("", MAX_BODY)
        if body.feed(response.content):
            body.end()
        self._keep(response.status_code, response.headers, body)
        return True

    def _end(self, result: Answer | Fault) -> NoReturn:
        self.result = result
        raise _Ended

    def _give(self) -> httpx.Response:
        """Hand the answer to the generated parser, if it is one that it can read."""
        answer = self.result
        if not (isinstance(answer, Answer) and accepted(answer) and answer.complete):
            raise _Ended
        # As a 200, because that is what the contract describes of every answer that accepts.
        return httpx.Response(httpx.codes.OK, content=answer.body)

    def with_parsed(self, response: Response[Any]) -> Exchange:
        """Return what came of the request, with what the generated parser made of it."""
        assert self.result is not None  # noqa: S101 - the generated function returned, so it made its request
        return Exchange(self.result, None if response.parsed is None else response.parsed.to_dict())

    def without_parsed(self) -> Exchange:
        """Return what came of the request, inside a handler for an exception of the generated function.

        That is our own way out of it, or its parser meeting an answer of another shape. An exception before
        the request was made is a mistake in this package, and goes on.
        """
        if self.result is None:
            raise  # noqa: PLE0704 - called from an except block, as the docstring says
        return Exchange(self.result)


class _SyncStub(_Stub):
    """Stands in for ``httpx.Client`` during one request."""

    def __init__(self, wiring: Wiring, seconds: float, send: Any, *, owned: bool, trust: Trust) -> None:
        super().__init__(wiring, seconds, owned=owned, trust=trust)
        self._send = send

    def request(self, **arguments: Any) -> httpx.Response:
        """Send one request and read its answer."""
        request = self._build(arguments)
        if self._owned:
            self._exchange(request)  # its every read and write is held to the deadline
        else:
            self._exchange_within(request)
        return self._give()

    def _exchange(self, request: httpx.Request) -> None:
        try:
            response = self._sent(request)
        except httpx.HTTPStatusError as error:  # a caller's event hook; the answer is an answer all the same
            response = error.response
        except Exception as error:  # noqa: BLE001 - every exception is a fault; which, the watch tells
            if not self._abandoned and self.result is None:
                self.result = self._fault(error)
            return
        self._read(response)

    def _sent(self, request: httpx.Request) -> httpx.Response:
        while self._watch.left() > 0:
            with suppress(_UsedConnection):  # which is closed now; there are only so many of them
                response: httpx.Response = self._send(request)
                return response
        raise TimeoutError

    def _read(self, response: httpx.Response) -> None:
        body = self._head(response)
        try:
            if self._read_already(response):
                return
            for piece in cast("httpx.SyncByteStream", response.stream):
                if not body.feed(piece) or self._abandoned:
                    break
            else:
                body.end()
        except Exception:  # noqa: BLE001, S110 - the status has been said; what is cut is the body
            pass
        finally:
            response.close()
        if not self._abandoned:
            self._keep(response.status_code, response.headers, body)

    def _exchange_within(self, request: httpx.Request) -> None:
        """Do the same through a caller's client, in a thread that can be left behind when the time is over.

        Only the thread's own reads could be ended by a time-out, and each byte that comes prolongs those.
        """
        ended = threading.Event()
        raised: list[BaseException] = []
        context = contextvars.copy_context()

        def work() -> None:
            try:
                context.run(self._exchange, request)
            except BaseException as error:  # noqa: BLE001 - such as SystemExit of an event hook: the caller's, there
                raised.append(error)
            finally:
                ended.set()

        threading.Thread(target=work, name="vtex-tracking-request", daemon=True).start()
        try:
            ended.wait(max(0.0, self._watch.left()))
        finally:  # also where the caller is interrupted
            if not ended.is_set():
                self._abandon()
        if raised:
            raise raised[0]
        if self.result is None:
            self.result = self._fault(TimeoutError())

    def _abandon(self) -> None:
        """Wait no more for the thread: it sends nothing from now on, and reads nothing."""
        self._abandoned = True
        with suppress(Exception):  # it has no socket yet, or has closed it; the plain method, for TLS has its own idea
            socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)


class _AsyncStub(_Stub):
    """Stands in for ``httpx.AsyncClient`` during one request."""

    def __init__(self, wiring: Wiring, seconds: float, send: Any, *, owned: bool, trust: Trust) -> None:
        super().__init__(wiring, seconds, owned=owned, trust=trust)
        self._send = send

    @property
    def _trace(self) -> Any:
        """Return the same for httpcore's async connections, which await it."""

        async def see(event: str, info: Mapping[str, Any]) -> None:
            self._see(event, info)

        return see

    async def request(self, **arguments: Any) -> httpx.Response:
        """Send one request and read its answer."""
        request = self._build(arguments)
        deadline = asyncio.get_running_loop().time() + self._watch.left()
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._sent(request)
        except httpx.HTTPStatusError as error:  # a caller's event hook; the answer is an answer all the same
            response = error.response
        except Exception as error:  # noqa: BLE001 - every exception is a fault; which, the watch tells
            self._end(self.result or self._fault(error))
        await self._read(response, deadline)
        return self._give()

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        while self._watch.left() > 0:
            with suppress(_UsedConnection):  # see the synchronous twin
                response: httpx.Response = await self._send(request)
                return response
        raise TimeoutError

    async def _read(self, response: httpx.Response, deadline: float) -> None:
        body = self._head(response)
        try:
            if self._read_already(response):
                return
            async with asyncio.timeout_at(deadline):
                async for piece in cast("httpx.AsyncByteStream", response.stream):
                    if not body.feed(piece):
                        break
                else:
                    body.end()
        except Exception:  # noqa: BLE001, S110 - the status has been said; what is cut is the body
            pass
        finally:
            await response.aclose()
        self._keep(response.status_code, response.headers, body)


def _tls(ca_file: str | None, *, trust_env: bool) -> ssl.SSLContext:
    """Return a TLS context that verifies.

    Raises:
        ConfigurationError: The file cannot be read or holds no certificate.
    """
    if ca_file is None and not trust_env:
        return _usual_tls()
    try:
        return (
            _fresh_tls(trust_env=True)
            if ca_file is None
            else _ours(ssl.create_default_context(cafile=ca_file), trust_env=trust_env)
        )
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; a NUL in the name is a ValueError
        what = "SSL_CERT_FILE of the environment" if ca_file is None else f"ca_file {visible(ca_file)}"
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{what} cannot be used: {reason}.") from None


@functools.cache
def _usual_tls() -> ssl.SSLContext:
    """Return the one that all clients share, because building one takes tens of milliseconds."""
    return _fresh_tls(trust_env=False)


def _fresh_tls(*, trust_env: bool) -> ssl.SSLContext:
    return _ours(httpx.create_ssl_context(trust_env=trust_env), trust_env=trust_env)


def _ours(context: ssl.SSLContext, *, trust_env: bool) -> ssl.SSLContext:
    if not trust_env:
        context.keylog_filename = cast(
            "Any", None
        )  # Python takes it from SSLKEYLOGFILE: whoever sets that could read everything
    context.set_alpn_protocols(["http/1.1"])
    context.sslsocket_class = ClosingSSLSocket
    return context


@functools.cache
def _user_agent() -> str:
    try:
        return f"vtex-tracking/{version('vtex-tracking')}"
    except PackageNotFoundError:  # a source tree that was never installed
        return "vtex-tracking"


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
        stub = _SyncStub(self._wiring, step.seconds, self._sender(), owned=self._http is None, trust=self._trust)
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
        stub = _AsyncStub(self._wiring, step.seconds, self._sender(), owned=self._http is None, trust=self._trust)
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


#: How a caller's client sends: without its own credentials, never elsewhere, and with the body still to be read.
_AS_IT_IS: Final[Mapping[str, Any]] = {"stream": True, "auth": None, "follow_redirects": False}
