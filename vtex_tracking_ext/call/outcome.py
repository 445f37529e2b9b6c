"""What happened to a call: an answer or a fault becomes nothing (accepted) or one typed, true error. Pure.

The rule behind it: a tracking update adds events and VTEX has no idempotency key, so what matters is not
whether the call raised but whether it was applied. A fault before the first byte left, and a definite no,
mean it was not. Any 2xx means it was. Everything else means that nobody knows.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from attrs import asdict, field, frozen
from vtex_oms_client.models import Order, Receipt

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

from .faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

M = TypeVar("M", Order, Receipt)

REQUEST_TIMEOUT = 408
TOO_MANY_REQUESTS = 429
NOT_IMPLEMENTED = 501

#: Headers that carry an id under which VTEX can find the call, the most useful first.
_REQUEST_ID_HEADERS = ("x-vtex-operation-id", "x-request-id", "x-vtex-janus-request-id")

_REFUSALS: Mapping[int, tuple[type[RefusedError], str]] = {
    401: (AuthenticationError, "Check the app key and token, or renew the user token (it lives 24 hours)"),
    403: (
        PermissionDeniedError,
        "The merchant must grant the key a role with the resource Notify invoice to write, View order to read",
    ),
    404: (NotFoundError, "Check the account, the order id and the invoice number: each account has its own"),
    409: (ConflictError, "Look at the order's state, and whether the invoice has a tracking number"),
    TOO_MANY_REQUESTS: (RateLimitedError, "Stop, wait {wait}, and spread the load: the limit is shared"),
}

#: OpenSSL's word for a certificate that proves nothing.
_NOT_VERIFIED = "CERTIFICATE_VERIFY_FAILED"


@frozen
class Answer:
    """What the server said, credentials taken out of it.

    Attributes:
        status: The HTTP status, whatever number it is.
        headers: Name and value pairs as they came, repeats included.
        body: The decoded body, as far as it came.
        complete: Whether the body came whole, decoded well and stayed under the size cap.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    complete: bool = True


@frozen
class Subject:
    """What a call is about, for messages.

    Attributes:
        method: HTTP method.
        path: Path template of openapi.yaml, such as ``/api/oms/pvt/orders/{orderId}``.
        writes: Whether it changes anything at VTEX.
    """

    method: str
    path: str
    writes: bool

    @property
    def line(self) -> str:
        """Return method and path template."""
        return f"{self.method} {self.path}"


def accepted(result: Answer | Fault) -> bool:
    """Tell whether the call was applied (a write) or answered (a read): any 2xx, whatever its body says."""
    return isinstance(result, Answer) and HTTPStatus.OK <= result.status < HTTPStatus.MULTIPLE_CHOICES


def error_of(result: Answer | Fault, subject: Subject, now: dt.datetime, server: str = "") -> VtexTrackingError:
    """Return the error that tells the truth about a result that is not :func:`accepted`.

    Args:
        result: What came, or why nothing did.
        subject: What the call was about.
        now: The current time, aware, for a ``Retry-After`` that is a date.
        server: Address of the server, which is named where it was not reached.
    """
    if isinstance(result, Fault):
        return _fault_error(result, subject, server)
    story = Story.of(result)
    if _is_definite_no(result.status):
        kind, advice = _REFUSALS.get(result.status, (RefusedError, ""))
        seconds = retry_after(result.headers, now)
        if kind is NotFoundError and not subject.writes:
            advice = "Check the account and the order id: each account has its own"
        elif kind is RateLimitedError:
            advice = advice.format(wait=f"{math.ceil(seconds)} s" if seconds else "a minute")
        elif result.status < HTTPStatus.BAD_REQUEST:
            advice = "No redirect is followed; check the account and base_url"
        error: _Answered = kind(f"{subject.line} was refused: {story}{advice and f'. {advice}'}.", **story.facts())
        if isinstance(error, RateLimitedError):
            error.retry_after = seconds
        return error
    if not subject.writes:
        return ReadFailedError(f"{subject.line} failed: {story}. Nothing was changed.", **story.facts())
    return OutcomeUnknownError(
        f"{subject.line} may have been applied or not: {story}. Read the order before sending again.", **story.facts()
    )


_Answered = RefusedError | ReadFailedError | OutcomeUnknownError


def _is_definite_no(status: int) -> bool:
    client_side = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return (client_side and status != REQUEST_TIMEOUT) or status == NOT_IMPLEMENTED


def _fault_error(fault: Fault, subject: Subject, server: str) -> VtexTrackingError:
    reason = visible(fault.reason)
    if not fault.sent:
        to = f" to {server}" if server else ""
        advice = " Name a certificate authority of your own with ca_file." if _NOT_VERIFIED in fault.reason else ""
        return NotSentError(f"{subject.line} was not sent{to}: {reason}.{advice}")
    if not subject.writes:
        return ReadFailedError(f"{subject.line} got no answer: {reason}. Nothing was changed.")
    return OutcomeUnknownError(
        f"{subject.line} got no answer: {reason}. It may have been applied; read the order before sending again."
    )


@frozen
class Story:
    """The facts of an answer, fit for messages: credentials out, and nothing a terminal could choke on."""

    status_code: int
    code: str | None
    message: str | None
    request_id: str | None
    headers: dict[str, str]
    body: str

    @classmethod
    def of(cls, answer: Answer) -> Story:
        """Collect them from wherever VTEX and its gateways put them: envelope, problem+json or headers."""
        body = answer.body.decode("utf-8", "replace")
        headers = safe_headers(answer.headers)
        envelope = _envelope(body)
        message = envelope.get("message") or unquote(headers.get("x-vtex-error-message", ""))
        identifier = request_id_of(answer.headers)
        return cls(
            status_code=answer.status,
            code=_shown(envelope.get("code") or headers.get("x-vtex-error-code")),
            message=_shown(message),
            request_id=_shown(identifier or envelope.get("request_id")),
            headers=headers,
            body=body,
        )

    def facts(self) -> dict[str, Any]:
        """Return them as keyword arguments of an error."""
        return asdict(self)

    def __str__(self) -> str:
        try:
            phrase = f" {HTTPStatus(self.status_code).phrase}"
        except ValueError:  # 520 and the like, which gateways invent
            phrase = ""
        said = " ".join(part for part in (self.code, self.message and f"'{self.message}'") if part)
        request = f" (request id {self.request_id})" if self.request_id else ""
        return f"{self.status_code}{phrase}{said and f', {said}'}{request}"


def request_id_of(pairs: Iterable[tuple[str, str]]) -> str | None:
    """Return the id under which VTEX can find a request, or None where the answer tells none."""
    headers = {name.lower(): value for name, value in pairs}
    return next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)


def safe_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by lower-case name, repeats joined by a comma, cookies removed."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        if key != "set-cookie":
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def _envelope(body: str) -> dict[str, str]:
    """Return code, message and request id of OMS's envelope or of problem+json; total over any text."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    inner = document.get("error")
    source = inner if isinstance(inner, dict) else document
    found = {
        "code": source.get("code"),
        "message": source.get("message") or source.get("detail") or source.get("title"),
        "request_id": document.get("traceId"),
    }
    return {name: str(value) for name, value in found.items() if isinstance(value, str | int)}


def _shown(text: str | None) -> str | None:
    return visible(text) if text else None


def retry_after(headers: Iterable[tuple[str, str]], now: dt.datetime) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait, or None where it is absent, absurd or contradictory.

    Args:
        headers: The answer's headers, repeats included.
        now: The current time, aware, against which a date is held.
    """
    values = {value.strip() for name, value in headers if name.lower() == "retry-after"}
    if len(values) != 1:
        return None
    (value,) = values
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    seconds = (date.replace(tzinfo=date.tzinfo or dt.UTC) - now).total_seconds()
    return seconds if seconds > 0 else None


def parse(answer: Answer, model: type[M]) -> M | None:
    """Return the body of an answer as a generated model, or None if the body is incomplete or of another shape."""
    if not answer.complete:
        return None
    try:
        return model.from_dict(json.loads(answer.body))
    except Exception:  # noqa: BLE001 - the generated parser may raise anything for a body of another shape
        return None


def receipt_of(answer: Answer, order_id: str, attempts: int) -> TrackingReceipt:
    """Return the receipt of an accepted change, with a note if the answer is unusual.

    Args:
        answer: A 2xx answer.
        order_id: The order that the call was about.
        attempts: The number of requests that were begun.
    """
    parsed = parse(answer, Receipt)
    fields = (None, None, None) if parsed is None else (parsed.date, parsed.order_id, parsed.receipt)
    date, shown_order, receipt = [visible(each) if isinstance(each, str) and each else None for each in fields]
    notes = []
    if not answer.complete:
        notes.append("the answer broke off")
    if not (receipt and shown_order):
        notes.append(f"no readable receipt in the answer ({answer.status}, {len(answer.body)} bytes)")
    elif shown_order != order_id:
        notes.append(f"the answer speaks of order {shown_order}")
    return TrackingReceipt(
        date=_timestamp(date),
        order_id=shown_order,
        receipt=receipt,
        headers=safe_headers(answer.headers),
        attempts=attempts,
        note="; ".join(notes) or None,
    )


def _timestamp(text: str | None) -> dt.datetime | None:
    """Read VTEX's ISO 8601 with seven fraction digits, of which Python keeps six."""
    try:
        return dt.datetime.fromisoformat(text or "")
    except ValueError:
        return None
