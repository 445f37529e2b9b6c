"""The pace of one account that several workers share. Pure; the state is stored as JSON.

Workers lease slots, times at which a call may begin, several at once to save round trips, and report the results of
calls. Both change one state, serially and by one clock, so that all workers together keep to the rate of one
:class:`~vtex_tracking_ext.bulk.delivery.pace.Throttle`.

Where a push stops an account, a worker lets it rest, because no person sees the end of a worker. After the rest, one
probe request is sent.
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

#: When an accepted call began, and when it was answered.
Answer: TypeAlias = "tuple[float, float]"

#: Seconds that one lease covers at most. Leased slots are used even after a 429, so a lease must be short compared to
#: the time until the next 429.
LEASE_SECONDS: Final = 0.2

#: Seconds that a thread waits for its turn at most. If it takes longer, the package is retried later.
MAX_WAIT: Final = 2.0

#: Seconds that an account rests if a push would have stopped: few calls for VTEX, but new credentials, for example, are
#: noticed without a restart.
REST_SECONDS: Final = 600.0

#: Seconds after which the probe after a rest counts as lost, perhaps with its worker.
PROBE_TIMEOUT: Final = 60.0

#: Seconds between the checks of the other workers while the probe is in flight.
PROBE_POLL_SECONDS: Final = 5.0

#: Seconds by which a time that a worker reports may be wrong, and by which the clock may go back.
_TOLERANCE: Final = 1.0

#: The breaker's strain after a rest: after the probe is answered, the next unknown outcome pauses the account again.
_PROBE_STRAIN: Final = (MAX_UNKNOWN - 1) * ANSWERS_PER_UNKNOWN + 1


@frozen
class Lease:
    """Slots for a worker.

    Attributes:
        now: The time, by the clock that all workers share.
        starts: When calls may begin, in order; empty if the account is paused.
        quiet: Seconds for which the account is paused.
        reason: Why, or an empty text.
        is_probe: Whether the call is a probe, for whose result all others wait.
    """

    now: float
    starts: tuple[float, ...]
    quiet: float
    reason: str
    is_probe: bool = False


@define
class SharedPace:
    """The state, stored as JSON under these names. Times are seconds since the epoch, by the shared clock.

    Attributes:
        throttle: How fast the account is called.
        breaker: Whether it is paused after unknown outcomes.
        reason: Why it rests, or an empty text.
        resting_until: When the rest ends; then one probe is sent, and another if the first is lost.
        trying: Whether a probe, after a rest or a pause, is in flight.
        tried: When the probe began. Earlier calls say nothing about the time after the rest.
        changed: When the state was last changed.
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
        """Return a state from JSON, perhaps of another version of this package.

        Missing values get their defaults, and unknown ones are ignored.
        """
        return cls(
            _from_known(Throttle, document.get("throttle", {})),
            _from_known(Breaker, document.get("breaker", {})),
            document.get("reason", ""),
            document.get("resting_until", 0.0),
            document.get("trying", False),
            document.get("tried", 0.0),
            document.get("changed", 0.0),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the state as a JSON object."""
        return asdict(self)

    def lease(self, now: float, wanted: int, ceiling: float) -> Lease:
        """Return slots for a worker.

        Args:
            now: The time.
            wanted: Maximum number of slots.
            ceiling: Maximum calls a second of all workers together.
        """
        self._follow_clock(now)
        self.throttle.ceiling = ceiling
        self.throttle.rate = min(self.throttle.rate, ceiling)
        quiet = self.pause_seconds(now)
        if quiet > 0:
            return Lease(now, (), min(quiet, PROBE_POLL_SECONDS) if self.trying else quiet, self.pause_reason())
        start = now + self.throttle.delay(now)
        if start > now + MAX_WAIT:
            return Lease(now, (), start - now, f"the account is currently called every {1 / self.throttle.rate:.0f} s")
        starts: list[float] = []
        while len(starts) < max(1, wanted) and (not starts or start < now + LEASE_SECONDS):
            starts.append(start)
            self.throttle.start(start)
            if self.breaker.paused or self.reason:  # only the probe
                self.breaker.start(start)
                self.trying, self.tried, self.resting_until = True, start, start + PROBE_TIMEOUT
                return Lease(now, (start,), 0.0, "", is_probe=True)
            start += self.throttle.delay(start)
        return Lease(now, tuple(starts), 0.0, "")

    def report(
        self, now: float, answers: Iterable[Answer], started: float = 0.0, error: VtexTrackingError | None = None
    ) -> float:
        """Record the results of calls.

        Args:
            now: The time.
            answers: Calls that were answered, neither with 429 nor with an error of the account.
            started: When the call of ``error`` began.
            error: The error of another call, or None.

        Returns:
            Seconds for which the account is paused.
        """
        self._follow_clock(now)
        for began, answered in answers:
            self.throttle.record_accepted(answered)
            self.breaker.record_result(answered, began, None)
            if self._is_probe(began):
                self.reason, self.trying = "", False
        if error is not None and self._is_probe(started):
            self.trying = False
        if isinstance(error, RateLimitedError):
            if not self.throttle.record_rate_limited(now, started, error.retry_after):
                self._rest(now, f"the account stays over its limit after several pauses: {error}")
                self.throttle.freezes = 0
        elif error is not None:
            if isinstance(error, RefusedError):
                self.throttle.record_accepted(now)
            self.breaker.record_result(now, started, error)
            if self.breaker.reason:
                self._rest(now, self.breaker.reason)
                self.breaker = evolve(Breaker(), strain=_PROBE_STRAIN)
        return self.pause_seconds(now)

    def end_rest(self, now: float) -> None:
        """End a rest, because a worker was started and the cause may be fixed. A probe is still sent first."""
        self._follow_clock(now)
        self.resting_until = min(self.resting_until, now)

    def pause_seconds(self, now: float) -> float:
        """Return the seconds for which the account is paused: after 429, after unknown outcomes, or by a rest."""
        resting = self.resting_until if self.reason else 0.0
        return max(0.0, self.throttle.frozen_until - now, self.breaker.delay(now), resting - now)

    def pause_reason(self) -> str:
        """Return why the account is paused."""
        if self.reason:
            return self.reason
        return "too many outcomes are unknown" if self.breaker.paused else "the account is over its limit (429)"

    def _is_probe(self, began: float) -> bool:
        return self.trying and began > self.tried - _TOLERANCE

    def _follow_clock(self, now: float) -> None:
        """Adjust the times after the clock was set back, so that each pause keeps its remaining seconds."""
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
        self.reason, self.resting_until, self.trying = reason, now + REST_SECONDS, False


def _from_known(cls: type[T], document: Mapping[str, Any]) -> T:
    known = fields_dict(cls)  # type: ignore[arg-type] # both are attrs classes
    return cls(**{name: value for name, value in document.items() if name in known})
