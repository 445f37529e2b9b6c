"""Decide whether to retry a call, and after how long. Pure: time and randomness are parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.errors import NotSentError, OutcomeUnknownError, RateLimitedError, ReadFailedError

if TYPE_CHECKING:
    from vtex_tracking_ext.config.retry_policy import RetryPolicy
    from vtex_tracking_ext.errors import VtexTrackingError


def retry_delay(
    policy: RetryPolicy, error: VtexTrackingError, *, attempt: int, elapsed: float, chance: float, resend: bool
) -> float | None:
    """Return the retry delay in seconds, or None not to retry.

    Args:
        policy: The limits.
        error: Error of the last attempt.
        attempt: Number of attempts so far.
        elapsed: Seconds since the call began.
        chance: A random number from 0 to 1.
        resend: Whether to retry an update with an unknown outcome, which may add its events twice.
    """
    if attempt >= policy.attempts:
        return None
    if isinstance(error, RateLimitedError):
        delay = policy.rate_limit_wait if error.retry_after is None else error.retry_after
        if delay > policy.retry_after_cap:
            return None
    elif isinstance(error, NotSentError | ReadFailedError) or (resend and isinstance(error, OutcomeUnknownError)):
        # The exponent is bounded because 2.0 ** 1024 overflows.
        delay = chance * min(policy.longest_wait, policy.first_wait * 2.0 ** min(attempt - 1, 60))
    else:
        return None
    return delay if elapsed + delay <= policy.elapsed else None
