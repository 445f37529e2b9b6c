"""Send what waits in a journal to one account: packages side by side, each package's calls in order.

Before anything of a package is sent, what may have left earlier (in flight when a run was killed, or of unknown
outcome) is settled by reading its order. What cannot be settled holds the package: its later events wait, because
VTEX shows events in the order in which they came.
"""

from __future__ import annotations

import datetime as dt
import threading
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
    from vtex_tracking_ext.events import Package, TrackingReceipt

    from .pace import Pacer

#: Seconds between the looks, at the end of a run, at what became doubtful in it. VTEX shows an accepted change after
#: about six seconds (seen).
RECHECK_DELAYS: Final = (2.0, 5.0, 8.0)

#: For how long after its call an entry in doubt may still come to be shown.
_SETTLING: Final = dt.timedelta(seconds=60)

#: Seconds of quiet that a person would wonder about.
_WORTH_TELLING: Final = 0.5

#: Statuses that can be one event's fault: bad request, content too large, unprocessable. Not 404 and 409, which are
#: about the order or the invoice, and so about all of them.
_ONE_EVENTS_FAULT: Final = frozenset({400, 413, 422})

#: Errors of a call that certainly was not applied, and whose entries can be sent later as they are.
_LATER: Final = (RateLimitedError, AuthenticationError, PermissionDeniedError, NotSentError, ConfigurationError)


@frozen
class DeliveryOptions:
    """How a run delivers.

    Attributes:
        concurrency: Packages of one account at once, from 1 to :data:`MAX_CONCURRENCY`.
        events_per_call: Events of a package in one call at most, from 1 up; 1 sends each alone.
        send_after_unknown: Send later events of a package although an earlier outcome is unknown. The shopper can
            then see events in another order.
        recheck_delays: Seconds before each of the looks, at the end, at what became doubtful in the run.
    """

    concurrency: int = field(default=DEFAULT_CONCURRENCY, validator=[validators.ge(1), validators.le(MAX_CONCURRENCY)])
    events_per_call: int = field(default=EVENTS_PER_CALL, validator=validators.ge(1))
    send_after_unknown: bool = False
    recheck_delays: tuple[float, ...] = field(factory=lambda: RECHECK_DELAYS)


@frozen
class DeliveryResult:
    """What became of some entries of one package.

    Attributes:
        entries: The entries as they were sent or read for; ``state`` is what they were before.
        outcome: What became of them: ``applied``, ``refused`` or ``unknown``.
        reason: Why, or on whose word; empty where VTEX's receipt says all.
        is_call: Whether it is the end of a call that carried them; else it was learnt by reading.
    """

    entries: tuple[Entry, ...]
    outcome: Outcome
    reason: str
    is_call: bool


@frozen
class AccountPause:
    """The account is left alone for a while.

    Attributes:
        account: Its name in the journal.
        seconds: For how long.
        reason: Why.
    """

    account: str
    seconds: float
    reason: str


class AccountDelivery:
    """One run over one account's part of a journal. Stops early where going on is pointless, or when told to.

    Args:
        client: Sends the updates. It should not wait out a 429 itself (``RetryPolicy(retry_after_cap=0)``), because
            the pause is for all packages.
        journal: What waits, and where the outcome is noted.
        account: The account's name in the journal.
        pace: Keeps all packages from calling while they should not.
        report: Called with what happens, by one thread at a time.
        options: How to deliver.
        clock: Gives the current time.

    Attributes:
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
        self._pace = pace
        self._report = report
        self._options = options or DeliveryOptions()
        self._clock = clock
        self._telling = threading.Lock()
        self._stopped = threading.Event()
        self._doubtful: dict[PackageKey, None] = {}
        self.calls = 0
        self.reads = 0

    @property
    def stop_error(self) -> VtexTrackingError | None:
        """The error that ended the account, or None."""
        return self._pace.stop_error

    @property
    def stop_reason(self) -> str:
        """Why the account was ended, or an empty text."""
        return self._pace.stop_reason

    def stop(self) -> None:
        """Begin no other call; those on their way are finished."""
        self._stopped.set()
        self._pace.cancel()

    def run(self) -> None:
        """Deliver what waits; returns when nothing more can be done now.

        Raises:
            JournalError: The journal cannot be used any more. What was on its way then stays in flight, and the next
                run finds out about it.
        """
        self._side_by_side(self._journal.open_packages(self._account), self.deliver_package)
        for seconds in self._options.recheck_delays:
            again, self._doubtful = self._doubtful, {}
            if not again or self._stopped.wait(seconds):
                return
            self._side_by_side(iter(again), self.deliver_package)

    def resolve_unknown(self, selection: Selection) -> None:
        """Look once at what is in doubt among some entries, by reading their orders; nothing is sent.

        Raises:
            JournalError: As for :meth:`run`.
        """
        doubtful = evolve(selection, states=("in_flight", "unknown"))
        packages = dict.fromkeys(entry.package for entry in self._journal.entries(doubtful))

        def look(package: PackageKey) -> None:
            with self._journal.try_lock(package) as is_mine:
                if is_mine:
                    self.settle(package, tuple(self._journal.entries(evolve(doubtful, package=package))))

        self._side_by_side(iter(packages), look)

    def _side_by_side(self, packages: Iterator[PackageKey], act: Callable[[PackageKey], object]) -> None:
        taking = threading.Lock()

        def work() -> None:
            while not self._stopped.is_set():
                with taking:
                    package = next(packages, None)
                if package is None:
                    return
                act(package)

        run_in_threads({f"deliver-{number}": work for number in range(self._options.concurrency)}, self.stop)

    def deliver_package(self, package: PackageKey) -> None:
        """Settle what is in doubt of a package, then send what waits, in order.

        A refusal does not stop what comes after it; an outcome that stays unknown does, unless told otherwise. A
        package that somebody else works on is left to them.
        """
        with self._journal.try_lock(package) as is_mine:
            if is_mine:
                self._drain(package)

    def pop_recheck(self, package: PackageKey) -> bool:
        """Tell, once, whether a package that was drained should be drained again: its order may yet show a doubt."""
        is_doubtful = package in self._doubtful
        self._doubtful.pop(package, None)
        return is_doubtful

    def _drain(self, package: PackageKey) -> None:
        entries = tuple(self._journal.entries(Selection(OPEN_STATES, package=package)))
        doubtful = tuple(entry for entry in entries if entry.state != "pending")
        if doubtful and not self.settle(package, doubtful) and not self._options.send_after_unknown:
            return
        waiting = (entry for entry in entries if entry.state == "pending")
        for batch in batches(waiting, self._options.events_per_call):
            if not self._send(batch):
                return

    def settle(self, package: PackageKey, doubtful: Sequence[Entry]) -> bool:
        """Find out by reading the order what became of entries in doubt, and note it.

        Args:
            package: Whose they are.
            doubtful: Entries that are in flight (of a run that was killed) or unknown.

        Returns:
            Whether all of them are settled. Those that are not are unknown.
        """
        shown = self._read(package)
        if shown is None:
            return False
        found, why = frozenset[int](), ""
        if isinstance(shown, VtexTrackingError):
            why = f"the order cannot be read: {shown}"
        else:
            applied = self._journal.entries(Selection(("applied",), package=package))
            found = found_among(shown, package.invoice_number, (*applied, *doubtful))
            why = NOT_SHOWN
        self._note_found(tuple(entry for entry in doubtful if entry.id in found))
        missing = tuple(entry for entry in doubtful if entry.id not in found)
        in_flight = _in_state(missing, "in_flight")
        if in_flight:
            self._journal.record_outcome(
                _ids(in_flight), "unknown", reason=f"the run that sent it was killed, and {why}"
            )
        if missing:
            self._tell(DeliveryResult(missing, "unknown", why, is_call=False))
            if any(self._may_yet_show(entry) for entry in missing):
                self._doubtful[package] = None
        return not missing

    def _note_found(self, entries: tuple[Entry, ...]) -> None:
        if not entries:
            return
        in_flight, unknown = _in_state(entries, "in_flight"), _in_state(entries, "unknown")
        if in_flight:
            self._journal.record_outcome(_ids(in_flight), "applied", reason=FOUND)
        if unknown:
            self._journal.resolve(Selection(ids=_ids(unknown)), "applied", FOUND)
        self._tell(DeliveryResult(entries, "applied", FOUND, is_call=False))

    def _may_yet_show(self, entry: Entry) -> bool:
        return entry.begun is not None and self._clock() - entry.begun < _SETTLING

    def _read(self, package: PackageKey) -> tuple[Package, ...] | VtexTrackingError | None:
        """Return an order's packages, or why they cannot be read, or None where nobody may call any more."""
        while self._pace.wait_for_turn():
            error: VtexTrackingError
            with self._telling:
                self.reads += 1
            try:
                packages = self._client.get_packages(package.order_id)
            except RateLimitedError as limited:
                error = limited
            except (AuthenticationError, NotSentError, ConfigurationError) as fatal:
                self._learn(fatal)
                return None
            except RefusedError as refused:
                # A key may write and not read, and an order may be gone: an answer, and no trouble of the account's.
                self._learn(None)
                return refused
            except VtexTrackingError as failed:
                self._learn(failed)
                return failed
            else:
                self._learn(None)
                return packages
            self._learn(error)
        return None

    def _send(self, batch: Sequence[Entry]) -> bool:
        """Send a batch, waiting while the account is over its limit; tell whether what comes after it may be sent."""
        was_late = False
        while self._pace.wait_for_turn():
            # On disk before the request leaves: whatever happens from here on, it is known that it may have.
            entries = self._begin(batch)
            if not entries:
                return True
            if self._pace.is_turn_stale() and not was_late:
                # The journal was held up, as for the others whose turns have passed. A journal that is always slow
                # makes no crowd, so once is enough.
                self._journal.record_outcome(_ids(entries), "pending")
                was_late = True
                continue
            with self._telling:
                self.calls += 1
            try:
                receipt = self._client.send(build_update(entries))
            except VtexTrackingError as error:
                is_over = self._note_failure(entries, error)
            else:
                self._note_receipt(entries, receipt)
                return True
            if is_over is not None:
                return is_over
        return False

    def _begin(self, batch: Sequence[Entry]) -> tuple[Entry, ...]:
        """Note that a batch leaves, without what somebody has withdrawn since it was read."""
        while True:
            try:
                return self._journal.mark_in_flight(_ids(batch))
            except WrongStateError:
                pending = tuple(self._journal.entries(Selection(("pending",), ids=_ids(batch))))
                if len(pending) == len(batch):
                    raise
                batch = pending

    def _note_receipt(self, entries: tuple[Entry, ...], receipt: TrackingReceipt) -> None:
        reason = receipt.note or ""
        self._journal.record_outcome(_ids(entries), "applied", receipt=receipt.receipt, reason=reason)
        self._learn(None)
        self._tell(DeliveryResult(entries, "applied", reason, is_call=True))

    def _note_failure(self, entries: tuple[Entry, ...], error: VtexTrackingError) -> bool | None:
        """Note what an error means; tell whether what comes after may be sent, or None to send the same again."""
        reason, status = str(error), getattr(error, "status_code", None)
        is_one_events_fault = status in _ONE_EVENTS_FAULT or isinstance(error, InvalidUpdateError)
        outcome: Outcome = "refused"
        if isinstance(error, _LATER) or (is_one_events_fault and len(entries) > 1):
            outcome = "pending"
        elif isinstance(error, OutcomeUnknownError):
            outcome = "unknown"
        seconds = self._pace.record_result(error)  # before anything that takes time, in which others would begin a call
        self._journal.record_outcome(_ids(entries), outcome, status_code=status, reason=reason)
        self._heed(seconds, error)
        if isinstance(error, _LATER):
            return None if isinstance(error, RateLimitedError) else False
        if outcome == "pending":
            return all(self._send(half) for half in halves(entries))
        if outcome == "unknown":
            self._doubtful[entries[0].package] = None
        self._tell(DeliveryResult(entries, outcome, reason, is_call=True))
        return outcome == "refused" or self._options.send_after_unknown

    def _learn(self, error: VtexTrackingError | None) -> None:
        self._heed(self._pace.record_result(error), error)

    def _heed(self, seconds: float, error: VtexTrackingError | None) -> None:
        """Do what follows from a call: end, or tell that nobody may call for some seconds."""
        if self._pace.stop_reason:
            self.stop()
        elif seconds > _WORTH_TELLING:
            self._tell(AccountPause(self._account, seconds, str(error)))

    def _tell(self, news: DeliveryResult | AccountPause) -> None:
        with self._telling:
            self._report(news)


def _ids(entries: Iterable[Entry]) -> tuple[int, ...]:
    return tuple(entry.id for entry in entries)


def _in_state(entries: Iterable[Entry], state: State) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries if entry.state == state)
