"""What the page shows of a journal: numbers that add up, conditions of accounts, causes, and who is needed."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.journal.entries import AccountUpdate, Selection
from vtex_tracking_ext.bulk.journal.interface import WORKERS
from vtex_tracking_ext.bulk.journal.opening import open_reader
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal
from vtex_tracking_ext.bulk.report import cause_records
from vtex_tracking_ext.carriers import CarrierEvent, Status
from vtex_tracking_ext.orders import OrderPackage, OrderStore
from vtex_tracking_ext.orders.parked import park
from vtex_tracking_ext.service import overview as module
from vtex_tracking_ext.service.overview import Overviews, read_overview

from support.journaled import START, Clock, add, delivery, row, to_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.service.overview import Account, Overview

HOUR = dt.timedelta(hours=1)
REFUSED = "404 no invoice (OMS004, request id {0}). Check {0}"


@pytest.fixture
def clock() -> Clock:
    """Return a clock that tests set."""
    return Clock()


@pytest.fixture(params=["sqlite", "postgres"])
def journal(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    """Return an empty journal of each kind."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield stack.enter_context(SqliteJournal.open(tmp_path / "journal.db", clock))
        else:
            yield stack.enter_context(PostgresJournal.open(request.getfixturevalue("journal_url"), clock))


@pytest.fixture
def file(tmp_path: Path, clock: Clock) -> Iterator[SqliteJournal]:
    """Return an empty journal in a file."""
    with SqliteJournal.open(tmp_path / "journal.db", clock) as journal:
        yield journal


def event(number: int, **values: Any) -> CarrierEvent:
    """Return an event of a package of its own."""
    time = dt.datetime(2026, 11, 20, 10, 0, tzinfo=dt.UTC)
    return CarrierEvent("correios", "01", time, Status.IN_TRANSIT, tracking_code=f"QB{number}BR", **values)


def park_all(
    journal: Journal, *events: tuple[CarrierEvent, str], expires: dt.timedelta, account: str = "mystore"
) -> None:
    """Park events with their reasons, which expire after a time."""
    park(OrderStore(journal, account), events, "correios webhook", START, expires)


def fill(journal: Journal, states: str, account: str = "mystore") -> list[int]:
    """Add an entry for each letter, and bring it into the state that begins with it; return their ids."""
    known = {"p": "pending", "i": "in_flight", "a": "applied", "r": "refused", "u": "unknown", "w": "withdrawn"}
    before = {entry.id for entry in journal.entries()}
    rows = [row(n, "Postado", f"{n}", account=account, order_id=f"{n}-01") for n, _ in enumerate(states)]
    add(journal, *rows)
    ids = [entry.id for entry in journal.entries() if entry.id not in before]
    for id_, state in zip(ids, states, strict=True):
        if state == "r":
            to_state(journal, id_, "refused", status_code=404, reason=REFUSED.format(id_))
        elif state == "u":
            to_state(journal, id_, "unknown", reason="no response in time. It may have been applied.")
        else:
            to_state(journal, id_, known[state])  # type: ignore[arg-type]
    return ids


def update(journal: Journal, account: str = "mystore", **values: Any) -> None:
    """Record what a deliverer learned."""
    with journal.lease(account) as lease:
        assert lease is not None
        lease.update_account(AccountUpdate(**values))


def only(found: Overview) -> Account:
    """Return the only account."""
    (account,) = found.accounts
    return account


def test_empty_journal_needs_nobody(journal: Journal) -> None:
    """An empty journal has no accounts and no groups, and the verdict says so."""
    found = read_overview(journal, START)
    assert (found.accounts, found.groups, dict(found.left_out), found.needs) == ((), (), {}, ())
    assert found.is_empty
    assert found.verdict == "Nothing was received yet."


def test_numbers_add_up(journal: Journal) -> None:
    """The numbers of accounts and groups are those of the journal."""
    fill(journal, "ppiaaarrrruuw")
    fill(journal, "arrp", "another")
    park_all(
        journal, *((event(n), f"no order is known with tracking number 'QB{n}BR'") for n in range(5)), expires=HOUR
    )
    park_all(journal, *((event(n), f"invoice '{n}' is that of a return") for n in range(5, 8)), expires=-HOUR)
    found = read_overview(journal, START)
    assert [account.name for account in found.accounts] == ["another", "mystore"]
    assert dict(found.total) == {"pending": 3, "in_flight": 1, "applied": 4, "refused": 6, "unknown": 2, "withdrawn": 1}
    assert (found.waiting, found.given_up, found.left_out) == (5, 3, {})
    assert [(each.kind, each.entries, each.packages, each.accounts) for each in found.groups] == [
        ("in_flight", 1, 1, ("mystore",)),
        ("unknown", 2, 2, ("mystore",)),
        ("refused", 6, 6, ("another", "mystore")),
        ("given_up", 3, 3, ("mystore",)),
        ("waiting", 5, 5, ("mystore",)),
    ]
    assert {each.latest for each in found.groups} == {START.replace(microsecond=0)}
    assert found.verdict == (
        "A person is needed: 3 events have unknown outcomes, 6 events were refused and 3 parked events were given up."
    )
    assert not found.is_empty


def test_causes_are_grouped_by_page(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are read by page; those beyond the limits are counted."""
    monkeypatch.setattr(cause_records, "_PAGE", 2)
    monkeypatch.setattr(cause_records, "MAX_GROUPED", 5)
    monkeypatch.setattr(module, "MAX_GROUPS", 1)
    ids = fill(journal, "rrrrrrr")
    journal.explain(journal.entries(Selection(ids=(ids[5],))), "x; the order has no invoice yet")
    reason = "no order is known with tracking number 'QB1BR'"
    park_all(journal, *((event(n), reason) for n in range(6)), expires=HOUR)
    found = read_overview(journal, START)
    refused, waiting = found.groups
    assert (refused.entries, waiting.entries) == (4, 5)
    assert refused.example == f"404 no invoice (OMS004, request id {ids[6]}). Check {ids[6]}"
    assert found.left_out == {"refused": 3, "waiting": 1}


def test_events_that_are_settled_meanwhile_are_left_out(file: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading ends when there are fewer events than were counted."""
    fill(file, "rr")
    park_all(file, (event(1), "x"), expires=HOUR)
    select = file.select

    def settled(statement: str, **values: Any) -> list[tuple[Any, ...]]:
        return [] if statement.startswith("latest") else select(statement, **values)

    monkeypatch.setattr(file, "select", settled)
    found = read_overview(file, START)
    assert (found.groups, found.left_out) == ((), {"refused": 2, "waiting": 1})


def test_stopped_account_is_named_with_its_reason(journal: Journal) -> None:
    """A stopped account needs a person, and its reason is shown."""
    fill(journal, "p")
    update(journal, stopped_reason="403 Forbidden.")
    found = read_overview(journal, START)
    assert only(found).condition == "stopped"
    assert only(found).problem.startswith("stopped since 2026-11-23 12:00 UTC: 403 Forbidden. The next push tries one")
    assert found.verdict == "A person is needed: mystore is stopped."


def test_paused_account_needs_nobody(journal: Journal) -> None:
    """A paused account goes on by itself, also with events that are pending for long."""
    fill(journal, "p")
    update(journal, quiet_seconds=7200.0, quiet_reason="429 Too Many Requests.")
    found = read_overview(journal, START + HOUR)
    assert (only(found).condition, only(found).is_late) == ("paused", True)
    assert only(found).problem == "not called until 2026-11-23 14:00 UTC: 429 Too Many Requests."
    assert found.verdict == "Nothing needs a person."


def test_delivering_process_is_named(journal: Journal) -> None:
    """An account that another process delivers is not left behind, and its entries in flight need nobody."""
    fill(journal, "ia")
    with journal.lease("mystore"):
        found = read_overview(journal, START + HOUR)
    assert (only(found).condition, only(found).abandoned) == ("delivering", 0)
    assert only(found).deliverer.startswith("process ")
    assert (found.groups, found.verdict) == ((), "Nothing needs a person.")
    found = read_overview(journal, START, ["mystore"])
    assert (only(found).condition, only(found).abandoned, found.needs) == ("pending", 0, ())


def test_workers_deliver(file: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that workers serve is delivered by them."""
    monkeypatch.setattr(file, "served_accounts", lambda: {"mystore"})
    fill(file, "p")
    found = only(read_overview(file, START + HOUR))
    assert (found.deliverer, found.condition) == (WORKERS, "delivering")


def test_account_that_nobody_delivers_needs_a_person(journal: Journal) -> None:
    """Events that are pending for 15 minutes without a process that delivers them need a person."""
    fill(journal, "p")
    assert read_overview(journal, START + HOUR / 4).verdict == "Nothing needs a person."
    found = read_overview(journal, START + HOUR / 3)
    assert (only(found).condition, only(found).pending_since) == ("not delivered", START)
    assert found.verdict == "A person is needed: mystore is not delivered."
    assert only(read_overview(journal, START + HOUR, ["mystore"])).condition == "pending"


def test_held_deliveries_are_not_late(journal: Journal, clock: Clock) -> None:
    """A delivery that the carrier can still take back is counted as held, and is not pending for long until then."""
    add(journal, delivery(1, hold_until=START + HOUR))
    found = only(read_overview(journal, START + HOUR / 2))
    assert (found.held.deliveries, found.pending_since, found.condition) == (1, None, "pending")
    clock.now = START + HOUR
    assert only(read_overview(journal, START + HOUR)).pending_since == START


def test_several_accounts_are_counted(file: SqliteJournal) -> None:
    """A sentence names up to three accounts, and otherwise their number."""
    verdicts = []
    for name in ("a", "b", "c", "d"):
        fill(file, "p", name)
        update(file, name, stopped_reason="403")
        verdicts.append(read_overview(file, START).verdict)
    assert verdicts == [
        "A person is needed: a is stopped.",
        "A person is needed: a and b are stopped.",
        "A person is needed: a, b and c are stopped.",
        "A person is needed: 4 accounts are stopped.",
    ]


def test_one_of_each_is_singular(file: SqliteJournal) -> None:
    """One event is reported in the singular."""
    fill(file, "ur")
    park_all(file, (event(1), "x"), expires=-HOUR)
    assert read_overview(file, START).verdict == (
        "A person is needed: 1 event has an unknown outcome, 1 event was refused and 1 parked event was given up."
    )


def test_unknown_events_that_are_sent_again_need_nobody(journal: Journal) -> None:
    """Unknown events of an account that resends them are resolved without a person, and their group says so."""
    fill(journal, "u")
    before = read_overview(journal, START)
    update(journal, resend_after=3600.0)
    found = read_overview(journal, START)
    assert (before.verdict, found.verdict) == (
        "A person is needed: 1 event has an unknown outcome.",
        "Nothing needs a person.",
    )
    assert "sent again automatically" not in before.groups[0].help
    assert found.groups[0].help.endswith("is sent again automatically.")


def test_parked_events_without_account_come_last(journal: Journal) -> None:
    """Parked events whose account is not known have a row of their own; so has an account with known orders only."""
    with_orders = OrderStore(journal, "zstore")
    with_orders.save([OrderPackage("1-01", "1")])
    park_all(journal, (event(1, account="elsewhere"), "x"), expires=HOUR)
    first, last = read_overview(journal, START).accounts
    assert (first.name, first.record, first.known and first.known.orders) == ("zstore", None, 1)
    assert (last.name, last.condition, last.problem, last.parked and last.parked.waiting) == (
        "",
        "nothing to do",
        "",
        1,
    )


def test_journal_is_read_once_in_some_seconds(tmp_path: Path) -> None:
    """An overview is kept, and knows the accounts that its process serves."""
    with SqliteJournal.open(tmp_path / "journal.db") as journal:
        fill(journal, "i")
        with open_reader(tmp_path / "journal.db") as reader:
            overviews = Overviews(reader, lambda: ["mystore"])
            found = overviews.get()
            assert only(found).is_served
            assert overviews.get() is found


def test_password_is_not_shown(journal_url: str) -> None:
    """The commands contain the journal's URL without its password."""
    with PostgresJournal.open(journal_url) as journal:
        fill(journal, "r")
        found = read_overview(journal, START)
    password = journal_url.partition("password=")[2].partition("&")[0]
    assert password
    assert found.groups[0].commands
    assert all("postgresql://" in command.text for command in found.groups[0].commands)
    assert password not in repr(found)
