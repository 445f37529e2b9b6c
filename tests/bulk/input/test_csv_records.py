"""Tests of records of CSV: cells, quotes, line numbers."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtex_tracking_ext.bulk.input.csv_records import Record, csv_records

#: Any character that can be in a cell; a byte order mark at the beginning of a line is ignored.
CELL = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=20)


def records(text: str, delimiter: str = ",") -> list[Record]:
    """Return the records of a text."""
    return list(csv_records(io.StringIO(text, newline=""), delimiter))


@settings(deadline=None)
@given(
    rows=st.lists(st.lists(CELL, min_size=2, max_size=5), min_size=1, max_size=5),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_cells_are_read_unchanged(rows: list[list[str]], delimiter: str, quoting: int) -> None:
    """Cells that the csv module writes are read unchanged with any delimiter."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    assert [(cells, fault) for _, cells, fault in records(file.getvalue(), delimiter)] == [(row, "") for row in rows]


def test_line_numbers_count_every_kind_of_line_break() -> None:
    """A record's line number is that of its first line, with quoted line breaks before it counted."""
    found = records('a,b\r\nc,"d\r\ne\n"\r\n\r\nf\ng\r')
    assert [(number, cells) for number, cells, _ in found] == [
        (1, ["a", "b"]),
        (2, ["c", "d\r\ne\n"]),
        (5, []),
        (6, ["f"]),
        (7, ["g"]),
    ]


def test_byte_order_marks_at_the_beginning_of_lines_are_ignored() -> None:
    """Files that were joined have them; elsewhere in a line they stay."""
    assert [cells for _, cells, _ in records("\ufeffa\n\ufeff\ufeffb\nc\ufeff\n")] == [["a"], ["b"], ["c\ufeff"]]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('1,"a"b,2', "',' expected after '\"'"),
        ('1,"a', "unexpected end of data"),
        (f"1,{'x' * 140_000}", "field larger than field limit (131072)"),
    ],
)
def test_line_with_a_wrong_quote_is_one_cell_with_its_fault(line: str, fault: str) -> None:
    """A quote that is not closed or not doubled, or a cell that is too long, costs its line and no other."""
    assert records(f"a\n{line}\nb\n") == [
        (1, ["a"], ""),
        (2, [line], f"the line is not CSV: {fault}; correct its quotes"),
        (3, ["b"], ""),
    ]


def test_unclosed_quote_is_searched_in_a_thousand_lines() -> None:
    """A record has at most 1,000 lines, so that an unclosed quote does not read a long file to its end."""
    longest = "\n".join(["x"] * 999)
    assert records(f'"{longest}\ny"\nb\n')[0] == (1, [f"{longest}\ny"], "")
    found = records(f'"{longest}\nx\ny"\nb\n')
    assert found[0] == (1, ['"x'], "the line is not CSV: a quote is not closed within 1000 lines; correct its quotes")
    assert [number for number, *_ in found] == list(range(1, 1003))
    assert found[-1] == (1002, ["b"], "")
