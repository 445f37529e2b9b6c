"""The intake: one thread writes what is received, and webhooks share transactions."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.journal.interface import JournalUnavailableError
from vtex_tracking_ext.orders.parked import parked_events
from vtex_tracking_ext.service import ServedAccount, intake
from vtex_tracking_ext.service.intake import Intake

from support.services import CHECKS, ON_ITS_WAY, POSTED, correios

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal
    from vtex_tracking_ext.carriers import CarrierOptions

PATIENCE = 60.0


class Gate:
    """Holds the transactions of a journal back until it is opened, and counts them.

    Attributes:
        reached: Is set when a transaction waits.
        opened: Is set to let all of them go on.
        sizes: How many events each transaction parked.
    """

    def __init__(self, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.sizes: list[int] = []
        self._execute = journal.execute
        monkeypatch.setattr(journal, "execute", self)

    def __call__(self, statements: Any) -> None:
        """Run a transaction when the gate is open."""
        self.reached.set()
        assert self.opened.wait(PATIENCE)
        self.sizes += [len(values) for _, values in statements]
        self._execute(statements)


def test_webhooks_share_a_transaction(
    journal: SqliteJournal, served: ServedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that come during a transaction are stored by the next one, except those for which nobody waits any more."""
    gate, writer = Gate(journal, monkeypatch), Intake(journal)
    first = writer.receive_webhook(served, "correios", correios(POSTED))
    assert gate.reached.wait(PATIENCE)
    codes = [f"QB{number:09}BR" for number in range(3)]
    others = [writer.receive_webhook(served, "correios", correios(POSTED, ON_ITS_WAY, code=code)) for code in codes]
    assert others[1].cancel()
    gate.opened.set()
    writer.close(PATIENCE)
    assert gate.sizes == [1, 4]
    assert writer.problem == ""
    assert [len(each.result(PATIENCE).events) for each in (first, others[0], others[2])] == [1, 2, 2]
    with pytest.raises(CancelledError):
        others[1].result(PATIENCE)
    assert {each.event.tracking_code for each in parked_events(journal)} == {"QB000000018BR", codes[0], codes[2]}


def test_small_webhooks_come_first(
    journal: SqliteJournal, served: ServedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large ones take long to read, so each of them has a transaction of its own, and the small ones do not wait."""
    monkeypatch.setattr(intake, "_BATCH_BYTES", 2000)
    gate, writer = Gate(journal, monkeypatch), Intake(journal)
    writer.receive_webhook(served, "correios", correios(POSTED))
    assert gate.reached.wait(PATIENCE)
    large = [POSTED] * 20
    for number in range(2):
        writer.receive_webhook(served, "correios", correios(*large, code=f"QC{number:09}BR"))
    for number in range(3):
        writer.receive_webhook(served, "correios", correios(POSTED, ON_ITS_WAY, code=f"QB{number:09}BR"))
    gate.opened.set()
    writer.close(PATIENCE)
    assert gate.sizes[0] == 1
    parked = [each.event.tracking_code[:2] for each in parked_events(journal)]
    assert parked == ["QB"] * 7 + ["QC"] * 2
    assert len(gate.sizes) >= 3


def test_too_many_webhooks(journal: SqliteJournal, served: ServedAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the journal does not answer, only so many bodies are kept in memory."""
    monkeypatch.setattr(intake, "_MOST_WAITING", 2)
    gate, writer = Gate(journal, monkeypatch), Intake(journal)
    stored = [writer.receive_webhook(served, "correios", correios(POSTED))]
    assert gate.reached.wait(PATIENCE)
    stored += [writer.receive_webhook(served, "correios", correios(ON_ITS_WAY)) for _ in range(2)]
    with pytest.raises(JournalUnavailableError, match="too many webhooks wait"):
        writer.receive_webhook(served, "correios", correios(POSTED))
    gate.opened.set()
    assert [each.result(PATIENCE).source for each in stored] == ["correios"] * 3
    writer.close(PATIENCE)


def test_an_error_of_this_program(journal: SqliteJournal, account: Any) -> None:
    """It is raised for the post whose webhook it is, and others are stored."""

    def fail(_: str) -> CarrierOptions:
        raise ZeroDivisionError

    writer = Intake(journal)
    bad = writer.receive_webhook(ServedAccount(account, CHECKS, fail), "correios", correios(POSTED))
    good = writer.receive_webhook(ServedAccount(account, CHECKS), "correios", correios(ON_ITS_WAY))
    assert isinstance(bad.exception(PATIENCE), ZeroDivisionError)
    assert len(good.result(PATIENCE).events) == 1
    writer.close(PATIENCE)
    writer.close(PATIENCE)
    assert [each.event.code for each in parked_events(journal)] == ["RO/01"]
