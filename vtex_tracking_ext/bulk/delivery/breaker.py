"""When to leave an account alone: a circuit breaker. Pure: it knows neither threads nor clocks.

Three kinds of trouble have nothing to do with the one call that meets them:

- The credentials are refused (401, 403), the host is gone after the client's own tries, or the client cannot be used at
  all: the account ends at once, because no other call can fare better. What is pending stays pending.
- Outcomes become unknown, or orders cannot be read, one after another: VTEX is out of order. Each further call would
  leave one more package that must be settled by reading its order, or by a person. So the account pauses, and then one
  call alone tries the ground: if VTEX answers it the others go on, and if not a longer pause follows, and at last the
  end.
- 429 is no trouble in this sense: :mod:`~.pace` deals with it.
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

#: Outcomes unknown in a row after which the account pauses. Three may be chance where one call in twenty fails (once in
#: 8,000 calls; five, once in three million), and what lies between costs two more packages to settle.
MAX_UNKNOWN: Final = 5

#: Answered calls that make up for one unknown outcome, so that a VTEX that is out of order in part is noticed as well:
#: where one call in three fails, a pause comes after about 25 calls, one in ten about a thousand, one in fifty never.
ANSWERS_PER_UNKNOWN: Final = 5

#: Seconds of the first pause; each further one in a row is twice as long.
FIRST_PAUSE: Final = 60.0

#: Pauses in a row, a call of unknown outcome after each, after which the account ends: seven minutes of trouble.
MAX_PAUSES: Final = 3

#: What ends an account at once.
_ENDS: Final = (AuthenticationError, PermissionDeniedError, NotSentError, ConfigurationError)


@define(on_setattr=setters.NO_OP)  # only what is given is validated: each call sets some of it
class Breaker:
    """The state of one account. Holds numbers and a text alone, so that it can be stored and shared as JSON.

    Times are seconds of any clock that does not go back and is above 0; all who share a state share its clock.
    Use: ask :meth:`delay`; at 0 call :meth:`start` and make the call; then :meth:`record_result`, and check ``reason``.

    Attributes:
        max_unknown: Outcomes unknown in a row after which the account pauses.
        first_pause: Seconds of the first pause.
        max_pauses: Pauses in a row after which the account ends.
        reason: Why the account has ended, or an empty text.
        strain: How much of the trouble that leads to a pause there was; an unknown outcome adds five, an answer takes
            one off.
        pauses: Pauses in a row, with too few answers in between to trust VTEX again.
        paused: Whether it pauses, or waits for the call that tries the ground.
        paused_since: When the last pause began. What began before it says nothing about the time after it.
        paused_until: When the next call may begin.
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

    def delay(self, now: float) -> float:
        """Return for how many seconds no call may begin; at 0 one may, unless the account has ended."""
        return max(0.0, self.paused_until - now) if self.paused else 0.0

    def start(self, now: float) -> None:
        """Note that a call begins; after a pause the others wait for what becomes of it, or as long as the pause."""
        if self.paused:
            self.paused_until = now + self._pause()

    def record_result(self, now: float, started: float, error: VtexTrackingError | None) -> None:
        """Draw the conclusions from a call.

        Args:
            now: The time.
            started: When the call began.
            error: What it ended in, or None where it was applied.
        """
        if self.reason or isinstance(error, RateLimitedError):
            return
        if isinstance(error, _ENDS):
            self.reason = str(error)
        elif started >= self.paused_since:
            if isinstance(error, OutcomeUnknownError | ReadFailedError):
                self._unknown(now, error)
            elif error is None or isinstance(error, RefusedError):  # others never reached VTEX
                self._answered()

    def _answered(self) -> None:
        if self.paused:
            self.paused = False
            self.strain = (self.max_unknown - 1) * ANSWERS_PER_UNKNOWN  # on trial: the next unknown pauses again
        else:
            self.strain = max(0, self.strain - 1)
            if not self.strain:
                self.pauses = 0

    def _unknown(self, now: float, error: OutcomeUnknownError | ReadFailedError) -> None:
        self.strain += ANSWERS_PER_UNKNOWN
        if self.strain < self.max_unknown * ANSWERS_PER_UNKNOWN:
            return
        self.pauses += 1
        if self.pauses > self.max_pauses:
            self.reason = (
                f"too many outcomes are unknown, and {self.max_pauses} pauses did not help; push again once VTEX "
                f"answers, and what may have been applied is settled first. The last: {error}"
            )
            return
        self.paused, self.paused_since, self.paused_until = True, now, now + self._pause()

    def _pause(self) -> float:
        return self.first_pause * 2.0 ** (self.pauses - 1)
