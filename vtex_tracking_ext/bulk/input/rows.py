"""Files of carrier events, row by row: CSV, JSON lines and XLSX in, checked rows or named problems out.

A row is one event of one package, or its delivery, or both. The columns are those of :data:`COLUMNS`; VTEX's
own spellings (``orderId``) are taken too, and a mapping names others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.call.checks import update_problems
from vtex_tracking_ext.events import TrackingEvent, TrackingUpdate
from vtex_tracking_ext.text import quoted

from .columns import COLUMNS, REQUIRED, Columns
from .csv_jsonl import csv_records, json_records
from .records import Format, InputFileError, Place, Row, RowProblem
from .source import Source, format_of, opened

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .records import Record

__all__ = [
    "COLUMNS",
    "REQUIRED",
    "Format",
    "InputFileError",
    "Place",
    "Row",
    "RowProblem",
    "format_of",
    "read_rows",
]

_FLAGS: Final = {
    **dict.fromkeys(("true", "1", "yes", "sim"), True),
    **dict.fromkeys(("", "false", "0", "no", "nao", "n\N{LATIN SMALL LETTER A WITH TILDE}o"), False),
}


def read_rows(
    path: Path | str,
    now: dt.datetime,
    *,
    format: Format | None = None,  # noqa: A002 - what everybody calls it
    encoding: str | None = None,
    mapping: Mapping[str, str] | None = None,
    ignore_unknown: bool = False,
    sheet: str | None = None,
) -> Iterator[Row | RowProblem]:
    """Yield the rows of a file, checked; of a row that cannot be sent, each of its problems, one after the other.

    Rows are yielded as they are read, and none is kept; only a sheet is in memory as a whole.

    Args:
        path: The file; ``-`` for standard input, which is read to its end before the first row.
        now: The current time, aware; see :func:`vtex_tracking_ext.call.checks.update_problems`.
        format: Its format; otherwise its ending tells, or of standard input its first byte.
        encoding: ``utf-8`` or ``windows-1252``; otherwise told by all of the file's bytes, see
            :func:`~vtex_tracking_ext.bulk.input.source.encoding_of`. Not for XLSX.
        mapping: Column in the file -> field of :data:`COLUMNS`, for files with other names. A mapped column must
            stand in the header; JSON lines have none, so there each object may do without.
        ignore_unknown: Pass over columns that are neither known nor mapped, as exports with many columns have
            them. Otherwise such a column is an error (in JSON lines a problem of the row), because a misspelt
            name would silently not be sent.
        sheet: The sheet of a workbook with more than one.

    Raises:
        InputFileError: The file cannot be read, is empty (a header alone is a quiet day), its header is wrong, or from
            some line on its rows cannot be told apart. Rows before that line have then been yielded: what is wrong
            with a file is known when it has been read to its end.
        ConfigurationError: It is XLSX and the extra is not installed.
    """
    found = False
    with opened(path, format) as source:
        columns = Columns(source.name, mapping, ignore_unknown=ignore_unknown)
        for record in _records(source, columns, encoding, sheet):
            found = True
            yield from checked(record, now)
    if not found and source.format == "jsonl":
        raise InputFileError(f"{source.name}: no rows; one event a line is expected.")


def _records(
    source: Source, columns: Columns, encoding: str | None, sheet: str | None
) -> Iterator[Record | RowProblem]:
    if source.format == "csv":
        return csv_records(source, columns, encoding)
    if source.format == "jsonl":
        return json_records(source, columns, encoding)
    from .workbooks import xlsx_records  # noqa: PLC0415 - an extra

    return xlsx_records(source, columns, sheet)


def checked(record: Record | RowProblem, now: dt.datetime) -> tuple[Row] | list[RowProblem]:
    """Make a row of a record, or return all that is wrong with it."""
    if isinstance(record, RowProblem):
        return [record]
    place, values, raw, faults = record
    order_id, invoice_number, date, city, state, description, flag, delivered_date, account = values
    is_delivered = flag if isinstance(flag, bool) else _FLAGS.get(flag.strip().casefold()) if flag else False
    if is_delivered is None:
        faults = [*faults, ("is_delivered", f"{quoted(flag, 60)} is neither true nor false; write one of them")]
        is_delivered = True  # so that nothing else is blamed for it
    has_event = date or description or city or state
    event = TrackingEvent(date or "", description or "", city or "", state or "") if has_event else None
    row = Row(
        place, account or "", order_id or "", invoice_number or "", event, is_delivered, delivered_date or None, raw
    )
    events = () if event is None else (event,)
    update = TrackingUpdate(row.order_id, row.invoice_number, events, is_delivered, row.delivered_date)
    problems = list(update_problems(update, now))
    if not faults and not problems:
        return (row,)
    blamed = {column for column, _ in faults}
    wrong = [*faults, *((column, p.message) for p in problems if (column := _column(p.place)) not in blamed)]
    return [RowProblem(place, column, message, raw) for column, message in wrong]


def _column(place: str) -> str:
    """Return the column that a place in an update comes from."""
    return "date" if place == "events" else place.removeprefix("events[0].")
