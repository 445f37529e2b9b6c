"""Tests of deliveries that the carrier can still take back, and of packages of several volumes, in every journal."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.journal.entries import BY_HAND, TAKEN_BACK, Held, Selection
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

from support.journaled import START, Clock, add, package, row, to_state

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.input.rows import Row
    from vtex_tracking_ext.bulk.journal.entries import Entry, State
    from vtex_tracking_ext.bulk.journal.interface import Journal

    from .conftest import Store

HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)

#: The note of a row that takes a delivery back too late.
TOO_LATE = (
    "the carrier takes the delivery back, but it %s sent to VTEX, which cannot take it back; correct the order in the "
    "VTEX Admin"
)

#: The note of an event after the delivery of its package.
AFTER = (
    "comes after the delivery of its package (f.csv:540: 2026-11-23 09:00); it is sent, but VTEX does not document "
    "what it changes"
)


def scan(time: str, text: str = "x", **changes: Any) -> Row:
    """Return a carrier's row about an event at a time of day, with an event id of its own."""
    event = TrackingEvent("2026-11-23", text)
    values = {"account": "mystore", "time": time, "event_id": f"{text} {time} {changes.get('volume', '')}", **changes}
    line = int(time[:2]) * 60 + int(time[3:])
    return row(line, text, values.pop("invoice", "1"), event=event, **values)


def delivered(time: str, hold: dt.timedelta | None = None, **changes: Any) -> Row:
    """Return a carrier's row that reports a delivery, held for so long from the start of the test."""
    values = {"delivered_date": f"2026-11-23 {time}", "hold_until": None if hold is None else START + hold, **changes}
    return scan(time, "D", is_delivered=True, **values)


def taken_back(time: str, **changes: Any) -> Row:
    """Return a carrier's row that takes back the delivery before it."""
    return scan(time, "EST", takes_back=True, **changes)


def meant(journal: Journal, *rows: Row) -> list[tuple[str, str]]:
    """Add rows, and return status and note of each."""
    return [(added.status, added.note) for added in journal.add(rows)]


def deliveries(journal: Journal, invoice: str = "1") -> list[Entry]:
    """Return the deliveries of a package: one or none."""
    return [entry for entry in journal.entries(Selection(package=package(invoice))) if entry.event is None]


def the_delivery(journal: Journal, invoice: str = "1") -> tuple[str, str | None, str, dt.datetime | None]:
    """Return state, date, reason and hold of the delivery of a package."""
    (entry,) = deliveries(journal, invoice)
    return entry.state, entry.delivered_date, entry.reason, entry.not_before


def begun(journal: Journal) -> list[str]:
    """Begin all entries, and return the kinds of those that could be begun."""
    with journal.lease("mystore") as lease:
        assert lease is not None
        return [entry.kind for entry in lease.begin([*journal.entries(Selection(("pending",)))])]


@pytest.fixture
def journal(store: Store) -> Journal:
    """Return an empty journal, of each kind that several processes can open."""
    return store.open()


class TestHold:
    """A delivery with a hold is not begun before it ends."""

    def test_held_delivery_is_not_begun_before_its_time(self, store: Store, clock: Clock) -> None:
        """Its event is begun at once, the delivery when the journal's clock says so, also by another process."""
        first = store.open()
        assert meant(first, delivered("09:00", HOUR)) == [("new", "")]
        assert the_delivery(first) == ("pending", "2026-11-23 09:00", "", START + HOUR)
        assert begun(first) == ["event"]
        clock.now = START + HOUR - MINUTE
        assert begun(first) == []
        assert first.held() == {"mystore": Held(1, START + HOUR)}
        first.close()
        second = store.open()
        assert begun(second) == []
        clock.now = START + HOUR
        assert second.held() == {}
        assert begun(second) == ["delivery"]

    def test_held_deliveries_are_counted_by_account(self, journal: Journal) -> None:
        """The time is that of the last one; what is over, or no longer pending, is not counted."""
        rows = [delivered("09:00", n * HOUR, invoice=str(n), account=f"a{n % 2}") for n in range(-1, 5)]
        add(journal, *rows, delivered("09:00", invoice="9", account="a1"))
        journal.withdraw(Selection(package=package("4", "a0")))
        assert journal.held() == {"a0": Held(1, START + 2 * HOUR), "a1": Held(2, START + 3 * HOUR)}
        assert Held.total(journal.held().values()) == Held(3, START + 3 * HOUR)

    def test_a_row_that_arrives_again_can_shorten_a_hold(self, journal: Journal) -> None:
        """Not prolong it; and a row with another date reports another delivery, which changes nothing."""
        cases: list[tuple[Row, str, dt.timedelta | None]] = [
            (delivered("09:00", HOUR), "known", HOUR),
            (delivered("09:00", 2 * HOUR), "known", HOUR),
            (delivered("09:00", MINUTE), "renewed", MINUTE),
            (delivered("09:00"), "renewed", None),
            (delivered("09:00", -HOUR), "renewed", -HOUR),
            (row(9, account="mystore", is_delivered=True), "renewed", None),
            (delivered("08:00", MINUTE), "new", HOUR),
            (delivered("09:30"), "new", HOUR),
        ]
        for number, (again, status, left) in enumerate(cases):
            invoice = f"{number}"
            add(journal, delivered("09:00", HOUR, invoice=invoice))
            revision = journal.revision("mystore")
            assert meant(journal, evolve(again, invoice_number=invoice))[0][0] == status
            until = None if left is None else START + left
            assert the_delivery(journal, invoice) == ("pending", "2026-11-23 09:00", "", until)
            assert (journal.revision("mystore") != revision) is (status != "known")

    def test_a_row_that_dates_a_held_delivery_does_not_prolong_it(self, journal: Journal) -> None:
        """The date is replaced by the more precise one, and the shorter of two holds counts."""
        day = delivered("09:00", HOUR, delivered_date="2026-11-23")
        add(journal, day)
        assert meant(journal, delivered("09:00", 2 * HOUR)) == [("renewed", "")]
        assert the_delivery(journal) == ("pending", "2026-11-23 09:00", "", START + HOUR)
        add(journal, delivered("10:00", HOUR, invoice="3", delivered_date="2026-11-23"))
        assert meant(journal, delivered("10:00", MINUTE, invoice="3")) == [("renewed", "")]
        assert the_delivery(journal, "3")[3] == START + MINUTE
        add(journal, delivered("10:00", invoice="2", delivered_date="2026-11-23"))
        assert meant(journal, delivered("10:00", HOUR, invoice="2")) == [("renewed", "")]
        assert the_delivery(journal, "2")[3] is None

    def test_held_delivery_can_be_withdrawn_by_hand(self, journal: Journal) -> None:
        """Its row renews it, with the hold of the row."""
        add(journal, delivered("09:00", HOUR))
        assert journal.withdraw(Selection(ids=(2,))) == 1
        assert (the_delivery(journal)[2], journal.held()) == (BY_HAND, {})
        assert meant(journal, delivered("09:00", 2 * HOUR)) == [("renewed", "")]
        assert the_delivery(journal)[3] == START + 2 * HOUR


class TestTakeBack:
    """A carrier takes back the delivery that it reported."""

    def test_pending_delivery_is_withdrawn(self, store: Store, clock: Clock) -> None:
        """Held or not; the rows' events are noted as any other, and another process sees it."""
        journal = store.open()
        add(journal, delivered("09:00", HOUR), delivered("09:00", invoice="2"))
        clock.now += MINUTE
        assert meant(store.open(), taken_back("09:10"), taken_back("09:10", invoice="2")) == [("new", "")] * 2
        for invoice in ("1", "2"):
            assert the_delivery(journal, invoice)[::2] == ("withdrawn", TAKEN_BACK)
            assert deliveries(journal, invoice)[0].settled == START + MINUTE
        clock.now += DAY
        assert begun(journal) == ["event"] * 4

    def test_it_can_happen_in_one_batch(self, journal: Journal) -> None:
        """The delivery ends withdrawn; a later event has no note about a delivery."""
        rows = [delivered("09:00", HOUR), taken_back("09:10"), scan("09:20")]
        assert meant(journal, *rows) == [("new", "")] * 3
        assert the_delivery(journal)[::2] == ("withdrawn", TAKEN_BACK)
        assert meant(journal, *rows) == [("known", "")] * 3
        assert the_delivery(journal)[::2] == ("withdrawn", TAKEN_BACK)

    def test_what_vtex_may_know_is_not_taken_back(self, journal: Journal) -> None:
        """Nothing changes, and a note says so once."""
        cases: dict[State, str] = {"in_flight": "may have been", "unknown": "may have been", "applied": "was"}
        for invoice, was in cases.items():
            add(journal, delivered("09:00", invoice=invoice))
            to_state(journal, deliveries(journal, invoice)[0].id, invoice, reason="why")
            before = deliveries(journal, invoice)
            back = taken_back("09:10", invoice=invoice)
            found = meant(journal, back, scan("09:20", invoice=invoice))
            assert found == [("new", TOO_LATE % was), ("new", AFTER)]
            assert meant(journal, back) == [("known", "")]
            assert deliveries(journal, invoice) == before

    def test_what_vtex_does_not_have_is_taken_back(self, journal: Journal) -> None:
        """Otherwise, the row that was taken back would send a refused delivery again, or one that a person withdrew."""
        states: tuple[State, ...] = ("refused", "withdrawn")
        for state in states:
            old, back = delivered("09:00", invoice=state), taken_back("09:10", invoice=state)
            add(journal, old)
            to_state(journal, deliveries(journal, state)[0].id, state, status_code=404, reason="why")
            assert meant(journal, back, old) == [("new", ""), ("known", "")]
            assert the_delivery(journal, state)[::2] == ("withdrawn", TAKEN_BACK)
            assert deliveries(journal, state)[0].status_code is None
            assert meant(journal, delivered("09:30", invoice=state)) == [("new", "")]
            assert the_delivery(journal, state)[:3] == ("pending", "2026-11-23 09:30", "")

    def test_without_a_delivery_nothing_happens(self, journal: Journal) -> None:
        """The event is noted, of a package that is known and of one that is not."""
        assert meant(journal, taken_back("09:10"), taken_back("09:20", invoice="2")) == [("new", "")] * 2
        assert meant(journal, taken_back("09:30")) == [("new", "")]
        assert [entry.kind for entry in journal.entries()] == ["event"] * 3

    def test_a_new_delivery_renews_it_and_old_rows_do_not(self, journal: Journal) -> None:
        """The webhook that was taken back can be repeated before and after the new delivery."""
        old, back, new = delivered("09:00", HOUR), taken_back("09:10"), delivered("09:30", 2 * HOUR)
        add(journal, old, back)
        assert meant(journal, old, back) == [("known", "")] * 2
        assert the_delivery(journal)[0] == "withdrawn"
        assert meant(journal, new) == [("new", "")]
        assert the_delivery(journal) == ("pending", "2026-11-23 09:30", "", START + 2 * HOUR)
        assert [status for status, _ in meant(journal, old, back, new)] == ["known"] * 3
        assert the_delivery(journal) == ("pending", "2026-11-23 09:30", "", START + 2 * HOUR)
        assert meant(journal, taken_back("09:40")) == [("new", "")]
        assert the_delivery(journal)[::2] == ("withdrawn", TAKEN_BACK)

    def test_a_whole_history_can_be_read_again(self, journal: Journal) -> None:
        """The rows arrive in one batch, or one after the other in several: the result is the same."""
        for first in range(1, 4):
            package = {"invoice": f"{first}"}
            rows = [delivered("09:00", HOUR, **package), taken_back("09:10", **package)]
            rows.append(delivered("09:30", 2 * HOUR, **package))
            for end in range(first, 4):
                add(journal, *rows[:end])
            add(journal, *rows)
            found = the_delivery(journal, package["invoice"])
            assert found == ("pending", "2026-11-23 09:30", "", START + 2 * HOUR)

    def test_a_delivery_without_an_event_does_not_renew_it(self, journal: Journal) -> None:
        """Nobody knows whether the row is older; a note says what a person can do, which works."""
        add(journal, delivered("09:00", HOUR), taken_back("09:10"))
        note = "the carrier took its delivery back; `vtex-tracking resolve --retry` with its number sends it"
        assert meant(journal, row(9, account="mystore", is_delivered=True)) == [("known", note)]
        assert journal.retry(Selection(ids=(2,))) == 1
        assert the_delivery(journal) == ("pending", "2026-11-23 09:00", "", START + HOUR)

    def test_it_is_not_pruned_before_the_real_delivery(self, journal: Journal, clock: Clock) -> None:
        """The old row does not revive it after that, a new one does; then the package is pruned."""
        old, back, new = delivered("09:00", HOUR), taken_back("09:10"), delivered("09:30")
        add(journal, old, back)
        to_state(journal, (1, 3), "applied")
        clock.now += DAY
        assert journal.prune(MINUTE) == journal.prune(MINUTE, forget=True) == 0
        assert [status for status, _ in meant(journal, old, back)] == ["known", "known"]
        assert the_delivery(journal)[0] == "withdrawn"
        add(journal, new)
        to_state(journal, (2, 4), "applied")
        clock.now += DAY
        assert journal.prune(MINUTE) == 4
        assert [status for status, _ in meant(journal, old, back, new)] == ["known"] * 3
        assert list(journal.entries()) == []


def waits(volume: str, *missing: str) -> str:
    """Return the note about a volume while another one is missing."""
    others = f"volume {missing[0]} is" if len(missing) == 1 else f"volumes {' and '.join(missing)} are"
    return f"volume {volume} was delivered; the delivery of the package is sent when {others}, too"


class TestVolumes:
    """A package of several volumes is delivered when all of them are."""

    def test_delivery_waits_for_all_volumes(self, store: Store) -> None:
        """Across batches and processes; its date and hold are those of the row that completes it."""
        first = store.open()
        rows = [scan("08:00", volume="1"), scan("08:00", volume="2"), scan("08:00", volume="3")]
        assert meant(first, *rows, delivered("09:00", HOUR, volume="1"))[-1] == ("new", waits("1", "2", "3"))
        assert meant(store.open(), delivered("10:00", HOUR, volume="3")) == [("new", waits("3", "2"))]
        assert deliveries(first) == []
        assert meant(store.open(), delivered("11:00", 2 * HOUR, volume="2")) == [("new", "")]
        assert the_delivery(first) == ("pending", "2026-11-23 11:00", "", START + 2 * HOUR)

    def test_entry_says_what_its_row_said_of_the_volume(self, journal: Journal) -> None:
        """Volume and date are stored with the event, of which a delivery and a take-back say something."""
        undated = delivered("09:00", volume="2", delivered_date=None)
        add(journal, scan("08:00"), scan("08:00", volume="1"), delivered("09:00", volume="1"), undated)
        add(journal, taken_back("09:10", volume="1"))
        found = [(entry.volume, entry.volume_delivered) for entry in journal.entries() if entry.event]
        assert found == [("", None), ("1", None), ("1", "2026-11-23 09:00"), ("2", ""), ("1", TAKEN_BACK)]

    def test_order_in_a_batch_does_not_matter(self, journal: Journal) -> None:
        """All volumes of the batch count, each once, and the date is that of the last volume to be delivered."""
        cases: dict[str, str | None] = {  # volume, time, and D for its delivery; and the date of the package
            "2 09:00 D, 1 08:00 x": None,
            "1 09:00 D, 2 08:00 x, 2 10:00 D": "10:00",
            "2 10:00 D, 1 08:00 x, 1 09:00 D": "10:00",
            "1 09:00 D, 1 11:00 D, 2 10:00 D, 2 08:00 x": "10:00",
            "1 09:00 D, 1 11:00 D, 2 08:00 x": None,
            "1 09:00 D, 2 10:00 D, 2 12:00 x": "10:00",
        }
        for rows, date in cases.items():
            events = []
            for volume, time, kind in map(str.split, rows.split(", ")):
                about: dict[str, Any] = {"volume": volume, "invoice": rows}
                events.append(delivered(time, **about) if kind == "D" else scan(time, **about))
            add(journal, *events)
            dates = [entry.delivered_date for entry in deliveries(journal, rows)]
            assert dates == ([] if date is None else [f"2026-11-23 {date}"]), rows

    def test_repeated_rows_change_nothing(self, journal: Journal) -> None:
        """Neither while a volume is missing, where nothing is noted again, nor after that."""
        rows = [scan("08:00", volume="2"), delivered("09:00", HOUR, volume="1")]
        add(journal, *rows)
        assert meant(journal, *rows) == [("known", "")] * 2
        rows.append(delivered("10:00", 2 * HOUR, volume="2"))
        add(journal, *rows)
        before = list(journal.entries())
        assert meant(journal, *rows) == [("known", "")] * 3
        assert list(journal.entries()) == before

    def test_packages_and_accounts_do_not_mix(self, journal: Journal) -> None:
        """A volume is one of its package."""
        add(journal, scan("08:00", volume="2", invoice="2"), scan("08:00", volume="2", account="other"))
        assert meant(journal, delivered("09:00", volume="1")) == [("new", "")]
        assert the_delivery(journal)[:2] == ("pending", "2026-11-23 09:00")

    def test_volume_that_is_taken_back_is_missing_again(self, store: Store) -> None:
        """Before and after the package was complete; repeated rows do not count for it, a new delivery does."""
        journal, other = store.open(), store.open()
        one, back, two = (
            delivered("09:00", volume="1"), taken_back("09:10", volume="1"), delivered("10:00", volume="2")
        )  # fmt: skip
        add(journal, scan("08:00", volume="2"), one, back)
        assert meant(other, two, one) == [("new", waits("2", "1")), ("known", "")]
        assert meant(journal, delivered("11:00", volume="1")) == [("new", "")]
        assert the_delivery(other)[:2] == ("pending", "2026-11-23 11:00")
        assert meant(other, taken_back("11:10", volume="2")) == [("new", "")]
        assert meant(journal, one, two, delivered("11:00", volume="1")) == [("known", "")] * 3
        assert the_delivery(journal)[::2] == ("withdrawn", TAKEN_BACK)
        assert meant(journal, delivered("12:00", volume="2")) == [("new", "")]
        assert the_delivery(other)[:2] == ("pending", "2026-11-23 12:00")

    def test_refused_delivery_is_renewed_by_the_row_of_any_volume(self, journal: Journal) -> None:
        """As with any refused delivery, pushing again retries it."""
        rows = [delivered("09:00", volume="1"), scan("08:00", volume="2"), delivered("10:00", volume="2")]
        add(journal, *rows)
        to_state(journal, deliveries(journal)[0].id, "refused")
        assert add(journal, rows[0]) == ["renewed"]
        assert the_delivery(journal)[:2] == ("pending", "2026-11-23 10:00")

    def test_package_is_pruned_after_its_delivery(self, journal: Journal, clock: Clock) -> None:
        """Before it, the other volumes would be forgotten. After it, its rows mean what they did."""
        cases: dict[State, str] = {"applied": "known", "refused": "new"}
        for state, again in cases.items():
            rows = [delivered("09:00", volume="1", invoice=state), scan("08:00", volume="2", invoice=state)]
            rows.append(delivered("10:00", volume="2", invoice=state))
            add(journal, *rows[:2])
            to_state(journal, [entry.id for entry in journal.entries()], "applied")
            clock.now += DAY
            assert journal.prune(MINUTE) == 0
            add(journal, rows[2])
            *_, event, delivery = journal.entries()
            to_state(journal, event.id, "applied")
            to_state(journal, delivery.id, state)
            clock.now += DAY
            assert journal.prune(MINUTE) == 4
            assert add(journal, *rows) == ["known", "known", again]

    def test_many_missing_volumes_are_counted(self, journal: Journal) -> None:
        """A note names five of them at most."""
        add(journal, *(scan("08:00", volume=str(n)) for n in range(1, 7)))
        ((_, note),) = meant(journal, delivered("09:00", volume="0"))
        assert note.endswith("is sent when 6 other volumes are, too")
        ((_, note),) = meant(journal, delivered("09:00", volume="6"))
        assert note.endswith("is sent when volumes 1, 2, 3, 4 and 5 are, too")

    def test_row_without_an_event_asks_for_nothing(self, journal: Journal) -> None:
        """Nothing would be stored of what it says of the volume."""
        rows = [evolve(each, event=None) for each in (delivered("09:00", volume="1"), taken_back("09:10"))]
        assert add(journal, *rows) == ["known"] * 2
        assert list(journal.entries()) == []


def test_copy_for_a_dry_run_means_the_same(store: Store) -> None:
    """A copy has the holds, the volumes and what was taken back: rows mean there what they mean in the journal."""
    journal = store.open()
    add(
        journal,
        *(delivered("09:00", HOUR), delivered("09:00", invoice="2"), taken_back("09:10", invoice="2")),
        *(scan("08:00", volume="1", invoice="3"), delivered("09:00", volume="2", invoice="3")),
    )
    with SqliteJournal.temporary(Clock()) as copy:
        copy.copy(journal)
        without_answers = [evolve(entry, settled=None) for entry in journal.entries()]
        assert [evolve(entry, settled=None) for entry in copy.entries()] == without_answers
        assert copy.held() == journal.held()
        rows = [delivered("09:00"), delivered("09:00", invoice="2"), delivered("10:00", volume="1", invoice="3")]
        assert meant(copy, *rows) == meant(journal, *rows) == [("renewed", ""), ("known", ""), ("new", "")]
