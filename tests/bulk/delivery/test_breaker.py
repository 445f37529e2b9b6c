"""When an account pauses, and when it ends."""

from __future__ import annotations

import attrs
import pytest

from vtex_tracking_ext import (
    AuthenticationError,
    ConfigurationError,
    InvalidUpdateError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    ReadFailedError,
    VtexTrackingError,
)
from vtex_tracking_ext.bulk.delivery.breaker import FIRST_PAUSE, MAX_PAUSES, MAX_UNKNOWN, Breaker

UNKNOWN = OutcomeUnknownError("no answer came")


def learn(breaker: Breaker, now: float, *errors: VtexTrackingError | None) -> None:
    """Record results of calls that took no time."""
    for error in errors:
        breaker.record_result(now, now, error)


def tripped(now: float = 100.0) -> Breaker:
    """Return a breaker that has just begun its first pause."""
    breaker = Breaker()
    learn(breaker, now, *[UNKNOWN] * MAX_UNKNOWN)
    return breaker


@pytest.mark.parametrize("kind", [AuthenticationError, PermissionDeniedError, NotSentError, ConfigurationError])
def test_an_error_that_every_call_would_meet_ends_the_account(kind: type[VtexTrackingError]) -> None:
    """At once, with its message as the reason; later results change nothing."""
    breaker = Breaker()
    learn(breaker, 1.0, None, kind("the first reason"), None, UNKNOWN, kind("another"))
    assert breaker.reason == "the first reason"


def test_refused_credentials_end_the_account_during_a_pause() -> None:
    """A call that was in progress when the pause began says nothing about the outage, but it does about credentials."""
    breaker = tripped(now=100.0)
    breaker.record_result(101.0, 99.0, AuthenticationError("the token is gone"))
    assert breaker.reason == "the token is gone"


def test_refused_updates_change_nothing() -> None:
    """VTEX answers, which is all that matters here."""
    breaker = Breaker()
    learn(breaker, 1.0, *[NotFoundError("no such order")] * 100)
    assert breaker == Breaker()


def test_consecutive_unknown_outcomes_pause_the_account() -> None:
    """One fewer does not; the pause ends after its time."""
    breaker = Breaker()
    learn(breaker, 100.0, *[UNKNOWN] * (MAX_UNKNOWN - 1))
    assert breaker.delay(100.0) == 0
    learn(breaker, 100.0, UNKNOWN)
    assert breaker.delay(100.0) == FIRST_PAUSE
    assert breaker.delay(100.0 + FIRST_PAUSE) == 0
    assert breaker.delay(101.0 + FIRST_PAUSE) == 0
    assert breaker.reason == ""


@pytest.mark.parametrize(("answers", "paused"), [(1, True), (4, True), (5, False), (50, False)])
def test_a_partial_outage_pauses_the_account(answers: int, paused: bool) -> None:
    """More than one unknown outcome in six calls, for a while, counts like several in a row; fewer do not."""
    breaker = Breaker()
    for _ in range(100):
        learn(breaker, 100.0, UNKNOWN, *[None] * answers)
    assert paused == (breaker.pauses > 0)


def test_a_429_or_a_call_that_was_not_made_does_not_count_as_an_answer() -> None:
    """They neither offset unknown outcomes, nor end a pause."""
    breaker = Breaker()
    for _ in range(MAX_UNKNOWN):
        learn(breaker, 100.0, UNKNOWN, *[RateLimitedError(), InvalidUpdateError("bad")] * 10)
    assert breaker.paused
    breaker.start(160.0)
    learn(breaker, 160.0, RateLimitedError(), InvalidUpdateError("bad"))
    assert breaker.paused


def test_after_a_pause_one_probe_request_is_sent() -> None:
    """Other calls wait for its result, and go on as soon as it is answered."""
    breaker = tripped(now=100.0)
    breaker.start(160.0)
    assert breaker.delay(160.0) == FIRST_PAUSE
    learn(breaker, 161.0, NotFoundError("no such order"))
    assert not breaker.is_probing
    assert breaker.delay(161.0) == 0
    breaker.start(161.0)
    assert breaker.delay(161.0) == 0


def test_another_probe_follows_if_the_result_of_the_first_is_never_recorded() -> None:
    """After as long as the pause."""
    breaker = tripped(now=100.0)
    breaker.start(160.0)
    assert breaker.delay(160.0 + FIRST_PAUSE) == 0


def test_pauses_double_until_the_account_ends() -> None:
    """Each costs one more package with an unknown outcome, so there are few."""
    breaker = tripped(now=0.0)
    pauses, now = [], 0.0
    while not breaker.reason:
        pauses.append(breaker.delay(now))
        now += breaker.delay(now)
        breaker.start(now)
        learn(breaker, now, UNKNOWN)
    assert [FIRST_PAUSE * 2**n for n in range(MAX_PAUSES)] == pauses
    assert breaker.reason.startswith("too many outcomes are unknown, even after 3 pauses; push again once VTEX")
    assert breaker.reason.endswith("The last error: no answer came")


def test_calls_in_progress_when_a_pause_begins_change_nothing() -> None:
    """Their results say nothing about the time after the pause, even if they come later."""
    breaker = tripped(now=100.0)
    before = attrs.evolve(breaker)
    for error in (UNKNOWN, None):
        breaker.record_result(170.0, 99.0, error)
    assert before == breaker
    breaker.start(170.0)
    breaker.record_result(171.0, 99.0, None)
    assert breaker.is_probing


def test_the_next_unknown_outcome_after_a_pause_begins_a_longer_one() -> None:
    """After enough answers it takes several again, and the pause is as long as the first."""
    breaker = tripped(now=100.0)
    learn(breaker, 160.0, None, UNKNOWN)
    assert breaker.delay(160.0) == 2 * FIRST_PAUSE
    learn(breaker, 280.0, *[None] * 21)
    learn(breaker, 280.0, *[UNKNOWN] * (MAX_UNKNOWN - 1))
    assert breaker.delay(280.0) == 0
    learn(breaker, 280.0, UNKNOWN)
    assert breaker.delay(280.0) == FIRST_PAUSE


def test_orders_that_cannot_be_read_count_as_unknown_outcomes() -> None:
    """A run that only resolves entries in doubt would otherwise go on for days during an outage."""
    breaker, now, reads = Breaker(), 1.0, 0
    while not breaker.reason:
        now += breaker.delay(now)
        breaker.start(now)
        learn(breaker, now, ReadFailedError("no answer came"))
        reads += 1
        assert reads <= MAX_UNKNOWN + MAX_PAUSES


def test_an_outage_costs_few_unknown_outcomes() -> None:
    """An outage of 150 s: five in a row, and one after the first pause; then calls go on."""
    breaker, now, unknown, applied = Breaker(), 0.0, 0, 0
    while now < 1000.0:
        now += breaker.delay(now)
        breaker.start(now)
        down = 100.0 <= now < 250.0
        unknown, applied = unknown + down, applied + (not down)
        learn(breaker, now, UNKNOWN if down else None)
        now += 0.1
    assert unknown == MAX_UNKNOWN + 1
    assert applied > 8000
    assert breaker.reason == ""


def test_a_limit_of_no_unknown_outcome_is_refused() -> None:
    """The account would pause before the first call."""
    with pytest.raises(ValueError, match="max_unknown"):
        Breaker(max_unknown=0)
