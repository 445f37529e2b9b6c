"""OpenTelemetry's instrumentation of httpx, and the package's own spans: what docs/how-to/tracing.md says."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import httpx
import pytest
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from vtex_tracking_ext.otel import SpanHook

from wire.calls import OK, ended
from wire.server import again, apply, read, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.answers import Twin
    from wire.server import Server


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Instrument httpx during a test, and return the exporter of its spans."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        yield exporter
    finally:
        instrumentor.uninstrument()


def test_instrumentation_does_not_observe_our_own_connections(
    make: Callable[..., Twin], serve: Callable[..., Server], spans: InMemorySpanExporter
) -> None:
    """Two calls use one connection, so that nobody pays a TLS handshake for each call, and give no span."""
    server = serve([again(read, apply, say(OK))])
    client = make(server.url)
    assert ended(client).applied is True
    assert ended(client).applied is True
    assert server.connections == 1
    assert spans.get_finished_spans() == ()


def test_instrumentation_observes_a_callers_client_at_a_connection_for_each_request(
    make: Callable[..., Twin], serve: Callable[..., Server], spans: InMemorySpanExporter
) -> None:
    """Each request gives a span named after its method."""
    server = serve([read, apply, say(OK)], [read, apply, say(OK)])
    client = make(server.url, own={})
    assert ended(client).applied is True
    assert ended(client).applied is True
    assert server.connections == 2
    assert [span.name for span in spans.get_finished_spans()] == ["PUT", "PUT"]


def test_span_hook_gives_a_span_for_each_call(
    make: Callable[..., Twin], serve: Callable[..., Server], spans: InMemorySpanExporter
) -> None:
    """It is not affected by the instrumentation, and the connection is used again."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    server = serve([again(read, apply, say(OK))])
    client = make(server.url, on_attempt=SpanHook(provider.get_tracer("tests")))
    assert ended(client).applied is True
    assert ended(client).applied is True
    assert server.connections == 1
    path = "/api/oms/pvt/orders/{orderId}/invoice/{invoiceNumber}/tracking"
    assert [span.name for span in spans.get_finished_spans()] == [f"PUT {path}"] * 2


def test_instrumentation_over_a_test_tool_does_not_hide_the_tool(
    make: Callable[..., Twin], serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tool that replaced the transport before the instrumentation wrapped it still receives the requests."""
    server = serve([again(read, apply, say(OK))])
    sync, asynchronous = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request

    @functools.wraps(sync)
    def answer(*_: object) -> httpx.Response:
        return httpx.Response(404)

    @functools.wraps(asynchronous)
    async def answer_async(*_: object) -> httpx.Response:
        return httpx.Response(404)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", answer)
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer_async)
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=TracerProvider())
    try:
        assert ended(make(server.url)).applied is False
    finally:
        instrumentor.uninstrument()
    assert server.requests == []
