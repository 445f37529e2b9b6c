"""Log each attempt and call the on_attempt hooks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from vtex_tracking_ext.text import visible

from .faults import raise_interruption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vtex_tracking_ext.events import AttemptEvent

log = logging.getLogger("vtex_tracking_ext")
log.addHandler(logging.NullHandler())  # without logging set up, Python would print warnings to standard error


def is_observed(hooks: Iterable[Callable[[AttemptEvent], object]], *, succeeded: bool) -> bool:
    """Tell whether a hook or the log would receive an attempt; if not, its AttemptEvent need not be built."""
    return bool(hooks) or log.isEnabledFor(_level(succeeded=succeeded))


def report_attempt(event: AttemptEvent, hooks: Iterable[Callable[[AttemptEvent], object]]) -> None:
    """Log an attempt in one line, at INFO or (if it failed) WARNING, and call the hooks.

    An exception of a hook is logged, and one of a log filter or handler is dropped: the update's outcome must still
    reach the caller.
    """
    log_safely(_level(succeeded=event.error is None), "%s", log_line(event))
    for hook in hooks:
        try:
            hook(event)
        except Exception as error:  # noqa: BLE001 - logged
            raise_interruption(error)
            log_safely(logging.ERROR, "An on_attempt hook raised an exception", exc_info=error)


def log_safely(level: int, message: str, *arguments: object, exc_info: Exception | None = None) -> None:
    """Log a message, whatever a filter or handler of the log raises."""
    try:
        log.log(level, message, *arguments, exc_info=exc_info)
    except Exception as error:  # noqa: BLE001 - dropped
        raise_interruption(error)


def log_line(event: AttemptEvent) -> str:
    """Return an attempt as one line for the log."""
    status = "no response" if event.status_code is None else str(event.status_code)
    request = f", request id {visible(event.request_id)}" if event.request_id else ""
    error = "" if event.error is None else f", {type(event.error).__name__}"
    retry = "" if event.retry_in is None else f", retry in {event.retry_in:.1f} s"
    milliseconds = f"{event.seconds * 1000:.0f} ms"
    return f"{event.method} {event.path}: {status}, attempt {event.attempt}, {milliseconds}{request}{error}{retry}"


def _level(*, succeeded: bool) -> int:
    return logging.INFO if succeeded else logging.WARNING
