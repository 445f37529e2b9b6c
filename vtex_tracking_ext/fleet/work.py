"""What a worker does for an account: deliver it for some seconds. Independent of Procrastinate and asyncio."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.delivery.deliver import AccountDelivery
from vtex_tracking_ext.bulk.delivery.log import log_result
from vtex_tracking_ext.config.defaults import WORKER_CONCURRENCY
from vtex_tracking_ext.errors import VtexTrackingError
from vtex_tracking_ext.text import REASON_LENGTH, visible

from .threads import SharedThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
    from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
    from vtex_tracking_ext.client import TrackingClient

#: One line for each outcome of a call or of reading an order, with package and attempt, and for each pause and stop.
LOG: Final = logging.getLogger("vtex_tracking_ext.fleet")

#: Seconds for which an account is delivered before it gives way to the others.
SLICE_SECONDS: Final = 30.0

_ADD_TASK: Final = "SELECT vtex_tracking_add_task(%s, %s)"


class Work:
    """Delivers accounts, each for a slice of time, and adds a task if something is left. Thread-safe.

    Args:
        journal: The journal, with the fleet's tables.
        client_of: Returns the client of an account as the journal names it.
        rate: Maximum calls a second to one account.
        options: The accounts to deliver, as the journal names them, and how.
        watch: Called with each result and pause, by one thread at a time for each account.
        concurrency: Number of threads for all accounts together.

    Attributes:
        options: As given.
        concurrency: As given.
    """

    def __init__(
        self,
        journal: PostgresJournal,
        client_of: Callable[[str], TrackingClient],
        rate: float,
        options: Mapping[str, DeliveryOptions],
        watch: Callable[[DeliveryResult | AccountPause], None],
        concurrency: int = WORKER_CONCURRENCY,
    ) -> None:
        self.options = options
        self.concurrency = concurrency
        self._journal = journal
        self._client_of = client_of
        self._rate = rate
        self._watch = watch
        self._threads = SharedThreads(concurrency)
        self._lock = threading.Lock()
        self._running: set[AccountDelivery] = set()
        self._stopped = False

    def start(self, account: str) -> Future[None]:
        """Start to deliver an account, as soon as there is a thread for it. Errors are logged."""
        return self._threads.start(partial(self._deliver, account))

    def stop(self) -> None:
        """Start no more calls; those in flight are finished."""
        with self._lock:
            self._stopped = True
            for delivery in self._running:
                delivery.stop()

    def close(self) -> None:
        """Wait until all deliveries have ended."""
        self._threads.close()

    def _deliver(self, account: str) -> None:
        try:
            seconds = self._deliver_slice(account)
            if seconds is not None:
                with self._journal.connections.connection() as connection:
                    connection.execute(_ADD_TASK, (account, seconds))
        except VtexTrackingError as error:  # the next sweep adds a task
            LOG.warning("%s: failed, will be retried: %s", account, visible(str(error), REASON_LENGTH))
        except Exception:
            LOG.exception("%s: failed, will be retried", account)

    def _deliver_slice(self, account: str) -> float | None:
        """Deliver an account for some seconds; return after how many it is to be continued, or None if not known.

        A process that delivers it instead looks for new entries at its end.
        """
        client = self._client_of(account).paced()
        delivery = AccountDelivery(
            client,
            self._journal,
            account,
            self._log,
            self.options[account],
            rate=self._rate,
            run_threads=self._threads.run_work,
        )
        with self._lock:
            if self._stopped:
                return 0.0
            self._running.add(delivery)
        try:
            delivery.run()
        finally:
            with self._lock:
                self._running.remove(delivery)
        if delivery.taken_by:
            return None
        if delivery.pace.stop_reason:
            LOG.warning("%s: stopped: %s", account, visible(delivery.pace.stop_reason, REASON_LENGTH))
        return 0.0 if self._stopped else delivery.next_due

    def _log(self, result: DeliveryResult | AccountPause) -> None:
        log_result(LOG, result)
        self._watch(result)
