"""Files of carrier events, row by row: CSV and JSON lines in, numbered rows or named problems out.

A row is one event of one package, or its delivery, or both. The columns are those of :data:`COLUMNS`; VTEX's
own spellings (``orderId``) are taken too.
"""

from __future__ import annotations

import csv
import difflib
import json
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import frozen

from vtex_tracking_ext.errors import VtexTrackingError
from vtex_tracking_ext.events import TrackingEvent, TrackingUpdate
from vtex_tracking_ext.limits import problems_of
from vtex_tracking_ext.text import quoted, visible

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

Format = Literal["csv", "jsonl"]

#: Column names, in the order in which they are documented, with VTEX's spelling of each.
COLUMNS: Final = {
    "order_id": "orderId",
    "invoice_number": "invoiceNumber",
    "date": "date",
    "city": "city",
    "state": "state",
    "description": "description",
    "is_delivered": "isDelivered",
    "delivered_date": "deliveredDate",
    "account": "account",
}
REQUIRED: Final = ("order_id", "invoice_number", "date", "description")

_FORMATS: Final[dict[str, Format]] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_SPELLINGS: Final = {spelling: name for name, other in COLUMNS.items() for spelling in (name, other)}
_FLAGS: Final = {
    **dict.fromkeys(("true", "1", "yes", "sim"), True),
    **dict.fromkeys(("", "false", "0", "no", "nao", "n\N{LATIN SMALL LETTER A WITH TILDE}o"), False),
}


class InputFileError(VtexTrackingError):
    """A file cannot be used as a whole; the message names file and line, and how to mend it. Nothing was sent."""


@frozen
class Place:
    """Where a row stands: the file as it was named, and the line (1 is the first)."""

    source: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line}"


@frozen
class Row:
    """A row that can be sent.

    Attributes:
        place: Where it stands.
        account: What its account column says, or empty.
        order_id: Order id.
        invoice_number: Invoice number of the package.
        event: Its event, or None for a row that only reports the delivery.
        is_delivered: Whether it reports the delivery.
        delivered_date: When, as written, or None.
    """

    place: Place
    account: str
    order_id: str
    invoice_number: str
    event: TrackingEvent | None
    is_delivered: bool
    delivered_date: str | None


@frozen
class RowProblem:
    """A row, or a part of it, that cannot be sent.

    Attributes:
        place: Where it stands.
        column: The column at fault, or empty where it is the row as a whole.
        message: What is wrong, and how to mend it.
    """

    place: Place
    column: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {f'column {self.column}: ' if self.column else ''}{self.message}"


def format_of(path: Path) -> Format:
    """Tell a file's format by its ending.

    Raises:
        InputFileError: By its ending it is none that can be read.
    """
    try:
        return _FORMATS[path.suffix.lower()]
    except KeyError:
        raise InputFileError(
            f"{path}: the ending {quoted(path.suffix)} tells no format; rename it to one of {', '.join(_FORMATS)}."
        ) from None


def read_rows(path: Path, now: dt.datetime) -> Iterator[Row | RowProblem]:
    """Yield the rows of a file, checked; of a row that cannot be sent, each of its problems.

    Args:
        path: The file.
        now: The current time, aware; see :func:`vtex_tracking_ext.limits.check`.

    Raises:
        InputFileError: The file cannot be read, is empty, or its header is wrong.
    """
    lines = _numbered_lines(path)
    records = _csv_records(path, lines) if format_of(path) == "csv" else _json_records(path, lines)
    found = False
    for record in records:
        found = True
        if isinstance(record, RowProblem):
            yield record
        else:
            yield from _checked(*record, now)
    if not found:
        raise InputFileError(f"{path}: no rows; one event a line is expected.")


def _numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a UTF-8 file with their numbers, a byte order mark dropped."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise InputFileError(f"{path}:{number}: not UTF-8 ({error.reason}); save the file as UTF-8.") from None
    except OSError as error:
        raise InputFileError(f"{path}: cannot be read: {error.strerror}.") from None


Record = tuple[Place, "Mapping[str, Any]"]


def _csv_records(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Record | RowProblem]:
    reader = csv.reader((line for _, line in lines), strict=True)
    header: list[str] | None = None
    start = 0
    try:
        for cells in reader:
            place, start = Place(str(path), start + 1), reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header(place, cells)
            elif len(cells) != len(header):
                yield RowProblem(
                    place,
                    "",
                    f"{len(cells)} cells where the header has {len(header)}; "
                    "add what is missing, or put a cell with a comma between quotes",
                )
            else:
                yield place, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        message = f"{path}:{start + 1}: not CSV: {error}; look for a quote that is not closed, from this line on."
        raise InputFileError(message) from None
    if header is None:
        raise InputFileError(f"{path}: empty; the first line must be the header: {','.join(COLUMNS)}.")


def _header(place: Place, cells: list[str]) -> list[str]:
    """Return the columns by our names."""
    names = [_SPELLINGS.get(cell.strip(), "") for cell in cells]
    if "" in names:
        unknown = cells[names.index("")].strip()
        near = difflib.get_close_matches(unknown, _SPELLINGS, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise InputFileError(
            f"{place}: column {names.index('') + 1} of the header, {quoted(unknown, 60)}, is not known{hint} "
            f"There are: {', '.join(COLUMNS)}."
        )
    double = next((name for name in names if names.count(name) > 1), None)
    if double:
        raise InputFileError(f"{place}: the column {double} stands twice in the header; remove one.")
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise InputFileError(f"{place}: the header lacks {', '.join(missing)}; the first line must name the columns.")
    return names


def _json_records(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Record | RowProblem]:
    for number, line in lines:
        if not line.strip():
            continue
        place = Place(str(path), number)
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield RowProblem(place, "", f"not JSON: {visible(str(error), 80)}; one object a line is expected")
            continue
        if not isinstance(document, dict):
            yield RowProblem(place, "", "not a JSON object; one object a line is expected")
            continue
        yield from _json_record(place, document)


def _json_record(place: Place, document: dict[str, Any]) -> Iterator[Record | RowProblem]:
    problems = []
    values: dict[str, Any] = {}
    for key, value in document.items():
        name = _SPELLINGS.get(key)
        if name is None:
            problems.append(RowProblem(place, visible(key, 60), f"not known; there are: {', '.join(COLUMNS)}"))
        elif name in values:
            problems.append(RowProblem(place, name, "given twice; remove one"))
        elif value is None or isinstance(value, bool if name == "is_delivered" else str):
            values[name] = value
        else:
            expected = "true or false" if name == "is_delivered" else "text between quotes"
            problems.append(RowProblem(place, name, f"{quoted(value, 60)} is not {expected}"))
    given = {_SPELLINGS.get(key) for key in document}
    problems += [RowProblem(place, name, "missing") for name in ("order_id", "invoice_number") if name not in given]
    if problems:
        yield from problems
    else:
        yield place, values


def _checked(place: Place, values: Mapping[str, Any], now: dt.datetime) -> Iterator[Row | RowProblem]:
    """Make a row of its cells, or yield all that is wrong with it."""
    flag = values.get("is_delivered") or ""
    is_delivered = flag if isinstance(flag, bool) else _FLAGS.get(flag.strip().casefold())
    if is_delivered is None:
        yield RowProblem(place, "is_delivered", f"{quoted(flag, 60)} is neither true nor false; write one of them")
        return
    row = Row(
        place=place,
        account=values.get("account") or "",
        order_id=values.get("order_id") or "",
        invoice_number=values.get("invoice_number") or "",
        event=_event(values),
        is_delivered=is_delivered,
        delivered_date=values.get("delivered_date") or None,
    )
    events = () if row.event is None else (row.event,)
    update = TrackingUpdate(row.order_id, row.invoice_number, events, row.is_delivered, row.delivered_date)
    problems = [RowProblem(place, _column(p.place), p.message) for p in problems_of(update, now)]
    if problems:
        yield from problems
    else:
        yield row


def _event(values: Mapping[str, Any]) -> TrackingEvent | None:
    date, description, city, state = (values.get(name) or "" for name in ("date", "description", "city", "state"))
    return TrackingEvent(date, description, city, state) if date or description or city or state else None


def _column(place: str) -> str:
    """Return the column that a place in an update comes from."""
    return "date" if place == "events" else place.removeprefix("events[0].")
