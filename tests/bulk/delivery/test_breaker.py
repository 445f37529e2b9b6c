"""When to leave an account alone."""

from __future__ import annotations

import json

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
    """Tell a breaker of calls that took no time."""
    for error in errors:
        breaker.record_result(now, now, error)


def tripped(now: float = 100.0) -> Breaker:
    """Return a breaker that has just begun its first pause."""
    breaker = Breaker()
    learn(breaker, now, *[UNKNOWN] * MAX_UNKNOWN)
    return breaker


@pytest.mark.parametrize("kind", [AuthenticationError, PermissionDeniedError, NotSentError, ConfigurationError])
def test_what_meets_every_call_ends_the_account(kind: type[VtexTrackingError]) -> None:
    """At once, and it says why; what comes afterwards changes nothing."""
    breaker = Breaker()
    learn(breaker, 1.0, None, kind("the first reason"), None, UNKNOWN, kind("another"))
    assert breaker.reason == "the first reason"


def test_credentials_that_are_refused_end_the_account_even_after_a_pause_began() -> None:
    """A call that was on its way tells nothing of the outage, but all of the credentials."""
    breaker = tripped(now=100.0)
    breaker.record_result(101.0, 99.0, AuthenticationError("the token is gone"))
    assert breaker.reason == "the token is gone"


def test_a_refusal_of_one_update_is_no_trouble() -> None:
    """VTEX answers, and that is all this is about."""
    breaker = Breaker()
    learn(breaker, 1.0, *[NotFoundError("no such order")] * 100)
    assert breaker == Breaker()


def test_outcomes_unknown_in_a_row_pause_the_account() -> None:
    """One fewer does not; the pause has an end."""
    breaker = Breaker()
    learn(breaker, 100.0, *[UNKNOWN] * (MAX_UNKNOWN - 1))
    assert breaker.delay(100.0) == 0
    learn(breaker, 100.0, UNKNOWN)
    assert breaker.delay(100.0) == FIRST_PAUSE
    assert breaker.delay(100.0 + FIRST_PAUSE) == 0
    assert breaker.delay(101.0 + FIRST_PAUSE) == 0
    assert breaker.reason == ""


@pytest.mark.parametrize(("answers", "paused"), [(1, True), (4, True), (5, False), (50, False)])
def test_a_part_that_is_out_of_order_is_noticed(answers: int, paused: bool) -> None:
    """More than one unknown in six, for a while, is as bad as some in a row; fewer are not."""
    breaker = Breaker()
    for _ in range(100):
        learn(breaker, 100.0, UNKNOWN, *[None] * answers)
    assert paused == (breaker.pauses > 0)


def test_a_429_and_what_never_reached_vtex_say_nothing_about_unknowns() -> None:
    """They neither make up for them, nor let the others go on after a pause."""
    breaker = Breaker()
    for _ in range(MAX_UNKNOWN):
        learn(breaker, 100.0, UNKNOWN, *[RateLimitedError(), InvalidUpdateError("bad")] * 10)
    assert breaker.paused
    breaker.start(160.0)
    learn(breaker, 160.0, RateLimitedError(), InvalidUpdateError("bad"))
    assert breaker.paused


def test_after_a_pause_one_call_alone_tries_the_ground() -> None:
    """The others wait for what becomes of it, and go on as soon as it is answered."""
    breaker = tripped(now=100.0)
    breaker.start(160.0)
    assert breaker.delay(160.0) == FIRST_PAUSE
    learn(breaker, 161.0, NotFoundError("no such order"))
    assert breaker.delay(161.0) == 0
    breaker.start(161.0)
    assert breaker.delay(161.0) == 0


def test_a_call_that_is_never_told_of_does_not_hold_the_others_for_ever() -> None:
    """Another may try once it has taken as long as the pause."""
    breaker = tripped(now=100.0)
    breaker.start(160.0)
    assert breaker.delay(160.0 + FIRST_PAUSE) == 0


def test_pauses_double_and_at_last_the_account_ends() -> None:
    """Each costs one more package of unknown outcome, so there are few."""
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


def test_what_was_on_its_way_when_a_pause_began_tells_nothing() -> None:
    """Neither that VTEX is still down nor that it is back, even when it ends after the pause."""
    breaker = tripped(now=100.0)
    before = attrs.evolve(breaker)
    for error in (UNKNOWN, None):
        breaker.record_result(170.0, 99.0, error)
    assert before == breaker


def test_vtex_is_on_trial_after_a_pause() -> None:
    """The next unknown pauses again, and for longer; trust comes back with answers."""
    breaker = tripped(now=100.0)
    learn(breaker, 160.0, None, UNKNOWN)
    assert breaker.delay(160.0) == 2 * FIRST_PAUSE
    learn(breaker, 280.0, *[None] * 21)
    learn(breaker, 280.0, *[UNKNOWN] * (MAX_UNKNOWN - 1))
    assert breaker.delay(280.0) == 0
    learn(breaker, 280.0, UNKNOWN)
    assert breaker.delay(280.0) == FIRST_PAUSE


def test_orders_that_cannot_be_read_are_the_same_trouble() -> None:
    """A run with nothing but doubts to settle would go on for days, without a word; and after a pause, slower still."""
    breaker, now, reads = Breaker(), 1.0, 0
    while not breaker.reason:
        now += breaker.delay(now)
        breaker.start(now)
        learn(breaker, now, ReadFailedError("no answer came"))
        reads += 1
        assert reads <= MAX_UNKNOWN + MAX_PAUSES


def test_an_outage_costs_few_unknown_outcomes() -> None:
    """Two and a half minutes of it: five in a row, and one after the first pause; then all goes on."""
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


def test_its_state_can_be_stored_as_json() -> None:
    """So that several machines can share it."""
    breaker = tripped()
    assert Breaker(**json.loads(json.dumps(attrs.asdict(breaker)))) == breaker


def test_no_unknown_at_all_cannot_be_asked_for() -> None:
    """It would pause before the first call."""
    with pytest.raises(ValueError, match="max_unknown"):
        Breaker(max_unknown=0)
