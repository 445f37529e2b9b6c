"""Faults on demand: what goes wrong with the next requests. Pure and thread-safe, without HTTP."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Final, cast, get_args

from attrs import evolve, frozen

from vtex_tracking_ext.errors import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The operations, by the names of the client's methods, which ``operation`` of an error has, too.
OPERATIONS: Final[tuple[Operation, ...]] = get_args(Operation)

#: Longest delay of an answer, in seconds.
MAX_DELAY: Final = 3600.0

#: Statuses from 400 after which a request may have been applied: 408, and 5xx except 501.
_UNKNOWN_OUTCOME: Final = frozenset({408, *range(500, 600)} - {501})

_TEXT: Final = re.compile(
    r"(?:(?P<status>[45][0-9][0-9])(?:-before|(?P<after>-after))?(?:=(?P<retry_after>[0-9]{1,5}))?"
    r"|(?P<cut>cut(?:-before|-after)?)"
    r"|slow=(?P<slow>[0-9]{1,5}(?:\.[0-9]{1,3})?))"
    r"(?::(?P<times>[0-9]{1,9}|always))?(?:@(?P<operation>[a-z_]+))?"
)

#: An example of each form of a fault.
FORMS: Final = ("500", "500-after", "429=30", "cut", "cut-before", "slow=30")


@frozen
class Fault:
    """Something that goes wrong with requests.

    Attributes:
        status: Status of the answer; None: the connection is closed without an answer, or the answer is late.
        after_applying: Whether the request is applied before.
        delay: Seconds by which the answer to a request, which is applied, is late; None: it is not late.
        retry_after: Seconds in the header ``Retry-After`` of the answer, or None for no such header.
        times: Number of requests, or None for all of them.
        operation: The operation, or None for any.

    Raises:
        ValueError: A value is out of range, or VTEX cannot have applied a request that it answers with the status.
    """

    status: int | None = None
    after_applying: bool = False
    delay: float | None = None
    retry_after: int | None = None
    times: int | None = 1
    operation: Operation | None = None

    def __attrs_post_init__(self) -> None:
        if self.status is not None and not 400 <= self.status <= 599:  # noqa: PLR2004 - the range of errors
            raise ValueError(f"The status must be a number from 400 to 599, not {self.status}.")
        if self.status is not None and self.after_applying and self.status not in _UNKNOWN_OUTCOME:
            raise ValueError(
                f"A request that is refused with {self.status} is not applied; only 408, and 5xx except 501, can come "
                "after applying."
            )
        if self.delay is not None and not 0 < self.delay <= MAX_DELAY:
            raise ValueError(f"The delay must be above 0 and at most {MAX_DELAY:g} seconds, not {self.delay:g}.")
        if self.retry_after is not None and self.retry_after < 0:
            raise ValueError(f"Retry-After must be at least 0 seconds, not {self.retry_after}.")
        if self.times is not None and self.times < 1:
            raise ValueError(f"The number of times must be at least 1, not {self.times}.")
        if self.operation is not None and self.operation not in OPERATIONS:
            raise ValueError(f"{self.operation!r} is not an operation: use {', '.join(OPERATIONS)}.")

    @property
    def is_cut(self) -> bool:
        """Whether the connection is closed without an answer."""
        return self.status is None and self.delay is None

    @property
    def is_applied(self) -> bool:
        """Whether the request is applied, unless the order system refuses it."""
        return self.after_applying or self.delay is not None

    def __str__(self) -> str:
        if self.delay is not None:
            return f"answered {self.delay:g} s late"
        when = "after applying" if self.after_applying else "before applying"
        if self.is_cut:
            return f"connection cut {when}"
        retry_after = "" if self.retry_after is None else f" with Retry-After: {self.retry_after}"
        return f"{self.status}{retry_after}{f' {when}' if self.status in _UNKNOWN_OUTCOME else ''}"


def parse_fault(text: str) -> Fault:
    """Return the fault that a text describes: ``FAULT[:TIMES][@OPERATION]``.

    ``cut`` applies the request, then closes the connection; ``cut-before`` applies nothing. ``500``, or another status,
    applies nothing; ``500-after`` does. ``429=30`` answers with ``Retry-After: 30``. ``slow=30`` applies the request,
    and answers 30 seconds late.

    Args:
        text: The fault, then a number of requests or ``always`` (default: 1), then the name of a method of the
            client (default: all operations). ``500-before`` means ``500``, and ``cut-after`` means ``cut``.

    Raises:
        ValueError: The text does not follow the grammar, or a value is out of range.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not FAULT[:TIMES][@OPERATION]. FAULT is like {', '.join(FORMS)}; TIMES is a number or always."
        )
    status, cut, slow, times, operation = match.group("status", "cut", "slow", "times", "operation")
    return Fault(
        status=int(status) if status else None,
        after_applying=match["after"] is not None or cut in {"cut", "cut-after"},
        delay=None if slow is None else float(slow),
        retry_after=None if match["retry_after"] is None else int(match["retry_after"]),
        times=None if times == "always" else int(times or 1),
        operation=cast("Operation | None", operation),  # checked by Fault
    )


class Faults:
    """The faults that are still to come, in their order. Thread-safe.

    Args:
        faults: The first ones.
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = list(faults)
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Add a fault, after those that were added before."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def take(self, operation: Operation) -> Fault | None:
        """Return the first fault of an operation, and count it; or None."""
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.operation in {None, operation}:
                    if fault.times == 1:
                        del self._faults[index]
                    elif fault.times is not None:
                        self._faults[index] = evolve(fault, times=fault.times - 1)
                    return fault
            return None

    def waiting(self) -> list[Fault]:
        """Return the faults that are still to come, with how often each will."""
        with self._lock:
            return list(self._faults)
