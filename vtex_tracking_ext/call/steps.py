"""The steps of each call as generators, without I/O.

A generator yields an :class:`Attempt` or a :class:`Pause`. Both clients carry out each step, send its result back in,
and return what the generator returns. So the order of steps is written once.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from attrs import define
from vtex_oms_client.models import Order, SendTrackingNumberRequest

from vtex_tracking_ext.errors import (
    ConfigurationError,
    InvalidUpdateError,
    OutcomeUnknownError,
    ReadFailedError,
    VtexTrackingError,
)
from vtex_tracking_ext.events import Package, TrackingReceipt, TrackingUpdate
from vtex_tracking_ext.text import plain

from . import validation
from .answer import Answer
from .faults import Fault, interruption_of, raise_again
from .hooks import CallReport, identify, log_safely
from .operations import Call, order_call, tracking_number_call, update_call
from .order_lookup import packages_of, was_applied
from .outcome import accepted, error_of, not_read, parse, receipt_of
from .retry import retry_delay

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vtex_tracking_ext.config.options import ClientOptions
    from vtex_tracking_ext.errors import Operation, Problem
    from vtex_tracking_ext.events import DateLike


#: Seconds to wait before each look at the order. VTEX shows an accepted change after about 6 s (seen).
CHECK_PAUSES = (2.0, 5.0, 8.0)

#: Seconds of a call's time that are reserved for these looks if on_unknown is ``check``; half of the time at most.
CHECK_RESERVE = 30.0


class SendProgress(Protocol):
    """How much of a request a transport has sent."""

    @property
    def may_have_left(self) -> bool:
        """Whether bytes of the request may have left this machine."""


@define(eq=False)
class Attempt:
    """Ask for one request.

    Attributes:
        call: The call.
        seconds: How long the request may take from now.
        progress: How much of the request was sent; set by the transport when it begins.
    """

    call: Call
    seconds: float
    progress: SendProgress | None = None

    @property
    def may_have_left(self) -> bool:
        """Whether bytes of the request may have left this machine."""
        return self.progress is not None and self.progress.may_have_left


class Pause(NamedTuple):
    """Ask to wait."""

    seconds: float


T = TypeVar("T")
Steps = Generator[Attempt | Pause, Answer | Fault | None, T]


def send_update(update: TrackingUpdate, options: ClientOptions) -> Steps[TrackingReceipt]:
    """Check an update, and return the steps that send it.

    Raises:
        InvalidUpdateError: Something is wrong with the update.
    """
    if problems := validation.update_problems(update, options.now().astimezone(validation.EARLIEST_ZONE)):
        raise _invalid_update(problems, options, "send", update)
    return _send_update(update, options)


def set_tracking_number(
    order_id: str,
    invoice_number: str,
    tracking_number: str,
    tracking_url: str | None,
    courier: str | None,
    dispatched_date: DateLike | None,
    options: ClientOptions,
) -> Steps[TrackingReceipt]:
    """Check a tracking number, and return the steps that register it.

    Raises:
        InvalidUpdateError: Something is wrong with the arguments.
    """
    body = SendTrackingNumberRequest(
        tracking_number=tracking_number,
        tracking_url=tracking_url,
        courier=courier,
        dispatched_date=validation.format_dispatched_date(dispatched_date),
    )
    problems = (
        *validation.order_id_problems(order_id),
        *validation.invoice_number_problems(invoice_number),
        *validation.tracking_number_problems(body.to_dict()),
    )
    if problems:
        raise invalid(problems, options, "set_tracking_number", order_id, invoice_number)
    call = tracking_number_call(plain(order_id), plain(invoice_number), body)
    return _change(call, plain(order_id), options, options.clock() + options.timeout)


def get_packages(order_id: str, options: ClientOptions) -> Steps[tuple[Package, ...]]:
    """Check an order id, and return the steps that read the packages of the order.

    Raises:
        InvalidUpdateError: The order id cannot be one.
    """
    if problems := validation.order_id_problems(order_id):
        raise invalid(problems, options, "get_packages", order_id)
    return _read_packages(order_call(plain(order_id)), options, options.clock() + options.timeout)


def look_up_update(update: TrackingUpdate, options: ClientOptions) -> Steps[bool | None]:
    """Check an update, and return the steps that look whether its order shows it.

    Raises:
        InvalidUpdateError: Something is wrong with the update.
    """
    if problems := validation.update_problems(update, options.now().astimezone(validation.EARLIEST_ZONE)):
        raise _invalid_update(problems, options, "get_packages", update)
    return _look_up(order_call(update.order_id), update, options, options.clock() + options.timeout)


def invalid(
    problems: Iterable[Problem],
    options: ClientOptions,
    operation: Operation,
    order_id: object = None,
    invoice_number: object = None,
) -> InvalidUpdateError:
    """Return the error for problems of what a caller gave, without credentials."""
    # People paste credentials into the wrong place, and the messages quote the values.
    redact = options.server.redactor.redact_message
    error = InvalidUpdateError(problems=[each._replace(message=redact(each.message)) for each in problems])
    error.account, error.operation = options.account, operation
    error.order_id, error.invoice_number = options.displayed_ids(order_id, invoice_number)
    return error


def _invalid_update(
    problems: Iterable[Problem], options: ClientOptions, operation: Operation, update: object
) -> InvalidUpdateError:
    ids = [getattr(update, name, None) for name in ("order_id", "invoice_number")]  # it may be no update
    return invalid(problems, options, operation, *ids)


def _send_update(update: TrackingUpdate, options: ClientOptions) -> Steps[TrackingReceipt]:
    deadline = options.clock() + options.timeout
    check = options.on_unknown == "check"
    try:
        reserve = min(CHECK_RESERVE, options.timeout / 2) if check else 0.0
        return (yield from _change(update_call(update), update.order_id, options, deadline - reserve))
    except OutcomeUnknownError as error:
        if check and (yield from _is_shown(update, options, deadline)):
            received = "no answer came" if error.status_code is None else f"the answer was {error.status_code}"
            return TrackingReceipt(
                date=None,
                order_id=options.server.redactor.redact(update.order_id),  # a misplaced credential
                receipt=None,
                attempts=error.attempts,
                note=f"{received}, but the order shows it",
                confirmed_by="reading",
            )
        raise


def _change(call: Call, order_id: str, options: ClientOptions, deadline: float) -> Steps[TrackingReceipt]:
    """Make a call that changes something, and return its receipt."""
    answer, attempts = yield from make_call(call, options, deadline)
    return receipt_of(answer, order_id, attempts)


def _read_packages(call: Call, options: ClientOptions, deadline: float) -> Steps[tuple[Package, ...]]:
    """Read an order, and return its packages."""
    answer, attempts = yield from make_call(call, options, deadline)
    order = parse(answer, Order)
    if order is None or not isinstance(order.order_id, str):
        raise unreadable("an order", answer, call, attempts, options)
    return packages_of(order)


def unreadable(what: str, answer: Answer, call: Call, attempts: int, options: ClientOptions) -> ReadFailedError:
    """Return the error for a response that a read accepted, but that is not ``what`` was read."""
    reason = not_read(f"the response {answer.status} has {len(answer.body)} bytes that are not {what}")
    error = ReadFailedError(reason, status_code=answer.status)
    error.attempts = attempts
    identify(error, call.subject, options)
    return error


def _look_up(call: Call, update: TrackingUpdate, options: ClientOptions, deadline: float) -> Steps[bool | None]:
    """Read an order, and return whether it shows an update; None if the order cannot be read."""
    try:
        return was_applied(update, (yield from _read_packages(call, options, deadline)))
    except VtexTrackingError as error:
        shown = error if options.log_ids else error.reason
        log_safely(logging.DEBUG, "Whether an update was applied cannot be read: %s", shown)
        return None


def _is_shown(update: TrackingUpdate, options: ClientOptions, deadline: float) -> Steps[bool]:
    """Look at the order a few times before the deadline, and return whether it shows the whole update."""
    call = order_call(update.order_id)
    for pause in CHECK_PAUSES:
        left = deadline - options.clock()
        if left <= 0:
            break
        yield Pause(min(pause, left / 2))  # leaves time for one look, however little is left
        if (yield from _look_up(call, update, options, deadline)):
            return True
    return False


def make_call(call: Call, options: ClientOptions, deadline: float) -> Steps[tuple[Answer, int]]:
    """Try until the call is accepted, and return the answer and the number of attempts.

    Args:
        call: The call.
        options: The options of the client.
        deadline: When the call must have ended, by the options' clock.

    Raises:
        VtexTrackingError: The call was not accepted.
    """
    report = CallReport(call.subject, options, options.clock())
    attempt = 0
    error: VtexTrackingError | None = None
    unknown: OutcomeUnknownError | None = None
    try:
        while True:
            attempt += 1
            began = options.clock()
            step = Attempt(call, min(deadline - began, options.retry.attempt_timeout))
            interruption = None
            try:
                result = yield step
            except GeneratorExit:
                raise
            except ConfigurationError as unusable:  # no request was begun
                identify(unusable, call.subject, options)
                raise
            except BaseException as raised:  # noqa: BLE001 - raised again below
                interruption = interruption_of(raised) or raised
                result = Fault(f"{type(interruption).__name__} interrupted the request", sent=step.may_have_left)
            step.progress = None  # it refers to the response, and tracebacks refer to the step
            ended = options.clock()
            assert result is not None  # noqa: S101 - an Attempt always has a result
            if accepted(result):
                report.attempt(attempt, began, ended, result, None, None)
                options.retry.budget.record_success(attempt - 1)
                return result, attempt
            error = error_of(result, call.subject, options.now().astimezone(), options.server.base_url)
            error.attempts = attempt
            identify(error, call.subject, options)
            if isinstance(error, OutcomeUnknownError):
                unknown = error
            wait = None if interruption else _retry_wait(error, call, options, ended - report.began, deadline - ended)
            report.attempt(attempt, began, ended, result, error, wait, interruption)
            if interruption is not None:
                interruption.add_note(str(unknown or error))
                raise_again(interruption)
            if wait is None:
                break
            yield Pause(wait)
    except BaseException as raised:
        if report.is_retrying:
            raised.add_note(str(unknown or error))
            report.interrupted(raised)
        raise
    # If an earlier attempt may have been applied, the outcome of the call is unknown, whatever came last.
    assert error is not None  # noqa: S101 - a call that was not accepted has an error
    final = unknown or error
    final.attempts = attempt
    raise final


def _retry_wait(
    error: VtexTrackingError, call: Call, options: ClientOptions, elapsed: float, left: float
) -> float | None:
    """Return the seconds to wait before another attempt, or None if this was the last one."""
    wait = retry_delay(
        options.retry,
        error,
        attempt=error.attempts,
        elapsed=elapsed,
        chance=options.chance(),
        resend=options.on_unknown == "resend" if call.subject.repeats is None else call.subject.repeats,
    )
    return wait if wait is not None and wait < left and options.retry.budget.try_acquire() else None
