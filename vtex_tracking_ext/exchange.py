"""One request through a generated function: the stand-in for an HTTP client that it is given.

The generated functions call ``.request(...)`` on whatever client they are given. Here they are given a stand-in that
lives for one request: it sends through httpx, reads the body under a deadline and a size cap, notes whether bytes of
the request may have left, and lets the generated parser see only what it can read. What a client of our own does inside
(:mod:`.pool`, :mod:`.network`), it does for a caller's client from outside.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import socket
import threading
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

import httpx

from .body import ACCEPTED_ENCODING, Body
from .conversation import Exchange
from .faults import Fault, Trust, fault_of
from .network import CONNECT_TIMEOUT, Watch
from .outcome import Answer, accepted
from .pool import WATCH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vtex_oms_client.types import Response

    from .wiring import Wiring


#: Decoded bytes of an answer that are read. Orders of real stores are a few hundred kB; receipts a few hundred bytes.
MAX_BODY: Final = 8 * 1024 * 1024

#: Bytes of an answer that are read in all: the body as it travels, and heads and interim answers before it.
MAX_ANSWER: Final = MAX_BODY + 1024 * 1024


class _Ended(Exception):  # noqa: N818 - a way out of the generated function, never seen outside this module
    """The request has ended and the generated parser has nothing to do."""


class _UsedConnection(Exception):  # noqa: N818 - a way out of a caller's client, never seen outside this module
    """The request was given a connection that had been used before, and was not sent over it."""


class Stub:
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


class SyncStub(Stub):
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


class AsyncStub(Stub):
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


@functools.cache
def _user_agent() -> str:
    try:
        return f"vtex-tracking/{version('vtex-tracking')}"
    except PackageNotFoundError:  # a source tree that was never installed
        return "vtex-tracking"
