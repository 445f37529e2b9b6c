"""Tests of CSV files as tables: the delimiter."""

from __future__ import annotations

import csv
import io
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.input.columns import Columns
from vtex_tracking_ext.bulk.input.csv_table import CsvTable, csv_table
from vtex_tracking_ext.bulk.input.layout import Layout
from vtex_tracking_ext.bulk.input.source import Source
from vtex_tracking_ext.bulk.input.text_source import text_source

if TYPE_CHECKING:
    from collections.abc import Sequence


def table(text: str, delimiter: str | None = None, **options: Any) -> CsvTable:
    """Return a text as a table."""
    source = text_source(Source("f.csv", io.BytesIO(text.encode()), "csv"))
    return csv_table(source, Columns("f.csv", Layout(**options)).count_known, delimiter)


def written(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    """Return rows as the csv module writes them."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows(rows)
    return file.getvalue()


@pytest.mark.parametrize(("delimiter", "other"), [*permutations(",;\t|", 2)])
def test_delimiter_is_detected_from_known_columns(delimiter: str, other: str) -> None:
    """The delimiter with the most known columns is used, even if another character is more frequent."""
    header = ["order_id", "invoice_number", "date", "description", other.join("abcdefgh")]
    row = ["1-01", "1", "2026-10-01", "x", other.join("abcdefgh")]
    found = table("\r\n\n" + written([header, row], delimiter))
    assert found.delimiter == delimiter
    assert [record for record in found.records() if record[1]] == [(3, header, ""), (4, row, "")]


def test_unknown_header_is_split_by_the_delimiter_with_most_cells() -> None:
    """When no column is known, the delimiter of the record with the most cells is used; of an empty file, a comma."""
    assert table("x;y;z,w\n1;1;1\n").delimiter == ";"
    assert table("").delimiter == ","


def test_mapped_columns_are_known() -> None:
    """A mapping, which may name columns of a carrier, decides about the delimiter, too."""
    assert table("A|B,C,D\n", mapping={"A": "order_id", "B,C,D": "date"}).delimiter == "|"


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_hint_for_spreadsheets_names_the_delimiter(line_break: str) -> None:
    """A first line such as sep=; is taken and is no record; a delimiter that a person named is stronger."""
    text = f"\ufeffSEP=|{line_break}a|b,c{line_break}"
    assert list(table(text).records()) == [(2, ["a", "b,c"], "")]
    assert list(table(text, ",").records()) == [(2, ["a|b", "c"], "")]
    assert next(table("sep=x\n").records()) == (1, ["sep=x"], "")


def test_cells_of_a_text_are_text() -> None:
    """CSV has no types, so cells are returned as they are."""
    assert table("a\n").typed(["1,5"], ["date"]) == (["1,5"], ())
