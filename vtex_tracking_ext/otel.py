"""Spans for OpenTelemetry, one a call. Needs the extra ``otel``; nothing imports it unless you do.

::

    from vtex_tracking_ext.otel import SpanHook

    client = TrackingClient("mystore", ..., on_attempt=SpanHook())

Attributes follow OpenTelemetry's semantic conventions for HTTP clients. Ids of orders and invoices are not among them:
``url.template`` stands for the address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from opentelemetry import trace

if TYPE_CHECKING:
    import datetime as dt

    from .events import AttemptEvent

_PORTS: Final = {"http": 80, "https": 443}


class SpanHook:
    """An ``on_attempt`` hook that ends each call in a span, from its first try to its last.

    The span's parent is the span that is current where the call is made.

    Args:
        tracer: Where spans go; by default to the global tracer provider.
    """

    def __init__(self, tracer: trace.Tracer | None = None) -> None:
        self._tracer = trace.get_tracer("vtex_tracking_ext") if tracer is None else tracer

    def __call__(self, event: AttemptEvent) -> None:
        """Make the span of a call whose last try has ended."""
        if event.retry_in is not None:
            return
        span = self._tracer.start_span(
            f"{event.method} {event.path}",
            kind=trace.SpanKind.CLIENT,
            attributes=attributes_of(event),
            start_time=_nanoseconds(event.call_started),
        )
        if event.error is not None:
            # Its words are a server's, and may name an order; the kind of error says what happened.
            span.set_status(trace.StatusCode.ERROR)
        span.end(_nanoseconds(event.started) + round(event.seconds * 1e9))


def attributes_of(event: AttemptEvent) -> dict[str, Any]:
    """Return the attributes of a call's span."""
    server = urlsplit(event.server)
    attributes: dict[str, Any] = {
        "http.request.method": event.method,
        "server.address": server.hostname,
        "server.port": server.port or _PORTS[server.scheme],
        "url.scheme": server.scheme,
        "url.template": event.path,
    }
    if event.attempt > 1:
        attributes["http.request.resend_count"] = event.attempt - 1
    if event.status_code is not None:
        attributes["http.response.status_code"] = event.status_code
    if event.request_id is not None:
        attributes["vtex.request_id"] = event.request_id
    if event.error is not None:
        attributes["error.type"] = type(event.error).__name__
        attributes["vtex_tracking.applied"] = {True: "yes", False: "no", None: "unknown"}[event.error.applied]
    return attributes


def _nanoseconds(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1e6) * 1000
