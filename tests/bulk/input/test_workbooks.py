"""Tests of workbooks, valid and corrupt."""

from __future__ import annotations

import datetime as dt
import io
import os
import random
import sys
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from vtex_tracking_ext import ConfigurationError, TrackingEvent
from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rows import InputFileError, Place, Row, RowProblem

from support.odd_workbooks import KINDS, odd_workbook

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
HEADER = (
    "order_id",
    "invoice_number",
    "date",
    "city",
    "state",
    "description",
    "is_delivered",
    "delivered_date",
    "account",
    "event_id",
    "time",
)
GOOD = ("1-01", "000030711", "2026-10-01", "Niter\xf3i", "RJ", "Coletado")


def workbook(**sheets: list[tuple[Any, ...]]) -> bytes:
    """Return a workbook with cells of the types that the values have in Python."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "default_date_format": "yyyy-mm-dd hh:mm"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                if isinstance(value, str):
                    sheet.write_string(number, column, value)
                else:
                    sheet.write(number, column, value)
    book.close()
    return file.getvalue()


def read(folder: Path, content: bytes, **options: Any) -> list[Row | RowProblem]:
    """Write a file and return its rows."""
    (folder / "events.xlsx").write_bytes(content)
    return list(read_rows(folder / "events.xlsx", NOW, **options))


def refused(folder: Path, content: bytes, **options: Any) -> str:
    """Return the message with which a file is refused, without the folder."""
    with pytest.raises(InputFileError) as caught:
        read(folder, content, **options)
    return str(caught.value).removeprefix(f"{folder}/")


def test_sheet_is_read_with_row_numbers(tmp_path: Path) -> None:
    """Rows have their numbers in the sheet; empty rows and columns around and between them are skipped."""
    rows: list[tuple[Any, ...]] = [(), ("", *HEADER), ("", *GOOD), (), ("", *GOOD, True, "2026-10-02")]
    first, second = read(tmp_path, workbook(Eventos=rows))
    assert isinstance(first, Row)
    assert first.place == Place(str(tmp_path / "events.xlsx"), 3)
    assert (first.order_id, first.invoice_number) == ("1-01", "000030711")
    assert first.event == TrackingEvent("2026-10-01", "Coletado", "Niter\xf3i", "RJ")
    assert isinstance(second, Row)
    assert (second.place.line, second.is_delivered, second.delivered_date) == (5, True, "2026-10-02")


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("invoice_number", 30711, "30711"),
        ("invoice_number", 999999999999999, "999999999999999"),
        ("description", 1.5, "1.5"),
        ("description", 0.1 + 0.2, "0.3"),
        ("description", " a\nb ", " a\nb "),
        ("description", dt.datetime(2026, 10, 1, 21, 15), "2026-10-01 21:15"),  # noqa: DTZ001 - a sheet has no zones
        ("date", dt.date(2026, 10, 1), "2026-10-01"),
        ("date", dt.datetime(2026, 10, 1, 0, 0), "2026-10-01"),  # noqa: DTZ001
        ("date", dt.datetime(2026, 10, 1, 21, 15), "2026-10-01"),  # noqa: DTZ001
        ("date", 46296.99999999, "2026-10-02"),
        ("delivered_date", dt.date(2026, 10, 1), "2026-10-01"),
        ("delivered_date", dt.datetime(2026, 10, 1, 0, 0), "2026-10-01"),  # noqa: DTZ001
        ("delivered_date", dt.datetime(2026, 10, 1, 21, 15, 59), "2026-10-01 21:15"),  # noqa: DTZ001
        ("delivered_date", 46296 + (21 * 60 + 15) / 1440 - 1e-9, "2026-10-01 21:15"),
        ("event_id", 7, "7"),
        ("time", dt.time(9, 5), "09:05:00"),
        ("time", dt.time(9, 5, 29, 600_000), "09:05:30"),
        ("time", dt.datetime(2026, 10, 1, 21, 15, 30), "21:15:30"),  # noqa: DTZ001
        ("time", dt.datetime(9999, 12, 31, 23, 59, 59, 999_000), "23:59:59"),  # noqa: DTZ001
        ("time", "09:05", "09:05"),
        ("is_delivered", True, "true"),
        ("is_delivered", 1, "1"),
        ("is_delivered", "sim", "sim"),
    ],
)
def test_cell_is_read_as_its_visible_text(tmp_path: Path, column: str, value: Any, text: str) -> None:
    """Dates and times are read to the minute, numbers as their digits, and texts unchanged."""
    cells: list[Any] = [*GOOD, True, "2026-10-01", "", "", ""]
    cells[HEADER.index(column)] = value
    content = dated(cells, column) if isinstance(value, float) and "date" in column else workbook(A=[HEADER, (*cells,)])
    (row,) = read(tmp_path, content)
    assert isinstance(row, Row), row
    assert row.raw is not None
    assert row.raw.content[HEADER.index(column)] == text


def dated(cells: list[Any], column: str) -> bytes:
    """Return a workbook in which a number is formatted as a date, as the result of a formula is."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    sheet.write_row(1, 0, cells)
    sheet.write_number(1, HEADER.index(column), cells[HEADER.index(column)], book.add_format({"num_format": "d/m/yy"}))
    book.close()
    return file.getvalue()


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("order_id", 1172452900788123, "1172452900788123 has lost digits, because a number cell keeps 15; format"),
        ("invoice_number", 1e300, " has lost digits"),
        (
            "order_id",
            dt.date(2026, 1, 1),
            "the spreadsheet has turned it into a date (2026-01-01); format the cell as te",
        ),
        ("account", dt.date(2026, 1, 1), "the spreadsheet has turned it into a date"),
        (
            "delivered_date",
            dt.time(21, 15),
            "the spreadsheet has turned it into a time without a date (21:15:00); format",
        ),
        ("description", dt.time(6, 0), "the spreadsheet has turned it into a time without a date"),
        ("event_id", dt.date(2026, 1, 1), "the spreadsheet has turned it into a date"),
        ("time", dt.date(2026, 10, 1), "the spreadsheet has turned it into a date (2026-10-01); format"),
        ("time", 0.5, "'0.5' is not a time of day"),
        ("city", True, "True is a truth value, not text; format the cell as text and type it again"),
        ("date", 46296, "'46296' is not a date in the form yyyy-mm-dd"),
    ],
)
def test_cell_that_the_spreadsheet_converted_is_a_problem(tmp_path: Path, column: str, value: Any, said: str) -> None:
    """A cell whose typed text is lost is one problem of its row, and the other rows are read."""
    cells: list[Any] = [*GOOD, True, "2026-10-01", "", "", ""]
    cells[HEADER.index(column)] = value
    problem, good = read(tmp_path, workbook(A=[HEADER, (*cells,), GOOD]))
    assert isinstance(problem, RowProblem)
    assert (problem.place.line, problem.column) == (2, column)
    assert said in problem.message
    assert isinstance(good, Row)


def test_ignored_columns_are_not_checked(tmp_path: Path) -> None:
    """Values in ignored columns are not checked; a value in a column without a name is a problem."""
    rows = [("peso", *HEADER, "", "hora"), (1e300, *GOOD, "", "", "", "", "", True, dt.time(10, 0))]
    (row,) = read(tmp_path, workbook(A=rows), ignore_unknown=True)
    assert isinstance(row, Row)
    (problem,) = read(tmp_path, workbook(A=[(*HEADER, ""), (*GOOD, "", "", "", "", "", 5)]))
    assert str(problem).endswith(":2: column 12: '5' is in a column without a name; name it, or empty the cell")


def test_sheet_must_be_named_if_several_have_cells(tmp_path: Path) -> None:
    """The only sheet with cells is read; with several the sheet must be named."""
    rows = [HEADER, GOOD]
    assert len(read(tmp_path, workbook(Plan1=[], Plan2=rows, Plan3=[]))) == 1
    two = workbook(Janeiro=rows, Fevereiro=[*rows, GOOD])
    assert refused(tmp_path, two) == (
        "events.xlsx: 2 visible sheets have cells: 'Janeiro', 'Fevereiro'; name the one to read "
        "(--sheet; in Python: sheet=)."
    )
    assert len(read(tmp_path, two, sheet="Fevereiro")) == 2
    assert refused(tmp_path, two, sheet="fevereiro") == (
        "events.xlsx: there is no sheet 'fevereiro'; there are: 'Janeiro', 'Fevereiro'."
    )


def test_hidden_sheets_are_read_only_if_named(tmp_path: Path) -> None:
    """Hidden sheets and chart sheets are ignored unless they are named."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    book.add_worksheet("Listas").write_row(0, 0, ("a", "b"))
    events = book.add_worksheet("Eventos")
    events.write_row(0, 0, HEADER)
    events.write_row(1, 0, GOOD)
    book.add_chartsheet("Grafico")
    events.activate()
    book.worksheets()[0].hide()
    book.close()
    assert len(read(tmp_path, file.getvalue())) == 1
    assert "column 1 of the header, 'a', is unknown" in refused(tmp_path, file.getvalue(), sheet="Listas")


def test_empty_workbook_is_refused(tmp_path: Path) -> None:
    """A workbook without cells is refused; one with only a header has no rows."""
    assert read(tmp_path, workbook(A=[HEADER])) == []
    assert refused(tmp_path, workbook(A=[])).startswith("events.xlsx: empty; the first row must be the header: order")
    assert refused(tmp_path, workbook(A=[], B=[])).startswith("events.xlsx: empty")
    assert refused(tmp_path, workbook(A=[GOOD])).startswith("events.xlsx:1: column 1 of the header, '1-01', is unknown")


def test_workbook_on_standard_input_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook on standard input is detected by its first bytes."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(workbook(A=[HEADER, GOOD]))))
    (row,) = read_rows("-", NOW)
    assert row.place == Place("<stdin>", 2)


def test_missing_extra_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, XLSX raises ConfigurationError with the command to install it; CSV is read."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(ConfigurationError, match=r"events\.xlsx: XLSX needs an extra \(python_calamine is missing\): "):
        read(tmp_path, workbook(A=[HEADER]))
    with pytest.raises(ConfigurationError, match=r"pip install 'vtex-tracking\[xlsx\]'"):
        read(tmp_path, workbook(A=[HEADER]))
    (tmp_path / "events.csv").write_text(f"{','.join(HEADER)}\n{','.join(GOOD)},,,,,\n", encoding="utf-8")
    assert len(list(read_rows(tmp_path / "events.csv", NOW))) == 1


def test_stray_cell_is_refused(tmp_path: Path) -> None:
    """A stray cell far from the others is refused: the rectangle needs more memory than the process may have."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    sheet.write_row(1, 0, GOOD)
    sheet.write_string(1_048_575, 16_383, "x")
    book.close()
    assert refused(tmp_path, file.getvalue()) == (
        "events.xlsx: cannot be read with 320 MB of memory in 30 seconds, because it is damaged or too big; delete "
        "cells far to the right or far below, or save the sheet as CSV."
    )


def test_wide_sheet_is_read(tmp_path: Path) -> None:
    """A sheet with a cell beyond column Z is read."""
    rows = [(*HEADER, *[""] * 18, "AD"), (*GOOD, *[""] * 23, "x")]
    assert len(read(tmp_path, workbook(A=rows), ignore_unknown=True)) == 1


def test_long_sheet_is_read_in_order(tmp_path: Path) -> None:
    """Rows of several messages of the process are read in their order."""
    rows = read(tmp_path, workbook(A=[HEADER, *((*GOOD[:5], str(number)) for number in range(2500))]))
    assert [row.event.description for row in rows if isinstance(row, Row) and row.event] == [*map(str, range(2500))]


def test_process_ends_with_its_reader(tmp_path: Path) -> None:
    """The process ends if the rows after the first one are not wanted."""
    (tmp_path / "events.xlsx").write_bytes(workbook(A=[HEADER, *[GOOD] * 5000]))
    rows = read_rows(tmp_path / "events.xlsx", NOW)
    assert isinstance(next(rows), Row)
    cast("Generator[Row | RowProblem]", rows).close()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_process_that_cannot_be_started_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a Python to start, XLSX raises ConfigurationError; a frozen program does not start itself."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ConfigurationError, match=r"the process that reads XLSX cannot be started: No such file"):
        read(tmp_path, workbook(A=[HEADER]))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(ConfigurationError, match=r"events\.xlsx: XLSX cannot be read without a Python interpreter;"):
        read(tmp_path, workbook(A=[HEADER]))


def test_modules_in_the_working_directory_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process imports nothing from the current folder, in which a workbook may have been received."""
    (tmp_path / "pickle.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert len(read(tmp_path, workbook(A=[HEADER, GOOD]))) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"order_id,x\n", b"PK\x03\x04", b"\xd0\xcf\x11\xe0" + bytes(600), workbook(A=[HEADER])[:-30]],
    # Without ids, pytest 8 names the test by the bytes, which hold the current time and so differ between workers.
    ids=["empty", "CSV", "start of a ZIP file", "encrypted workbook", "truncated workbook"],
)
def test_file_that_is_not_a_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    """A CSV file, a truncated workbook and an encrypted one are refused."""
    assert refused(tmp_path, content).startswith("events.xlsx: not a readable XLSX file: ")


def test_zip_archive_that_is_not_a_workbook_is_refused(tmp_path: Path) -> None:
    """A ZIP archive without a workbook, or with an unusual compression method, is refused."""
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.writestr("events.csv", ",".join(HEADER))
        assert "not a readable XLSX file" in refused(tmp_path, file.getvalue())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "unpack" not in kind])
def test_odd_workbook_is_read_or_refused(tmp_path: Path, kind: str) -> None:
    """An odd workbook is read as it is, or refused as a whole; ``scripts/workbook_trial`` has more and larger ones."""
    odd = odd_workbook(kind, random.Random(1))  # noqa: S311 - to be the same in every run
    if odd.rows == 0:
        assert refused(tmp_path, odd.content).startswith("events.xlsx:")
    elif odd.rows is not None:
        assert [type(row) for row in read(tmp_path, odd.content)] == [Row] * odd.rows
    else:
        with suppress(InputFileError):
            read(tmp_path, odd.content)
