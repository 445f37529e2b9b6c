"""XLSX, record by record. Needs the extra ``xlsx``; nothing of it is imported before a sheet is read."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted

from .columns import COLUMNS
from .csv_jsonl import Table, is_blank
from .records import InputFileError, Layout, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from python_calamine import CalamineWorkbook

    from .columns import Columns
    from .records import Fault, Record, RowProblem
    from .source import Source

#: Bytes that a workbook may unpack to.
_LARGEST: Final = 2 << 30

#: Cells that a sheet's used rectangle may have, because calamine sets 32 bytes aside for each, empty or not.
_MOST_CELLS: Final = 1 << 25

_CHUNK: Final = 1 << 20

#: Longer than what :data:`_CELL` matches, so that no cell is lost between two chunks.
_OVERLAP: Final = 64

#: A cell's address in XML, from column AA on, and any cell's or row's.
_FAR_CELL: Final = re.compile(rb"""\br\s{0,9}=\s{0,9}["'][A-Za-z]{2,3}[0-9]""")
_CELL: Final = re.compile(rb"""\br\s{0,9}=\s{0,9}["']([A-Za-z]{0,3})([0-9]{1,7})""")

#: From here on a number cell has lost its last digits: a spreadsheet keeps 15.
_INEXACT: Final = 10**15

#: Half a second can be added to it.
_LAST_MOMENT: Final = dt.datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 - a sheet knows no time zones

_AS_TEXT: Final = "format the cell as text and write it anew"

#: What zipfile raises for bytes that it cannot make sense of: cut, broken, encrypted, of a later version.
_NO_ZIP: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def xlsx_records(source: Source, columns: Columns, sheet: str | None = None) -> Iterator[Record | RowProblem]:
    """Yield the records of a workbook's sheet; a record's line is its row number in the sheet.

    Text cells are taken as they are. A date is put down as ``yyyy-mm-dd``, with ``hh:mm`` where it has a time
    other than midnight, but for the column ``date``, which is a day. A whole number is put down as its digits:
    leading zeros must be stored as text, because a number has none. A date where an id should be, and a number of
    more than 15 digits, are problems: the spreadsheet has already lost what was typed. Cells with an error
    (``#N/A``) read as empty. Formulas count as the value that was last saved.

    The sheet is held in memory by calamine, unlike the other formats.

    Args:
        source: The file.
        columns: The names that its columns may have.
        sheet: The sheet's name; otherwise it is the only visible one that has cells.

    Raises:
        InputFileError: It is no workbook, it is too big, or the sheet cannot be told.
        ConfigurationError: The extra is not installed.
    """
    try:
        import python_calamine as calamine  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"{source.name}: XLSX needs an extra ({error.name} is missing): pip install 'vtex-tracking[xlsx]'."
        ) from None
    _look_at_size(source)
    try:
        with calamine.CalamineWorkbook.from_filelike(source.file) as book:
            rows = book.get_sheet_by_name(_chosen(source.name, book, sheet)).iter_rows()
            yield from _records(source.name, rows, columns)
    except calamine.CalamineError as error:
        raise InputFileError(f"{source.name}: not an XLSX file that can be read: {quoted(str(error))}.") from None


def _records(name: str, rows: Iterator[list[Any]], columns: Columns) -> Iterator[Record | RowProblem]:
    table: Table | None = None
    fields: Sequence[str] = ()
    for number, values in enumerate(rows, 1):
        cells = [value if isinstance(value, str) else _text(value) for value in values]
        if is_blank(cells):
            continue
        place = Place(name, number)
        if table is None:
            header = columns.header(place, cells)
            table = Table(header, Layout("csv", ",", "utf-8-sig", header.cells, header.reasons))
            fields = header.fields
        else:
            faults: list[Fault] = []
            for index, (value, field) in enumerate(zip(values, fields, strict=True)):
                if field and not isinstance(value, str):
                    faults += _faults(value, field)
                    if field == "date" and isinstance(value, dt.datetime):
                        cells[index] = cells[index][: len("yyyy-mm-dd")]
            yield table.record(place, cells, faults)
    if table is None:
        raise InputFileError(f"{name}: empty; the first row must be the header: {', '.join(COLUMNS)}.")


def _text(value: object) -> str:
    """Return a cell that is not text as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(int(value)) if float(value).is_integer() else format(value, ".15g")
    if isinstance(value, dt.datetime):
        # What was computed can lie a hair before the minute that the spreadsheet shows.
        value = min(value, _LAST_MOMENT) + dt.timedelta(milliseconds=500)
        return value.isoformat(" ", "minutes").removesuffix(" 00:00")
    return str(value)


def _faults(value: Any, field: str) -> Iterator[Fault]:
    """Yield what is wrong with a cell that is not text, in a column that holds a field."""
    if isinstance(value, bool):
        if field != "is_delivered":
            yield field, f"{value} is true or false, not text; {_AS_TEXT}"
    elif isinstance(value, (int, float)):
        if not abs(value) < _INEXACT:  # so that what is not a number is refused too
            yield field, f"{_text(value)} has lost digits, because a number cell keeps 15; {_AS_TEXT}"
    elif field in {"order_id", "invoice_number", "account"} or not isinstance(value, dt.date):
        what = "date" if isinstance(value, dt.date) else "time without a day"
        yield field, f"the spreadsheet has made a {what} of it ({_text(value)}); {_AS_TEXT}"


def _chosen(name: str, book: CalamineWorkbook, asked: str | None) -> str:
    """Return the name of the sheet to read."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum  # noqa: PLC0415 - an extra

    visible = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    ]
    if asked is not None:
        if asked not in book.sheet_names:
            listed = ", ".join(quoted(other, 60) for other in book.sheet_names)
            raise InputFileError(f"{name}: there is no sheet {quoted(asked, 60)}; there are: {listed}.")
        return asked
    if len(visible) > 1:
        visible = [other for other in visible if book.get_sheet_by_name(other).height] or visible[:1]
    if len(visible) != 1:
        listed = ", ".join(quoted(other, 60) for other in visible)
        raise InputFileError(
            f"{name}: {len(visible)} visible sheets have cells{f': {listed}' if listed else ''}; "
            "say which one to read (--sheet; in Python: sheet=)."
        )
    return visible[0]


def _look_at_size(source: Source) -> None:
    """Refuse a workbook that would not fit into memory: a bomb, or one cell gone astray in the last column.

    calamine sets memory aside for the whole rectangle from the first cell to the last one, and ends the process
    where there is not enough. Sheets that end before column AA are always small enough. Cells without an address,
    which spreadsheets do not write, are not seen: against a file that was made to do harm this is no protection.
    """
    unpacked = 0
    try:
        with zipfile.ZipFile(source.file) as archive:
            for part in archive.infolist():
                if part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                    raise InputFileError(f"{source.name}: packed in a way that XLSX does not have; save it anew.")
                has_far_cell = False
                for chunk in _chunks(archive, part):
                    unpacked += len(chunk)
                    has_far_cell = has_far_cell or _FAR_CELL.search(chunk) is not None
                    if unpacked > _LARGEST:
                        raise InputFileError(f"{source.name}: unpacks to more than {_LARGEST} bytes; split it.")
                if has_far_cell and _cells(archive, part) > _MOST_CELLS:
                    raise InputFileError(
                        f"{source.name}: the cells of {quoted(part.filename, 60)} lie too far apart to be held in "
                        "memory; delete what stands far to the right or far below, or save the sheet as CSV."
                    )
    except _NO_ZIP as error:
        raise InputFileError(f"{source.name}: not an XLSX file that can be read: {quoted(str(error))}.") from None
    finally:
        source.file.seek(0)


def _chunks(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a part of a workbook, unpacked; each chunk begins with the end of the one before it."""
    with archive.open(part) as file:
        end = b""
        while chunk := file.read(_CHUNK):
            yield end + chunk
            end = chunk[-_OVERLAP:]


def _cells(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> int:
    """Return how many cells the rectangle from A1 to the last column and row has."""
    columns, rows = {b""}, 0
    for chunk in _chunks(archive, part):
        for column, row in _CELL.findall(chunk):
            columns.add(column)
            rows = max(rows, int(row))
    return rows * max(map(_number, columns))


def _number(column: bytes) -> int:
    """Return the number of a column by its letters: A is 1, AA is 27; without letters it is 0."""
    number = 0
    for letter in column.upper():
        number = number * 26 + letter - 64
    return number
