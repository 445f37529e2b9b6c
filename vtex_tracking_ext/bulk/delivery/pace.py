"""The rate of calls to one account.

:class:`Throttle` decides, and knows neither threads nor clocks: every method takes the time. It calls steadily
rather than in bursts, starts slowly, and derives the rate from VTEX's answers, because VTEX publishes no limit for the
tracking call, and the merchant's other systems share the quota:

- Until the first 429 each accepted call raises the rate a little, up to the ceiling.
- After a 429 the account is not called for as long as ``Retry-After`` says, or a minute. Calls resume just below the
  rate that was accepted, and lower still if the freeze came soon after another.
- From there the rate climbs on the curve of TCP's CUBIC (RFC 9438, section 4.2): fast while far below the rate that
  failed, slowly near it, and fast again well above it. The longer a freeze lasts, the slower the climb, so that
  freezes cost about the same share of the time whatever their length.

:class:`Pace` makes the threads of one process wait as :class:`Throttle` and the :class:`~.breaker.Breaker` say.
"""

from __future__ import annotations

import json
import math
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from attrs import Factory, define, field, setters, validators

from vtex_tracking_ext.config.defaults import DEFAULT_RATE
from vtex_tracking_ext.errors import RateLimitedError, RefusedError

from .breaker import Breaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext.errors import VtexTrackingError

#: Calls a second at first: slow enough for low limits, and close to the default ceiling.
INITIAL_RATE: Final = 10.0

#: Lowest rate after a 429, in calls a second: one call every ten seconds.
MIN_RATE: Final = 0.1

#: Seconds of a freeze after a 429 without ``Retry-After`` (VTEX's guide: one minute).
DEFAULT_FREEZE: Final = 60.0

#: Longest freeze that ``Retry-After`` can ask for, in seconds.
MAX_FREEZE: Final = 600.0

#: Consecutive freezes, with no accepted call in between, after which the account ends.
MAX_FREEZES: Final = 5

#: Calls a second that each accepted call adds before the first 429: about 40 % more every second. More would send
#: many calls above the limit until the first 429 arrives.
_GROWTH: Final = 0.4

#: Rate after a freeze, and rate at which the climb flattens, as shares of the rate accepted before the 429. At five per
#: cent below it, uneven latencies do not push one call too many into the server's window.
_BELOW: Final = 0.95
_PLATEAU: Final = 0.97

#: Lowest share of the accepted rate to resume with, however soon one freeze followed another: if the server counts by
#: the second, another freeze comes soon although the rate is nearly right.
_LOWEST: Final = 0.8

#: Length of the climb: ``scale`` is this many freezes. From 0.95 of the old rate it is flat after 0.27 of ``scale`` and
#: back at the old rate after 0.59, so that a constant limit costs a freeze in 24: four per cent of the time.
#: A freeze shorter than ``_SHORT_FREEZE`` seconds counts as that long.
_FREEZES_PER_SCALE: Final = 40.0
_SHORT_FREEZE: Final = 2.0

#: The accepted rate is measured over this many seconds, or over this many calls if they take longer.
_SECONDS_MEASURED: Final = 1.0
_CALLS_MEASURED: Final = 10

#: A freeze that follows another with no accepted call in between lasts this many times as long, up to
#: ``DEFAULT_FREEZE``: ``Retry-After`` was too short.
_FREEZE_GROWTH: Final = 4.0

#: Seconds after which a turn is stale: the call should wait for another one, so that calls do not bunch.
MAX_TURN_AGE: Final = 1.0

#: What outlives a run of what a :class:`Throttle` and a :class:`~.breaker.Breaker` learned. Times do not: they are by
#: the clock of one process.
_LEARNED: Final = ("rate", "freezes", "last_freeze", "accepted_since", "plateau", "scale", "climbed")
_LEARNED_BY_BREAKER: Final = ("strain", "pauses", "paused")

#: Seconds by which a call may begin late without delaying the next, because its thread woke up late. After a longer
#: delay the account was idle, and the lost time is not made up for.
_LATENESS: Final = 0.02


#: Seconds, also those in which the machine was suspended, if the system counts them: a lease may be lost meanwhile.
_CLOCK: Final[Callable[[], float]] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)


@define(on_setattr=setters.NO_OP)  # validates arguments only: each call sets half of the attributes
class Throttle:
    """The state of one account's rate.

    Times are seconds of any monotonic clock above 0.
    Usage: ask :meth:`delay`; at 0 call :meth:`start` and make the call; then :meth:`record_accepted` or
    :meth:`record_rate_limited`.

    Attributes:
        ceiling: Calls a second at most.
        max_freezes: Consecutive freezes after which :meth:`record_rate_limited` returns False.
        rate: Calls a second now.
        next_start: When the next call may begin, freezes aside.
        frozen_until: When the last freeze ends or ended.
        freezes: Consecutive freezes, with no accepted call in between.
        last_freeze: Length of the last freeze in seconds, or 0 before the first.
        accepted_since: Calls accepted since the last freeze began.
        recent: When the last calls were accepted, oldest first.
        busy: Whether the last call had to wait for its turn; an unused rate proves nothing.
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
        """Return the seconds until the next call may begin."""
        return max(0.0, self._due - now)

    def start(self, now: float) -> None:
        """Record that a call begins, and schedule the next: no burst follows an idle time."""
        interval = 1 / self.rate
        late = now - self._due
        self.busy = late < interval / 2
        if self.busy and self.plateau:
            self.climbed += interval
            self.rate = min(self.ceiling, self.plateau * (1 + (self.climbed / self.scale) ** 3))
        self.next_start = now + interval - (min(late, interval) if late < _LATENESS else 0.0)

    def record_accepted(self, now: float) -> None:
        """Record a call that was not rate limited, whatever its outcome."""
        self.freezes = 0
        self.accepted_since += 1
        self.recent.append(now)
        self._forget(now)
        if self.busy and not self.plateau:
            self.rate = min(self.ceiling, self.rate + _GROWTH)

    def record_rate_limited(self, now: float, started: float, retry_after: float | None) -> bool:
        """Freeze the account after a 429, and lower the rate.

        Args:
            now: The time.
            started: When the call began. A call that began before the last freeze ended was in progress then, and
                belongs to that freeze.
            retry_after: Seconds that VTEX asked to wait, or None.

        Returns:
            Whether to go on: False after too many consecutive freezes.
        """
        asked = min(DEFAULT_FREEZE if retry_after is None else retry_after, MAX_FREEZE)
        if started < self.frozen_until:
            if retry_after is not None:
                self.frozen_until = max(self.frozen_until, now + asked)
            return self.freezes <= self.max_freezes
        seconds = max(asked, min(asked * _FREEZE_GROWTH**self.freezes, DEFAULT_FREEZE))
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
        """Set the rate after a freeze, and the climb from there."""
        self._forget(now)
        if not (self.accepted_since and self.recent):
            return  # nothing was accepted lately: the quota was used up before, and the rate is not the cause
        accepted_rate = len(self.recent) / max(_SECONDS_MEASURED, now - self.recent[0])
        # The rate accepted while calling is too high. The rate that counts the previous freeze, during which VTEX may
        # have accumulated quota for a burst, is low enough. The limit lies in between: take their geometric mean.
        forgone = self.last_freeze * accepted_rate
        share = (self.accepted_since / (self.accepted_since + forgone)) ** 0.5
        self.rate = min(self.ceiling, max(MIN_RATE, accepted_rate * max(_LOWEST, min(_BELOW, share))))
        self.plateau = _PLATEAU * accepted_rate
        self.scale = _FREEZES_PER_SCALE * max(freeze, _SHORT_FREEZE)
        self.climbed = -self.scale * max(0.0, 1 - self.rate / self.plateau) ** (1 / 3)

    def _forget(self, now: float) -> None:
        """Drop calls that are too old for measuring the rate."""
        oldest = now - max(_SECONDS_MEASURED, _CALLS_MEASURED / self.rate)
        while self.recent and self.recent[0] <= oldest:
            del self.recent[0]


class Pace:
    """Makes the threads that call one account wait for their turn. Thread-safe; shared by all threads of an account.

    A thread calls :meth:`wait_for_turn`, makes its call, and then calls :meth:`record_result`.

    Args:
        clock: Monotonic seconds.
        max_freezes: Consecutive freezes after which the account ends.
        rate: Calls a second at most.
        initial_rate: Calls a second at first.
        breaker: Pauses or ends an account in trouble.
        changed: The condition to wait on; tests pass one that advances their own clock.
        longest_wait: Seconds that a thread waits for its turn at most.

    Attributes:
        stop_reason: Why the account has ended, or an empty text.
        stop_error: The error that ended the account, or None.
        quiet_seconds: Seconds until the next turn, if that was longer than ``longest_wait``: then no thread waits, and
            no call may be made any more; otherwise 0.
    """

    def __init__(
        self,
        clock: Callable[[], float] = _CLOCK,
        max_freezes: int = MAX_FREEZES,
        *,
        rate: float = DEFAULT_RATE,
        initial_rate: float = INITIAL_RATE,
        breaker: Breaker | None = None,
        changed: threading.Condition | None = None,
        longest_wait: float = math.inf,
    ) -> None:
        self._clock = clock
        self._longest_wait = longest_wait
        self.quiet_seconds = 0.0
        self._throttle = Throttle(rate, max_freezes, initial_rate)
        self._breaker = breaker or Breaker()
        self.stop_reason = self._breaker.reason
        self.stop_error: VtexTrackingError | None = None
        self._cancelled = False
        self._turn = threading.Lock()
        self._changed = changed or threading.Condition()
        self._thread = threading.local()

    def wait_for_turn(self) -> bool:
        """Wait until a call may be made.

        Returns:
            True to make the call now; False, at once, after :meth:`cancel`, if the account has ended, or if the next
            turn is too far away.
        """
        with self._turn, self._changed:  # one thread waits for the clock, the others queue behind it
            while not (self._cancelled or self.stop_reason or self.quiet_seconds):
                now = self._clock()
                seconds = self._delay(now)
                if seconds > self._longest_wait and not self._breaker.is_probing:
                    self.quiet_seconds = seconds
                    return False
                if seconds <= 0:
                    self._throttle.start(now)
                    self._breaker.start(now)
                    self._thread.started = now
                    return True
                self._changed.wait(seconds)
            return False

    def delay(self) -> float:
        """Return the seconds until the next call may begin."""
        with self._changed:
            return self._delay(self._clock())

    def turn_age(self) -> float:
        """Return the seconds since this thread's turn. After :data:`MAX_TURN_AGE`, later turns have passed."""
        now = self._clock()
        return now - self._started(now)

    def learned(self) -> str:
        """Return what was learned about the account, as JSON, for :meth:`resume`."""
        with self._changed:
            kept = {name: getattr(self._throttle, name) for name in _LEARNED}
            return json.dumps(kept | {name: getattr(self._breaker, name) for name in _LEARNED_BY_BREAKER})

    def resume(self, learned: str, quiet_seconds: float = 0.0, *, is_probing: bool = False) -> None:
        """Continue with what an earlier run learned; before the first call.

        Args:
            learned: What :meth:`learned` returned, perhaps in another version of this program, or an empty text. What
                is not valid is ignored.
            quiet_seconds: Seconds for which the account must still not be called.
            is_probing: Whether the account was stopped: one call is made first, and the others wait for its result.
        """
        kept = _numbers(learned)
        for part, names in ((self._throttle, _LEARNED), (self._breaker, _LEARNED_BY_BREAKER)):
            for name in kept.keys() & set(names):
                setattr(part, name, kept[name])
        self._throttle.rate = min(self._throttle.ceiling, max(MIN_RATE, self._throttle.rate))
        # No pause is longer; but the clock that measures this one may have been set back.
        quiet_seconds = min(quiet_seconds, MAX_FREEZE)
        self._throttle.frozen_until = self._clock() + quiet_seconds if quiet_seconds else 0.0
        if is_probing:
            self._throttle.freezes = 0
            self._breaker.paused, self._breaker.pauses = True, 1

    def pause(self, seconds: float) -> None:
        """Make no call for so many seconds, because another process met a limit of the account."""
        with self._changed:
            until = self._clock() + min(seconds, MAX_FREEZE)
            self._throttle.frozen_until = max(self._throttle.frozen_until, until)

    def record_result(self, error: VtexTrackingError | None) -> float:
        """Record the result of this thread's call: go on, slow down, pause, or end the account.

        Args:
            error: The error of the call, or None if it was applied.

        Returns:
            Seconds for which the account is not called because of this result, or 0.
        """
        with self._changed:
            now, before, was_paused = self._clock(), self._paused_until(), self._breaker.paused
            started = self._started(now)
            if isinstance(error, RateLimitedError):
                goes_on = self._throttle.record_rate_limited(now, started, error.retry_after)
                reason = "" if goes_on else f"the account stays over its limit, even after pauses: {error.reason}"
            else:
                if error is None or isinstance(error, RefusedError):  # a refused call was within the limit, too
                    self._throttle.record_accepted(now)
                self._breaker.record_result(now, started, error)
                reason = self._breaker.reason
            if reason and not self.stop_reason:
                self.stop_reason, self.stop_error = reason, error
            if reason or was_paused:  # nothing else ends the wait of the next thread earlier
                self._changed.notify_all()
            after = self._paused_until()
            return after - now if after > max(before, now) else 0.0

    def cancel(self) -> None:
        """Make all waiting threads return at once."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def _delay(self, now: float) -> float:
        return max(self._throttle.delay(now), self._breaker.delay(now))

    def _paused_until(self) -> float:
        """Return the end of the freeze after a 429, or of the breaker's pause."""
        return max(self._throttle.frozen_until, self._breaker.paused_until if self._breaker.paused else 0.0)

    def _started(self, now: float) -> float:
        """Return when this thread's call began."""
        return float(getattr(self._thread, "started", now))


def _numbers(text: str) -> dict[str, float]:
    """Return the numbers in a JSON object by their names; none if the text is not a JSON object."""
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    pairs = values.items() if isinstance(values, dict) else ()
    return {name: value for name, value in pairs if isinstance(value, int | float) and math.isfinite(value)}
