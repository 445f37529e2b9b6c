"""Send a plan: packages side by side, each package's calls in order, and say of every call what became of it."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from vtex_tracking_ext.errors import (
    AuthenticationError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    VtexTrackingError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.events import TrackingReceipt

    from .pace import Pace
    from .plan import PackagePlan, PlannedUpdate

Outcome = Literal["applied", "refused", "unknown", "pending"]

#: Errors after which no other call of the account can fare better.
_STOPPERS: Final = (AuthenticationError, PermissionDeniedError, NotSentError)

#: Packages that are on their way at once, unless told otherwise: the account's limit is shared with the merchant.
DEFAULT_CONCURRENCY: Final = 4


@frozen
class Result:
    """What became of one planned call.

    Attributes:
        planned: The call and its rows.
        outcome: ``applied``; ``refused``; ``unknown``; or ``pending``, that is not sent.
        receipt: VTEX's receipt, where it was applied.
        error: Why it was not, or what is not known.
        reason: The error in words, or why the call was not tried.
    """

    planned: PlannedUpdate
    outcome: Outcome
    receipt: TrackingReceipt | None = None
    error: VtexTrackingError | None = None
    reason: str = ""


class Delivery:
    """One run over a plan. Stops early where going on is pointless, or when told to.

    Args:
        client: Sends the updates. It should not repeat a 429 itself, because the pause is for all packages.
        pace: Keeps all packages from calling while the account is over its limit.
        report: Called with each result as it becomes known, by one thread at a time.
    """

    def __init__(self, client: TrackingClient, pace: Pace, report: Callable[[Result], None]) -> None:
        self._client = client
        self._pace = pace
        self._report = report
        self._reporting = threading.Lock()
        self._stopped = threading.Event()
        self._stop_reason = ""
        self.stopped_by: VtexTrackingError | None = None

    def stop(self, reason: str) -> None:
        """Begin no other call; those on their way are finished."""
        if not self._stopped.is_set():
            self._stop_reason = reason
            self._stopped.set()
            self._pace.cancel()

    def run(self, packages: Iterable[PackagePlan], concurrency: int = DEFAULT_CONCURRENCY) -> None:
        """Deliver every package; returns when the fate of each call has been reported.

        Raises:
            KeyboardInterrupt: The user interrupted; what was on its way has been finished and reported first.
        """
        with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="deliver") as pool:
            waiting = {pool.submit(self.drain, package) for package in packages}
            try:
                self._await(waiting)
            except KeyboardInterrupt:
                self.stop("interrupted")
                self._await(waiting)
                raise

    @staticmethod
    def _await(waiting: set[Future[None]]) -> None:
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()

    def drain(self, package: PackagePlan) -> None:
        """Send one package's calls in order. A refusal does not stop those after it, an unknown outcome does."""
        held = ""
        for planned in package.updates:
            result = Result(planned, "pending", reason=held) if held else self._send(planned)
            if result.outcome == "unknown":
                held = "an earlier call of this package may have been applied or not; settle it first"
            with self._reporting:
                self._report(result)

    def _send(self, planned: PlannedUpdate) -> Result:
        """Send one call, waiting while the account is over its limit."""
        while True:
            self._pace.wait()
            if self._stopped.is_set():
                return Result(planned, "pending", error=self.stopped_by, reason=self._stop_reason)
            try:
                receipt = self._client.send(planned.update)
            except RateLimitedError as error:
                if not self._pace.freeze(error.retry_after):
                    self.stop(f"the account stays over its limit: {error}")
                    return Result(planned, "pending", error=error, reason=self._stop_reason)
            except _STOPPERS as error:
                self.stopped_by = error
                self.stop(str(error))
                return Result(planned, "pending", error=error, reason=str(error))
            except OutcomeUnknownError as error:
                return Result(planned, "unknown", error=error, reason=str(error))
            except VtexTrackingError as error:
                return Result(planned, "refused", error=error, reason=str(error))
            else:
                self._pace.went_well()
                return Result(planned, "applied", receipt=receipt)
