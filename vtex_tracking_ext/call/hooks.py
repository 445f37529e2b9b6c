"""What hooks and the log see of each request. It holds no credential, no body and no id of an order."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - attrs reads the annotations
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from attrs import field, frozen

from vtex_tracking_ext.errors import VtexTrackingError  # noqa: TC001 - as above
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vtex_tracking_ext.config.redaction import Redactor

log = logging.getLogger("vtex_tracking_ext")
log.addHandler(logging.NullHandler())  # whoever wants the lines sets up logging; nobody else's stderr gets them


@frozen
class AttemptEvent:
    """One request that has ended.

    Attributes:
        method: HTTP method.
        path: Path template of openapi.yaml; the ids are not in it.
        server: Address under which the paths of openapi.yaml begin.
        attempt: Which try of the call it was, from 1.
        started: When it began, aware.
        call_started: When the call began: the first try, or the same time.
        seconds: How long it took.
        status_code: HTTP status, or None where no answer came.
        request_id: What VTEX's support asks for, or None.
        error: What it ended in, or None where it was accepted. ``error.applied`` tells whether it took effect.
        retry_in: Seconds until the next try, or None where it was the last.
    """

    method: str
    path: str
    server: str
    attempt: int
    started: dt.datetime
    call_started: dt.datetime
    seconds: float
    status_code: int | None = None
    request_id: str | None = None
    error: VtexTrackingError | None = field(default=None, repr=False)
    retry_in: float | None = None


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


#: Loggers of the HTTP libraries, which write the headers of answers at DEBUG. A server may echo a credential there.
_OTHERS: Final = (
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "httpx",
)


class _CredentialFilter(logging.Filter):
    """Takes the credentials of every living client out of a record."""

    def __init__(self) -> None:
        super().__init__()
        self.redactors: WeakSet[Redactor] = WeakSet()

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a record; none is dropped."""
        text = record.getMessage()
        for redactor in list(self.redactors):
            text = redactor.text(text)
        record.msg, record.args = text, None
        return True


_FILTER: Final = _CredentialFilter()


def keep_out_of_logs(redactor: Redactor) -> None:
    """Keep a client's credentials out of the logs of the HTTP libraries, while the client lives."""
    _FILTER.redactors.add(redactor)
    for name in _OTHERS:
        logging.getLogger(name).addFilter(_FILTER)  # adding it again does nothing
