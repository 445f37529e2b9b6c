"""Tests of the detection of encodings, and of files that are not text."""

from __future__ import annotations

import datetime as dt
import io
import os
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtex_tracking_ext.bulk.input import source
from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rows import InputFileError, Row
from vtex_tracking_ext.bulk.input.source import Source, detect_encoding, open_source

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
HEADER = "order_id,invoice_number,date,city,description\n"
LINE = "1-01,1,2026-10-01,S\xe3o Paulo,x\n"


def encoding(content: bytes, asked: str | None = None) -> str:
    """Return the detected encoding of a file, and check that the file is left at its beginning."""
    file = io.BytesIO(content)
    found = detect_encoding(Source("f.csv", file, "csv"), asked)
    assert file.tell() == 0
    return found


def refused(content: bytes, asked: str | None = None) -> str:
    """Return the message with which a file is refused."""
    with pytest.raises(InputFileError) as caught:
        encoding(content, asked)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "found"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("windows-1252", "windows-1252")]
)
def test_each_encoding_is_detected(tmp_path: Path, written: str, found: str) -> None:
    """Each of the three encodings is detected, and its accented letters are decoded correctly."""
    content = (HEADER + LINE).encode(written)
    assert encoding(content) == found
    (tmp_path / "events.csv").write_bytes(content)
    (row,) = read_rows(tmp_path / "events.csv", NOW)
    assert isinstance(row, Row)
    assert row.event is not None
    assert row.event.city == "S\xe3o Paulo"
    assert row.raw is not None
    assert row.raw.layout.encoding == found


def test_late_windows_1252_byte_decides_for_the_whole_file(tmp_path: Path) -> None:
    """One byte beyond the first block that is not UTF-8 makes the whole file Windows-1252."""
    plain = LINE.replace("\xe3", "a").encode()
    content = HEADER.encode() + plain * 60_000 + LINE.encode("windows-1252")
    assert len(content) > 1 << 20
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
    assert encoding(content, "windows-1252") == "windows-1252"


@pytest.mark.parametrize(
    ("content", "asked", "said"),
    [
        (b"a\n\xef\xbb\xbf\x81", None, "f.csv:2: neither UTF-8 nor Windows-1252; save the file as UTF-8."),
        (b"a\n\n\x81", "windows-1252", "f.csv:3: not Windows-1252; save the file as UTF-8."),
        (b"a\n\xe3\n", "utf-8", "f.csv:2: not UTF-8, which was asked for; save the file as UTF-8."),
        (
            b"\xef\xbb\xbfa\n\xe3\n",
            None,
            "f.csv:2: not UTF-8, though it begins with the byte order mark of UTF-8; save",
        ),
        (b"a", "latin-1", "f.csv: 'latin-1' is not one of utf-8, windows-1252."),
        ("order_id,x\n".encode("utf-16"), None, "f.csv:1: UTF-16; save the file as UTF-8 (in a spreadsheet"),
        (b"\xfe\xff\0o\0r", None, "f.csv:1: UTF-16; save the file as UTF-8"),
        ("order_id,x\n".encode("utf-16-le"), None, "f.csv:1: UTF-16; save the file as UTF-8"),
        ("order_id,x\n".encode("utf-16-be"), None, "f.csv:1: UTF-16; save the file as UTF-8"),
        ("order_id,x\n".encode("utf-32-be"), None, "f.csv:1: binary, not text; give CSV or JSON lines."),
        (b"abc\0", None, "f.csv:1: binary, not text; give CSV or JSON lines."),
        (b"PK\x03\x04..", None, "f.csv:1: an XLSX file or a ZIP archive; name an XLSX file .xlsx"),
        (b"\xd0\xcf\x11\xe0..", None, "f.csv:1: an old or an encrypted office file; save it as XLSX without"),
        (b"\x1f\x8b\x08\0", "utf-8", "f.csv:1: compressed with gzip; unpack it first."),
        (b"%PDF-1.7\n", None, "f.csv:1: a PDF file; ask for the events as CSV."),
    ],
)
def test_undecodable_or_binary_file_is_refused(content: bytes, asked: str | None, said: str) -> None:
    """A file in another encoding or of a binary format is refused with its line and what to do."""
    assert refused(content, asked).startswith(said)


def test_too_long_line_is_refused() -> None:
    """A line that exceeds the limit is refused before it fills the memory; a line at the limit is not."""
    said = "a line of more than 1048576 bytes; is it a file of events?"
    assert refused(b"a\nb\n" + b"x" * (3 << 20)) == f"f.csv:3: {said}"
    assert encoding(b"a\n" + b"x" * (1 << 20) + b"\n") == "utf-8"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(max_size=30), block=st.integers(5, 9))
def test_utf8_is_detected_at_any_block_size(monkeypatch: pytest.MonkeyPatch, text: str, block: int) -> None:
    """Blocks end with lines, so that no character is split between two blocks."""
    monkeypatch.setattr(source, "_BLOCK", block)
    content = "".join(f"{character}\n" for character in f"x{text}").encode("utf-8", "replace")
    assert encoding(content) == "utf-8"


def test_file_that_changes_while_being_read_is_refused(tmp_path: Path) -> None:
    """A file that is rewritten in another encoding during reading raises InputFileError."""
    path = tmp_path / "events.csv"
    path.write_bytes((HEADER + LINE * 10_000).encode())
    with pytest.raises(InputFileError, match=r"events\.csv: changed while it was being read"):  # noqa: PT012
        for row in read_rows(path, NOW):
            if row.place.line == 2:
                path.write_bytes((HEADER + LINE * 20_000).encode("windows-1252"))


def test_read_error_is_reported(tmp_path: Path) -> None:
    """An operating system error during reading raises InputFileError with the system's message."""
    (tmp_path / "events.csv").write_text(HEADER, encoding="utf-8")
    for error, said in ((OSError(5, "Input/output error"), "Input/output error"), (OSError("odd"), "odd")):
        with (
            pytest.raises(InputFileError, match=rf"events\.csv: cannot be read: {said}\."),
            open_source(tmp_path / "events.csv"),
        ):
            raise error


def test_only_the_owner_can_read_what_is_copied_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary file with the bytes of standard input has mode 0600, because they name orders."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    with open_source("-") as opened:
        assert stat.S_IMODE(os.fstat(opened.file.fileno()).st_mode) == 0o600
