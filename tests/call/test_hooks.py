"""The log and the on_attempt hooks."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from attrs import evolve, fields

from vtex_tracking_ext import AttemptEvent, ConfigurationError, NotFoundError, TrackingUpdate
from vtex_tracking_ext.call.hooks import log_line

from support.answers import APP_KEY, APP_TOKEN, INVOICE, ORDER, RECEIPT, Recorder, Twin, async_client, sync_client

if TYPE_CHECKING:
    from collections.abc import Callable

UPDATE = TrackingUpdate(ORDER, INVOICE, is_delivered=True)
PATH = "/api/oms/pvt/orders/{orderId}/invoice/{invoiceNumber}/tracking"
NOW = dt.datetime(2026, 10, 5, 12, tzinfo=dt.UTC)
EVENT = AttemptEvent("PUT", PATH, "https://mystore.example", 1, NOW, NOW, 0.0344)
both = pytest.mark.parametrize("kind", [sync_client, async_client])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status_code": 200, "request_id": "6f0e"}, "200, attempt 1, 34 ms, request id 6f0e"),
        ({"attempt": 2, "error": NotFoundError("x", status_code=404)}, "no response, attempt 2, 34 ms, NotFoundError"),
        ({"status_code": 429, "retry_in": 7.0}, "429, attempt 1, 34 ms, retry in 7.0 s"),
        ({"status_code": 200, "request_id": "\x1b"}, r"200, attempt 1, 34 ms, request id \x1b"),
    ],
)
def test_an_attempt_is_logged_in_one_line(changes: dict[str, Any], expected: str) -> None:
    """The log line has method, path template, status, attempt, duration, request id, error and retry delay."""
    assert log_line(evolve(EVENT, **changes)) == f"PUT {PATH}: {expected}"


@both
def test_hooks_receive_each_attempt(kind: Any, twin: Callable[..., Twin], caplog: pytest.LogCaptureFixture) -> None:
    """A hook receives a frozen event for each attempt; the last one has no retry_in.

    Neither its repr nor the log has a credential, an order id or an invoice number.
    """
    seen: list[AttemptEvent] = []
    ok = httpx.Response(200, json=RECEIPT, headers={"x-vtex-operation-id": "6f0e"})
    limited = httpx.Response(429, headers={"Retry-After": "0"})
    client = twin(kind, Recorder(limited, ok), on_attempt=seen.append)
    with caplog.at_level(logging.DEBUG, "vtex_tracking_ext"):
        client.send(UPDATE)
    assert [(e.attempt, e.status_code, e.retry_in, type(e.error).__name__) for e in seen] == [
        (1, 429, 0.0, "RateLimitedError"),
        (2, 200, None, "NoneType"),
    ]
    assert (seen[1].method, seen[1].path, seen[1].request_id) == ("PUT", PATH, "6f0e")
    assert seen[0].server == "https://mystore.vtexcommercestable.com.br"
    assert (seen[1].account, seen[1].operation, seen[1].order_id, seen[1].invoice_number) == (
        "mystore",
        "send",
        ORDER,
        INVOICE,
    )
    assert seen[0].call_started == seen[1].call_started <= seen[0].started <= seen[1].started
    assert [record.getMessage() for record in caplog.records] == [log_line(event) for event in seen]
    assert [record.levelname for record in caplog.records] == ["DEBUG", "INFO"]
    for secret in (APP_KEY, APP_TOKEN, ORDER, INVOICE):
        assert secret not in repr(seen) + caplog.text
    assert all(field.metadata == {} for field in fields(AttemptEvent))
    with pytest.raises(AttributeError):
        seen[0].attempt = 5  # type: ignore[misc]


@both
def test_a_call_is_logged_in_one_line(kind: Any, twin: Callable[..., Twin], caplog: pytest.LogCaptureFixture) -> None:
    """At INFO, a call that was retried has one line, which names the order only with log_ids."""
    for log_ids in (False, True):
        answers = httpx.Response(429), httpx.ConnectError("x"), httpx.Response(200, json=RECEIPT)
        client = twin(kind, Recorder(*answers), log_ids=log_ids)
        with caplog.at_level(logging.INFO, "vtex_tracking_ext"):
            client.send(UPDATE)
    without, with_ids = caplog.records
    assert (without.account, without.operation) == ("mystore", "send")  # type: ignore[attr-defined]
    assert ORDER not in str(vars(without))
    assert INVOICE not in str(vars(without))
    assert (with_ids.order_id, with_ids.invoice_number) == (ORDER, INVOICE)  # type: ignore[attr-defined]
    assert with_ids.getMessage().endswith(f" ms, account mystore, order {ORDER}, invoice {INVOICE}")
    assert with_ids.getMessage().startswith(f"PUT {PATH}: 200, attempt 3, ")


class _InterruptError(BaseException):
    """What interrupts a call, like KeyboardInterrupt, which would end the test run if the test fails."""


def _interrupt(*_: object) -> Any:
    raise _InterruptError("stop")


@pytest.mark.parametrize("phase", ["attempt", "pause"])
@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])
def test_an_interrupted_call_is_logged_in_one_line(
    phase: str,
    level: int,
    twin: Callable[..., Twin],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The line says what interrupted the call, and the exception has a note on the outcome, whether logged or not."""
    monkeypatch.setattr("vtex_tracking_ext.client.time.sleep", _interrupt)
    handler = _interrupt if phase == "attempt" else Recorder(httpx.Response(429))
    client = twin(sync_client, handler)
    with caplog.at_level(level, "vtex_tracking_ext"), pytest.raises(_InterruptError, match="stop") as caught:
        client.send(UPDATE)
    notes = "".join(caught.value.__notes__)
    ends = {
        "attempt": "account mystore, OutcomeUnknownError, interrupted by _InterruptError",
        "pause": "account mystore, RateLimitedError, interrupted by _InterruptError",
    }
    assert f"Order {ORDER}, invoice {INVOICE}: " in notes
    if level == logging.INFO:
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        assert record.getMessage().endswith(ends[phase])
    else:
        assert caplog.records == []


@pytest.mark.parametrize("phase", ["attempt", "pause"])
def test_a_cancelled_call_is_logged_in_one_line(phase: str, caplog: pytest.LogCaptureFixture) -> None:
    """Cancelling the task ends the request or the pause before the next one."""
    reached: list[asyncio.Event] = []

    async def answer(_: httpx.Request) -> httpx.Response:
        if phase == "attempt":
            reached[0].set()
            await asyncio.Event().wait()
        return httpx.Response(429, headers={"Retry-After": "60"})

    def report(event: AttemptEvent) -> None:
        if event.retry_in is not None:
            reached[0].set()

    async def scenario() -> None:
        reached.append(asyncio.Event())
        own = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        client = async_client(Recorder(), http_client=own, on_attempt=report, timeout=100)
        task = asyncio.create_task(client.send(UPDATE))
        await reached[0].wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert f"Order {ORDER}, invoice {INVOICE}: " in "".join(caught.value.__notes__)

    with caplog.at_level(logging.INFO, "vtex_tracking_ext"):
        asyncio.run(scenario())
    (message,) = caplog.messages
    assert message.endswith(", interrupted by CancelledError")


@both
def test_an_attempt_is_logged_without_any_hook(
    kind: Any, twin: Callable[..., Twin], caplog: pytest.LogCaptureFixture
) -> None:
    """A successful attempt is logged at INFO if that level is enabled, and not at the default level."""
    client = twin(kind, Recorder())
    client.send(UPDATE)
    assert caplog.messages == []
    with caplog.at_level(logging.INFO, "vtex_tracking_ext"):
        client.send(UPDATE)
    assert [message.partition(",")[0] for message in caplog.messages] == [f"PUT {PATH}: 200"]


@both
def test_an_exception_of_a_hook_is_logged(
    kind: Any, twin: Callable[..., Twin], caplog: pytest.LogCaptureFixture
) -> None:
    """If a hook raises, the update is applied, the other hooks are called and the exception is logged."""
    seen: list[AttemptEvent] = []

    def broken(_: AttemptEvent) -> None:
        raise ValueError("no")

    assert twin(kind, Recorder(), on_attempt=[broken, seen.append]).send(UPDATE).applied is True
    assert len(seen) == 1
    assert "An on_attempt hook raised" in caplog.text


async def later(_: AttemptEvent) -> None:
    """Do nothing; an async function."""


class Later:
    """An object with an async ``__call__``."""

    async def __call__(self, _: AttemptEvent) -> None:
        """Do nothing."""


@both
@pytest.mark.parametrize("hook", [later, Later(), partial(later), Later().__call__])
def test_an_async_hook_is_refused(kind: Any, hook: Any) -> None:
    """An async hook is refused by both clients, because neither would await it."""
    with pytest.raises(ConfigurationError, match="never be awaited"):
        kind(Recorder(), on_attempt=[print, hook])


class _Broken(logging.Filter):
    """A log filter that raises an exception."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Raise an exception."""
        raise ValueError(record.name)


@both
def test_an_exception_of_a_log_filter_is_ignored(kind: Any, twin: Callable[..., Twin]) -> None:
    """If a log filter raises, the hooks are called and the calls return their results."""
    seen: list[AttemptEvent] = []

    def note(event: AttemptEvent) -> None:
        seen.append(event)
        raise ValueError("no")

    broken, log = _Broken(), logging.getLogger("vtex_tracking_ext")
    log.addFilter(broken)
    try:
        client = twin(kind, Recorder(httpx.Response(200, json=RECEIPT), httpx.Response(404)), on_attempt=note)
        assert client.send(UPDATE).applied is True
        assert client.was_applied(UPDATE) is None
    finally:
        log.removeFilter(broken)
    assert len(seen) == 2
