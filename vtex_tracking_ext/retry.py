"""Whether to try again, and when. Pure: time and chance are handed in."""

from __future__ import annotations

from attrs import field, frozen, validators

from .errors import NotSentError, OutcomeUnknownError, RateLimitedError, ReadFailedError, VtexTrackingError


@frozen
class RetryPolicy:
    """How often, and how long, a call is tried. Both bounds hold, and so does the client's ``timeout``.

    Only what is safe is tried again: what never left this machine, what VTEX turned away with 429, and reads.
    An update whose outcome is unknown is not, unless the client was told ``on_unknown="resend"``.

    Attributes:
        attempts: Requests begun for one call at most, the first included.
        attempt_timeout: Seconds that one request may take, connecting and the whole answer included.
        elapsed: Seconds from the start of the call after which no other try begins.
        first_wait: Longest wait in seconds before the second try; it doubles with each further one, and the
            wait itself is drawn between zero and it (full jitter), so that many clients do not move in step.
        longest_wait: Where the doubling ends, in seconds.
        rate_limit_wait: Seconds to wait after a 429 that does not say how long. VTEX's guide says one minute.
        retry_after_cap: Longest ``Retry-After`` that is obeyed, in seconds; above it the error is raised at
            once, with ``retry_after`` on it.
    """

    attempts: int = field(default=3, validator=validators.ge(1))
    attempt_timeout: float = field(default=30.0, validator=validators.gt(0))
    elapsed: float = field(default=120.0, validator=validators.ge(0))
    first_wait: float = field(default=0.5, validator=validators.ge(0))
    longest_wait: float = field(default=8.0, validator=validators.ge(0))
    rate_limit_wait: float = field(default=60.0, validator=validators.ge(0))
    retry_after_cap: float = field(default=90.0, validator=validators.ge(0))


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
