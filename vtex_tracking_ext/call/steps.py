"""What a client does, step by step, without doing it: generators that ask for a request or a pause. Pure.

Both clients drive the same conversations: they carry out each step that is yielded (a request, a pause), send
its result back in, and return what the generator returns. So the order of things is written once.
"""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from attrs import frozen

from vtex_tracking_ext.errors import OutcomeUnknownError, ReadFailedError, VtexTrackingError
from vtex_tracking_ext.events import AttemptEvent, Package, TrackingReceipt, TrackingUpdate

from .hooks import is_observed, log, report_attempt
from .operations import Call, order_call
from .order_lookup import packages_of, was_applied
from .outcome import Answer, accepted, error_of, receipt_of, request_id_of
from .retry import retry_delay

if TYPE_CHECKING:
    from vtex_tracking_ext.config.retry_policy import RetryPolicy

    from .faults import Fault

#: What to do with an update that may have been applied or not: say so, read the order back, or send again.
OnUnknown = Literal["raise", "check", "resend"]

#: Seconds to wait before each look at the order. VTEX shows an accepted change after about 6 s (seen).
CHECK_PAUSES = (2.0, 5.0, 8.0)

#: Seconds of a call's time that are kept for those looks, where on_unknown is ``check``; half of it at most.
CHECK_RESERVE = 30.0


class Attempt(NamedTuple):
    """Ask for one request, which may take ``seconds`` from now."""

    call: Call
    seconds: float


class Pause(NamedTuple):
    """Ask to wait."""

    seconds: float


class Exchange(NamedTuple):
    """What came of an :class:`Attempt`: the result, and the JSON object that the generated parser read in it."""

    result: Answer | Fault
    parsed: Mapping[str, Any] | None = None


@frozen
class Rules:
    """What holds for every conversation of a client.

    Attributes:
        timeout: Seconds that one call may take, all tries and pauses included.
        policy: When to try again.
        on_unknown: What to do when nobody knows whether an update was applied.
        server: Address of the server, for hooks.
        hooks: Called after each request with what came of it.
        clock: Seconds that only ever go up.
        now: The current time, aware, in the local zone.
        chance: A random number from 0 to 1.
    """

    timeout: float
    policy: RetryPolicy
    on_unknown: OnUnknown = "raise"
    server: str = ""
    hooks: tuple[Callable[[AttemptEvent], object], ...] = ()
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now().astimezone()
    chance: Callable[[], float] = random.random


T = TypeVar("T")
Conversation = Generator[Attempt | Pause, Exchange | None, T]


def sending(call: Call, update: TrackingUpdate, rules: Rules) -> Conversation[TrackingReceipt]:
    """Send an update; where its outcome is unknown, do as ``rules.on_unknown`` says."""
    ends = rules.clock() + rules.timeout
    check = rules.on_unknown == "check"
    try:
        reserve = min(CHECK_RESERVE, rules.timeout / 2) if check else 0.0
        return (yield from changing(call, update.order_id, rules, ends - reserve))
    except OutcomeUnknownError as error:
        if check and (yield from _stands_on_order(update, rules, ends)):
            came = "no answer came" if error.status_code is None else f"the answer was {error.status_code}"
            return TrackingReceipt(
                date=None,
                order_id=update.order_id,
                receipt=None,
                attempts=error.attempts,
                note=f"{came}, but the order shows it",
                confirmed_by="reading",
            )
        raise


def changing(call: Call, order_id: str, rules: Rules, ends: float | None = None) -> Conversation[TrackingReceipt]:
    """Make a call that changes something, and return its receipt."""
    answer, parsed, attempts = yield from _settled(call, rules, ends)
    return receipt_of(answer, parsed, order_id, attempts)


def reading(call: Call, rules: Rules, ends: float | None = None) -> Conversation[tuple[Package, ...]]:
    """Read an order, and return its packages."""
    answer, parsed, attempts = yield from _settled(call, rules, ends)
    if parsed is None or not isinstance(parsed.get("orderId"), str):
        error = ReadFailedError(
            f"{call.subject.line} was answered with {answer.status} and {len(answer.body)} bytes "
            "that are not an order. Nothing was changed.",
            status_code=answer.status,
        )
        error.attempts = attempts
        raise error
    return packages_of(parsed)


def checking(call: Call, update: TrackingUpdate, rules: Rules, ends: float | None = None) -> Conversation[bool | None]:
    """Read an order, and tell whether an update stands on it; None where the order cannot be read."""
    try:
        return was_applied(update, (yield from reading(call, rules, ends)))
    except VtexTrackingError as error:
        with suppress(Exception):  # a filter of the log may raise
            log.warning("Whether an update was applied cannot be read: %s", error)
        return None


def _stands_on_order(update: TrackingUpdate, rules: Rules, ends: float) -> Conversation[bool]:
    """Look at the order a few times, with patience, while there is time; only what is found there whole counts."""
    call = order_call(update.order_id)
    for pause in CHECK_PAUSES:
        left = ends - rules.clock()
        if left <= 0:
            break
        yield Pause(min(pause, left / 2))  # however little time there is, a look is taken in it
        if (yield from checking(call, update, rules, ends)):
            return True
    return False


def _settled(
    call: Call, rules: Rules, ends: float | None
) -> Conversation[tuple[Answer, Mapping[str, Any] | None, int]]:
    """Try until the call is accepted, or raise the error that tells the truth; return answer, JSON and tries.

    Args:
        call: What to do.
        rules: How.
        ends: When it must be over, by the rules' clock; None for a whole time-out from now.
    """
    began, attempt = rules.clock(), 0
    call_started: dt.datetime | None = None
    ends = began + rules.timeout if ends is None else ends
    doubt: OutcomeUnknownError | None = None
    while True:
        attempt += 1
        before = rules.clock()
        exchange = yield Attempt(call, min(ends - before, rules.policy.attempt_timeout))
        assert exchange is not None  # noqa: S101 - the answer to an Attempt always is one
        result, after = exchange.result, rules.clock()
        answer = result if isinstance(result, Answer) else None
        error = None if accepted(result) else error_of(result, call.subject, rules.now(), rules.server)
        wait = None if error is None else _wait(error, rules, attempt=attempt, elapsed=after - began, left=ends - after)
        if error is not None:
            error.attempts = attempt
        if is_observed(rules.hooks, succeeded=error is None):
            now = rules.now()
            call_started = call_started or now - dt.timedelta(seconds=after - began)
            event = AttemptEvent(
                method=call.subject.method,
                path=call.subject.path,
                server=rules.server,
                attempt=attempt,
                started=now - dt.timedelta(seconds=after - before),
                call_started=call_started,
                seconds=after - before,
                status_code=None if answer is None else answer.status,
                request_id=None if answer is None else request_id_of(answer.headers),
                error=error,
                retry_in=wait,
            )
            report_attempt(event, rules.hooks)
        if error is None and answer is not None:
            rules.policy.budget.record_success(attempt - 1)
            return answer, exchange.parsed, attempt
        if isinstance(error, OutcomeUnknownError):
            doubt = error
        if wait is None:
            raise _whole_truth(error, doubt, attempt)
        yield Pause(wait)


def _wait(error: VtexTrackingError, rules: Rules, *, attempt: int, elapsed: float, left: float) -> float | None:
    """Return the seconds to wait before the next try, or None where there is none."""
    resend = rules.on_unknown == "resend"
    wait = retry_delay(rules.policy, error, attempt=attempt, elapsed=elapsed, chance=rules.chance(), resend=resend)
    if wait is None or wait >= left:
        return None
    return wait if rules.policy.budget.try_acquire() else None


def _whole_truth(
    error: VtexTrackingError | None, doubt: OutcomeUnknownError | None, attempts: int
) -> VtexTrackingError:
    """Return the error of the last try, unless an earlier one may have been applied: then nobody knows."""
    if doubt is not None:
        doubt.attempts = attempts
        return doubt
    assert error is not None  # noqa: S101 - what is not accepted has one
    return error
