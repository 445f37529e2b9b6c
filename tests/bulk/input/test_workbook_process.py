"""Tests of the process that reads a workbook, without a process."""

from __future__ import annotations

import datetime as dt
import io
import json
import pickle
import resource
import runpy
import signal
import subprocess
import sys
import zipfile
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from vtex_tracking_ext.bulk.input import workbook_process
from vtex_tracking_ext.bulk.input.workbook_details import CellError
from vtex_tracking_ext.bulk.input.workbook_process import limit_resources, main, send_rows

from support.office_files import encrypted_workbook, xls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vtex_tracking_ext.bulk.input.workbook_process import Message


def workbook(**sheets: list[tuple[str, ...]]) -> io.BytesIO:
    """Return a workbook of text cells."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    book.close()
    return file


def messages(file: io.BytesIO, sheet: str | None = None, *, visible_only: bool = False) -> list[Message]:
    """Return what the process sends."""
    sent: list[Message] = []
    send_rows(file, sheet, sent.append, visible_only=visible_only)
    return sent


def formatted(cells: dict[str, Any], formats: dict[str, str], hidden: Sequence[int] = ()) -> io.BytesIO:
    """Return a workbook of cells by address, with number formats, and hidden rows, from 0 up."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    sheet = book.add_worksheet()
    for address, value in cells.items():
        arguments = value if isinstance(value, tuple) else (value,)
        write = sheet.write_formula if isinstance(value, tuple) else sheet.write
        style = book.add_format({"num_format": formats[address]}) if address in formats else None
        write(address, arguments[0], style, *arguments[1:])
    for row in hidden:
        sheet.set_row(row, None, None, {"hidden": True})
    book.close()
    return file


def test_rows_are_sent_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are sent some at a time, after the calendar, and the notes after the last one."""
    monkeypatch.setattr(workbook_process, "_BATCH", 2)
    assert messages(workbook(A=[("a", "b"), ("c",), ("d",)])) == [
        False,
        [["a", "b"], ["c", ""]],
        [["d", ""]],
        (),
    ]


def test_sheet_is_chosen() -> None:
    """The sheet that is named, or the only one with cells, is sent; otherwise the reason is."""
    two = workbook(Janeiro=[("a",)], Fevereiro=[("b",)])
    assert messages(two, "Fevereiro") == [False, [["b"]], ()]
    assert messages(two, "x") == ["there is no sheet 'x'; there are: 'Janeiro', 'Fevereiro'."]
    assert messages(two) == [
        "2 visible sheets have cells: 'Janeiro', 'Fevereiro'; name the one to read (--sheet; in Python: sheet=)."
    ]
    assert messages(workbook(A=[], B=[("b",)])) == [False, [["b"]], ()]


def test_zeros_that_a_number_format_shows_are_sent() -> None:
    """A whole number has the zeros that its format shows; other formats, and their number of cells, are noted."""
    cells = {
        "A1": 30711,
        "B1": 30711.5,
        "C1": 10**15,
        "D1": "30711",
        "A2": 1310200,
        "B2": 1310200,
        "C2": 7,
        "D2": 46296,
    }
    formats = {**dict.fromkeys(("A1", "B1", "C1", "D1"), "000000000;@"), "A2": "00000\\-000", "B2": "00000\\-000"}
    formats |= {"C2": '"00"0', "D2": "dd/mm/yyyy"}
    calendar, rows, notes = messages(formatted(cells, formats))
    assert calendar is False
    assert rows == [["000030711", 30711.5, 1e15, "30711"], [1310200, 1310200, 7, dt.date(2026, 10, 1)]]
    assert notes == (
        "numbers that are shown as '00000\\-000', but are read without what the format adds: 2",
        "numbers that are shown as '\"00\"0', but are read without what the format adds: 1",
    )


def test_errors_and_formulas_without_a_value_are_marked() -> None:
    """A cell with an error, or with a formula that was never computed, is marked; an empty text is a value."""
    cells = {
        "A1": ("=NA()", "#N/A"),
        "B1": ("=1+1", 99),
        "C1": ("=1+1", 2),
        "D1": ("=X", "text"),
        "E1": "x",
        "F1": ("=1", 99),
    }
    file = formatted(cells, {})
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].replace(b"<v>99</v>", b"").replace(b"<v>text</v>", b"<v></v>")
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        for name, content in (parts | {"xl/worksheets/sheet1.xml": sheet}).items():
            archive.writestr(name, content)
    _, rows, notes = messages(file)
    assert rows == [["#N/A", "", 2, "", "x"]]
    assert isinstance(rows, list)
    assert [type(cell) for cell in rows[0]] == [CellError, CellError, float, str, str]
    assert notes == ()


def test_hidden_rows_are_counted_or_emptied() -> None:
    """Hidden rows with cells are noted, and empty when they are not wanted; their numbers are those in the sheet."""
    file = formatted({"A1": "a", "A2": "b", "A4": "d"}, {}, hidden=[1, 2])
    noted = "hidden or filtered rows: 1, read like the others; --visible-only passes over them"
    assert messages(file) == [False, [["a"], ["b"], [""], ["d"]], (noted,)]
    passed = "hidden or filtered rows: 1, passed over"
    assert messages(file, visible_only=True) == [False, [["a"], [""], [""], ["d"]], (passed,)]


def test_old_and_encrypted_workbooks() -> None:
    """An XLS file is read with its details; an encrypted workbook is named."""
    calendar, rows, notes = messages(io.BytesIO(xls([("a", 7), (None, 46296.5)], dates=(1,))))
    assert (calendar, notes) == (False, ())
    assert isinstance(rows, list)
    assert rows == [["a", dt.date(1900, 1, 7)], ["#N/A", dt.datetime(2026, 10, 1, 12)]]  # noqa: DTZ001 - no zones
    assert isinstance(rows[1][0], CellError)
    assert messages(io.BytesIO(encrypted_workbook())) == ["encrypted; save it as XLSX without a password."]
    (damaged,) = messages(io.BytesIO(b"\xd0\xcf\x11\xe0" + bytes(600)))
    assert str(damaged).startswith("an old or an encrypted office file ('CalamineError: Cannot detect file format')")


def test_details_that_are_not_known_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where calamine reads a file whose details cannot be read, its calendar is not known, and a note says so."""

    def fail(_content: bytes, _sheet: str) -> None:
        raise IndexError

    monkeypatch.setattr(workbook_process, "read_xls_details", fail)
    calendar, rows, notes = messages(io.BytesIO(xls([("a",)])))
    assert (calendar, rows) == (None, [["a"]])
    assert isinstance(notes, tuple)
    assert "cannot be told in this kind of workbook" in notes[0]


def test_large_workbook_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook that unpacks to more bytes than allowed is refused."""
    monkeypatch.setattr(workbook_process, "_MAX_BYTES", 1000)
    assert messages(workbook(A=[("a",)])) == ["unpacks to more than 1000 bytes; split it."]


def test_corrupt_part_is_refused() -> None:
    """A workbook with a part that differs from its checksum is refused."""
    content = bytearray(workbook(A=[("a",)]).getvalue())
    content[content.index(b"PK\x01\x02") + 16] ^= 1
    assert messages(io.BytesIO(content)) == ["not a readable workbook: its part '[Content_Types].xml' is corrupt."]


def test_exception_of_the_reader_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any exception is sent as a reason, also a panic of calamine, which is no Exception."""
    (message,) = messages(io.BytesIO(b"x"))
    assert message == "not a readable workbook: 'CalamineError: Cannot detect file format'."

    class PanicException(BaseException):
        pass

    def panic(_file: object) -> None:
        raise PanicException("capacity overflow")

    monkeypatch.setattr("python_calamine.CalamineWorkbook", SimpleNamespace(from_filelike=panic))
    assert messages(workbook(A=[])) == ["not a readable workbook: 'PanicException: capacity overflow'."]


def test_lack_of_memory_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without memory no reason is sent, so that the other process names the limit."""

    def fail(_file: object) -> None:
        raise MemoryError

    monkeypatch.setattr(zipfile, "ZipFile", fail)
    sent: list[Message] = []
    with pytest.raises(MemoryError):
        send_rows(workbook(A=[]), None, sent.append)
    assert sent == []


def test_messages_are_written_to_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process sets its limits, reads standard input and writes pickled messages to standard output."""
    limits: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    output = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=workbook(A=[("a",)])))
    monkeypatch.setattr(sys, "stdout", output)
    main(json.dumps([1000, 7, None, False]))
    output.buffer.seek(0)
    sent = [pickle.load(output.buffer) for _ in range(3)]  # noqa: S301 - written above
    assert sent == [False, [["a"]], ()]
    soft = {kind: limit[0] for kind, limit in limits.items()}
    assert soft == {resource.RLIMIT_DATA: 1000, resource.RLIMIT_CPU: 7, resource.RLIMIT_CORE: 0}


def test_limits_that_cannot_be_set_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lower limit of the system is kept, and on Windows there are none."""

    def refuse(_kind: int, _limits: tuple[int, int]) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    limit_resources(1, 1)
    monkeypatch.setitem(sys.modules, "resource", None)
    limit_resources(1, 1)


def test_endless_loop_is_ended() -> None:
    """The operating system ends a process that uses more CPU time than it may."""
    program = "from vtex_tracking_ext.bulk.input.workbook_process import limit_resources as limit\nlimit(1 << 30, 1)"
    ended = subprocess.run([sys.executable, "-c", f"{program}\nwhile True: pass"], check=False, timeout=60)
    assert ended.returncode == -signal.SIGXCPU


def test_module_is_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module runs as a command, with its arguments in JSON."""
    monkeypatch.setattr(sys, "argv", ["workbook_process", "{"])
    with pytest.raises(json.JSONDecodeError):
        runpy.run_path(workbook_process.__file__, run_name="__main__")
