"""What httptools and h11 make of answers: the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpcore
import pytest

from vtex_tracking_ext.transport.body import Body
from vtex_tracking_ext.transport.h11_parser import MAX_HEAD, H11Parser
from vtex_tracking_ext.transport.response import ResponseReader

if TYPE_CHECKING:
    from collections.abc import Callable

CAP = 1000


def with_httptools() -> ResponseReader:
    """Return a reader as a request begins with."""
    return ResponseReader(lambda encoding: Body(encoding, CAP))


def with_h11() -> ResponseReader:
    """Return one whose parser is h11 from the start."""
    reader = with_httptools()
    reader._parser = H11Parser(reader)
    return reader


@pytest.fixture(params=[with_httptools, with_h11], ids=["httptools", "h11"])
def begin(request: pytest.FixtureRequest) -> Callable[[], ResponseReader]:
    """Return what begins a reader."""
    found: Callable[[], ResponseReader] = request.param
    return found


def fed(reader: ResponseReader, *pieces: bytes) -> ResponseReader:
    """Return a reader that was fed until it ended."""
    for piece in pieces:
        if reader.ended:
            break
        reader.feed(piece)
    return reader


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


@pytest.mark.parametrize(
    "data", [OK, CHUNKED, INTERIM + OK, INTERIM * 2 + CHUNKED], ids=["length", "chunks", "1xx", "2"]
)
def test_however_an_answer_is_cut_into_pieces(begin: Callable[[], ResponseReader], data: bytes) -> None:
    """At each byte, it is the same, and the connection can be used again."""
    for cut in range(len(data) + 1):
        reader = fed(begin(), *filter(None, (data[:cut], data[cut:])))
        assert (reader.status, reader.ended, reader.reusable) == (200, True, True), cut
        assert reader.body is not None
        assert (reader.body.content, reader.body.complete) == (b"{}", True), cut


def test_headers_are_text_with_names_in_lower_case(begin: Callable[[], ResponseReader]) -> None:
    """Repeats stay, interim answers' go; what is no UTF-8 is read as Latin-1."""
    data = INTERIM + b"HTTP/1.1 204 No Content\r\nX-A: \xc3\xa9\r\nX-a: 2\r\n\r\n"
    assert fed(begin(), data).headers == [("x-a", "é"), ("x-a", "2")]
    assert fed(begin(), data.replace(b"\xc3", b"\xe3\xe3")).headers[0] == ("x-a", "ãã©")


@pytest.mark.parametrize(
    "rest", [OK, b"H", b"\x00", b"\r\nH", b"garbage"], ids=["answer", "byte", "NUL", "after a line", "garbage"]
)
@pytest.mark.parametrize(
    "data", [OK, CHUNKED, OK.replace(b"X-A: b", b"Connection: close")], ids=["length", "chunks", "close"]
)
def test_what_stands_behind_an_answer_makes_its_connection_unfit(
    begin: Callable[[], ResponseReader], data: bytes, rest: bytes
) -> None:
    """And is not part of it."""
    reader = fed(begin(), data + rest)
    assert (reader.ended, reader.reusable) == (True, False)
    assert reader.body is not None
    assert (reader.body.content, reader.body.complete) == (b"{}", True)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["1.0", "close"],
)
def test_a_server_that_closes_is_believed(begin: Callable[[], ResponseReader], data: bytes) -> None:
    """Its connection is not used again."""
    reader = fed(begin(), data)
    assert (reader.ended, reader.reusable) == (True, False)


def test_a_body_without_a_length_ends_with_the_connection(begin: Callable[[], ResponseReader]) -> None:
    """Then it is whole; one with a length is cut."""
    head = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"
    reader = fed(begin(), head, b"{", b"}", b"")
    assert (reader.ended, reader.reusable) == (True, False)
    assert reader.body is not None
    assert (reader.body.content, reader.body.complete) == (b"{}", True)
    cut = fed(begin(), OK[:-1], b"")
    assert cut.status == 200
    assert cut.body is not None
    assert (cut.ended, cut.reusable, cut.body.complete) == (True, False, False)


def test_a_body_beyond_the_cap_is_not_read_on() -> None:
    """Whatever its length would be."""
    reader = fed(with_httptools(), b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b" " * (CAP + 1))
    assert (reader.status, reader.ended, reader.reusable) == (200, True, False)
    assert reader.body is not None
    assert not reader.body.complete


def test_an_upgrade_ends_the_reader() -> None:
    """Nobody asked for it; what follows is no HTTP."""
    reader = fed(with_httptools(), b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nxyz")
    assert (reader.status, reader.ended, reader.reusable) == (101, True, False)


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([b""], "disconnected without sending"),
        ([b"HTTP/1.1 20", b""], "the response was cut off"),
        ([b"garbage\r\n\r\n"], "illegal status line"),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, b"y" * 70_000], "more than 102400 bytes"),
    ],
    ids=["nothing", "cut", "garbage", "long"],
)
def test_what_is_no_answer(pieces: list[bytes], words: str) -> None:
    """Its words are h11's, where that has any."""
    reader = with_httptools()
    with pytest.raises(httpcore.RemoteProtocolError, match=words):
        fed(reader, *pieces)
    assert (reader.status, reader.ended, reader.reusable) == (None, True, False)


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_head_that_the_strict_parser_refuses_is_read_by_the_other(cut: int) -> None:
    """A length said twice, alike, and an interim answer before it."""
    data = INTERIM + OK.replace(b"X-A: b", b"Content-Length: 2")
    reader = fed(with_httptools(), *filter(None, (data[:cut], data[cut:-1], data[-1:])))
    assert (reader.status, reader.ended, reader.reusable) == (200, True, True)
    assert reader.body is not None
    assert reader.body.content == b"{}"


def test_a_broken_body_is_a_cut_one() -> None:
    """The status has been said."""
    reader = fed(with_httptools(), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
    assert (reader.status, reader.ended, reader.reusable) == (200, True, False)
    assert reader.body is not None
    assert not reader.body.complete


def test_no_reader_is_left_for_the_garbage_collector() -> None:
    """Parser and reader hold each other until it ends."""
    assert fed(with_httptools(), OK)._parser is None
    assert MAX_HEAD == 100 * 1024
