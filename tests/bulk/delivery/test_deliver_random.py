"""Delivering an account whose server fails at random, in virtual time: nothing is lost, sent twice, or reordered."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext import TrackingReceipt, errors

from support.journaled import START, delivery, refused, row

if TYPE_CHECKING:
    from vtex_tracking_ext import Package, TrackingUpdate

    from support.deliveries import Bench

#: Seconds after which the order shows an accepted update.
DISPLAY_DELAY = 6.0

PACKAGES, EVENTS = 4, 6


class KilledError(BaseException):
    """The process was killed during a call."""


class Faulty:
    """An account that applies updates or not, answers or not, and shows what it applied some seconds later."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.chance = random.Random(seed)  # noqa: S311 - the same on every run
        self.account = bench.account
        self.faults = 40
        self._hidden: list[tuple[float, TrackingUpdate]] = []
        self.applied: dict[str, list[str]] = {}
        bench.account.send = self.send  # type: ignore[method-assign]
        self._read = bench.account.get_packages
        bench.account.get_packages = self.read  # type: ignore[method-assign]
        for number in range(PACKAGES):
            bench.show(invoice=str(number))

    def send(self, update: TrackingUpdate) -> TrackingReceipt:
        """Apply an update or not, and answer or not."""
        self.bench.advance(self.chance.uniform(0.01, 0.5))
        fault = self.chance.choice(["", "", "429", "cut", "cut", "killed", "killed"]) if self.faults else ""
        self.faults -= bool(fault)
        if fault == "429":
            raise refused(429, retry_after=self.chance.choice([0.0, 1.0, 70.0]))
        if not fault or self.chance.random() < 1 / 2:
            texts = [event.description for event in update.events] + ["D"] * update.is_delivered
            self.applied.setdefault(update.invoice_number, []).extend(texts)
            self._hidden.append((self.bench.time.now + DISPLAY_DELAY, update))
        if fault == "cut":
            raise errors.OutcomeUnknownError("the connection was cut")
        if fault == "killed":
            raise KilledError
        return TrackingReceipt(date=START, order_id=update.order_id, receipt="r")

    def read(self, order_id: str) -> tuple[Package, ...]:
        """Return what the order shows by now, or fail."""
        self.bench.advance(self.chance.uniform(0.01, 0.5))
        if self.faults and self.chance.random() < 1 / 5:
            self.faults -= 1
            raise self.chance.choice([errors.ReadFailedError("no answer"), refused(429, retry_after=2.0)])
        while self._hidden and self._hidden[0][0] <= self.bench.time.now:
            self.account.apply(self._hidden.pop(0)[1])
        return self._read(order_id)


@pytest.mark.parametrize("seed", range(15))
def test_every_event_is_applied_once_and_in_order(bench: Bench, seed: int) -> None:
    """Calls are cut or answered 429, reads fail, and the process is killed; an hour later all doubts have ended."""
    faulty = Faulty(bench, seed)
    for number in range(PACKAGES):
        invoice = str(number)
        bench.add(*(row(line, f"{line}", invoice) for line in range(EVENTS)), delivery(EVENTS, invoice=invoice))
    slices = 0
    due: float | None = 0.0
    while due is not None:
        assert slices < 200
        slices += 1
        limit = faulty.chance.choice([1, 2, 20])
        run = bench.delivery(slice_seconds=30.0, resend_after=3600.0, events_per_call=limit)
        try:
            run.run()
            due = 600.0 if run.pace.stop_reason else run.next_due
        except KilledError:
            due = 0.0
        bench.advance(due or 0.0)
    events = [str(line) for line in range(EVENTS)]
    assert faulty.applied == {str(number): [*events, "D"] for number in range(PACKAGES)}
    assert bench.journal.counts() == {"mystore": {"applied": PACKAGES * (EVENTS + 1)}}
