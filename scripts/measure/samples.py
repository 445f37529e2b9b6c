"""What samples amount to: quartiles, ratios, percentiles. Pure."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Spread(NamedTuple):
    """The quartiles of some samples; ``middle`` is the median."""

    low: float
    middle: float
    high: float


def spread(samples: Sequence[float]) -> Spread:
    """Return the quartiles of at least one sample."""
    if len(samples) == 1:
        return Spread(samples[0], samples[0], samples[0])
    return Spread(*statistics.quantiles(samples, n=4, method="inclusive"))


def ratios(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Return the ratio of each round: both were measured within moments of each other, under the same load.

    Raises:
        ValueError: They are not of the same rounds.
    """
    return [one / other for one, other in zip(first, second, strict=True)]


def differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Return the difference of each round.

    Raises:
        ValueError: They are not of the same rounds.
    """
    return [one - other for one, other in zip(first, second, strict=True)]


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the smallest sample that is not below ``share`` of at least one sample."""
    in_order = sorted(samples)
    return in_order[min(int(share * len(in_order)), len(in_order) - 1)]
