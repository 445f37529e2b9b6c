"""A CSV file as a table."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from attrs import frozen

from .csv_records import csv_records
from .layout import DELIMITERS
from .tables import is_blank

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from .csv_records import Record
    from .rows import Fault
    from .text_source import TextSource

#: Lines at the beginning of a file from which the delimiter is told.
_HEAD: Final = 60


@frozen
class CsvTable:
    """A CSV file; see :class:`~.tables.Table`."""

    source: TextSource
    delimiter: str
    first_line: int = 1
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file's name, for messages."""
        return self.source.name

    @property
    def encoding(self) -> str:
        """The file's encoding."""
        return self.source.encoding

    def records(self) -> Generator[Record]:
        """Yield the records, without a first line such as ``sep=;``."""
        with self.source.open() as text:
            yield from csv_records(islice(text, self.first_line - 1, None), self.delimiter, self.first_line)

    def typed(self, cells: list[str], fields: Sequence[str]) -> tuple[list[str], Sequence[Fault]]:
        """Return the cells as they are: all are text."""
        del fields
        return cells, ()


def csv_table(source: TextSource, count_known: Callable[[Sequence[str]], int], delimiter: str | None) -> CsvTable:
    """Return a CSV file as a table.

    Args:
        source: The file.
        count_known: Returns how many of the cells of a line are names of known columns.
        delimiter: The character between cells. Otherwise a first line such as ``sep=;`` says it, or it is the one with
            which some line has the most known columns; among equals, the one with the most cells.
    """
    with source.open() as text:
        head = list(islice(text, _HEAD))
    first = head[0].lstrip("\ufeff").rstrip("\r\n") if head else ""
    has_hint = first[:4].lower() == "sep=" and first[4:] in DELIMITERS
    if has_hint:
        head, delimiter = head[1:], delimiter or first[4:]
    if delimiter is None:

        def known_columns(candidate: str) -> tuple[int, int]:
            rows = (cells for _, cells, _ in csv_records(head, candidate) if not is_blank(cells))
            return max(((count_known(cells), len(cells)) for cells in rows), default=(0, 0))

        delimiter = max(DELIMITERS, key=known_columns)
    return CsvTable(source, delimiter, 1 + has_hint)
