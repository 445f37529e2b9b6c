"""Count entries by the time they were settled, and lay them out as a bar chart of any time span. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from itertools import count
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vtex_tracking_ext.bulk.journal.entries import State

#: The states in a bar, from the bottom up: the serious and rare ones are on the axis, where they are seen.
STACK: Final[tuple[Literal["unknown", "refused", "withdrawn", "applied"], ...]] = (
    "unknown",
    "refused",
    "withdrawn",
    "applied",
)

#: Fewest and most bars of a chart.
MIN_BARS: Final = 12
MAX_BARS: Final = 48

#: The height of a chart, and of the smallest part of a bar, so that one entry among thousands is seen.
HEIGHT: Final = 200.0
MIN_HEIGHT: Final = 3.0

#: The width of a bar with and without the gap beside it.
STEP: Final = 10
BAR: Final = 8

#: The width of a horizontal bar, of the gap between two states in it, and of the smallest part of it.
WIDTH: Final = 1000.0
GAP: Final = 4.0
MIN_WIDTH: Final = 8.0

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_UNITS: Final = {"day": _DAY, "hour": _HOUR, "minute": _MINUTE, "second": 1}

#: Seconds of a bar. Each is a multiple of the one before, so that bars can be merged.
_WIDTHS: Final = (
    *(1, 5, 15, _MINUTE, 5 * _MINUTE, 15 * _MINUTE),
    *(_HOUR, 3 * _HOUR, 12 * _HOUR, _DAY, 7 * _DAY),
    *(28 * _DAY * 2**power for power in range(14)),
)

#: A Monday; a bar of any width begins here.
_ORIGIN: Final = dt.datetime(1969, 12, 29, tzinfo=dt.UTC)
_FIRST: Final = dt.datetime.min.replace(tzinfo=dt.UTC)
_LAST: Final = dt.datetime.max.replace(tzinfo=dt.UTC)
_SECOND: Final = dt.timedelta(seconds=1)


@frozen
class Part:
    """The part of a bar for one state, in the chart's units; 0 is the top."""

    state: str
    y: float
    height: float


@frozen
class Segment:
    """The part of a horizontal bar for one state, in the bar's units."""

    state: State
    x: float
    width: float


@frozen
class Bar:
    """The entries that were settled in a period.

    Attributes:
        start: The start of the period, in UTC, as text.
        end: Its end.
        counts: How many entries came into each state.
        x: The horizontal position.
        parts: The parts to draw; none for an empty bar.
    """

    start: str
    end: str
    counts: Mapping[str, int]
    x: int
    parts: tuple[Part, ...]


@frozen
class Chart:
    """A chart to draw.

    Attributes:
        bars: Its bars; their periods follow each other without a gap.
        top: The number of entries at its full height; see :func:`scale_top`.
        half: The number of entries at half of its height, or None if that is not a whole number.
        midpoint: The time in the middle, as text.
        duration: The length of a bar's period: ``15 minutes``.
        total: The number of its entries.
    """

    bars: tuple[Bar, ...]
    top: int
    half: int | None
    midpoint: str
    duration: str
    total: int


class Timeline:
    """Counts entries by the time they were settled. Bars become wider as needed, so that memory stays small."""

    def __init__(self) -> None:
        self._widths = iter(_WIDTHS)
        self._width = next(self._widths)
        self._counts: dict[int, Counter[str]] = defaultdict(Counter)

    def add(self, moment: dt.datetime, state: str) -> None:
        """Count an entry that came into ``state`` at ``moment`` (aware)."""
        number = (moment - _ORIGIN) // _SECOND // self._width
        is_new = number not in self._counts
        self._counts[number][state] += 1
        while is_new and max(self._counts) - min(self._counts) >= MAX_BARS:
            wider = next(self._widths)
            merged: dict[int, Counter[str]] = defaultdict(Counter)
            for number, counts in self._counts.items():
                merged[number * self._width // wider].update(counts)
            self._width, self._counts = wider, merged

    def chart(self) -> Chart | None:
        """Return the chart, or None without entries."""
        if not self._counts:
            return None
        first, last = min(self._counts), max(self._counts)
        missing = max(0, MIN_BARS - (last - first + 1))
        first, last = first - missing // 2, last + missing - missing // 2
        top = scale_top(max(counts.total() for counts in self._counts.values()))
        return Chart(
            bars=tuple(self._bar(number, (number - first) * STEP, top) for number in range(first, last + 1)),
            top=top,
            half=None if top % 2 else top // 2,
            midpoint=self._text((first + last + 1) * self._width // 2),
            duration=_duration(self._width),
            total=sum(counts.total() for counts in self._counts.values()),
        )

    def _bar(self, number: int, x: int, top: int) -> Bar:
        counts = self._counts.get(number, Counter())
        start, end = (self._text(at * self._width) for at in (number, number + 1))
        return Bar(start, end, {state: counts[state] for state in STACK}, x, _parts(counts, top))

    def _text(self, seconds: int) -> str:
        """Return a time as text, with the precision that bars of this width need."""
        try:
            moment = _ORIGIN + seconds * _SECOND
        except OverflowError:  # the bar contains the first or the last year of Python
            moment = _FIRST if seconds < 0 else _LAST
        length = 10 if self._width >= _DAY else 16 if self._width >= _MINUTE else 19
        return moment.isoformat(" ")[:length]


def scale_top(most: int) -> int:
    """Return the first of 1, 2, 4, 6, 8, 10, 20, 40, ... that is at least ``most``."""
    tops = (int(lead * 10**power) for power in count() for lead in (1, 2, 4, 6, 8))
    return next(top for top in tops if top >= most)


def _parts(counts: Mapping[str, int], top: int) -> tuple[Part, ...]:
    parts, y = [], HEIGHT
    for state in STACK:
        if counts[state]:
            height = max(MIN_HEIGHT, counts[state] * HEIGHT / top)
            if state == STACK[-1]:  # makes room for the minimum heights below it
                height = max(MIN_HEIGHT, min(height, y))
            y -= height
            parts.append(Part(state, round(y, 2), round(height, 2)))
    return tuple(parts)


def stacked_bar(counts: Mapping[State, int], states: Sequence[State]) -> tuple[Segment, ...]:
    """Return a horizontal bar of all entries, which is :data:`WIDTH` wide.

    Args:
        counts: How many entries are in each state; at least one is in one of the states.
        states: The states, from the left to the right. A state with few entries is wider than its share, so that it
            can be seen.
    """
    shown = [state for state in states if counts[state]]
    room = WIDTH - GAP * (len(shown) - 1)
    total = sum(counts[state] for state in shown)
    widths = [max(MIN_WIDTH, counts[state] * room / total) for state in shown]
    scale = room / sum(widths)
    segments, x = [], 0.0
    for state, width in zip(shown, widths, strict=True):
        segments.append(Segment(state, round(x, 2), round(width * scale, 2)))
        x += width * scale + GAP
    return tuple(segments)


def _duration(seconds: int) -> str:
    unit = next(name for name, length in _UNITS.items() if seconds % length == 0)
    number = seconds // _UNITS[unit]
    return f"{number} {unit}{'' if number == 1 else 's'}"
