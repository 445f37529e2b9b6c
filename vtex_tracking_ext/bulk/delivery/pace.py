"""How fast one account may be called.

:class:`Throttle` decides, and knows neither threads nor clocks: every method takes the time. It calls steadily
rather than in bursts, begins modestly, and takes the rate from what VTEX answers, because VTEX publishes no limit
for the tracking call and shares the quota with the merchant's other systems:

- Until the first 429 each call that is let through makes it a little faster, up to the ceiling.
- After a 429 nobody calls for as long as ``Retry-After`` says, or a minute. Then it goes on just below the rate that
  was truly let through, and lower still where the freeze came soon after another.
- From there it climbs back on the curve of TCP's CUBIC (RFC 9438, section 4.2): quickly while far below what failed,
  hardly at all near it, and quickly again once it is well past. The longer a freeze lasts, the more patient the curve,
  so that freezes cost about the same share of the time whatever their length.

:class:`Pace` lets the threads of one process wait for what :class:`Throttle` and the :class:`~.breaker.Breaker` say.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from attrs import Factory, define, field, setters, validators

from vtex_tracking_ext.config.defaults import DEFAULT_RATE
from vtex_tracking_ext.errors import RateLimitedError, RefusedError

from .breaker import Breaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext.errors import VtexTrackingError

#: Calls a second to begin with: slow enough for small limits, and not long from the default ceiling.
INITIAL_RATE: Final = 10.0

#: Calls a second below which no 429 takes the rate: one call every ten seconds.
MIN_RATE: Final = 0.1

#: Seconds of quiet after a 429 that does not say how long (VTEX's guide: one minute).
DEFAULT_FREEZE: Final = 60.0

#: Longest freeze that is taken from ``Retry-After``, in seconds.
MAX_FREEZE: Final = 600.0

#: Freezes in a row, with no call let through in between, after which the run gives up.
MAX_FREEZES: Final = 5

#: Calls a second that each call let through adds before the first 429: about 40 % more every second. More would send
#: many calls past the limit while the first 429 is on its way back.
_GROWTH: Final = 0.4

#: What to go on with, and where the climb flattens, as shares of the rate that was let through before a 429. Five per
#: cent below it, uneven latencies do not push one call too many into the server's window.
_BELOW: Final = 0.95
_PLATEAU: Final = 0.97

#: Lowest share of the rate let through to go on with, however soon one freeze followed another: where the server counts
#: by the second, a second freeze comes soon although the rate is nearly right.
_LOWEST: Final = 0.8

#: How patient the climb is: ``scale`` is this many freezes. From 0.95 of the old rate it is flat after 0.27 of that and
#: back at the old rate after 0.59, so that a limit that stays the same costs a freeze in 24: four per cent of the time.
#: A freeze that is shorter than ``_SHORT_FREEZE`` seconds counts as that long.
_PATIENCE: Final = 40.0
_SHORT_FREEZE: Final = 2.0

#: The rate that was let through is measured over this many seconds, or over this many calls where they take longer.
_SECONDS_MEASURED: Final = 1.0
_CALLS_MEASURED: Final = 10

#: A freeze that follows another with no call let through in between lasts this many times as long, up to
#: ``DEFAULT_FREEZE``: what ``Retry-After`` said was too short.
_FREEZE_GROWTH: Final = 4.0

#: Seconds after its turn at which a call is so late that it waits for another turn.
MAX_TURN_AGE: Final = 1.0

#: Seconds by which a call may begin late without delaying the next, because its thread woke up late. A call that begins
#: later comes after idleness, for which nothing is given back.
_LATENESS: Final = 0.02


@define(on_setattr=setters.NO_OP)  # only what is given is validated: each call sets half of it
class Throttle:
    """The state of one account's pace. Holds numbers alone, so that it can be stored and shared as JSON.

    Times are seconds of any clock that does not go back and is above 0; all who share a state share its clock.
    Use: ask :meth:`delay`; at 0 call :meth:`start` and make the call; then :meth:`record_accepted` or
    :meth:`record_rate_limited`.

    Attributes:
        ceiling: Calls a second at most.
        max_freezes: Freezes in a row after which :meth:`record_rate_limited` says to give up.
        rate: Calls a second now.
        next_start: When the next call may begin, freezes aside.
        frozen_until: When the last freeze ends or ended.
        freezes: Freezes in a row, with no call let through in between.
        last_freeze: Seconds that the last freeze was to last, or 0 before the first.
        accepted_since: Calls let through since the last freeze began.
        recent: When the last calls were let through, oldest first.
        busy: Whether the last call had to wait for its turn; a rate that nobody uses proves nothing.
        plateau: Calls a second at which the climb flattens, or 0 before the first 429.
        scale: Seconds of calling in which the climb doubles the plateau, counted from there.
        climbed: Seconds of calling, negative before the plateau.
    """

    ceiling: float = field(default=DEFAULT_RATE, validator=validators.gt(0))
    max_freezes: int = MAX_FREEZES
    rate: float = field(default=INITIAL_RATE, validator=validators.gt(0))
    next_start: float = 0.0
    frozen_until: float = 0.0
    freezes: int = 0
    last_freeze: float = 0.0
    accepted_since: int = 0
    recent: list[float] = Factory(list)
    busy: bool = False
    plateau: float = 0.0
    scale: float = 1.0
    climbed: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.rate = min(self.rate, self.ceiling)

    def delay(self, now: float) -> float:
        """Return for how many seconds no call may begin; at 0 one may."""
        return max(0.0, self._due - now)

    def start(self, now: float) -> None:
        """Note that a call begins, and set the time of the next: no burst, however long nobody called."""
        interval = 1 / self.rate
        late = now - self._due
        self.busy = late < interval / 2
        if self.busy and self.plateau:
            self.climbed += interval
            self.rate = min(self.ceiling, self.plateau * (1 + (self.climbed / self.scale) ** 3))
        self.next_start = now + interval - (min(late, interval) if late < _LATENESS else 0.0)

    def record_accepted(self, now: float) -> None:
        """Note that a call was let through, whatever else became of it."""
        self.freezes = 0
        self.accepted_since += 1
        self.recent.append(now)
        self._forget(now)
        if self.busy and not self.plateau:
            self.rate = min(self.ceiling, self.rate + _GROWTH)

    def record_rate_limited(self, now: float, started: float, retry_after: float | None) -> bool:
        """Freeze the account after a 429, and go on more slowly.

        Args:
            now: The time.
            started: When the call began. One that began before the last freeze ended was on its way when it came,
                and belongs to it.
            retry_after: Seconds that VTEX asked to wait, or None.

        Returns:
            False where it has happened too often to go on.
        """
        told = min(DEFAULT_FREEZE if retry_after is None else retry_after, MAX_FREEZE)
        if started < self.frozen_until:
            if retry_after is not None:
                self.frozen_until = max(self.frozen_until, now + told)
            return self.freezes <= self.max_freezes
        seconds = max(told, min(told * _FREEZE_GROWTH**self.freezes, DEFAULT_FREEZE))
        self.freezes += 1
        self.frozen_until = now + seconds
        self._slow_down(now, seconds)
        self.accepted_since = 0
        self.last_freeze = seconds
        return self.freezes <= self.max_freezes

    @property
    def _due(self) -> float:
        return max(self.next_start, self.frozen_until)

    def _slow_down(self, now: float, freeze: float) -> None:
        """Set the rate to go on with, and the climb from there."""
        self._forget(now)
        if not (self.accepted_since and self.recent):
            return  # nothing was let through lately: the quota was used up before, so the rate is not to blame
        let_through = len(self.recent) / max(_SECONDS_MEASURED, now - self.recent[0])
        # What was let through while calling is too fast. What was let through counting the freeze before it, in which
        # VTEX may have saved up for a burst, is surely not. The truth lies between: take their geometric mean.
        forgone = self.last_freeze * let_through
        share = (self.accepted_since / (self.accepted_since + forgone)) ** 0.5
        self.rate = min(self.ceiling, max(MIN_RATE, let_through * max(_LOWEST, min(_BELOW, share))))
        self.plateau = _PLATEAU * let_through
        self.scale = _PATIENCE * max(freeze, _SHORT_FREEZE)
        self.climbed = -self.scale * max(0.0, 1 - self.rate / self.plateau) ** (1 / 3)

    def _forget(self, now: float) -> None:
        """Drop what is too long ago to measure the rate by."""
        oldest = now - max(_SECONDS_MEASURED, _CALLS_MEASURED / self.rate)
        while self.recent and self.recent[0] <= oldest:
            del self.recent[0]


class Pacer(Protocol):
    """Lets threads wait for their turn to call one account. Thread-safe."""

    @property
    def stop_reason(self) -> str:
        """Why nobody may call any more, or an empty text."""

    @property
    def stop_error(self) -> VtexTrackingError | None:
        """The error that ended the account, or None."""

    def wait_for_turn(self) -> bool:
        """Return when a call may be made: True, and it is to be made now; or False, and nobody may call any more."""

    def is_turn_stale(self) -> bool:
        """Tell whether this thread's turn was too long ago: others had theirs meanwhile, and all would call at once."""

    def record_result(self, error: VtexTrackingError | None) -> float:
        """Draw the conclusions from a call of this thread, and return the seconds of quiet that it brings, or 0."""

    def cancel(self) -> None:
        """Let everybody go at once."""


class Pace:
    """Lets the threads that call one account wait for their turn. Thread-safe; share one per account.

    A thread asks :meth:`wait_for_turn`, makes its call, and then tells :meth:`record_result` what became of it.

    Args:
        clock: Seconds that only ever go up.
        max_freezes: Freezes in a row after which the account ends.
        rate: Calls a second at most.
        initial_rate: Calls a second to begin with.
        breaker: What ends or pauses an account that is in trouble.
        changed: What the waiting is done with; tests hand in one that lets their own clock go on.

    Attributes:
        stop_reason: Why nobody may call any more, or an empty text.
        stop_error: The error that ended the account, or None.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        max_freezes: int = MAX_FREEZES,
        *,
        rate: float = DEFAULT_RATE,
        initial_rate: float = INITIAL_RATE,
        breaker: Breaker | None = None,
        changed: threading.Condition | None = None,
    ) -> None:
        self._clock = clock
        self._throttle = Throttle(rate, max_freezes, initial_rate)
        self._breaker = breaker or Breaker()
        self.stop_reason = self._breaker.reason
        self.stop_error: VtexTrackingError | None = None
        self._cancelled = False
        self._turn = threading.Lock()
        self._changed = changed or threading.Condition()
        self._mine = threading.local()

    def wait_for_turn(self) -> bool:
        """Return when a call may be made.

        Returns:
            True, and the call is to be made now; or False, at once, after :meth:`cancel` or when the account was ended.
        """
        with self._turn, self._changed:  # one thread watches the clock, the others queue behind it
            while not (self._cancelled or self.stop_reason):
                now = self._clock()
                seconds = max(self._throttle.delay(now), self._breaker.delay(now))
                if seconds <= 0:
                    self._throttle.start(now)
                    self._breaker.start(now)
                    self._mine.started = now
                    return True
                self._changed.wait(seconds)
            return False

    def is_turn_stale(self) -> bool:
        """Tell whether this thread's turn was too long ago: others had theirs meanwhile, and all would call at once."""
        now = self._clock()
        return now - self._started(now) > MAX_TURN_AGE

    def record_result(self, error: VtexTrackingError | None) -> float:
        """Draw the conclusions from a call of this thread: all is well, slow down, pause, or end the account.

        Args:
            error: What the call ended in, or None where it was applied.

        Returns:
            For how many seconds nobody may call, where that is because of this call; else 0.
        """
        with self._changed:
            now, before = self._clock(), self._quiet_until()
            if isinstance(error, RateLimitedError):
                if not self._throttle.record_rate_limited(now, self._started(now), error.retry_after):
                    self._stop(f"the account stays over its limit, however long nobody calls: {error}", error)
            else:
                if error is None or isinstance(error, RefusedError):  # a refusal was let through as well
                    self._throttle.record_accepted(now)
                self._breaker.record_result(now, self._started(now), error)
                if self._breaker.reason:
                    self._stop(self._breaker.reason, error)
            self._changed.notify_all()
            after = self._quiet_until()
            return after - now if after > max(before, now) else 0.0

    def cancel(self) -> None:
        """Let everybody go at once, to find that the run has ended."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def _quiet_until(self) -> float:
        """Return until when nobody may call, because of a 429 or of a pause."""
        paused_until = self._breaker.paused_until if self._breaker.paused else 0.0
        return max(self._throttle.frozen_until, paused_until)

    def _started(self, now: float) -> float:
        """Return when this thread's call began."""
        started: float = getattr(self._mine, "started", now)
        return started

    def _stop(self, reason: str, error: VtexTrackingError | None) -> None:
        with self._changed:
            if not self.stop_reason:
                self.stop_reason, self.stop_error = reason, error
            self._changed.notify_all()
