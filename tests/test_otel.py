"""OpenTelemetry spans."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from vtex_tracking_ext import OutcomeUnknownError, TrackingUpdate
from vtex_tracking_ext.otel import SpanHook

from support.answers import APP_TOKEN, INVOICE, ORDER, RECEIPT, Recorder, Twin, async_client, sync_client

if TYPE_CHECKING:
    from collections.abc import Callable

UPDATE = TrackingUpdate(ORDER, INVOICE, is_delivered=True)
PATH = "/api/oms/pvt/orders/{orderId}/invoice/{invoiceNumber}/tracking"
both = pytest.mark.parametrize("kind", [sync_client, async_client])

COMMON = {
    "http.request.method": "PUT",
    "server.address": "mystore.vtexcommercestable.com.br",
    "server.port": 443,
    "url.scheme": "https",
    "url.template": PATH,
}


@pytest.fixture
def exported() -> tuple[Any, InMemorySpanExporter]:
    """Return a tracer and where its spans go."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("tests"), exporter


@both
def test_a_call_is_one_span_whatever_its_number_of_attempts(
    kind: Any, twin: Callable[..., Twin], exported: tuple[Any, InMemorySpanExporter]
) -> None:
    """A retried call is one span below the caller's span, with the standard attributes."""
    tracer, exporter = exported
    ok = httpx.Response(200, json=RECEIPT, headers={"x-vtex-operation-id": "6f0e"})
    client = twin(kind, Recorder(httpx.Response(429, headers={"Retry-After": "0"}), ok), on_attempt=SpanHook(tracer))
    with tracer.start_as_current_span("webhook") as parent:
        client.send(UPDATE)
    span, _ = exporter.get_finished_spans()
    assert (span.name, span.kind, span.status.status_code) == (f"PUT {PATH}", SpanKind.CLIENT, StatusCode.UNSET)
    assert span.parent is not None
    assert span.parent.span_id == parent.get_span_context().span_id
    assert dict(span.attributes or {}) == {
        **COMMON,
        "http.request.resend_count": 1,
        "http.response.status_code": 200,
        "vtex.request_id": "6f0e",
    }
    assert (span.start_time or 0) <= (span.end_time or 0)


@both
def test_a_failed_call_is_a_span_with_its_error_type(
    kind: Any, twin: Callable[..., Twin], exported: tuple[Any, InMemorySpanExporter]
) -> None:
    """A failed call is a span with the error's type and whether it was applied, without ids and credentials."""
    tracer, exporter = exported
    client = twin(kind, Recorder(httpx.ReadTimeout(APP_TOKEN)), on_attempt=[SpanHook(tracer)])
    with pytest.raises(OutcomeUnknownError):
        client.send(UPDATE)
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert dict(span.attributes or {}) == {
        **COMMON,
        "error.type": "OutcomeUnknownError",
        "vtex_tracking.applied": "unknown",
    }
    assert [text for text in (ORDER, INVOICE, APP_TOKEN) if text in span.to_json()] == []


def test_opentelemetry_is_imported_only_when_used() -> None:
    """A client does not import OpenTelemetry; a hook without a tracer uses the global one."""
    code = (
        "import sys, vtex_tracking_ext.client; assert 'opentelemetry' not in sys.modules; "
        "from vtex_tracking_ext.otel import SpanHook; SpanHook()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
