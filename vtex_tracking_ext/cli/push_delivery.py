"""What a push delivers and reports, and how it waits for what others deliver."""

from __future__ import annotations

from collections import Counter
from time import sleep
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.delivery.accounts import MultiAccountDelivery, count_states
from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
from vtex_tracking_ext.bulk.delivery.deliver import IN_DOUBT_STATES
from vtex_tracking_ext.bulk.input.source import STDIN, STDIN_NAME
from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES, Selection
from vtex_tracking_ext.bulk.journal.interface import BATCH, WORKERS

from .interrupts import stop_on_signal
from .progress import ProgressLines, show_progress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
    from vtex_tracking_ext.bulk.journal.entries import Outcome, State
    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.errors import VtexTrackingError

    from .progress import ProgressBar

#: Seconds between two attempts to take over an account that another process delivers.
_INTERVAL: Final = 1.0

_WAITING: Final[tuple[State, ...]] = ("pending", "in_flight")


class PushDelivery:
    """Delivers the accounts of one push, and collects what is to be printed.

    Args:
        parsed: The command's options.
        journal: The journal with the entries.
        clients: Account's name in the journal -> its client.
        options: How to deliver each account.

    Attributes:
        outcomes: Counts of the entries that were applied or refused.
        remaining: How many entries are in which state.
        calls: Updates that were sent.
        reads: Orders that were read.
        others: The accounts that others deliver, and which process does. Their entries are counted only with
            ``--wait``, and only those of the files that were pushed.
        stop_reasons: Why accounts were stopped early.
        stop_errors: The errors that stopped them, as far as this process met them.
        refused: Ids of entries that were refused.
        unknown: Ids of entries whose outcome is unknown.
        applied_with_note: Ids of entries that were applied with an unusual receipt.
        is_interrupted: Whether a signal ended it.
    """

    def __init__(
        self,
        parsed: argparse.Namespace,
        journal: Journal,
        clients: Mapping[str, TrackingClient],
        options: Mapping[str, DeliveryOptions],
    ) -> None:
        self._journal = journal
        self._clients = clients
        self._options = options
        self._rate: float = parsed.rate
        self._is_waiting: bool = parsed.wait
        self._sources = {STDIN_NAME if name == STDIN else name for name in parsed.files}
        self._as_json: bool = parsed.json
        self._progress: ProgressLines | ProgressBar = ProgressLines(0, as_json=parsed.json)
        self._delivery = self._delivery_of(clients)
        self.outcomes: Counter[Outcome] = Counter()
        self.remaining: Counter[State] = Counter()
        self.calls = 0
        self.reads = 0
        self.others: dict[str, str] = {}
        self.stop_reasons: dict[str, str] = {}
        self.stop_errors: dict[str, VtexTrackingError] = {}
        self.refused: list[int] = []
        self.unknown: list[int] = []
        self.applied_with_note: list[int] = []
        self.is_interrupted = False

    @property
    def has_counted(self) -> bool:
        """Whether the entries of the accounts are counted, unless others deliver all of them."""
        return self._is_waiting or not self.others or len(self.others) < len(self._clients)

    def run(self, on_others: Callable[[Mapping[str, str]], None]) -> None:
        """Deliver until nothing more can be done now.

        Args:
            on_others: Called with the accounts that others deliver, if there are any, before it waits for them.
        """
        before = count_states(self._journal, self._clients)
        noted = {account: self._open_ids(account) for account in self._clients} if self._is_waiting else {}
        with stop_on_signal(self._stop):
            with show_progress(sum(before[state] for state in OPEN_STATES), as_json=self._as_json) as self._progress:
                self._run()
            self.outcomes, self.others = self._delivery.outcomes, self._delivery.others
            if self.others:
                on_others(self.others)
            if self._is_waiting:
                self._progress = ProgressLines(0, as_json=self._as_json)
                self._wait({account: [*noted[account]] for account in self.others})
        self.remaining = count_states(self._journal, self._clients.keys() - self.others.keys())
        for account in self._clients.keys() - self.others.keys():
            doubtful = self._journal.entries(Selection(IN_DOUBT_STATES, account))
            self.unknown.extend(entry.id for entry in doubtful)
        ids = [id_ for account in self.others if self._is_waiting for id_ in noted[account]]
        for entry in self._journal.entries(Selection(ids=ids)):
            self.remaining[entry.state] += 1
            if entry.state in {"applied", "refused"}:
                self.outcomes[entry.state] += 1
            if entry.state == "refused":
                self.refused.append(entry.id)
            elif entry.state in IN_DOUBT_STATES:
                self.unknown.append(entry.id)

    def _delivery_of(self, clients: Mapping[str, TrackingClient]) -> MultiAccountDelivery:
        return MultiAccountDelivery(clients, self._journal, self._report, self._options, self._rate)

    def _run(self) -> None:
        if self.is_interrupted:
            self._delivery.stop()
        self._delivery.run()
        self.calls += self._delivery.calls
        self.reads += self._delivery.reads
        self.stop_errors |= self._delivery.stop_errors
        self.stop_reasons |= {
            account: each.pace.stop_reason for account, each in self._delivery.accounts.items() if each.pace.stop_reason
        }

    def _stop(self) -> None:
        self.is_interrupted = True
        self._delivery.stop()

    def _wait(self, noted: Mapping[str, list[int]]) -> None:
        """Wait until others have delivered what was noted, or until their accounts can be taken over."""
        others = self.others
        while not self.is_interrupted:
            others = {account: who for account, who in others.items() if self._is_open(account, who, noted[account])}
            if not others:
                return
            sleep(_INTERVAL)
            self._delivery = self._delivery_of({account: self._clients[account] for account in others})
            self._run()
            others = self._delivery.others

    def _is_open(self, account: str, who: str, noted: list[int]) -> bool:
        """Return whether any of the noted entries still awaits its outcome; those that do not are removed first."""
        record = self._journal.account(account)
        if who == WORKERS and record is not None and record.stopped is not None:
            self.stop_reasons[account] = record.stopped_reason
            return False
        while noted:
            for entry in self._journal.entries(Selection(_WAITING, ids=noted[:BATCH])):
                # What an unknown outcome holds may wait until a person resolves it.
                if entry.state == "in_flight" or not any(
                    self._journal.entries(Selection(("unknown",), package=entry.package))
                ):
                    return True
            del noted[:BATCH]
        return False

    def _open_ids(self, account: str) -> tuple[int, ...]:
        """Return the open entries of the files that were pushed; without files, all of them."""
        entries = (entry for package in self._journal.backlog(account) for entry in package)
        return tuple(entry.id for entry in entries if not self._sources or entry.place.source in self._sources)

    def _report(self, result: DeliveryResult | AccountPause) -> None:
        if isinstance(result, AccountPause):
            self._progress.pause(result)
            return
        ids = [entry.id for entry in result.entries]
        if result.outcome == "refused":
            self.refused.extend(ids)
        elif result.outcome == "applied" and result.is_call and result.reason:
            self.applied_with_note.extend(ids)
        self._progress.update(self._delivery.outcomes)
