"""OpenTelemetry spans, one for each call. Needs the extra ``otel``; only your code imports this module.

::

    from vtex_tracking_ext.otel import SpanHook

    client = TrackingClient("mystore", ..., on_attempt=SpanHook())

The attributes follow OpenTelemetry's semantic conventions for HTTP client spans. They contain no order id and no
invoice number: the path is reported as ``url.template``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from opentelemetry import trace

if TYPE_CHECKING:
    import datetime as dt

    from .events import AttemptEvent

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class SpanHook:
    """An ``on_attempt`` hook that records each call as one span, from its first attempt to its last.

    The span's parent is the span that is current where the call is made.

    Args:
        tracer: Makes the spans; by default, a tracer of the global tracer provider.
    """

    def __init__(self, tracer: trace.Tracer | None = None) -> None:
        self._tracer = trace.get_tracer("vtex_tracking_ext") if tracer is None else tracer

    def __call__(self, event: AttemptEvent) -> None:
        """Record the span, if this was the call's last attempt."""
        if event.retry_in is not None:
            return
        span = self._tracer.start_span(
            f"{event.method} {event.path}",
            kind=trace.SpanKind.CLIENT,
            attributes=span_attributes(event),
            start_time=_nanoseconds(event.call_started),
        )
        if event.error is not None:
            # No description: the error's message may name the order. The attribute error.type says what happened.
            span.set_status(trace.StatusCode.ERROR)
        span.end(_nanoseconds(event.started) + round(event.seconds * 1e9))


def span_attributes(event: AttemptEvent) -> dict[str, Any]:
    """Return the attributes of the span that an attempt ends."""
    server = urlsplit(event.server)
    attributes: dict[str, Any] = {
        "http.request.method": event.method,
        "server.address": server.hostname,
        "server.port": server.port or _DEFAULT_PORTS[server.scheme],
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
