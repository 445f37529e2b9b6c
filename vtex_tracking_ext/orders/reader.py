"""Reads orders of one account at its pace, and saves what they show, for :mod:`.sync` and :mod:`.backfill`."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - keeps the annotations resolvable
import math
import time
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import Factory, define

from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.delivery.paced import CancelledError, PacedCalls
from vtex_tracking_ext.bulk.journal.entries import AccountUpdate
from vtex_tracking_ext.bulk.journal.interface import Journal, JournalError
from vtex_tracking_ext.config.defaults import DEFAULT_READ_RATE
from vtex_tracking_ext.errors import InvalidUpdateError, NotFoundError, VtexTrackingError

from .to_read import OrdersToRead

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext.bulk.delivery.calls import AccountPause
    from vtex_tracking_ext.client import TrackingClient

    from .store import OrderStore
    from .to_read import Request

T = TypeVar("T")

#: Seconds after which the journal is asked again whether another process met a limit of the account.
_QUIET_INTERVAL: Final = 5.0


@define
class Synced:
    """What a run read and saved.

    Attributes:
        read: Orders that were read and saved.
        known: Items and requests whose order had been read since the change, so that it was not read again.
        missing: Orders that VTEX does not have.
        items: Items of the feed that were taken.
        committed: Those of them that were committed.
        listed: Orders that a backfill found in the list.
        unlisted: Orders that are in the list but could not be listed.
        failed: Orders that could not be read, and why. They are read again by a later run.
        is_configured: Whether the run configured the feed.
        until: The last moment of invoicing up to which a backfill read orders, if its period ends later; or None.
        error: Why the run ended early, or None. What it did not do is left for a later run.
    """

    read: int = 0
    known: int = 0
    missing: int = 0
    items: int = 0
    committed: int = 0
    listed: int = 0
    unlisted: int = 0
    failed: dict[str, str] = Factory(dict)
    is_configured: bool = False
    until: dt.datetime | None = None
    error: VtexTrackingError | None = None

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do."""
        return not (self.failed or self.unlisted or self.error)

    @property
    def is_cancelled(self) -> bool:
        """Whether the run was cancelled."""
        return isinstance(self.error, CancelledError)


class OrderReader:
    """Reads orders of one account, and saves them.

    The pace continues with what the journal knows of the account. While the journal says that the account must not be
    called, no call is made; and after a 429, the journal says so to other processes.

    Args:
        client: The client.
        store: Where the orders are saved. Its journal must be open for writing.
        pace: The pace of the account, if other calls of this process share it.
        on_pause: Called with each pause.

    Attributes:
        account: The account as the journal names it.
        to_read: The orders that are still to be read.
        synced: What was read and saved so far.
        pace: The pace.

    Raises:
        ConfigurationError: The store does not know the client's account, or its journal was opened for reading.
    """

    def __init__(
        self,
        client: TrackingClient,
        store: OrderStore,
        pace: Pace | None = None,
        on_pause: Callable[[AccountPause], object] | None = None,
    ) -> None:
        self.account = store.journal_account(client.account)
        self.to_read = OrdersToRead(store.journal, self.account)
        self.synced = Synced()
        self._store = store
        self._plain_account = client.account
        self._on_pause = on_pause
        self._checked = time.monotonic()
        record = store.journal.account(self.account)
        if pace is None:
            pace = Pace(rate=DEFAULT_READ_RATE)
            if record is not None:
                pace.resume(record.pace)
        if record is not None and record.quiet_seconds:
            pace.pause(record.quiet_seconds)
        self.pace = pace
        self._calls = PacedCalls(client, pace, self.account, self._paused)

    def call(self, function: Callable[[TrackingClient], T]) -> T:
        """Make a call when the account may be called, and again after a 429.

        Raises:
            VtexTrackingError: The call failed, or no call may be made any more.
        """
        if time.monotonic() - self._checked > _QUIET_INTERVAL:
            self._checked = time.monotonic()
            record = self._store.journal.account(self.account)
            if record is not None and record.quiet_seconds:
                self.pace.pause(record.quiet_seconds)
        return self._calls.call(function)

    def read(self, request: Request, status: str = "") -> bool:
        """Read an order and save it, with the status that it has reached, if that is known.

        Returns:
            Whether nothing is left to do: it was saved, or VTEX does not have it.

        Raises:
            VtexTrackingError: No call may be made any more.
        """
        order_id = request.order_id
        try:
            packages = self._store.read_order(order_id, lambda: self.call(lambda client: client.get_packages(order_id)))
        except (NotFoundError, InvalidUpdateError):  # no order has an invalid id
            self.to_read.remove(request)
            self.synced.missing += 1
        except JournalError:
            raise
        except VtexTrackingError as error:
            if self.pace.stop_reason or isinstance(error, CancelledError):
                raise
            self.synced.failed[order_id] = error.reason
            return False
        else:
            also = self.to_read.was_read(request)
            self._store.save_order(self._plain_account, order_id, packages, status, also)
            self.synced.read += 1
        self.synced.failed.pop(order_id, None)
        return True

    def read_requested(self, seconds: float = math.inf) -> bool:
        """Read the orders that are to be read, except those that failed in this run.

        Args:
            seconds: Begin no reading after so many seconds.

        Returns:
            Whether nothing was left because of that.

        Raises:
            VtexTrackingError: No call may be made any more.
        """
        end = time.monotonic() + seconds
        requests = self.to_read.requests()
        changes = self.to_read.changes_read(request.order_id for request in requests)
        for request in requests:
            if time.monotonic() > end:
                return False
            if request.is_read(changes):
                self.to_read.remove(request)
                self.synced.known += 1
            elif request.order_id not in self.synced.failed:
                self.read(request)
        return True

    def _paused(self, pause: AccountPause) -> None:
        """Report a pause, and say so to other processes, unless one of them delivers the account and will see it."""
        journal = self._store.journal
        assert isinstance(journal, Journal)  # noqa: S101 - OrdersToRead checked that
        with journal.lease(self.account) as lease:
            if lease is not None:
                record = lease.record
                lease.update_account(
                    AccountUpdate(
                        stopped_reason=record.stopped_reason,
                        quiet_seconds=pause.seconds,
                        quiet_reason=pause.reason,
                        resend_after=record.resend_after,
                        pace=record.pace,
                    )
                )
        if self._on_pause is not None:
            self._on_pause(pause)
