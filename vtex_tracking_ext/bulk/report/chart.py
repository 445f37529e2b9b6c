"""When entries were settled, in a few dozen bars that fit whatever comes. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from itertools import count
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What a bar is made of, from its foot up: what is grave and rare stands on the axis, where it is seen.
STACK: Final[tuple[Literal["unknown", "refused", "applied"], ...]] = ("unknown", "refused", "applied")

#: Bars that a chart has at least and at most.
LEAST: Final = 12
MOST: Final = 48

#: A chart's height; and that of the smallest part of a bar, so that one among thousands is seen.
HEIGHT: Final = 200.0
SMALLEST: Final = 3.0

#: Width of a bar with the gap beside it, and of the bar alone.
STEP: Final = 10
BAR: Final = 8

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_UNITS: Final = {"day": _DAY, "hour": _HOUR, "minute": _MINUTE, "second": 1}

#: Seconds that a bar can stand for. Each is a multiple of the one before, so that bars can be put together.
_WIDTHS: Final = (
    *(1, 5, 15, _MINUTE, 5 * _MINUTE, 15 * _MINUTE),
    *(_HOUR, 3 * _HOUR, 12 * _HOUR, _DAY, 7 * _DAY),
    *(28 * _DAY * 2**power for power in range(14)),
)

#: A Monday, where a bar of any width begins.
_ORIGIN: Final = dt.datetime(1969, 12, 29, tzinfo=dt.UTC)
_FIRST: Final = dt.datetime.min.replace(tzinfo=dt.UTC)
_LAST: Final = dt.datetime.max.replace(tzinfo=dt.UTC)
_SECOND: Final = dt.timedelta(seconds=1)


@frozen
class Part:
    """One state's part of a bar, in the chart's units; 0 is the top."""

    state: str
    y: float
    height: float


@frozen
class Bar:
    """How many entries were settled within a time.

    Attributes:
        start: Its begin, in UTC, as text.
        end: Its end, likewise.
        counts: How many became what.
        x: Where it stands.
        parts: What it is drawn of; none where it is empty.
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
        bars: Its bars, without a gap in time between them.
        top: What its height stands for; see :func:`nice`.
        middle: What half of its height stands for, or None if that is no whole number.
        noon: The moment in the middle of its width, as text.
        each: The time that a bar stands for: ``15 minutes``.
        total: How many entries it shows.
    """

    bars: tuple[Bar, ...]
    top: int
    middle: int | None
    noon: str
    each: str
    total: int


class Timeline:
    """Counts entries by the time they were settled. Bars get wider as they have to, so it stays small."""

    def __init__(self) -> None:
        self._widths = iter(_WIDTHS)
        self._width = next(self._widths)
        self._counts: dict[int, Counter[str]] = defaultdict(Counter)

    def add(self, moment: dt.datetime, state: str) -> None:
        """Count an entry that came into ``state`` at ``moment`` (aware)."""
        number = (moment - _ORIGIN) // _SECOND // self._width
        known = number in self._counts
        self._counts[number][state] += 1
        if not known:
            self._fit()

    def _fit(self) -> None:
        while max(self._counts) - min(self._counts) >= MOST:
            wider = next(self._widths)
            merged: dict[int, Counter[str]] = defaultdict(Counter)
            for number, counts in self._counts.items():
                merged[number * self._width // wider].update(counts)
            self._width, self._counts = wider, merged

    def chart(self) -> Chart | None:
        """Return the chart, or None where nothing was counted."""
        if not self._counts:
            return None
        first, last = min(self._counts), max(self._counts)
        missing = max(0, LEAST - (last - first + 1))
        first, last = first - missing // 2, last + missing - missing // 2
        top = nice(max(counts.total() for counts in self._counts.values()))
        return Chart(
            bars=tuple(self._bar(number, (number - first) * STEP, top) for number in range(first, last + 1)),
            top=top,
            middle=None if top % 2 else top // 2,
            noon=self._text((first + last + 1) * self._width // 2),
            each=_duration(self._width),
            total=sum(counts.total() for counts in self._counts.values()),
        )

    def _bar(self, number: int, x: int, top: int) -> Bar:
        counts = self._counts.get(number, Counter())
        start, end = (self._text(at * self._width) for at in (number, number + 1))
        return Bar(start, end, {state: counts[state] for state in STACK}, x, _parts(counts, top))

    def _text(self, seconds: int) -> str:
        """Return a moment as text, as exactly as bars of this width need it."""
        try:
            moment = _ORIGIN + seconds * _SECOND
        except OverflowError:  # the years that Python knows end within this bar
            moment = _FIRST if seconds < 0 else _LAST
        length = 10 if self._width >= _DAY else 16 if self._width >= _MINUTE else 19
        return moment.isoformat(" ")[:length]


def nice(most: int) -> int:
    """Return the first of 1, 2, 4, 6, 8, 10, 20, 40, ... that is not below ``most``."""
    tops = (int(lead * 10**power) for power in count() for lead in (1, 2, 4, 6, 8))
    return next(top for top in tops if top >= most)


def _parts(counts: Mapping[str, int], top: int) -> tuple[Part, ...]:
    parts = []
    foot = HEIGHT
    for state in STACK:
        if counts[state]:
            height = max(SMALLEST, counts[state] * HEIGHT / top)
            if state == STACK[-1]:  # it makes room for the small ones below
                height = max(SMALLEST, min(height, foot))
            foot -= height
            parts.append(Part(state, round(foot, 2), round(height, 2)))
    return tuple(parts)


def _duration(seconds: int) -> str:
    unit = next(name for name, length in _UNITS.items() if seconds % length == 0)
    number = seconds // _UNITS[unit]
    return f"{number} {unit}{'' if number == 1 else 's'}"
