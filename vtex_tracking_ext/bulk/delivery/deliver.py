"""Send an account's pending entries to VTEX: several packages at a time, the calls of each package in order.

One process does so at a time, the one that holds the account's lease. First it sends what is pending in packages
without doubt. Then it reads the orders of the others, whose entries were in flight when a process was killed, or have
an unknown outcome. Entries that stay in doubt hold their package: later events wait, because VTEX shows events in the
order in which they were sent. A delivery that the carrier can still take back waits until its hold ends.
"""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from attrs import evolve

from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.config.defaults import DEFAULT_RATE
from vtex_tracking_ext.errors import ReadFailedError, VtexTrackingError

from .calls import AccountCalls, AccountPause, DeliveryResult
from .doubt import FOUND, MAX_DISPLAY_DELAY, NOT_SHOWN, SENT_AGAIN, Comparison, compare_with_order, next_read
from .invoices import InvoiceLookups
from .options import DeliveryOptions
from .pace import Pace
from .threads import run_in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vtex_tracking_ext.bulk.journal.entries import Entry, PackageKey, State
    from vtex_tracking_ext.bulk.journal.interface import Journal, Lease
    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.events import Package

T = TypeVar("T")

#: Runs a function in several threads at once; see :func:`~.threads.run_in_threads`. It may pass a function that each
#: thread calls before each package, and that returns whether the thread is to go on.
RunThreads: TypeAlias = "Callable[[Callable[..., object], int, Callable[[], object]], None]"

#: Seconds that a thread of a slice waits for its turn at most: other accounts need the thread.
_LONGEST_WAIT: Final = 2.0

#: The time after which the order of an outcome that has just become unknown is read.
_FIRST_READ_DELAY: Final = dt.timedelta(seconds=5)

#: States of entries that may have been applied.
IN_DOUBT_STATES: Final[tuple[State, ...]] = ("in_flight", "unknown")
_IN_DOUBT: Final = Selection(IN_DOUBT_STATES)

_NEVER: Final = dt.datetime.max.replace(tzinfo=dt.UTC)


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
        self._invoices = InvoiceLookups()
        self._end = math.inf
        #: The time of the journal's clock at which the monotonic clock was 0.
        self._epoch = dt.datetime.min.replace(tzinfo=dt.UTC)
        #: The packages in doubt whose order is not read now, and when to read it.
        self._read_times: dict[PackageKey, dt.datetime | None] = {}
        #: When the holds end of deliveries that were left out.
        self._hold_ends: list[dt.datetime] = []
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
        back, this process checks once more whether something was added while it had the lease.

        Raises:
            JournalError: The journal cannot be used any more. Entries of calls in progress stay in flight, and the next
                run determines their outcome.
        """
        self._end = time.monotonic() + (self._options.slice_seconds or math.inf)
        seen, revision = None, self._journal.revision(self._account)
        while revision != seen and not self._is_over():
            with self._leased_calls() as calls:
                if calls is None:
                    return
                seen = self._deliver(calls)
            revision = self._journal.revision(self._account)

    def resolve_unknown(self, selection: Selection) -> None:
        """Resolve the selected entries in doubt by reading their orders once; nothing is sent.

        Raises:
            JournalError: As for :meth:`run`.
        """
        doubtful = evolve(selection, states=IN_DOUBT_STATES)
        with self._leased_calls() as calls:
            if calls is not None:
                packages = dict.fromkeys(entry.package for entry in self._journal.entries(doubtful))
                self._read_orders(calls, packages, doubtful, is_sending=False)
                calls.lease.flush()

    @contextmanager
    def _leased_calls(self) -> Iterator[AccountCalls | None]:
        """Take the lease, which allows calls; None if another process has it, or if this is stopped."""
        self.taken_by = ""
        while not (self._stopped.is_set() or self.taken_by):
            with self._journal.lease(self._account) as lease:
                if lease is not None:
                    self._epoch = lease.record.now - dt.timedelta(seconds=time.monotonic())
                    calls = AccountCalls(
                        self._client,
                        self._journal,
                        lease,
                        self.pace,
                        self._report_safely,
                        self._options,
                        self._invoices,
                    )
                    try:
                        yield calls
                    finally:
                        with suppress(JournalError):  # after an error; otherwise nothing is deferred any more
                            lease.flush()
                        self.calls += calls.calls
                        self.reads += calls.reads
                    return
            # Empty if it has been given back since: then it is free.
            self.taken_by = self._journal.deliverers().get(self._account, "")
        yield None

    def _deliver(self, calls: AccountCalls) -> int | None:
        """Deliver until nothing more can be done now, and return the revision up to which everything was seen."""
        delays = [] if self._is_slice else [*self._options.recheck_delays]
        revision: int | None = calls.lease.record.revision
        while True:
            if doubtful := self._send_pending(calls):
                self._read_orders(calls, doubtful)
            calls.save()
            self._read_times |= dict.fromkeys(calls.unknown_packages, self._now() + _FIRST_READ_DELAY)
            calls.unknown_packages.clear()
            seen, revision = revision, self._journal.revision(self._account)
            if self._is_over():
                break
            if revision == seen and min(self._hold_ends, default=_NEVER) > self._now():
                if not any(self._read_times.values()) or not delays or self._stopped.wait(delays.pop(0)):
                    break
                self._read_times = {package: None for package, due in self._read_times.items() if due is None}
        self._note_next_due()
        return seen

    def _send_pending(self, calls: AccountCalls) -> list[PackageKey]:
        """Send the pending entries of all packages without doubt; return the others, as far as their order is due."""
        doubtful: list[PackageKey] = []
        self._hold_ends.clear()

        def ready_packages() -> Iterator[Sequence[Entry]]:
            for entries in self._journal.backlog(self._account):
                pending = [entry for entry in entries if entry.state == "pending"]
                if len(pending) < len(entries):
                    if self._is_read_due(entries):
                        doubtful.append(entries[0].package)
                    if not self._options.send_after_unknown:
                        continue
                if pending := self._without_held(pending):
                    yield pending

        self._for_each(calls, ready_packages(), calls.send_package)
        return doubtful

    def _without_held(self, pending: list[Entry]) -> list[Entry]:
        """Return pending entries without a delivery that is held, and note when its hold ends."""
        if any(entry.not_before for entry in pending):
            now = self._now()
            self._hold_ends += (entry.not_before for entry in pending if entry.not_before and entry.not_before > now)
            return [entry for entry in pending if not entry.is_held(now)]
        return pending

    def _is_read_due(self, entries: Sequence[Entry]) -> bool:
        """Return whether to read the order of a package with entries in doubt now; otherwise note when."""
        package, due = entries[0].package, self._next_read(entries)
        is_due = due is not None and due <= self._now() if self._is_slice else package not in self._read_times
        if not is_due:
            self._read_times[package] = due
        return is_due

    def _read_orders(
        self,
        calls: AccountCalls,
        packages: Iterable[PackageKey],
        selection: Selection = _IN_DOUBT,
        *,
        is_sending: bool = True,
    ) -> None:
        """Read the orders of packages in doubt, each once, and send what is pending in packages without doubt now.

        Args:
            calls: Makes the calls.
            packages: The packages.
            selection: The entries to resolve.
            is_sending: Whether to send what is pending.
        """
        calls.lease.flush()  # what is deferred must not be taken for an entry in doubt
        by_order: defaultdict[str, list[PackageKey]] = defaultdict(list)
        for package in packages:
            by_order[package.order_id].append(package)

        def read(order: tuple[str, list[PackageKey]]) -> None:
            now = self._now_at_most()  # what is shown says nothing about the time after the order was read
            shown = calls.read_order(order[0])
            if shown is None:
                return
            resolved = [package for package in order[1] if self._resolve(calls.lease, package, selection, shown, now)]
            for package in resolved if is_sending else ():
                pending = [*self._journal.entries(Selection(("pending",), package=package))]
                calls.send_package(self._without_held(pending))

        self._for_each(calls, iter(by_order.items()), read)

    def _for_each(self, calls: AccountCalls, items: Iterator[T], act: Callable[[T], object]) -> None:
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
            if len(first) > 1:
                calls.lease.flush()  # other threads may wait for an answer for long

        if len(first) > 1:
            self._run_threads(work, len(first), self.stop)
        else:
            work()

    def _resolve(
        self,
        lease: Lease,
        package: PackageKey,
        selection: Selection,
        shown: tuple[Package, ...] | VtexTrackingError,
        now: dt.datetime,
    ) -> bool:
        """Resolve entries in doubt by what their order shows, and return whether none is in doubt any more."""
        entries = tuple(self._journal.entries(Selection(("applied", *IN_DOUBT_STATES), package=package)))
        doubtful = tuple(entry for entry in entries if selection.matches(entry))
        has_failed = isinstance(shown, ReadFailedError)
        if isinstance(shown, VtexTrackingError):
            result, why = Comparison(), f"the order cannot be read: {shown}"
        else:
            result, why = compare_with_order(shown, package.invoice_number, entries, now), NOT_SHOWN
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
            lease.settle(resent, "pending", reason=SENT_AGAIN)
        missing = tuple(entry for entry in doubtful if entry not in applied and entry not in resent)
        for entry in missing:  # also one that is unknown already: this records when the order was read
            reason = entry.reason if entry.state == "unknown" else f"the process that sent it was killed, and {why}"
            if not has_failed or entry.state == "in_flight":
                lease.settle([entry], "unknown", status_code=entry.status_code, reason=reason, is_deferred=True)
        if missing:
            self._report_safely(DeliveryResult(missing, "unknown", why, is_call=False))
        still_unknown = [evolve(entry, state="unknown", settled=now) for entry in missing]
        self._read_times[package] = now + MAX_DISPLAY_DELAY if has_failed else self._next_read(still_unknown)
        return not missing and len(doubtful) == sum(entry.state != "applied" for entry in entries)

    def _next_read(self, entries: Iterable[Entry]) -> dt.datetime | None:
        """Return when to read the order of a package in doubt; a run that reads all orders does not wait to resend."""
        return next_read(entries, self._resend_after if self._is_slice else None)

    def _note_next_due(self) -> None:
        """Note when there is something to do again."""
        if self.pace.stop_reason:
            self.next_due = None
        elif self._is_over():
            self.next_due = self.pace.quiet_seconds
        else:
            due = min([*filter(None, self._read_times.values()), *self._hold_ends], default=None)
            self.next_due = None if due is None else max(0.0, (due - self._now()).total_seconds())

    def _now(self) -> dt.datetime:
        """Return the time of the journal's clock, which all times of entries are of; this machine's may differ."""
        return self._epoch + dt.timedelta(seconds=time.monotonic())

    def _now_at_most(self) -> dt.datetime:
        """Return a time that is not too late for entries begun at any time, even if the journal's clock was changed."""
        record = self._journal.account(self._account)
        assert record is not None  # noqa: S101 - its lease was taken
        return min(self._now(), record.now)

    @property
    def _is_slice(self) -> bool:
        return self._options.slice_seconds is not None

    @property
    def _resend_after(self) -> dt.timedelta | None:
        seconds = self._options.resend_after
        return None if seconds is None else dt.timedelta(seconds=seconds)

    def _is_over(self) -> bool:
        is_ended = self._stopped.is_set() or self.pace.stop_reason or self.pace.quiet_seconds
        return bool(is_ended) or time.monotonic() >= self._end

    def _report_safely(self, event: DeliveryResult | AccountPause) -> None:
        with self._lock:
            self._report(event)
