"""How often, and for how long, a call is retried: what a caller sets."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted

if TYPE_CHECKING:
    from attrs import Attribute

#: Where numbers end: as many seconds are millions of years, and Python's clocks and floats take no more.
_TOO_MUCH: Final = 1e15


class RetryBudget:
    """How many retries a process affords, so that an outage does not multiply the load of those who wait for its end.

    Each retry takes tokens; a call that goes well gives some back, and all that its own retries took. Thread-safe.

    Args:
        capacity: Tokens at the beginning, and at most.
        cost: Tokens that one retry takes.
        refund: Tokens that a call gives back which went well at the first try.

    Raises:
        ConfigurationError: One of them is no whole number from 0 up.
    """

    def __init__(self, capacity: int = 500, cost: int = 5, refund: int = 1) -> None:
        for name, value in {"capacity": capacity, "cost": cost, "refund": refund}.items():
            _check_number(f"RetryBudget: {name}", value, int, 0, above=False)
        self._capacity = capacity
        self._cost = cost
        self._refund = refund
        self._tokens = capacity
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take the tokens of one retry; False where there are too few."""
        with self._lock:
            if self._tokens < self._cost:
                return False
            self._tokens -= self._cost
            return True

    def give_back(self, retries: int) -> None:
        """Note a call that went well after so many retries."""
        with self._lock:
            self._tokens = min(self._capacity, self._tokens + (retries * self._cost or self._refund))

    def __reduce__(self) -> tuple[type[RetryBudget], tuple[int, int, int]]:
        return RetryBudget, (self._capacity, self._cost, self._refund)


def _check_number(name: str, value: Any, kind: type | tuple[type, ...], least: float, *, above: bool) -> None:
    """Refuse what is no number of at least, or above, ``least``, or one that no clock could count."""
    number: Any = value
    good = isinstance(value, kind) and not isinstance(value, bool) and least <= number < _TOO_MUCH
    if not good or (above and value == least):
        what = "a whole number" if kind is int else "a number"
        bound = f"above {least:g}" if above else f"from {least:g} up"
        raise ConfigurationError(f"{name} is {quoted(value)}: give {what} {bound}.")


def _times(_: object, attribute: Attribute[Any], value: Any) -> None:
    _check_number(f"RetryPolicy: {attribute.name}", value, int, 1, above=False)


def _seconds(_: object, attribute: Attribute[Any], value: Any) -> None:
    _check_number(f"RetryPolicy: {attribute.name}", value, (int, float), 0, above=False)


def _some_seconds(_: object, attribute: Attribute[Any], value: Any) -> None:
    _check_number(f"RetryPolicy: {attribute.name}", value, (int, float), 0, above=True)


def _a_budget(_: object, __: object, value: object) -> None:
    # Met only after an answer, a wrong one would hide that the update was applied.
    if not isinstance(value, RetryBudget):
        raise ConfigurationError(
            f"RetryPolicy: budget is {quoted(value)}: give a RetryBudget, or leave it out for the process's."
        )


#: The budget of all clients of this process that are not given another.
PROCESS_BUDGET: Final = RetryBudget()


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
        budget: Shared by all calls that may take from it; by default by all clients of the process.

    Raises:
        ConfigurationError: A value is out of its range, or of another kind.
    """

    attempts: int = field(default=3, validator=_times)
    attempt_timeout: float = field(default=30.0, validator=_some_seconds)
    elapsed: float = field(default=120.0, validator=_seconds)
    first_wait: float = field(default=0.5, validator=_seconds)
    longest_wait: float = field(default=8.0, validator=_seconds)
    rate_limit_wait: float = field(default=60.0, validator=_seconds)
    retry_after_cap: float = field(default=90.0, validator=_seconds)
    budget: RetryBudget = field(default=PROCESS_BUDGET, repr=False, eq=False, validator=_a_budget)
