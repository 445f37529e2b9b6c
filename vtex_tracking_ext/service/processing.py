"""What happens to what was received, one thread for each account: read orders, find packages, and send.

An account that VTEX does not answer, or that is paused, holds no other account back.
"""

from __future__ import annotations

import logging
import math
import threading
from contextlib import contextmanager
from time import monotonic, thread_time
from typing import TYPE_CHECKING, Final

from attrs import evolve

from vtex_tracking_ext.bulk.delivery.deliver import AccountDelivery
from vtex_tracking_ext.bulk.delivery.log import log_result
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.config.defaults import DEFAULT_RATE, DEFAULT_READ_RATE
from vtex_tracking_ext.errors import VtexTrackingError
from vtex_tracking_ext.orders import OrderStore, unpark
from vtex_tracking_ext.orders.reader import OrderReader
from vtex_tracking_ext.text import REASON_LENGTH, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.events import Package
    from vtex_tracking_ext.orders import Unparked
    from vtex_tracking_ext.orders.rows import PackageReader

    from .intake import ServedAccount

LOG: Final = logging.getLogger("vtex_tracking_ext.service")

#: Seconds for which an account's orders are read, its events are looked up, or sent, before it is the turn of the rest.
SLICE_SECONDS: Final = 10.0

#: Seconds after which an account looks for what other processes noted in the journal, or imported.
INTERVAL: Final = 5.0

#: Seconds after which an account is called again that could not be called, for example because of a 403.
REST_SECONDS: Final = 600.0

#: Seconds for which an account waits for more posts after one: a few large transactions take less time than many.
_GATHER_SECONDS: Final = 0.25

#: Seconds after an error of the journal.
_RETRY_SECONDS: Final = 5.0

#: Seconds after which all parked events are tried again, and those after which they are if an order was read. If that
#: takes much CPU time, this many times as much, so that it takes at most 5 % of a processor.
_RETRY_ALL_SECONDS: Final = 60.0
_SOONEST_RETRY: Final = 5.0
_RETRY_FACTOR: Final = 20

#: Events whose orders are looked up at once. Orders that are not known may have to be read, one after the other.
_LOOKED_UP: Final = 100

#: Seconds that reading an order waits for its turn at most.
_LONGEST_WAIT: Final = 2.0


class AccountProcessing:
    """Processes one account in a thread of its own, until it is stopped.

    Args:
        account: The account.
        journal: The journal, open for writing.
        delivers: Whether to send. Otherwise, workers or pushes send what is noted.
        rate: Most calls a second.
        report: Called with the outcome of each call, and with each pause.
        on_unparked: Called with the account and the outcome for parked events.
        interval: See :data:`INTERVAL`.
    """

    def __init__(
        self,
        account: ServedAccount,
        journal: Journal,
        *,
        delivers: bool = True,
        rate: float = DEFAULT_RATE,
        report: Callable[[DeliveryResult | AccountPause], object] = lambda _: None,
        on_unparked: Callable[[str, Unparked], object] = lambda _, __: None,
        interval: float = INTERVAL,
    ) -> None:
        self._account = account
        self._name = account.journal_name
        self._journal = journal
        self._store = OrderStore(journal, account.client)
        self._delivers = delivers
        self._rate = rate
        self._report = report
        self._on_unparked = on_unparked
        self._interval = interval
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._cancel: Callable[[], object] = _nothing
        #: Until when VTEX is not called, and when there is something to send; of the monotonic clock.
        self._rests_until = 0.0
        self._due = math.inf
        self._revision: int | None = None
        #: The last parked event that was tried, whether more orders are known since all were tried again, and the last
        #: one that was tried again if that is not finished; when it was, and the CPU time that it took.
        self._tried = 0
        self._knows_more = False
        self._position: int | None = None
        self._retried_at = monotonic()
        self._retry_took = 0.0
        self._thread = threading.Thread(target=self._run, name=f"account {self._name}", daemon=True)

    def start(self) -> None:
        """Start processing."""
        self._thread.start()

    def wake(self) -> None:
        """Process now: something was received."""
        self._woken.set()

    def stop(self) -> None:
        """Begin no other call. Idempotent."""
        with self._lock:
            self._stopped.set()
            self._cancel()
        self._woken.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the calls in progress are finished."""
        self._thread.join(timeout)

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._woken.clear()
            if self._stopped.is_set():  # looked at after that, because stopping wakes up, too
                return
            seconds = _RETRY_SECONDS
            try:
                seconds = self.process()
            except VtexTrackingError as error:  # of the journal, or of the settings
                LOG.warning("%s: failed, will be retried: %s", self._name, visible(str(error), REASON_LENGTH))
            except Exception:
                LOG.exception("%s: failed, will be retried", self._name)
            if self._woken.wait(seconds):
                self._stopped.wait(_GATHER_SECONDS)

    def process(self) -> float:
        """Do what can be done now, each for some seconds, and return after how many seconds to go on.

        Raises:
            JournalError: The journal cannot be used.
            ConfigurationError: Settings for a source cannot be used.
        """
        is_complete = self._read_and_look_up()
        if self._delivers and not self._stopped.is_set() and self._name not in self._journal.served_accounts():
            self._deliver()
        seconds = self._due - monotonic() if is_complete else 0.0
        return min(self._interval, max(0.0, seconds))

    def _read_and_look_up(self) -> bool:
        """Read orders, find the packages of parked events, and return whether nothing was left for lack of time."""
        record = self._journal.account(self._name)
        seconds = max(record.quiet_seconds if record else 0.0, self._rests_until - monotonic())
        if seconds > 0 or self._stopped.is_set():  # what is known is enough for most events
            return self._look_up(None)
        pace = Pace(rate=min(self._rate, DEFAULT_READ_RATE), longest_wait=_LONGEST_WAIT)
        if record is not None:
            pace.resume(record.pace)
        reader = OrderReader(self._account.client, self._store, pace, self._log)
        is_complete = True
        with self._cancelled_by(pace.cancel):
            try:
                is_complete = reader.read_requested(SLICE_SECONDS)
            except VtexTrackingError as error:
                if not (pace.stop_reason or pace.quiet_seconds or self._stopped.is_set()):
                    raise
                LOG.warning("%s: no orders are read: %s", self._name, visible(str(error), REASON_LENGTH))
            for order_id, reason in reader.synced.failed.items():
                LOG.warning("%s, order %s: not read: %s", self._name, visible(order_id), visible(reason, REASON_LENGTH))
            self._knows_more |= reader.synced.read > 0

            def read_packages(_: str, order_id: str) -> Sequence[Package]:
                return reader.call(lambda client: client.get_packages(order_id))

            is_complete = self._look_up(read_packages) and is_complete
        if pace.stop_reason:
            LOG.warning("%s: stopped: %s", self._name, visible(pace.stop_reason, REASON_LENGTH))
            self._rests_until = monotonic() + REST_SECONDS
        return is_complete

    def _look_up(self, read_packages: PackageReader | None) -> bool:
        """Find the packages of new parked events, and then of the others if that is due, for some seconds.

        Returns:
            Whether nothing was left for lack of time.
        """
        end = monotonic() + SLICE_SECONDS
        has_more = True
        while has_more:
            unparked = self._unpark(self._tried, read_packages)
            self._tried, has_more = max(self._tried, unparked.last), unparked.has_more
            if has_more and self._is_over(end):
                return False
        pause = _SOONEST_RETRY if self._knows_more else _RETRY_ALL_SECONDS
        if self._position is None and monotonic() >= self._retried_at + max(pause, _RETRY_FACTOR * self._retry_took):
            self._position, self._retry_took, self._knows_more = 0, 0.0, False
        while self._position is not None:
            if self._is_over(end):
                return False
            began = thread_time()
            unparked = self._unpark(self._position, read_packages)
            self._position = unparked.last if unparked.has_more else None
            self._retry_took += thread_time() - began
            self._retried_at = monotonic()
        return True

    def _unpark(self, after: int, read_packages: PackageReader | None) -> Unparked:
        options = self._account.options
        unparked = unpark(self._store, read_packages=read_packages, options=options, after=after, limit=_LOOKED_UP)
        self._on_unparked(self._name, unparked)
        return unparked

    def _is_over(self, end: float) -> bool:
        """Return whether it is time for other work, or for none."""
        return self._stopped.is_set() or monotonic() > end

    def _deliver(self) -> None:
        """Send what is pending for some seconds, if there is anything."""
        revision, now = self._journal.revision(self._name), monotonic()
        if now < self._rests_until or (revision == self._revision and now < self._due):
            return
        options = evolve(self._account.delivery or DeliveryOptions(), slice_seconds=SLICE_SECONDS)
        delivery = AccountDelivery(
            self._account.client.paced(), self._journal, self._name, self._log, options, rate=self._rate
        )
        with self._cancelled_by(delivery.stop):
            delivery.run()
        now = monotonic()
        if delivery.pace.stop_reason:
            LOG.warning("%s: stopped: %s", self._name, visible(delivery.pace.stop_reason, REASON_LENGTH))
            self._rests_until = now + REST_SECONDS
        self._due = math.inf if delivery.next_due is None else now + delivery.next_due
        self._revision = None if delivery.taken_by or self._stopped.is_set() else revision

    @contextmanager
    def _cancelled_by(self, cancel: Callable[[], object]) -> Iterator[None]:
        """Let :meth:`stop` call a function while the block runs."""
        with self._lock:
            self._cancel = cancel
            if self._stopped.is_set():
                cancel()
        try:
            yield
        finally:
            with self._lock:
                self._cancel = _nothing

    def _log(self, result: DeliveryResult | AccountPause) -> None:
        log_result(LOG, result)
        self._report(result)


def _nothing() -> None:
    """Do nothing."""
