"""Answers of a made-up server, and clients that talk to it without a network."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import httpx

from vtex_tracking_ext import AsyncTrackingClient, RetryPolicy, TrackingClient

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[[httpx.Request], httpx.Response]

APP_KEY = "vtexappkey-mystore-MADEUP"
APP_TOKEN = "MADEUPTOKENMADEUPTOKEN"
ORDER, INVOICE = "v501245lspt-01", "000030711"
RECEIPT = {
    "date": "2017-03-29T18:04:31.0521233+00:00",
    "orderId": ORDER,
    "receipt": "f67d33a8029c42ce9a8f07fc17f54449",
}

#: No pauses: what a test wants to see is whether there is another try, not how long it takes.
HASTY = RetryPolicy(first_wait=0, rate_limit_wait=0)


class Recorder:
    """Answers with what it was given, in turn, the last one again and again; keeps the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers) or [httpx.Response(200, json=RECEIPT)]
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def sync_client(handler: Handler, **options: Any) -> TrackingClient:
    """Return a client that talks to ``handler``."""
    http = httpx.Client(transport=httpx.MockTransport(handler))
    return TrackingClient("mystore", **{**_CREDENTIALS, "retry": HASTY, "http_client": http, **options})


def async_client(handler: Handler, **options: Any) -> AsyncTrackingClient:
    """Return its asynchronous twin."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return AsyncTrackingClient("mystore", **{**_CREDENTIALS, "retry": HASTY, "http_client": http, **options})


_CREDENTIALS = {"app_key": APP_KEY, "app_token": APP_TOKEN}


class Twin:
    """Either client behind one synchronous face, so that a test can be run with both. The fixture ``twin`` ends it."""

    def __init__(self, make: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        self.client = make(*arguments, **options)
        self._runner = asyncio.Runner()

    def end(self) -> None:
        """Close the client, and the loop it ran in."""
        self.close()
        self._runner.close()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        if not inspect.iscoroutinefunction(method):
            return method
        return lambda *args, **kwargs: self._runner.run(method(*args, **kwargs))
