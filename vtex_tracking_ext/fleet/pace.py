"""How one worker waits for its turn to call an account that other workers call too."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from vtex_tracking_ext.bulk.delivery.pace import MAX_TURN_AGE
from vtex_tracking_ext.errors import AuthenticationError, PermissionDeniedError, RateLimitedError, RefusedError

from .slots import LONGEST_WAIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext.errors import VtexTrackingError

    from .slots import Answer, Lease, SharedPace

T = TypeVar("T")

#: Seconds by which a call may begin after its slot; a slot that is older is given up, so that calls never bunch.
_LATENESS: Final = 0.05

#: Refusals that say something of the account, not only of the order.
_ABOUT_THE_ACCOUNT: Final = (AuthenticationError, PermissionDeniedError, RateLimitedError)

#: Seconds after which a thread asks again that would have to wait behind too many others of its worker: they are not
#: done by then, so that the account is called without a gap.
_BEHIND: Final = LONGEST_WAIT / 2

#: Slots that are leased at once at most.
_MOST_SLOTS: Final = 64


class NotYet(Exception):  # noqa: N818 - it is no error
    """Something is left that can be done later.

    Attributes:
        seconds: In how many seconds.
        reason: Why not now.
    """

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(f"not for {seconds:.1f} s: {reason}")
        self.seconds = seconds
        self.reason = reason


class Quiet(NotYet):
    """Nobody may call the account for a while, whatever the package."""


class PaceStore(Protocol):
    """Keeps the pace of each account for all workers."""

    def change(self, account: str, act: Callable[[SharedPace, float], T]) -> T:
        """Have ``act`` change an account's pace, given the time by the clock that all share, and keep it.

        One caller at a time, on whatever machine.

        Raises:
            JournalError: The store cannot be used.
        """


class FleetPace:
    """What :class:`~vtex_tracking_ext.bulk.delivery.pace.Pace` is to a push. Thread-safe; one per account and worker.

    Args:
        account: The account's name in the journal.
        store: Where the pace is kept for all workers.
        rate: Calls a second of all workers together at most.
        clock: Seconds that only ever go up.
    """

    def __init__(
        self, account: str, store: PaceStore, rate: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._account = account
        self._store = store
        self._rate = rate
        self._clock = clock
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._cancelled = threading.Event()
        self._slots: deque[float] = deque()
        self._offset = 0.0
        self._answers: list[Answer] = []
        self._is_trial = False
        self._quiet_until = 0.0
        self._reason = ""
        self._waiting = 0
        self._interval = 0.0
        self._mine = threading.local()

    @property
    def stop_reason(self) -> str:
        """An empty text: nothing ends an account here. It rests, and :meth:`wait_for_turn` says for how long."""
        return ""

    @property
    def stop_error(self) -> None:
        """None, likewise."""
        return None

    def wait_for_turn(self) -> bool:
        """Return when a call may be made.

        Returns:
            True, and the call is to be made now; False after :meth:`cancel`.

        Raises:
            Quiet: Not soon: nobody may call, or too many threads of this worker wait here already, which all would in
                the end, so that there were none for other accounts.
            JournalError: The store cannot be used.
        """
        with self._state:
            if self._waiting * self._interval > LONGEST_WAIT and not self._cancelled.is_set():
                raise Quiet(_BEHIND, "enough packages of the account wait for their turn")
            self._waiting += 1
        try:
            with self._turn:  # one thread leases and watches the clock, the others queue behind it
                while not self._cancelled.is_set():
                    quiet = self.quiet()
                    if quiet > LONGEST_WAIT:
                        raise Quiet(quiet, self._reason)
                    if quiet:
                        self._cancelled.wait(quiet)
                        continue
                    start = self._next_slot()
                    if start is None or self._cancelled.wait(max(0.0, start - self._clock())):
                        continue
                    if self._clock() - start <= _LATENESS and not self.quiet():
                        self._mine.started, self._mine.is_trial = start, self._is_trial
                        return True
                return False
        finally:
            with self._state:
                self._waiting -= 1

    def is_turn_stale(self) -> bool:
        """Tell whether this thread's turn was too long ago: others had theirs meanwhile, and all would call at once."""
        return self._clock() - float(self._mine.started) > MAX_TURN_AGE

    def record_result(self, error: VtexTrackingError | None) -> float:
        """Draw the conclusions from a call of this thread.

        Args:
            error: What the call ended in, or None where it was applied.

        Returns:
            For how many seconds nobody may call, where that is because of this call; else 0.
        """
        now = self._clock()
        started = getattr(self._mine, "started", now) + self._offset
        if error is None or (isinstance(error, RefusedError) and not isinstance(error, _ABOUT_THE_ACCOUNT)):
            with self._state:
                self._answers.append((started, now + self._offset))  # reported with the next lease
            if getattr(self._mine, "is_trial", False):
                self.flush()  # but not this one: all workers wait for it, and who knows when this one leases again
            return 0.0
        seconds = self._store.change(
            self._account, lambda shared, at: shared.report(at, self._take_answers(), started, error)
        )
        if seconds:
            with self._state:
                self._slots.clear()
                self._quiet_until, self._reason = self._clock() + seconds, str(error)
        return seconds

    def quiet(self) -> float:
        """Return for how many seconds nobody may call, as far as this worker knows."""
        return max(0.0, self._quiet_until - self._clock())

    def cancel(self) -> None:
        """Let everybody go at once, to find that the worker ends."""
        self._cancelled.set()

    def flush(self) -> None:
        """Report what was not reported yet."""
        if self._answers:
            self._store.change(self._account, lambda shared, at: shared.report(at, self._take_answers()))

    def _next_slot(self) -> float | None:
        """Return when the next call may begin, by our own clock; None where nobody may call for a while."""
        with self._state:
            while self._slots and self._slots[0] < self._clock() - _LATENESS:
                self._slots.popleft()
            wanted = 0 if self._slots else min(_MOST_SLOTS, self._waiting)
        if wanted:
            self._lease(wanted)
        with self._state:
            return self._slots.popleft() if self._slots else None

    def _lease(self, wanted: int) -> None:
        def act(shared: SharedPace, at: float) -> Lease:
            shared.report(at, self._take_answers())
            return shared.lease(at, wanted, self._rate)

        lease = self._store.change(self._account, act)
        with self._state:
            now = self._clock()
            # Taken after the answer, so our clock is said to be late by the way back: no slot begins too early.
            self._offset = lease.now - now
            self._slots.extend(start - self._offset for start in lease.starts)
            self._is_trial = lease.is_trial
            if lease.starts:  # how far apart our slots are, whoever has those in between
                self._interval = (lease.starts[-1] - lease.now) / len(lease.starts)
            else:
                self._quiet_until, self._reason = now + lease.quiet, lease.reason

    def _take_answers(self) -> list[Answer]:
        with self._state:
            answers, self._answers = self._answers, []
        return answers
