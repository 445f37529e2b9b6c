"""Tests of opening files."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.input import source as module
from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rows import InputFileError, Place, RowNote
from vtex_tracking_ext.bulk.input.source import open_source

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
HEADER = "order_id,invoice_number,date,city,description\n"
LINE = "1-01,1,2026-10-01,S\xe3o Paulo,x\n"


@pytest.mark.parametrize("change", ["rewritten", "appended", "replaced"])
def test_file_that_changes_while_being_read_is_refused(tmp_path: Path, change: str) -> None:
    """A file that is rewritten, appended to or replaced during reading raises InputFileError at its end."""
    path = tmp_path / "events.csv"
    path.write_bytes((HEADER + LINE * 10_000).encode())
    with pytest.raises(InputFileError, match=r"events\.csv: changed while it was being read"):  # noqa: PT012
        for row in read_rows(path, NOW):
            if row.place.line != 2:
                continue
            if change == "rewritten":
                path.write_bytes((HEADER + LINE * 20_000).encode("windows-1252"))
            elif change == "appended":
                with path.open("ab") as file:
                    file.write(LINE.encode())
            else:
                (tmp_path / "new").write_bytes(path.read_bytes())
                os.utime(tmp_path / "new", ns=(0, path.stat().st_mtime_ns))
                (tmp_path / "new").replace(path)


def test_read_error_is_reported(tmp_path: Path) -> None:
    """An operating system error during reading raises InputFileError with the system's message."""
    (tmp_path / "events.csv").write_text(HEADER, encoding="utf-8")
    for error, said in ((OSError(5, "Input/output error"), "Input/output error"), (OSError("odd"), "odd")):
        with (
            pytest.raises(InputFileError, match=rf"events\.csv: cannot be read: {said}\."),
            open_source(tmp_path / "events.csv"),
        ):
            raise error


@pytest.mark.parametrize("is_seekable", [False, True])
def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, *, is_seekable: bool) -> None:
    """Standard input, which may be a file, is read to its end, and its first bytes tell the format."""
    line = json.dumps({"order_id": "1-01", "invoice_number": "1", "is_delivered": True}) + "\n"

    class Stdin(io.BytesIO):
        def seekable(self) -> bool:
            return is_seekable

    def places(text: str, **options: Any) -> list[tuple[str, Place]]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Stdin(text.encode())))
        found = [each for each in read_rows("-", NOW, **options) if not isinstance(each, RowNote)]
        return [(type(each).__name__, each.place) for each in found]

    assert places(HEADER + LINE) == [("Row", Place("<stdin>", 2))]
    assert places(f"\ufeff\n {line}") == [("Row", Place("<stdin>", 2))]
    assert places(f"[{line}]") == [("Row", Place("<stdin>", 1))]
    assert places(f"[]\n{line}", format="jsonl")[0] == ("RowProblem", Place("<stdin>", 1))
    assert places(HEADER) == []
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputFileError, match="there is no standard input; name a file"):
        list(read_rows("-", NOW))


def test_named_pipe_is_read(tmp_path: Path) -> None:
    """A named pipe, which can be read only once, is read like a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(HEADER + LINE,))
    writer.start()
    rows = [row for row in read_rows(pipe, NOW) if not isinstance(row, RowNote)]
    writer.join()
    assert [row.place for row in rows] == [Place(str(pipe), 2)]


@pytest.mark.parametrize(
    ("content", "format"),
    [
        ("[1]", "json"),
        ("{\n}", "json"),
        ('{"a":\n1}', "json"),
        ("{}\n{}", "jsonl"),
        ("{}", "jsonl"),
        ("\ufeff \n[", "json"),
        ("a,b\n", "csv"),
        ("", "csv"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_format_is_told_by_the_first_bytes(tmp_path: Path, content: str, format: str, encoding: str) -> None:  # noqa: A002
    """An object that goes on in the next line is one JSON value; several objects are lines."""
    (tmp_path / "f").write_bytes(content.encode(encoding))
    with open_source(tmp_path / "f") as source:
        assert source.format == format


def test_unpacked_size_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compressed file that unpacks to more than the limit is refused before it fills the disk."""
    monkeypatch.setattr(module, "_MAX_BYTES", 1000)
    (tmp_path / "f.gz").write_bytes(gzip.compress(b"x" * 1001))
    with (
        pytest.raises(InputFileError, match=r"f\.gz: more than 1000 bytes; split it\."),
        open_source(tmp_path / "f.gz"),
    ):
        pass
