"""The error or receipt of each kind of result."""

from __future__ import annotations

import datetime as dt
import json
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtex_tracking_ext import errors
from vtex_tracking_ext.call.answer import Answer
from vtex_tracking_ext.call.faults import Fault
from vtex_tracking_ext.call.outcome import (
    Subject,
    accepted,
    error_of,
    merge_headers,
    parse_retry_after,
    receipt_of,
)

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
WRITE = Subject("send", "PUT", "/path/{orderId}", writes=True)
READ = Subject("get_packages", "GET", "/path/{orderId}", writes=False)
JSON = (("Content-Type", "application/json"),)


def error(status: int, body: Any = b"", headers: tuple[tuple[str, str], ...] = (), subject: Subject = WRITE) -> Any:
    """Return the error for a response."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_of(Answer(status, headers, raw), subject, NOW)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 226, 299])
def test_any_2xx_is_accepted(status: int) -> None:
    """Any 2xx is accepted, even with an incomplete body that is not JSON."""
    assert accepted(Answer(status, body=b"<html>", complete=False))


@pytest.mark.parametrize("result", [Answer(199), Answer(300), Answer(100), Answer(999), Fault("x", sent=True)])
def test_no_other_status_is_accepted(result: Any) -> None:
    """Neither a status next to the range 2xx nor a fault is accepted."""
    assert not accepted(result)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (300, errors.RefusedError),
        (302, errors.RefusedError),
        (400, errors.RefusedError),
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (418, errors.RefusedError),
        (429, errors.RateLimitedError),
        (499, errors.RefusedError),
        (501, errors.RefusedError),
        (100, errors.OutcomeUnknownError),
        (101, errors.OutcomeUnknownError),
        (408, errors.OutcomeUnknownError),
        (500, errors.OutcomeUnknownError),
        (502, errors.OutcomeUnknownError),
        (503, errors.OutcomeUnknownError),
        (520, errors.OutcomeUnknownError),
        (600, errors.OutcomeUnknownError),
        (999, errors.OutcomeUnknownError),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[errors.VtexTrackingError]) -> None:
    """A refused write raises the error of its status as not applied, and any other status an unknown outcome."""
    found = error(status)
    assert type(found) is kind
    assert vars(found)["status_code"] == status
    assert found.applied is (None if kind is errors.OutcomeUnknownError else False)


@pytest.mark.parametrize("status", [408, 500, 520])
def test_a_failed_read_has_changed_nothing(status: int) -> None:
    """A read without a final response raises ReadFailedError, not an unknown outcome."""
    found = error(status, subject=READ)
    assert type(found) is errors.ReadFailedError
    assert found.applied is False


@pytest.mark.parametrize(
    ("subject", "sent", "kind", "applied"),
    [
        (WRITE, False, errors.NotSentError, False),
        (WRITE, True, errors.OutcomeUnknownError, None),
        (READ, False, errors.NotSentError, False),
        (READ, True, errors.ReadFailedError, False),
    ],
)
def test_a_fault_depends_on_whether_bytes_were_sent(subject: Subject, sent: Any, kind: Any, applied: Any) -> None:
    """A fault before the first byte is NotSentError; after it, a write's outcome is unknown and a read has failed."""
    found = error_of(Fault("reset\x1b", sent=sent), subject, NOW)
    assert type(found) is kind
    assert found.applied is applied
    assert r"reset\x1b" in str(found)


def test_the_error_envelope_of_oms_is_read() -> None:
    """Code, message and request id are read from OMS's error envelope and headers."""
    found = error(
        404,
        {"error": {"code": "OMS007", "message": "Invoice Not Found", "exception": None}},
        (("x-vtex-operation-id", "6f0e"), ("X-Track", "stable")),
    )
    assert (found.code, found.message, found.request_id) == ("OMS007", "Invoice Not Found", "6f0e")
    assert found.headers == {"x-vtex-operation-id": "6f0e", "x-track": "stable"}
    assert json.loads(found.body)["error"]["code"] == "OMS007"
    assert str(found) == (
        "404 Invoice Not Found (OMS007, request id 6f0e). "
        "Check the account, the order id and the invoice number; ids differ between accounts."
    )
    assert "x-track" not in repr(found)


def test_problem_json_is_read() -> None:
    """Message and request id are read from problem+json, which newer routes send."""
    found = error(400, {"type": "x", "title": "Bad", "detail": "Bad date", "status": 400, "traceId": "00-ab"})
    assert (found.code, found.message, found.request_id) == (None, "Bad date", "00-ab")
    assert error(400, {"title": "Bad"}).message == "Bad"


def test_error_headers_are_read_if_the_body_is_empty() -> None:
    """Without a body, code and percent-encoded message are read from VTEX's error headers."""
    headers = (("x-vtex-error-code", "OMS003"), ("x-vtex-error-message", "Pedido%20n%C3%A3o%20encontrado"))
    found = error(409, b"", headers)
    assert (found.code, found.message) == ("OMS003", "Pedido n\N{LATIN SMALL LETTER A WITH TILDE}o encontrado")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[1]",
        b"5",
        b'"x"',
        b"null",
        b'{"error": 5}',
        b'{"error": {"code": {}}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_other_bodies_have_no_code_and_no_message(body: bytes) -> None:
    """Code and message are None for HTML, text, an empty body, or JSON of another shape."""
    found = error(400, body)
    assert (found.code, found.message) == (None, None)


def test_a_numeric_code_becomes_text() -> None:
    """A code that VTEX sends as a number becomes text."""
    assert error(400, {"error": {"code": 3, "message": "x"}}).code == "3"


def test_a_hostile_message_is_printable_and_short() -> None:
    """Terminal escapes are escaped, long messages are truncated, and cookies are removed."""
    hostile = "\x1b[31m\u202e\x00" + "x" * 500_000
    found = error(400, {"error": {"code": "\x1b", "message": hostile}}, (("X-Echo", "1"), ("Set-Cookie", "a=b")))
    assert str(found).isprintable()
    assert len(str(found)) < 1000
    assert found.code == r"\x1b"
    assert found.headers == {"x-echo": "1"}


def test_each_error_says_what_happened_and_what_to_do() -> None:
    """The messages of refusals, failed reads and unknown outcomes are worded exactly."""
    assert str(error_of(Answer(404), READ, NOW)) == (
        "404 Not Found. Check the account and the order id; ids differ between accounts."
    )
    assert str(error_of(Answer(400), WRITE, NOW)) == "400 Bad Request."
    assert str(error_of(Answer(520), WRITE, NOW)) == (
        "520. It may have been applied. Read the order before sending it again."
    )
    assert str(error_of(Answer(302), WRITE, NOW)) == (
        "302 Found. Redirects are not followed; check the account and base_url."
    )
    repeated = Answer(401, body=b'{"error": {"code": "401", "message": "Wrong."}}')
    assert str(error_of(repeated, WRITE, NOW)).startswith("401 Wrong. Check the app key")
    failed = error_of(Answer(503), READ, NOW)
    assert str(failed) == "503 Service Unavailable. Nothing was changed."
    assert failed.status_code == 503  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({}, "a minute"), ({"Retry-After": "0"}, "a minute"), ({"Retry-After": "1000000"}, "1000000 s")],
)
def test_the_advice_of_a_429_names_the_wait(headers: dict[str, str], wait: str) -> None:
    """The message of a 429 names the seconds of Retry-After, or a minute without one."""
    found = str(error_of(Answer(429, tuple(headers.items())), WRITE, NOW))
    assert found.endswith(
        f"Too Many Requests. Wait {wait}, then send more slowly; all systems of the merchant share the limit."
    )


def test_the_message_of_an_unsent_request_names_the_server() -> None:
    """The message of NotSentError names the server, and ca_file if the certificate is not trusted."""
    fault = Fault("no connection could be made (ConnectError: x)", sent=False)
    assert str(error_of(fault, WRITE, NOW, "https://mystore.example")) == (
        "not sent to https://mystore.example: no connection could be made (ConnectError: x)."
    )
    unverified = Fault("no connection could be made (ConnectError: CERTIFICATE_VERIFY_FAILED)", sent=False)
    assert str(error_of(unverified, WRITE, NOW)) == (
        "not sent: no connection could be made (ConnectError: CERTIFICATE_VERIFY_FAILED). "
        "To trust another certificate authority, set ca_file."
    )


def test_a_retry_after_date_is_counted_from_the_current_time() -> None:
    """A Retry-After date counts from the current time, with fractions; a date that is not in the future is ignored."""
    soon = (("Retry-After", format_datetime(NOW.replace(microsecond=0) + dt.timedelta(seconds=1), usegmt=True)),)
    half = NOW.replace(microsecond=500_000)
    limited = error_of(Answer(429, soon), WRITE, half)
    assert isinstance(limited, errors.RateLimitedError)
    assert limited.retry_after == 0.5
    now = (("Retry-After", format_datetime(NOW.replace(microsecond=0), usegmt=True)),)
    assert parse_retry_after(now, NOW.replace(microsecond=0)) is None


def test_a_rate_limited_error_has_retry_after() -> None:
    """retry_after has the seconds of the header, or None without it."""
    assert error(429, headers=(("Retry-After", "7"),)).retry_after == 7
    assert error(429).retry_after is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 5 ", 5.0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 12:00:30", 30.0),
        ("Mon, 23 Nov 2026 11:59:00 GMT", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("9" * 400, None),
        ("\N{SUPERSCRIPT TWO}", None),
        ("\N{ARABIC-INDIC DIGIT TWO}", None),
        ("Mon, 99 Nov 99999 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_parsed_or_ignored(value: str, expected: float | None) -> None:
    """Seconds and future dates are parsed; any other value counts as absent."""
    assert parse_retry_after((("retry-after", value),), NOW) == expected


def test_contradictory_retry_after_headers_are_ignored() -> None:
    """Two different Retry-After headers count as absent; two equal ones count as one."""
    assert parse_retry_after((("Retry-After", "1"), ("retry-after", "2")), NOW) is None
    assert parse_retry_after((("Retry-After", "1"), ("retry-after", "1")), NOW) == 1


@given(st.lists(st.text(), max_size=3))
def test_any_retry_after_is_a_finite_delay_or_none(values: list[str]) -> None:
    """For any header values, the delay is finite and not negative, or None."""
    found = parse_retry_after([("Retry-After", value) for value in values], NOW)
    assert found is None or 0 <= found < 10**12


@given(
    st.integers(100, 999),
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda s: st.lists(s) | st.dictionaries(st.text() | st.sampled_from(["error", "code", "message", "title"]), s),
    ).map(lambda v: json.dumps(v).encode()),
    st.lists(st.tuples(st.text(), st.text()), max_size=3),
    st.booleans(),
)
def test_every_response_has_a_printable_error(
    status: int,
    body: bytes,
    headers: list[tuple[str, str]],
    writes: bool,
) -> None:
    """Any status, body and headers give an error of this package with a printable message."""
    answer = Answer(status, tuple(headers), body)
    found = error_of(answer, Subject("send", "PUT", "/x", writes=writes), NOW)
    assert isinstance(found, errors.VtexTrackingError)
    assert str(found).isprintable()


RECEIPT = {
    "date": "2017-03-29T18:04:31.0521233+00:00",
    "orderId": "v1-01",
    "receipt": "f67d33a8029c42ce9a8f07fc17f54449",
}


def received(**changes: object) -> Answer:
    """Return an answer with a receipt that has other values."""
    return Answer(200, body=json.dumps({**RECEIPT, **changes}).encode())


def test_a_receipt_is_read() -> None:
    """All fields of a receipt are read; of the seven fraction digits, Python keeps six."""
    receipt = receipt_of(Answer(200, JSON, json.dumps(RECEIPT).encode()), "v1-01", 2)
    assert receipt.date == dt.datetime(2017, 3, 29, 18, 4, 31, 52123, tzinfo=dt.UTC)
    assert (receipt.order_id, receipt.receipt) == ("v1-01", RECEIPT["receipt"])
    assert (receipt.applied, receipt.attempts, receipt.note) == (True, 2, None)
    assert receipt.headers == {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (Answer(200, body=b"<html>"), "no readable receipt in the response (200, 6 bytes)"),
        (Answer(204), "no readable receipt in the response (204, 0 bytes)"),
        (Answer(200, complete=False), "the response was cut off; no readable receipt in the response (200, 0 bytes)"),
        (received(receipt=5), "no readable receipt in the response (200, 79 bytes)"),
        (received(orderId="v2-01"), "the response names order v2-01"),
    ],
)
def test_an_unusual_response_adds_a_note_to_the_receipt(answer: Answer, note: str) -> None:
    """A 2xx response without a usable receipt still counts as applied, and the note says what is unusual."""
    receipt = receipt_of(answer, "v1-01", 1)
    assert receipt.applied is True
    assert receipt.note == note


def test_an_invalid_date_in_a_receipt_is_none() -> None:
    """A receipt with an invalid date has the date None and no note."""
    receipt = receipt_of(received(date="soon"), "v1-01", 1)
    assert receipt.date is None
    assert receipt.note is None


def test_repeated_headers_are_joined() -> None:
    """Headers with the same name in any case are joined with a comma."""
    assert merge_headers((("A", "1"), ("a", "2"))) == {"a": "1, 2"}
