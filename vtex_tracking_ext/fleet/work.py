"""What one worker does for the packages whose doorbells ring. Knows neither Procrastinate nor asyncio."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.delivery.deliver import AccountDelivery, AccountPause, DeliveryOptions, DeliveryResult
from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES, Selection
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.text import visible

from .pace import FleetPace, NotYet

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext.bulk.journal.entries import PackageKey
    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.client import TrackingClient

    from .pace import PaceStore

#: One line for each call's outcome, each look at an order, and each pause, with package and attempt.
LOG: Final = logging.getLogger("vtex_tracking_ext.fleet")

#: Seconds after which an order is looked at again that may yet show what is in doubt.
LOOK_AGAIN: Final = 5.0

#: Seconds after which a doorbell rings again for a package that has something left which could not be sent now.
_SOON: Final = 1.0


class Work:
    """Drains packages, each account at the pace that all workers share. Thread-safe.

    Args:
        journal: What waits.
        store: Where the paces are.
        client_of: Gives the client of an account by its name in the journal.
        rate: Calls a second to one account, of all workers together, at most.
        options: How to deliver.
        watch: Called with what happens, by one thread at a time for each account.
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

    def drain(self, package: PackageKey) -> None:
        """Do what can be done for a package now.

        Raises:
            NotYet: Something is left that can be done later, with the seconds until then; :class:`~.pace.Quiet` where
                that is so for the whole account.
            ConfigurationError: The account has no credentials here.
            JournalError: The journal cannot be used.
        """
        delivery, pace = self._account(package.account)
        delivery.deliver_package(package)
        looks_again = delivery.pop_recheck(package)
        left = {entry.state for entry in self._journal.entries(Selection(OPEN_STATES, package=package))}
        if left and self._stopped:
            raise NotYet(0, "the worker ends")
        if left and looks_again:
            raise NotYet(LOOK_AGAIN, "the order may yet show what is in doubt")
        if left and pace.quiet():  # what is in doubt, perhaps, and could not be looked at
            raise NotYet(max(_SOON, pace.quiet()), "the account is quiet")
        if left == {"pending"} or "in_flight" in left:
            raise NotYet(_SOON, "something came meanwhile, or could not be sent now")

    def stop(self) -> None:
        """Begin no other call; those on their way are finished."""
        with self._making:
            self._stopped = True
            for delivery, _ in self._accounts.values():
                delivery.stop()

    def close(self) -> None:
        """Report to the other workers what was not reported yet, if that can be done."""
        with suppress(JournalError):
            for _, pace in self._accounts.values():
                pace.flush()

    def _account(self, label: str) -> tuple[AccountDelivery, FleetPace]:
        with self._making:
            if label not in self._accounts:
                client = self._client_of(label).paced()
                pace = FleetPace(label, self._store, self._rate)
                delivery = AccountDelivery(client, self._journal, label, pace, self._tell, self._options)
                if self._stopped:
                    delivery.stop()
                self._accounts[label] = delivery, pace
            return self._accounts[label]

    def _tell(self, news: DeliveryResult | AccountPause) -> None:
        if isinstance(news, AccountPause):
            LOG.warning("%s: no calls for %.0f s: %s", news.account, news.seconds, visible(news.reason, 400))
        else:
            level = logging.INFO if news.outcome == "applied" else logging.WARNING
            LOG.log(
                level,
                "%s: %d %s, attempt %d%s",
                named(news.entries[0].package),
                len(news.entries),
                news.outcome,
                max(entry.attempts for entry in news.entries),
                f": {visible(news.reason, 400)}" if news.reason else "",
            )
        self._watch(news)


def named(package: PackageKey) -> str:
    """Return a package's name in the log."""
    return f"{package.account}, order {package.order_id}, invoice {package.invoice_number}"
