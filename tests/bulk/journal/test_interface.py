"""What every journal does, wherever it is kept. A new kind of journal is one more parameter of the fixtures."""

from __future__ import annotations

import datetime as dt
import pickle
import threading
from collections import Counter
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from attrs import evolve, frozen

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.rows import Place, Row
from vtex_tracking_ext.bulk.journal.entries import (
    OPEN_STATES,
    STATES,
    Added,
    Backlog,
    Entry,
    Meta,
    Outcome,
    Selection,
    State,
)
from vtex_tracking_ext.bulk.journal.interface import (
    Journal,
    JournalError,
    JournalInUseError,
    JournalReader,
    WrongStateError,
)
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, PostgresReader, schema
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader, file

from support.journaled import START, Clock, delivery, package, row, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECOND = dt.timedelta(seconds=1)
RECEIPT = "f67d33a8029c42ce9a8f07fc17f54449"


@frozen
class Store:
    """A place that keeps a journal: what opens it, to write and to read. The fixture closes what was opened."""

    open: Callable[[], Journal]
    read: Callable[[], JournalReader]


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands at :data:`START`."""
    return Clock()


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Return a stack; what is entered into it is closed after the test."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, opened: ExitStack) -> Store:
    """Return a place for a journal, of each kind that lasts."""
    if request.param == "postgres":
        url = request.getfixturevalue("journal_url")
        return Store(
            lambda: opened.enter_context(PostgresJournal.open(url, clock)),
            lambda: opened.enter_context(PostgresReader.open(url)),
        )
    path = tmp_path / "journal.db"
    return Store(
        lambda: opened.enter_context(SqliteJournal.open(path, clock)),
        lambda: opened.enter_context(SqliteReader.open(path)),
    )


@pytest.fixture(params=["sqlite", "temporary", "postgres"])
def journal(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, opened: ExitStack) -> Journal:
    """Return an empty journal, of each kind."""
    if request.param == "sqlite":
        return opened.enter_context(SqliteJournal.open(tmp_path / "journal.db", clock))
    if request.param == "postgres":
        return opened.enter_context(PostgresJournal.open(request.getfixturevalue("journal_url"), clock))
    return opened.enter_context(SqliteJournal.temporary(clock))


def add(journal: Journal, *rows: Row) -> list[str]:
    """Add rows and return what each meant."""
    return [added.status for added in journal.add(rows, "mystore")]


def to_state(journal: Journal, id_: int, state: State, **outcome: Any) -> None:
    """Bring a pending entry into a state, by the moves that lead there."""
    if state == "pending":
        return
    journal.mark_in_flight([id_])
    if state != "in_flight":
        journal.record_outcome([id_], state, **outcome)


def version_of(journal: Journal) -> int:
    """Return the version of a kind's tables."""
    return schema.SCHEMA_VERSION if isinstance(journal, PostgresJournal) else file.SCHEMA_VERSION


def test_an_empty_journal_has_nothing_to_do(journal: Journal) -> None:
    """And says when it was made, in UTC."""
    assert journal.meta() == Meta(version_of(journal), START)
    assert journal.meta().created.utcoffset() == dt.timedelta(0)
    assert (list(journal.entries()), list(journal.open_packages()), journal.counts()) == ([], [], {})


def test_a_row_becomes_entries_as_it_was_written(journal: Journal) -> None:
    """Event and delivery, with where it stood and when it came."""
    written = delivery(2, "2026-10-01 21:15", " Entregue ")
    assert list(journal.add([written], "MyStore")) == [Added(written, "new")]
    event, delivered = journal.entries()
    assert event == Entry(
        id=1,
        package=package(),
        event=TrackingEvent("2026-10-01", " Entregue ", "S\u00e3o Paulo", "SP"),
        delivered_date=None,
        place=Place("f.csv", 2),
        state="pending",
        attempts=0,
        status_code=None,
        receipt=None,
        reason="",
        added=START,
        begun=None,
        settled=None,
    )
    assert delivered == evolve(event, id=2, event=None, delivered_date="2026-10-01 21:15")


def test_the_same_rows_again_send_nothing(store: Store) -> None:
    """Within a file, from an earlier run, and whatever became of them (but see the refused)."""
    first = store.open()
    assert add(first, row(2, "a"), row(3, "a"), delivery(4), delivery(5), row(6, "b"), row(7, "c")) == [
        "new",
        "known",
        "new",
        "known",
        "new",
        "new",
    ]
    to_state(first, 1, "applied")
    to_state(first, 2, "unknown")
    to_state(first, 3, "in_flight")
    before = list(first.entries())
    first.close()
    second = store.open()
    assert add(second, row(2, "a"), delivery(3), row(4, " b "), row(5, "c")) == ["known"] * 4
    assert list(second.entries()) == before


def test_a_history_that_grew_adds_what_is_new(journal: Journal) -> None:
    """Events of the same text, but of another package or account, are others."""
    add(journal, row(2, "a"))
    verdicts = add(journal, row(2, "a"), row(3, "b"), row(4, "a", "2"), row(5, "a", account="other"))
    assert verdicts == ["known", "new", "new", "new"]
    assert [(e.package, e.place.line) for e in journal.entries()] == [
        (package(), 2),
        (package(), 3),
        (package("2"), 4),
        (package(account="other"), 5),
    ]


def test_a_row_half_known_brings_its_other_half(journal: Journal) -> None:
    """The delivery of an event that came alone before."""
    add(journal, row(2, "Entregue"))
    assert add(journal, delivery(3, description="Entregue")) == ["new"]
    assert told(journal) == [(1, "Entregue", "pending"), (2, "D None", "pending")]


def test_a_fuller_date_prevails_while_the_delivery_waits(journal: Journal) -> None:
    """And begin returns what must now be sent, whatever was read before."""
    add(journal, delivery(2))
    (read,) = journal.entries()
    assert add(journal, delivery(3, "2026-10-01"), delivery(4, "2026-10-01 21:15"), delivery(5)) == [
        "renewed",
        "renewed",
        "known",
    ]
    (begun,) = journal.mark_in_flight([read.id])
    assert (begun.delivered_date, begun.place.line, begun.state) == ("2026-10-01 21:15", 4, "in_flight")
    assert add(journal, delivery(6, "2026-10-01 21:15")) == ["known"]


def test_a_date_that_comes_after_the_delivery_was_sent_is_noted(journal: Journal) -> None:
    """There is only one delivery."""
    add(journal, delivery(2))
    journal.mark_in_flight([1])
    (added,) = journal.add([delivery(3, "2026-10-01")], "mystore")
    assert (added.status, added.note) == (
        "known",
        "2026-10-01 comes too late: the delivery of f.csv:2 was sent without a date, and there is only one",
    )
    assert told(journal) == [(1, "D None", "in_flight")]


def test_another_date_contradicts_and_nothing_of_the_row_is_taken(journal: Journal) -> None:
    """Not its event either, so that the mended row can be pushed."""
    add(journal, delivery(2, "2026-10-01"))
    (added,) = journal.add([delivery(3, "2026-10-02", "Entregue")], "mystore")
    assert (added.status, added.note) == (
        "contradicts",
        "2026-10-02, but f.csv:2 says 2026-10-01; a package has one delivery",
    )
    assert told(journal) == [(1, "D 2026-10-01", "pending")]
    assert add(journal, delivery(3, "2026-10-01", "Entregue")) == ["new"]


def test_a_refused_event_that_is_pushed_again_is_sent_again(journal: Journal, clock: Clock) -> None:
    """Somebody mended something on VTEX's side. It keeps its number and its attempts, and tells of the newer row."""
    add(journal, row(2, "a"), row(3, "b"))
    to_state(journal, 1, "refused", status_code=404, reason="Invoice Not Found")
    before = next(journal.entries())
    clock.now += SECOND
    assert add(journal, row(9, " a", "1"), row(10, "a")) == ["renewed", "known"]
    after = next(journal.entries())
    assert after == evolve(
        before,
        event=TrackingEvent("2026-10-01", " a", "S\u00e3o Paulo", "SP"),
        place=Place("f.csv", 9),
        state="pending",
        status_code=None,
        reason="",
        settled=None,
    )
    assert after.attempts == 1
    assert list(journal.open_packages()) == [package()]


def test_a_refused_delivery_takes_the_date_of_the_row_that_wakes_it(journal: Journal) -> None:
    """Its date may be what VTEX refused."""
    add(journal, delivery(2, "2026-10-01"))
    to_state(journal, 1, "refused", status_code=400)
    assert add(journal, delivery(3, "2026-10-02"), delivery(4, "2026-10-03")) == ["renewed", "contradicts"]
    assert told(journal) == [(1, "D 2026-10-02", "pending")]


def test_rows_are_added_as_they_are_iterated_over(store: Store) -> None:
    """What has been yielded is on disk; what lies far ahead has not even been read."""
    read = []

    def rows() -> Iterator[Row]:
        for number in range(5000):
            read.append(number)
            yield row(number, f"event {number}")

    journal = store.open()
    yielded = list(islice(journal.add(rows(), "mystore"), 1500))
    assert len(read) < 5000
    assert [added.row.place.line for added in yielded] == list(range(1500))
    assert len(list(store.read().entries())) >= 1500


def test_an_error_while_rows_are_read_keeps_those_before(journal: Journal) -> None:
    """About: the transaction at hand is not begun. Pushing again makes it good."""

    def rows(last: int) -> Iterator[Row]:
        for number in range(last):
            yield row(number, f"event {number}")
        if last == 2500:
            raise OSError("unplugged")

    with pytest.raises(OSError):  # noqa: PT011 - the reader's own
        add(journal, *rows(2500))
    with pytest.raises(OSError):  # noqa: PT011 - the reader's own
        for _ in journal.add(rows(2500), "mystore"):
            pass
    kept = journal.counts()["mystore"]["pending"]
    assert 0 < kept <= 2500
    assert Counter(a.status for a in journal.add(rows(3000), "mystore")) == {"known": kept, "new": 3000 - kept}


def test_more_entries_than_a_page_come_in_order(journal: Journal) -> None:
    """All of them, and all packages, whatever page size the journal reads in."""
    number = 2345
    rows = [row(n, f"event {n}", invoice=str(n % 1234)) for n in range(number)]
    assert add(journal, *rows) == ["new"] * number
    assert [e.place.line for e in journal.entries()] == list(range(number))
    assert [p.invoice_number for p in journal.open_packages()] == [str(n) for n in range(1234)]
    assert [e.place.line for e in journal.entries(Selection(package=package("7")))] == [7, 1241]


def test_a_package_of_many_entries_is_read_in_order(journal: Journal) -> None:
    """By state or not."""
    add(journal, *[row(n, f"event {n}") for n in range(1200)])
    to_state(journal, 600, "applied")
    expected = [n for n in range(1, 1201) if n != 600]
    assert [e.id for e in journal.entries(Selection(OPEN_STATES, package=package()))] == expected
    assert [e.id for e in journal.entries(Selection(package=package()))] == list(range(1, 1201))


def test_a_package_is_open_while_something_is_left_to_do(journal: Journal) -> None:
    """Pending, in flight or unknown. In the order in which packages first came."""
    states: list[State] = ["refused", "unknown", "applied", "in_flight", "pending"]
    for number, state in enumerate(states, 1):
        add(journal, row(number, "a", invoice=str(number)))
        to_state(journal, number, state)
    add(journal, row(9, "b", account="other"))
    assert list(journal.open_packages("mystore")) == [package("2"), package("4"), package("5")]
    assert list(journal.open_packages("OTHER")) == [package(account="other")]
    assert len(list(journal.open_packages())) == 4
    add(journal, row(10, "b", invoice="3"))
    assert list(journal.open_packages("mystore")) == [package("2"), package("3"), package("4"), package("5")]


def test_what_is_open_is_counted_by_package(journal: Journal) -> None:
    """How many packages have how many events and deliveries waiting, and how much in doubt."""
    states: list[State] = ["refused", "unknown", "applied", "in_flight", "pending"]
    for number, state in enumerate(states, 1):
        add(journal, row(number, "a", invoice=str(number)))
        to_state(journal, number, state)
    add(journal, *[row(number, "b", invoice="5") for number in (6, 7)], delivery(8, invoice="5"))
    add(journal, row(9, "b", invoice="4"), delivery(10, invoice="6"), row(11, "b", account="other"))
    assert journal.count_backlogs("mystore") == {
        Backlog(0, 0, 1): 1,
        Backlog(1, 0, 1): 1,
        Backlog(2, 1, 0): 1,
        Backlog(0, 1, 0): 1,
    }
    assert journal.count_backlogs("OTHER") == {Backlog(1, 0, 0): 1}
    assert journal.count_backlogs("nobody") == {}


def test_packages_can_be_worked_on_while_they_are_iterated_over(journal: Journal) -> None:
    """None is passed over, none comes twice."""
    add(journal, *[row(n, "a", invoice=str(n)) for n in range(1200)])
    seen = []
    for opened in journal.open_packages():
        seen.append(opened.invoice_number)
        if opened.invoice_number.endswith("9"):
            (entry,) = journal.entries(Selection(package=opened))
            to_state(journal, entry.id, "applied")
    assert seen == [str(n) for n in range(1200)]
    assert len(list(journal.open_packages())) == 1080


def test_entries_are_selected(journal: Journal) -> None:
    """By each criterion, and by all together."""
    add(journal, row(2, "a"), row(3, "b"), row(4, "c", "2"), row(5, "d", account="other"))
    to_state(journal, 1, "applied")
    to_state(journal, 3, "refused")

    def ids(**criteria: Any) -> list[int]:
        return [e.id for e in journal.entries(Selection(**criteria))]

    assert ids() == [1, 2, 3, 4]
    assert ids(states=("applied", "refused")) == [1, 3]
    assert ids(states=()) == []
    assert ids(account="MyStore") == [1, 2, 3]
    assert ids(account="nobody") == []
    assert ids(package=package()) == [1, 2]
    assert ids(package=package("9")) == []
    assert ids(package=package(), account="other") == []
    assert ids(package=package(), account="mystore", states=("applied",)) == [1]
    assert ids(ids=(4, 2, 99)) == [2, 4]
    assert ids(ids=(4, 2), account="other") == [4]
    assert ids(ids=(1, 2, 3), states=("refused", "applied"), package=package()) == [1]


def test_counts_are_by_account_and_state(journal: Journal) -> None:
    """All five states, and two accounts."""
    for number, state in enumerate(STATES, 1):
        add(journal, row(number, f"event {number}"))
        to_state(journal, number, state)
    add(journal, row(9, "a", account="other"), row(10, "b", account="other"))
    assert journal.counts() == {"mystore": Counter(STATES), "other": {"pending": 2}}


def test_beginning_counts_attempts_and_keeps_the_time(journal: Journal, clock: Clock) -> None:
    """And returns the entries as they now stand, in order."""
    add(journal, row(2, "a"), row(3, "b"), row(4, "c"))
    clock.now += SECOND
    begun = journal.mark_in_flight(iter([2, 1, 2]))
    assert [(e.id, e.state, e.attempts, e.begun, e.settled) for e in begun] == [
        (1, "in_flight", 1, START + SECOND, None),
        (2, "in_flight", 1, START + SECOND, None),
    ]
    assert list(journal.entries(Selection(ids=(1, 2)))) == list(begun)
    assert told(journal, Selection(ids=(3,))) == [(3, "c", "pending")]
    journal.record_outcome([1], "pending", status_code=429, reason="over its limit")
    clock.now += SECOND
    (again,) = journal.mark_in_flight([1])
    assert (again.attempts, again.begun) == (2, START + 2 * SECOND)


def test_what_begins_is_seen_by_others_at_once(store: Store) -> None:
    """It is committed when begin returns."""
    journal = store.open()
    add(journal, row(2, "a"))
    reader = store.read()
    journal.mark_in_flight([1])
    assert told(reader) == [(1, "a", "in_flight")]


@pytest.mark.parametrize("state", ["applied", "refused", "unknown"])
def test_settling_keeps_what_is_known(journal: Journal, clock: Clock, state: Outcome) -> None:
    """Status, receipt, reason and time, for all entries of the call."""
    add(journal, row(2, "a"), row(3, "b"))
    begun = journal.mark_in_flight([1, 2])
    clock.now += SECOND
    journal.record_outcome([1, 2], state, status_code=200, receipt=RECEIPT, reason="why")
    assert list(journal.entries()) == [
        evolve(e, state=state, status_code=200, receipt=RECEIPT, reason="why", settled=START + SECOND) for e in begun
    ]


def test_what_was_not_sent_is_pending_again(journal: Journal) -> None:
    """With the reason, and without a time of settling."""
    add(journal, row(2, "a"))
    (begun,) = journal.mark_in_flight([1])
    journal.record_outcome([1], "pending", reason="no connection")
    assert list(journal.entries()) == [evolve(begun, state="pending", reason="no connection")]


def test_what_a_server_wrote_can_always_be_stored(journal: Journal) -> None:
    """Cut, on one line, with nothing that cannot be encoded: settling must not fail for it."""
    add(journal, row(2, "a"))
    journal.mark_in_flight([1])
    journal.record_outcome([1], "applied", receipt="\ud800" * 1000, reason="\x1b[31m\n\ud800\x00" * 1000)
    (entry,) = journal.entries()
    assert entry.receipt is not None
    assert len(entry.receipt) < 1000
    assert len(entry.reason) < 10_000
    assert entry.reason.startswith(r"\x1b[31m\n\ud800\x00")


@pytest.mark.parametrize("state", [s for s in STATES if s != "pending"])
def test_only_what_is_pending_begins(journal: Journal, state: State) -> None:
    """All or nothing, and the message says which."""
    add(journal, row(2, "a"), row(3, "b"))
    to_state(journal, 2, state)
    with pytest.raises(WrongStateError, match=rf": entry 2 is {state}, entry 9 is not there, where pending was"):
        journal.mark_in_flight([1, 2, 9])
    assert told(journal) == [(1, "a", "pending"), (2, "b", state)]
    assert next(journal.entries()).attempts == 0


@pytest.mark.parametrize("state", [s for s in STATES if s != "in_flight"])
def test_only_what_is_in_flight_is_settled(journal: Journal, state: State) -> None:
    """All or nothing."""
    add(journal, row(2, "a"), row(3, "b"))
    to_state(journal, 1, "in_flight")
    to_state(journal, 2, state)
    with pytest.raises(WrongStateError, match=rf": entry 2 is {state}, where in_flight was expected\."):
        journal.record_outcome([1, 2], "applied")
    assert told(journal) == [(1, "a", "in_flight"), (2, "b", state)]


def test_nothing_can_be_begun_and_settled(journal: Journal) -> None:
    """It is no error to have nothing to do."""
    assert journal.mark_in_flight([]) == ()
    journal.record_outcome([], "applied")
    assert journal.counts() == {}


def test_an_unknown_outcome_is_resolved_as_applied(journal: Journal, clock: Clock) -> None:
    """On somebody's word; the answer that left it unknown is no longer what it rests on."""
    add(journal, row(2, "a"))
    to_state(journal, 1, "unknown", status_code=504, reason="Gateway Timeout")
    clock.now += SECOND
    before = next(journal.entries())
    assert journal.resolve(Selection(ids=(1,)), "applied", "found on the order") == 1
    assert list(journal.entries()) == [
        evolve(before, state="applied", status_code=None, reason="found on the order", settled=START + SECOND)
    ]


def test_an_unknown_outcome_is_resolved_as_not_applied(journal: Journal) -> None:
    """It waits to be sent again."""
    add(journal, row(2, "a"))
    to_state(journal, 1, "unknown", status_code=504, reason="Gateway Timeout")
    before = next(journal.entries())
    assert journal.resolve(Selection(), "pending") == 1
    assert list(journal.entries()) == [evolve(before, state="pending", status_code=None, reason="", settled=None)]


def test_resolving_touches_nothing_that_is_known(journal: Journal) -> None:
    """Nor what is in flight: another worker may be about to settle it."""
    for number, state in enumerate(STATES, 1):
        add(journal, row(number, f"event {number}"))
        to_state(journal, number, state)
    assert journal.resolve(Selection(), "applied") == 1
    assert [state for _, _, state in told(journal)] == [s if s != "unknown" else "applied" for s in STATES]
    assert journal.retry(Selection(states=("applied",))) == 1
    assert Counter(state for _, _, state in told(journal)) == {"pending": 2, "in_flight": 1, "applied": 2}


def test_resolving_and_retrying_take_a_selection(journal: Journal) -> None:
    """One, a package, an account, or all."""
    rows = [row(n, f"event {n}", invoice=str(n // 2), account="other" if n > 5 else "") for n in range(8)]
    add(journal, *rows)
    for number in range(1, 9):
        to_state(journal, number, "unknown" if number % 2 else "refused")
    assert journal.resolve(Selection(ids=(1, 2)), "applied") == 1
    assert journal.resolve(Selection(package=package("1")), "applied") == 1
    assert journal.resolve(Selection(account="other"), "applied") == 1
    assert journal.retry(Selection(package=package("0"))) == 1
    assert journal.retry(Selection()) == 3
    assert journal.resolve(Selection(), "pending") == 1
    assert Counter(state for _, _, state in told(journal)) == {"applied": 3, "pending": 5}


def test_who_holds_a_package_holds_it_alone(journal: Journal) -> None:
    """It can be worked on meanwhile, and held again afterwards."""
    add(journal, row(1, "a"))
    for _ in range(2):
        with journal.try_lock(package()) as is_mine, journal.try_lock(package("2")) as is_mine_too:
            assert (is_mine, is_mine_too) == (True, True)
            for _ in range(2):
                with journal.try_lock(package()) as is_mine_again:
                    assert is_mine_again is False
            assert len(list(journal.entries(Selection(package=package())))) == 1
    journal.mark_in_flight([1])


def test_a_file_can_be_called_by_any_bytes(journal: Journal) -> None:
    """What is not UTF-8 is kept as an escape."""
    add(journal, row(1, "a", place=Place("e\udcff\u00e9.csv", 1)))
    assert [entry.place for entry in journal.entries()] == [Place("e\\udcff\u00e9.csv", 1)]


def test_what_waits_can_be_withdrawn(journal: Journal) -> None:
    """It is refused on somebody's word; what is not pending stays; its row brings it back."""
    add(journal, row(1, "a"), row(2, "b"), row(3, "c"))
    to_state(journal, 1, "in_flight")
    assert journal.withdraw(Selection(ids=(1, 2)), "sent by mistake") == 1
    assert told(journal) == [(1, "a", "in_flight"), (2, "b", "refused"), (3, "c", "pending")]
    (withdrawn,) = journal.entries(Selection(("refused",)))
    assert (withdrawn.reason, withdrawn.settled is not None) == ("sent by mistake", True)
    assert add(journal, row(9, "b")) == ["renewed"]


def test_more_than_a_transaction_holds_is_resolved(journal: Journal) -> None:
    """A long outage can leave thousands."""
    add(journal, *[row(n, f"event {n}") for n in range(2345)])
    journal.mark_in_flight(range(1, 2346))
    journal.record_outcome(range(1, 2346), "unknown")
    assert journal.resolve(Selection(), "pending") == 2345
    assert journal.counts() == {"mystore": {"pending": 2345}}


def test_many_threads_deliver_at_once(journal: Journal) -> None:
    """While rows are still being added and somebody looks on."""
    add(journal, *[row(n, f"event {n}", invoice=str(n)) for n in range(320)])
    errors: list[BaseException] = []
    start = threading.Barrier(18, timeout=30)

    def doing(work: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            try:
                start.wait()
                work()
            except BaseException as error:  # noqa: BLE001 - the test shows it
                errors.append(error)

        return threading.Thread(target=run)

    def deliver(first: int) -> None:
        for id_ in range(first, 321, 16):
            (entry,) = journal.mark_in_flight([id_])
            assert entry.id == id_
            journal.record_outcome([id_], "applied", receipt=str(id_))

    threads = [doing(lambda first=first: deliver(first)) for first in range(1, 17)]  # type: ignore[misc]
    threads.append(doing(lambda: add(journal, *[row(n, f"event {n}", invoice="x") for n in range(2000)])))
    threads.append(doing(lambda: [list(journal.open_packages()) for _ in range(20)]))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert journal.counts() == {"mystore": {"applied": 320, "pending": 2000}}
    applied = list(journal.entries(Selection(("applied",))))
    assert [(e.id, e.attempts, e.receipt) for e in applied] == [(n, 1, str(n)) for n in range(1, 321)]


def test_one_entry_is_begun_by_one_thread(journal: Journal) -> None:
    """Of sixteen that try."""
    add(journal, row(2, "a"))
    start = threading.Barrier(16, timeout=30)
    won: list[int] = []
    lost: list[str] = []

    def begin(number: int) -> None:
        start.wait()
        try:
            journal.mark_in_flight([1])
        except WrongStateError as error:
            lost.append(str(error))
        else:
            won.append(number)

    threads = [threading.Thread(target=begin, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(won), len(lost)) == (1, 15)
    assert next(journal.entries()).attempts == 1


def test_a_journal_lasts(store: Store, clock: Clock) -> None:
    """Everything is there when it is opened again, and numbers go on."""
    first = store.open()
    add(first, row(2, "a"), delivery(3, "2026-10-01"))
    to_state(first, 1, "unknown", status_code=500, reason="why")
    before = list(first.entries())
    first.close()
    clock.now += SECOND
    second = store.open()
    assert second.meta() == Meta(version_of(second), START)
    assert list(second.entries()) == before
    add(second, row(4, "b"))
    assert [e.id for e in second.entries()] == [1, 2, 3]


def test_a_journal_can_be_looked_at_during_a_run(store: Store) -> None:
    """And after it."""
    journal = store.open()
    add(journal, row(2, "a"))
    reader = store.read()
    assert told(reader) == [(1, "a", "pending")]
    add(journal, row(3, "b"))
    assert reader.counts() == {"mystore": {"pending": 2}}
    assert list(reader.open_packages()) == [package()]
    assert reader.meta() == journal.meta()
    journal.close()
    assert len(list(store.read().entries())) == 2
    assert len(list(reader.entries())) == 2


def test_a_closed_journal_says_so(journal: Journal) -> None:
    """Whatever it is asked; closing it once more is no matter."""
    add(journal, row(2, "a"))
    journal.close()
    journal.close()
    uses: list[Callable[[], object]] = [
        journal.meta,
        journal.counts,
        lambda: journal.count_backlogs("mystore"),
        lambda: list(journal.entries()),
        lambda: list(journal.open_packages()),
        lambda: add(journal, row(3, "b")),
        lambda: journal.mark_in_flight([1]),
        lambda: journal.record_outcome([1], "applied"),
        lambda: journal.resolve(Selection(), "applied"),
        lambda: journal.retry(Selection()),
    ]
    for use in uses:
        with pytest.raises(JournalError, match="closed"):
            use()


@pytest.mark.parametrize("kind", [JournalError, JournalInUseError, WrongStateError])
def test_errors_say_that_nothing_was_applied_and_survive_pickling(kind: type[JournalError]) -> None:
    """Like all errors of this package."""
    error = pickle.loads(pickle.dumps(kind("why")))  # noqa: S301 - our own
    assert (type(error), str(error), error.applied) == (kind, "why", False)


def test_damage_that_no_database_detects_names_the_journal() -> None:
    """The message of a journal without a more precise one quotes the error."""
    reader = mock.Mock(spec=JournalReader)
    reader.name = "postgresql://h/d"
    error = JournalReader._damage_error(reader, KeyError("odd"))
    assert str(error) == "The journal postgresql://h/d is damaged (KeyError('odd'))."
