"""A circuit breaker for one account. Pure: it knows neither threads nor clocks.

Some errors concern the account and not only the call that meets them:

- The credentials are refused (401, 403), the host cannot be reached after the client's own retries, or the client
  cannot be used at all: the account ends at once, because no other call can succeed. Pending entries stay pending.
- Outcomes become unknown, or orders cannot be read, one after another: VTEX is out of order, and each further call
  would leave one more package to be resolved by reading its order, or by a person. The account pauses, and then one
  probe request is sent: if VTEX answers it, the others go on; otherwise a longer pause follows, and finally the end.
- A 429 is not counted here: :mod:`~.pace` handles it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, field, setters, validators

from vtex_tracking_ext.errors import (
    AuthenticationError,
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    ReadFailedError,
    RefusedError,
)

if TYPE_CHECKING:
    from vtex_tracking_ext.errors import VtexTrackingError

#: Consecutive unknown outcomes after which the account pauses. If one call in twenty fails, three in a row happen by
#: chance once in 8,000 calls, and five once in three million; waiting for five costs two more packages to resolve.
MAX_UNKNOWN: Final = 5

#: Answered calls that offset one unknown outcome, so that a partial outage is noticed as well: if one call in three
#: fails, a pause comes after about 25 calls; one in ten, after about a thousand; one in fifty, never.
ANSWERS_PER_UNKNOWN: Final = 5

#: Seconds of the first pause; each consecutive one is twice as long.
FIRST_PAUSE: Final = 60.0

#: Consecutive pauses, each followed by a probe of unknown outcome, after which the account ends: seven minutes.
MAX_PAUSES: Final = 3

#: Errors that end an account at once.
_ENDS: Final = (AuthenticationError, PermissionDeniedError, NotSentError, ConfigurationError)


@define(on_setattr=setters.NO_OP)  # validates arguments only: each call sets some of the attributes
class Breaker:
    """The state of one account.

    Times are seconds of any monotonic clock above 0.
    Usage: ask :meth:`delay`; at 0 call :meth:`start` and make the call; then call :meth:`record_result`, and check
    ``reason``.

    Attributes:
        max_unknown: Consecutive unknown outcomes after which the account pauses.
        first_pause: Seconds of the first pause.
        max_pauses: Consecutive pauses after which the account ends.
        reason: Why the account has ended, or an empty text.
        strain: Recent failures: an unknown outcome adds five, an answer subtracts one.
        pauses: Consecutive pauses, with too few answers in between to trust VTEX again.
        paused: Whether the account is paused, or waits for the result of the probe request.
        paused_since: When the last pause began. Calls that began earlier say nothing about the time after it.
        paused_until: When the next call may begin.
        is_probing: Whether the probe request was begun, and its result is not known.
    """

    max_unknown: int = field(default=MAX_UNKNOWN, validator=validators.ge(1))
    first_pause: float = FIRST_PAUSE
    max_pauses: int = MAX_PAUSES
    reason: str = ""
    strain: int = 0
    pauses: int = 0
    paused: bool = False
    paused_since: float = 0.0
    paused_until: float = 0.0
    is_probing: bool = False

    def delay(self, now: float) -> float:
        """Return the seconds until the next call may begin, unless the account has ended."""
        return max(0.0, self.paused_until - now) if self.paused else 0.0

    def start(self, now: float) -> None:
        """Record that a call begins. After a pause it is the probe request, whose result other calls wait for."""
        if self.paused:
            self.paused_until = now + self._pause()
            self.is_probing = True

    def record_result(self, now: float, started: float, error: VtexTrackingError | None) -> None:
        """Record the result of a call.

        Args:
            now: The time.
            started: When the call began.
            error: The error of the call, or None if it was applied.
        """
        if started >= self.paused_since:
            self.is_probing = False
        if self.reason or isinstance(error, RateLimitedError):
            return
        if isinstance(error, _ENDS):
            self.reason = error.reason
        elif started < self.paused_since:
            return
        elif isinstance(error, OutcomeUnknownError | ReadFailedError):
            self._record_unknown(now, error)
        elif error is None or isinstance(error, RefusedError):  # other errors never reached VTEX
            self._record_answer()

    def _record_answer(self) -> None:
        if self.paused:
            self.paused = False
            self.strain = (self.max_unknown - 1) * ANSWERS_PER_UNKNOWN  # the next unknown outcome pauses it again
        else:
            self.strain = max(0, self.strain - 1)
            if not self.strain:
                self.pauses = 0

    def _record_unknown(self, now: float, error: OutcomeUnknownError | ReadFailedError) -> None:
        self.strain += ANSWERS_PER_UNKNOWN
        if self.strain < self.max_unknown * ANSWERS_PER_UNKNOWN:
            return
        self.pauses += 1
        if self.pauses > self.max_pauses:
            self.reason = (
                f"too many outcomes are unknown, even after {self.max_pauses} pauses; push again once VTEX answers, "
                f"and what may have been applied is resolved first. The last error: {error.reason}"
            )
            return
        self.paused, self.paused_since, self.paused_until = True, now, now + self._pause()

    def _pause(self) -> float:
        return self.first_pause * 2.0 ** (self.pauses - 1)
