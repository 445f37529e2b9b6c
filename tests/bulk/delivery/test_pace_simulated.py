"""How much of a limit the pace uses, and how many calls are answered 429; simulated in virtual time.

Workers call a server that accepts what its limit allows and answers 429 to the rest. They take turns as threads do. The
tests check the share of the limit that was used, and the share of the calls that were answered 429.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from itertools import product
from typing import TYPE_CHECKING, Protocol

import pytest
from attrs import define, field, frozen

from vtex_tracking_ext.bulk.delivery.pace import Throttle
from vtex_tracking_ext.config.defaults import DEFAULT_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK = (0.01, 0.1)


class Limit(Protocol):
    """A server's limit."""

    rate: float

    def __call__(self, now: float) -> float | None:
        """Return None if a call is accepted, else the seconds for ``Retry-After``."""


@define
class FixedWindow:
    """So many calls in each window; ``Retry-After`` is the time to its end, in whole seconds as in HTTP."""

    rate: float
    window: float = 1.0
    phase: float = 0.37
    _current: int = -1
    _calls: int = 0

    def __call__(self, now: float) -> float | None:
        """Count a call."""
        current = math.floor((now + self.phase) / self.window)
        if current != self._current:
            self._current, self._calls = current, 0
        if self._calls < self.rate * self.window:
            self._calls += 1
            return None
        return math.ceil((current + 1) * self.window - (now + self.phase)) or 1.0


@define
class SlidingWindow:
    """So many calls in any second, like the sandbox."""

    rate: float
    _calls: deque[float] = field(factory=deque)

    def __call__(self, now: float) -> float | None:
        """Count a call."""
        while self._calls and self._calls[0] <= now - 1:
            self._calls.popleft()
        if len(self._calls) < self.rate:
            self._calls.append(now)
            return None
        return 1.0


@define
class TokenBucket:
    """A token for each call. Tokens come at the rate, and those of one second are kept."""

    rate: float
    _tokens: float = math.inf
    _last: float = 0.0

    def __call__(self, now: float) -> float | None:
        """Take a token."""
        self._tokens = min(self.rate, self._tokens + (now - self._last) * self.rate)
        self._last = now
        if self._tokens >= 1:
            self._tokens -= 1
            return None
        return 1.0


KINDS: tuple[Callable[[float], Limit], ...] = (FixedWindow, SlidingWindow, TokenBucket)


def says_nothing(_: float) -> None:
    """Return no ``Retry-After``."""


@frozen
class Run:
    """The result of a simulation.

    Attributes:
        accepted: Accepted calls.
        refused: Calls answered 429.
        seconds: How long it took, in virtual time.
        gave_up: Whether the throttle ended the account.
    """

    accepted: int
    refused: int
    seconds: float
    gave_up: bool

    @property
    def share_refused(self) -> float:
        """Share of the calls that were answered 429."""
        return self.refused / (self.accepted + self.refused)

    def used(self, *rates: float) -> float:
        """Share of the calls that the lowest of some rates allows."""
        return self.accepted / (min(rates) * self.seconds)


@define
class Simulation:
    """Workers that call a server through one throttle.

    Attributes:
        throttle: The throttle.
        limit: The server's limit; it may be replaced during the run.
        workers: Calls that can be in progress at once.
        latency: Seconds from the beginning of a call to its answer; the server decides in the middle.
        retry_after: Returns ``Retry-After`` for the seconds that the limit returns.
        jitter: Share by which latencies vary in either direction.
    """

    throttle: Throttle
    limit: Limit
    workers: int = 4
    latency: float = 0.05
    retry_after: Callable[[float], float | None] = float
    jitter: float = 0.0
    _random: random.Random = field(factory=lambda: random.Random(1))  # noqa: S311 - reproducible on purpose
    _events: list[tuple[float, int, Callable[[float], None]]] = field(factory=list)
    _count: int = 0
    _idle: int = 0
    _watching: bool = False
    _accepted: int = 0
    _refused: int = 0
    _gave_up: bool = False

    def run(
        self, *, seconds: float = math.inf, calls: float = math.inf, then: tuple[float, Limit] | None = None
    ) -> Run:
        """Call for some time, or until so many calls were accepted; the limit may change once."""
        self._idle = self.workers
        if then is not None:
            self._at(then[0], lambda _: setattr(self, "limit", then[1]))
        now = 0.0
        self._turns(now)
        while not self._gave_up and self._accepted < calls:
            now, _, happen = heapq.heappop(self._events)
            if now > seconds:
                now = seconds
                break
            happen(now)
            self._turns(now)
        return Run(self._accepted, self._refused, now, self._gave_up)

    def _at(self, time: float, happen: Callable[[float], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (time, self._count, happen))

    def _turns(self, now: float) -> None:
        """Let workers begin their calls, or let one of them wait for its turn."""
        while self._idle and not self._watching:
            delay = self.throttle.delay(now)
            if delay > 0:
                self._watching = True
                self._at(math.nextafter(now + delay, math.inf), self._watched)
                return
            self._idle -= 1
            self.throttle.start(now)
            self._call(now)

    def _watched(self, _now: float) -> None:
        self._watching = False

    def _call(self, started: float) -> None:
        half = self.latency * (1 + self.jitter * self._random.uniform(-1, 1)) / 2

        def decide(now: float) -> None:
            answer = self.limit(now)
            self._at(now + half, lambda later: self._answered(later, started, answer))

        self._at(started + half, decide)

    def _answered(self, now: float, started: float, answer: float | None) -> None:
        self._idle += 1
        if answer is None:
            self._accepted += 1
            self.throttle.record_accepted(now)
            return
        self._refused += 1
        self._gave_up = not self.throttle.record_rate_limited(now, started, self.retry_after(answer))


@pytest.mark.parametrize("ceiling", [DEFAULT_RATE, 100.0])
@pytest.mark.parametrize(("workers", "latency"), [(4, 0.01), (8, 0.1)])
def test_a_push_of_1200_calls_uses_a_hidden_limit_of_20_a_second(ceiling: float, workers: int, latency: float) -> None:
    """At least 90 % of it, with at most 1 % of the calls answered 429, whatever window the server counts by."""
    limits: list[Limit] = [FixedWindow(20, phase=n / 10) for n in range(10)]
    for limit in (*limits, SlidingWindow(20), TokenBucket(20)):
        run = Simulation(Throttle(ceiling), limit, workers, latency).run(calls=1200)
        assert run.used(20) >= 0.9, limit
        assert run.share_refused <= 0.01, limit


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("latency", [*QUICK, 1.0])
def test_any_limit_is_used(kind: Callable[[float], Limit], latency: float) -> None:
    """In five minutes with Retry-After. Where answers take a second, many calls are in progress at a 429."""
    for rate, workers in product((5, 20, 100), (1, 4, 32)):
        run = Simulation(Throttle(400), kind(rate), workers, latency).run(seconds=300)
        assert run.used(rate, workers / latency) >= 0.9, (rate, workers)
        assert run.share_refused <= (0.01 if latency in QUICK else 0.02), (rate, workers)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("latency", [*QUICK, 1.0])
def test_uneven_latencies_cost_little(kind: Callable[[float], Limit], latency: float) -> None:
    """They push calls together. Where they vary by 400 ms, no steady pace could use all of a small limit."""
    for rate, workers in product((5, 20), (4, 32)):
        run = Simulation(Throttle(100), kind(rate), workers, latency, jitter=0.2).run(seconds=300)
        assert run.used(rate, workers / latency) >= (0.9 if latency in QUICK else 0.75), (rate, workers)
        assert run.share_refused <= (0.01 if latency in QUICK else 0.03), (rate, workers)


@pytest.mark.parametrize("kind", KINDS)
def test_without_retry_after_there_are_few_freezes(kind: Callable[[float], Limit]) -> None:
    """Each lasts a minute: 85 % of the limit is used in the first hour, and almost nothing is refused."""
    for rate in (5, 20):
        run = Simulation(Throttle(100), kind(rate), latency=0.1, retry_after=says_nothing).run(seconds=3600)
        assert run.used(rate) >= 0.85, rate
        assert run.share_refused <= 0.001, rate


@pytest.mark.parametrize("ceiling", [DEFAULT_RATE, 100.0])
@pytest.mark.parametrize(("workers", "latency"), [(4, 0.1), (32, 1.0)])
def test_a_limit_per_minute_is_learned(ceiling: float, workers: int, latency: float) -> None:
    """600 a minute without Retry-After: the first quota is used up in half a minute."""
    simulation = Simulation(Throttle(ceiling), FixedWindow(10, 60.0), workers, latency, retry_after=says_nothing)
    run = simulation.run(seconds=3600)
    assert run.used(10) >= 0.85
    assert run.share_refused <= 0.01


def test_a_retry_after_that_is_too_short_does_not_end_the_run() -> None:
    """600 a minute, and a server that always says one second."""
    run = Simulation(Throttle(), FixedWindow(10, 60.0), retry_after=lambda _: 1.0).run(seconds=3600)
    assert not run.gave_up
    assert run.used(10) >= 0.85
    assert run.share_refused <= 0.01


@pytest.mark.parametrize(("workers", "latency"), [(4, 0.05), (32, 0.5)])
def test_a_limit_that_falls_is_followed(workers: int, latency: float) -> None:
    """From 50 to 10 a second after a minute, because other systems use the quota, too."""
    run = Simulation(Throttle(100), SlidingWindow(50), workers, latency).run(seconds=600, then=(60, SlidingWindow(10)))
    assert run.accepted >= 0.9 * (60 * 50 + 540 * 10)
    assert run.share_refused <= 0.01


@pytest.mark.parametrize(("workers", "latency"), [(4, 0.05), (32, 0.5)])
def test_a_limit_that_rises_is_found(workers: int, latency: float) -> None:
    """From 10 to 50 a second after a minute: three quarters of what was possible in ten minutes are used."""
    run = Simulation(Throttle(100), SlidingWindow(10), workers, latency).run(seconds=660, then=(60, SlidingWindow(50)))
    assert run.accepted >= 0.75 * (60 * 10 + 600 * 50)
    assert run.share_refused <= 0.01


def test_a_limit_of_zero_ends_the_run() -> None:
    """One call is made after each freeze, until there were too many."""
    run = Simulation(Throttle(), SlidingWindow(0), retry_after=says_nothing).run()
    assert run.gave_up
    assert run.accepted == 0
    assert run.refused <= 4 + 5
    assert run.seconds == pytest.approx(300, abs=10)


def test_nothing_is_refused_below_the_limit() -> None:
    """A ceiling below the limit is used fully."""
    for kind in KINDS:
        run = Simulation(Throttle(18), kind(20), 8, 0.1).run(seconds=300)
        assert run.refused == 0
        assert run.used(18) >= 0.98
