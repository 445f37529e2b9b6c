"""The pace of one account that several workers share: its rules, one by one."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from vtex_tracking_ext import AuthenticationError, NotFoundError, NotSentError, OutcomeUnknownError, RateLimitedError
from vtex_tracking_ext.bulk.delivery.breaker import FIRST_PAUSE, MAX_UNKNOWN, Breaker
from vtex_tracking_ext.bulk.delivery.pace import MAX_FREEZES, Throttle
from vtex_tracking_ext.fleet.slots import (
    LEASE_SECONDS,
    MAX_WAIT,
    PROBE_POLL_SECONDS,
    PROBE_TIMEOUT,
    REST_SECONDS,
    Answer,
    Lease,
    SharedPace,
)

NOW = 1_764_000_000.0
UNKNOWN = OutcomeUnknownError("no answer")


def limited(seconds: float | None) -> RateLimitedError:
    """Return a 429."""
    error = RateLimitedError("429", status_code=429)
    error.retry_after = seconds
    return error


def answered(moment: float, after: float = 0.0) -> Answer:
    """Return a call that was let through."""
    return moment - after, moment


def steady(rate: float = 20.0) -> SharedPace:
    """Return a pace at its ceiling."""
    return SharedPace(Throttle(rate, rate=rate))


def test_slots_follow_the_rate() -> None:
    """The distance of slots does not depend on the lease sizes; a lease covers a short time."""
    shared = steady()
    leases = [shared.lease(NOW, 64, 20).starts for _ in range(5)]
    assert leases[0][0] == NOW
    assert {round(later - earlier, 3) for earlier, later in pairwise([s for lease in leases for s in lease])} == {0.05}
    assert leases[0][-1] - NOW < LEASE_SECONDS
    assert [len(lease) for lease in leases[1:]] == [1, 1, 1, 1]  # they begin after the moment's end


def test_no_more_slots_than_wanted_are_given() -> None:
    """A lease has at least one slot and at most as many as wanted."""
    assert len(steady().lease(NOW, 2, 20).starts) == 2
    assert len(steady().lease(NOW, 0, 20).starts) == 1


def test_a_distant_slot_is_not_leased() -> None:
    """It stays free for a later lease."""
    shared = steady(0.2)
    assert shared.lease(NOW, 1, 0.2).starts == (NOW,)
    for _ in range(2):
        lease = shared.lease(NOW, 1, 0.2)
        assert (lease.starts, lease.quiet) == ((), 5.0)
        assert lease.reason == "the account is currently called every 5 s"
    assert shared.lease(NOW + 5 - MAX_WAIT, 1, 0.2).starts == (NOW + 5,)


def test_the_latest_ceiling_applies() -> None:
    """Workers may be restarted with another ceiling."""
    shared = steady()
    first, second, *_ = shared.lease(NOW, 64, 10).starts
    assert second - first == pytest.approx(0.1)
    assert shared.throttle.ceiling == 10


def test_a_429_pauses_the_account() -> None:
    """The pause has the seconds of Retry-After; afterwards the rate is lower."""
    shared = steady()
    shared.report(NOW, [answered(NOW - 0.05 * number) for number in range(20)])
    assert shared.report(NOW, (), NOW - 0.1, limited(7)) == 7
    assert shared.lease(NOW + 1, 9, 20) == Lease(NOW + 1, (), 6, "the account is over its limit (429)")
    assert shared.lease(NOW + 7, 9, 20).starts[0] == NOW + 7
    assert shared.throttle.rate < 20


def test_repeated_429s_let_the_account_rest() -> None:
    """After the rest, one probe is sent; once it is answered, the other workers continue."""
    shared = steady()
    now = NOW
    for _ in range(MAX_FREEZES + 1):
        shared.report(now, (), now, limited(1))
        now += max(1.0, shared.throttle.frozen_until - now)
    lease = shared.lease(now, 9, 20)
    assert lease.starts == ()
    assert REST_SECONDS - 70 < lease.quiet <= REST_SECONDS
    assert "stays over its limit" in lease.reason
    now += lease.quiet
    assert len(shared.lease(now, 9, 20).starts) == 1
    assert shared.lease(now, 9, 20).quiet == PROBE_POLL_SECONDS
    shared.report(now + 1, [answered(now + 1)])
    assert len(shared.lease(now + 2, 9, 20).starts) > 1
    assert shared.reason == ""


@pytest.mark.parametrize("error", [AuthenticationError("401", status_code=401), NotSentError("no connection")])
def test_an_error_that_stops_a_push_lets_the_account_rest(error: Exception) -> None:
    """Responses to earlier calls do not end the rest; the response to the probe does."""
    shared = steady()
    assert shared.report(NOW, (), NOW, error) == REST_SECONDS  # type: ignore[arg-type]
    assert shared.pause_reason() == str(error)
    shared.report(NOW + 1, [answered(NOW + 1)])
    assert shared.pause_seconds(NOW + 1) == REST_SECONDS - 1
    assert len(shared.lease(NOW + REST_SECONDS, 9, 20).starts) == 1
    assert shared.report(NOW + REST_SECONDS + 1, (), NOW + REST_SECONDS, error) == REST_SECONDS  # type: ignore[arg-type]


def rested(shared: SharedPace) -> float:
    """Let an account rest, and return when it has."""
    shared.report(NOW, (), NOW, NotSentError("no connection"))
    return NOW + REST_SECONDS


def test_workers_check_often_during_a_probe() -> None:
    """Otherwise they would notice only after another rest that the account is available."""
    shared = steady()
    now = rested(shared)
    assert shared.lease(now, 9, 20).is_probe
    assert shared.lease(now, 9, 20).quiet == PROBE_POLL_SECONDS
    shared = steady()
    for _ in range(MAX_UNKNOWN):
        shared.report(NOW, (), NOW, UNKNOWN)
    assert shared.lease(NOW + FIRST_PAUSE, 9, 20).is_probe
    assert shared.lease(NOW + FIRST_PAUSE, 9, 20).quiet == PROBE_POLL_SECONDS
    assert shared.report(NOW + FIRST_PAUSE, (), NOW + FIRST_PAUSE, UNKNOWN) == 2 * FIRST_PAUSE
    assert shared.lease(NOW + FIRST_PAUSE, 9, 20).quiet == 2 * FIRST_PAUSE


def test_a_lost_probe_is_followed_by_another() -> None:
    """A probe can be lost with its worker; the next one does not wait for a whole rest."""
    shared = steady()
    now = rested(shared)
    shared.lease(now, 9, 20)
    assert not shared.lease(now + PROBE_TIMEOUT - 1, 9, 20).starts
    assert shared.lease(now + PROBE_TIMEOUT, 9, 20).is_probe


def test_an_old_response_is_not_the_probes() -> None:
    """A worker may report it later, with its next lease."""
    shared = steady()
    now = rested(shared)
    shared.lease(now, 9, 20)
    shared.report(now, [answered(NOW - 1)])
    assert shared.reason
    assert shared.report(now + 1, (), NOW - 1, UNKNOWN) > 0
    shared.report(now + 1, [answered(now + 1, after=1.001)])
    assert not shared.reason


def test_a_clock_that_is_set_back_does_not_extend_pauses() -> None:
    """Each pause, rest and freeze keeps its remaining seconds."""
    day = 86_400.0
    shared = steady()
    shared.lease(NOW, 9, 20)
    shared.report(NOW, [answered(NOW)])
    assert shared.lease(NOW - day, 9, 20).starts[0] - (NOW - day) < 1
    assert shared.throttle.recent == [NOW - day]
    shared.report(NOW, (), NOW, limited(30))
    assert shared.lease(NOW - day, 9, 20).quiet == 30
    for _ in range(MAX_UNKNOWN):
        shared.report(NOW, (), NOW, UNKNOWN)
    assert shared.lease(NOW - day, 9, 20).quiet == FIRST_PAUSE
    rested(shared)
    assert shared.lease(NOW - day, 9, 20).quiet == REST_SECONDS
    assert shared.lease(NOW - day + REST_SECONDS, 9, 20).is_probe
    shared.report(NOW - 2 * day, [answered(NOW - 2 * day)])
    assert not shared.reason
    assert shared.lease(NOW - 2 * day - 0.5, 9, 20).quiet == 0


def test_unknown_outcomes_pause_the_account_and_then_let_it_rest() -> None:
    """One probe is sent after each pause."""
    shared = steady()
    for _ in range(MAX_UNKNOWN - 1):
        assert shared.report(NOW, (), NOW, UNKNOWN) == 0
    assert shared.report(NOW, (), NOW, UNKNOWN) == FIRST_PAUSE
    assert shared.pause_reason() == "too many outcomes are unknown"
    now = NOW
    while not shared.reason:
        now += shared.pause_seconds(now)
        (start,) = shared.lease(now, 9, 20).starts
        assert shared.lease(now, 9, 20).starts == ()
        shared.report(now, (), start, UNKNOWN)
    assert "even after 3 pauses" in shared.pause_reason()
    now += shared.pause_seconds(now)
    (start,) = shared.lease(now, 9, 20).starts
    shared.report(now, [answered(now)])
    assert shared.report(now + 1, (), now + 1, UNKNOWN) == FIRST_PAUSE  # it was on trial


def test_a_call_in_flight_does_not_end_a_pause() -> None:
    """Its response says nothing about the time after the pause began."""
    shared = steady()
    for _ in range(MAX_UNKNOWN):
        shared.report(NOW, (), NOW - 1, UNKNOWN)
    shared.report(NOW + 1, [answered(NOW + 1, after=2)])
    assert shared.pause_seconds(NOW + 1) == FIRST_PAUSE - 1
    shared.report(NOW + 61, [answered(NOW + 61, after=0.5)])
    assert shared.pause_seconds(NOW + 61) == 0


def test_a_refusal_counts_as_accepted() -> None:
    """A refused order shows that the rate is within the limit."""
    shared = SharedPace()
    rate = shared.throttle.rate
    shared.throttle.busy = True
    shared.report(NOW, (), NOW, NotFoundError("404", status_code=404))
    assert shared.throttle.rate > rate


def test_the_state_is_stored_as_json() -> None:
    """Missing values get their defaults, and values of a newer version are ignored."""
    shared = SharedPace(
        Throttle(20, rate=20, recent=[NOW]), Breaker(strain=3), "resting", NOW, trying=True, tried=NOW, changed=NOW
    )
    assert SharedPace.from_json(json.loads(json.dumps(shared.to_json()))) == shared
    assert SharedPace.from_json({}) == SharedPace()
    newer = shared.to_json()
    newer["throttle"]["burst"] = newer["breaker"]["mood"] = newer["weather"] = 7
    assert SharedPace.from_json(newer) == shared


def test_a_rest_can_be_ended() -> None:
    """A probe is sent after it; a freeze after a 429 is not ended."""
    shared = steady()
    shared.end_rest(NOW)
    assert len(shared.lease(NOW, 2, 20).starts) == 2
    shared.report(NOW, (), NOW, AuthenticationError("401", status_code=401))
    shared.end_rest(NOW + 1)
    assert len(shared.lease(NOW + 1, 9, 20).starts) == 1
    shared.report(NOW + 2, (), NOW + 2, limited(7))
    shared.end_rest(NOW + 3)
    assert shared.pause_seconds(NOW + 3) >= 6
