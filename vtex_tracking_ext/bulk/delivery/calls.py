"""The calls of one account, at its pace: sending a package's pending entries, and reading an order."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from attrs import frozen

from vtex_tracking_ext.bulk.journal.entries import AccountUpdate
from vtex_tracking_ext.call.order_lookup import can_be_explained, explain_refusal
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
from .pace import MAX_TURN_AGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vtex_tracking_ext.bulk.journal.entries import Entry, Outcome, PackageKey
    from vtex_tracking_ext.bulk.journal.interface import Journal, Lease
    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.events import Package, TrackingReceipt

    from .invoices import InvoiceLookups
    from .options import DeliveryOptions
    from .pace import Pace

#: Seconds to the next call after which an outcome that was deferred is recorded at once.
_LONGEST_DEFERRAL: Final = 0.5

#: Seconds after a turn in which the lease may have been lost and taken by another process, without being noticed.
_MAX_LEASE_AGE: Final = 10.0

#: Seconds after which what was learned is recorded also while calls succeed, for the command status.
_SAVE_INTERVAL: Final = 10.0

#: Seconds of a pause that is worth reporting.
_REPORTED_PAUSE: Final = 0.5

#: Statuses that can be one event's fault: bad request, content too large, unprocessable. Not 404 and 409, which are
#: about the order or the invoice, and so about all events.
_ONE_EVENTS_FAULT: Final = frozenset({400, 413, 422})

#: Errors of a call that was certainly not applied, and whose entries can be sent again later.
_NOT_APPLIED: Final = (RateLimitedError, AuthenticationError, PermissionDeniedError, NotSentError, ConfigurationError)


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


class AccountCalls:
    """Makes the calls of one account while this process holds its lease, and records their outcomes. Thread-safe.

    Args:
        client: Sends the updates.
        journal: The journal.
        lease: The lease.
        pace: Limits the calls of all packages together. It resumes what is on record of the account.
        report: Called with outcomes and pauses; thread-safe.
        options: How to deliver.
        invoices: Reads the orders of updates that VTEX refused.

    Attributes:
        lease: As given.
        pace: As given; it says why the account was stopped.
        calls: Updates that were sent, refused ones included.
        reads: Orders that were read.
        unknown_packages: Packages with a call of unknown outcome.
    """

    def __init__(
        self,
        client: TrackingClient,
        journal: Journal,
        lease: Lease,
        pace: Pace,
        report: Callable[[DeliveryResult | AccountPause], None],
        options: DeliveryOptions,
        invoices: InvoiceLookups,
    ) -> None:
        self._client = client
        self._journal = journal
        self._invoices = invoices
        self.lease = lease
        self._report = report
        self._options = options
        self._lock = threading.Lock()
        record = lease.record
        self._stopped_reason, self._pause_reason = record.stopped_reason, record.quiet_reason
        self._has_applied = False
        self._saved = time.monotonic()
        self.pace = pace
        self.pace.resume(record.pace, record.quiet_seconds, is_probing=bool(record.stopped_reason))
        self.calls = 0
        self.reads = 0
        self.unknown_packages: set[PackageKey] = set()

    def send_package(self, pending: Sequence[Entry]) -> None:
        """Send a package's pending entries, in order.

        A refusal does not hold later events; an unknown outcome does, unless the options say otherwise.
        """
        for batch in batches(pending, self._options.events_per_call):
            if not self._send(batch):
                return

    def read_order(self, order_id: str) -> tuple[Package, ...] | VtexTrackingError | None:
        """Return an order's packages, or why they cannot be read, or None if no call may be made any more."""
        while self._wait_for_turn():
            with self._lock:
                self.reads += 1
            try:
                packages = self._client.get_packages(order_id)
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

    def save(self) -> None:
        """Record what was learned about the account, and deferred outcomes."""
        self._saved = time.monotonic()
        self.lease.flush()
        quiet = self.pace.delay()  # also a short one: the next call may be made by another process
        with self._lock:
            has_applied, self._has_applied = self._has_applied, False
        self.lease.update_account(
            AccountUpdate(
                stopped_reason=self.pace.stop_reason or self._stopped_reason,
                quiet_seconds=quiet,
                quiet_reason=self._pause_reason if quiet > _REPORTED_PAUSE else "",
                has_applied=has_applied,
                resend_after=self._options.resend_after,
                pace=self.pace.learned(),
            )
        )

    def _send(self, batch: Sequence[Entry]) -> bool:
        """Send a batch, waiting while the account is over its limit, and return whether to go on with the package."""
        was_postponed = False
        while True:
            if not self._wait_for_turn():
                return False
            # On disk before the request leaves: whatever happens from here on, it is known that it may have been sent.
            batch = self.lease.begin(batch)
            if not batch:
                return True
            # The journal was slow, also for other threads whose turns have passed; or this process was stopped for a
            # while and may have lost its lease, which the next begin() shows. With a consistently slow journal, the
            # calls are spread out anyway: postponing once is enough.
            age = self.pace.turn_age()
            if age > MAX_TURN_AGE and (not was_postponed or age > _MAX_LEASE_AGE):
                self.lease.settle(batch, "pending")
                was_postponed = True
                continue
            with self._lock:
                self.calls += 1
            try:
                receipt = _checked_receipt(self._client.send(build_update(batch)))
            except VtexTrackingError as error:
                goes_on = self._record_failure(batch, error)
                if goes_on is not None:
                    return goes_on
            else:
                self.lease.settle(batch, "applied", receipt=receipt.receipt, is_deferred=True)
                self._has_applied = True
                self._record_result(None)
                self._report(DeliveryResult(batch, "applied", "", is_call=True))
                if self._stopped_reason or time.monotonic() - self._saved > _SAVE_INTERVAL:
                    self._stopped_reason = ""
                    self.save()
                return True

    def _record_failure(self, entries: tuple[Entry, ...], error: VtexTrackingError) -> bool | None:
        """Record a failed call, and return whether to go on with the package; None to send the same batch again."""
        reason, status = error.reason, getattr(error, "status_code", None)
        is_one_events_fault = status in _ONE_EVENTS_FAULT or isinstance(error, InvalidUpdateError)
        outcome: Outcome = "refused"
        if isinstance(error, _NOT_APPLIED) or (is_one_events_fault and len(entries) > 1):
            outcome = "pending"
        elif isinstance(error, OutcomeUnknownError):
            outcome = "unknown"
        seconds = self.pace.record_result(error)  # first: other threads must not begin a call meanwhile
        self.lease.settle(entries, outcome, status_code=status, reason=reason)
        self._record_pause(seconds, error)
        if isinstance(error, _NOT_APPLIED):
            return None if isinstance(error, RateLimitedError) else False
        if outcome == "pending":
            return all(self._send(half) for half in halves(entries))
        if outcome == "unknown":
            self.unknown_packages.add(entries[0].package)
        if isinstance(error, RefusedError) and can_be_explained(error):
            reason = self._explain(entries, error)
        self._report(DeliveryResult(entries, outcome, reason, is_call=True))
        return outcome == "refused" or self._options.send_after_unknown

    def _explain(self, entries: tuple[Entry, ...], error: RefusedError) -> str:
        """Return the reason of a refusal with what its order shows of the invoice, if it can be read, and record it."""
        package = entries[0].package
        packages = self._invoices.packages(package.order_id, self.read_order)
        if packages is None:
            return error.reason
        explained = explain_refusal(error, package.order_id, package.invoice_number, packages)
        if explained != error.reason:
            self._journal.explain(entries, explained)
        return explained

    def _wait_for_turn(self) -> bool:
        """Wait until a call may be made, and return whether it may; deferred outcomes do not wait for long."""
        if self.lease.deferred and self.pace.delay() > _LONGEST_DEFERRAL:
            self.lease.flush()
        return self.pace.wait_for_turn()

    def _record_result(self, error: VtexTrackingError | None) -> None:
        self._record_pause(self.pace.record_result(error), error)

    def _record_pause(self, seconds: float, error: VtexTrackingError | None) -> None:
        """Record and report a pause of so many seconds, unless the account was stopped."""
        if seconds > _REPORTED_PAUSE and not self.pace.stop_reason:
            self._pause_reason = "" if error is None else error.reason
            self.save()
            self._report(AccountPause(self.lease.account, seconds, self._pause_reason))


def _checked_receipt(receipt: TrackingReceipt) -> TrackingReceipt:
    """Return a receipt that VTEX's response confirms.

    A firewall's block page or a login page can have the status 200 too. Unlike a client's caller, a delivery can read
    the order later.

    Raises:
        OutcomeUnknownError: The response has no readable receipt, or the receipt of another order.
    """
    if receipt.note:
        raise OutcomeUnknownError(f"The response does not confirm the update: {receipt.note}.")
    return receipt
