"""How often and for how long calls are retried: the settings. The decision is in ``call/retry.py``."""

from __future__ import annotations

from typing import Any, Final

from attrs import field, frozen

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted

#: Upper bound for numeric settings. Clocks and sockets overflow above it; as seconds, it is 31 million years.
_UPPER_BOUND: Final = 1e15


class RetryBudget:
    """A limit on the retries of a whole process, so that an outage does not multiply the load on VTEX. Thread-safe.

    A retry costs tokens. A successful call returns what its own retries cost, or ``refund`` tokens if it had none.

    Args:
        capacity: Largest number of tokens, and the number at the start.
        cost: Tokens that one retry costs.
        refund: Tokens that a call returns when its first attempt succeeds.

    Raises:
        ConfigurationError: A value is not a whole number of at least 0.
    """

    def __init__(self, capacity: int = 500, cost: int = 5, refund: int = 1) -> None:
        for name, value in {"capacity": capacity, "cost": cost, "refund": refund}.items():
            _check_number(f"RetryBudget: {name}", value, whole=True)
        self._capacity = capacity
        self._cost = cost
        self._refund = refund
        # There is no lock: a process that is forked while another thread holds it could never acquire it. Threads do
        # not switch between a read and a write here, because neither method calls anything in between. Without the GIL,
        # an update may be lost, which costs a few tokens.
        self._tokens = capacity

    def try_acquire(self) -> bool:
        """Take the tokens of one retry and return True, or return False if there are too few."""
        if self._tokens < self._cost:
            return False
        self._tokens -= self._cost
        return True

    def record_success(self, retries: int) -> None:
        """Return the tokens of a call that succeeded after this many retries."""
        self._tokens += retries * self._cost or self._refund
        if self._tokens > self._capacity:  # noqa: PLR1730 - min() is a call
            self._tokens = self._capacity

    def __reduce__(self) -> tuple[type[RetryBudget], tuple[int, int, int]]:
        return RetryBudget, (self._capacity, self._cost, self._refund)


def _check_number(name: str, value: Any, least: int = 0, *, whole: bool = False, exclusive: bool = False) -> None:
    """Raise ConfigurationError unless ``value`` is a number of at least (if exclusive, above) ``least``."""
    is_number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not is_number or not least <= value < _UPPER_BOUND or (exclusive and value == least):
        kind = "a whole number" if whole else "a number"
        bound = f"above {least}" if exclusive else f"of at least {least}"
        raise ConfigurationError(f"{name} must be {kind} {bound} and below {_UPPER_BOUND:g}, not {quoted(value)}.")


#: Shared by all clients of this process whose policy sets no other budget.
PROCESS_BUDGET: Final = RetryBudget()


@frozen
class RetryPolicy:
    """How often and for how long one call is tried. All limits apply together, with the client's ``timeout``.

    Only what is safe is retried: requests that were not sent, requests that VTEX refused with 429, and reads. An update
    with an unknown outcome is retried only by a client with ``on_unknown="resend"``.

    The defaults are this package's own choice; VTEX documents only the wait after a 429.

    Attributes:
        attempts: Largest number of requests for one call, the first included.
        attempt_timeout: Seconds for one request, from connecting to the end of the response.
        elapsed: Seconds from the start of the call after which no retry begins.
        first_wait: Upper limit in seconds of the wait before the first retry. It doubles with each retry, and the wait
            is drawn at random between 0 and the limit (full jitter), so that many clients do not retry in step.
        longest_wait: Largest value in seconds that the limit doubles to.
        rate_limit_wait: Seconds to wait after a 429 without ``Retry-After``. VTEX's documentation says one minute.
        retry_after_cap: Longest ``Retry-After`` to wait for, in seconds. If it is longer, RateLimitedError is raised at
            once, with ``retry_after`` set.
        budget: Limits the retries of all calls that share it; by default, of all clients of the process.

    Raises:
        ConfigurationError: A value is of the wrong type or out of range.
    """

    attempts: int = 3
    attempt_timeout: float = 30.0
    elapsed: float = 120.0
    first_wait: float = 0.5
    longest_wait: float = 8.0
    rate_limit_wait: float = 60.0
    retry_after_cap: float = 90.0
    budget: RetryBudget = field(default=PROCESS_BUDGET, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        _check_number("RetryPolicy: attempts", self.attempts, 1, whole=True)
        _check_number("RetryPolicy: attempt_timeout", self.attempt_timeout, exclusive=True)
        for name in ("elapsed", "first_wait", "longest_wait", "rate_limit_wait", "retry_after_cap"):
            _check_number(f"RetryPolicy: {name}", getattr(self, name))
        budget: object = self.budget
        if not isinstance(budget, RetryBudget):  # unchecked, it would fail only after an update was applied
            raise ConfigurationError(f"RetryPolicy: budget must be a RetryBudget, not {quoted(budget)}.")
