"""How a worker waits for its turn to call an account that other workers call too."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from vtex_tracking_ext.bulk.delivery.pace import MAX_TURN_AGE
from vtex_tracking_ext.errors import AuthenticationError, PermissionDeniedError, RateLimitedError, RefusedError

from .slots import MAX_WAIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext.errors import VtexTrackingError

    from .slots import Answer, Lease, SharedPace

T = TypeVar("T")

#: Seconds by which a call may begin after its slot. An older slot is dropped, so that calls never bunch.
_LATENESS: Final = 0.05

#: Refusals that concern the account, not only the order.
_ACCOUNT_ERRORS: Final = (AuthenticationError, PermissionDeniedError, RateLimitedError)

#: Seconds after which a package is retried if too many threads of the worker wait already. They are not done by then,
#: so that the account is called without a gap.
_BACKLOG_RETRY: Final = MAX_WAIT / 2

#: Maximum number of slots in one lease.
_MAX_SLOTS: Final = 64


class RetryLater(Exception):  # noqa: N818 - it is not an error
    """The package has open entries that cannot be processed now.

    Attributes:
        seconds: Seconds until the next attempt.
        reason: Why not now.
    """

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(f"retry in {seconds:.1f} s: {reason}")
        self.seconds = seconds
        self.reason = reason


class AccountPaused(RetryLater):
    """The account must not be called for a while."""


class PaceStore(Protocol):
    """Stores the pace of each account for all workers."""

    def update(self, account: str, act: Callable[[SharedPace, float], T]) -> T:
        """Have ``act`` change an account's pace, with the time of the shared clock, and store it.

        Changes are serialised across all machines.

        Raises:
            JournalError: The store cannot be used.
        """


class FleetPace:
    """A worker's :class:`~vtex_tracking_ext.bulk.delivery.pace.Pace`. Thread-safe; one per account.

    Args:
        account: The account's name in the journal.
        store: Stores the pace for all workers.
        rate: Maximum calls a second of all workers together.
        clock: A monotonic clock.
    """

    def __init__(
        self, account: str, store: PaceStore, rate: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._account = account
        self._store = store
        self._rate = rate
        self._clock = clock
        self._turn_lock = threading.Lock()
        self._state_lock = threading.Lock()
        self._cancelled = threading.Event()
        self._slots: deque[float] = deque()
        self._offset = 0.0
        self._answers: list[Answer] = []
        self._is_probe = False
        self._quiet_until = 0.0
        self._reason = ""
        self._waiting = 0
        self._interval = 0.0
        self._thread = threading.local()

    @property
    def stop_reason(self) -> str:
        """Always empty: a worker never stops an account, it pauses it; see :meth:`wait_for_turn`."""
        return ""

    @property
    def stop_error(self) -> None:
        """Always None, as above."""
        return None

    def wait_for_turn(self) -> bool:
        """Wait until a call may be made.

        Returns:
            True if the call may be made now; False after :meth:`cancel`.

        Raises:
            AccountPaused: The account is paused for long, or too many threads of this worker wait for it: otherwise
                all would in the end, and other accounts would have none.
            JournalError: The store cannot be used.
        """
        with self._state_lock:
            if self._waiting * self._interval > MAX_WAIT and not self._cancelled.is_set():
                raise AccountPaused(_BACKLOG_RETRY, "enough packages of the account are waiting")
            self._waiting += 1
        try:
            with self._turn_lock:  # one thread leases slots, the others wait for the lock
                while not self._cancelled.is_set():
                    quiet = self.pause_seconds()
                    if quiet > MAX_WAIT:
                        raise AccountPaused(quiet, self._reason)
                    if quiet:
                        self._cancelled.wait(quiet)
                        continue
                    start = self._next_slot()
                    if start is None or self._cancelled.wait(max(0.0, start - self._clock())):
                        continue
                    if self._clock() - start <= _LATENESS and not self.pause_seconds():
                        self._thread.started, self._thread.is_probe = start, self._is_probe
                        return True
                return False
        finally:
            with self._state_lock:
                self._waiting -= 1

    def is_turn_stale(self) -> bool:
        """Return whether this thread's turn was too long ago, so that calls would bunch."""
        return self._clock() - float(self._thread.started) > MAX_TURN_AGE

    def record_result(self, error: VtexTrackingError | None) -> float:
        """Record the result of this thread's call.

        Args:
            error: The error of the call, or None if it was applied.

        Returns:
            Seconds for which the account is paused because of this call, or 0.
        """
        now = self._clock()
        started = getattr(self._thread, "started", now) + self._offset
        if error is None or (isinstance(error, RefusedError) and not isinstance(error, _ACCOUNT_ERRORS)):
            with self._state_lock:
                self._answers.append((started, now + self._offset))  # reported with the next lease
            if getattr(self._thread, "is_probe", False):
                self.flush()  # at once, because all workers wait for the result of the probe
            return 0.0
        seconds = self._store.update(
            self._account, lambda shared, at: shared.report(at, self._pop_answers(), started, error)
        )
        if seconds:
            with self._state_lock:
                self._slots.clear()
                self._quiet_until, self._reason = self._clock() + seconds, str(error)
        return seconds

    def pause_seconds(self) -> float:
        """Return the seconds for which the account is paused, as far as this worker knows."""
        return max(0.0, self._quiet_until - self._clock())

    def cancel(self) -> None:
        """Wake all waiting threads, because the worker stops."""
        self._cancelled.set()

    def flush(self) -> None:
        """Report the results that were not reported yet."""
        if self._answers:
            self._store.update(self._account, lambda shared, at: shared.report(at, self._pop_answers()))

    def _next_slot(self) -> float | None:
        """Return when the next call may begin, by this worker's clock; None if the account is paused."""
        with self._state_lock:
            while self._slots and self._slots[0] < self._clock() - _LATENESS:
                self._slots.popleft()
            wanted = 0 if self._slots else min(_MAX_SLOTS, self._waiting)
        if wanted:
            self._lease(wanted)
        with self._state_lock:
            return self._slots.popleft() if self._slots else None

    def _lease(self, wanted: int) -> None:
        def act(shared: SharedPace, at: float) -> Lease:
            shared.report(at, self._pop_answers())
            return shared.lease(at, wanted, self._rate)

        lease = self._store.update(self._account, act)
        with self._state_lock:
            now = self._clock()
            # Measured after the response, so the offset includes its latency: no slot begins too early.
            self._offset = lease.now - now
            self._slots.extend(start - self._offset for start in lease.starts)
            self._is_probe = lease.is_probe
            if lease.starts:  # average distance of this worker's slots
                self._interval = (lease.starts[-1] - lease.now) / len(lease.starts)
            else:
                self._quiet_until, self._reason = now + lease.quiet, lease.reason

    def _pop_answers(self) -> list[Answer]:
        with self._state_lock:
            answers, self._answers = self._answers, []
        return answers
