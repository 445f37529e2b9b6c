"""Send an account's pending entries to VTEX: several packages at a time, the calls of each package in order.

One process does so at a time, the one that holds the account's lease. First it sends what is pending in packages
without doubt. Then it reads the orders of the others, whose entries were in flight when a process was killed, or have
an unknown outcome. Entries that stay in doubt hold their package: later events wait, because VTEX shows events in the
order in which they were sent.
"""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from attrs import evolve, field, frozen, validators

from vtex_tracking_ext.bulk.journal.entries import AccountUpdate, Selection
from vtex_tracking_ext.config.defaults import DEFAULT_CONCURRENCY, DEFAULT_RATE, EVENTS_PER_CALL, MAX_CONCURRENCY
from vtex_tracking_ext.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidUpdateError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    ReadFailedError,
    RefusedError,
    VtexTrackingError,
)

from .batches import batches, build_update, halves
from .doubt import FOUND, MAX_DISPLAY_DELAY, NOT_APPLIED, NOT_SHOWN, Shown, next_look, shown_among
from .pace import MAX_TURN_AGE, Pace
from .threads import run_in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vtex_tracking_ext.bulk.journal.entries import Entry, Outcome, PackageKey, State
    from vtex_tracking_ext.bulk.journal.interface import Journal, Lease
    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.events import Package

T = TypeVar("T")

#: Runs a function in several threads at once; see :func:`~.threads.run_in_threads`. It may pass a function that each
#: thread calls before each package, and that returns whether the thread is to go on.
RunThreads: TypeAlias = "Callable[[Callable[..., object], int, Callable[[], object]], None]"

#: Seconds before each of the rechecks, at the end of a run, of what became doubtful in it. VTEX shows an accepted
#: change after about six seconds (observed).
RECHECK_DELAYS: Final = (2.0, 5.0, 8.0)

#: Seconds that a thread of a slice waits for its turn at most: other accounts need the thread.
_LONGEST_WAIT: Final = 2.0

#: The time after which the order of an outcome that has just become unknown is read.
_FRESH_LOOK: Final = dt.timedelta(seconds=5)

#: Seconds to the next call after which an outcome that was deferred is recorded at once.
_LONGEST_DEFERRAL: Final = 0.5

#: Seconds after a turn in which the lease may have been lost and taken by another process, without being noticed.
_MAX_LEASE_AGE: Final = 10.0

#: States of entries that may have been applied.
IN_DOUBT_STATES: Final[tuple[State, ...]] = ("in_flight", "unknown")
_IN_DOUBT: Final = Selection(IN_DOUBT_STATES)

#: Seconds of a pause that is worth reporting.
_REPORTED_PAUSE: Final = 0.5

#: Statuses that can be one event's fault: bad request, content too large, unprocessable. Not 404 and 409, which are
#: about the order or the invoice, and so about all events.
_ONE_EVENTS_FAULT: Final = frozenset({400, 413, 422})

#: Errors of a call that was certainly not applied, and whose entries can be sent again later.
_NOT_APPLIED: Final = (RateLimitedError, AuthenticationError, PermissionDeniedError, NotSentError, ConfigurationError)


@frozen
class DeliveryOptions:
    """How a run delivers.

    Attributes:
        concurrency: Packages of one account at the same time, from 1 to :data:`MAX_CONCURRENCY`.
        events_per_call: Events of a package in one call at most, at least 1; with 1, each is sent alone.
        send_after_unknown: Send later events of a package although an earlier outcome is unknown. The shopper can
            then see events in another order.
        recheck_delays: Seconds before each of the rechecks, at the end, of what became doubtful in the run.
        resend_after: Seconds after its call after which an entry of unknown outcome is sent again if its order does
            not show it; None for never. VTEX shows an accepted event after some seconds (6 s were observed).
        slice_seconds: For a program that delivers many accounts in turn: seconds after which it ends, with the rest
            left. It then reads orders only when they are due, and does not wait for them. None to deliver everything.
    """

    concurrency: int = field(default=DEFAULT_CONCURRENCY, validator=[validators.ge(1), validators.le(MAX_CONCURRENCY)])
    events_per_call: int = field(default=EVENTS_PER_CALL, validator=validators.ge(1))
    send_after_unknown: bool = False
    recheck_delays: tuple[float, ...] = field(factory=lambda: RECHECK_DELAYS)
    resend_after: float | None = field(default=None, validator=validators.optional(validators.gt(0)))
    slice_seconds: float | None = field(default=None, validator=validators.optional(validators.gt(0)))


@frozen
class DeliveryResult:
    """The outcome of some entries of one package.

    Attributes:
        entries: The entries as they were sent or looked up; ``state`` is the state before.
        outcome: ``applied``, ``refused`` or ``unknown``.
        reason: The reason, or who says so; empty if VTEX's receipt says everything.
        is_call: Whether a call with these entries ended; otherwise the order was read.
    """

    entries: tuple[Entry, ...]
    outcome: Outcome
    reason: str
    is_call: bool


@frozen
class AccountPause:
    """A pause in which an account is not called.

    Attributes:
        account: Its name in the journal.
        seconds: The length of the pause.
        reason: The reason.
    """

    account: str
    seconds: float
    reason: str


class AccountDelivery:
    """Delivers one account's part of a journal, while this process holds the account's lease.

    It ends early if going on is pointless, or when it is stopped.

    Args:
        client: Sends the updates. It should not wait after a 429 itself (``RetryPolicy(retry_after_cap=0)``), because
            all packages must wait.
        journal: Holds the pending entries, and records the outcomes.
        account: The account's name in the journal.
        report: Called with outcomes and pauses, by one thread at a time.
        options: How to deliver.
        rate: Most calls a second.
        run_threads: Runs a function in several threads; see :func:`~.threads.run_in_threads`.

    Attributes:
        pace: Limits the calls of all packages together, and says why the account was stopped.
        taken_by: The process that delivers the account instead, or an empty text.
        next_due: After a run: in how many seconds there is something to do for the account again, or None.
        calls: Updates that were sent so far, refused ones included.
        reads: Orders that were read so far.
    """

    def __init__(
        self,
        client: TrackingClient,
        journal: Journal,
        account: str,
        report: Callable[[DeliveryResult | AccountPause], None],
        options: DeliveryOptions | None = None,
        *,
        rate: float = DEFAULT_RATE,
        run_threads: RunThreads = run_in_threads,
    ) -> None:
        self._client = client
        self._journal = journal
        self._account = account
        self._report = report
        self._options = options or DeliveryOptions()
        self._run_threads = run_threads
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._end = math.inf
        #: The time of the journal's clock at which the monotonic clock was 0.
        self._epoch: dt.datetime
        #: The packages in doubt whose order is not read now, and when to read it.
        self._looks: dict[PackageKey, dt.datetime | None] = {}
        self._stopped_reason = ""
        self._has_applied = False
        self._pause_reason = ""
        self.pace = Pace(rate=rate, longest_wait=_LONGEST_WAIT if self._is_slice else math.inf)
        self.taken_by = ""
        self.next_due: float | None = None
        self.calls = 0
        self.reads = 0

    def stop(self) -> None:
        """Begin no other call; calls in progress are finished."""
        self._stopped.set()
        self.pace.cancel()

    def run(self) -> None:
        """Deliver what is pending; returns when nothing more can be done now, or if another process delivers.

        What is added at any time is delivered by this process, or by the one that adds it: after the lease was given
        back, this process looks once more whether something was added while it had the lease.

        Raises:
            JournalError: The journal cannot be used any more. Entries of calls in progress stay in flight, and the next
                run determines their outcome.
        """
        self._end = time.monotonic() + (self._options.slice_seconds or math.inf)
        revision = None
        while not self._is_over():
            record = self._journal.account(self._account)
            if record is None or record.revision == revision:
                return
            with self._leased() as lease:
                if lease is None:
                    return
                revision = self._deliver(lease)

    def resolve_unknown(self, selection: Selection) -> None:
        """Resolve the selected entries in doubt by reading their orders once; nothing is sent.

        Raises:
            JournalError: As for :meth:`run`.
        """
        doubtful = evolve(selection, states=IN_DOUBT_STATES)
        with self._leased() as lease:
            if lease is not None:
                packages = dict.fromkeys(entry.package for entry in self._journal.entries(doubtful))
                self._read_orders(lease, packages, doubtful, is_sending=False)
                lease.flush()

    @contextmanager
    def _leased(self) -> Iterator[Lease | None]:
        """Take the lease; None if another process has it, or if this is stopped."""
        self.taken_by = ""
        while not (self._stopped.is_set() or self.taken_by):
            with self._journal.lease(self._account) as lease:
                if lease is not None:
                    record = lease.record
                    self._epoch = record.now - dt.timedelta(seconds=time.monotonic())
                    self._stopped_reason, self._pause_reason = record.stopped_reason, record.quiet_reason
                    is_probing = bool(record.stopped_reason)
                    self.pace.resume(record.pace, record.quiet_seconds, is_probing=is_probing)
                    yield lease
                    return
            # Empty if it has been given back since: then it is free.
            self.taken_by = self._journal.deliverers().get(self._account, "")
        yield None

    def _deliver(self, lease: Lease) -> int:
        """Deliver until nothing more can be done now, and return the revision up to which everything was looked at."""
        delays = [] if self._is_slice else [*self._options.recheck_delays]
        revision = lease.record.revision
        while True:
            self._read_orders(lease, self._send_pending(lease))
            self._save(lease)
            record = self._journal.account(self._account)
            if self._is_over() or record is None:
                break
            if record.revision != revision:
                revision = record.revision
            elif not any(self._looks.values()) or not delays or self._stopped.wait(delays.pop(0)):
                break
            else:
                self._looks = {package: None for package, look in self._looks.items() if look is None}
        self._note_next_due()
        return revision

    def _send_pending(self, lease: Lease) -> list[PackageKey]:
        """Send the pending entries of all packages without doubt; return the others, as far as their order is due."""
        doubtful: list[PackageKey] = []

        def ready_packages() -> Iterator[Sequence[Entry]]:
            for entries in self._journal.backlog(self._account):
                pending = [entry for entry in entries if entry.state == "pending"]
                if len(pending) < len(entries):
                    if self._is_look_due(entries):
                        doubtful.append(entries[0].package)
                    if not self._options.send_after_unknown:
                        continue
                yield pending

        self._for_each(lease, ready_packages(), partial(self._send_package, lease))
        return doubtful

    def _is_look_due(self, entries: Sequence[Entry]) -> bool:
        """Return whether to read the order of a package with entries in doubt now; otherwise note when."""
        package, look = entries[0].package, self._next_look(entries)
        is_due = look is not None and look <= self._now() if self._is_slice else package not in self._looks
        if not is_due:
            self._looks[package] = look
        return is_due

    def _read_orders(
        self,
        lease: Lease,
        packages: Iterable[PackageKey],
        selection: Selection = _IN_DOUBT,
        *,
        is_sending: bool = True,
    ) -> None:
        """Read the orders of packages in doubt, each once, and send what is pending in packages without doubt now.

        Args:
            lease: The lease.
            packages: The packages.
            selection: The entries to resolve.
            is_sending: Whether to send what is pending.
        """
        by_order: defaultdict[str, list[PackageKey]] = defaultdict(list)
        for package in packages:
            by_order[package.order_id].append(package)

        def read(order: tuple[str, list[PackageKey]]) -> None:
            shown = self._read_order(lease, order[0])
            if shown is None:
                return
            # All of them first: what was shown says less and less about the time at which a call ends.
            resolved = [package for package in order[1] if self._resolve(lease, package, selection, shown)]
            for package in resolved if is_sending else ():
                self._send_package(lease, [*self._journal.entries(Selection(("pending",), package=package))])

        self._for_each(lease, iter(by_order.items()), read)

    def _for_each(self, lease: Lease, items: Iterator[T], act: Callable[[T], object]) -> None:
        """Call a function for each item, in several threads, until all is done or the delivery is over."""
        first = list(islice(items, self._options.concurrency))  # so that few packages need few threads
        remaining = chain(first, items)
        next_lock = threading.Lock()

        def work(goes_on: Callable[[], bool] = lambda: True) -> None:
            while goes_on() and not self._is_over():
                with next_lock:
                    item = next(remaining, None)
                if item is None:
                    break
                act(item)
            lease.flush()  # other threads may wait for an answer for long

        if len(first) > 1:
            self._run_threads(work, len(first), self.stop)
        else:
            work()

    def _send_package(self, lease: Lease, pending: Sequence[Entry]) -> None:
        """Send a package's pending entries, in order.

        A refusal does not hold later events; an unknown outcome does, unless the options say otherwise.
        """
        for batch in batches(pending, self._options.events_per_call):
            if not self._send(lease, batch):
                return

    def _resolve(
        self,
        lease: Lease,
        package: PackageKey,
        selection: Selection,
        shown: tuple[Package, ...] | VtexTrackingError,
    ) -> bool:
        """Resolve entries in doubt by what their order shows, and return whether none is in doubt any more."""
        entries = tuple(self._journal.entries(Selection(("applied", *IN_DOUBT_STATES), package=package)))
        doubtful = tuple(entry for entry in entries if selection.matches(entry))
        now, has_failed = self._now(), isinstance(shown, ReadFailedError)
        if isinstance(shown, VtexTrackingError):
            result, why = Shown(), f"the order cannot be read: {shown}"
        else:
            result, why = shown_among(shown, package.invoice_number, entries, now), NOT_SHOWN
        if applied := tuple(entry for entry in doubtful if entry.id in result.found):
            lease.settle(applied, "applied", reason=FOUND)
            self._report_safely(DeliveryResult(applied, "applied", FOUND, is_call=False))
        resend_after = self._resend_after
        resent = tuple(
            entry
            for entry in doubtful
            if entry.id in result.absent and resend_after and entry.begun and now - entry.begun >= resend_after
        )
        if resent:
            lease.settle(resent, "pending", reason=NOT_APPLIED)
        missing = tuple(entry for entry in doubtful if entry not in applied and entry not in resent)
        for entry in missing:  # also one that is unknown already: this records when it was looked for
            reason = entry.reason if entry.state == "unknown" else f"the process that sent it was killed, and {why}"
            if not has_failed or entry.state == "in_flight":
                lease.settle([entry], "unknown", status_code=entry.status_code, reason=reason, is_deferred=True)
        if missing:
            self._report_safely(DeliveryResult(missing, "unknown", why, is_call=False))
        looked_for = [evolve(entry, state="unknown", settled=now) for entry in missing]
        self._looks[package] = now + MAX_DISPLAY_DELAY if has_failed else self._next_look(looked_for)
        return not missing and len(doubtful) == sum(entry.state != "applied" for entry in entries)

    def _next_look(self, entries: Iterable[Entry]) -> dt.datetime | None:
        """Return when to read the order of a package in doubt; a run that reads all orders does not wait to resend."""
        return next_look(entries, self._resend_after if self._is_slice else None)

    def _read_order(self, lease: Lease, order_id: str) -> tuple[Package, ...] | VtexTrackingError | None:
        """Return an order's packages, or why they cannot be read, or None if no call may be made any more."""
        while self._wait_for_turn(lease):
            with self._lock:
                self.reads += 1
            try:
                packages = self._client.get_packages(order_id)
            except (RateLimitedError, AuthenticationError, NotSentError, ConfigurationError) as error:
                self._record_result(lease, error)
                if not isinstance(error, RateLimitedError):
                    return None
            except VtexTrackingError as error:
                # A refusal is an answer and no trouble with the account: a key may lack the right to read, and an order
                # may not exist any more.
                self._record_result(lease, None if isinstance(error, RefusedError) else error)
                return error
            else:
                self._record_result(lease, None)
                return packages
        return None

    def _send(self, lease: Lease, batch: Sequence[Entry]) -> bool:
        """Send a batch, waiting while the account is over its limit, and return whether to go on with the package."""
        was_postponed = False
        while True:
            if not self._wait_for_turn(lease):
                return False
            # On disk before the request leaves: whatever happens from here on, it is known that it may have been sent.
            batch = lease.begin(batch)
            if not batch:
                return True
            # The journal was slow, also for other threads whose turns have passed; or this process was stopped for a
            # while and may have lost its lease, which the next begin() shows. With a consistently slow journal, the
            # calls are spread out anyway: postponing once is enough.
            age = self.pace.turn_age()
            if age > MAX_TURN_AGE and (not was_postponed or age > _MAX_LEASE_AGE):
                lease.settle(batch, "pending")
                was_postponed = True
                continue
            with self._lock:
                self.calls += 1
            try:
                receipt = self._client.send(build_update(batch))
            except VtexTrackingError as error:
                goes_on = self._record_failure(lease, batch, error)
                if goes_on is not None:
                    return goes_on
            else:
                reason = receipt.note or ""
                lease.settle(batch, "applied", receipt=receipt.receipt, reason=reason, is_deferred=True)
                self._has_applied = True
                self._record_result(lease, None)
                self._report_safely(DeliveryResult(batch, "applied", reason, is_call=True))
                if self._stopped_reason:
                    self._stopped_reason = ""
                    self._save(lease)
                return True

    def _record_failure(self, lease: Lease, entries: tuple[Entry, ...], error: VtexTrackingError) -> bool | None:
        """Record a failed call, and return whether to go on with the package; None to send the same batch again."""
        reason, status = str(error), getattr(error, "status_code", None)
        is_one_events_fault = status in _ONE_EVENTS_FAULT or isinstance(error, InvalidUpdateError)
        outcome: Outcome = "refused"
        if isinstance(error, _NOT_APPLIED) or (is_one_events_fault and len(entries) > 1):
            outcome = "pending"
        elif isinstance(error, OutcomeUnknownError):
            outcome = "unknown"
        seconds = self.pace.record_result(error)  # first: other threads must not begin a call meanwhile
        lease.settle(entries, outcome, status_code=status, reason=reason)
        self._stop_or_save(lease, seconds, error)
        if isinstance(error, _NOT_APPLIED):
            return None if isinstance(error, RateLimitedError) else False
        if outcome == "pending":
            return all(self._send(lease, half) for half in halves(entries))
        if outcome == "unknown":
            self._looks[entries[0].package] = self._now() + _FRESH_LOOK
        self._report_safely(DeliveryResult(entries, outcome, reason, is_call=True))
        return outcome == "refused" or self._options.send_after_unknown

    def _save(self, lease: Lease) -> None:
        """Record what was learned about the account, and deferred outcomes."""
        lease.flush()
        quiet = self.pace.delay()  # also a short one: the next call may be made by another process
        with self._lock:
            has_applied, self._has_applied = self._has_applied, False
        lease.update_account(
            AccountUpdate(
                stopped_reason=self.pace.stop_reason or self._stopped_reason,
                quiet_seconds=quiet,
                quiet_reason=self._pause_reason if quiet > _REPORTED_PAUSE else "",
                has_applied=has_applied,
                resend_after=self._options.resend_after,
                pace=self.pace.learned(),
            )
        )

    def _note_next_due(self) -> None:
        """Note when there is something to do again."""
        if self.pace.stop_reason:
            self.next_due = None
        elif self._is_over():
            self.next_due = self.pace.quiet_seconds
        else:
            look = min(filter(None, self._looks.values()), default=None)
            self.next_due = None if look is None else max(0.0, (look - self._now()).total_seconds())

    def _now(self) -> dt.datetime:
        """Return the time of the journal's clock, which all times of entries are of; this machine's may differ."""
        return self._epoch + dt.timedelta(seconds=time.monotonic())

    @property
    def _is_slice(self) -> bool:
        return self._options.slice_seconds is not None

    @property
    def _resend_after(self) -> dt.timedelta | None:
        seconds = self._options.resend_after
        return None if seconds is None else dt.timedelta(seconds=seconds)

    def _is_over(self) -> bool:
        return self._stopped.is_set() or bool(self.pace.quiet_seconds) or time.monotonic() >= self._end

    def _wait_for_turn(self, lease: Lease) -> bool:
        """Wait until a call may be made, and return whether it may; deferred outcomes do not wait for long."""
        if self.pace.delay() > _LONGEST_DEFERRAL:
            lease.flush()
        return self.pace.wait_for_turn()

    def _record_result(self, lease: Lease, error: VtexTrackingError | None) -> None:
        self._stop_or_save(lease, self.pace.record_result(error), error)

    def _stop_or_save(self, lease: Lease, seconds: float, error: VtexTrackingError | None) -> None:
        """Stop if the account has ended, or record and report a pause of so many seconds."""
        if self.pace.stop_reason:
            self.stop()
        elif seconds > _REPORTED_PAUSE:
            self._pause_reason = str(error)
            self._save(lease)
            self._report_safely(AccountPause(self._account, seconds, str(error)))

    def _report_safely(self, event: DeliveryResult | AccountPause) -> None:
        with self._lock:
            self._report(event)
