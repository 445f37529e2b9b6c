"""What a push delivers and reports, and how it waits for what others deliver."""

from __future__ import annotations

from collections import Counter
from functools import partial
from time import sleep
from typing import TYPE_CHECKING, Final

from attrs import define, frozen

from vtex_tracking_ext.bulk.delivery.accounts import MultiAccountDelivery, count_held, count_states, plan_delivery
from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
from vtex_tracking_ext.bulk.delivery.deliver import IN_DOUBT_STATES
from vtex_tracking_ext.bulk.journal.entries import Held, Selection
from vtex_tracking_ext.bulk.journal.interface import WORKERS

from .interrupts import stop_on_signal
from .progress import show_progress

if TYPE_CHECKING:
    import argparse
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
    from vtex_tracking_ext.bulk.journal.entries import Entry, State
    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.client import TrackingClient

    from .terminal import Style

#: Seconds between two attempts to deliver accounts that others deliver.
_INTERVAL: Final = 1.0


@define
class LeftOut:
    """What a push cannot send, because it has no credentials for the accounts.

    Attributes:
        entries: How many events and deliveries there are.
        packages: How many packages they are of.
    """

    entries: int = 0
    packages: int = 0


@frozen
class OutcomeCounts:
    """How many events and deliveries had which outcome; see :attr:`entries` for their sum.

    Attributes:
        applied: Those that were applied.
        refused: Those that were refused.
        unknown: Those whose outcome is unknown.
        pending: Those that were not sent.
        packages: The packages that they are of, or None if other processes added some meanwhile.
    """

    applied: int
    refused: int
    unknown: int
    pending: int
    packages: int | None

    @property
    def entries(self) -> int:
        """How many there are."""
        return self.applied + self.refused + self.unknown + self.pending

    @property
    def style(self) -> Style:
        """How a line about them looks."""
        if self.refused:
            return "bad"
        return "doubt" if self.unknown or self.pending else "good"


class PushDelivery:
    """Delivers the accounts of one push, and collects what is to be printed.

    With ``--wait`` the outcomes are those of the entries that were open when it began, also of those that another
    process delivered. Otherwise they are those of what this process delivered.

    Args:
        parsed: The command's options.
        journal: The journal with the entries.
        clients: Account's name in the journal -> its client.
        options: How to deliver each account.

    Attributes:
        delivery: What this process delivered, and which accounts others deliver.
        outcomes: How many entries became applied or refused.
        remaining: How many entries are in which state.
        held: The deliveries among the pending entries that are held.
        stop_reasons: Why accounts were stopped early.
        refused: Ids of entries that were refused.
        unknown: Ids of entries whose outcome is unknown.
        is_interrupted: Whether a signal ended it.
    """

    def __init__(
        self,
        parsed: argparse.Namespace,
        journal: Journal,
        clients: Mapping[str, TrackingClient],
        options: Mapping[str, DeliveryOptions],
    ) -> None:
        self._parsed = parsed
        self._journal = journal
        self.delivery = MultiAccountDelivery(clients, journal, self._report, options, parsed.rate)
        self.outcomes: Counter[State] = Counter()
        self.remaining: Counter[State] = Counter()
        self.held = Held()
        self.stop_reasons: dict[str, str] = {}
        self.refused: list[int] = []
        self.unknown: list[int] = []
        self.is_interrupted = False
        self._packages: int | None = 0

    @property
    def has_counted(self) -> bool:
        """Whether any entries are counted: those of accounts that others deliver are counted only with ``--wait``."""
        return self._parsed.wait or not self.delivery.others or len(self.delivery.others) < len(self.delivery.accounts)

    def run(self, on_others: Callable[[Mapping[str, str]], None]) -> None:
        """Deliver until nothing more can be done now.

        Args:
            on_others: Called with the accounts that others deliver, if there are any, before it waits for them.
        """
        accounts = self.delivery.accounts
        before = {account: self._count_open(account) for account in accounts}
        awaited = {id_ for account in accounts for id_ in self._open_ids(account)} if self._parsed.wait else set()
        with (
            stop_on_signal(self.delivery.stop) as signals,
            show_progress(sum(entries for entries, _ in before.values()), as_json=self._parsed.json) as self._progress,
        ):
            self.delivery.run()
            if self.delivery.others:
                on_others(self.delivery.others)
            while self._is_waiting(awaited) and not signals.interrupted:
                sleep(_INTERVAL)
                self.delivery.run()
        self.is_interrupted = signals.interrupted
        self.stop_reasons |= self.delivery.stop_reasons
        own = accounts.keys() - self.delivery.others.keys()
        if self._parsed.wait:
            ids = awaited.union(*(self._open_ids(account) for account in own))  # also what was added meanwhile
            entries = [*self._journal.entries(Selection(ids=tuple(ids)))]
            self.outcomes = self.remaining = Counter(entry.state for entry in entries)
            self.refused = [entry.id for entry in entries if entry.state == "refused"]
            self.unknown = [entry.id for entry in entries if entry.state in IN_DOUBT_STATES]
            self._packages = len({entry.package for entry in entries})
        else:
            self.outcomes.update(self.delivery.outcomes)
            self.remaining = count_states(self._journal, own)
            is_same = self.counts().entries == sum(before[account][0] for account in own)
            self._packages = sum(before[account][1] for account in own) if is_same else None
            for account in own:
                self.unknown += [entry.id for entry in self._journal.entries(Selection(IN_DOUBT_STATES, account))]
        if self.remaining["pending"]:
            self.held = count_held(self._journal, accounts if self._parsed.wait else own)

    def counts(self, left_out: LeftOut | None = None) -> OutcomeCounts:
        """Return how many entries had which outcome.

        Args:
            left_out: What could not be sent, and counts as pending.
        """
        left_out = left_out or LeftOut()
        return OutcomeCounts(
            self.outcomes["applied"],
            self.outcomes["refused"],
            self.remaining["unknown"] + self.remaining["in_flight"],
            self.remaining["pending"] + left_out.entries,
            None if self._packages is None else self._packages + left_out.packages,
        )

    def _count_open(self, account: str) -> tuple[int, int]:
        """Return how many open entries an account has, and of how many packages."""
        plan = plan_delivery(self._journal, [account])
        return plan.events + plan.deliveries + plan.in_doubt, plan.packages

    def _open_ids(self, account: str) -> Iterator[int]:
        return (entry.id for package in self._journal.backlog(account) for entry in package)

    def _is_waiting(self, awaited: AbstractSet[int]) -> bool:
        """Return whether others still have to deliver any of the awaited entries.

        What an unknown outcome holds may wait until a person resolves it, workers do not call an account for a while
        after they stopped, and a held delivery may wait for an hour: none of these is waited for.
        """
        for account, who in self.delivery.others.items() if awaited else ():
            record = self._journal.accounts()[account]
            if who == WORKERS and record.stopped is not None:
                self.stop_reasons[account] = record.stopped_reason
            elif any(map(partial(_is_awaited, awaited, record.now), self._journal.backlog(account))):
                return True
        return False

    def _report(self, result: DeliveryResult | AccountPause) -> None:
        if isinstance(result, AccountPause):
            self._progress.pause(result)
            return
        if result.outcome == "refused":
            self.refused += [entry.id for entry in result.entries]
        self._progress.update(self.delivery.outcomes)


def _is_awaited(awaited: AbstractSet[int], now: dt.datetime, package: Iterable[Entry]) -> bool:
    """Return whether a package has awaited entries that can be delivered now, without a person."""
    states = {entry.state for entry in package}
    can_be_delivered = "in_flight" in states or "unknown" not in states
    return can_be_delivered and not awaited.isdisjoint(entry.id for entry in package if not entry.is_held(now))
