"""What a worker does for a package. Independent of Procrastinate and asyncio."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
from vtex_tracking_ext.bulk.delivery.deliver import AccountDelivery
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES, Selection
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.text import visible

from .pace import FleetPace, RetryLater

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext.bulk.journal.entries import PackageKey
    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.client import TrackingClient

    from .pace import PaceStore

#: One line for each outcome of a call or of reading an order, with package and attempt, and for each pause.
LOG: Final = logging.getLogger("vtex_tracking_ext.fleet")

#: Seconds after which an order is read again that may not show an update yet.
RECHECK_SECONDS: Final = 5.0

#: Seconds after which a package with entries that could not be sent is retried.
_RETRY_SECONDS: Final = 1.0


class Work:
    """Delivers packages, each account at the pace that all workers share. Thread-safe.

    Args:
        journal: The journal.
        store: Stores the paces.
        client_of: Returns the client of an account as the journal names it.
        rate: Maximum calls a second to one account, all workers together.
        options: How to deliver.
        watch: Called with each result and pause, by one thread at a time for each account.
    """

    def __init__(
        self,
        journal: Journal,
        store: PaceStore,
        client_of: Callable[[str], TrackingClient],
        rate: float,
        options: DeliveryOptions,
        watch: Callable[[DeliveryResult | AccountPause], None],
    ) -> None:
        self._journal = journal
        self._store = store
        self._client_of = client_of
        self._rate = rate
        self._options = options
        self._watch = watch
        self._making = threading.Lock()
        self._accounts: dict[str, tuple[AccountDelivery, FleetPace]] = {}
        self._stopped = False

    def process(self, package: PackageKey) -> None:
        """Deliver the entries of a package that can be delivered now.

        Raises:
            RetryLater: Entries remain that can be delivered later, with the seconds until then;
                :class:`~.pace.AccountPaused` if the whole account is paused.
            ConfigurationError: The account has no credentials here.
            JournalError: The journal cannot be used.
        """
        delivery, pace = self._account(package.account)
        delivery.deliver_package(package)
        looks_again = delivery.pop_recheck(package)
        left = {entry.state for entry in self._journal.entries(Selection(OPEN_STATES, package=package))}
        if left and self._stopped:
            raise RetryLater(0, "the worker is stopping")
        if left and looks_again:
            raise RetryLater(RECHECK_SECONDS, "the order may not show the update yet")
        if left and pace.pause_seconds():  # perhaps an unknown outcome could not be checked
            raise RetryLater(max(_RETRY_SECONDS, pace.pause_seconds()), "the account is paused")
        if left == {"pending"} or "in_flight" in left:
            raise RetryLater(_RETRY_SECONDS, "entries were added, or could not be sent")

    def stop(self) -> None:
        """Start no more calls; those in flight are finished."""
        with self._making:
            self._stopped = True
            for delivery, _ in self._accounts.values():
                delivery.stop()

    def close(self) -> None:
        """Report the remaining results to the other workers, if possible."""
        with suppress(JournalError):
            for _, pace in self._accounts.values():
                pace.flush()

    def _account(self, label: str) -> tuple[AccountDelivery, FleetPace]:
        with self._making:
            if label not in self._accounts:
                client = self._client_of(label).paced()
                pace = FleetPace(label, self._store, self._rate)
                delivery = AccountDelivery(client, self._journal, label, pace, self._log, self._options)
                if self._stopped:
                    delivery.stop()
                self._accounts[label] = delivery, pace
            return self._accounts[label]

    def _log(self, news: DeliveryResult | AccountPause) -> None:
        if isinstance(news, AccountPause):
            LOG.warning("%s: paused for %.0f s: %s", news.account, news.seconds, visible(news.reason, 400))
        else:
            level = logging.INFO if news.outcome == "applied" else logging.WARNING
            LOG.log(
                level,
                "%s: %d %s, attempt %d%s",
                package_name(news.entries[0].package),
                len(news.entries),
                news.outcome,
                max(entry.attempts for entry in news.entries),
                f": {visible(news.reason, 400)}" if news.reason else "",
            )
        self._watch(news)


def package_name(package: PackageKey) -> str:
    """Return the name of a package in the log."""
    return f"{package.account}, order {package.order_id}, invoice {package.invoice_number}"
