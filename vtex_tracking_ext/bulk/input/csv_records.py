"""Split the text of a CSV file into records. Pure.

A quote that is not closed, or not doubled, costs the line on which it stands and no other.
"""

from __future__ import annotations

import csv
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

#: Most lines of one record. A record of more has a quote that is not closed.
_MAX_LINES: Final = 1000

_BYTE_ORDER_MARK: Final = "\ufeff"


#: A record of a file: the number of its first line, its cells, and what is wrong with its quotes, or an empty text.
#: A line with a wrong quote is a single cell.
Record = tuple[int, list[str], str]


def csv_records(text: Iterable[str], delimiter: str, first_line: int = 1) -> Generator[Record]:
    """Yield the records of a text.

    Args:
        text: Its lines, with their line breaks. Byte order marks at the beginning of a line are ignored: files that
            were joined have them.
        delimiter: The character between cells.
        first_line: The number of the first line.
    """
    lines, unread = iter(text), deque[str]()
    read: list[str] = []  # the lines of the current record

    def next_lines() -> Iterator[str]:
        while True:
            line = unread.popleft() if unread else next(lines, "")
            if not line:
                return
            if len(read) == _MAX_LINES:
                unread.appendleft(line)
                raise csv.Error(f"a quote is not closed within {_MAX_LINES} lines")
            read.append(line)
            yield line.lstrip(_BYTE_ORDER_MARK) if line[0] == _BYTE_ORDER_MARK else line

    number, is_over = first_line, False
    while not is_over:
        try:
            for cells in csv.reader(next_lines(), delimiter=delimiter, strict=True):
                yield number, cells, ""
                number += len(read)
                read.clear()
            is_over = True
        except csv.Error as error:
            yield number, [read[0].rstrip("\r\n")], f"the line is not CSV: {error}; correct its quotes"
            unread.extendleft(reversed(read[1:]))
            number += 1
            read.clear()
