"""What hooks and the log see of each request. It holds no credential, no body and no id of an order."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vtex_tracking_ext.events import AttemptEvent

log = logging.getLogger("vtex_tracking_ext")
log.addHandler(logging.NullHandler())  # whoever wants the lines sets up logging; nobody else's stderr gets them


def watched(hooks: Iterable[Callable[[AttemptEvent], object]], *, well: bool) -> bool:
    """Tell whether anybody would see a request that has ended, well or not: if not, its event need not be made."""
    return bool(hooks) or log.isEnabledFor(_level(well=well))


def _level(*, well: bool) -> int:
    return logging.INFO if well else logging.WARNING


def tell(event: AttemptEvent, hooks: Iterable[Callable[[AttemptEvent], object]]) -> None:
    """Log a request in one line, and call the hooks. A hook that raises is logged and changes nothing.

    Nor does a filter or handler of the log that raises: an update's outcome must not be lost to an observer.
    """
    with suppress(Exception):
        log.log(_level(well=event.error is None), "%s", line(event))
    for hook in hooks:
        try:
            hook(event)
        except Exception:
            with suppress(Exception):
                log.exception("An on_attempt hook raised")


def line(event: AttemptEvent) -> str:
    """Return the line that the log gets."""
    status = "no answer" if event.status_code is None else str(event.status_code)
    request = f", request id {visible(event.request_id)}" if event.request_id else ""
    outcome = "" if event.error is None else f", {type(event.error).__name__}"
    again = "" if event.retry_in is None else f", again in {event.retry_in:.1f} s"
    milliseconds = f"{event.seconds * 1000:.0f} ms"
    return f"{event.method} {event.path}: {status}, attempt {event.attempt}, {milliseconds}{request}{outcome}{again}"
