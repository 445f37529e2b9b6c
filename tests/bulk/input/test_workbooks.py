"""Tests of workbooks, valid and corrupt."""

from __future__ import annotations

import datetime as dt
import io
import random
import re
import subprocess
import sys
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from vtex_tracking_ext import ConfigurationError, TrackingEvent
from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rows import InputFileError, Place, Row, RowNote, RowProblem

from support.odd_workbooks import KINDS, odd_workbook
from support.office_files import encrypted_workbook, ods, xls

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


def read(folder: Path, content: bytes, **options: Any) -> list[Row | RowProblem | RowNote]:
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
        ("date", dt.datetime(2026, 10, 1, 21, 15), "2026-10-01 21:15"),  # noqa: DTZ001
        ("date", 46296 + (21 * 60 + 15) / 1440 - 1e-9, "2026-10-01 21:15"),
        ("date", 46296.99999999, "2026-10-02"),
        ("delivered_date", dt.date(2026, 10, 1), "2026-10-01"),
        ("delivered_date", dt.datetime(2026, 10, 1, 0, 0), "2026-10-01"),  # noqa: DTZ001
        ("delivered_date", dt.datetime(2026, 10, 1, 21, 15, 59), "2026-10-01 21:15:59"),  # noqa: DTZ001
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
    """Dates and times are read to the second, numbers as their digits, and texts unchanged."""
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
        ("date", 46296, "'46296' is not a date; it may be 2026-10-01 as a spreadsheet's serial number"),
        ("date", True, "True is a truth value, not text"),
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
    """Values in ignored columns, and in columns without a name, are not checked."""
    rows = [("peso", *HEADER, "", "hora"), (1e300, *GOOD, "", "", "", "", "", True, dt.time(10, 0))]
    (row,) = read(tmp_path, workbook(A=rows), ignore=["peso", "hora"], mapping={"time": "time"})
    assert isinstance(row, Row)


def numbers(column: str, *values: object, code: str = "yyyy-mm-dd", date_1904: bool = False) -> bytes:
    """Return a workbook with a row for each value of a column; those in lists are numbers in a number format."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "date_1904": date_1904})
    sheet, style = book.add_worksheet(), book.add_format({"num_format": code})
    sheet.write_row(0, 0, HEADER)
    for number, value in enumerate(values, 1):
        sheet.write_row(number, 0, [*GOOD, True, "2026-10-02"])
        where = number, HEADER.index(column)
        if isinstance(value, list):
            sheet.write_number(*where, value[0], style)
        else:
            sheet.write(*where, value)
    book.close()
    return file.getvalue()


def days(rows: list[Row | RowProblem | RowNote]) -> list[str]:
    """Return the date of each row and its time, or what is wrong."""
    return [
        f"{row.event.date} {row.time}".rstrip() if isinstance(row, Row) and row.event else getattr(row, "message", "")
        for row in rows
    ]


def test_serial_number_among_dates_is_a_date(tmp_path: Path) -> None:
    """A number in a column of dates is a date if most cells are, in either calendar; one that cannot be is refused."""
    rows = read(tmp_path, numbers("date", [46296], 46296, [46296.5], [46298], [46298], 46297.75, 20261001))
    assert days(rows[:-1]) == [
        *("2026-10-01", "2026-10-01", "2026-10-01 12:00", "2026-10-03", "2026-10-03", "2026-10-02 18:00")
    ]
    assert isinstance(rows[-1], RowProblem)
    assert rows[-1].reason == "column date: 20261001 is not the number of a date"
    rows = read(tmp_path, numbers("date", [44834], 44834, [44835], date_1904=True))
    assert days(rows) == ["2026-10-01", "2026-10-01", "2026-10-02"]


def test_serial_numbers_alone_are_dates_if_the_layout_says_so(tmp_path: Path) -> None:
    """In a column of numbers only, they are refused with a word on serial numbers, unless the format is excel."""
    (problem,) = days(read(tmp_path, numbers("date", 46296)))
    assert "'46296' is not a date; it may be 2026-10-01 as a spreadsheet's serial number" in problem
    assert days(read(tmp_path, numbers("date", 46296, 46296.5), date_format="excel")) == [
        "2026-10-01",
        "2026-10-01 12:00",
    ]
    assert days(read(tmp_path, numbers("date", 44834, date_1904=True), date_format="excel")) == ["2026-10-01"]
    delivered = read(tmp_path, numbers("delivered_date", 46296.5), date_format="excel")
    assert [row.delivered_date for row in delivered if isinstance(row, Row)] == ["2026-10-01 12:00"]


def test_duration_is_a_time_of_day(tmp_path: Path) -> None:
    """A duration of less than a day, as ``[h]:mm`` shows it, is a time of day; a longer one is not."""
    first, second = read(tmp_path, numbers("time", [0.5], [1.25], code="[h]:mm"))
    assert isinstance(first, Row)
    assert first.time == "12:00"
    assert isinstance(second, RowProblem)
    assert "a time without a date (1 day, 6:00:00)" in second.message


def test_cell_with_an_error_is_a_problem(tmp_path: Path) -> None:
    """An error is a problem of its row, also where it would read as no; asked to, texts are read without it."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    for row, column in enumerate(("city", "is_delivered", "date", "event_id", "description"), 1):
        sheet.write_row(row, 0, [*GOOD, False])
        sheet.write_formula(row, HEADER.index(column), "=NA()", None, "#N/A")
    book.close()
    problems = [row.reason for row in read(tmp_path, file.getvalue()) if isinstance(row, RowProblem)]
    cause = "the cell has the error '#N/A'; correct it, and save the workbook in a spreadsheet"
    expected = [f"column {column}: {cause}" for column in ("city", "is_delivered", "date", "event_id")]
    assert problems == [*expected, f"column description: {cause}"]
    mended = read(tmp_path, file.getvalue(), clean=True)
    assert [getattr(row, "column", "") for row in mended if isinstance(row, RowProblem)] == [
        "is_delivered",
        "date",
        "event_id",
        "description",
    ]
    (sent,) = (row for row in mended if isinstance(row, Row))
    assert sent.event == TrackingEvent("2026-10-01", "Coletado", "", "RJ")


def test_formula_without_a_value_is_a_problem(tmp_path: Path) -> None:
    """A formula that was never computed is a problem, and its text in a rejects file is one that is refused again."""
    content = _archive_of(numbers("is_delivered", "x"), b"<f>1</f>")
    (problem,) = read(tmp_path, content)
    assert isinstance(problem, RowProblem)
    assert (
        problem.message == "the cell has a formula without a value; correct it, and save the workbook in a spreadsheet"
    )
    assert problem.raw is not None
    assert problem.raw.content[6] == "#N/A"


def _archive_of(content: bytes, formula: bytes) -> bytes:
    """Return a workbook in which the cell G2 has a formula only."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.xml"
    parts[name] = re.sub(rb'<c r="G2".*?</c>', b'<c r="G2">' + formula + b"</c>", parts[name])
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        for each, part in parts.items():
            archive.writestr(each, part)
    return file.getvalue()


def test_hidden_rows_are_noted_once_or_passed_over(tmp_path: Path) -> None:
    """Hidden rows are noted once, also if the sheet is read twice for the order of day and month; or passed over."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    for row, date in enumerate(("31/10/2026", "30/10/2026"), 1):
        sheet.write_row(row, 0, [*GOOD[:2], date, *GOOD[3:]])
    sheet.set_row(2, None, None, {"hidden": True})
    book.close()
    *rows, note = read(tmp_path, file.getvalue())
    assert days(rows) == ["2026-10-31", "2026-10-30"]
    assert str(getattr(note, "message", "")).startswith("hidden or filtered rows: 1, read like the others")
    visible = read(tmp_path, file.getvalue(), visible_only=True)
    assert days(visible) == ["2026-10-31", "hidden or filtered rows: 1, passed over"]


def test_other_kinds_of_workbooks_are_read(tmp_path: Path) -> None:
    """XLS and ODS files are read like XLSX files, whatever their names say."""
    header = "order_id", "invoice_number", "date", "description"
    content = xls([header, ("1-01", "000030711", 46296.5, "Coletado")], dates=(2,))
    _, row = read(tmp_path, content)
    assert days([row]) == ["2026-10-01 12:00"]
    lines = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>' for cell in line
        )
        + "</table:table-row>"
        for line in (header, ("1-01", "000030711", "2026-10-01 12:00", "Coletado"))
    )
    _, row = read(tmp_path, ods({"A": lines}))
    assert days([row]) == ["2026-10-01 12:00"]


def test_encrypted_workbook_is_named(tmp_path: Path) -> None:
    """A workbook with a password is refused with what to do."""
    message = refused(tmp_path, encrypted_workbook())
    assert message == "events.xlsx: encrypted; save it as XLSX without a password."


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
    assert "events.xlsx:1: the header lacks order_id" in refused(tmp_path, file.getvalue(), sheet="Listas")


def test_empty_workbook_is_refused(tmp_path: Path) -> None:
    """A workbook without cells is refused; one with only a header has no rows."""
    assert read(tmp_path, workbook(A=[HEADER])) == []
    assert refused(tmp_path, workbook(A=[])).startswith("events.xlsx: empty; the first line must be the header: order")
    assert refused(tmp_path, workbook(A=[], B=[])).startswith("events.xlsx: empty")
    assert refused(tmp_path, workbook(A=[GOOD])).startswith("events.xlsx:1: the header lacks order_id")


def test_workbook_on_standard_input_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook on standard input is detected by its first bytes."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(workbook(A=[HEADER, GOOD]))))
    (row,) = read_rows("-", NOW)
    assert row.place == Place("<stdin>", 2)


def test_missing_extra_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, a workbook raises ConfigurationError with the command to install it; CSV is read."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(
        ConfigurationError, match=r"events\.xlsx: a workbook needs an extra \(python_calamine is missing\): "
    ):
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


def test_process_ends_with_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends if the rows after the first one are not wanted."""
    started: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    (tmp_path / "events.xlsx").write_bytes(workbook(A=[HEADER, *[GOOD] * 5000]))
    rows = read_rows(tmp_path / "events.xlsx", NOW)
    assert isinstance(next(rows), Row)
    cast("Generator[Row | RowProblem | RowNote]", rows).close()
    (process,) = started
    assert process.returncode is not None


def test_process_that_cannot_be_started_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a Python to start, a workbook raises ConfigurationError; a frozen program does not start itself."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ConfigurationError, match=r"the process that reads workbooks cannot be started: No such file"):
        read(tmp_path, workbook(A=[HEADER]))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(
        ConfigurationError, match=r"events\.xlsx: a workbook cannot be read without a Python interpreter;"
    ):
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
    ids=["empty", "CSV", "start of a ZIP file", "old workbook", "truncated workbook"],
)
def test_file_that_is_not_a_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    """A CSV file, a truncated workbook and an old one are refused."""
    message = refused(tmp_path, content, format="xlsx")
    assert re.match(r"events\.xlsx: (?:not a readable workbook: |an old or|cannot be unpacked: )", message), message


def test_zip_archive_that_is_not_a_workbook_is_refused(tmp_path: Path) -> None:
    """A ZIP archive without a workbook, or with an unusual compression method, is refused."""
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.writestr("events.csv", ",".join(HEADER))
        assert "not a readable workbook" in refused(tmp_path, file.getvalue(), format="xlsx")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "unpack" not in kind])
def test_odd_workbook_is_read_or_refused(tmp_path: Path, kind: str) -> None:
    """An odd workbook is read as it is, or refused as a whole; ``scripts/workbook_trial`` has more and larger ones."""
    odd = odd_workbook(kind, random.Random(1))  # noqa: S311 - to be the same in every run
    if odd.rows == 0:
        assert refused(tmp_path, odd.content).startswith("events.xlsx:")
    elif odd.rows is not None:
        assert [type(row) for row in read(tmp_path, odd.content) if not isinstance(row, RowNote)] == [Row] * odd.rows
    else:
        with suppress(InputFileError):
            read(tmp_path, odd.content)
