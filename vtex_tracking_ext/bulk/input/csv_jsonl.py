"""CSV and JSON lines, record by record, each with its line and as it stood in the file."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.text import quoted, visible

from .columns import COLUMNS, PASSED_OVER, Columns, Header
from .csv_injection import MARK, restored
from .records import InputFileError, Layout, Place, RawRow, RowProblem
from .source import Source, encoding_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .records import Fault, Record, Values

#: What may stand between the cells of a CSV file, by name; where nothing tells, it is the first.
DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab"}

#: Characters from the beginning of a file among which its header is looked for.
_HEAD: Final = 1 << 16

#: What a value is put down as where it is not of the right type, so that the checks can look at the others.
_STAND_IN: Final = "?"


class Table:
    """A table's header and layout, which make records of its rows. Used for CSV and for sheets."""

    def __init__(self, header: Header, layout: Layout) -> None:
        self._header = header
        self._layout = layout
        self._width = len(header.cells)
        self._between = DELIMITERS[layout.delimiter]

    def record(self, place: Place, cells: list[str], faults: Sequence[Fault] = ()) -> Record | RowProblem:
        """Make a record of a row's cells."""
        header = self._header
        if header.reasons and any(MARK in cells[n] for n in header.reasons if n < len(cells)):
            cells = restored(cells)
        raw = RawRow(self._layout, cells)
        if len(cells) != self._width:
            return RowProblem(
                place,
                "",
                f"{len(cells)} cells where the header has {self._width}; "
                f"add what is missing, or put a cell with a {self._between} between quotes",
                raw,
            )
        if header.nameless:
            faults = [*faults, *self._nameless(cells)]
        return place, header.values([*cells, ""]), raw, faults

    def _nameless(self, cells: Sequence[str]) -> Iterator[Fault]:
        for number in self._header.nameless:
            if cells[number].strip():
                yield (
                    str(number + 1),
                    f"{quoted(cells[number], 60)} stands under no name; name the column, or empty the cell",
                )


def csv_records(source: Source, columns: Columns, asked: str | None = None) -> Iterator[Record | RowProblem]:
    """Yield the records of a CSV file.

    The delimiter is the one with which most columns of the header are known. Blank lines are passed over, and
    counted; a row stands at its first line.

    Args:
        source: The file.
        columns: The names that its columns may have.
        asked: Its encoding; see :func:`~vtex_tracking_ext.bulk.input.source.encoding_of`.

    Raises:
        InputFileError: The header cannot be used, or quotes are wrong, so that nobody can tell rows apart.
    """
    name, encoding = source.name, encoding_of(source, asked)
    table: Table | None = None
    with io.TextIOWrapper(source.file, encoding=encoding, newline="") as text:
        end = 0
        try:
            delimiter = _delimiter(text.read(_HEAD), columns)
            text.seek(0)
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            for cells in reader:
                start, end = end + 1, reader.line_num
                if is_blank(cells):
                    continue
                if table is None:
                    header = columns.header(Place(name, start), cells)
                    table = Table(header, Layout("csv", delimiter, encoding, header.cells, header.reasons))
                else:
                    yield table.record(Place(name, start), cells)
        except csv.Error as error:
            message = f"{name}:{end + 1}: not CSV: {error}; look for a quote that is not closed, from this line on."
            raise InputFileError(message) from None
    if table is None:
        raise InputFileError(f"{name}: empty; the first line must be the header: {','.join(COLUMNS)}.")


def is_blank(cells: Sequence[str]) -> bool:
    """Tell whether a row has nothing but blanks in it."""
    return not (cells and cells[0].strip()) and not "".join(cells).strip()


def _delimiter(head: str, columns: Columns) -> str:
    """Return the delimiter that makes most of the header's columns known; where none is, that makes most columns."""

    def sense(delimiter: str) -> tuple[int, int]:
        cells = _first_row(head, delimiter)
        return columns.known(cells), len(cells)

    return max(DELIMITERS, key=sense)


def _first_row(head: str, delimiter: str) -> list[str]:
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    return next((cells for cells in reader if not is_blank(cells)), [])


def json_records(source: Source, columns: Columns, asked: str | None = None) -> Iterator[Record | RowProblem]:
    """Yield the records of a file with one JSON object a line; the arguments are those of :func:`csv_records`."""
    layout = Layout("jsonl")
    with io.TextIOWrapper(source.file, encoding=encoding_of(source, asked), newline="\n") as text:
        for number, line in enumerate(text, 1):
            if not line.isspace():
                yield _json_record(Place(source.name, number), line, layout, columns)


def _json_record(place: Place, line: str, layout: Layout, columns: Columns) -> Record | RowProblem:
    raw = RawRow(layout, line.rstrip("\r\n"))
    try:
        document = object_of(line)
        values, faults = values_of(document, columns)
    except KeyTwiceError as error:
        return RowProblem(place, visible(str(error), 60), "given twice; remove one", raw)
    except ValueError as error:
        return RowProblem(place, "", f"{visible(str(error), 80)}; one JSON object a line is expected", raw)
    return place, values, raw, faults


class KeyTwiceError(Exception):
    """An object names a key twice; all but the last would silently be lost."""


def object_of(line: str) -> dict[str, Any]:
    """Return the JSON object that a line holds.

    Raises:
        ValueError: It is no JSON, or no object.
        KeyTwiceError: The object, or one in it, names a key twice.
    """
    try:
        document = json.loads(line, object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError) as error:  # the latter where it is nested too deep
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - it is what the line says
    return document


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise KeyTwiceError(counts.most_common(1)[0][0])
    return document


def values_of(document: Mapping[str, Any], columns: Columns) -> tuple[Values, list[Fault]]:
    """Return an object's values in our order, and what is wrong with its keys and with their types."""
    faults: list[Fault] = []
    values: dict[str, Any] = {}
    for key, value in document.items():
        field = columns.field_of(key)
        if field is None:
            faults.append((visible(key, 60), f"not known; there are: {', '.join(COLUMNS)}"))
        elif field != PASSED_OVER and field in values:
            faults.append((field, "given twice; remove one"))
        elif value is None or isinstance(value, bool if field == "is_delivered" else str):
            values[field] = value
        elif field != PASSED_OVER:
            is_flag = field == "is_delivered"
            expected = "true or false" if is_flag else "text between quotes"
            shown = "a list or an object" if isinstance(value, list | dict) else quoted(value, 60)
            faults.append((field, f"{shown} is not {expected}"))
            values[field] = True if is_flag else _STAND_IN
    faults += [(field, "missing") for field in ("order_id", "invoice_number") if field not in values]
    return tuple(values.get(field) for field in COLUMNS), faults
