"""Retry policy, retry budget and retry delay."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from vtex_tracking_ext import RetryPolicy, errors
from vtex_tracking_ext.call.retry import retry_delay
from vtex_tracking_ext.config.retry_policy import PROCESS_BUDGET, RetryBudget
from vtex_tracking_ext.text import quoted


def limited(retry_after: float | None) -> errors.RateLimitedError:
    """Return the error of a 429."""
    error = errors.RateLimitedError("x", status_code=429)
    error.retry_after = retry_after
    return error


def wait(error: errors.VtexTrackingError, policy: RetryPolicy | None = None, **changes: Any) -> float | None:
    """Return the retry delay after an error, by default after the first attempt of a call."""
    arguments = {"attempt": 1, "elapsed": 0.0, "chance": 1.0, "resend": False, **changes}
    return retry_delay(policy or RetryPolicy(), error, **arguments)


@pytest.mark.parametrize("error", [errors.NotSentError("x"), errors.ReadFailedError("x")])
def test_safe_errors_are_retried_with_full_jitter(error: errors.VtexTrackingError) -> None:
    """The delay after an unsent request or a failed read is random below a limit that doubles up to longest_wait."""
    policy = RetryPolicy(attempts=100)
    assert [wait(error, policy, attempt=n) for n in (1, 2, 3, 4, 5, 6, 99)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert wait(error, policy, attempt=3, chance=0.25) == 0.5
    assert wait(error, policy, chance=0.0) == 0.0


@pytest.mark.parametrize(
    "error",
    [
        errors.OutcomeUnknownError("x"),
        errors.RefusedError("x"),
        errors.AuthenticationError("x"),
        errors.NotFoundError("x"),
        errors.ConfigurationError("x"),
        errors.InvalidUpdateError("x"),
    ],
)
def test_other_errors_are_not_retried(error: errors.VtexTrackingError) -> None:
    """Neither a refusal nor an unknown outcome is retried by default."""
    assert wait(error) is None


def test_an_unknown_outcome_is_retried_only_with_resend() -> None:
    """With resend, an unknown outcome is retried, and a refusal is not."""
    assert wait(errors.OutcomeUnknownError("x"), resend=True) == 0.5
    assert wait(errors.RefusedError("x"), resend=True) is None


@pytest.mark.parametrize(
    ("retry_after", "expected"), [(7.0, 7.0), (0.0, 0.0), (90.0, 90.0), (91.0, None), (None, 60.0)]
)
def test_a_429_is_retried_after_retry_after(retry_after: float | None, expected: float | None) -> None:
    """A 429 waits for Retry-After or the default, and is not retried above the cap."""
    assert wait(limited(retry_after)) == expected


def test_attempts_and_elapsed_time_both_limit_retries() -> None:
    """A call is not retried after its last attempt, nor if the delay would exceed the elapsed time."""
    error = errors.NotSentError("x")
    assert wait(error, attempt=2) is not None
    assert wait(error, attempt=3) is None
    assert wait(error, elapsed=119.5) == 0.5
    assert wait(error, elapsed=119.6) is None


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("attempts", 0, "a whole number of at least 1 and below 1e+15"),
        ("attempts", 2.5, "a whole number of at least 1 and below 1e+15"),
        ("attempts", True, "a whole number of at least 1 and below 1e+15"),
        ("elapsed", -1, "a number of at least 0 and below 1e+15"),
        ("first_wait", -1, "a number of at least 0 and below 1e+15"),
        ("attempt_timeout", 0, "a number above 0 and below 1e+15"),
        ("longest_wait", "8", "a number of at least 0 and below 1e+15"),
        ("retry_after_cap", float("inf"), "a number of at least 0 and below 1e+15"),
        ("rate_limit_wait", float("nan"), "a number of at least 0 and below 1e+15"),
        ("first_wait", 10**400, "a number of at least 0 and below 1e+15"),
        ("first_wait", 1e15, "a number of at least 0 and below 1e+15"),
        ("budget", None, "a RetryBudget"),
    ],
)
def test_an_invalid_policy_is_refused(name: str, value: Any, wanted: str) -> None:
    """A value out of range or of the wrong type is refused by name when the policy is made."""
    with pytest.raises(errors.ConfigurationError) as refused:
        RetryPolicy(**{name: value})
    assert str(refused.value) == f"RetryPolicy: {name} must be {wanted}, not {quoted(value)}."


@pytest.mark.parametrize("name", ["capacity", "cost", "refund"])
@pytest.mark.parametrize("value", [-1, 0.5, "5", None])
def test_an_invalid_budget_is_refused(name: str, value: Any) -> None:
    """A value that is not a whole number of at least 0 is refused when the budget is made."""
    with pytest.raises(errors.ConfigurationError, match=f"RetryBudget: {name} must be a whole number of at least 0"):
        RetryBudget(**{name: value})


def test_the_smallest_values_of_a_policy_are_accepted() -> None:
    """One attempt, no waits and a tiny attempt_timeout are accepted."""
    RetryPolicy(1, 0.001, 0, 0, 0, 0, 0)


def test_the_default_budget_allows_100_retries() -> None:
    """The default budget of 500 tokens allows 100 retries; five successes at the first attempt allow one more."""
    budget = RetryBudget()
    assert [budget.try_acquire() for _ in range(101)] == [True] * 100 + [False]
    for _ in range(4):
        budget.record_success(0)
    assert not budget.try_acquire()
    budget.record_success(0)
    assert budget.try_acquire()


def test_a_success_returns_the_tokens_of_its_retries() -> None:
    """A successful call returns the tokens of its own retries, or the refund, up to the capacity."""
    budget = RetryBudget(capacity=10, cost=5, refund=1)
    assert [budget.try_acquire() for _ in range(3)] == [True, True, False]
    budget.record_success(0)
    assert not budget.try_acquire()
    budget.record_success(1)
    assert budget.try_acquire()
    budget.record_success(100)
    assert [budget.try_acquire() for _ in range(3)] == [True, True, False]


def test_policies_share_the_process_budget_by_default() -> None:
    """Policies share the budget of the process unless they are given one; both can be pickled."""
    assert RetryPolicy().budget is RetryPolicy(attempts=1).budget is PROCESS_BUDGET
    own = RetryPolicy(budget=RetryBudget(capacity=5))
    assert own.budget is not PROCESS_BUDGET
    copied = pickle.loads(pickle.dumps(own))  # noqa: S301 - our own
    assert copied == own
    assert [copied.budget.try_acquire() for _ in range(2)] == [True, False]


@pytest.mark.parametrize("budget", [None, 10, RetryBudget])
def test_a_budget_of_another_type_is_refused(budget: Any) -> None:
    """A budget of another type is refused before the first call, not after an update was applied."""
    with pytest.raises(errors.ConfigurationError, match=r"budget must be a RetryBudget, not "):
        RetryPolicy(budget=budget)
