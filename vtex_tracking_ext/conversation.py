"""What a client does, step by step, without doing it: generators that ask for a request or a pause. Pure.

Both clients drive the same conversations: they carry out each step that is yielded (a request, a pause), send
its result back in, and return what the generator returns. So the order of things is written once.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, Literal, TypeVar

from attrs import field, frozen

from .calls import Call, order_call
from .errors import OutcomeUnknownError, ReadFailedError, VtexTrackingError
from .events import Package, TrackingReceipt, TrackingUpdate
from .outcome import Answer, Fault, accepted, error_of, receipt_of
from .readback import packages_of, was_applied
from .retry import RetryPolicy, wait_before_next

log = logging.getLogger("vtex_tracking_ext")

#: What to do with an update that may have been applied or not: say so, read the order back, or send again.
OnUnknown = Literal["raise", "check", "resend"]

#: Seconds to wait before each look at the order. VTEX shows an accepted change after about 6 s (seen).
CHECK_PAUSES = (2.0, 5.0, 8.0)


@frozen
class Attempt:
    """Ask for one request, which may take ``seconds`` from now."""

    call: Call
    seconds: float


@frozen
class Pause:
    """Ask to wait."""

    seconds: float


@frozen
class Exchange:
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
        secrets: The credentials that travel.
        clock: Seconds that only ever go up.
        now: The current time, aware, in the local zone.
        chance: A random number from 0 to 1.
    """

    timeout: float
    policy: RetryPolicy
    on_unknown: OnUnknown = "raise"
    secrets: tuple[str, ...] = field(default=(), repr=False)
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now().astimezone()
    chance: Callable[[], float] = random.random


T = TypeVar("T")
Conversation = Generator[Attempt | Pause, Exchange | None, T]


def sending(call: Call, update: TrackingUpdate, rules: Rules) -> Conversation[TrackingReceipt]:
    """Send an update; where its outcome is unknown, do as ``rules.on_unknown`` says."""
    try:
        return (yield from changing(call, update.order_id, rules))
    except OutcomeUnknownError as error:
        if rules.on_unknown == "check" and (yield from _stands_on_order(update, rules)):
            return TrackingReceipt(
                date=None,
                order_id=update.order_id,
                receipt=None,
                attempts=error.attempts,
                note=f"no answer came, but the order shows it ({error})",
                confirmed_by="reading",
            )
        raise


def changing(call: Call, order_id: str, rules: Rules) -> Conversation[TrackingReceipt]:
    """Make a call that changes something, and return its receipt."""
    answer, parsed, attempts = yield from _settled(call, rules)
    return receipt_of(answer, parsed, order_id, attempts, rules.secrets)


def reading(call: Call, rules: Rules) -> Conversation[tuple[Package, ...]]:
    """Read an order, and return its packages."""
    answer, parsed, attempts = yield from _settled(call, rules)
    if parsed is None or not isinstance(parsed.get("orderId"), str):
        error = ReadFailedError(
            f"{call.subject.line} was answered with {answer.status} and {len(answer.body)} bytes "
            "that are not an order. Nothing was changed.",
            status_code=answer.status,
        )
        error.attempts = attempts
        raise error
    return packages_of(parsed)


def checking(call: Call, update: TrackingUpdate, rules: Rules) -> Conversation[bool | None]:
    """Read an order, and tell whether an update stands on it; None where the order cannot be read."""
    try:
        return was_applied(update, (yield from reading(call, rules)))
    except VtexTrackingError as error:
        log.warning("Whether an update was applied cannot be read: %s", error)
        return None


def _stands_on_order(update: TrackingUpdate, rules: Rules) -> Conversation[bool]:
    """Look at the order a few times, with patience; only what is found there whole counts."""
    call = order_call(update.order_id, rules.secrets)
    for pause in CHECK_PAUSES:
        yield Pause(pause)
        if (yield from checking(call, update, rules)):
            return True
    return False


def _settled(call: Call, rules: Rules) -> Conversation[tuple[Answer, Mapping[str, Any] | None, int]]:
    """Try until the call is accepted, or raise the error of the last try; return answer, JSON and tries."""
    started, attempt = rules.clock(), 0
    resend = rules.on_unknown == "resend"
    while True:
        attempt += 1
        left = started + rules.timeout - rules.clock()
        exchange = yield Attempt(call, min(left, rules.policy.attempt_timeout))
        assert exchange is not None  # noqa: S101 - the answer to an Attempt always is one
        if isinstance(exchange.result, Answer) and accepted(exchange.result):
            return exchange.result, exchange.parsed, attempt
        error = error_of(exchange.result, call.subject, rules.now())
        error.attempts = attempt
        elapsed = rules.clock() - started
        wait = wait_before_next(
            rules.policy, error, attempt=attempt, elapsed=elapsed, chance=rules.chance(), resend=resend
        )
        if wait is None or elapsed + wait >= rules.timeout:
            raise error
        yield Pause(wait)
