"""Connections that break, answers that lie about their length, and bytes that are no HTTP at all."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import (
    AttemptEvent,
    NotSentError,
    OutcomeUnknownError,
    ReadFailedError,
    RefusedError,
    TrackingEvent,
    TrackingUpdate,
)

from wire.calls import GRACE, HASTY, INVOICE, OK, ORDER, answer, ended, receipt, within
from wire.server import (
    Server,
    apply,
    close,
    flood,
    half_close,
    read,
    read_body,
    read_head,
    reset,
    say,
    until_gone,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.answers import Twin


pytestmark = pytest.mark.both_parsers

_HEAD = b"HTTP/1.1 200 OK\r\n"
_NO_ANSWER = {
    "reset after the head": [read_head, reset],
    "reset after the body": [read, reset],
    "reset after applying": [read, apply, reset],
    "closed after the head": [read_head, close],
    "closed after the body": [read, close],
    "half-closed after the body": [read, apply, half_close, until_gone],
    "reset within the status line": [read, apply, say(b"HTTP/1.1 2"), reset],
    "closed within the status line": [read, apply, say(b"HTTP/1.1 200"), close],
    "closed within the headers": [read, apply, say(_HEAD + b"Content-Length: 10\r\n"), close],
    "only white space": [read, apply, say(b"\r\n\r\n"), close],
    "not HTTP": [read, apply, say(b"\x00\xff\x13\x37" * 50 + b"\r\n\r\n"), close],
    "HTTP/0.9": [read, apply, say(b"<html>fine</html>\n"), close],
    "an HTTP/2 preface": [read, apply, say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), close],
    "HTTP/2 settings": [read, apply, say(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"), close],
    "HTTP/3 in words": [read, apply, say(b"HTTP/3 200 OK\r\nContent-Length: 0\r\n\r\n"), close],
    "a negative length": [read, apply, say(_HEAD + b"Content-Length: -1\r\n\r\n"), close],
    "two lengths": [read, apply, say(_HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} "), close],
    "a length in words": [read, apply, say(_HEAD + b"Content-Length: two\r\n\r\n{}"), close],
    "a status of two digits": [read, apply, say(b"HTTP/1.1 20 OK\r\n\r\n"), close],
    "a status of four digits": [read, apply, say(b"HTTP/1.1 2000 OK\r\n\r\n"), close],
    "a header without a name": [read, apply, say(_HEAD + b": nothing\r\n\r\n"), close],
    "a header with a NUL": [read, apply, say(_HEAD + b"X: \x00\r\n\r\n"), close],
    "only 1xx": [read, apply, say(b"HTTP/1.1 102 Processing\r\n\r\n" * 3), close],
    "switching protocols": [read, apply, say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), close],
}


@pytest.mark.parametrize("script", _NO_ANSWER.values(), ids=_NO_ANSWER)
def test_without_a_trustworthy_answer_the_outcome_is_unknown(
    make: Callable[..., Twin], serve: Callable[..., Server], script: list[Any]
) -> None:
    """Whether it was applied or not looks the same from here, so it is not sent again."""
    server = serve(script)
    with within(5):
        error = ended(make(server.url, retry=HASTY))
    assert isinstance(error, OutcomeUnknownError)
    assert error.applied is None
    assert error.attempts == server.connections == 1
    assert str(error).isprintable()


@pytest.mark.parametrize("script", [[read, reset], [read, say(b"no\r\n\r\n"), close]], ids=["reset", "not HTTP"])
def test_a_read_that_breaks_is_a_failed_read_and_tried_again(
    make: Callable[..., Twin], serve: Callable[..., Server], script: list[Any]
) -> None:
    """Reading changes nothing: nothing is unknown about it, and another try is safe."""
    server = serve(script)
    with pytest.raises(ReadFailedError) as caught:
        make(server.url, retry=HASTY).get_packages(ORDER)
    assert caught.value.applied is False
    assert caught.value.attempts == server.connections == 3


def test_a_reset_before_the_request(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """Whether bytes left before the reset is a race; the error says what was observed, and nothing was applied."""
    server = serve([reset])
    error = ended(make(server.url))
    assert isinstance(error, NotSentError | OutcomeUnknownError)
    assert server.requests == []


_CUT = {
    "length too long": answer(200, b"{", length=100),
    "broken chunks": _HEAD + b"Transfer-Encoding: chunked\r\n\r\nnonsense",
    "a negative chunk": _HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{\r\n",
    "a huge chunk": _HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{",
    "chunks without an end": _HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
}


@pytest.mark.parametrize("end", [reset, close, half_close])
@pytest.mark.parametrize("said", _CUT.values(), ids=_CUT)
def test_a_2xx_that_is_cut_is_applied_and_marked(
    make: Callable[..., Twin], serve: Callable[..., Server], said: bytes, end: Any
) -> None:
    """The status was said; the receipt says that its answer broke off."""
    server = serve([read, apply, say(said), end, until_gone])
    with within(5):
        result = ended(make(server.url, retry=HASTY))
    assert result.applied is True
    assert result.receipt is None
    assert result.note
    assert len(server.requests) == 1


_WHOLE = {
    "plain": OK,
    "no length, read to the end": answer(length=-1),
    "chunked": _HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(receipt()), receipt()),
    "chunked, blanks behind a size": _HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n%x  \r\n%s\r\n0\r\n\r\n" % (len(receipt()), receipt()),
    "length too short": OK + b"and more",
    "HTTP/1.0": OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "no phrase": OK.replace(b"200", b"200 "),
    "three 1xx first": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK,
    "thousand headers": answer(200, None, *(f"X-{number}: 1" for number in range(1000))),
    "headers in Latin-1": answer(200, None, "X-City: S\xe3o Paulo"),
    "a length said twice, alike": answer(200, None, f"Content-Length: {len(receipt())}"),
}


@pytest.mark.parametrize("said", _WHOLE.values(), ids=_WHOLE)
def test_odd_but_whole_answers_give_their_receipt(
    make: Callable[..., Twin], serve: Callable[..., Server], said: bytes
) -> None:
    """HTTP allows more than VTEX is likely to send."""
    server = serve([read, apply, say(said), close])
    result = ended(make(server.url))
    assert result.applied is True
    assert result.receipt == f"{1:032x}"
    assert result.order_id == ORDER
    assert result.note is None


def test_a_no_that_is_cut_is_still_a_no(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """The status was said."""
    for end in (reset, close):
        server = serve([read, say(answer(404, b'{"error"', length=100)), end])
        error = ended(make(server.url))
        assert isinstance(error, RefusedError)
        assert error.status_code == 404


_ENDLESS = {
    "one huge header": [say(_HEAD + b"X: "), flood(b"x" * 65536)],
    "headers": [say(_HEAD), flood(b"X: x\r\n" * 1000)],
    "100s": [flood(b"HTTP/1.1 100 Continue\r\n\r\n")],
    "102s": [flood(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)],
    "103s": [flood(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100)],
    "a phrase": [say(b"HTTP/1.1 200 "), flood(b"K" * 65536)],
    "white space": [flood(b"\r\n" * 30000)],
}


@pytest.mark.parametrize("steps", _ENDLESS.values(), ids=_ENDLESS)
def test_an_answer_whose_head_never_ends(
    make: Callable[..., Twin], serve: Callable[..., Server], steps: list[Any]
) -> None:
    """It is left at a limit or at the deadline, whatever comes first, and nobody knows."""
    server = serve([read, apply, *steps], limit=3)
    with within(0.6):
        error = ended(make(server.url, timeout=0.6))
    assert isinstance(error, OutcomeUnknownError)
    assert len(server.requests) == 1


def test_a_huge_header_in_an_answer_that_ends(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """500 kB in one header: read or given up, but never called a failure."""
    server = serve([read, apply, say(answer(200, None, f"X-Big: {'x' * 500_000}")), close])
    result = ended(make(server.url))
    assert result.applied is not False
    assert len(server.requests) == 1


#: A body beyond what sockets of this machine buffer.
_BIG = TrackingUpdate(ORDER, INVOICE, [TrackingEvent("2015-06-23", "x" * 5000)] * 1600)


@pytest.mark.parametrize("status", [200, 413])
def test_an_answer_before_the_body_was_read(
    make: Callable[..., Twin], serve: Callable[..., Server], status: int
) -> None:
    """A small body is on its way already; the answer counts."""
    server = serve([read_head, say(answer(status)), until_gone])
    result = ended(make(server.url))
    assert result.applied is (status == 200)


@pytest.mark.parametrize("end", [close, until_gone])
def test_an_early_no_to_a_big_body(make: Callable[..., Twin], serve: Callable[..., Server], end: Any) -> None:
    """The server says 413 while the body is on its way, and hangs up or reads on; true is no or unknown."""
    server = serve([read_head, say(answer(413, b"{}", "Connection: close")), end])
    with within(20):  # checking so much text takes its time, before the call and its deadline begin
        error = ended(make(server.url, timeout=5), _BIG)
    assert isinstance(error, RefusedError | OutcomeUnknownError)
    assert server.applied == []
    assert len(server.requests) == 1


def test_a_body_that_nobody_reads(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """Sending ends at the deadline, too."""
    over = threading.Event()
    server = serve([read_head, wait_for(over)], receive_buffer=4096)
    seen: list[AttemptEvent] = []
    error = ended(make(server.url, timeout=2.5, on_attempt=seen.append), _BIG)
    over.set()
    assert isinstance(error, OutcomeUnknownError)
    assert seen[0].seconds < 2.5 + GRACE


def test_a_big_body_arrives_whole(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """8 MB of events, read slowly by nobody's fault."""
    server = serve([read_head, read_body, apply, say(OK), close])
    assert ended(make(server.url), _BIG).applied is True
    assert len(server.applied[0].body) > 8_000_000
