"""Deliver the pending entries of several accounts, each in a thread and at its own pace; and plan such a delivery."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from attrs import frozen

from vtex_tracking_ext.bulk.journal.entries import Held
from vtex_tracking_ext.bulk.journal.interface import WORKERS
from vtex_tracking_ext.config.defaults import DEFAULT_RATE, EVENTS_PER_CALL

from .batches import count_calls
from .calls import DeliveryResult
from .deliver import AccountDelivery
from .threads import run_in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vtex_tracking_ext.bulk.journal.entries import Backlog, Outcome, State
    from vtex_tracking_ext.bulk.journal.interface import Journal, JournalReader
    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.errors import VtexTrackingError

    from .calls import AccountPause
    from .options import DeliveryOptions


#: Accounts that are delivered at once at most: each takes several threads, and a connection to a journal in a database.
MAX_ACCOUNTS: Final = 32


class MultiAccountDelivery:
    """Delivers the pending entries of several accounts.

    Args:
        clients: Account's name in the journal -> its client.
        journal: The journal with the entries.
        report: Called with each outcome and each pause, by one thread at a time; None for nothing.
        options: How to deliver: all accounts, or each by its name.
        rate: Most calls a second to one account.

    Attributes:
        outcomes: Counts of the entries that were applied, refused, or are unknown, as far as this delivery knows.
        accounts: Account's name in the journal -> its delivery.
        others: The accounts that others deliver, and which process does.
    """

    def __init__(
        self,
        clients: Mapping[str, TrackingClient],
        journal: Journal,
        report: Callable[[DeliveryResult | AccountPause], object] | None,
        options: DeliveryOptions | Mapping[str, DeliveryOptions] | None = None,
        rate: float = DEFAULT_RATE,
    ) -> None:
        by_name = options if isinstance(options, Mapping) else dict.fromkeys(clients, options)
        self._journal = journal
        self._report = report
        self._lock = threading.Lock()
        self._unknown: set[int] = set()
        self.outcomes: Counter[Outcome] = Counter()
        self.others: dict[str, str] = {}
        self.accounts: dict[str, AccountDelivery] = {
            account: AccountDelivery(
                client.paced(), journal, account, self._count_and_report, by_name[account], rate=rate
            )
            for account, client in clients.items()
        }

    @property
    def calls(self) -> int:
        """Updates that were sent."""
        return sum(delivery.calls for delivery in self.accounts.values())

    @property
    def reads(self) -> int:
        """Orders that were read."""
        return sum(delivery.reads for delivery in self.accounts.values())

    @property
    def stop_errors(self) -> dict[str, VtexTrackingError]:
        """The accounts that were stopped early, with the error that stopped each."""
        found = {account: delivery.pace.stop_error for account, delivery in self.accounts.items()}
        return {account: error for account, error in found.items() if error is not None}

    @property
    def stop_reasons(self) -> dict[str, str]:
        """The accounts that were stopped early, with the reason."""
        reasons = {account: delivery.pace.stop_reason for account, delivery in self.accounts.items()}
        return {account: reason for account, reason in reasons.items() if reason}

    def run(self) -> None:
        """Deliver until nothing more can be done now. Accounts that others deliver are left to them.

        If it is called again, it delivers only those accounts that were left to others.

        Raises:
            JournalError: The journal can no longer be used; every account was stopped.
            KeyboardInterrupt: The user interrupted; calls in progress have been finished and recorded first, unless the
                user interrupted again.
        """
        served = self._journal.served_accounts()
        accounts = [*(self.others or self.accounts)]
        self.others = {account: WORKERS for account in accounts if account in served}
        own = {account: self.accounts[account] for account in accounts if account not in served}
        remaining = iter(own.values())
        next_lock = threading.Lock()

        def deliver() -> None:
            while True:
                with next_lock:
                    delivery = next(remaining, None)
                if delivery is None:
                    return
                delivery.run()

        run_in_threads(deliver, min(len(own), MAX_ACCOUNTS), self.stop)
        self.others |= {account: each.taken_by for account, each in own.items() if each.taken_by}

    def stop(self) -> None:
        """Start no further calls; those in progress are finished."""
        for delivery in self.accounts.values():
            delivery.stop()

    def _count_and_report(self, event: DeliveryResult | AccountPause) -> None:
        with self._lock:
            if isinstance(event, DeliveryResult):
                ids = {entry.id for entry in event.entries}
                if event.outcome == "unknown":  # by number, because they may become known later
                    self._unknown |= ids
                else:
                    self._unknown -= ids
                    self.outcomes[event.outcome] += len(ids)
                self.outcomes["unknown"] = len(self._unknown)
            if self._report is not None:
                self._report(event)


@frozen
class DeliveryPlan:
    """What a delivery would send.

    Attributes:
        packages: Packages with open entries.
        events: Events to send.
        deliveries: Deliveries to send.
        calls: Updates that contain them.
        in_doubt: Events and deliveries that may have been applied, whose orders are read first.
    """

    packages: int
    events: int
    deliveries: int
    calls: int
    in_doubt: int


def plan_delivery(
    journal: JournalReader, accounts: Iterable[str], events_per_call: int = EVENTS_PER_CALL
) -> DeliveryPlan:
    """Return what a delivery of some accounts would send, provided that no outcome stays unknown."""
    backlogs: Counter[Backlog] = Counter()
    for account in set(accounts):
        backlogs.update(journal.count_backlogs(account))
    return DeliveryPlan(
        packages=backlogs.total(),
        events=sum(backlog.events * packages for backlog, packages in backlogs.items()),
        deliveries=sum(backlog.deliveries * packages for backlog, packages in backlogs.items()),
        calls=sum(count_calls(backlog, events_per_call) * packages for backlog, packages in backlogs.items()),
        in_doubt=sum(backlog.in_doubt * packages for backlog, packages in backlogs.items()),
    )


def count_states(journal: JournalReader, accounts: Iterable[str]) -> Counter[State]:
    """Return how many entries of some accounts are in each state."""
    counts = journal.counts()
    return sum((counts[account] for account in set(accounts) if account in counts), Counter())


def count_held(journal: JournalReader, accounts: Iterable[str]) -> Held:
    """Return the deliveries of some accounts that are held."""
    held = journal.held()
    return Held.total(held[account] for account in set(accounts) if account in held)
