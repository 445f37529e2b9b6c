"""What the package has set itself, and whether it was met. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from .names import AIOHTTP, DELAY, DISTANT_IN_FLIGHT, FAST, GENERATOR, HELP, HTTPX, OURS
from .samples import ratios, spread

if TYPE_CHECKING:
    from collections.abc import Callable

    from .results import Results

#: Updates a second that the delay of the distant server allows.
POSSIBLE: Final = DISTANT_IN_FLIGHT / DELAY

#: Rows of the file whose plan must fit into so many megabytes.
ROWS: Final = 1_000_000

_JOURNALS: Final = ("SQLite", "PostgreSQL")


class Target(NamedTuple):
    """Something to reach.

    Attributes:
        what: What is measured.
        limit: The figure to reach; None where it comes from what could not be measured.
        unit: How the figure is shown: ``times``, ``%`` (of 1), ``ms``, ``MB`` or ``calls``.
        measure: Returns the figure of the package with httptools or without, or None if there is none.
        least: Whether the limit is the least, and not the most.
    """

    what: str
    limit: float | None
    unit: str
    measure: Callable[[str], float | None]
    least: bool = False


class Verdict(NamedTuple):
    """What became of a target.

    Attributes:
        target: The target.
        measured: The figure with httptools, which is judged.
        plain: That without.
        met: Whether the target was met; None where that cannot be said.
    """

    target: Target
    measured: float | None
    plain: float | None
    met: bool | None


def judge(results: Results) -> list[Verdict]:
    """Judge every target; one that was not measured is among them, without a verdict."""
    return [_judged(target, results) for target in targets(results)]


def targets(results: Results) -> list[Target]:
    """Return all targets, in the order in which they were set."""

    def against(kind: str, in_flight: int, peer: str) -> Callable[[str], float | None]:
        return lambda name: _ratio(results.calls(kind, name, in_flight), results.calls(kind, peer, in_flight))

    def crowd(name: str) -> float | None:
        return _ratio(results.calls("async", name, 128), results.calls("async", name, 8))

    def let_through(name: str) -> float | None:
        found = _median(results.distant(name, "a_second"))
        return None if found is None else found / POSSIBLE

    sync, asynchronous = GENERATOR["sync"], GENERATOR["async"]
    return [
        Target(f"async, 32 in flight: CPU, {asynchronous} = 1", 0.8, "times", against("async", 32, asynchronous)),
        Target("async, 32 in flight: CPU, aiohttp = 1", 2.0, "times", against("async", 32, AIOHTTP)),
        Target("async: CPU with 128 in flight, with 8 = 1", 1.2, "times", crowd),
        Target(
            "async, server 50 ms away, 128 in flight: share of what is possible", 0.75, "%", let_through, least=True
        ),
        Target("the same: p99, the delay = 1", 4.0, "times", lambda name: _median(results.distant(name, "p99"))),
        Target(f"sync, alone: CPU, {sync} = 1", 0.8, "times", against("sync", 1, sync)),
        Target(f"sync, 8 threads: CPU, {sync} = 1", 0.8, "times", against("sync", 8, sync)),
        Target("import, beyond bare Python", 30.0, "ms", lambda name: _median(results.start(name, "import"))),
        Target(
            "import and construct a client, httpx = 1",
            1.0,
            "times",
            lambda name: _ratio(results.start(name, "construct"), results.start(HTTPX, "construct")),
        ),
        Target(
            f"`{HELP}`, beyond bare Python",
            80.0,
            "ms",
            lambda name: _median(results.start(HELP, "")) if name == FAST else None,
        ),
        *(_share(results, journal, coalesced=coalesced) for journal in _JOURNALS for coalesced in (True, False)),
        Target(f"push: memory to plan {ROWS:,} rows", 150.0, "MB", lambda name: _memory(results, name)),
        *(_fewest(results, coalesced=coalesced) for coalesced in (True, False)),
    ]


def _share(results: Results, journal: str, *, coalesced: bool) -> Target:
    return Target(
        f"push, {journal}, {_way(coalesced=coalesced)}: CPU of all but the calls, the calls = 100 %",
        0.2,
        "%",
        lambda name: _median(results.share(journal, name, coalesced=coalesced)),
    )


def _fewest(results: Results, *, coalesced: bool) -> Target:
    """Return the target that an event needs no more calls than it must, whatever the journal."""

    def calls(name: str) -> float | None:
        found = [results.push(journal, name, coalesced=coalesced) for journal in _JOURNALS]
        return max((push["calls"] / push["events"] for push in found if push), default=None)

    push = results.push(_JOURNALS[0], FAST, coalesced=coalesced)
    limit = push["fewest_calls"] / push["events"] if push else None
    return Target(f"push, {_way(coalesced=coalesced)}: calls for each event", limit, "calls", calls)


def _way(*, coalesced: bool) -> str:
    return "coalesced" if coalesced else "a call an event"


def _memory(results: Results, name: str) -> float | None:
    plan = results.plan()
    return plan["megabytes"] if plan and name == FAST else None


def _judged(target: Target, results: Results) -> Verdict:
    measured, plain = target.measure(FAST), target.measure(OURS)
    met = None
    if measured is not None and target.limit is not None:
        met = measured >= target.limit if target.least else measured <= target.limit
    plan = results.plan()
    if target.unit == "MB" and met and plan and plan["rows"] < ROWS:
        met = None  # fewer rows say nothing of so many
    return Verdict(target, measured, plain, met)


def _median(samples: list[float] | None) -> float | None:
    return spread(samples).middle if samples else None


def _ratio(first: list[float] | None, second: list[float] | None) -> float | None:
    return spread(ratios(first, second)).middle if first and second else None
