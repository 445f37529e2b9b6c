"""Write what is received to the journal, so that it can be answered: events of carriers, and notifications of VTEX.

Nothing is looked up and nothing is sent here. Events are parked, and :mod:`.processing` finds their orders.
"""

from __future__ import annotations

import datetime as dt
import math
import threading
from concurrent.futures import Future
from itertools import count
from queue import PriorityQueue
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen

from vtex_tracking_ext.bulk.journal.account_name import account_name_of
from vtex_tracking_ext.bulk.journal.interface import BATCH, JournalError, JournalUnavailableError
from vtex_tracking_ext.carriers import CarrierOptions, Reading, read
from vtex_tracking_ext.orders import OrderStore
from vtex_tracking_ext.orders.parked import park_values
from vtex_tracking_ext.orders.sync import receive_notification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.config.webhooks import WebhookCheck

#: Why an event waits that has just come.
_NEW: Final = "its order is being looked up"

#: Webhooks that wait for the journal at most. Their bodies are in memory.
_MOST_WAITING: Final = 1000

#: Bytes of the webhooks that share a transaction. Reading them takes about half a second, while all others wait.
_BATCH_BYTES: Final = 1024 * 1024


@frozen(eq=False)
class ServedAccount:
    """An account that the service serves.

    Attributes:
        client: The client of the account.
        checks: How posts are verified, by the name of the source; :data:`.VTEX_HOOK` is the name of VTEX's hook.
        options: Returns the merchant's settings for a source.
        delivery: How events are sent.
    """

    client: TrackingClient
    checks: Mapping[str, WebhookCheck]
    options: Callable[[str], CarrierOptions] = lambda _: CarrierOptions()
    delivery: DeliveryOptions | None = None

    @property
    def name(self) -> str:
        """The name of the account in addresses, in lower case."""
        return self.client.account.lower()

    @property
    def journal_name(self) -> str:
        """The account as the journal names it."""
        return account_name_of(self.client)


@frozen(eq=False)
class _Webhook:
    """A webhook that is to be stored, and who waits for that.

    Attributes:
        account: The account.
        source: The source.
        body: The body.
        stored: Is given what was read of the body once that is on disk, or the error.
    """

    account: ServedAccount
    source: str
    body: bytes
    stored: Future[Reading] = field(factory=Future)


class Intake:
    """Writes what is received to the journal. Thread-safe.

    One thread stores all webhooks. Those that arrive while it waits for the disk, or for the database, share the next
    transaction. The smallest come first, so that large ones hold only each other back.

    Args:
        journal: The journal, open for writing.

    Attributes:
        problem: Why the journal could not be written to when that was last tried, or an empty text.
    """

    def __init__(self, journal: Journal) -> None:
        self.problem = ""
        self._journal = journal
        #: Each with the length of its body and a number; the last item is None.
        self._waiting: PriorityQueue[tuple[float, int, _Webhook | None]] = PriorityQueue()
        self._numbers = count()
        self._writer = threading.Thread(target=self._run, name="intake", daemon=True)
        self._writer.start()

    def receive_webhook(self, account: ServedAccount, source: str, body: bytes) -> Future[Reading]:
        """Park the events of a webhook. Events that are parked already stay as they are.

        All of them belong to the account whose webhook it is, also if the payload names another one: its sender has
        proved no more.

        Returns:
            What was read, as soon as it is on disk. Its errors are PayloadError if the body is not a payload of the
            source, and JournalError if the journal cannot be used. If it is cancelled, the webhook may be dropped.

        Raises:
            JournalError: Too many webhooks wait, because the journal does not answer.
        """
        if self._waiting.qsize() >= _MOST_WAITING:
            raise JournalUnavailableError("too many webhooks wait for the journal")
        webhook = _Webhook(account, source, body)
        self._waiting.put((len(body), next(self._numbers), webhook))
        return webhook.stored

    def receive_notification(self, account: ServedAccount, body: bytes) -> bool:
        """Record that the order of a notification of VTEX's hook is to be read; see :func:`.receive_notification`.

        Raises:
            InvalidUpdateError: It is not a notification.
            ConfigurationError: It is about an order of another account.
            JournalError: The journal cannot be used.
        """
        return receive_notification(body, OrderStore(self._journal, account.client))

    def check_journal(self) -> None:
        """Check that the journal can be written to.

        Raises:
            JournalError: It cannot.
        """
        self._write([("probe", [{"at": dt.datetime.now(dt.UTC).isoformat()}])])

    def close(self, timeout: float | None = None) -> None:
        """Store what waits, for so many seconds at most. Idempotent."""
        self._waiting.put((math.inf, next(self._numbers), None))
        self._writer.join(timeout)

    def _run(self) -> None:
        webhook: _Webhook | None
        while True:
            webhooks: list[_Webhook] = []
            size = 0
            while not webhooks or (size < _BATCH_BYTES and len(webhooks) < BATCH and not self._waiting.empty()):
                _, _, webhook = self._waiting.get()
                if webhook is None:
                    self._store(webhooks)
                    return
                if webhook.stored.set_running_or_notify_cancel():  # otherwise, nobody waits for it any more
                    webhooks.append(webhook)
                    size += len(webhook.body)
            self._store(webhooks)

    def _store(self, webhooks: Iterable[_Webhook]) -> None:
        """Park the events of webhooks in one transaction."""
        readings: list[tuple[_Webhook, Reading]] = []
        values: list[dict[str, Any]] = []
        for webhook in webhooks:
            try:
                reading, events = self._read(webhook)
            except Exception as error:  # noqa: BLE001 - raised for the post whose webhook it is
                webhook.stored.set_exception(error)
            else:
                readings.append((webhook, reading))
                values += events
        try:
            if values:
                self._write([("park", values)])
        except Exception as error:  # noqa: BLE001 - raised for each post
            for webhook, _ in readings:
                webhook.stored.set_exception(error)
        else:
            for webhook, reading in readings:
                webhook.stored.set_result(reading)

    def _write(self, statements: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> None:
        try:
            self._journal.execute(statements)
        except JournalError as error:
            self.problem = str(error)
            raise
        self.problem = ""

    def _read(self, webhook: _Webhook) -> tuple[Reading, list[dict[str, Any]]]:
        """Return what is read of a webhook, and the events to park."""
        account, source = webhook.account, webhook.source
        options = account.options(source)
        reading = read(source, webhook.body, options=options)
        store = OrderStore(self._journal, account.client)
        events = [(evolve(each, account=account.client.account), _NEW) for each in reading.events]
        keep = dt.timedelta(seconds=options.park)
        return reading, park_values(store, events, f"{source} webhook", dt.datetime.now(dt.UTC), keep)
