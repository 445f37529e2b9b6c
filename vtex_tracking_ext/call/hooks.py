"""Report each call: one line in the log, and an AttemptEvent for each attempt to the on_attempt hooks."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING

from attrs import define, evolve

from vtex_tracking_ext.events import AttemptEvent
from vtex_tracking_ext.text import visible

from .answer import Answer
from .faults import raise_interruption
from .outcome import request_id_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vtex_tracking_ext.config.options import ClientOptions
    from vtex_tracking_ext.errors import VtexTrackingError

    from .faults import Fault
    from .outcome import Subject

log = logging.getLogger("vtex_tracking_ext")
log.addHandler(logging.NullHandler())  # without logging set up, Python would print warnings to standard error


@define(eq=False)
class CallReport:
    """Reports one call. No exception of a hook, a log filter or a log handler reaches the caller.

    Attributes:
        subject: What the call is about.
        options: The options of the client.
        began: When the call began, by the options' clock.
        is_retrying: Whether another attempt follows the last one.
    """

    subject: Subject
    options: ClientOptions
    began: float
    is_retrying: bool = False
    _call_started: dt.datetime | None = None
    _last: AttemptEvent | None = None

    def attempt(
        self,
        number: int,
        began: float,
        ended: float,
        result: Answer | Fault,
        error: VtexTrackingError | None,
        retry_in: float | None,
        interruption: BaseException | None = None,
    ) -> None:
        """Report an attempt to the hooks and to the log: at DEBUG if another one follows, else as the whole call.

        Args:
            number: Number of the attempt, from 1.
            began: When it began, by the options' clock.
            ended: When it ended.
            result: Its result.
            error: Its error, or None if it was accepted.
            retry_in: Seconds until the next attempt, or None if this was the last one.
            interruption: What interrupted it, such as KeyboardInterrupt, or None.
        """
        self.is_retrying = retry_in is not None
        if not (self.options.hooks or log.isEnabledFor(_level(succeeded=error is None))):
            return
        now = self.options.now().astimezone()
        self._call_started = self._call_started or now - dt.timedelta(seconds=ended - self.began)
        answer = result if isinstance(result, Answer) else None
        order_id, invoice_number = (
            self.options.displayed_ids(self.subject.order_id, self.subject.invoice_number)
            if error is None
            else (error.order_id, error.invoice_number)
        )
        self._last = event = AttemptEvent(
            method=self.subject.method,
            path=self.subject.path,
            server=self.options.server.base_url,
            attempt=number,
            started=now - dt.timedelta(seconds=ended - began),
            call_started=self._call_started,
            seconds=ended - began,
            status_code=None if answer is None else answer.status,
            request_id=None if answer is None else request_id_of(answer.headers),
            error=error,
            retry_in=retry_in,
            account=self.options.account,
            operation=self.subject.operation,
            order_id=order_id,
            invoice_number=invoice_number,
        )
        self._log(event, interruption)
        for hook in self.options.hooks:
            try:
                hook(event)
            except Exception as raised:  # noqa: BLE001 - logged
                raise_interruption(raised)
                log_safely(logging.ERROR, "An on_attempt hook raised an exception", exc_info=raised)

    def interrupted(self, interruption: BaseException) -> None:
        """Log the call after something interrupted it between two attempts."""
        if self._last is not None:
            self._log(evolve(self._last, retry_in=None), interruption)

    def _log(self, event: AttemptEvent, interruption: BaseException | None) -> None:
        level = _level(succeeded=event.error is None) if event.retry_in is None else logging.DEBUG
        line = log_line(event, log_ids=self.options.log_ids, interruption=interruption)
        extra: dict[str, object] = {"account": event.account, "operation": event.operation}
        if self.options.log_ids:
            extra |= {"order_id": event.order_id, "invoice_number": event.invoice_number}
        log_safely(level, "%s", line, extra=extra)


def identify(error: VtexTrackingError, subject: Subject, options: ClientOptions) -> None:
    """Record on an error which call it is about."""
    error.account, error.operation = options.account, subject.operation
    error.order_id, error.invoice_number = options.displayed_ids(subject.order_id, subject.invoice_number)


def log_line(event: AttemptEvent, *, log_ids: bool = False, interruption: BaseException | None = None) -> str:
    """Return an attempt as one line for the log."""
    parts = [
        "no response" if event.status_code is None else str(event.status_code),
        f"attempt {event.attempt}",
        f"{event.seconds * 1000:.0f} ms",
        f"account {event.account}" if event.account else "",
        f"order {visible(event.order_id)}" if log_ids and event.order_id else "",
        f"invoice {visible(event.invoice_number)}" if log_ids and event.invoice_number else "",
        f"request id {visible(event.request_id)}" if event.request_id else "",
        type(event.error).__name__ if event.error is not None else "",
        f"interrupted by {type(interruption).__name__}" if interruption is not None else "",
        f"retry in {event.retry_in:.1f} s" if event.retry_in is not None else "",
    ]
    return f"{event.method} {event.path}: {', '.join(filter(None, parts))}"


def log_safely(
    level: int,
    message: str,
    *arguments: object,
    exc_info: Exception | None = None,
    extra: Mapping[str, object] | None = None,
) -> None:
    """Log a message, whatever a filter or handler of the log raises."""
    try:
        log.log(level, message, *arguments, exc_info=exc_info, extra=extra)
    except Exception as error:  # noqa: BLE001 - dropped
        raise_interruption(error)


def _level(*, succeeded: bool) -> int:
    return logging.INFO if succeeded else logging.WARNING
