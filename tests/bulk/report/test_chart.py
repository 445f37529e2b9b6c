"""Tests of the chart over time."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtex_tracking_ext.bulk.report.chart import (
    GAP,
    HEIGHT,
    MAX_BARS,
    MIN_BARS,
    MIN_HEIGHT,
    WIDTH,
    Chart,
    Segment,
    Timeline,
    scale_top,
    stacked_bar,
)

START = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
STATES = ("applied", "refused", "unknown", "withdrawn")


def chart_of(*settled: tuple[float, str]) -> Chart:
    """Return the chart of entries that were settled so many seconds after the start."""
    timeline = Timeline()
    for seconds, state in settled:
        timeline.add(START + seconds * SECOND, state)
    chart = timeline.chart()
    assert chart is not None
    return chart


def test_no_chart_without_entries() -> None:
    """A timeline without entries has no chart."""
    assert Timeline().chart() is None


def test_single_time_is_centred() -> None:
    """Entries of one second are one bar in the middle of the minimum number of bars, labelled to the second."""
    chart = chart_of((0, "applied"), (0.9, "unknown"))
    assert len(chart.bars) == MIN_BARS
    (bar,) = [bar for bar in chart.bars if bar.parts]
    assert (bar.start, bar.end) == ("2026-11-23 12:00:00", "2026-11-23 12:00:01")
    assert bar.counts == {"applied": 1, "refused": 0, "unknown": 1, "withdrawn": 0}
    assert [(part.state, part.y, part.height) for part in bar.parts] == [("unknown", 100, 100), ("applied", 0, 100)]
    assert (chart.top, chart.half, chart.duration, chart.total) == (2, 1, "1 second", 2)


def test_bars_widen_and_keep_their_counts() -> None:
    """Six hours of entries become bars of 15 minutes with round ends, labelled to the minute, and no count is lost."""
    chart = chart_of(*((minute * 60, "applied" if minute % 9 else "refused") for minute in range(6 * 60)))
    assert chart.duration == "15 minutes"
    assert chart.bars[0].start == "2026-11-23 12:00"
    assert chart.bars[-1].end == "2026-11-23 18:00"
    assert chart.midpoint == "2026-11-23 15:00"
    assert [sum(bar.counts.values()) for bar in chart.bars] == [15] * 24
    assert sum(bar.counts["refused"] for bar in chart.bars) == 40


def test_day_bars_begin_at_midnight_and_week_bars_on_monday() -> None:
    """Bars of days begin at midnight UTC and bars of weeks on Mondays, labelled to the day."""
    chart = chart_of((0, "applied"), (40 * 86_400, "applied"))
    assert (chart.duration, chart.bars[0].start, chart.bars[-1].end) == ("1 day", "2026-11-23", "2027-01-03")
    chart = chart_of((0, "applied"), (100 * 86_400, "applied"))
    assert chart.duration == "7 days"
    assert {dt.date.fromisoformat(bar.start).weekday() for bar in chart.bars} == {0}


def test_small_parts_have_a_minimum_height() -> None:
    """One entry among thousands has the minimum height, and the bar does not exceed the chart."""
    chart = chart_of(*[(0.0, "applied")] * 8000, (0, "refused"), (1, "unknown"), *[(2.0, "applied")] * 2000)
    first, second, _ = [bar for bar in chart.bars if bar.parts]
    assert chart.top == 10_000
    assert [(part.state, part.height) for part in first.parts] == [("refused", MIN_HEIGHT), ("applied", 160)]
    (part,) = second.parts
    assert (part.state, part.y, part.height) == ("unknown", HEIGHT - MIN_HEIGHT, MIN_HEIGHT)
    full = chart_of(*[(0.0, "applied")] * 9999, (0, "refused"))
    assert min(part.y for bar in full.bars for part in bar.parts) == 0


@pytest.mark.parametrize(
    ("most", "top"), [(1, 1), (2, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 20), (801, 1000), (1001, 2000)]
)
def test_scale_ends_at_the_next_round_number(most: int, top: int) -> None:
    """The scale ends at the first round number that is at least the highest count."""
    assert scale_top(most) == top


def test_scale_of_one_has_no_half() -> None:
    """A scale that ends at 1 has no label at its half."""
    assert chart_of((0, "applied")).half is None


def test_first_and_last_year_fit() -> None:
    """Entries in Python's first and last year fit into one chart."""
    timeline = Timeline()
    timeline.add(dt.datetime.min.replace(tzinfo=dt.UTC), "applied")
    timeline.add(dt.datetime.max.replace(tzinfo=dt.UTC), "applied")
    chart = timeline.chart()
    assert chart is not None
    assert (chart.bars[0].start, chart.bars[-1].end) == ("0001-01-01", "9999-12-31")
    assert sum(bar.counts["applied"] for bar in chart.bars) == 2


@given(st.lists(st.tuples(st.integers(-(10**10), 10**10), st.sampled_from(STATES)), min_size=1, max_size=60))
def test_any_times_are_counted_once(settled: list[tuple[float, str]]) -> None:
    """Any times in any order are counted once, in adjacent bars within the allowed number."""
    chart = chart_of(*settled)
    assert chart == chart_of(*sorted(settled))
    assert MIN_BARS <= len(chart.bars) <= MAX_BARS
    for state in STATES:
        assert sum(bar.counts[state] for bar in chart.bars) == sum(state == other for _, other in settled)
    assert all(a.end == b.start and a.x < b.x for a, b in zip(chart.bars, chart.bars[1:], strict=False))
    for bar in chart.bars:
        assert {part.state for part in bar.parts} == {state for state, number in bar.counts.items() if number}
        assert sum(part.height for part in bar.parts) <= HEIGHT + 2 * MIN_HEIGHT


def test_a_bar_has_a_segment_for_each_state() -> None:
    """Segments are in the given order and proportional, with gaps in between; states without entries have none."""
    assert stacked_bar({"refused": 1, "applied": 3, "unknown": 0}, ["applied", "unknown", "refused"]) == (
        Segment("applied", 0.0, 747.0),
        Segment("refused", 751.0, 249.0),
    )
    assert stacked_bar({"applied": 7}, ["applied"]) == (Segment("applied", 0.0, WIDTH),)


def test_few_entries_among_many_are_seen() -> None:
    """A segment is wide enough to be seen, and all of them still fill the bar."""
    applied, refused = stacked_bar({"applied": 999_999, "refused": 1}, ["applied", "refused"])
    assert refused.width == pytest.approx(8, abs=0.1)
    assert refused.x == pytest.approx(applied.width + GAP)
    assert refused.x + refused.width == pytest.approx(WIDTH)
