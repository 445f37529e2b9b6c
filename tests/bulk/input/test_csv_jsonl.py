"""Tests of CSV and JSON lines: delimiters, quotes, line numbers."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rows import InputFileError, RawRow, Row, RowProblem

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
COLUMNS = ("order_id", "invoice_number", "date", "city", "state", "description")

#: Letters beyond ASCII that Windows-1252 has, and no two of which look like UTF-8 side by side.
LETTERS = "\xc1\xc3\xc7\xc9\xca\xd3\xd5\xda\xe1\xe3\xe7\xe9\xea\xed\xf3\xf5\xfa\xfc"


def read(folder: Path, content: bytes, name: str = "events.csv") -> list[Row | RowProblem]:
    """Write a file and return its rows."""
    (folder / name).write_bytes(content)
    return list(read_rows(folder / name, NOW))


def raws(rows: list[Row | RowProblem]) -> list[RawRow]:
    """Return each row as it stood in its file, once."""
    found: list[RawRow] = []
    for row in rows:
        assert row.raw is not None
        if not (found and found[-1] is row.raw):
            found.append(row.raw)
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(
        st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=5, max_size=5), min_size=1, max_size=5
    ),
    delimiter=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_utf8_csv_cells_are_read_unchanged(
    tmp_path: Path, rows: list[list[str]], delimiter: str, encoding: str, quoting: int
) -> None:
    """Cells that the csv module writes are read unchanged with any delimiter, with and without a byte order mark."""
    table = [["1-01", *row] for row in rows]
    assert [list(raw.content) for raw in raws(read(tmp_path, written(table, delimiter, encoding, quoting)))] == table


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(
        st.lists(st.text(f"{LETTERS}ab ,;\t\"'\r\n=-", max_size=20), min_size=5, max_size=5), min_size=1, max_size=5
    ),
    delimiter=st.sampled_from(",;\t"),
)
def test_windows_1252_csv_cells_are_read_unchanged(tmp_path: Path, rows: list[list[str]], delimiter: str) -> None:
    """Cells in Windows-1252 are read unchanged with any delimiter."""
    table = [["1-01", *row] for row in rows]
    assert [list(raw.content) for raw in raws(read(tmp_path, written(table, delimiter, "windows-1252")))] == table


def written(
    rows: list[list[str]], delimiter: str = ",", encoding: str = "utf-8", quoting: int = csv.QUOTE_MINIMAL
) -> bytes:
    """Return a CSV file with a header, as the csv module writes it."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, quoting=quoting).writerows([COLUMNS, *rows])  # type: ignore[arg-type]
    return file.getvalue().encode(encoding)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("other", [",", ";", "\t"])
def test_delimiter_is_detected_from_known_columns(tmp_path: Path, delimiter: str, other: str) -> None:
    """The delimiter with the most known columns is used, even if another character is more frequent."""
    header = ["order_id", "invoice_number", "date", "description", other.join("abcdefgh")]
    row = ["1-01", "1", "2026-10-01", "x", other.join("abcdefgh")]
    file = io.StringIO("\r\n\n", newline="")
    file.seek(0, io.SEEK_END)
    csv.writer(file, delimiter=delimiter).writerows([header, row])
    (tmp_path / "events.csv").write_text(file.getvalue(), encoding="utf-8", newline="")
    (found,) = read_rows(tmp_path / "events.csv", NOW, ignore_unknown=True)
    assert isinstance(found, Row)
    (raw,) = raws([found])
    assert (list(raw.content), raw.layout.delimiter) == (row, delimiter)


def test_unknown_header_is_split_by_the_delimiter_with_most_cells(tmp_path: Path) -> None:
    """When no column is known, the message names a cell of the split with the most cells."""
    with pytest.raises(InputFileError, match="column 1 of the header, 'pedido', is unknown"):
        read(tmp_path, b"pedido;nota;data,hora\n1;1;1\n")
    with pytest.raises(InputFileError, match=r"events\.csv:1: not CSV: field larger"):
        read(tmp_path, b"x" * 200_000)


def test_line_numbers_count_every_kind_of_line_break(tmp_path: Path) -> None:
    """A row's line number is that of its first line, with quoted line breaks before it counted."""
    header = ",".join(COLUMNS)
    content = f'{header}\r\n1-01,1,2026-10-01,,,"a\r\nb\n"\r\n\r\n1-01,1,2026-10-01,,,x\n1-01,2,2026-10-01,,,x\r'
    assert [row.place.line for row in read(tmp_path, content.encode())] == [2, 6, 7]


@pytest.mark.parametrize(("delimiter", "name"), [(",", "comma"), (";", "semicolon"), ("\t", "tab")])
def test_surplus_cell_message_names_the_delimiter(tmp_path: Path, delimiter: str, name: str) -> None:
    """The message about surplus cells names the file's delimiter, because an unquoted delimiter is the usual cause."""
    content = written([["1-01", "1", "2026-10-01", "", "", "x", "y"]], delimiter)
    (problem,) = read(tmp_path, content)
    assert isinstance(problem, RowProblem)
    assert (
        problem.message == f"7 cells where the header has 6; add the missing cells, or quote a cell that "
        f"contains a {name}"
    )


def test_value_in_unnamed_column_is_a_problem(tmp_path: Path) -> None:
    """A value in a column without a name is a problem; a blank cell, which many exports have, is not."""
    header = f"{','.join(COLUMNS)},,"
    content = f"{header}\n1-01,1,2026-10-01,,,x,, \n1-01,1,2026-10-01,,,x,,oops\n"
    good, bad = read(tmp_path, content.encode())
    assert isinstance(good, Row)
    assert str(bad).endswith(":3: column 8: 'oops' is in a column without a name; name it, or empty the cell")
    assert all(isinstance(row, Row) for row in read_rows(tmp_path / "events.csv", NOW, ignore_unknown=True))


def test_json_lines_are_separated_by_line_feeds_only(tmp_path: Path) -> None:
    """A carriage return is JSON whitespace and U+2028 is part of a text; only a line feed ends a line."""
    record = {"order_id": "1-01", "invoice_number": "1", "date": "2026-10-01", "description": "a\u2028b"}
    text = json.dumps(record, ensure_ascii=False).replace(", ", ",\r")
    rows = read(tmp_path, f"{text}\r\n \r\n{text}".encode(), "events.jsonl")
    assert [(type(row), row.place.line) for row in rows] == [(Row, 1), (Row, 3)]
    assert [raw.content for raw in raws(rows)] == [text, text]


@pytest.mark.parametrize("depth", [500, 950, 990, 5000])
def test_deeply_nested_json_is_a_problem(tmp_path: Path, depth: int) -> None:
    """Deeply nested JSON is a problem of its row, whether or not the parser can read it."""
    line = '{"order_id": "1-01", "invoice_number": "1", "date": ' + "[" * depth + "]" * depth + "}"
    assert all(isinstance(row, RowProblem) for row in read(tmp_path, line.encode(), "events.jsonl"))
