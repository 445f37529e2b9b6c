"""Rows, a clock, and a fake client of an account, for tests of journals and of pushing."""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING, Any, Self

from attrs import evolve

from vtex_tracking_ext import TrackingEvent, TrackingReceipt, errors
from vtex_tracking_ext.bulk.input.rows import Place, Row
from vtex_tracking_ext.bulk.journal.entries import PackageKey, Selection
from vtex_tracking_ext.bulk.journal.interface import ALL
from vtex_tracking_ext.events import Package, PackageEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vtex_tracking_ext import TrackingUpdate
    from vtex_tracking_ext.bulk.journal.entries import State
    from vtex_tracking_ext.bulk.journal.interface import Journal, JournalReader

START = dt.datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=dt.UTC)


class Clock:
    """A clock that tests set. Its zone is not UTC, because a journal must store UTC."""

    now = START

    def __call__(self) -> dt.datetime:
        """Return the current time."""
        return self.now.astimezone(dt.timezone(dt.timedelta(hours=-3)))


def row(line: int, description: str = "", invoice: str = "1", **changes: Any) -> Row:
    """Return a row; without a description it has no event."""
    event = TrackingEvent("2026-10-01", description, "S\u00e3o Paulo", "SP") if description else None
    plain = Row(Place("f.csv", line), "", "o-01", invoice, event, is_delivered=False, delivered_date=None)
    return evolve(plain, **changes)


def delivery(line: int, date: str | None = None, description: str = "", **changes: Any) -> Row:
    """Return a row that reports the delivery."""
    return row(line, description, is_delivered=True, delivered_date=date, **changes)


def package(invoice: str = "1", account: str = "mystore") -> PackageKey:
    """Return a package of the order."""
    return PackageKey(account, "o-01", invoice)


def told(journal: JournalReader, selection: Selection = ALL) -> list[tuple[int, str, str]]:
    """Return id, text and state of entries."""
    entries = journal.entries(selection)
    return [(e.id, e.event.description if e.event else f"D {e.delivered_date}", e.state) for e in entries]


def add(journal: Journal, *rows: Row) -> list[str]:
    """Add rows, those without an account to ``mystore``, and return what each meant."""
    named = (each if each.account else each.with_account("mystore") for each in rows)
    return [added.status for added in journal.add(named)]


def to_state(journal: Journal, ids: int | Iterable[int], state: State, **outcome: Any) -> None:
    """Bring pending entries of one account into a state, as a delivery or a person does."""
    selection = Selection(ids=(ids,) if isinstance(ids, int) else ids)
    entries = list(journal.entries(selection))
    if state == "withdrawn":
        assert journal.withdraw(selection) == len(entries)
    elif state != "pending":
        with journal.lease(entries[0].package.account) as lease:
            assert lease is not None
            assert len(lease.begin(entries)) == len(entries)
            if state != "in_flight":
                lease.settle(entries, state, **outcome)


def refused(status: int, **more: Any) -> errors.RefusedError:
    """Return the error for a status."""
    kinds: dict[int, type[errors.RefusedError]] = {
        401: errors.AuthenticationError,
        403: errors.PermissionDeniedError,
        404: errors.NotFoundError,
        409: errors.ConflictError,
        429: errors.RateLimitedError,
    }
    error = kinds.get(status, errors.RefusedError)(f"refused: {status}", status_code=status)
    for name, value in more.items():
        setattr(error, name, value)
    return error


class Account:
    """A fake client of one account: applies the updates it is sent, unless a test has queued other answers.

    Attributes:
        shows: Whether an order shows what was applied.
        sent: The updates that were sent, each as the descriptions of its events, ``D`` for the delivery.
        applied: Likewise the updates that were applied, by invoice.
        updates: The updates that were applied, by invoice.
        reads: Orders that were read.
    """

    def __init__(self, account: str = "mystore", base_url: str = "https://mystore.vtexcommercestable.com.br") -> None:
        self.account = account
        self.base_url = base_url
        self.shows = True
        self.sent: list[str] = []
        self.applied: dict[str, list[str]] = {}
        self.reads: list[str] = []
        self._answers: list[Exception | Callable[[TrackingUpdate], None]] = []
        self._read_answers: list[Exception] = []
        self._lock = threading.Lock()
        self.updates: dict[str, list[TrackingUpdate]] = {}

    def paced(self) -> Self:
        """Return itself: it never waits after a 429."""
        return self

    def answers(self, *answers: Exception | Callable[[TrackingUpdate], None]) -> None:
        """Queue answers of the next updates: an exception is raised, a function is called and may raise."""
        self._answers += answers

    def read_answers(self, *answers: Exception) -> None:
        """Queue errors of the next reads."""
        self._read_answers += answers

    def send(self, update: TrackingUpdate) -> TrackingReceipt:
        """Apply an update, or give the next queued answer."""
        with self._lock:
            texts = [event.description for event in update.events] + ["D"] * update.is_delivered
            self.sent.append(" ".join(texts))
            answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            answer(update)
        self.apply(update)
        return TrackingReceipt(date=START, order_id=update.order_id, receipt=f"r{len(self.sent)}")

    def apply(self, update: TrackingUpdate) -> None:
        """Record an update as applied."""
        with self._lock:
            texts = [event.description for event in update.events] + ["D"] * update.is_delivered
            self.applied.setdefault(update.invoice_number, []).extend(texts)
            self.updates.setdefault(update.invoice_number, []).append(update)

    def applied_and_lost(self, update: TrackingUpdate) -> None:
        """Apply an update, and raise as if its answer was lost."""
        self.apply(update)
        raise errors.OutcomeUnknownError("the connection was cut")

    def get_packages(self, order_id: str) -> tuple[Package, ...]:
        """Return what was applied, as an order shows it."""
        with self._lock:
            self.reads.append(order_id)
            if self._read_answers:
                raise self._read_answers.pop(0)
            shown = self.updates if self.shows else {}
            return tuple(_shown(invoice, updates) for invoice, updates in shown.items())

    def close(self) -> None:
        """Do nothing."""


def _shown(invoice: str, updates: list[TrackingUpdate]) -> Package:
    events = [event for update in updates for event in update.events]
    deliveries = [update for update in updates if update.is_delivered]
    return Package(
        invoice_number=invoice,
        type="Output",
        tracking_number="BR1",
        tracking_url=None,
        courier=None,
        finished=bool(deliveries),
        delivered_date=next((str(u.delivered_date) for u in deliveries if u.delivered_date), None),
        events=tuple(
            PackageEvent(str(e.date), e.description, e.city, e.state, last_change=str(e.date)) for e in reversed(events)
        ),
    )
