"""The ASGI application: routes, checks and answers.

::

    from vtex_tracking_ext import TrackingClient
    from vtex_tracking_ext.service import Bridge, ServedAccount, WebhookCheck
    from vtex_tracking_ext.service.app import create_app

    account = ServedAccount(TrackingClient.from_env(), {"easypost": WebhookCheck(("the secret",))})
    app = create_app(Bridge("journal.db", [account]))

The application starts and closes its bridge. One that is mounted in another application does not, because Starlette
runs no lifespan of mounted applications: the other one's lifespan has to contain ``with bridge:``.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import math
import re
import time
from base64 import b64decode
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from vtex_tracking_ext.bulk.journal.entries import utc_now
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.carriers import SOURCES, PayloadError
from vtex_tracking_ext.config.secret import Secret
from vtex_tracking_ext.errors import ConfigurationError, InvalidUpdateError
from vtex_tracking_ext.text import REASON_LENGTH, quoted, visible

from .history import history
from .limits import MAX_HEADER_BYTES, Limits, RateLimit
from .overview import Overviews
from .page import POLICY, render_history, render_overview
from .verification import VTEX_HOOK, is_genuine, is_test_message, longest_unverified

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from vtex_tracking_ext.carriers import Reading

    from .bridge import Bridge
    from .intake import ServedAccount

T = TypeVar("T")

LOG: Final = logging.getLogger("vtex_tracking_ext.service")

#: Seconds after which a sender is asked to repeat what could not be stored.
_RETRY_AFTER: Final = 5

#: Seconds in which the journal must answer for the service to be ready, and for a page.
_READY_SECONDS: Final = 2.0
_PAGE_SECONDS: Final = 30.0

#: Threads that write notifications to the journal, and threads that read it for pages.
_WRITERS: Final = 8
_READERS: Final = 4

#: Refusals and failures that are logged in a second; the rest is only counted.
_LOGGED_PER_SECOND: Final = 5.0

#: Problems of a payload that an answer and the log list.
_LISTED: Final = 20

#: Messages that only test an address that are answered in a second, for each source of an account.
_TESTS_PER_SECOND: Final = 5.0

#: Seconds for which the journal counts as writable after it was.
_READY_INTERVAL: Final = 1.0

#: The values that a message quotes, with what is between them; and a carrier's code.
_QUOTED: Final = re.compile(r"""['"].*['"]""", re.DOTALL)
_CODE: Final = re.compile(r"[\w/.:-]{1,24}")

_PAGE_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost", "[::1]"})

#: How the names of headers begin with which a proxy says that it passes on a request.
_FORWARDED: Final = ("forwarded", "x-forwarded", "x-real-ip", "via", "cf-")


def create_app(bridge: Bridge, *, password: str | Secret | None = None, limits: Limits | None = None) -> Starlette:
    """Return the application for a bridge.

    Args:
        bridge: The bridge. The application starts it, and closes it at its end.
        password: The password of the page and of the metrics, with any user name (HTTP Basic). Without one, they are
            shown only to this machine.
        limits: What requests may take.
    """
    endpoints = _Endpoints(bridge, None if password is None else Secret(password), limits or Limits())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        bridge.start()
        try:
            yield
        finally:
            await anyio.to_thread.run_sync(bridge.close)

    posts = ["POST"]
    app = Starlette(
        routes=[
            Route("/carriers/{source}/{account}", endpoints.receive_webhook, methods=posts),
            Route("/carriers/{source}/{account}/{secret}", endpoints.receive_webhook, methods=posts),
            Route("/vtex/hook/{account}", endpoints.receive_notification, methods=posts),
            Route("/health", endpoints.health),
            Route("/ready", endpoints.ready),
            Route("/metrics", endpoints.metrics),
            Route("/", endpoints.page),
        ],
        exception_handlers={HTTPException: _answer_error, Exception: _answer_bug},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirect would repeat a secret in the path, for any host
    return app


class _Json(JSONResponse):
    """A JSON document that ends with a line break, for people who use curl."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return super().render(content) + b"\n"


class _Endpoints:
    """The endpoints of an application, and what they share."""

    def __init__(self, bridge: Bridge, password: Secret | None, limits: Limits) -> None:
        self._bridge = bridge
        self._password = password
        self._limits = limits
        self._posts = RateLimit(limits.posts_per_second)
        self._tests = RateLimit(_TESTS_PER_SECOND)
        self._logged = RateLimit(_LOGGED_PER_SECOND)
        self._in_memory = 0
        self._writable_until = -math.inf
        names = [each.journal_name for each in bridge.accounts.values()]
        self._overviews = Overviews(bridge.reader, lambda: names)
        self._writers = anyio.CapacityLimiter(_WRITERS)
        self._readers = anyio.CapacityLimiter(_READERS)

    async def receive_webhook(self, request: Request) -> Response:
        """Verify a carrier's webhook, write its events to the journal, and answer."""
        source = request.path_params["source"].lower()
        if source not in SOURCES:
            unknown = HTTPException(404, f"There is no source {quoted(source, 60)}.")
            return self._refuse(request, "", "", unknown, "there is no source of this name")

        async def receive(account: ServedAccount, body: bytes) -> dict[str, Any]:
            try:
                stored = self._bridge.intake.receive_webhook(account, source, body)
                reading = await asyncio.wait_for(asyncio.wrap_future(stored), self._limits.answer_seconds)
            except PayloadError as error:
                raise HTTPException(400, str(error)) from None
            self._report_reading(account, reading)
            if reading.problems and not reading.events:
                raise HTTPException(422, "; ".join(str(each) for each in reading.problems[:_LISTED]))
            return {
                "events": len(reading.events),
                "problems": [str(each) for each in reading.problems[:_LISTED]],
                "unknown_codes": [*reading.unknown_codes[:_LISTED]],
            }

        return await self._receive(request, source, receive)

    async def receive_notification(self, request: Request) -> Response:
        """Verify a notification of VTEX's hook, and record that its order is to be read."""

        async def receive(account: ServedAccount, body: bytes) -> dict[str, Any]:
            try:
                record = partial(self._bridge.intake.receive_notification, account, body)
                is_order = await self._within(self._limits.answer_seconds, record, self._writers)
            except InvalidUpdateError as error:
                raise HTTPException(400, str(error)) from None
            except ConfigurationError:
                text = f"The order is not one of {account.name}, whose address this is."
                raise HTTPException(403, text) from None
            return {"orders": int(is_order)}

        return await self._receive(request, VTEX_HOOK, receive)

    async def health(self, _: Request) -> Response:
        """Answer that the process runs."""
        return _Json({"status": "ok"})

    async def ready(self, _: Request) -> Response:
        """Answer whether the journal can be written to and all accounts are processed."""
        if time.monotonic() > self._writable_until:  # anybody may ask, and each time the disk has to write
            try:
                await self._within(_READY_SECONDS, self._bridge.intake.check_journal, self._readers)
            except _UNAVAILABLE:
                return _unavailable("The journal cannot be written to, or does not answer.")
            self._writable_until = time.monotonic() + _READY_INTERVAL
        return _Json({"status": "ready"}) if self._bridge.is_running() else _unavailable("The service is not started.")

    async def metrics(self, request: Request) -> Response:
        """Answer with the metrics."""
        text = await self._read(request, self._bridge.metrics.text)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def page(self, request: Request) -> Response:
        """Answer with the overview, or with the history of the package that is to be found."""
        html = await self._read(request, partial(self._render, request.query_params.get("find")))
        return HTMLResponse(html, headers=_PAGE_HEADERS)

    def _render(self, what: str | None) -> str:
        if what is None:
            return render_overview(self._overviews.get(), self._bridge.intake.problem)
        return render_history(history(self._bridge.reader, what, utc_now()))

    async def _read(self, request: Request, function: Callable[[], T]) -> T:
        """Return the result of a function that reads the journal, for somebody who may see it.

        Raises:
            HTTPException: Somebody else asks, or the journal does not answer.
        """
        self._check_reader(request)
        try:
            return await self._within(_PAGE_SECONDS, function, self._readers)
        except _UNAVAILABLE as error:
            text = visible(str(error), REASON_LENGTH) or "The journal does not answer."
            raise HTTPException(503, text, {"Retry-After": str(_RETRY_AFTER)}) from None

    async def _receive(
        self,
        request: Request,
        source: str,
        receive: Callable[[ServedAccount, bytes], Awaitable[dict[str, Any]]],
    ) -> Response:
        """Answer a post: check who sends it and how much, and let ``receive`` store it."""
        began = time.monotonic()
        asked = request.path_params["account"].lower()
        account = self._bridge.accounts.get(asked)
        if account is None:
            unknown = HTTPException(404, f"There is no account {quoted(asked, 60)}.")
            return self._refuse(request, "", source, unknown, "there is no account of this name")
        name = account.journal_name
        body = bytearray()
        try:
            is_test = await self._read_body(request, source, account, body)
            document = {} if is_test else await receive(account, bytes(body))
        except HTTPException as error:
            return self._refuse(request, name, source, error)
        except _UNAVAILABLE as error:
            answer = HTTPException(503, "The post was not stored: send it again.", {"Retry-After": str(_RETRY_AFTER)})
            reason = str(error) or "the journal did not answer in time"
            return self._refuse(request, name, source, answer, reason)
        finally:
            self._in_memory -= len(body)
        if not is_test:
            self._bridge.wake(account)
        self._bridge.metrics.count_post(name, source, 200)
        milliseconds = round((time.monotonic() - began) * 1000)
        extra = {"account": name, "source": source, "status": 200, "milliseconds": milliseconds, **document}
        LOG.info("%s, %s: 200, %d bytes, %d ms", name, source, len(body), milliseconds, extra=extra)
        return _Json(document)

    async def _read_body(self, request: Request, source: str, account: ServedAccount, body: bytearray) -> bool:
        """Read the body of a post by the sender whose secret is configured, and return whether it is a test message.

        Raises:
            HTTPException: Another sender made it, its body is too large or too slow, or there are too many posts.
        """
        if sum(len(name) + len(value) for name, value in request.headers.raw) > MAX_HEADER_BYTES:
            raise HTTPException(431, f"The headers are larger than {MAX_HEADER_BYTES} bytes.")
        check = account.checks.get(source)
        if check is None:
            raise HTTPException(403, f"No secret is configured for {source} of {account.name}: posts are refused.")

        unverified = HTTPException(401, "The signature or secret is missing or wrong.")

        def has_secret() -> bool:
            return is_genuine(source, check, request.headers, bytes(body), request.path_params.get("secret", ""))

        # Senders without the secret must not use up the memory for those who have it.
        longest = before = longest_unverified(source, self._limits.max_body)
        is_known = before < self._limits.max_body and has_secret()
        if is_known:
            longest = self._limits.max_body
        elif not before:
            raise unverified
        await self._receive_body(request, body, longest)
        is_verified, is_test = is_known or has_secret(), is_test_message(source, bytes(body))
        if not (is_verified or is_test):
            raise unverified
        limit = self._posts if is_verified else self._tests
        if seconds := limit.seconds_to_wait((source, account.name)):
            raise HTTPException(429, "Too many posts.", {"Retry-After": str(math.ceil(seconds))})
        return is_test

    async def _receive_body(self, request: Request, body: bytearray, longest: int) -> None:
        """Append what is received to a body. It counts as being in memory until the post is answered."""
        too_large = HTTPException(413, f"The body is larger than {longest} bytes.")
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > longest:
            raise too_large
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise HTTPException(415, "Send the body without a Content-Encoding.")
        try:
            with anyio.fail_after(self._limits.body_seconds):
                async for chunk in request.stream():
                    body += chunk
                    self._in_memory += len(chunk)
                    if len(body) > longest:
                        raise too_large
                    if self._in_memory > self._limits.in_memory:
                        raise HTTPException(503, "Too many posts at once.", {"Retry-After": str(_RETRY_AFTER)})
        except TimeoutError:
            raise HTTPException(408, "The body did not arrive in time.") from None
        except ClientDisconnect:
            raise HTTPException(400, "The body is not complete.") from None

    async def _within(self, seconds: float, function: Callable[[], T], threads: anyio.CapacityLimiter) -> T:
        """Return the result of a function that reads or writes the journal, called in a thread.

        Raises:
            TimeoutError: It takes longer. It goes on in its thread, so what it stores may be stored after all.
        """
        with anyio.fail_after(seconds):
            return await anyio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=threads)

    def _report_reading(self, account: ServedAccount, reading: Reading) -> None:
        """Count and log what a webhook contains that could not be read, or whose meaning is not known."""
        name, source = account.journal_name, reading.source
        self._bridge.metrics.count_received(name, source, len(reading.events), len(reading.problems))
        extra = {"account": name, "source": source}
        for problem in reading.problems[:_LISTED] if reading.events else ():  # otherwise, the post is refused
            text = _without_values(f"{problem.place}: {problem.message}")
            LOG.warning("%s, %s: not read: %s", name, source, text, extra=extra)
        if reading.unknown_codes:
            codes = (each if _CODE.fullmatch(each) else "…" for each in reading.unknown_codes[:_LISTED])
            LOG.warning("%s, %s: codes whose meaning is not known: %s", name, source, ", ".join(codes), extra=extra)

    def _refuse(self, request: Request, account: str, source: str, error: HTTPException, reason: str = "") -> Response:
        """Return the answer to a post that is not stored, and log it."""
        self._bridge.metrics.count_post(account, source, error.status_code)
        if not self._logged.seconds_to_wait(error.status_code):
            sender = request.client.host if request.client else "unknown"
            extra = {"account": account, "source": source, "status": error.status_code, "sender": sender}
            about = ", ".join(filter(None, (account, source))) or "a post"
            LOG.warning("%s: %d: %s", about, error.status_code, _without_values(reason or error.detail), extra=extra)
        return _answer_error(request, error)

    def _check_reader(self, request: Request) -> None:
        """Refuse a request for the page or the metrics that is not by somebody with the password, or of this machine.

        Raises:
            HTTPException: It is refused.
        """
        if self._password is not None:
            if not _has_password(request, self._password):
                raise HTTPException(401, "A password is required.", {"WWW-Authenticate": 'Basic realm="vtex-tracking"'})
        elif not _is_local(request):
            raise HTTPException(
                403, "Only this machine may see this. Elsewhere, a password is needed: VTEX_SERVICE_PASSWORD."
            )


#: Errors because of which nothing, or not certainly something, was stored.
_UNAVAILABLE: Final = (JournalError, TimeoutError)


def _without_values(text: str) -> str:
    """Return a message for the log: it must not contain what a body or a path says, such as the name of a person."""
    return visible(_QUOTED.sub("'…'", text), REASON_LENGTH)


def _has_password(request: Request, password: Secret) -> bool:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = b64decode(encoded, validate=True).partition(b":")[2]
    except ValueError:
        return False
    return hmac.compare_digest(given, str(password.reveal()).encode())


def _is_local(request: Request) -> bool:
    """Return whether a request was made on this machine, and not by a proxy for somebody else.

    The Host header is checked, too: another web page must not reach the page through a DNS name of its own.
    """
    host = request.headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    # nginx speaks HTTP/1.0 unless it is told otherwise; browsers and curl do not.
    is_forwarded = request.scope["http_version"] == "1.0" or any(
        header.startswith(_FORWARDED) for header in request.headers
    )
    sender = request.client.host if request.client else ""
    return sender in _LOOPBACK and name.lower() in _LOOPBACK and not is_forwarded


def _answer_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
    return _Json({"error": error.detail}, error.status_code, error.headers)


def _answer_bug(_: Request, error: Exception) -> Response:
    LOG.error("an unexpected error", exc_info=error)
    return _Json({"error": "An unexpected error of the service."}, 500)


def _unavailable(text: str) -> Response:
    return _Json({"error": text}, 503, {"Retry-After": str(_RETRY_AFTER)})
