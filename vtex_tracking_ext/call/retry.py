"""Decide whether to retry, and after how long. Pure: time and chance are parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.errors import NotSentError, OutcomeUnknownError, RateLimitedError, ReadFailedError

if TYPE_CHECKING:
    from vtex_tracking_ext.config.retry_policy import RetryPolicy
    from vtex_tracking_ext.errors import VtexTrackingError


def wait_before_next(
    policy: RetryPolicy, error: VtexTrackingError, *, attempt: int, elapsed: float, chance: float, resend: bool
) -> float | None:
    """Return the seconds to wait before the next try, or None to stop.

    Args:
        policy: The bounds.
        error: What the last try ended in.
        attempt: How many tries there were.
        elapsed: Seconds since the call began.
        chance: A random number from 0 to 1.
        resend: Whether the caller accepts that an update of unknown outcome may be applied twice.
    """
    if attempt >= policy.attempts:
        return None
    if isinstance(error, RateLimitedError):
        wait = policy.rate_limit_wait if error.retry_after is None else error.retry_after
        if wait > policy.retry_after_cap:
            return None
    elif isinstance(error, NotSentError | ReadFailedError) or (resend and isinstance(error, OutcomeUnknownError)):
        wait = chance * min(policy.longest_wait, policy.first_wait * 2.0 ** min(attempt - 1, 60))
    else:
        return None
    return wait if elapsed + wait <= policy.elapsed else None
