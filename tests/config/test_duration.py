"""Durations as people write them."""

from __future__ import annotations

import pytest

from vtex_tracking_ext.config.duration import duration_seconds, duration_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("36500d", 3_153_600_000), ("off", 0)],
)
def test_a_duration_is_a_number_with_a_unit(text: str, seconds: float) -> None:
    """A whole number with s, m, h or d is that many seconds; off is 0."""
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["1s", "90s", "30m", "36h", "90d"])
def test_a_duration_is_shown_as_it_is_written(text: str) -> None:
    """A duration is shown as a whole number with the largest unit that divides it."""
    assert duration_text(duration_seconds(text)) == text


@pytest.mark.parametrize("text", ["", "1", "h", "1w", "1.5h", "-1h", "0s", " 1h", "1H", "36501d", "1h30m", "\u0661h"])
def test_other_texts_are_refused(text: str) -> None:
    """A text without number or unit, a duration of 0, and one above 36,500 days are refused."""
    with pytest.raises(ValueError, match="not a duration such as 90s, 30m, 12h or 7d"):
        duration_seconds(text)
