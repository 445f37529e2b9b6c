"""No error of a call shows a credential, not even in the local variables of its frames."""

from __future__ import annotations

import asyncio
import gc
import ssl
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from vtex_tracking_ext import AsyncTrackingClient, RetryPolicy, TrackingClient, VtexTrackingError
from vtex_tracking_ext.config.retry_policy import RetryBudget
from vtex_tracking_ext.transport import caller_client, response, transport, transport_async

from support.leaks import PACKAGE, forms, interrupted, leaks
from support.requests import BUILD
from wire.calls import OK, UPDATE, answer
from wire.server import HOST, Server, again, close, handshake, read, read_head, reset, respond, say, tunnel
from wire.server import until_gone as never_answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "vtexappkey-mystore-TOPSECRETKEY"
TOKEN = "TOPSECRETTOKEN+/TOPSECRETTOKEN"
PASSWORD = "proxy-password"
SECRETS = forms(KEY, TOKEN, PASSWORD, f"user:{PASSWORD}")

SITE = httpx.__file__.removesuffix("httpx/__init__.py")
#: The code below a call that handles a request. An interrupt at any line of asyncio or of a pool loses a connection.
HANDLERS = ("httpx/", "h11/", "httpcore/_sync/http11", "httpcore/_async/http11", "httpcore/_backends/sync")
LIBRARIES = (PACKAGE, *(f"{SITE}{name}" for name in HANDLERS), ssl.__file__)

Step = Any


def echo(status: int) -> Step:
    """Answer with the request itself."""
    return respond(lambda request: answer(status, request.raw, f"X-Echo: {TOKEN}"))


class Way:
    """One way of requests to a server: "own", "h11" (its parser), "proxy" (with TLS), "httpx", or "replaced".

    "replaced" goes through httpx as well, because a test tool has replaced its transport.
    """

    def __init__(self, name: str, kind: Any, serve: Callable[..., Server], tls: ssl.SSLContext, ca_file: Path) -> None:
        self.name = name
        self._kind = kind
        self._serve = serve
        self._tls = tls
        self._ca_file = ca_file

    def starts(self, *steps: Step) -> Server:
        """Start the server, and return it."""
        first, scheme = ([handshake(self._tls)], "https") if self.name == "proxy" else ([], "http")
        self.server = self._serve([*first, *steps], scheme=scheme)
        self.options: dict[str, Any] = {"base_url": self.server.url}
        if self.name == "proxy":
            proxy = self._serve([read_head, tunnel(self.server.port)])
            address = f"http://user:{PASSWORD}@{HOST}:{proxy.port}"
            self.options |= {"proxy": address, "ca_file": self._ca_file}
        return self.server

    def send(self, interrupter: Any = None, run: Callable[[Any], Any] | None = None) -> None:
        """Send an update with a new client, which is closed afterwards. ``run`` makes the asynchronous call."""
        retry = RetryPolicy(attempts=1, budget=RetryBudget())
        options = {"app_key": KEY, "app_token": TOKEN, "timeout": 5, "retry": retry, **self.options}
        is_async = self._kind is AsyncTrackingClient
        if self.name == "httpx":
            options["http_client"] = (httpx.AsyncClient if is_async else httpx.Client)(verify=self._tls)
        if is_async:
            asyncio.run(self._send(self._kind("mystore", **options), interrupter, run))
            return
        with self._kind("mystore", **options) as client, interrupter or nullcontext():
            client.send(UPDATE)

    async def _send(self, client: Any, interrupter: Any, run: Callable[[Any], Any] | None) -> None:
        async with client:
            with interrupter or nullcontext():
                await (client.send(UPDATE) if run is None else run(client))


@pytest.fixture(params=[TrackingClient, AsyncTrackingClient], ids=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> Any:
    """Return either client's class."""
    return request.param


@pytest.fixture(params=["own", "h11", "proxy", "httpx", "replaced"])
def way(
    request: pytest.FixtureRequest,
    kind: Any,
    serve: Callable[..., Server],
    tls: ssl.SSLContext,
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Way:
    """Return a way of requests; the check of requests against openapi.yaml, which reads the credentials, is off."""
    for module in (caller_client, transport, transport_async):
        monkeypatch.setattr(module, "build_request", BUILD)
    if request.param == "h11":
        monkeypatch.setattr(response, "httptools", None)
    if request.param == "replaced":
        for owner, name in (
            (httpx.HTTPTransport, "handle_request"),
            (httpx.AsyncHTTPTransport, "handle_async_request"),
        ):
            real = getattr(owner, name)
            monkeypatch.setattr(owner, name, lambda *arguments, real=real: real(*arguments))
    return Way(request.param, kind, serve, tls, ca_file)


@pytest.mark.parametrize(
    "steps",
    [
        [read, echo(500)],
        [read, echo(404)],
        [read, echo(302)],
        [read, respond(lambda request: b"HTTP/1.1 " + request.raw), close],
        [read_head, reset],
        [close],
    ],
)
def test_an_error_about_the_outcome_shows_no_credential(way: Way, steps: list[Step]) -> None:
    """A refusal, an unknown outcome or a failed connection shows no credential, even if the server echoes it."""
    way.starts(*steps)
    with pytest.raises(VtexTrackingError) as caught:
        way.send()
    assert leaks(caught.value, SECRETS) == []


def test_a_failed_connection_shows_no_credential(way: Way) -> None:
    """A refused connection, an untrusted certificate and a proxy that refuses show no credential."""
    way.starts(read, close)
    echoed = Server([read_head, respond(lambda request: b"HTTP/1.1 407 " + request.raw), close])
    with echoed:
        proxy = f"http://user:{PASSWORD}@{HOST}:{echoed.port}"
        for options in ({"base_url": "http://127.0.0.1:9"}, {"ca_file": None}, {"proxy": proxy}):
            if way.name != "httpx" or "base_url" in options:
                way.options |= options
                with pytest.raises(VtexTrackingError) as caught:
                    way.send()
                assert leaks(caught.value, SECRETS) == []


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_line_shows_no_credential(way: Way) -> None:
    """Ctrl-C at any line of this package, or at many lines of the libraries below, shows no credential."""
    way.starts(again(read, say(OK)))
    folders, step = {"own": ((PACKAGE,), 1), "h11": ((PACKAGE,), 9)}.get(way.name, (LIBRARIES, 29))
    if folders == LIBRARIES and way.name != "proxy":
        step = 127  # a request through httpx executes thousands of lines
    found = [leaks(error, SECRETS) for error in interrupted(way.send, *folders, step=step)]
    way.send()  # libraries keep the objects of their last call
    gc.collect()  # the connections that the interrupts lost, while their warnings are ignored
    assert len(found) > 10
    assert found == [[]] * len(found)


@pytest.mark.parametrize("kind", [AsyncTrackingClient], indirect=True)
def test_a_cancelled_call_shows_no_credential(way: Way) -> None:
    """asyncio.timeout, and a task that is cancelled while it waits for the answer, show no credential."""
    server = way.starts(read, never_answer)

    async def cancel(client: Any) -> None:
        task = asyncio.create_task(client.send(UPDATE))
        await asyncio.to_thread(server.wait_until, lambda server: bool(server.requests))
        task.cancel()
        await task

    async def time_out(client: Any) -> None:
        async with asyncio.timeout(0.1):
            await client.send(UPDATE)

    for run, kind in ((cancel, asyncio.CancelledError), (time_out, TimeoutError)):
        with pytest.raises(kind) as caught:
            way.send(run=run)
        assert leaks(caught.value, SECRETS) == []
