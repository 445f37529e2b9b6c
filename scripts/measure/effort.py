"""Sample sizes: enough for a verdict, or just enough to check that everything works."""

from __future__ import annotations

from typing import Final, NamedTuple


class Effort(NamedTuple):
    """The sample sizes of a run.

    Attributes:
        rounds: Rounds over all subjects and concurrencies.
        batch: CPU seconds that a batch should take.
        turns: Minimum number of updates of each thread or task in a batch.
        distant_rounds: Rounds against the distant server.
        distant_seconds: Seconds that such a round should take.
        start_rounds: Rounds of cold starts.
        push_rounds: Rounds of pushes.
        packages: Packages in the pushed file.
        rows: Rows of the file whose planning is measured, without ``--rows``.
    """

    rounds: int
    batch: float
    turns: int
    distant_rounds: int
    distant_seconds: float
    start_rounds: int
    push_rounds: int
    packages: int
    rows: int


FULL: Final = Effort(
    rounds=13,
    batch=0.12,
    turns=2,
    distant_rounds=5,
    distant_seconds=2.0,
    start_rounds=20,
    push_rounds=3,
    packages=300,
    rows=100_000,
)

QUICK: Final = Effort(
    rounds=1,
    batch=0.005,
    turns=1,
    distant_rounds=1,
    distant_seconds=0.5,
    start_rounds=1,
    push_rounds=1,
    packages=20,
    rows=2000,
)
