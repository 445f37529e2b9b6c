"""One answer as its bytes come in: what the quick parser and the h11 parser make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpcore
import pytest

from vtex_tracking_ext.transport.body import Body
from vtex_tracking_ext.transport.h11_parser import MAX_HEAD
from vtex_tracking_ext.transport.response import MAX_REREAD, ResponseReader

if TYPE_CHECKING:
    from collections.abc import Iterable

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def body_of(encoding: str) -> Body:
    """Return what a body goes into."""
    return Body(encoding, 2 * MAX_REREAD)


def read(*pieces: bytes) -> ResponseReader:
    """Return what comes of some pieces, as far as they are read."""
    reader = ResponseReader(body_of)
    for piece in pieces:
        if not reader.ended:
            reader.feed(piece)
    return reader


def said(reader: ResponseReader) -> tuple[int | None, bytes, bool, bool]:
    """Return status and body of an answer, whether it came whole, and whether its connection is fit for another."""
    assert reader.body is not None
    return reader.status, reader.body.content, reader.body.complete, reader.reusable


def bytewise(data: bytes) -> Iterable[bytes]:
    """Return each byte on its own."""
    return (data[index : index + 1] for index in range(len(data)))


#: Answers that the quick parser refuses after their heads, and httpx does not.
ODDLY_CHUNKED = {
    "a blank behind the size": b"5 \r\n{}{}{\r\n0\r\n\r\n",
    "a tab behind the size": b"2\r\n{}\r\n3\t\r\n{}{\r\n0\r\n\r\n",
    "a length behind the body": b"5\r\n{}{}{\r\n0\r\nContent-Length: 5\r\n\r\n",
}


@pytest.mark.parametrize("odd", ODDLY_CHUNKED.values(), ids=ODDLY_CHUNKED)
@pytest.mark.parametrize("interim", [b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"], ids=["", "interim"])
def test_chunks_that_the_quick_parser_refuses_are_read(odd: bytes, interim: bytes) -> None:
    """A receipt would be lost, and an order not readable, because a quicker parser is installed."""
    data = interim + CHUNKED + odd
    for pieces in ([data], bytewise(data)):
        reader = read(*pieces)
        assert said(reader) == (200, b"{}{}{", True, True)
        assert reader.headers == [("transfer-encoding", "chunked")]


def test_chunks_that_no_parser_reads_cut_an_answer() -> None:
    """What both read of it stays."""
    assert said(read(CHUNKED + b"2\r\n{}\r\nx")) == (200, b"{}", False, False)


def test_a_status_once_read_stays() -> None:
    """Where the h11 parser refuses the head that the other has read: a 2xx would be told as a broken answer."""
    reader = read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n", b"3 \r\n")
    assert said(reader) == (200, b"{}", False, False)


def test_of_much_only_what_the_quick_parser_likes_is_read() -> None:
    """What has been read is kept for the other one, and not without end."""
    big = b"%x\r\n%b\r\n" % (MAX_REREAD, b" " * MAX_REREAD)
    status, _, complete, clean = said(read(CHUNKED, big, b"2 \r\n{}\r\n0\r\n\r\n"))
    assert (status, complete, clean) == (200, False, False)


def test_a_head_that_both_must_read_may_be_as_long_as_any() -> None:
    """The h11 parser's own limit is lower."""
    lengths = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n"
    filling = [b"X-%d: %b\r\n" % (number, b"x" * 10_000) for number in range(5)]
    assert said(read(lengths, *filling, b"\r\n{}")) == (200, b"{}", True, True)


def test_interim_answers_do_not_count_as_a_head() -> None:
    """However many come at once."""
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    reader = read(interim * (MAX_HEAD // len(interim) + 1), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    assert said(reader) == (200, b"{}", True, True)
    with pytest.raises(httpcore.RemoteProtocolError, match="the head has more than"):
        read(interim, b"HTTP/1.1 200 OK\r\n", b"X: %b\r\n" % (b"x" * MAX_HEAD))


def test_blanks_behind_a_header_do_not_belong_to_it() -> None:
    """A request id is told without them."""
    reader = read(b"HTTP/1.1 200 OK\r\nX-Request-Id:\t abc \t\r\nX-Other: \xff \r\nContent-Length: 0 \r\n\r\n")
    assert reader.headers == [("x-request-id", "abc"), ("x-other", "ÿ"), ("content-length", "0")]
    assert reader.reusable


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n",
        b"HTTP/1.1 099 OK\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_nothing_is_read_behind_an_answer_whose_end_is_a_matter_of_opinion(head: bytes) -> None:
    """Its connection is not used again: what is left over there could be a forged receipt."""
    reader = read(head + b"\r\n0\r\n\r\n")
    assert reader.ended
    assert not reader.reusable


def test_the_h11_parser_tells_the_version() -> None:
    """Chunks in an answer of HTTP/1.0 are a mistake, whoever reads them."""
    head = b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
    assert said(read(head + b"2 \r\n{}\r\n0\r\n\r\n")) == (200, b"{}", True, False)


def test_an_interruption_within_the_parser_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C raises wherever Python runs, also in what the parser calls, and once."""
    interruptions = [KeyboardInterrupt()]

    def interrupted(*_: object) -> None:
        if interruptions:
            raise interruptions.pop()

    monkeypatch.setattr(ResponseReader, "on_header", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
