"""A journal, a fake account, and deliveries between them in virtual time."""

from __future__ import annotations

import datetime as dt
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from vtex_tracking_ext import TrackingEvent, TrackingUpdate
from vtex_tracking_ext.bulk.delivery import deliver
from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
from vtex_tracking_ext.bulk.delivery.deliver import AccountDelivery
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

from support.journaled import Account, Clock, add, to_state, told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from vtex_tracking_ext import TrackingClient
    from vtex_tracking_ext.bulk.input.rows import Row
    from vtex_tracking_ext.bulk.journal.entries import AccountRecord

#: Delays of one recheck that takes no time, and of none.
ONCE = (0.0,)
NEVER: tuple[float, ...] = ()


class VirtualTime(threading.Condition):
    """A monotonic clock, and a condition whose waiting takes no time but advances the clock, and that of a journal."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__()
        self._clock = clock or Clock()
        self.now = 1000.0
        self.waited: list[float] = []

    def __call__(self) -> float:
        """Return the current time in seconds."""
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        """Advance the clocks."""
        assert timeout is not None
        self.advance(timeout)
        self.waited.append(timeout)
        return True

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self._clock.now += dt.timedelta(seconds=seconds)


class Bench:
    """A journal, an account, and deliveries between them.

    Attributes:
        clock: The time of the journal.
        time: The time of the account's pace and of slices.
        news: Outcomes and pauses that were reported.
        report: Receives them; by default ``news`` does.
    """

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.clock = Clock()
        self.time = VirtualTime(self.clock)
        self.journal = SqliteJournal.open(path, self.clock)
        self.account = Account()
        self.max_freezes = 5
        self.news: list[DeliveryResult | AccountPause] = []
        self.report: Callable[[DeliveryResult | AccountPause], None] = self.news.append
        monkeypatch.setattr(deliver, "time", SimpleNamespace(monotonic=self.time))

    def add(self, *rows: Row) -> None:
        """Add rows as new entries of ``mystore``."""
        assert set(add(self.journal, *rows)) == {"new"}

    def delivery(self, client: TrackingClient | None = None, **options: Any) -> AccountDelivery:
        """Return a delivery to ``account`` or by a client, one package at a time by default, and without rechecks."""
        chosen = DeliveryOptions(**{"concurrency": 1, "recheck_delays": NEVER, **options})
        fake: Any = self.account
        delivery = AccountDelivery(client or fake, self.journal, "mystore", self._report, chosen)
        delivery.pace = Pace(
            self.time,
            self.max_freezes,
            rate=1e6,
            initial_rate=1e6,
            changed=self.time,
            longest_wait=delivery.pace._longest_wait,
        )
        return delivery

    def _report(self, event: DeliveryResult | AccountPause) -> None:
        self.report(event)  # tests may replace it during the delivery

    def run(self, client: TrackingClient | None = None, **options: Any) -> AccountDelivery:
        """Deliver what is pending."""
        delivery = self.delivery(client, **options)
        delivery.run()
        return delivery

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.time.advance(seconds)

    def leave_in_flight(self, *ids: int) -> None:
        """Leave entries as a run does that is killed while their call is in progress."""
        to_state(self.journal, ids, "in_flight")

    def show(self, *descriptions: str, invoice: str = "1", is_delivered: bool = False) -> None:
        """Make the order show a package with these events, and possibly its delivery."""
        events = [TrackingEvent("2026-10-01", text, "S\u00e3o Paulo", "SP") for text in descriptions]
        self.account.apply(TrackingUpdate("o-01", invoice, events, is_delivered=is_delivered))

    def states(self) -> dict[str, str]:
        """Return the state of each entry by its text."""
        return {text: state for _, text, state in told(self.journal)}

    def reasons(self) -> list[str]:
        """Return the reasons of the entries."""
        return [entry.reason for entry in self.journal.entries()]

    def attempts(self) -> list[int]:
        """Return how often each entry was begun."""
        return [entry.attempts for entry in self.journal.entries()]

    def outcomes(self) -> list[tuple[str, int]]:
        """Return the outcomes that were reported, with the number of their entries."""
        return [(news.outcome, len(news.entries)) for news in self.news if isinstance(news, DeliveryResult)]

    def record(self) -> AccountRecord:
        """Return what the journal knows of the account."""
        record = self.journal.account("mystore")
        assert record is not None
        return record
