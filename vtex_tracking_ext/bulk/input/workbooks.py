"""Read the sheets of workbooks, row by row. Needs the extra ``xlsx``, which is imported in a process of its own."""

from __future__ import annotations

import datetime as dt
import json
import os
import pickle
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from attrs import define, field

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted

from .dates import EXCEL_DAY_0, DateError, excel_moment
from .rows import InputFileError
from .workbook_details import CellError
from .workbook_process import INEXACT

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from .csv_records import Record
    from .layout import Layout
    from .rows import Fault
    from .source import Source
    from .workbook_process import Message

#: Bytes that the process which reads a workbook may allocate, and seconds of CPU time that it may use: for each
#: workbook, and in addition for each byte of it. 35 MB of a million rows
#: need 850 MB and 8 seconds.
_MEMORY: Final = 320 << 20, 48
_SECONDS: Final = 30, 4e-6

#: The last time to which half a second can be added.
_LAST_MOMENT: Final = dt.datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 - a sheet has no time zones

_DAY_0_OF_1904: Final = dt.datetime(1904, 1, 1)  # noqa: DTZ001 - likewise

#: The columns of dates, and those in which no cell may be a date.
_DATES: Final = frozenset({"date", "delivered_date"})
_NO_DATES: Final = frozenset({"order_id", "invoice_number", "account", "event_id", "time"})

#: The columns that may be empty instead of having an error, if a person asked for that.
_CLEANED: Final = frozenset({"city", "state", "delivered_date"})

_AS_TEXT: Final = "format the cell as text and type it again"


@define
class SheetTable:
    """A sheet of a workbook; see :class:`~.tables.Table`.

    Text cells are read as they are. A date is read as ``yyyy-mm-dd``, with its time if it has one other than midnight,
    except in the column ``time``, which is a time of day. A number in a column of dates is a date if most of the
    column's cells are, or if the layout says so. A whole number is read as its digits, with the leading zeros that its
    number format shows. A date in the column of an id, and a number of more than 15 digits, are problems: the
    spreadsheet has already lost what was typed. So is a cell with an error, or with a formula that has no value.
    Other formulas read as the value that was last saved.

    Unlike with the other formats, the sheet is held in memory, by a process of its own. Such a process can be ended by
    the workbook that it reads, see :mod:`.workbook_process`.

    Attributes:
        source: The file.
        layout: The sheet; otherwise it is the only visible one that has cells.
    """

    source: Source
    layout: Layout
    delimiter: str = ","
    encoding: str = "utf-8-sig"
    notes: tuple[str, ...] = field(default=(), init=False)
    _is_1904: bool | None = field(default=None, init=False)
    _date_columns: frozenset[int] = field(default=frozenset(), init=False)

    def __attrs_post_init__(self) -> None:
        if find_spec("python_calamine") is None:
            raise ConfigurationError(
                f"{self.name}: a workbook needs an extra (python_calamine is missing): "
                "pip install 'vtex-tracking[xlsx]'."
            )

    @property
    def name(self) -> str:
        """The file's name, for messages."""
        return self.source.name

    def records(self) -> Generator[Record]:
        """Yield the rows, each with its number in the sheet."""
        number = 0
        for message in _messages(self.source, self.layout):
            if isinstance(message, tuple):
                self.notes = message
            elif isinstance(message, list):
                if not number:
                    self._date_columns = _date_columns(message)
                for number, values in enumerate(message, number + 1):  # noqa: B020 - the numbers go on
                    yield number, TypedCells(values), ""
            else:
                self._is_1904 = message

    def typed(self, cells: list[str], fields: Sequence[str]) -> tuple[list[str], Sequence[Fault]]:
        """Return the cells as texts that the fields can have, and what is wrong with their types."""
        assert isinstance(cells, TypedCells)  # noqa: S101 - from records()
        texts: list[str] = list(cells)
        faults: list[Fault] = []
        for index, (value, name) in enumerate(zip(cells.values, fields, strict=False)):
            if not name or type(value) is str:
                continue
            if isinstance(value, CellError):
                if name not in _CLEANED or not self.layout.clean:
                    faults.append((name, _error_message(value)))
            elif name in _DATES and type(value) in {int, float} and self._has_serials(index):
                day_0 = _DAY_0_OF_1904 if self._is_1904 else EXCEL_DAY_0
                try:
                    texts[index] = " ".join(excel_moment(value, day_0)[:2]).rstrip()
                except DateError as error:
                    faults.append((name, str(error)))
            elif name == "time" and (time := _time(value)):
                texts[index] = time
            elif message := _type_problem(value, name):
                faults.append((name, message))
        return texts, faults

    def _has_serials(self, column: int) -> bool:
        """Return whether a number in a column of dates is a date."""
        if self.layout.date_format is not None and self.layout.date_format.unit == "excel":
            return True
        return column in self._date_columns and self._is_1904 is not None


class TypedCells(list[str]):
    """The cells of a row as texts.

    Attributes:
        values: The cells as the spreadsheet stores them.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        super().__init__([value if type(value) is str else _text(value) for value in values])
        self.values = values


def _date_columns(rows: list[list[Any]]) -> frozenset[int]:
    """Return the columns that have more dates than numbers in the first rows of a sheet."""
    dates = Counter(column for row in rows for column, cell in enumerate(row) if isinstance(cell, dt.date))
    numbers = Counter(column for row in rows for column, cell in enumerate(row) if type(cell) in {int, float})
    return frozenset(column for column, count in dates.items() if count > numbers[column])


def _messages(source: Source, layout: Layout) -> Iterator[list[list[Any]] | tuple[str, ...] | bool | None]:
    """Yield the messages of a process that reads a sheet, from the first one to the notes."""
    source.file.seek(0)
    size = os.fstat(source.file.fileno()).st_size
    memory, seconds = (int(base + each * size) for base, each in (_MEMORY, _SECONDS))
    if getattr(sys, "frozen", False):  # a program made with PyInstaller would start itself
        raise ConfigurationError(
            f"{source.name}: a workbook cannot be read without a Python interpreter; save it as CSV."
        )
    limits = [memory, seconds, layout.sheet, layout.visible_only]
    command = [sys.executable, "-SP", "-m", f"{__package__}.workbook_process", json.dumps(limits)]
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
            f"{source.name}: the process that reads workbooks cannot be started: {error.strerror}; fix that, or save "
            "the sheet as CSV."
        ) from None
    with process:
        messages = cast("IO[bytes]", process.stdout)
        try:
            message: Message = None
            while not isinstance(message, tuple):
                message = pickle.load(messages)  # noqa: S301 - written by this package
                if isinstance(message, str):
                    raise InputFileError(f"{source.name}: {message}")
                yield message
        except (EOFError, pickle.UnpicklingError):
            raise InputFileError(
                f"{source.name}: cannot be read with {memory >> 20} MB of memory in {seconds} seconds, because it is "
                "damaged or too big; delete cells far to the right or far below, or save the sheet as CSV."
            ) from None
        finally:
            process.kill()


def _error_message(error: CellError) -> str:
    shown = f"the error {quoted(str(error), 60)}" if error else "a formula without a value"
    return f"the cell has {shown}; correct it, and save the workbook in a spreadsheet"


def _text(value: object) -> str:
    """Return the text of a cell that is not text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(int(value)) if float(value).is_integer() else format(value, ".15g")
    if isinstance(value, dt.datetime):
        return _to_the_second(value).isoformat(" ").removesuffix(" 00:00:00").removesuffix(":00")
    # No field can be #N/A, so that a rejects file cannot be sent without a correction.
    return str(value) or "#N/A"


def _time(value: object) -> str:
    """Return the time of day of a cell, or an empty text if it has none."""
    if isinstance(value, dt.timedelta) and dt.timedelta() <= value < dt.timedelta(days=1):
        value = EXCEL_DAY_0 + value
    elif isinstance(value, dt.time):
        value = dt.datetime.combine(EXCEL_DAY_0, value)
    return f"{_to_the_second(value):%H:%M:%S}" if isinstance(value, dt.datetime) else ""


def _to_the_second(value: dt.datetime) -> dt.datetime:
    """Return the nearest second: a computed time can be just below the one that the spreadsheet shows."""
    return (min(value, _LAST_MOMENT) + dt.timedelta(milliseconds=500)).replace(microsecond=0)


def _type_problem(value: Any, field: str) -> str:
    """Return what is wrong with a cell that is not text, in the column of a field; an empty text if nothing is."""
    if isinstance(value, bool):
        return "" if field == "is_delivered" else f"{value} is a truth value, not text; {_AS_TEXT}"
    if isinstance(value, (int, float)):
        if abs(value) < INEXACT:  # false for NaN
            return ""
        return f"{_text(value)} has lost digits, because a number cell keeps 15; {_AS_TEXT}"
    if isinstance(value, dt.date) and field not in _NO_DATES:
        return ""
    what = "date" if isinstance(value, dt.date) else "time without a date"
    return f"the spreadsheet has turned it into a {what} ({_text(value)}); {_AS_TEXT}"
