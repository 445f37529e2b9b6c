"""Tests of the process that reads a workbook, without a process."""

from __future__ import annotations

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
from typing import TYPE_CHECKING

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from vtex_tracking_ext.bulk.input import workbook_process
from vtex_tracking_ext.bulk.input.workbook_process import limit_resources, main, send_rows

if TYPE_CHECKING:
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


def messages(file: io.BytesIO, sheet: str | None = None) -> list[Message]:
    """Return what the process sends."""
    sent: list[Message] = []
    send_rows(file, sheet, sent.append)
    return sent


def test_rows_are_sent_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are sent some at a time, and None after the last one."""
    monkeypatch.setattr(workbook_process, "_BATCH", 2)
    assert messages(workbook(A=[("a", "b"), ("c",), ("d",)])) == [[["a", "b"], ["c", ""]], [["d", ""]], None]


def test_sheet_is_chosen() -> None:
    """The sheet that is named, or the only one with cells, is sent; otherwise the reason is."""
    two = workbook(Janeiro=[("a",)], Fevereiro=[("b",)])
    assert messages(two, "Fevereiro") == [[["b"]], None]
    assert messages(two, "x") == ["there is no sheet 'x'; there are: 'Janeiro', 'Fevereiro'."]
    assert messages(two) == [
        "2 visible sheets have cells: 'Janeiro', 'Fevereiro'; name the one to read (--sheet; in Python: sheet=)."
    ]
    assert messages(workbook(A=[], B=[("b",)])) == [[["b"]], None]


def test_large_workbook_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook that unpacks to more bytes than allowed is refused."""
    monkeypatch.setattr(workbook_process, "_MAX_BYTES", 1000)
    assert messages(workbook(A=[("a",)])) == ["unpacks to more than 1000 bytes; split it."]


def test_corrupt_part_is_refused() -> None:
    """A workbook with a part that differs from its checksum is refused."""
    content = bytearray(workbook(A=[("a",)]).getvalue())
    content[content.index(b"PK\x01\x02") + 16] ^= 1
    assert messages(io.BytesIO(content)) == ["not a readable XLSX file: its part '[Content_Types].xml' is corrupt."]


def test_exception_of_the_reader_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any exception is sent as a reason, also a panic of calamine, which is no Exception."""
    (message,) = messages(io.BytesIO(b"x"))
    assert message == "not a readable XLSX file: 'BadZipFile: File is not a zip file'."

    class PanicException(BaseException):
        pass

    def panic(_file: object) -> None:
        raise PanicException("capacity overflow")

    monkeypatch.setattr("python_calamine.CalamineWorkbook", SimpleNamespace(from_filelike=panic))
    assert messages(workbook(A=[])) == ["not a readable XLSX file: 'PanicException: capacity overflow'."]


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
    main(json.dumps([1000, 7, None]))
    output.buffer.seek(0)
    assert [pickle.load(output.buffer), pickle.load(output.buffer)] == [[["a"]], None]  # noqa: S301 - written above
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
