"""Statistics of samples: quartiles, ratios, percentiles."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Spread(NamedTuple):
    """The quartiles of samples; ``middle`` is the median."""

    low: float
    middle: float
    high: float


def spread(samples: Sequence[float]) -> Spread:
    """Return the quartiles; at least one sample is required."""
    if len(samples) == 1:
        return Spread(samples[0], samples[0], samples[0])
    return Spread(*statistics.quantiles(samples, n=4, method="inclusive"))


def ratios(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Return the ratio in each round, whose two samples were taken under the same load.

    Raises:
        ValueError: The numbers of rounds differ.
    """
    return [one / other for one, other in zip(first, second, strict=True)]


def differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Return the difference in each round.

    Raises:
        ValueError: The numbers of rounds differ.
    """
    return [one - other for one, other in zip(first, second, strict=True)]


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the sample at a share, from 0 to 1, of the sorted samples; at least one is required."""
    in_order = sorted(samples)
    return in_order[min(int(share * len(in_order)), len(in_order) - 1)]
