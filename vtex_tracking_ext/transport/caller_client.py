"""One request through httpx: a stand-in over its transports, be they over our connections or a caller's client.

What a client of our own does inside (:mod:`.via_httpcore`, :mod:`.connect`), this does for a caller's client from
outside.
"""

from __future__ import annotations

import contextvars
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import httpx

from vtex_tracking_ext.call.faults import Fault, Trust, fault_of

from .connect import CONNECT_TIMEOUT, Watch
from .request import MAX_ANSWER, Stub
from .via_httpcore import WATCH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vtex_tracking_ext.config.server import Wiring

    from .body import Body


class UsedConnection(Exception):  # noqa: N818 - a way out of a caller's client, never seen outside the stand-ins
    """The request was given a connection that had been used before, and was not sent over it."""


class HttpxStub(Stub):
    """What both stand-ins over httpx share: building the request, seeing how far it came, reading the answer."""

    def __init__(self, wiring: Wiring, seconds: float, send: Any, *, owned: bool, trust: Trust) -> None:
        super().__init__(wiring)
        self._seconds = seconds
        self._send = send
        self._owned = owned
        self._trust = trust
        self._watch = Watch(seconds, MAX_ANSWER)
        self._ours = False
        self._stream: Any = None
        self._abandoned = False

    def _build(self, arguments: Mapping[str, Any]) -> httpx.Request:
        """Make the request; nothing of a caller's client (its headers, query, cookies, auth) gets into it."""
        outgoing = self._outgoing(arguments)
        timeout = httpx.Timeout(self._seconds, connect=min(self._seconds, CONNECT_TIMEOUT))
        extensions: dict[str, Any] = {"timeout": timeout.as_dict(), WATCH: self._watch}
        if not self._owned:
            extensions["trace"] = self._trace
            # Whether an answer ended cleanly cannot be seen from here, so no connection is used again.
            outgoing.headers["Connection"] = "close"
        try:
            return httpx.Request(
                outgoing.method,
                self._wiring.base_url + outgoing.path,
                headers=outgoing.headers,
                content=outgoing.content or None,
                extensions=extensions,
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent
            self._unbuildable(error)

    @property
    def _trace(self) -> Any:
        """Return what httpcore calls at each step of a request."""
        return self._see

    def _see(self, event: str, info: Mapping[str, Any]) -> None:
        """Note a step of a request on its way through a caller's client.

        Raises:
            UsedConnection: It is about to go over a connection that was there before: bytes left over from another
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
                raise UsedConnection
            self._watch.sending = True  # before the look at the other: who abandons it does so the other way round
            if self._abandoned:
                raise TimeoutError
        elif event.endswith(".receive_response_headers.complete"):
            # An event hook of the caller's may yet raise, or fail to read the body: this has been said.
            _, status, _, headers = info["return_value"]
            self._keep(status, httpx.Headers(headers), self._body())

    def _fault(self, error: BaseException) -> Fault:
        """Return the fault that an exception stands for, as far as it was seen how far the request came."""
        text = self._wiring.redactor.text(str(error))
        seen = self._watch.sending if self._watch.reached else None
        return fault_of(error, text, sent=seen, trust=self._trust)

    def _head(self, response: httpx.Response) -> Body:
        """Return what an answer's body goes into, and note what its head says, if anybody may stop waiting for it."""
        body = self._body(response.headers.get("Content-Encoding", ""))
        if not self._owned:
            self._keep(response.status_code, response.headers, body)
        return body

    def _keep(self, status: int, headers: httpx.Headers, body: Body) -> None:
        self._answered(status, headers.multi_items(), body)

    def _read_already(self, response: httpx.Response) -> bool:
        """Take over an answer whose body is in memory, as those of test tools are, decoded."""
        if not response.is_stream_consumed:
            return False
        body = self._body()
        if body.feed(response.content):
            body.end()
        self._keep(response.status_code, response.headers, body)
        return True


class SyncHttpxStub(HttpxStub):
    """Stands in for ``httpx.Client`` during one request."""

    def request(self, **arguments: Any) -> Any:
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
            with suppress(UsedConnection):  # which is closed now; there are only so many of them
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
            with suppress(Exception):
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
