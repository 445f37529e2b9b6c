"""Read files of carrier events: CSV, JSON and workbooks in, checked rows or named problems out.

A row is one event of one package, or its delivery, or both. The columns are those of :mod:`.columns`; usual names in
English, Portuguese, Spanish and Romanian are known, and a layout names others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack

from vtex_tracking_ext.errors import ConfigurationError

from .columns import Columns, stored_layout
from .csv_table import csv_table
from .json_rows import json_rows
from .layout import Layout, ReadingOptions
from .rows import InputFileError, Recognition
from .source import open_source
from .tables import table_rows
from .text_source import text_source

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator
    from pathlib import Path

    from .rows import Format, Row, RowNote, RowProblem
    from .source import Source


#: Characters of the first line in which a rejects file has its options.
_MAX_HEAD: Final = 1 << 16


def read_rows(
    path: Path | str,
    now: dt.datetime,
    *,
    format: Format | None = None,  # noqa: A002 - the usual name
    layout: Layout | None = None,
    recognition: Recognition | None = None,
    **options: Unpack[ReadingOptions],
) -> Iterator[Row | RowProblem | RowNote]:
    """Yield the checked rows of a file; for a row that cannot be sent, each of its problems, one after the other.

    Rows are yielded as they are read, and none is kept; only a sheet, and a JSON array, is held in memory as a whole.

    Args:
        path: The file; ``-`` for standard input, which is read to its end before the first row.
        now: The current time, aware; see :func:`vtex_tracking_ext.call.validation.update_problems`.
        format: Its format; otherwise its first bytes decide.
        layout: How it is to be read, where that is not recognised.
        recognition: Receives what is recognised, while the rows are read.
        **options: Attributes of a :class:`~.layout.Layout` that replace those of ``layout``.

    Raises:
        InputFileError: The file cannot be read, is empty (a header without rows is allowed), its header is wrong, or it
            cannot be told how to read it. Rows before that line have then been yielded.
        ConfigurationError: An option cannot be used; or the file is a workbook and the extra is not installed.
    """
    layout = (layout or Layout()).with_options(options)
    with open_source(path, format) as source:
        yield from rows_of_source(source, now, layout, Recognition() if recognition is None else recognition)


def rows_of_source(
    source: Source, now: dt.datetime, layout: Layout, recognition: Recognition
) -> Iterator[Row | RowProblem | RowNote]:
    """Yield the checked rows of an open file; see :func:`read_rows`."""
    recognition.format = source.format
    columns = Columns(source.name, layout)
    if recognition.format == "xlsx":
        from .workbooks import SheetTable  # noqa: PLC0415 - an extra

        yield from table_rows(SheetTable(source, layout), columns, layout, now, recognition)
        return
    text = text_source(source, layout.encoding)
    with text.open() as opened:
        stored = stored_layout(opened.readline(_MAX_HEAD))
    if stored:
        try:
            layout = Layout().with_options({**stored, **layout.to_options()})
        except ConfigurationError as error:
            raise InputFileError(f"{source.name}:1: the options behind the word reason: {error}") from None
        columns = Columns(source.name, layout)
    recognition.encoding, recognition.is_encoding_certain = text.encoding, text.is_certain
    if recognition.format == "csv":
        table = csv_table(text, columns.count_known, layout.delimiter)
        yield from table_rows(table, columns, layout, now, recognition)
    else:
        yield from json_rows(text, columns, layout, now, recognition)
