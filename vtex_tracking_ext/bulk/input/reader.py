"""Read files of carrier events: CSV, JSON lines and XLSX in, checked rows or named problems out.

A row is one event of one package, or its delivery, or both. The columns are those of :mod:`.columns`; VTEX's own
spellings (``orderId``) are accepted too, and a mapping names others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .columns import Columns
from .csv_jsonl import csv_rows, json_rows
from .source import open_source

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .rows import Format, Row, RowProblem


def read_rows(
    path: Path | str,
    now: dt.datetime,
    *,
    format: Format | None = None,  # noqa: A002 - the usual name
    encoding: str | None = None,
    mapping: Mapping[str, str] | None = None,
    ignore_unknown: bool = False,
    sheet: str | None = None,
) -> Iterator[Row | RowProblem]:
    """Yield the checked rows of a file; for a row that cannot be sent, each of its problems, one after the other.

    Rows are yielded as they are read, and none is kept; only a sheet is held in memory as a whole.

    Args:
        path: The file; ``-`` for standard input, which is read to its end before the first row.
        now: The current time, aware; see :func:`vtex_tracking_ext.call.validation.update_problems`.
        format: Its format; otherwise its extension decides, or for standard input its first byte.
        encoding: ``utf-8`` or ``windows-1252``; otherwise detected from all of the file's bytes, see
            :func:`~vtex_tracking_ext.bulk.input.source.detect_encoding`. Not for XLSX.
        mapping: Column in the file -> field of :data:`~vtex_tracking_ext.bulk.input.columns.COLUMNS`, for files with
            other names. A mapped column must be in the header; an object of JSON lines may lack it.
        ignore_unknown: Ignore columns that are neither known nor mapped, as in exports with many columns. Otherwise
            such a column is an error (in JSON lines a problem of the row), because a misspelt column would silently
            not be sent.
        sheet: The sheet of a workbook with more than one.

    Raises:
        InputFileError: The file cannot be read, is empty (a header without rows is allowed), its header is wrong, or
            from some line on its rows cannot be told apart. Rows before that line have then been yielded.
        ConfigurationError: It is XLSX and the extra is not installed.
    """
    with open_source(path, format) as source:
        columns = Columns(source.name, mapping, ignore_unknown=ignore_unknown)
        if source.format == "csv":
            yield from csv_rows(source, columns, now, encoding)
        elif source.format == "jsonl":
            yield from json_rows(source, columns, now, encoding)
        else:
            from .workbooks import xlsx_rows  # noqa: PLC0415 - an extra

            yield from xlsx_rows(source, columns, now, sheet)
