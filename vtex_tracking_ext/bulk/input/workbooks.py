"""Read XLSX, row by row. Needs the extra ``xlsx``, which is imported in a process of its own."""

from __future__ import annotations

import datetime as dt
import json
import os
import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from vtex_tracking_ext.errors import ConfigurationError

from .columns import COLUMNS
from .csv_jsonl import check_cells, is_blank
from .rows import InputFileError, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .columns import Columns, Header
    from .rows import Fault, Row, RowProblem
    from .source import Source

#: Bytes that the process which reads a workbook may allocate, and seconds of CPU time that it may use: for each
#: workbook, and in addition for each byte of it. 35 MB of a million rows
#: need 850 MB and 8 seconds.
_MEMORY: Final = 320 << 20, 48
_SECONDS: Final = 30, 4e-6

#: The first number that may have lost its last digits: a spreadsheet keeps 15.
_INEXACT: Final = 10**15

#: The last time to which half a second can be added.
_LAST_MOMENT: Final = dt.datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 - a sheet has no time zones

#: What a cell may be, apart from text and numbers, in a column where it must not be a date.
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    **dict.fromkeys(("order_id", "invoice_number", "account", "event_id"), ()),
    "time": (dt.datetime, dt.time),
}

_AS_TEXT: Final = "format the cell as text and type it again"


def xlsx_rows(
    source: Source, columns: Columns, now: dt.datetime, sheet: str | None = None
) -> Iterator[Row | RowProblem]:
    """Yield the rows of a workbook's sheet, or their problems; a row's line is its number in the sheet.

    Text cells are read as they are. A date is read as ``yyyy-mm-dd``, with ``hh:mm`` where it has a time other than
    midnight, except in the columns ``date``, which is a day, and ``time``, which is a time of day. A whole number is
    read as its digits: leading zeros must be stored as text, because a number has none. A date in the column of an id,
    and a number of more than 15 digits, are problems: the spreadsheet has already lost what was typed. Cells with an
    error (``#N/A``) read as empty. Formulas read as the value that was last saved.

    Unlike with the other formats, the sheet is held in memory, by a process of its own. Such a process can be ended by
    the workbook that it reads, see :mod:`.workbook_process`.

    Args:
        source: The file.
        columns: The names that its columns may have.
        now: The current time, aware.
        sheet: The sheet's name; otherwise it is the only visible one that has cells.

    Raises:
        InputFileError: It is not a workbook, it is too big, or the sheet must be named.
        ConfigurationError: The extra is not installed, or there is no Python to start the process with.
    """
    if find_spec("python_calamine") is None:
        raise ConfigurationError(
            f"{source.name}: XLSX needs an extra (python_calamine is missing): pip install 'vtex-tracking[xlsx]'."
        )
    yield from _rows(source.name, _lines(source, sheet), columns, now)


def _lines(source: Source, sheet: str | None) -> Iterator[list[Any]]:
    """Yield the rows of a sheet, as a process reads them."""
    size = os.fstat(source.file.fileno()).st_size
    memory, seconds = (int(base + each * size) for base, each in (_MEMORY, _SECONDS))
    if getattr(sys, "frozen", False):  # a program made with PyInstaller would start itself
        raise ConfigurationError(f"{source.name}: XLSX cannot be read without a Python interpreter; save it as CSV.")
    command = [sys.executable, "-SP", "-m", f"{__package__}.workbook_process", json.dumps([memory, seconds, sheet])]
    # The process finds modules where this one does: not in the current folder (-P), and without the module site (-S),
    # so that it starts twice as fast. This package may be found in another way, as after an editable installation.
    path = [*filter(None, sys.path), str(Path(__file__).parents[3])]
    try:
        process = subprocess.Popen(  # noqa: S603 - runs Python itself
            command,
            stdin=source.file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt from the keyboard ends only this process, which ends the other one
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        )
    except OSError as error:
        raise ConfigurationError(
            f"{source.name}: the process that reads XLSX cannot be started: {error.strerror}; fix that, or save the "
            "sheet as CSV."
        ) from None
    with process:
        messages = cast("IO[bytes]", process.stdout)
        try:
            while (message := pickle.load(messages)) is not None:  # noqa: S301 - written by this package
                if isinstance(message, str):
                    raise InputFileError(f"{source.name}: {message}")
                yield from message
        except (EOFError, pickle.UnpicklingError):
            raise InputFileError(
                f"{source.name}: cannot be read with {memory >> 20} MB of memory in {seconds} seconds, because it is "
                "damaged or too big; delete cells far to the right or far below, or save the sheet as CSV."
            ) from None
        finally:
            process.kill()


def _rows(name: str, lines: Iterator[list[Any]], columns: Columns, now: dt.datetime) -> Iterator[Row | RowProblem]:
    header: Header | None = None
    for number, values in enumerate(lines, 1):
        cells = [value if isinstance(value, str) else _text(value) for value in values]
        if is_blank(cells):
            continue
        place = Place(name, number)
        if header is None:
            header = columns.header(place, cells, ",", "utf-8-sig")
            continue
        faults: list[Fault] = []
        for index, (value, field) in enumerate(zip(values, header.fields, strict=True)):
            if field and not isinstance(value, str):
                faults += _faults(value, field)
                if field == "date" and isinstance(value, dt.datetime):
                    cells[index] = cells[index][: len("yyyy-mm-dd")]
                elif field == "time" and isinstance(value, dt.datetime | dt.time):
                    cells[index] = _time(value)
        yield from check_cells(header, place, cells, faults, now)
    if header is None:
        raise InputFileError(f"{name}: empty; the first row must be the header: {', '.join(COLUMNS)}.")


def _text(value: object) -> str:
    """Return the text of a cell that is not text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(int(value)) if float(value).is_integer() else format(value, ".15g")
    if isinstance(value, dt.datetime):
        # A computed time can be just below the minute that the spreadsheet shows.
        value = min(value, _LAST_MOMENT) + dt.timedelta(milliseconds=500)
        return value.isoformat(" ", "minutes").removesuffix(" 00:00")
    return str(value)


def _time(value: dt.datetime | dt.time) -> str:
    """Return the time of day of a cell, to the second."""
    moment = value if isinstance(value, dt.datetime) else dt.datetime.combine(dt.date.min, value)
    return f"{min(moment, _LAST_MOMENT) + dt.timedelta(milliseconds=500):%H:%M:%S}"


def _faults(value: Any, field: str) -> Iterator[Fault]:
    """Yield the faults of a cell that is not text, in the column of a field."""
    if isinstance(value, bool):
        if field != "is_delivered":
            yield field, f"{value} is a truth value, not text; {_AS_TEXT}"
    elif isinstance(value, (int, float)):
        if not abs(value) < _INEXACT:  # also true for NaN
            yield field, f"{_text(value)} has lost digits, because a number cell keeps 15; {_AS_TEXT}"
    elif not isinstance(value, _TYPES.get(field, dt.date)):
        what = "date" if isinstance(value, dt.date) else "time without a date"
        yield field, f"the spreadsheet has turned it into a {what} ({_text(value)}); {_AS_TEXT}"
