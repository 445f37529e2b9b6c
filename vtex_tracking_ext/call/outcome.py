"""Decide what the result of a request means: a receipt, or one typed error. Pure.

An update adds events, and VTEX has no idempotency key, so every error must tell whether the update was applied. Any
2xx means yes. A refusal, or a fault before the first byte was sent, means no. Every other result means unknown.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar
from urllib.parse import unquote

from attrs import field, frozen
from vtex_oms_client.models import FeedConfiguration, Order, OrderList, Receipt

from vtex_tracking_ext.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    ReadFailedError,
    RefusedError,
    VtexTrackingError,
)
from vtex_tracking_ext.events import TrackingReceipt
from vtex_tracking_ext.text import visible

from .answer import Answer
from .faults import Fault, raise_interruption

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vtex_tracking_ext.errors import Operation

M = TypeVar("M", FeedConfiguration, Order, OrderList, Receipt)

#: Headers with an id by which VTEX's support can find a request, most useful first.
_REQUEST_ID_HEADERS = ("x-vtex-operation-id", "x-request-id", "x-vtex-janus-request-id")

_REFUSALS: Mapping[int, tuple[type[RefusedError], str]] = {
    401: (AuthenticationError, "Check the app key and token; a user token expires after 24 hours"),
    403: (PermissionDeniedError, "The merchant must grant the key a role with the resource {resource}"),
    404: (NotFoundError, "Check the account, the order id and the invoice number; ids differ between accounts"),
    409: (
        ConflictError,
        "Check the order's state, and that the invoice has a tracking number (vtex-tracking set-tracking-number)",
    ),
    429: (RateLimitedError, "Wait {wait}, then send more slowly; all systems of the merchant share the limit"),
}

#: In OpenSSL's message about a certificate that is not trusted.
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"


@frozen
class Subject:
    """What a call is about.

    Attributes:
        operation: Name of the client's method that makes such calls.
        method: HTTP method.
        path: Path template of openapi.yaml, such as ``/api/oms/pvt/orders/{orderId}``.
        writes: Whether the operation changes data at VTEX.
        order_id: The order, or None if the operation is not about one.
        invoice_number: The invoice, or None if the operation is not about one.
        advice: What to do after a refusal with a status, where that differs from the operations on one order.
        if_unknown: What to do if the outcome is unknown, as a sentence without a full stop.
        repeats: Whether a change with an unknown outcome is sent again; None leaves that to ``on_unknown``.
    """

    operation: Operation
    method: str
    path: str
    writes: bool
    order_id: str | None = None
    invoice_number: str | None = None
    advice: Mapping[int, str] = field(factory=dict, hash=False)
    if_unknown: str = "Read the order before sending it again"
    repeats: bool | None = None


def accepted(result: Answer | Fault) -> TypeGuard[Answer]:
    """Tell whether a write was applied, or a read answered: the status is 2xx, whatever the body contains."""
    return isinstance(result, Answer) and HTTPStatus.OK <= result.status < HTTPStatus.MULTIPLE_CHOICES


def error_of(result: Answer | Fault, subject: Subject, now: dt.datetime, server: str = "") -> VtexTrackingError:
    """Return the error for a result that is not :func:`accepted`. Its message does not name the order and the outcome.

    Args:
        result: The response, or the fault that prevented one.
        subject: The operation that was called.
        now: The current time, with a time zone, for a ``Retry-After`` that is a date.
        server: URL of the server, for the message if nothing was sent.
    """
    if isinstance(result, Fault):
        return _fault_error(result, subject, server)
    details = _error_details(result)
    summary = _summary(details)
    if not _is_refusal(result.status):
        if subject.writes:
            return OutcomeUnknownError(_unknown(summary, subject), **details)
        return ReadFailedError(not_read(summary), **details)
    kind, advice = _REFUSALS.get(result.status, (RefusedError, ""))
    seconds = parse_retry_after(result.headers, now)
    if result.status in subject.advice:
        advice = subject.advice[result.status]
    elif kind is NotFoundError and not subject.writes:
        advice = "Check the account and the order id; ids differ between accounts"
    elif kind is PermissionDeniedError:
        advice = advice.format(resource="Notify invoice" if subject.writes else "View order")
    elif kind is RateLimitedError:
        advice = advice.format(wait=f"{math.ceil(seconds)} s" if seconds else "a minute")
    elif result.status < HTTPStatus.BAD_REQUEST:
        advice = "Redirects are not followed; check the account and base_url"
    error = kind(f"{summary}{advice and f'. {advice}'}.", **details)
    if isinstance(error, RateLimitedError):
        error.retry_after = seconds
    return error


def _is_refusal(status: int) -> bool:
    """Tell whether a status means that nothing was applied: 3xx, 4xx except 408, or 501."""
    is_client_error = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return (is_client_error and status != HTTPStatus.REQUEST_TIMEOUT) or status == HTTPStatus.NOT_IMPLEMENTED


def _fault_error(fault: Fault, subject: Subject, server: str) -> VtexTrackingError:
    reason = visible(fault.reason)
    if not fault.sent:
        to = f" to {server}" if server else ""
        advice = " To trust another certificate authority, set ca_file." if _UNTRUSTED in fault.reason else ""
        return NotSentError(f"not sent{to}: {reason}.{advice}")
    if not subject.writes:
        return ReadFailedError(not_read(reason))
    return OutcomeUnknownError(_unknown(reason, subject))


def not_read(reason: str) -> str:
    """Return the message of a read that failed."""
    return f"{reason}. Nothing was changed."


def _unknown(reason: str, subject: Subject) -> str:
    return f"{reason}. It may have been applied. {subject.if_unknown}."


def _error_details(answer: Answer) -> dict[str, Any]:
    """Return the keyword arguments for an error, from wherever VTEX and its gateways put them.

    The sources are OMS's error envelope or problem+json in the body, and headers.
    """
    body = answer.body.decode("utf-8", "replace")
    headers = merge_headers(answer.headers)
    fields = _error_fields(body)
    return {
        "status_code": answer.status,
        "code": _visible_or_none(fields.get("code") or headers.get("x-vtex-error-code")),
        "message": _visible_or_none(fields.get("message") or unquote(headers.get("x-vtex-error-message", ""))),
        "request_id": _visible_or_none(request_id_of(answer.headers) or fields.get("request_id")),
        "headers": headers,
        "body": body,
    }


def _error_fields(body: str) -> dict[str, str]:
    """Return code, message and request id of OMS's error envelope or of problem+json; empty for any other body."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as unreadable:
        raise_interruption(unreadable)
        return {}
    if not isinstance(document, dict):
        return {}
    error = document.get("error")
    source = error if isinstance(error, dict) else document
    fields = {
        "code": source.get("code"),
        "message": source.get("message") or source.get("detail") or source.get("title"),
        "request_id": document.get("traceId"),
    }
    return {name: str(value) for name, value in fields.items() if isinstance(value, str | int)}


def _summary(details: Mapping[str, Any]) -> str:
    """Return a response in one line: ``404 order not found (OMS001, request id 6f0e)``."""
    status, request_id = details["status_code"], details["request_id"]
    message = (details["message"] or "").rstrip(" .")
    if not message and status in set(HTTPStatus):  # 520, for example, is not: only gateways use it
        message = HTTPStatus(status).phrase
    code = "" if details["code"] == str(status) else details["code"]
    ids = ", ".join(filter(None, [code, request_id and f"request id {request_id}"]))
    return f"{status}{message and f' {message}'}{ids and f' ({ids})'}"


def request_id_of(pairs: Iterable[tuple[str, str]]) -> str | None:
    """Return the id by which VTEX's support can find a request, or None if no header contains one."""
    headers = {name.lower(): value for name, value in pairs}
    return next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)


def merge_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by lower-case name, with duplicates joined by a comma and without ``Set-Cookie``."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        if key != "set-cookie":
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def _visible_or_none(text: str | None) -> str | None:
    return visible(text) if text else None


def parse_retry_after(headers: Iterable[tuple[str, str]], now: dt.datetime) -> float | None:
    """Return the delay in ``Retry-After`` in seconds, or None if it is absent, invalid or contradictory.

    Args:
        headers: Response headers, with duplicates.
        now: The current time, with a time zone, from which a date is counted.
    """
    values = {value.strip() for name, value in headers if name.lower() == "retry-after"}
    if len(values) != 1:
        return None
    (value,) = values
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError, IndexError, TypeError) as error:
        raise_interruption(error)
        return None
    seconds = (date.replace(tzinfo=date.tzinfo or dt.UTC) - now).total_seconds()
    return seconds if seconds > 0 else None


def parse(answer: Answer, model: type[M]) -> M | None:
    """Return a response's body as a generated model, or None if the body is incomplete or of another shape."""
    if not answer.complete:
        return None
    try:
        return model.from_dict(json.loads(answer.body))
    except Exception as error:  # noqa: BLE001 - the generated parser may raise anything for a body of another shape
        raise_interruption(error)
        return None


def receipt_of(answer: Answer, order_id: str, attempts: int) -> TrackingReceipt:
    """Return the receipt of an accepted change, with a note if the response is unusual.

    Args:
        answer: A 2xx response.
        order_id: Id of the order that was changed.
        attempts: Number of requests that were begun.
    """
    parsed = parse(answer, Receipt)
    fields = (None, None, None) if parsed is None else (parsed.date, parsed.order_id, parsed.receipt)
    date, shown_order, receipt = [visible(each) if isinstance(each, str) and each else None for each in fields]
    notes = []
    if not answer.complete:
        notes.append("the response was cut off")
    if not (receipt and shown_order):
        notes.append(f"no readable receipt in the response ({answer.status}, {len(answer.body)} bytes)")
    elif shown_order != order_id:
        notes.append(f"the response names order {shown_order}")
    return TrackingReceipt(
        date=timestamp(date),
        order_id=shown_order,
        receipt=receipt,
        headers=merge_headers(answer.headers),
        attempts=attempts,
        note="; ".join(notes) or None,
    )


def timestamp(text: str | None) -> dt.datetime | None:
    """Parse ISO 8601; of the seven fraction digits that VTEX sends, Python keeps six. None for any other text."""
    try:
        return dt.datetime.fromisoformat(text or "")
    except ValueError as error:
        raise_interruption(error)
        return None
