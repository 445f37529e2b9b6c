"""The pace of one account that several workers share: who may call when. Pure; the state travels as JSON.

Workers lease slots, times at which a call may begin, some at once so that a call does not cost a round trip; and they
report how calls ended. Both change one state, in one order, by one clock, so that all of them together keep to the rate
that one :class:`~vtex_tracking_ext.bulk.delivery.pace.Throttle` allows.

Unlike a push, a worker has no end at which a person looks: where a push ends an account, here the account rests, and
then one call tries the ground.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from attrs import Factory, asdict, define, evolve, fields_dict, frozen

from vtex_tracking_ext.bulk.delivery.breaker import ANSWERS_PER_UNKNOWN, MAX_UNKNOWN, Breaker
from vtex_tracking_ext.bulk.delivery.pace import Throttle
from vtex_tracking_ext.errors import RateLimitedError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vtex_tracking_ext.errors import VtexTrackingError

T = TypeVar("T")

#: When a call that was let through began, and when it was answered.
Answer: TypeAlias = "tuple[float, float]"

#: Seconds that one lease covers at most. Slots that are leased are used even if a 429 comes meanwhile, so a lease must
#: be short against the seconds after which a limit is met again.
LEASE_SECONDS: Final = 0.2

#: Seconds that a thread waits for its turn at most. Beyond, it does something else meanwhile.
LONGEST_WAIT: Final = 2.0

#: Seconds that an account rests which a push would have ended: long enough not to matter to anybody, short enough that
#: new credentials, say, are noticed without a restart.
REST: Final = 600.0

#: Seconds after which the call that tries the ground after a rest counts as lost, with its worker perhaps.
TRIAL: Final = 60.0

#: Seconds after which the others ask again while that call is on its way.
ASK_AGAIN: Final = 5.0

#: Seconds by which a time told by a worker may be off, and by which the clock may go back without harm.
_TOLERANCE: Final = 1.0

#: The breaker's strain after a rest: once the call that tries the ground is answered, the next unknown outcome pauses
#: the account again.
_ON_TRIAL: Final = (MAX_UNKNOWN - 1) * ANSWERS_PER_UNKNOWN + 1


@frozen
class Lease:
    """What a worker gets.

    Attributes:
        now: The time, by the clock that all workers share.
        starts: When calls may begin, in order; empty where nobody may call.
        quiet: Seconds for which nobody may call.
        reason: Why, or an empty text.
        is_trial: Whether the call tries the ground, so that all others wait for what becomes of it.
    """

    now: float
    starts: tuple[float, ...]
    quiet: float
    reason: str
    is_trial: bool = False


@define
class SharedPace:
    """The state. Times are seconds since the epoch, by the clock that all workers share.

    Attributes:
        throttle: How fast the account is called.
        breaker: Whether it is left alone.
        reason: Why it rests, or an empty text.
        resting_until: Until when; then one call tries the ground, and the next one if that is lost.
        trying: Whether a call that tries the ground, after a rest or a pause, is on its way.
        tried: When it began. What began before says nothing about the time after the rest.
        changed: When the state was changed last.
    """

    throttle: Throttle = Factory(Throttle)
    breaker: Breaker = Factory(Breaker)
    reason: str = ""
    resting_until: float = 0.0
    trying: bool = False
    tried: float = 0.0
    changed: float = 0.0

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> SharedPace:
        """Return a state as :meth:`to_json` told it, of another version perhaps.

        What is not told is as in a new one, and what is not known here is left out.
        """
        return cls(
            _made(Throttle, document.get("throttle", {})),
            _made(Breaker, document.get("breaker", {})),
            document.get("reason", ""),
            document.get("resting_until", 0.0),
            document.get("trying", False),
            document.get("tried", 0.0),
            document.get("changed", 0.0),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON can hold it."""
        return asdict(self)

    def lease(self, now: float, wanted: int, ceiling: float) -> Lease:
        """Give slots.

        Args:
            now: The time.
            wanted: How many at most.
            ceiling: Calls a second that all workers together may make at most.
        """
        self._follow(now)
        self.throttle.ceiling = ceiling
        self.throttle.rate = min(self.throttle.rate, ceiling)
        quiet = self.quiet(now)
        if quiet > 0:
            return Lease(now, (), min(quiet, ASK_AGAIN) if self.trying else quiet, self.why())
        start = now + self.throttle.delay(now)
        if start > now + LONGEST_WAIT:
            return Lease(now, (), start - now, f"the account is called every {1 / self.throttle.rate:.0f} s at present")
        starts: list[float] = []
        while len(starts) < max(1, wanted) and (not starts or start < now + LEASE_SECONDS):
            starts.append(start)
            self.throttle.start(start)
            if self.breaker.paused or self.reason:  # one call alone tries the ground
                self.breaker.start(start)
                self.trying, self.tried, self.resting_until = True, start, start + TRIAL
                return Lease(now, (start,), 0.0, "", is_trial=True)
            start += self.throttle.delay(start)
        return Lease(now, tuple(starts), 0.0, "")

    def report(
        self, now: float, answers: Iterable[Answer], started: float = 0.0, error: VtexTrackingError | None = None
    ) -> float:
        """Draw the conclusions from calls.

        Args:
            now: The time.
            answers: Calls that were let through: answered with anything but 429, or trouble of the account.
            started: When the call began that ended in ``error``.
            error: An error of another call, or None.

        Returns:
            Seconds for which nobody may call.
        """
        self._follow(now)
        for began, answered in answers:
            self.throttle.record_accepted(answered)
            self.breaker.record_result(answered, began, None)
            if self._is_trial(began):
                self.reason, self.trying = "", False
        if error is not None and self._is_trial(started):
            self.trying = False
        if isinstance(error, RateLimitedError):
            if not self.throttle.record_rate_limited(now, started, error.retry_after):
                self._rest(now, f"the account stays over its limit, however long nobody calls: {error}")
                self.throttle.freezes = 0
        elif error is not None:
            if isinstance(error, RefusedError):
                self.throttle.record_accepted(now)
            self.breaker.record_result(now, started, error)
            if self.breaker.reason:
                self._rest(now, self.breaker.reason)
                self.breaker = evolve(Breaker(), strain=_ON_TRIAL)
        return self.quiet(now)

    def wake(self, now: float) -> None:
        """End a rest: whoever starts a worker may have mended the cause. One call tries the ground all the same."""
        self._follow(now)
        self.resting_until = min(self.resting_until, now)

    def quiet(self, now: float) -> float:
        """Return the seconds for which nobody may call: a freeze after 429, a pause, or a rest."""
        resting = self.resting_until if self.reason else 0.0
        return max(0.0, self.throttle.frozen_until - now, self.breaker.delay(now), resting - now)

    def why(self) -> str:
        """Return why nobody may call."""
        if self.reason:
            return self.reason
        return "too many outcomes are unknown" if self.breaker.paused else "the account is over its limit (429)"

    def _is_trial(self, began: float) -> bool:
        return self.trying and began > self.tried - _TOLERANCE

    def _follow(self, now: float) -> None:
        """Follow a clock that was set back: what is left of each pause stays, and nothing waits for the old time."""
        back = self.changed - now
        self.changed = now
        if back <= _TOLERANCE:
            return
        self.throttle.next_start -= back
        self.throttle.frozen_until -= back
        self.throttle.recent = [moment - back for moment in self.throttle.recent]
        self.breaker.paused_since -= back
        self.breaker.paused_until -= back
        self.resting_until -= back
        self.tried -= back

    def _rest(self, now: float, reason: str) -> None:
        self.reason, self.resting_until, self.trying = reason, now + REST, False


def _made(cls: type[T], document: Mapping[str, Any]) -> T:
    known = fields_dict(cls)  # type: ignore[arg-type] # both are attrs classes
    return cls(**{name: value for name, value in document.items() if name in known})
