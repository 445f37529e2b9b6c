"""The only room that imports httpx: one request out, one :class:`~.outcome.Answer` or :class:`~.outcome.Fault` back.

The generated functions call ``.request(...)`` on whatever client they are given. Here they are given a
stand-in that lives for one request: it sends through httpx, reads the body under a deadline and a size cap,
notes whether bytes of the request may have left, and lets the generated parser see only what it can read.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NoReturn, cast

import httpx
from attrs import frozen
from vtex_oms_client import Client

from .conversation import Attempt, Exchange
from .errors import ConfigurationError
from .outcome import Answer, Fault, accepted
from .text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vtex_oms_client.types import Response

#: Seconds to wait for a connection; a host that takes longer is not there.
CONNECT_TIMEOUT = 10.0

#: Decoded bytes of an answer that are read. Orders of real stores are a few hundred kB; receipts a few hundred bytes.
MAX_BODY = 8 * 1024 * 1024

#: Exceptions raised before anything is sent, by transports that tell nothing of their progress (test doubles).
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@frozen
class Wiring:
    """How to reach the server.

    Attributes:
        base_url: Where the paths of openapi.yaml begin.
        headers: Sent with every request; they hold the credentials.
        ca_file: A file of certificates to trust instead of the usual ones, or None.
        proxy: Address of a proxy, or None. The environment's proxies are not used: they would see the keys.
    """

    base_url: str
    headers: Mapping[str, str]
    ca_file: str | None = None
    proxy: str | None = None


class _Ended(Exception):  # noqa: N818 - a way out of the generated function, never seen outside this module
    """The request has ended and the generated parser has nothing to do."""


class _Progress:
    """Watches a request through httpcore's trace events, to know whether bytes of it may have left."""

    def __init__(self) -> None:
        self.seen = False
        self.sending = False

    def __call__(self, event: str, _info: Mapping[str, Any]) -> None:
        self.seen = True
        # http11.send_request_headers.started, or http2's: from here on bytes may be on the wire.
        self.sending = self.sending or ".send_request" in event

    async def asynchronously(self, event: str, info: Mapping[str, Any]) -> None:
        """Do the same for httpcore's async connections, which await their trace."""
        self(event, info)

    def fault(self, error: BaseException) -> Fault:
        """Return the fault that an exception stands for."""
        reason = f"{type(error).__name__}: {visible(str(error))}" if str(error) else type(error).__name__
        return Fault(reason, sent=self.sending if self.seen else not isinstance(error, _NEVER_SENT))


class _Stub:
    """What both stand-ins share: building the request, and giving the answer to the generated parser."""

    def __init__(self, wiring: Wiring, seconds: float) -> None:
        self.result: Answer | Fault | None = None
        self._wiring = wiring
        self._seconds = seconds
        self._progress = _Progress()

    def _build(self, http: httpx.Client | httpx.AsyncClient, trace: object, arguments: dict[str, Any]) -> httpx.Request:
        url = self._wiring.base_url + arguments.pop("url")
        # VTEX's own text requires Content-Type of every request, even of those without a body.
        always = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": _user_agent()}
        headers = {**always, **arguments.pop("headers", {}), **self._wiring.headers}
        timeout = httpx.Timeout(self._seconds, connect=min(self._seconds, CONNECT_TIMEOUT))
        extensions = {"trace": trace}
        try:
            request = http.build_request(**arguments, url=url, headers=headers, timeout=timeout, extensions=extensions)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent
            self._end(Fault(f"the request cannot be built: {type(error).__name__}", sent=False))
        request.headers.pop("Cookie", None)
        return request

    def _end(self, result: Answer | Fault) -> NoReturn:
        self.result = result
        raise _Ended

    def _give(self, answer: Answer) -> httpx.Response:
        """Hand an answer to the generated parser, if it is one that it can read."""
        self.result = answer
        if not (accepted(answer) and answer.complete):
            raise _Ended
        return httpx.Response(answer.status, content=answer.body)

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

    def __init__(self, wiring: Wiring, seconds: float, http: httpx.Client) -> None:
        super().__init__(wiring, seconds)
        self._http = http

    def request(self, **arguments: Any) -> httpx.Response:
        """Send one request and read its answer."""
        request = self._build(self._http, self._progress, arguments)
        deadline = time.monotonic() + self._seconds
        try:
            response = self._http.send(request, stream=True, auth=None, follow_redirects=False)
        except Exception as error:  # noqa: BLE001 - every exception is a fault; which, the progress tells
            self._end(self._progress.fault(error))
        body, complete = bytearray(), True
        try:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_BODY or time.monotonic() > deadline:
                    complete = False
                    break
        except Exception:  # noqa: BLE001 - the status has been said; what is cut is the body
            complete = False
        finally:
            response.close()
        return self._give(_answer(response, body, complete=complete))


class _AsyncStub(_Stub):
    """Stands in for ``httpx.AsyncClient`` during one request."""

    def __init__(self, wiring: Wiring, seconds: float, http: httpx.AsyncClient) -> None:
        super().__init__(wiring, seconds)
        self._http = http

    async def request(self, **arguments: Any) -> httpx.Response:
        """Send one request and read its answer."""
        request = self._build(self._http, self._progress.asynchronously, arguments)
        deadline = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._http.send(request, stream=True, auth=None, follow_redirects=False)
        except Exception as error:  # noqa: BLE001 - every exception is a fault; which, the progress tells
            self._end(self._progress.fault(error))
        body, complete = bytearray(), True
        try:
            async with asyncio.timeout_at(deadline):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BODY:
                        complete = False
                        break
        except Exception:  # noqa: BLE001 - the status has been said; what is cut is the body
            complete = False
        finally:
            await response.aclose()
        return self._give(_answer(response, body, complete=complete))


def _answer(response: httpx.Response, body: bytearray, *, complete: bool) -> Answer:
    headers = tuple(response.headers.multi_items())
    return Answer(response.status_code, headers, bytes(body[:MAX_BODY]), complete=complete)


def _client_options(wiring: Wiring) -> dict[str, Any]:
    """Return the options of a client of our own: finite, no redirects, no cookies, nothing from the environment.

    Raises:
        ConfigurationError: The proxy's address cannot be used.
    """
    options: dict[str, Any] = {
        "verify": _tls(wiring.ca_file),
        "trust_env": False,
        "follow_redirects": False,
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        "timeout": CONNECT_TIMEOUT,
    }
    if wiring.proxy is not None:
        try:
            options["proxy"] = httpx.Proxy(wiring.proxy)
        except (ValueError, httpx.InvalidURL) as error:
            raise ConfigurationError(f"proxy cannot be used: {visible(str(error))}.") from None
    return options


@functools.lru_cache(maxsize=8)
def _tls(ca_file: str | None) -> ssl.SSLContext:
    """Return a TLS context that verifies, shared by all clients because building one takes tens of milliseconds.

    Raises:
        ConfigurationError: The file cannot be read or holds no certificate.
    """
    if ca_file is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(f"ca_file {ca_file} cannot be used: {error.strerror or error}.") from None


@functools.cache
def _user_agent() -> str:
    try:
        return f"vtex-tracking/{version('vtex-tracking')}"
    except PackageNotFoundError:  # a source tree that was never installed
        return "vtex-tracking"


class SyncTransport:
    """Carries out attempts, one at a time a thread."""

    def __init__(self, wiring: Wiring, http: httpx.Client | None) -> None:
        self._wiring = wiring
        self._owned = http is None
        self._http = httpx.Client(**_client_options(wiring)) if http is None else http

    def attempt(self, step: Attempt) -> Exchange:
        """Make one request, through the generated function."""
        stub = _SyncStub(self._wiring, step.seconds, self._http)
        client = Client(base_url="").set_httpx_client(cast("httpx.Client", stub))
        try:
            response = step.call.sync(client=client, **step.call.arguments)
        except Exception:  # noqa: BLE001 - handed on unless a request was made
            return stub.without_parsed()
        return stub.with_parsed(response)

    def close(self) -> None:
        """Close the connections, unless the caller's own client holds them."""
        if self._owned:
            self._http.close()


class AsyncTransport:
    """Carries out attempts, as many at once as there are tasks."""

    def __init__(self, wiring: Wiring, http: httpx.AsyncClient | None) -> None:
        self._wiring = wiring
        self._owned = http is None
        self._http = httpx.AsyncClient(**_client_options(wiring)) if http is None else http

    async def attempt(self, step: Attempt) -> Exchange:
        """Make one request, through the generated function."""
        stub = _AsyncStub(self._wiring, step.seconds, self._http)
        client = Client(base_url="").set_async_httpx_client(cast("httpx.AsyncClient", stub))
        try:
            response = await step.call.asyncio(client=client, **step.call.arguments)
        except Exception:  # noqa: BLE001 - handed on unless a request was made
            return stub.without_parsed()
        return stub.with_parsed(response)

    async def close(self) -> None:
        """Close the connections, unless the caller's own client holds them."""
        if self._owned:
            await self._http.aclose()
