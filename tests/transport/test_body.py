"""An answer's body: decoded, capped, and whether it came whole."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtex_tracking_ext.transport.body import Body

CAP = 1000


def read(encoding: str, *pieces: bytes, ended: bool = True) -> tuple[bytes, bool]:
    """Return what comes of some pieces, and whether it is complete."""
    body = Body(encoding, CAP)
    for piece in pieces:
        if not body.feed(piece):
            break
    else:
        if ended:
            body.end()
    return body.content, body.complete


@pytest.mark.parametrize(
    ("encoding", "pieces", "expected"),
    [
        ("", (b"a", b"b"), (b"ab", True)),
        (" Identity ", (b"a",), (b"a", True)),
        ("", (), (b"", True)),
        ("gzip", (), (b"", True)),
        ("GZIP", (gzip.compress(b"ab"),), (b"ab", True)),
        ("x-gzip", (gzip.compress(b"ab"),), (b"ab", True)),
        ("deflate", (zlib.compress(b"ab"),), (b"ab", True)),
        ("gzip", (gzip.compress(b"ab")[:-4],), (b"ab", False)),
        ("gzip", (b"{}",), (b"", False)),
        ("gzip", (gzip.compress(b"ab") + b"more",), (b"ab", False)),
        ("br", (b"ab",), (b"", False)),
        ("gzip, gzip", (b"ab",), (b"", False)),
        ("", (b"x" * CAP,), (b"x" * CAP, True)),
        ("", (b"x" * CAP, b"y"), (b"x" * CAP, False)),
        ("gzip", (gzip.compress(b"x" * CAP),), (b"x" * CAP, True)),
        ("gzip", (gzip.compress(b"x" * (CAP + 1)),), (b"x" * CAP, False)),
    ],
)
def test_a_body_is_decoded_and_capped(encoding: str, pieces: tuple[bytes, ...], expected: tuple[bytes, bool]) -> None:
    """Complete only if it came whole, in a coding that was asked for, under the cap."""
    assert read(encoding, *pieces) == expected


def test_a_body_that_did_not_end_is_not_complete() -> None:
    """Though it may look so."""
    assert read("", b"{}", ended=False) == (b"{}", False)


def test_a_bomb_costs_no_more_than_the_cap() -> None:
    """64 MiB of zeros in 64 kB."""
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    tracemalloc.start()
    try:
        assert read("gzip", bomb) == (bytes(CAP), False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1024 * 1024


@given(st.binary(max_size=CAP), st.integers(min_value=1, max_value=50), st.sampled_from(["", "gzip", "deflate"]))
def test_how_a_body_is_cut_into_pieces_does_not_matter(content: bytes, size: int, encoding: str) -> None:
    """It comes out as it went in."""
    wire = {"": content, "gzip": gzip.compress(content), "deflate": zlib.compress(content)}[encoding]
    assert read(encoding, *(wire[i : i + size] for i in range(0, len(wire), size))) == (content, True)


@given(st.sampled_from(["gzip", "deflate", "", "br"]), st.lists(st.binary()))
def test_any_bytes_are_read(encoding: str, pieces: list[bytes]) -> None:
    """Nothing raises."""
    content, _ = read(encoding, *pieces)
    assert len(content) <= CAP
