"""Events that wait for their orders: parked once, added when the order is known, given up after a time."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from vtex_tracking_ext import NotFoundError, Package, PermissionDeniedError
from vtex_tracking_ext.bulk import note
from vtex_tracking_ext.bulk.input.rows import ParkedEvents, Place, UnmatchedEvents
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader
from vtex_tracking_ext.carriers import CarrierEvent, CarrierOptions, Reading, Status
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.orders import OrderPackage, OrderStore, Unparked, carrier_rows, unpark
from vtex_tracking_ext.orders.parked import ParkedCounts, drop, park, parked_counts, parked_events

from support.journaled import Clock, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from vtex_tracking_ext.bulk.journal.interface import Journal

NOW = dt.datetime(2026, 9, 17, 15, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
KNOWN = OrderPackage("o-01", "1", tracking_number="QB1")


@pytest.fixture(params=["sqlite", "postgres"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """Return an empty journal of each kind."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield stack.enter_context(SqliteJournal.open(tmp_path / "journal.db", Clock()))
        else:
            yield stack.enter_context(PostgresJournal.open(request.getfixturevalue("journal_url"), Clock()))


@pytest.fixture
def file() -> Iterator[Journal]:
    """Return an empty journal in a file."""
    with SqliteJournal.temporary() as journal:
        yield journal


def event(hour: int = 10, text: str = "Postado", **values: Any) -> CarrierEvent:
    """Return an event, which has a tracking number unless it is told otherwise."""
    time = dt.datetime(2026, 9, 17, hour, 40, tzinfo=dt.timezone(dt.timedelta(hours=-3)))
    known = {"tracking_code": "QB1", "description": text, "place": f"eventos[{hour}]", "line": hour}
    return CarrierEvent("ocoren", "77", time, Status.IN_TRANSIT, **{**known, **values})


def push(store: OrderStore, *events: CarrierEvent, now: dt.datetime = NOW, **arguments: Any) -> list[str]:
    """Record the events of a payload, and return the problems."""
    rows = carrier_rows(Reading("ocoren", events), orders=store, name="p.txt", now=now, **arguments)
    return [str(each) for each in note(rows, store.journal, account="mystore").problems]  # type: ignore[arg-type]


def take_in(store: OrderStore, *events: CarrierEvent) -> None:
    """Park events without looking for their orders, as the service does."""
    park(store, [(each, "new") for each in events], "webhook", NOW, 14 * DAY)


def numbers(journal: Journal) -> list[str]:
    """Return the tracking codes of the parked events."""
    return [each.event.tracking_code for each in parked_events(journal)]


def test_event_waits_for_its_order(journal: Journal) -> None:
    """A webhook that is delivered five times is parked once, and its event is added once when its order is known."""
    store = OrderStore(journal, "mystore")
    expected = "p.txt:10: 1 event: no order is known with tracking number 'QB1'"
    for _ in range(5):
        assert push(store, event()) == [expected]
    (parked,) = parked_events(journal)
    assert parked.event == event()
    assert (parked.account, parked.place, parked.event.place) == ("mystore", Place("p.txt", 10), "eventos[10]")
    assert (parked.parked, parked.expires, parked.is_reported) == (NOW, NOW + 14 * DAY, False)
    assert unpark(store, now=NOW) == Unparked()
    assert parked_counts(journal, NOW) == [ParkedCounts("mystore", 1, 0, NOW)]
    store.save([KNOWN])
    unparked = unpark(store, now=NOW)
    assert (unparked.events, dict(unparked.by_status), unparked.accounts) == (1, {"new": 1}, {"mystore"})
    assert told(journal) == [(1, "Postado", "pending")]
    assert parked_counts(journal, NOW) == []
    assert push(store, event()) == []
    assert unpark(store, now=NOW) == Unparked()
    assert len(told(journal)) == 1


def test_process_that_is_killed_between_adding_and_deleting(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event is in the journal and still parked; the next try deletes it, and adds nothing twice."""
    store = OrderStore(journal, "mystore")
    push(store, event())
    store.save([KNOWN])

    def killed(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(journal, "execute", killed)
        with pytest.raises(KeyboardInterrupt):
            unpark(store, now=NOW)
    assert (len(told(journal)), numbers(journal)) == (1, ["QB1"])
    assert unpark(store, now=NOW).by_status == {"known": 1}
    assert (len(told(journal)), numbers(journal)) == (1, [])


def test_events_are_added_in_the_order_of_their_times(file: Journal) -> None:
    """Their payloads arrived in another order; one event that two invoices share becomes two entries."""
    store = OrderStore(file, "mystore")
    push(store, event(12, "Entregue"))
    push(store, event(10))
    store.save([KNOWN, evolve(KNOWN, invoice_number="2")])
    assert unpark(store, now=NOW).events == 2
    texts = [text for _, text, _ in told(file)]
    assert texts == ["Postado", "Postado", "Entregue", "Entregue"]


def test_earlier_events_of_a_package_are_added_with_a_later_one(journal: Journal) -> None:
    """A program that tries only new events also adds those that it tried in vain, in the order of their times."""
    store = OrderStore(journal, "mystore")
    push(store, event(10, "Coletado", volume="2"), event(11), event(11, tracking_code="QB10"))
    tried = unpark(store, now=NOW).last
    store.save([KNOWN])
    take_in(store, event(9, tracking_code="QB10"), event(12, "Entregue"))
    assert unpark(store, now=NOW, after=tried).events == 3
    assert [text for _, text, _ in told(journal)] == ["Coletado", "Postado", "Entregue"]
    assert numbers(journal) == ["QB10", "QB10"]


def test_event_that_waits_too_long_is_reported_once(file: Journal) -> None:
    """It stays parked until it is dropped, or its order is known after all."""
    store = OrderStore(file, "mystore")
    push(store, event(), event(11), event(10, tracking_code="QB2"))
    assert unpark(store, now=NOW + 14 * DAY - dt.timedelta(seconds=1)).problems == []
    problem, other = unpark(store, now=NOW + 14 * DAY).problems
    assert isinstance(problem, UnmatchedEvents)
    assert str(problem) == (
        "p.txt:10: 2 events: no order is known with tracking number 'QB1'; parked since 2026-09-17 (eventos[10])"
    )
    assert other.events == 1
    assert unpark(store, now=NOW + 15 * DAY).problems == []
    assert parked_counts(file, NOW + 15 * DAY) == [ParkedCounts("mystore", 0, 3, NOW)]
    store.save([KNOWN])
    assert unpark(store, now=NOW + 15 * DAY).events == 2
    drop(file, parked_events(file))
    assert numbers(file) == []


def test_ambiguous_event_is_refused(file: Journal) -> None:
    """It is not parked; a parked one that is ambiguous now is given up, with the candidates named."""
    store = OrderStore(file, "mystore")
    by_number = event(tracking_code="", invoice_number="1")
    push(store, by_number)
    store.save([KNOWN, evolve(KNOWN, order_id="o-02", tracking_number="")])
    reason = "1 event: several packages may be meant: order o-01, invoice 1; order o-02, invoice 1"
    assert push(store, event(11, tracking_code="", invoice_number="1")) == [f"p.txt:11: {reason}"]
    (problem,) = unpark(store, now=NOW).problems
    assert str(problem) == f"p.txt:10: {reason}; parked since 2026-09-17 (eventos[10])"
    assert parked_counts(file, NOW) == [ParkedCounts("mystore", 0, 1, NOW)]
    assert unpark(store, now=NOW).problems == []
    assert push(store, event(tracking_code="")) == ["p.txt:10: 1 event: the payload does not name the package"]
    assert len(numbers(file)) == 1


class Orders:
    """Reads orders, and counts the calls.

    Attributes:
        answer: The packages of any order, or the error.
        calls: How many orders were read.
    """

    def __init__(self, answer: Sequence[Package] | Exception) -> None:
        self.answer = answer
        self.calls = 0

    def __call__(self, _account: str, _order_id: str) -> Sequence[Package]:
        """Return the packages of an order."""
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_order_is_read_again(file: Journal) -> None:
    """An order without an invoice, or that cannot be read now, is read again: the later, the longer the event waits."""
    store = OrderStore(file, "mystore")
    orders = Orders(PermissionDeniedError("forbidden", status_code=403))
    echo = event(order_reference="o-01")
    (problem,) = push(store, echo, read_packages=orders)
    assert "order o-01 cannot be read" in problem
    orders.answer = ()
    for hours, calls in ((0, 2), (4, 3), (4.9, 3), (5, 4)):
        assert unpark(store, read_packages=orders, now=NOW + dt.timedelta(hours=hours)).events == 0
        assert (orders.calls, numbers(file)) == (calls, ["QB1"])
    orders.answer = NotFoundError("missing", status_code=404)
    assert unpark(store, read_packages=orders, now=NOW + DAY).events == 0
    sent = Package("7", "Output", None, None, None, finished=False, delivered_date=None, events=())
    orders.answer = [sent]
    assert unpark(store, now=NOW + 2 * DAY).events == 0  # which reads no orders
    assert unpark(store, read_packages=orders, now=NOW + 2 * DAY).events == 1
    assert [entry.package.invoice_number for entry in file.entries()] == ["7"]


def test_earlier_events_are_added_with_one_for_which_the_order_was_read(file: Journal) -> None:
    """It is not yet time to read the order again for the earlier event, but a new event has it read, once."""
    store, orders, now = OrderStore(file, "mystore"), Orders(()), NOW + dt.timedelta(hours=4)
    take_in(store, event(10, order_reference="o-01"))
    assert unpark(store, read_packages=orders, now=now).events == 0
    orders.answer = [Package("7", "Output", None, None, None, finished=False, delivered_date=None, events=())]
    take_in(store, event(11, "Entregue", order_reference="o-01"))
    assert unpark(store, read_packages=orders, now=now).events == 2
    assert [text for _, text, _ in told(file)] == ["Postado", "Entregue"]
    assert (orders.calls, numbers(file)) == (2, [])


def test_event_that_vtex_would_refuse_is_given_up(file: Journal) -> None:
    """Its order is known, but its text is too long; it is reported, and kept until a person drops it."""
    store = OrderStore(file, "mystore")
    push(store, event(text="x" * 5001))
    store.save([KNOWN])
    (problem,) = unpark(store, now=NOW).problems
    assert "description: 5001 characters" in str(problem)
    assert numbers(file) == ["QB1"]


def test_settings(file: Journal) -> None:
    """A merchant says how long events wait, and how long a delivery is held; a check and an index park nothing."""
    store = OrderStore(file, "mystore")
    for arguments in ({"options": {"park": "off"}}, {"is_trial": True}, {"orders": None}):
        known: dict[str, Any] = {"orders": store, "now": NOW, **arguments}
        (problem,) = carrier_rows(Reading("ocoren", (event(),)), **known)
        assert not isinstance(problem, ParkedEvents)
    assert numbers(file) == []
    delivery = evolve(event(11), status=Status.DELIVERED, is_delivered=True)
    push(store, delivery, options={"park": "1d"})
    (parked,) = parked_events(file)
    assert parked.expires == NOW + DAY
    store.save([KNOWN])
    unpark(store, options=lambda _: CarrierOptions(hold=3600.0), now=NOW)
    assert [entry.not_before for entry in file.entries() if entry.not_before] == [NOW + dt.timedelta(minutes=40)]


def test_journal_that_was_opened_for_reading_parks_nothing(tmp_path: Path) -> None:
    """Nothing is kept, which the problem does not say either, and nothing is tried again."""
    with SqliteJournal.open(tmp_path / "journal.db"):
        pass
    with SqliteReader.open(tmp_path / "journal.db") as reader:
        store = OrderStore(reader, "mystore")
        (problem,) = carrier_rows(Reading("ocoren", (event(),)), orders=store, now=NOW)
        assert isinstance(problem, UnmatchedEvents)
        assert not isinstance(problem, ParkedEvents)
        assert unpark(store) == Unparked()
        assert [*parked_events(reader)] == []


def test_accounts_of_the_run(file: Journal) -> None:
    """Events of other accounts and servers wait; those of a run without an account belong to any account of it."""

    def accounts(*names: str) -> OrderStore:
        def account_name(account: str) -> str:
            if account not in names:
                raise ConfigurationError(f"{account} is unknown")
            return account

        return OrderStore(file, account_name)

    both, third = accounts("one", "two"), accounts("third")
    assert [*carrier_rows(Reading("ocoren", (event(),)), orders=both, now=NOW)]
    assert [*carrier_rows(Reading("ocoren", (event(account="two"),)), orders=both, accounts=["two"], now=NOW)]
    assert [each.account for each in parked_events(file)] == ["", "two"]
    third.save([evolve(KNOWN, account="third", tracking_number="QB2")])
    assert unpark(third, now=NOW) == Unparked()
    both.save([evolve(KNOWN, account="two")])
    unparked = unpark(both, now=NOW)
    assert (unparked.events, unparked.by_status) == (2, {"new": 1, "known": 1})
    orders = Orders(NotFoundError("missing", status_code=404))
    echo = event(order_reference="o-09", invoice_number="9", tracking_code="QB9")
    assert [*carrier_rows(Reading("ocoren", (echo,)), orders=both, read_packages=orders, now=NOW)]
    orders.answer = PermissionDeniedError("forbidden", status_code=403)  # so that the payload's own invoice is used
    (problem,) = unpark(both, read_packages=orders, now=NOW).problems
    assert problem.message == " is unknown; parked since 2026-09-17 (eventos[10])"
