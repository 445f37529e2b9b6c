"""Durations as options and profiles give them: ``90s``, ``30m``, ``12h``, ``7d``."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}
_LONGEST_DAYS: Final = 36_500


def duration_text(seconds: float) -> str:
    """Return a duration of whole seconds as :func:`duration_seconds` reads it, in the largest unit that divides it."""
    unit = next(unit for unit in reversed(_UNITS) if seconds % _UNITS[unit] == 0)
    return f"{seconds / _UNITS[unit]:.0f}{unit}"


def duration_seconds(text: str) -> float:
    """Return a duration in seconds; ``off`` is 0.

    Raises:
        ValueError: It is not a whole number of at least 1 with a unit, or is longer than 36,500 days.
    """
    if text == "off":
        return 0.0
    found = re.fullmatch(r"([0-9]{1,10})([smhd])", text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST_DAYS * _UNITS["d"]:
        raise ValueError("not a duration such as 90s, 30m, 12h or 7d")
    return float(seconds)
