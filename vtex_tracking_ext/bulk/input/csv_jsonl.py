"""Read CSV and JSON lines, row by row, each with its line and as it stood in the file."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.text import quoted, visible

from .columns import COLUMNS, IGNORED, Columns, Header
from .csv_injection import MARK, unescape_cells
from .rows import InputFileError, Layout, Place, RawRow, RowProblem, check_row
from .source import Source, detect_encoding

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .rows import Fault, Row

#: The delimiters of CSV files, by name; where the header does not tell, it is the first.
DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab"}

#: Characters at the beginning of a file that are searched for its header.
_HEAD: Final = 1 << 16

#: Replaces a value of the wrong type, so that the other values can be checked.
_PLACEHOLDER: Final = "?"


def csv_rows(
    source: Source, columns: Columns, now: dt.datetime, encoding: str | None = None
) -> Iterator[Row | RowProblem]:
    """Yield the rows of a CSV file, or their problems.

    The delimiter is the one with which most columns of the header are known. Blank lines are skipped but counted; a row
    over several lines is located at its first one.

    Args:
        source: The file.
        columns: The names that its columns may have.
        now: The current time, aware.
        encoding: Its encoding; see :func:`~vtex_tracking_ext.bulk.input.source.detect_encoding`.

    Raises:
        InputFileError: The header cannot be used, or a wrong quote makes it impossible to tell rows apart.
    """
    name, detected = source.name, detect_encoding(source, encoding)
    header: Header | None = None
    with io.TextIOWrapper(source.file, encoding=detected, newline="") as text:
        end = 0
        try:
            delimiter = _detect_delimiter(text.read(_HEAD), columns)
            text.seek(0)
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            for cells in reader:
                start, end = end + 1, reader.line_num
                if is_blank(cells):
                    continue
                if header is None:
                    header = columns.header(Place(name, start), cells, delimiter, detected)
                else:
                    yield from check_cells(header, Place(name, start), cells, (), now)
        except csv.Error as error:
            raise InputFileError(f"{name}:{end + 1}: not CSV: {error}; check the quotes from here on.") from None
    if header is None:
        raise InputFileError(f"{name}: empty; the first line must be the header: {','.join(COLUMNS)}.")


def is_blank(cells: Sequence[str]) -> bool:
    """Return whether all cells of a row are blank."""
    return not (cells and cells[0].strip()) and not "".join(cells).strip()


def check_cells(
    header: Header, place: Place, cells: list[str], faults: Sequence[Fault], now: dt.datetime
) -> Iterable[Row | RowProblem]:
    """Return the row that the cells of a table make, or its problems.

    Args:
        header: The table's header.
        place: The location of the row.
        cells: Its cells.
        faults: What is known to be wrong with them.
        now: The current time, aware.
    """
    layout = header.layout
    if layout.reasons and any(MARK in cells[number] for number in layout.reasons if number < len(cells)):
        cells = unescape_cells(cells)
    raw = RawRow(layout, cells)
    if len(cells) != len(header.fields):
        unit = "cell" if len(cells) == 1 else "cells"
        message = (
            f"{len(cells)} {unit} where the header has {len(header.fields)}; add the missing cells, or quote a cell "
            f"that contains a {DELIMITERS[layout.delimiter]}"
        )
        return [RowProblem(place, "", message, raw)]
    if header.unnamed:
        message = "{} is in a column without a name; name it, or empty the cell"
        filled = [number for number in header.unnamed if cells[number].strip()]
        faults = [*faults, *((str(number + 1), message.format(quoted(cells[number], 60))) for number in filled)]
    return check_row(place, header.values([*cells, ""]), raw, faults, now)


def _detect_delimiter(head: str, columns: Columns) -> str:
    """Return the delimiter with which most columns of the header are known; among equals, the one with most columns."""

    def known_columns(delimiter: str) -> tuple[int, int]:
        reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
        cells = next((cells for cells in reader if not is_blank(cells)), [])
        return columns.count_known(cells), len(cells)

    return max(DELIMITERS, key=known_columns)


def json_rows(
    source: Source, columns: Columns, now: dt.datetime, encoding: str | None = None
) -> Iterator[Row | RowProblem]:
    """Yield the rows of a file with one JSON object a line; the arguments are those of :func:`csv_rows`."""
    layout = Layout("jsonl")
    is_empty = True
    with io.TextIOWrapper(source.file, encoding=detect_encoding(source, encoding), newline="\n") as text:
        for number, line in enumerate(text, 1):
            if line.isspace():
                continue
            is_empty = False
            place, raw = Place(source.name, number), RawRow(layout, line.rstrip("\r\n"))
            try:
                document = parse_object(line)
            except DuplicateKeyError as error:
                yield RowProblem(place, visible(str(error), 60), "appears twice; remove one", raw)
            except ValueError as error:
                yield RowProblem(place, "", f"{visible(str(error), 200)}; each line must be one JSON object", raw)
            else:
                yield from check_object(place, document, raw, columns, now)
    if is_empty:
        raise InputFileError(f"{source.name}: no rows; each line must be one JSON object.")


class DuplicateKeyError(Exception):
    """An object has a key twice; all values but the last would silently be lost."""


def parse_object(line: str) -> dict[str, Any]:
    """Return the JSON object that a line holds.

    Raises:
        ValueError: It is not JSON, or not an object.
        DuplicateKeyError: The object, or one in it, has a key twice.
    """
    try:
        document = json.loads(line, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:  # the latter where it is nested too deep
        reason = str(error)
        if isinstance(error, json.JSONDecodeError):
            reason = f"column {min(error.pos, len(line.rstrip())) + 1}: {error.msg}"
        raise ValueError(f"not valid JSON ({reason})") from None
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - a wrong value, not a wrong call
    return document


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise DuplicateKeyError(Counter(key for key, _ in pairs).most_common(1)[0][0])
    return document


def check_object(
    place: Place, document: Mapping[str, Any], raw: RawRow | None, columns: Columns, now: dt.datetime
) -> Iterable[Row | RowProblem]:
    """Return the row that a JSON object makes, or its problems.

    Args:
        place: The location of the row.
        document: The object.
        raw: The row as it stood in its file.
        columns: The names that its keys may have.
        now: The current time, aware.
    """
    faults: list[Fault] = []
    values: dict[str, Any] = {}
    for key, value in document.items():
        field = columns.field_of(key)
        if field == IGNORED:
            continue
        if field is None:
            faults.append((visible(key, 60), f"unknown; known columns: {', '.join(COLUMNS)}"))
        elif field in values:
            faults.append((field, "appears twice; remove one"))
        elif value is None or isinstance(value, bool if field == "is_delivered" else str):
            values[field] = value
        else:
            is_flag = field == "is_delivered"
            expected = "true or false" if is_flag else "a string"
            shown = "a list or an object" if isinstance(value, list | dict) else quoted(value, 60)
            faults.append((field, f"{shown} is not {expected}"))
            values[field] = True if is_flag else _PLACEHOLDER
    faults += [(field, "missing") for field in ("order_id", "invoice_number") if field not in values]
    return check_row(place, tuple(values.get(field) for field in COLUMNS), raw, faults, now)
