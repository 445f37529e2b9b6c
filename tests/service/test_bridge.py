"""The bridge: a journal, accounts, and their threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import ConfigurationError, OutcomeUnknownError
from vtex_tracking_ext.bulk.delivery.calls import AccountPause
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.opening import open_reader
from vtex_tracking_ext.orders import OrderPackage, OrderStore
from vtex_tracking_ext.service import Bridge, ServedAccount
from vtex_tracking_ext.service.app import create_app
from vtex_tracking_ext.service.limits import RateLimit
from vtex_tracking_ext.service.processing import AccountProcessing

from support.fleets import PATIENCE, until
from support.journaled import Account, add, row
from support.services import CHECKS, HEADERS, POSTED, Client, correios

if TYPE_CHECKING:
    from pathlib import Path

    from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal


def test_what_is_posted_is_sent(tmp_path: Path, account: Any) -> None:
    """The bridge opens its journal, sends what is posted at once, and closes the journal at its end."""
    place = tmp_path / "journal.db"
    with Bridge(place, [ServedAccount(account, CHECKS)], interval=600.0) as bridge:
        assert bridge.is_running()
        OrderStore(bridge.journal, "mystore").save([OrderPackage("1-01", "1", tracking_number="QB000000018BR")])
        client = Client(create_app(bridge))
        assert client.post("/carriers/correios/mystore", content=correios(POSTED), headers=HEADERS).is_success
        until(lambda: account.applied == {"1": ["PO 01"]})
        until(lambda: 'vtex_tracking_noted_events_total{account="mystore",status="new"} 1.0' in metrics(bridge))
        bridge.start()
    assert not bridge.is_running()
    bridge.close()
    with open_reader(place) as journal:
        assert journal.counts()["mystore"]["applied"] == 1
    with pytest.raises(JournalError, match="closed"):
        bridge.journal.execute([])


def test_closing_waits_for_the_call_in_progress(tmp_path: Path, account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its outcome is in the journal: it would be unknown otherwise."""
    place, begun, goes_on = tmp_path / "journal.db", threading.Event(), threading.Event()

    def answer(_: object) -> None:
        begun.set()
        assert goes_on.wait(PATIENCE)

    wait = AccountProcessing.join

    def join(processing: AccountProcessing, timeout: float) -> None:
        assert timeout > 100  # a call may take two minutes
        goes_on.set()
        wait(processing, timeout)

    account.answers(answer)
    with Bridge(place, [ServedAccount(account, CHECKS)], interval=600.0) as bridge:
        add(bridge.journal, row(1, "Postado"))
        (served,) = bridge.accounts.values()
        bridge.wake(served)
        assert begun.wait(PATIENCE)
        monkeypatch.setattr(AccountProcessing, "join", join)
    with open_reader(place) as journal:
        assert journal.counts()["mystore"]["applied"] == 1


def metrics(bridge: Bridge) -> str:
    """Return the metrics of a bridge."""
    return bridge.metrics.text().decode()


def test_a_journal_of_the_application_stays_open(journal: SqliteJournal, account: Any) -> None:
    """A bridge that is never started is closed as well."""
    bridge = Bridge(journal, [ServedAccount(account, CHECKS)])
    bridge.close()
    assert not bridge.is_running()
    assert journal.counts() == {}


def test_accounts_are_needed(journal: SqliteJournal) -> None:
    """There is at least one, and each is given once."""
    first: Any = Account("MyStore")
    second: Any = Account("mystore")
    with pytest.raises(ConfigurationError, match="accounts is empty"):
        Bridge(journal, [])
    with pytest.raises(ConfigurationError, match="accounts contains mystore twice"):
        Bridge(journal, [ServedAccount(first, {}), ServedAccount(second, {})])


def test_metrics_of_calls(bridge: Bridge) -> None:
    """A bridge counts outcomes and pauses as workers do, and says how old the oldest pending entry is."""
    add(bridge.journal, row(1, "x"))
    (line,) = (each for each in metrics(bridge).splitlines() if each.startswith("vtex_tracking_oldest_pending_seconds"))
    assert line.startswith('vtex_tracking_oldest_pending_seconds{account="mystore"} ')
    assert 0 <= float(line.rpartition(" ")[2]) < 3600
    bridge.metrics.record(AccountPause("mystore", 60.0, str(OutcomeUnknownError("429"))))
    assert 'vtex_tracking_pauses_total{account="mystore"} 1.0' in metrics(bridge)


def test_rate_limit() -> None:
    """Each key may happen as often as the rate says, and two seconds' worth at once."""
    seconds = [100.0]
    limit = RateLimit(2.0, lambda: seconds[0])
    assert [limit.seconds_to_wait("a") for _ in range(6)] == [0, 0, 0, 0, 0.5, 0.5]
    assert limit.seconds_to_wait("b") == 0
    seconds[0] += 0.5
    assert [limit.seconds_to_wait("a") for _ in range(2)] == [0, 0.5]
    seconds[0] += 3600
    assert [limit.seconds_to_wait("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
