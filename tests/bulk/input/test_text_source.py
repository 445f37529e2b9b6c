"""Tests of the encoding of a text file."""

from __future__ import annotations

import datetime as dt
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtex_tracking_ext.bulk.input import text_source as module
from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rows import InputFileError, Row
from vtex_tracking_ext.bulk.input.source import Source
from vtex_tracking_ext.bulk.input.text_source import text_source

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
HEADER = "order_id,invoice_number,date,city,description\n"
LINE = "1-01,1,2026-10-01,S\xe3o Paulo,x\n"


def encoding(content: bytes, asked: str | None = None) -> str:
    """Return the encoding of a file, and check that its text can be read twice."""
    text = text_source(Source("f.csv", io.BytesIO(content), "csv"), asked)
    read = []
    for _ in range(2):
        with text.open() as opened:
            read.append(opened.read())
    assert read[0] == read[1]
    return text.encoding


def refused(content: bytes, asked: str | None = None) -> str:
    """Return the message with which a file is refused."""
    with pytest.raises(InputFileError) as caught:
        encoding(content, asked)
    return str(caught.value)


@pytest.mark.parametrize("written", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "windows-1252"])
def test_each_encoding_is_recognised(written: str) -> None:
    """Every byte decides, and a byte order mark where there is one."""
    assert encoding((HEADER + LINE).encode(written)) == written


def test_late_windows_1252_byte_decides_for_the_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte beyond the first block that is not UTF-8 makes the whole file Windows-1252."""
    monkeypatch.setattr(module, "_BLOCK", 1000)
    plain = LINE.replace("\xe3", "a").encode()
    content = HEADER.encode() + plain * 100 + LINE.encode("windows-1252")
    assert encoding(content) == "windows-1252"
    (tmp_path / "events.csv").write_bytes(content)
    *_, last = read_rows(tmp_path / "events.csv", NOW)
    assert isinstance(last, Row)
    assert last.event is not None
    assert last.event.city == "S\xe3o Paulo"


@pytest.mark.parametrize("first", ["utf-8", "windows-1252"])
def test_file_in_two_encodings_is_refused(first: str) -> None:
    """A file with both UTF-8 and Windows-1252 letters is refused in either order, unless its encoding is named."""
    other = {"utf-8": "windows-1252", "windows-1252": "utf-8"}[first]
    plain = b"1-01,1,2026-10-01,,x\n"
    content = HEADER.encode() + LINE.encode(first) + plain * 60_000 + LINE.encode(other)
    line = {"utf-8": 2, "windows-1252": 60_003}
    odd, utf8 = line[other], line[first]
    assert refused(content) == (
        f"f.csv:{odd}: not UTF-8, but line {utf8} contains UTF-8; save the file as UTF-8, or name its "
        "encoding (--encoding windows-1252; in Python: encoding=)."
    )
    assert encoding(content, "windows-1252") == "cp1252"


@pytest.mark.parametrize(
    ("content", "asked", "said"),
    [
        (
            b"a\n\n\x81",
            "windows-1252",
            "f.csv:3: not windows-1252, which was asked for; name another encoding, or none.",
        ),
        (b"a\n\xe3\n", "utf-8", "f.csv:2: not utf-8, which was asked for; name another encoding"),
        (b"a\n\x81\x9d\n", None, "f.csv:2: not UTF-8, and the encoding cannot be told. Name the one"),
        (b"a\n\x81\x8d\x8f\x90\x9d\xe5\n", None, "f.csv:2: not UTF-8, and the encoding cannot be told. Name the one"),
        (
            "order_id,x\n".encode("utf-32-be"),
            None,
            "f.csv:1: binary, not text; give CSV, JSON lines, JSON or a workbook.",
        ),
        (b"abc\0", None, "f.csv:1: binary, not text"),
        ("a\nb\n".encode("utf-16") + b"\x00\xdc", None, "f.csv:3: not UTF-16, although the file begins like it; save"),
        ("a\nb\n".encode("utf-16-le") + b"x", None, "f.csv:3: not UTF-16, although the file begins like it; save"),
        (b"a\nb", "utf-16", "f.csv:1: not utf-16, which was asked for"),
    ],
)
def test_undecodable_or_binary_file_is_refused(content: bytes, asked: str | None, said: str) -> None:
    """A file in another encoding, or that is no text, is refused with its line and what to do."""
    assert refused(content, asked).startswith(said)


def test_an_encoding_can_be_asked_for() -> None:
    """Any codec of Python's can be named, and a byte order mark of UTF-8 is no letter."""
    assert encoding(LINE.encode("cp037"), "cp037") == "cp037"
    assert encoding(LINE.encode("utf-8-sig"), "utf-8") == "utf-8-sig"


def test_too_long_line_is_refused() -> None:
    """A line that exceeds the limit is refused before it fills the memory; a line at the limit is not."""
    said = "a line of more than 1048576 bytes; is it a file of events?"
    assert refused(b"a\nb\n" + b"x" * (3 << 20)) == f"f.csv:3: {said}"
    assert encoding(b"a\n" + b"x" * (1 << 20) + b"\n") == "utf-8"


def test_number_of_words_that_are_compared_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """With enough different words, later ones do not count; their bytes still exclude encodings."""
    monkeypatch.setattr(module, "_MAX_WORDS", 1)
    monkeypatch.setattr(module, "_BLOCK", 8)
    words = "n\xe3o\n" * 3 + "".join(f"{letter}\xd0{letter}\n" for letter in "abcdefghijkl")
    assert encoding(words.encode("windows-1252")) == "windows-1252"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters(exclude_characters="\0"), max_size=30), block=st.integers(5, 9))
def test_utf8_is_recognised_at_any_block_size(monkeypatch: pytest.MonkeyPatch, text: str, block: int) -> None:
    """Blocks end with lines, so that no character is split between two blocks."""
    monkeypatch.setattr(module, "_BLOCK", block)
    content = "".join(f"{character}\n" for character in f"x{text}").encode("utf-8", "replace")
    assert encoding(content) == "utf-8"
