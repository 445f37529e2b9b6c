"""Read XLSX, row by row. Needs the extra ``xlsx``, which is imported when a sheet is read."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
import zlib
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted

from .columns import COLUMNS
from .csv_jsonl import check_cells, is_blank
from .rows import InputFileError, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_calamine import CalamineWorkbook

    from .columns import Columns, Header
    from .rows import Fault, Row, RowProblem
    from .source import Source

#: Most bytes that a workbook may unpack to.
_MAX_BYTES: Final = 2 << 30

#: Most cells of a sheet's used rectangle: calamine allocates 32 bytes for each, empty or not.
_MAX_CELLS: Final = 1 << 25

_CHUNK: Final = 1 << 20

#: Longer than a match of :data:`_CELL`, so that none is lost between two chunks.
_OVERLAP: Final = 64

#: A cell's address in XML: from column AA on, and any cell's or row's.
_FAR_CELL: Final = re.compile(rb"""\br\s{0,9}=\s{0,9}["'][A-Za-z]{2,3}[0-9]""")
_CELL: Final = re.compile(rb"""\br\s{0,9}=\s{0,9}["']([A-Za-z]{0,3})([0-9]{1,7})""")

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

#: Errors of zipfile for an invalid archive: truncated, corrupt, encrypted, of a later version.
_ZIP_ERRORS: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def xlsx_rows(
    source: Source, columns: Columns, now: dt.datetime, sheet: str | None = None
) -> Iterator[Row | RowProblem]:
    """Yield the rows of a workbook's sheet, or their problems; a row's line is its number in the sheet.

    Text cells are read as they are. A date is read as ``yyyy-mm-dd``, with ``hh:mm`` where it has a time other than
    midnight, except in the columns ``date``, which is a day, and ``time``, which is a time of day. A whole number is
    read as its digits: leading zeros must be stored as text, because a number has none. A date in the column of an id,
    and a number of more than 15 digits, are problems: the spreadsheet has already lost what was typed. Cells with an
    error (``#N/A``) read as empty. Formulas read as the value that was last saved.

    calamine holds the sheet in memory, unlike the other formats.

    Args:
        source: The file.
        columns: The names that its columns may have.
        now: The current time, aware.
        sheet: The sheet's name; otherwise it is the only visible one that has cells.

    Raises:
        InputFileError: It is not a workbook, it is too big, or the sheet must be named.
        ConfigurationError: The extra is not installed.
    """
    try:
        import python_calamine as calamine  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"{source.name}: XLSX needs an extra ({error.name} is missing): pip install 'vtex-tracking[xlsx]'."
        ) from None
    _check_size(source)
    try:
        with calamine.CalamineWorkbook.from_filelike(source.file) as book:
            lines = book.get_sheet_by_name(_choose_sheet(source.name, book, sheet)).iter_rows()
            yield from _rows(source.name, lines, columns, now)
    except calamine.CalamineError as error:
        raise InputFileError(f"{source.name}: not a readable XLSX file: {quoted(str(error))}.") from None


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


def _choose_sheet(name: str, book: CalamineWorkbook, asked: str | None) -> str:
    """Return the name of the sheet to read."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum  # noqa: PLC0415 - an extra

    if asked is not None:
        if asked not in book.sheet_names:
            listed = ", ".join(quoted(other, 60) for other in book.sheet_names)
            raise InputFileError(f"{name}: there is no sheet {quoted(asked, 60)}; there are: {listed}.")
        return asked
    visible = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    ]
    if len(visible) > 1:
        visible = [other for other in visible if book.get_sheet_by_name(other).height] or visible[:1]
    if len(visible) != 1:
        listed = ", ".join(quoted(other, 60) for other in visible)
        raise InputFileError(
            f"{name}: {len(visible)} visible sheets have cells{f': {listed}' if listed else ''}; "
            "name the one to read (--sheet; in Python: sheet=)."
        )
    return visible[0]


def _check_size(source: Source) -> None:
    """Refuse a workbook that would not fit into memory: a ZIP bomb, or one with a stray cell far to the right.

    calamine allocates memory for the whole rectangle from the first cell to the last one, and aborts the process where
    there is not enough. Sheets that end before column AA are always small enough. Cells without an address, which
    spreadsheets do not write, are not found: this is no protection against a malicious file.
    """
    unpacked = 0
    try:
        with zipfile.ZipFile(source.file) as archive:
            for part in archive.infolist():
                if part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                    raise InputFileError(f"{source.name}: compressed in a way that XLSX does not use; save it again.")
                has_far_cell = False
                for chunk in _chunks(archive, part):
                    unpacked += len(chunk)
                    has_far_cell = has_far_cell or _FAR_CELL.search(chunk) is not None
                    if unpacked > _MAX_BYTES:
                        raise InputFileError(f"{source.name}: unpacks to more than {_MAX_BYTES} bytes; split it.")
                if has_far_cell and _cells(archive, part) > _MAX_CELLS:
                    raise InputFileError(
                        f"{source.name}: the cells of {quoted(part.filename, 60)} are too far apart to be held in "
                        "memory; delete cells far to the right or far below, or save the sheet as CSV."
                    )
    except _ZIP_ERRORS as error:
        raise InputFileError(f"{source.name}: not a readable XLSX file: {quoted(str(error))}.") from None
    finally:
        source.file.seek(0)


def _chunks(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield an unpacked part of a workbook; each chunk begins with the end of the one before it."""
    with archive.open(part) as file:
        end = b""
        while chunk := file.read(_CHUNK):
            yield end + chunk
            end = chunk[-_OVERLAP:]


def _cells(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> int:
    """Return the number of cells in the rectangle from A1 to the last column and row."""
    columns, rows = {b""}, 0
    for chunk in _chunks(archive, part):
        for column, row in _CELL.findall(chunk):
            columns.add(column)
            rows = max(rows, int(row))
    return rows * max(map(_column_number, columns))


def _column_number(column: bytes) -> int:
    """Return the number of a column from its letters: 1 for A, 27 for AA, 0 without letters."""
    return reduce(lambda number, letter: number * 26 + letter - 64, column.upper(), 0)
