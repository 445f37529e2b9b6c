"""Read the rows of a table: a CSV file, or a sheet of a workbook. Pure, apart from the records that it is given."""

from __future__ import annotations

import re
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol

from vtex_tracking_ext.text import quoted

from .columns import COLUMNS, REQUIRED
from .csv_injection import MARK, unescape_cells
from .dates import DateError, day_order
from .rows import InputFileError, Place, RawRow, Recognition, RowNote, RowProblem, RowReader
from .values import is_missing, text_key, unwrapped

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Generator, Iterator, Sequence

    from .columns import Columns, Header
    from .csv_records import Record
    from .dates import Order
    from .layout import Layout
    from .rows import Fault, Row

#: Most lines above the header that are searched for it.
_MAX_LINES_ABOVE: Final = 50

#: How a line that is no event begins: totals, the end of a report, and the end of a file of DOS.
_FOOTER: Final = re.compile(r"(?:sub)?tota(?:l|is|les)\b|som[ae]\b|suma\b|fim\b|fin de\b|end of\b|\x1a", re.IGNORECASE)

#: Most required columns that such a line fills; an event of a carrier called Total that lacks one fills more.
_MAX_FOOTER_FIELDS: Final = 2

#: The note about a file in which nothing can be a delivery.
NO_DELIVERY: Final = (
    "nothing in this file counts as delivered: it has no column is_delivered, and no rule says which text means a "
    "delivery; give --delivered-when COLUMN=TEXT (in Python: delivered_when=; in a layout: delivered_when)"
)


class Table(Protocol):
    """A table in a file."""

    @property
    def name(self) -> str:
        """The file's name, for messages."""

    @property
    def delimiter(self) -> str:
        """The character between cells, for a rejects file."""

    @property
    def encoding(self) -> str:
        """The encoding, for a rejects file."""

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know about the table, after all of its records were read."""

    def records(self) -> Generator[Record]:
        """Yield the records, from the first one; iterators must not disturb each other."""

    def typed(self, cells: list[str], fields: Sequence[str]) -> tuple[list[str], Sequence[Fault]]:
        """Return the cells of a record as the types of its columns want them, and what is wrong with their types."""


def table_rows(
    table: Table, columns: Columns, layout: Layout, now: dt.datetime, recognition: Recognition
) -> Iterator[Row | RowProblem | RowNote]:
    """Yield the rows of a table, with notes about them, or their problems.

    Args:
        table: The table.
        columns: The names that its columns may have.
        layout: How a person said that it is to be read.
        now: The current time, aware.
        recognition: Receives what is recognised.

    Raises:
        InputFileError: The header cannot be used, or the order of day and month cannot be told.
    """
    with closing(table.records()) as all_records:
        records = (record for record in all_records if not is_blank(record[1]))
        head = _head(records, columns, layout)
        if not head:
            raise InputFileError(f"{table.name}: empty; the first line must be the header: {','.join(COLUMNS)}.")
        line, cells, fault = head[-1] if layout.header_row else _likely_header(head, columns)
        if fault:
            raise InputFileError(f"{Place(table.name, line)}: {fault}.")
        header = columns.header(Place(table.name, line), cells, table.delimiter, table.encoding, recognition.day_orders)
        yield from _header_notes(Place(table.name, line), header)
        recognition.delimiter, recognition.header_line = table.delimiter, line
        recognition.columns += zip(header.dialect.header, header.fields, strict=False)
        reader = RowReader(layout, now, lambda column: _day_order(table, line, header, column), recognition)
        header_cells = list(header.dialect.header)
        for number, cells, fault in chain(head, records):
            if number <= line:
                continue
            place = Place(table.name, number)
            if fault:
                yield RowProblem(place, "", fault, RawRow(header.dialect, cells))
            elif cells == header_cells:
                yield RowNote(place, "the header again; passed over")
            else:
                found = _read(table, header, place, cells, reader)
                if isinstance(found[0], RowProblem) and _is_footer(cells, header):
                    yield RowNote(place, "not an event; passed over")
                else:
                    yield from found
        yield from (RowNote(Place(table.name, line), note) for note in table.notes)


def _head(records: Iterator[Record], columns: Columns, layout: Layout) -> list[Record]:
    """Return the first records: to the header if its line or its columns tell it, else as many as are searched."""
    head: list[Record] = []
    for record in records:
        head.append(record)
        if layout.header_row is None:
            if columns.has_required(record[1]) or len(head) > _MAX_LINES_ABOVE:
                break
        elif record[0] >= layout.header_row:
            break
    return head


def _likely_header(head: Sequence[Record], columns: Columns) -> Record:
    """Return the header, or the most likely one if no record has all required columns, for the message about it."""
    if columns.has_required(head[-1][1]):
        return head[-1]
    return max(head, key=lambda record: (columns.count_known(record[1]), bool(record[2])))


def _header_notes(place: Place, header: Header) -> Iterator[RowNote]:
    if header.unknown:
        yield RowNote(place, f"passed over, because they are not known: {', '.join(header.unknown)}")
    if not header.rule and "is_delivered" not in header.fields:
        yield RowNote(place, NO_DELIVERY)


def _read(
    table: Table, header: Header, place: Place, cells: list[str], reader: RowReader
) -> Sequence[Row | RowProblem | RowNote]:
    dialect, width = header.dialect, len(header.fields)
    cells, faults = table.typed(cells, header.fields)
    raw = RawRow(dialect, cells)
    if dialect.reasons and any(MARK in cells[number] for number in dialect.reasons if number < len(cells)):
        cells = unescape_cells(cells)
        raw = RawRow(dialect, cells)
    if len(cells) != width:
        if "".join(cells[width:]).strip():
            message = f"{len(cells)} cells where the header has {width}; quote a cell that contains the delimiter"
            return [RowProblem(place, "", message, raw)]
        cells = cells[:width] + [""] * (width - len(cells))
    faults = [*faults, *(() if reader.layout.clean else _rule_faults(header, cells))] if header.rule else faults
    is_delivery = any(text_key(cells[number]) in texts for number, texts in header.rule) if header.rule else None
    return reader.read(place, header.values([*cells, ""]), raw, faults, is_delivery=is_delivery)


def _rule_faults(header: Header, cells: Sequence[str]) -> Iterator[Fault]:
    """Yield the columns of the rule for deliveries that have a missing value, which does not tell what happened."""
    for number, _ in header.rule:
        if is_missing(unwrapped(cells[number])):
            shown = quoted(cells[number].strip(), 60)
            yield header.dialect.header[number], f"{shown} stands for a missing value; correct it, or give --clean"


def _day_order(table: Table, line: int, header: Header, column: str) -> Order:
    """Return the order of day and month in a column, from all of its cells."""
    index = header.fields.index(column)
    try:
        with closing(table.records()) as records:
            texts = (
                table.typed(cells, header.fields)[0][index]
                for number, cells, _ in records
                if number > line and len(cells) > index
            )
            return day_order(texts, column)
    except DateError as error:
        raise InputFileError(f"{table.name}: {error}.") from None


def is_blank(cells: Sequence[str]) -> bool:
    """Return whether all cells of a row are blank."""
    return not (cells and cells[0].strip()) and not "".join(cells).strip()


def _is_footer(cells: Sequence[str], header: Header) -> bool:
    """Return whether a record is a line of totals, or the end of a report, and no event."""
    first = next(cell for cell in cells if cell.strip())
    if not _FOOTER.match(first.strip()):
        return False
    filled = {field for field, cell in zip(header.fields, cells, strict=False) if cell.strip()}
    return len(filled.intersection(REQUIRED)) <= _MAX_FOOTER_FIELDS
