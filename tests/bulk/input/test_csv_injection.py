"""Tests of the escaping of cells that a spreadsheet would run."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtex_tracking_ext.bulk.input.csv_injection import escape_cell, unescape_cells, unescape_name


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a;=b", "a;'=b"),
        ("a,+b", "a,'+b"),
        ("a|@b", "a|'@b"),
        ("a\t-b", "a\t'-b"),
        ("a\r\n=b", "a\r\n'=b"),
        ('a; "=b"', 'a;\' "=b"'),
        ("a;'=b", "a;''=b"),
        ("a;;\uff1db", "a;;'\uff1db"),
        ("a;\tb", "a;'\tb"),
        ("=a;=b", "'=a;'=b"),
        ("a-b = c", "a-b = c"),
        ("a; b-c", "a; b-c"),
        ("Saiu\npara entrega", "Saiu\npara entrega"),
    ],
)
def test_formula_after_a_separator_is_escaped(text: str, escaped: str) -> None:
    """A cell is escaped at each place where a spreadsheet may split it before a formula, and nowhere else."""
    assert escape_cell(text) == escaped
    assert unescape_cells([escaped]) == [text]
    assert unescape_name(escape_cell(escaped)) == text.replace("''", "").replace("'", "")


@given(st.lists(st.text("'=+-@\t\r\n a,;|\"\uff1d\xa0") | st.text()))
def test_escaping_round_trips(texts: list[str]) -> None:
    """Any escaped cells are restored, and however they are split, no part begins with a sign of a formula."""
    shown = [escape_cell(text) for text in texts]
    assert unescape_cells(shown) == texts
    parts = [part for text in shown for part in re.split(r"[,;|\t\r\n]", text)]
    assert not any(part.strip(' "\xa0')[:1] in set("=+-@\uff1d") for part in parts if part.strip(' "\xa0'))
    assert not any(text[:1] in set("\t\r\n") for text in shown if text)
    assert unescape_cells(unescape_cells([escape_cell(escape_cell(text)) for text in texts])) == texts


def test_escapes_of_a_name_are_removed() -> None:
    """A column's name may have the escapes of several rejects files; a ' elsewhere stays."""
    names = {"'a": "'a", "''=a": "=a", "=a": "=a", "'": "'"}
    assert {name: unescape_name(name) for name in names} == names
