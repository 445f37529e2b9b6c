"""Texts compared, trimmed, and made safe to print."""

from __future__ import annotations

import unicodedata
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtex_tracking_ext.text import comparable, plain, quoted, trimmed, visible

ZERO_WIDTH = "\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"


class Kind(str, Enum):  # noqa: UP042 - a StrEnum prints what it holds
    """A str enum, whose members are formatted as another text than they are equal to."""

    A = "a"


class Broken:
    """A value whose repr raises an exception."""

    def __repr__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Objeto saiu para entrega", "Objeto saiu para entrega"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\nb", r"a\nb"),
        ("a\u202eb", r"a\u202eb"),
        ("a\u2028b", r"a\u2028b"),
        ("a\ud800b", r"a\ud800b"),
        ("a\x00b", r"a\x00b"),
        ("x" * 301, "x" * 300 + "... (301 characters)"),
    ],
)
def test_visible_escapes_and_truncates(text: str, shown: str) -> None:
    """Unprintable characters are escaped, and a long text is truncated with its length."""
    assert visible(text) == shown


@given(st.text())
def test_visible_text_is_printable_and_short(text: str) -> None:
    """Any text becomes printable and stays below a length."""
    assert visible(text).isprintable()
    assert len(visible(text, 10)) < 10 * 10 + 40


def test_quoted_shows_strings_in_quotes_and_other_values_as_repr() -> None:
    """Strings are quoted, other values are shown by their repr, and a broken repr by the type."""
    assert quoted("a\n") == r"'a\n'"
    assert quoted(5) == "5"
    assert quoted(["\x1b"]) == r"['\x1b']"
    assert quoted(Kind.A) == "'a'"
    assert quoted(Broken()) == "a Broken"


def test_plain_converts_strings_only() -> None:
    """A str enum's member becomes a plain string, and other values are unchanged."""
    assert str(Kind.A) != "a"
    assert (plain(Kind.A), type(plain(Kind.A))) == ("a", str)
    value = object()
    for other in (5, None, value):
        assert plain(other) is other


@pytest.mark.parametrize("blank", [*filter(str.isspace, map(chr, range(0x10000))), *ZERO_WIDTH])
def test_every_blank_counts_as_a_space(blank: str) -> None:
    """A blank of any kind is trimmed at the ends of a text, kept inside, and compared as a space."""
    text = f"{blank}S\u00e3o{blank}{blank} Paulo {blank}"
    assert trimmed(text) == f"S\u00e3o{blank}{blank} Paulo"
    assert comparable(text) == "S\u00e3o Paulo"
    assert (trimmed(blank * 3), comparable(blank * 3)) == ("", "")


@given(st.text(), st.text())
def test_comparable_texts_are_trimmed_and_comparing_is_stable(text: str, other: str) -> None:
    """What is compared has no blanks at its ends, is its own comparable text, and ignores the Unicode normal form."""
    compared = comparable(text)
    assert compared == trimmed(compared) == comparable(compared) == comparable(trimmed(text))
    assert compared == comparable(unicodedata.normalize("NFD", text))
    assert comparable(f"{text} {other}") == comparable(f" {text}\u00a0\u200b{other}\t")
