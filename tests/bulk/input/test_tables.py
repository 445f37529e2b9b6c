"""Tests of tables: the header, lines that are no events, the order of day and month."""

from __future__ import annotations

import datetime as dt
import io
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.input.columns import Columns
from vtex_tracking_ext.bulk.input.csv_table import csv_table
from vtex_tracking_ext.bulk.input.layout import Layout
from vtex_tracking_ext.bulk.input.rows import InputFileError, Recognition, Row, RowNote, RowProblem
from vtex_tracking_ext.bulk.input.source import Source
from vtex_tracking_ext.bulk.input.tables import is_blank, table_rows
from vtex_tracking_ext.bulk.input.text_source import text_source

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
HEADER = "order_id,invoice_number,date,description,is_delivered"


def found(*lines: str, **options: Any) -> list[Row | RowProblem | RowNote]:
    """Return the rows, problems and notes of a table."""
    layout = Layout(**options)
    text = text_source(Source("f", io.BytesIO("\n".join(lines).encode()), "csv"))
    columns = Columns("f", layout)
    return list(table_rows(csv_table(text, columns.count_known, ","), columns, layout, NOW, Recognition()))


def lines(found: Sequence[Row | RowProblem | RowNote], kind: type) -> list[int]:
    """Return the lines of the rows, problems or notes."""
    return [each.place.line for each in found if isinstance(each, kind)]


def test_header_is_searched_in_the_first_lines() -> None:
    """The first line with all required columns is the header, up to the 51st; blank lines do not count."""
    row = "1-01,1,2026-10-01,x,"
    assert lines(found(*["title", ""] * 50, HEADER, row), Row) == [102]
    with pytest.raises(InputFileError, match=r"f:1: the header lacks order_id"):
        found(*["title"] * 51, HEADER, row)
    with pytest.raises(InputFileError, match=r"f:2: the header lacks description\."):
        found("title,date", "order_id,invoice_number,date", "x", "1,2")


def test_header_in_a_named_line() -> None:
    """A line that is named is the header, or the next one that is not blank; a file that ends before has none."""
    row = "1-01,1,2026-10-01,x,"
    assert lines(found(HEADER, HEADER, row, header_row=2), Row) == [3]
    assert lines(found(HEADER, "", HEADER, row, header_row=2), Row) == [4]
    with pytest.raises(InputFileError, match="f:1: the header lacks"):
        found("x", header_row=5)
    with pytest.raises(InputFileError, match="f: empty; the first line must be the header: order_id,"):
        found("", header_row=5)


def test_header_with_a_wrong_quote_is_named() -> None:
    """Without a header, a line whose quotes are wrong may have been the header."""
    with pytest.raises(InputFileError, match=r"^f:1: the line is not CSV: .*; correct its quotes\.$"):
        found(f'"{HEADER}', "1-01,1,2026-10-01,x")
    with pytest.raises(InputFileError, match=r"^f:2: the line is not CSV: .*; correct its quotes\.$"):
        found("x", f'"{HEADER}', "1-01,1,2026-10-01,x", header_row=2)
    assert lines(found('"x"y', HEADER, "1-01,1,2026-10-01,x,"), Row) == [3]


@pytest.mark.parametrize(
    "footer", ["Total,1", "TOTAIS:", "  total de registros: 7", "Subtotal", "Suma,,", "Fim", "\x1a"]
)
def test_footer_is_passed_over(footer: str) -> None:
    """A line that begins like a total, and lacks a required value, is no event."""
    assert [each.message for each in found(HEADER, footer) if isinstance(each, RowNote)] == [
        "not an event; passed over"
    ]


@pytest.mark.parametrize("line", ["Total,1,x,y,", "Totally,1,2026-10-01", "x,Total,,,", '"Total"x,1'])
def test_row_that_is_no_footer_is_a_problem(line: str) -> None:
    """A row with all required values, another first word, or a wrong quote, is a row."""
    assert lines(found(HEADER, line), RowProblem)[:1] == [2]


@pytest.mark.parametrize("line", ["Total Express,,1,2026-10-01,x", "Total Express,1-01,1,,x", "Fim,1-01,,2026-10-01,x"])
def test_incomplete_event_that_begins_like_a_footer_is_a_problem(line: str) -> None:
    """A carrier may be called Total: a row that lacks one value is not passed over."""
    assert lines(found("carrier,order_id,invoice_number,date,description", line), RowProblem)


def test_event_that_begins_like_a_footer_is_sent() -> None:
    """Only a row that cannot be sent can be a footer."""
    assert lines(found("description,order_id,invoice_number,date", "Total,1-01,1,2026-10-01"), Row) == [2]


def test_column_without_a_name_at_the_end() -> None:
    """A value in it says that the row is shifted; without an ordinary name before it, it is passed over."""
    assert lines(
        found(f"{HEADER},,", "1-01,1,2026-10-01,x,,,", "1-01,1,2026-10-01,x", "1-01,1,2026-10-01,x,,y"), Row
    ) == [2, 3]
    (problem,) = found(f"{HEADER},,", "1-01,1,2026-10-01,x,y,,true")
    assert str(problem) == "f:2: 7 cells where the header has 5; quote a cell that contains the delimiter"
    assert lines(found(f",{HEADER}", "0,1-01,1,2026-10-01,x,"), Row) == [2]
    assert lines(found(f"{HEADER},", "1-01,1,2026-10-01,x,,y", ignore_unknown=True), Row) == [2]


def test_order_of_day_and_month_in_short_rows_and_faulty_lines() -> None:
    """Rows without the column, the header above, and lines with a wrong quote do not disturb the decision."""
    header = "order_id,invoice_number,description,date,is_delivered"
    read = found("a,b,c,13/13/2026", header, "1-01,1,x,05/10/2026,", '1-01,"x"y', "1-01", "1-01,1,x,31/10/2026,")
    assert [each.event and each.event.date for each in read if isinstance(each, Row)] == ["2026-10-05", "2026-10-31"]
    with pytest.raises(InputFileError, match=r"f: column date: every date, such as '05/10/2026', can have"):
        found(header, "1-01,1,x,05/10/2026,")


def test_blank_rows() -> None:
    """A row of blank cells is blank; Ctrl-Z and any other text are not."""
    assert is_blank([])
    assert is_blank(["", " \t"])
    assert not is_blank(["x"])
    assert not is_blank([" ", "x"])
