"""What a person may see of text that others wrote."""

from __future__ import annotations

from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtex_tracking_ext.text import plain, quoted, visible


class Kind(str, Enum):  # noqa: UP042 - a StrEnum prints what it holds
    """Text that prints as another text than it holds."""

    A = "a"


class Broken:
    """A value that cannot be shown."""

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
def test_text_is_shown_safely(text: str, shown: str) -> None:
    """Escapes for what does not print, and a cut."""
    assert visible(text) == shown


@given(st.text())
def test_shown_text_is_printable_and_short(text: str) -> None:
    """Whatever it was."""
    assert visible(text).isprintable()
    assert len(visible(text, 10)) < 10 * 10 + 40


def test_values_are_quoted() -> None:
    """Text between quotes, other values as Python writes them."""
    assert quoted("a\n") == r"'a\n'"
    assert quoted(5) == "5"
    assert quoted(["\x1b"]) == r"['\x1b']"
    assert quoted(Kind.A) == "'a'"
    assert quoted(Broken()) == "a Broken"


def test_text_is_made_plain() -> None:
    """Other values stay as they are, whatever they are."""
    assert str(Kind.A) != "a"
    assert (plain(Kind.A), type(plain(Kind.A))) == ("a", str)
    value = object()
    for other in (5, None, value):
        assert plain(other) is other
