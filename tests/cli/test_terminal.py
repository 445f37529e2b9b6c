"""Colours, and where lines are wrapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.cli.terminal import colored, is_colored, wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.mark.parametrize(
    ("choice", "environ", "is_terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": ""}, False, False),
        ("auto", {"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colours_follow_option_environment_and_terminal(
    choice: str, environ: Mapping[str, str], *, is_terminal: bool, expected: bool
) -> None:
    """The option comes first, then NO_COLOR, FORCE_COLOR and TERM=dumb; empty variables do not count."""
    assert is_colored(choice, environ, is_terminal=is_terminal) is expected


def test_lines_have_the_colour_of_their_style() -> None:
    """A line without a style, an empty line and a table have no colour."""
    assert colored("x", "bad") == "\x1b[31mx\x1b[0m"
    assert (colored("x", ""), colored("", "bad"), colored("x", "table")) == ("x", "", "x")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a line that fits", ["a line that fits"]),
        ("  an indented line that does not fit", ["  an indented line that", "    does not fit"]),
        ("order 1172452900788-01 and 1172452900788-02", ["order 1172452900788-01", "  and 1172452900788-02"]),
        ("x" * 30, ["x" * 30]),
        (
            "To withdraw them: vtex-tracking resolve --withdraw --all --account mystore",
            ["To withdraw them:", "  vtex-tracking resolve --withdraw --all --account mystore"],
        ),
        ("  vtex-tracking resolve --cause 1 --journal j.db", ["  vtex-tracking resolve --cause 1 --journal j.db"]),
        (
            "see `vtex-tracking report --state refused` and more words",
            ["see", "  `vtex-tracking report --state refused`", "  and more words"],
        ),
        ("vtex-tracking push: an error that is long", ["vtex-tracking push: an", "  error that is long"]),
        ("  export VTEX_ACCOUNT='a b c d e f g h i j'", ["  export VTEX_ACCOUNT='a b c d e f g h i j'"]),
    ],
)
def test_lines_are_wrapped_between_words(line: str, expected: list[str]) -> None:
    """Words and commands stay whole, also where they are longer; further lines are indented more."""
    assert wrapped(line, 25) == expected


def test_very_narrow_terminals_wrap_themselves() -> None:
    """A terminal that reports no useful width gets whole lines."""
    assert wrapped("a line that does not fit", 0) == ["a line that does not fit"]
