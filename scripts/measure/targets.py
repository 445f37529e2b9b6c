"""The performance targets, and whether a run met them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from .names import AIOHTTP, DELAY, DISTANT_IN_FLIGHT, FAST, GENERATOR, HELP, HTTPX, OURS
from .samples import ratios, spread

if TYPE_CHECKING:
    from collections.abc import Callable

    from .results import Results

#: Maximum updates per second with the delayed server.
MAX_THROUGHPUT: Final = DISTANT_IN_FLIGHT / DELAY

#: Rows of the file for the memory target.
ROWS: Final = 1_000_000

_JOURNALS: Final = ("SQLite", "PostgreSQL")


class Target(NamedTuple):
    """A target.

    Attributes:
        what: The measured quantity.
        limit: The limit; None if it depends on a missing measurement.
        unit: The unit of the value: ``times``, ``%`` (of 1), ``ms``, ``MB`` or ``calls``.
        measure: Returns the value of a subject, or None if it was not measured.
        least: Whether the limit is a minimum instead of a maximum.
    """

    what: str
    limit: float | None
    unit: str
    measure: Callable[[str], float | None]
    least: bool = False


class Verdict(NamedTuple):
    """The verdict on a target.

    Attributes:
        target: The target.
        measured: The value with httptools, which is compared with the limit.
        plain: The value without httptools.
        met: Whether the target was met; None if that is unknown.
    """

    target: Target
    measured: float | None
    plain: float | None
    met: bool | None


def judge(results: Results) -> list[Verdict]:
    """Return the verdict on every target, measured or not."""
    return [_judged(target, results) for target in targets(results)]


def targets(results: Results) -> list[Target]:
    """Return all targets."""

    def against(kind: str, in_flight: int, peer: str) -> Callable[[str], float | None]:
        return lambda name: _ratio(results.calls(kind, name, in_flight), results.calls(kind, peer, in_flight))

    def high_concurrency(name: str) -> float | None:
        return _ratio(results.calls("async", name, 128), results.calls("async", name, 8))

    def throughput(name: str) -> float | None:
        found = _median(results.distant(name, "a_second"))
        return None if found is None else found / MAX_THROUGHPUT

    sync, asynchronous = GENERATOR["sync"], GENERATOR["async"]
    return [
        Target(f"async, 32 in flight: CPU, {asynchronous} = 1", 0.8, "times", against("async", 32, asynchronous)),
        Target("async, 32 in flight: CPU, aiohttp = 1", 2.0, "times", against("async", 32, AIOHTTP)),
        Target("async: CPU with 128 in flight, with 8 = 1", 1.2, "times", high_concurrency),
        Target("async, server 50 ms away, 128 in flight: share of what is possible", 0.75, "%", throughput, least=True),
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
        f"push, {journal}, {_coalescing(coalesced=coalesced)}: CPU of all but the calls, the calls = 100 %",
        0.2,
        "%",
        lambda name: _median(results.share(journal, name, coalesced=coalesced)),
    )


def _fewest(results: Results, *, coalesced: bool) -> Target:
    """Return the target for the calls per event, over both journals."""

    def calls(name: str) -> float | None:
        found = [results.push(journal, name, coalesced=coalesced) for journal in _JOURNALS]
        return max((push["calls"] / push["events"] for push in found if push), default=None)

    push = results.push(_JOURNALS[0], FAST, coalesced=coalesced)
    limit = push["fewest_calls"] / push["events"] if push else None
    return Target(f"push, {_coalescing(coalesced=coalesced)}: calls for each event", limit, "calls", calls)


def _coalescing(*, coalesced: bool) -> str:
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
        met = None  # fewer rows cannot prove it
    return Verdict(target, measured, plain, met)


def _median(samples: list[float] | None) -> float | None:
    return spread(samples).middle if samples else None


def _ratio(first: list[float] | None, second: list[float] | None) -> float | None:
    return spread(ratios(first, second)).middle if first and second else None
