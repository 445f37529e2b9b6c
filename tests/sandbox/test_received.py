"""What the sandbox keeps of requests."""

from __future__ import annotations

import pytest

from vtex_tracking_ext.sandbox.received import HIDDEN, ReceivedRequest, ReceivedRequests, without_credentials

TOKEN = "a-real-token-in-the-wrong-place"


def request(body: bytes = b"", path: str = "/") -> ReceivedRequest:
    """Return a request."""
    return ReceivedRequest("PUT", path, {}, body, 200)


def test_the_oldest_requests_are_removed_above_a_number() -> None:
    """The newest ones stay."""
    received = ReceivedRequests(maxlen=2)
    for path in "abc":
        received.append(request(path=path))
    assert [each.path for each in received] == ["b", "c"]


def test_the_oldest_requests_are_removed_above_a_size() -> None:
    """Large bodies do not fill the memory; after clear(), there is room again."""
    received = ReceivedRequests(max_bytes=100)
    for count in (40, 50, 60):
        received.append(request(b"x" * count, ""))
    assert [len(each.body) for each in received] == [60]
    received.clear()
    for count in (40, 60):
        received.append(request(b"x" * count, ""))
    assert [len(each.body) for each in received] == [40, 60]
    received.append(request(b"x" * 101, ""))
    assert list(received) == []


def test_the_size_counts_everything_that_is_kept() -> None:
    """Path, headers, body and answer."""
    assert ReceivedRequest("PUT", "/ab", {"n": "vv"}, b"1234", 200, b"12345").size == 3 + 3 + 4 + 5


@pytest.mark.parametrize(
    "name", ["x-vtex-api-appkey", "x-vtex-api-apptoken", "vtexidclientautcookie", "authorization", "cookie"]
)
def test_credentials_are_hidden_wherever_they_are(name: str) -> None:
    """A header that carries one is not kept, and its value is hidden in the path, another header, body and answer."""
    kept = without_credentials(
        "PUT", f"/{TOKEN}", {name: TOKEN, "x-copy": TOKEN}, TOKEN.encode(), 400, f"'{TOKEN}'".encode(), 5.0, "500"
    )
    answer = f"'{HIDDEN}'".encode()
    assert kept == ReceivedRequest("PUT", f"/{HIDDEN}", {"x-copy": HIDDEN}, HIDDEN.encode(), 400, answer, 5.0, "500")


def test_a_short_value_is_no_credential() -> None:
    """Otherwise, a header with the value x would hide each x of the body."""
    kept = without_credentials("PUT", "/x", {"x-vtex-api-apptoken": "x"}, b"fix", 401, b"", 0.0, "")
    assert (kept.path, kept.headers, kept.body) == ("/x", {}, b"fix")


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (rb'{"appToken": "a\"b", "events": []}', rb'{"appToken": "(hidden)", "events": []}'),
        (b'{"X-VTEX-API-AppKey":"abc"}', b'{"X-VTEX-API-AppKey":"(hidden)"}'),
        (b'{"Password" : ""}', b'{"Password" : "(hidden)"}'),
        (b'{"trackingNumber": "abc"}', b'{"trackingNumber": "abc"}'),
    ],
)
def test_credentials_in_a_body_are_hidden(body: bytes, kept: bytes) -> None:
    """Some callers send them there, by mistake."""
    assert without_credentials("PUT", "/", {}, body, 400, b"", 0.0, "").body == kept
