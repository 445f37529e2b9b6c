"""Tests of what converts an option's text to its value."""

from __future__ import annotations

import argparse
import datetime as dt

import pytest

from vtex_tracking_ext.cli.parser.value_types import moment


def test_a_duration_is_a_time_before_now() -> None:
    """2h means two hours ago."""
    before = dt.datetime.now(dt.UTC)
    found = moment("2h") + dt.timedelta(hours=2)
    assert before <= found <= dt.datetime.now(dt.UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-27", dt.datetime(2026, 11, 27).astimezone()),
        ("2026-11-27 14:05", dt.datetime(2026, 11, 27, 14, 5).astimezone()),
        ("2026-11-27T14:05:01Z", dt.datetime(2026, 11, 27, 14, 5, 1, tzinfo=dt.UTC)),
        ("2026-11-27T14:05-03:00", dt.datetime(2026, 11, 27, 17, 5, tzinfo=dt.UTC)),
    ],
)
def test_a_time_without_an_offset_is_in_the_zone_of_the_machine(text: str, expected: dt.datetime) -> None:
    """The value is in UTC, whatever zone the text is in."""
    found = moment(text)
    assert found == expected
    assert found.tzinfo is dt.UTC


@pytest.mark.parametrize("text", ["", "yesterday", "2h ago", "0d", "off", "2026-13-01", "0001-01-01T00:00+14:00"])
def test_other_texts_are_not_times(text: str) -> None:
    """The message has examples of times."""
    with pytest.raises(argparse.ArgumentTypeError, match="is not a time such as 2d, 2026-11-27 or '2026-11-27 14:00'"):
        moment(text)
