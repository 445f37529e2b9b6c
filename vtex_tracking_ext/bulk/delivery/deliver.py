"""Send an account's pending entries to VTEX: several packages at a time, the calls of each package in order.

Before anything of a package is sent, its entries in doubt (in flight when a run was killed, or of unknown outcome) are
resolved by reading the order. Entries that stay in doubt hold the package: later events wait, because VTEX shows events
in the order in which they were sent.
"""

from __future__ import annotations

import datetime as dt
import threading
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen, validators

from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES, Selection, utc_now
from vtex_tracking_ext.bulk.journal.interface import WrongStateError
from vtex_tracking_ext.config.defaults import DEFAULT_CONCURRENCY, EVENTS_PER_CALL, MAX_CONCURRENCY
from vtex_tracking_ext.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidUpdateError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RefusedError,
    VtexTrackingError,
)

from .batches import batches, build_update, halves
from .doubt import FOUND, NOT_SHOWN, found_among
from .threads import run_in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vtex_tracking_ext.bulk.journal.entries import Clock, Entry, Outcome, PackageKey, State
    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.events import Package

    from .pace import Pacer

#: Seconds before each of the rechecks, at the end of a run, of what became doubtful in it. VTEX shows an accepted
#: change after about six seconds (observed).
RECHECK_DELAYS: Final = (2.0, 5.0, 8.0)

#: For how long after its call an order may not yet show an entry that was applied.
_MAX_DISPLAY_DELAY: Final = dt.timedelta(seconds=60)

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
    """

    concurrency: int = field(default=DEFAULT_CONCURRENCY, validator=[validators.ge(1), validators.le(MAX_CONCURRENCY)])
    events_per_call: int = field(default=EVENTS_PER_CALL, validator=validators.ge(1))
    send_after_unknown: bool = False
    recheck_delays: tuple[float, ...] = field(factory=lambda: RECHECK_DELAYS)


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
    """Delivers one account's part of a journal. Ends early if going on is pointless, or when it is stopped.

    Args:
        client: Sends the updates. It should not wait after a 429 itself (``RetryPolicy(retry_after_cap=0)``), because
            all packages must wait.
        journal: Holds the pending entries, and records the outcomes.
        account: The account's name in the journal.
        pace: Limits the calls of all packages together.
        report: Called with outcomes and pauses, by one thread at a time.
        options: How to deliver.
        clock: Returns the current time.

    Attributes:
        pace: As given; it says why the account was ended.
        calls: Updates that were sent so far, refused ones included.
        reads: Orders that were read so far.
    """

    def __init__(
        self,
        client: TrackingClient,
        journal: Journal,
        account: str,
        pace: Pacer,
        report: Callable[[DeliveryResult | AccountPause], None],
        options: DeliveryOptions | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._client = client
        self._journal = journal
        self._account = account
        self.pace = pace
        self._report = report
        self._options = options or DeliveryOptions()
        self._clock = clock
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._doubtful: dict[PackageKey, None] = {}
        self.calls = 0
        self.reads = 0

    def stop(self) -> None:
        """Begin no other call; calls in progress are finished."""
        self._stopped.set()
        self.pace.cancel()

    def run(self) -> None:
        """Deliver what is pending; returns when nothing more can be done now.

        Raises:
            JournalError: The journal cannot be used any more. Entries of calls in progress stay in flight, and the next
                run determines their outcome.
        """
        self._for_each(self._journal.open_packages(self._account), self.deliver_package)
        for seconds in self._options.recheck_delays:
            again, self._doubtful = self._doubtful, {}
            if not again or self._stopped.wait(seconds):
                return
            self._for_each(iter(again), self.deliver_package)

    def resolve_unknown(self, selection: Selection) -> None:
        """Resolve the selected entries in doubt by reading their orders once; nothing is sent.

        Raises:
            JournalError: As for :meth:`run`.
        """
        doubtful = evolve(selection, states=("in_flight", "unknown"))
        packages = dict.fromkeys(entry.package for entry in self._journal.entries(doubtful))

        def resolve(package: PackageKey) -> None:
            with self._journal.try_lock(package) as is_acquired:
                if is_acquired:
                    self._resolve(package, tuple(self._journal.entries(evolve(doubtful, package=package))))

        self._for_each(iter(packages), resolve)

    def _for_each(self, packages: Iterator[PackageKey], act: Callable[[PackageKey], object]) -> None:
        first = list(islice(packages, self._options.concurrency))  # so that few packages need few threads
        remaining = chain(first, packages)
        next_lock = threading.Lock()

        def work() -> None:
            while not self._stopped.is_set():
                with next_lock:
                    package = next(remaining, None)
                if package is None:
                    return
                act(package)

        if len(first) > 1:
            run_in_threads({f"deliver-{number}": work for number in range(len(first))}, self.stop)
        else:
            work()

    def deliver_package(self, package: PackageKey) -> None:
        """Resolve what is in doubt in a package, then send what is pending, in order.

        A refusal does not hold later events; an unknown outcome does, unless the options say otherwise. A package that
        another thread or process has locked is left to it.
        """
        with self._journal.try_lock(package) as is_acquired:
            if not is_acquired:
                return
            entries = tuple(self._journal.entries(Selection(OPEN_STATES, package=package)))
            doubtful = tuple(entry for entry in entries if entry.state != "pending")
            if doubtful and not self._resolve(package, doubtful) and not self._options.send_after_unknown:
                return
            pending = [entry for entry in entries if entry.state == "pending"]
            for batch in batches(pending, self._options.events_per_call):
                if not self._send(batch):
                    return

    def pop_recheck(self, package: PackageKey) -> bool:
        """Return, once, whether to deliver a package again because its order may not yet show an applied entry."""
        is_doubtful = package in self._doubtful
        self._doubtful.pop(package, None)
        return is_doubtful

    def _resolve(self, package: PackageKey, doubtful: Sequence[Entry]) -> bool:
        """Resolve entries in doubt by reading their order, and return whether all of them could be resolved."""
        shown = self._read_order(package)
        if shown is None:
            return False
        ids = frozenset[int]()
        if isinstance(shown, VtexTrackingError):
            why = f"the order cannot be read: {shown}"
        else:
            applied = self._journal.entries(Selection(("applied",), package=package))
            ids, why = found_among(shown, package.invoice_number, (*applied, *doubtful)), NOT_SHOWN
        found = tuple(entry for entry in doubtful if entry.id in ids)
        if found:
            if in_flight := _ids(found, "in_flight"):
                self._journal.record_outcome(in_flight, "applied", reason=FOUND)
            if unknown := _ids(found, "unknown"):
                self._journal.resolve(Selection(ids=unknown), "applied", FOUND)
            self._report_safely(DeliveryResult(found, "applied", FOUND, is_call=False))
        missing = tuple(entry for entry in doubtful if entry.id not in ids)
        if in_flight := _ids(missing, "in_flight"):
            self._journal.record_outcome(in_flight, "unknown", reason=f"the run that sent it was killed, and {why}")
        if missing:
            self._report_safely(DeliveryResult(missing, "unknown", why, is_call=False))
            now = self._clock()
            if any(entry.begun is not None and now - entry.begun < _MAX_DISPLAY_DELAY for entry in missing):
                self._doubtful[package] = None
        return not missing

    def _read_order(self, package: PackageKey) -> tuple[Package, ...] | VtexTrackingError | None:
        """Return an order's packages, or why they cannot be read, or None if no call may be made any more."""
        while self.pace.wait_for_turn():
            with self._lock:
                self.reads += 1
            try:
                packages = self._client.get_packages(package.order_id)
            except (RateLimitedError, AuthenticationError, NotSentError, ConfigurationError) as error:
                self._record_result(error)
                if not isinstance(error, RateLimitedError):
                    return None
            except VtexTrackingError as error:
                # A refusal is an answer and no trouble with the account: a key may lack the right to read, and an order
                # may not exist any more.
                self._record_result(None if isinstance(error, RefusedError) else error)
                return error
            else:
                self._record_result(None)
                return packages
        return None

    def _send(self, batch: Sequence[Entry]) -> bool:
        """Send a batch, waiting while the account is over its limit, and return whether to go on with the package."""
        was_postponed = False
        while self.pace.wait_for_turn():
            # On disk before the request leaves: whatever happens from here on, it is known that it may have been sent.
            entries = self._mark_in_flight(batch)
            if not entries:
                return True
            if self.pace.is_turn_stale() and not was_postponed:
                # The journal was slow, also for other threads whose turns have passed. Postponing once is enough: with
                # a consistently slow journal, the calls are spread out anyway.
                self._journal.record_outcome(_ids(entries), "pending")
                was_postponed = True
                continue
            with self._lock:
                self.calls += 1
            try:
                receipt = self._client.send(build_update(entries))
            except VtexTrackingError as error:
                goes_on = self._record_failure(entries, error)
                if goes_on is not None:
                    return goes_on
            else:
                reason = receipt.note or ""
                self._journal.record_outcome(_ids(entries), "applied", receipt=receipt.receipt, reason=reason)
                self._record_result(None)
                self._report_safely(DeliveryResult(entries, "applied", reason, is_call=True))
                return True
        return False

    def _mark_in_flight(self, batch: Sequence[Entry]) -> tuple[Entry, ...]:
        """Mark a batch as in flight, without entries that were withdrawn since it was read."""
        while True:
            try:
                return self._journal.mark_in_flight(_ids(batch))
            except WrongStateError:
                pending = tuple(self._journal.entries(Selection(("pending",), ids=_ids(batch))))
                if len(pending) == len(batch):
                    raise
                batch = pending

    def _record_failure(self, entries: tuple[Entry, ...], error: VtexTrackingError) -> bool | None:
        """Record a failed call, and return whether to go on with the package; None to send the same batch again."""
        reason, status = str(error), getattr(error, "status_code", None)
        is_one_events_fault = status in _ONE_EVENTS_FAULT or isinstance(error, InvalidUpdateError)
        outcome: Outcome = "refused"
        if isinstance(error, _NOT_APPLIED) or (is_one_events_fault and len(entries) > 1):
            outcome = "pending"
        elif isinstance(error, OutcomeUnknownError):
            outcome = "unknown"
        seconds = self.pace.record_result(error)  # first: other threads must not begin a call meanwhile
        self._journal.record_outcome(_ids(entries), outcome, status_code=status, reason=reason)
        self._stop_or_report(seconds, error)
        if isinstance(error, _NOT_APPLIED):
            return None if isinstance(error, RateLimitedError) else False
        if outcome == "pending":
            return all(self._send(half) for half in halves(entries))
        if outcome == "unknown":
            self._doubtful[entries[0].package] = None
        self._report_safely(DeliveryResult(entries, outcome, reason, is_call=True))
        return outcome == "refused" or self._options.send_after_unknown

    def _record_result(self, error: VtexTrackingError | None) -> None:
        self._stop_or_report(self.pace.record_result(error), error)

    def _stop_or_report(self, seconds: float, error: VtexTrackingError | None) -> None:
        """Stop if the account has ended, or report a pause of so many seconds."""
        if self.pace.stop_reason:
            self.stop()
        elif seconds > _REPORTED_PAUSE:
            self._report_safely(AccountPause(self._account, seconds, str(error)))

    def _report_safely(self, event: DeliveryResult | AccountPause) -> None:
        with self._lock:
            self._report(event)


def _ids(entries: Iterable[Entry], state: State | None = None) -> tuple[int, ...]:
    return tuple(entry.id for entry in entries if state in {None, entry.state})
