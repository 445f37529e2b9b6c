"""What a status, a header or a body may say: every status, wrong encodings, bombs, hostile text."""

from __future__ import annotations

import gzip
import json
import struct
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext import (
    OutcomeUnknownError,
    RateLimitedError,
    ReadFailedError,
    RefusedError,
    RetryPolicy,
    TrackingReceipt,
)

from wire.calls import HASTY, ORDER, answer, ended, order, receipt, update, within
from wire.server import Server, again, apply, close, flood, read, respond, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.answers import Twin


pytestmark = pytest.mark.both_parsers

#: Peak growth in MiB that one answer may cost, whatever it unpacks to.
_MEMORY = 24


def _expected(status: int) -> bool | None:
    if 200 <= status < 300:
        return True
    return False if (300 <= status < 500 and status != 408) or status == 501 else None


def test_every_status_ends_in_the_truth(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """From 200 to 999, those that nobody registered included, one after the other; order ids hold the status."""
    server = serve(
        [again(read, apply, respond(lambda request: answer(request.order_id, b"{}", "Connection: close")), close)]
    )
    client = make(server.url, retry=HASTY)
    statuses = [*range(200, 210), *range(300, 310), *range(400, 430), 499, *range(500, 512), 520, 598, 599, 600, 999]
    without_waits = [status for status in statuses if status != 429]
    for status in without_waits:
        result = ended(client, update(str(status)))
        assert result.applied is _expected(status), status
        if not isinstance(result, TrackingReceipt):
            assert isinstance(result, RefusedError if result.applied is False else OutcomeUnknownError)
            assert result.status_code == status
    assert [request.order_id for request in server.requests] == [str(status) for status in without_waits]


@pytest.mark.parametrize("status", [204, 205, 304])
def test_a_status_without_a_body_that_has_one(
    make: Callable[..., Twin], serve: Callable[..., Server], status: int
) -> None:
    """What follows is its body or nothing, and never read as the next answer."""
    second = [read, say(answer(200, receipt(number=2))), close]
    server = serve([read, say(answer(status, answer(200, receipt(number=666)))), *second], second)
    client = make(server.url)
    assert ended(client).applied is _expected(status)
    result = ended(client)
    assert result.applied is True
    assert result.receipt == f"{2:032x}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_to_another_origin_carry_nothing_there(
    make: Callable[..., Twin], serve: Callable[..., Server], status: int
) -> None:
    """The other server is never called, with credentials or without, by writes or by reads."""
    other = serve([read, close])
    server = serve([again(read, say(answer(status, b"", f"Location: {other.url}/api/oms/pvt/orders/{ORDER}")))])
    client = make(server.url, retry=HASTY)
    error = ended(client)
    assert isinstance(error, RefusedError)
    assert error.applied is False
    with pytest.raises(RefusedError):
        client.get_packages(ORDER)
    assert other.connections == 0
    assert len(server.requests) == 2


_PAST, _FUTURE = "Wed, 01 Jan 2025 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
_ABSURD = ["-1", "soon", "9" * 400, "\u00b2".encode().decode("latin-1"), "", "1e3", "0x10", "Thu, 99 Foo 2099"]


@pytest.mark.parametrize(
    "lines",
    [*([f"Retry-After: {value}"] for value in _ABSURD), [], ["Retry-After: 1", "Retry-After: 2"], [_PAST]],
    ids=str,
)
def test_an_absurd_retry_after_counts_as_none(
    make: Callable[..., Twin], serve: Callable[..., Server], lines: list[str]
) -> None:
    """The policy's own wait is taken; nothing crashes and nothing sleeps for ever."""
    lines = ["Connection: close", *(line if ":" in line[:12] else f"Retry-After: {line}" for line in lines)]
    server = serve([read, say(answer(429, b"", *lines)), close], [read, apply, say(answer()), close])
    with within(0.5, grace=1):
        result = ended(make(server.url, retry=HASTY))
    assert result.applied is True
    assert result.attempts == 2


@pytest.mark.parametrize("value", ["2", "999999", "1" + "0" * 8, _FUTURE])
def test_a_retry_after_above_the_cap_raises_at_once(
    make: Callable[..., Twin], serve: Callable[..., Server], value: str
) -> None:
    """It stands on the error; nobody sleeps, nobody calls again."""
    server = serve([again(read, say(answer(429, b"", f"Retry-After: {value}")))])
    with within(0.5, grace=1):
        error = ended(make(server.url, retry=RetryPolicy(retry_after_cap=1.9)))
    assert isinstance(error, RateLimitedError)
    assert error.applied is False
    assert error.retry_after is not None
    assert error.retry_after > 1.9
    assert len(server.requests) == 1


_GZIPPED = gzip.compress(receipt())
_ENCODED = {
    "gzip": ("gzip", _GZIPPED),
    "deflate": ("deflate", zlib.compress(receipt())),
    "identity": ("identity", receipt()),
}


@pytest.mark.parametrize(("encoding", "body"), _ENCODED.values(), ids=_ENCODED)
def test_a_known_encoding_is_read(
    make: Callable[..., Twin], serve: Callable[..., Server], encoding: str, body: bytes
) -> None:
    """Whether it was asked for or not."""
    server = serve([read, apply, say(answer(200, body, f"Content-Encoding: {encoding}")), close])
    result = ended(make(server.url))
    assert result.receipt == f"{1:032x}"
    assert result.note is None


_MISENCODED = {
    "gzip that is none": ("gzip", receipt()),
    "gzip that is cut": ("gzip", _GZIPPED[:-12]),
    "gzip with a wrong checksum": ("gzip", _GZIPPED[:-8] + b"\0" * 8),
    "deflate that is none": ("deflate", receipt()),
    "identity that is gzip": ("identity", _GZIPPED),
    "said twice, done once": ("gzip, gzip", _GZIPPED),
    "said once, done twice": ("gzip", gzip.compress(_GZIPPED)),
    "unknown": ("quantum", b"\x00\x01"),
    "brotli that is none": ("br", receipt()),
    "zstandard that is none": ("zstd", receipt()),
    "a hundred layers": (", ".join(["gzip"] * 100), _GZIPPED),
}


@pytest.mark.parametrize(("encoding", "body"), _MISENCODED.values(), ids=_MISENCODED)
def test_a_wrong_encoding_neither_fails_an_accepted_call_nor_hides_a_no(
    make: Callable[..., Twin], serve: Callable[..., Server], encoding: str, body: bytes
) -> None:
    """The status counts. The answer after it is read as usual."""
    header = f"Content-Encoding: {encoding}"
    script = [read, apply, say(answer(200, body, header)), read, say(answer(404, body, header)), close]
    server = serve(script, [read, say(answer(404, body, header)), close])
    client = make(server.url)
    accepted = ended(client)
    assert accepted.applied is True
    assert accepted.receipt in {None, f"{1:032x}"}
    assert (accepted.receipt is None) == bool(accepted.note)
    refused = ended(client)
    assert isinstance(refused, RefusedError)
    assert refused.status_code == 404


def _bomb(size: int) -> bytes:
    """Return a gzip file of ``size`` MiB of zeros, made without unpacking it: equal blocks, one after the other."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = bytes(1 << 20)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(size):
        checksum = zlib.crc32(zeros, checksum)
    end = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS).flush()
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    return head + block * size + end + struct.pack("<II", checksum, (size << 20) & 0xFFFFFFFF)


def test_the_bomb_is_one() -> None:
    """A small one unpacks to what it says."""
    assert gzip.decompress(_bomb(3)) == bytes(3 << 20)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("status", [200, 400])
def test_a_bomb_costs_a_few_mib(
    make: Callable[..., Twin], serve: Callable[..., Server], layers: int, status: int
) -> None:
    """512 MiB of zeros, also packed twice (1 kB or so on the wire): left at the cap, in time and memory."""
    body = _bomb(512)
    if layers == 2:
        body = gzip.compress(body)
    encoding = ", ".join(["gzip"] * layers)
    server = serve([read, apply, say(answer(status, body, f"Content-Encoding: {encoding}")), close])
    client = make(server.url)
    tracemalloc.start()
    try:
        with within(4):
            result = ended(client)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.applied is (status == 200)
    assert peak < _MEMORY << 20, f"{peak >> 20} MiB"


def test_a_huge_body_costs_a_few_mib(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """One that is sent as it is, without an end, on a write and on a read."""
    server = serve([read, apply, say(answer(200, b"", length=-1)), flood(b" " * 65536)])
    client = make(server.url)
    tracemalloc.start()
    try:
        result = ended(client)
        with pytest.raises(ReadFailedError):
            client.get_packages(ORDER)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.applied is True
    assert result.note
    assert peak < _MEMORY << 20, f"{peak >> 20} MiB"


_MESSAGE = "\x1b[2J\u202eevil\x00\u2028<script>=cmd()"
_BODIES = {
    "empty": b"",
    "white space": b" \r\n",
    "HTML": b"<!doctype html><title>Bad gateway</title>",
    "UTF-16": receipt().decode().encode("utf-16"),
    "UTF-16 without a mark": receipt().decode().encode("utf-16-le"),
    "a byte order mark": b"\xef\xbb\xbf" + receipt(),
    "not UTF-8": b'{"orderId": "\xff\xfe", "receipt": "\xc3", "message": "\xa0"}',
    "lone surrogates": b'{"orderId": "\\ud800", "receipt": "\\udfff", "message": "\\ud83d", "error": null}',
    "NUL": b'{"orderId": "\\u0000", "receipt": "\x00"}',
    "a list": b"[1, 2]",
    "text": b'"ok"',
    "null": b"null",
    "a number": b"1" * 5000,
    "not a number": b"NaN",
    "deep": b"[" * 200_000,
    "deep objects": b'{"error":' * 50_000,
    "fields of other types": b'{"date": 1, "orderId": {}, "receipt": [], "error": {"code": [], "message": {}}}',
    "an error inside": json.dumps({"error": {"code": "OMS003", "message": _MESSAGE, "exception": None}}).encode(),
    "problem+json": json.dumps({"title": _MESSAGE, "status": "1", "traceId": _MESSAGE}).encode(),
    "a long message": json.dumps({"error": {"code": "x" * 500_000, "message": _MESSAGE * 40_000}}).encode(),
    "another order": receipt("someone-elses-01"),
    "an absurd date": b'{"date": "9999-99-99T99:99:99+99:99", "orderId": "o-01", "receipt": "1"}',
}


@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize("body", _BODIES.values(), ids=_BODIES)
def test_no_body_hides_what_the_status_says(
    make: Callable[..., Twin], serve: Callable[..., Server], body: bytes, status: int
) -> None:
    """Nothing escapes but a receipt or our own error, in little text that a terminal can show, and in little time."""
    server = serve([read, apply, say(answer(status, body, f"X-Vtex-Error-Message: {'%00%E2%80%AE' * 100}")), close])
    with within(2):
        result = ended(make(server.url, retry=HASTY))
    assert result.applied is _expected(status)
    assert len(server.requests) == 1
    shown = [str(result), repr(result), str(getattr(result, "note", "")), str(getattr(result, "message", ""))]
    for text in shown:
        assert text.isprintable()
        assert len(text) < 3000


@pytest.mark.parametrize("body", [body for name, body in _BODIES.items() if name != "another order"])
def test_a_body_that_is_no_order_is_a_failed_read(
    make: Callable[..., Twin], serve: Callable[..., Server], body: bytes
) -> None:
    """Or, where it calls itself an order, one without packages; never another exception."""
    server = serve([read, say(answer(200, body)), close])
    try:
        packages = make(server.url).get_packages(ORDER)
    except ReadFailedError as error:
        assert str(error).isprintable()  # noqa: PT017 - either end is right
    else:
        assert packages == ()


def test_an_order_is_read(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """The other side of the test above: a good body does arrive."""
    server = serve([read, say(answer(200, order(update("o-01")))), close])
    (package,) = make(server.url).get_packages(ORDER)
    assert package.events[0].description == "Coletado"
