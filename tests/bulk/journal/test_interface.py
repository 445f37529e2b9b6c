"""Tests of what every journal does, wherever it is kept: adding rows, reading entries, and changes by a person."""

from __future__ import annotations

import datetime as dt
import pickle
import threading
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from attrs import evolve

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.rows import Place, Row
from vtex_tracking_ext.bulk.journal.entries import (
    BY_HAND,
    OPEN_STATES,
    STATES,
    Added,
    Backlog,
    Entry,
    Meta,
    Selection,
    State,
)
from vtex_tracking_ext.bulk.journal.interface import (
    ALL,
    Journal,
    JournalError,
    JournalInUseError,
    JournalReader,
    NoJournalError,
)
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, schema
from vtex_tracking_ext.bulk.journal.sqlite.schema import SCHEMA_VERSION as SQLITE_VERSION

from support.journaled import START, Clock, add, delivery, package, row, to_state, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import Store

SECOND = dt.timedelta(seconds=1)
DAY = dt.timedelta(days=1)


def version_of(journal: Journal) -> int:
    """Return the version of a kind's tables."""
    return schema.SCHEMA_VERSION if isinstance(journal, PostgresJournal) else SQLITE_VERSION


def in_each_state(journal: Journal) -> None:
    """Add one entry for each state; entry number n has the n-th state."""
    for number, state in enumerate(STATES, 1):
        add(journal, row(number, f"event {number}", invoice=str(number)))
        to_state(journal, number, state)


def revision_of(journal: Journal, account: str = "mystore") -> int:
    """Return the revision of an account."""
    record = journal.account(account)
    assert record is not None
    return record.revision


class TestAdd:
    """Rows become entries, and what the journal knows is not added again."""

    def test_empty_journal_has_nothing_to_do(self, journal: Journal) -> None:
        """An empty journal has no entries and accounts, and says when it was created, in UTC."""
        assert journal.meta() == Meta(version_of(journal), START)
        assert journal.meta().created.utcoffset() == dt.timedelta(0)
        assert (list(journal.entries()), list(journal.backlog("mystore"))) == ([], [])
        assert (journal.counts(), journal.accounts(), journal.account("mystore")) == ({}, {}, None)
        assert (journal.deliverers(), journal.served_accounts()) == ({}, frozenset())

    def test_row_becomes_an_event_and_a_delivery(self, journal: Journal) -> None:
        """A row with both becomes two entries with its trimmed texts, its place, its event id and its time."""
        written = delivery(2, "2026-10-01 21:15", " Entregue ", account="MyStore", event_id="BDE-01", time="09:05")
        assert list(journal.add([written])) == [Added(written, "new")]
        event, delivered = journal.entries()
        assert event == Entry(
            id=1,
            package=package(),
            event=TrackingEvent("2026-10-01", "Entregue", "S\u00e3o Paulo", "SP"),
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
            event_id="BDE-01",
            time="09:05",
        )
        plain: dict[str, Any] = {"event": None, "event_id": "", "time": ""}
        assert delivered == evolve(event, id=2, delivered_date="2026-10-01 21:15", **plain)

    def test_known_rows_change_nothing(self, store: Store) -> None:
        """Rows that are repeated in one input, or whose entries an earlier run left in any state, are known."""
        first = store.open()
        statuses = add(first, row(2, "a"), row(3, "a"), delivery(4), delivery(5), row(6, "b"), row(7, "c"))
        assert statuses == ["new", "known", "new", "known", "new", "new"]
        to_state(first, 1, "applied")
        to_state(first, 2, "unknown")
        to_state(first, 3, "in_flight")
        before, revision = list(first.entries()), revision_of(first)
        first.close()
        second = store.open()
        assert add(second, row(2, "a"), delivery(3), row(4, " b "), row(5, "c")) == ["known"] * 4
        assert list(second.entries()) == before
        assert revision_of(second) == revision

    def test_new_events_of_known_packages_are_added(self, journal: Journal) -> None:
        """An event with a known text is new if its package or account is another one."""
        add(journal, row(2, "a"))
        statuses = add(journal, row(2, "a"), row(3, "b"), row(4, "a", "2"), row(5, "a", account="other"))
        assert statuses == ["known", "new", "new", "new"]
        assert [(e.package, e.place.line) for e in journal.entries()] == [
            (package(), 2),
            (package(), 3),
            (package("2"), 4),
            (package(account="other"), 5),
        ]

    def test_new_half_of_a_known_row_is_added(self, journal: Journal) -> None:
        """The delivery is added if only the event of the row is known."""
        add(journal, row(2, "Entregue"))
        assert add(journal, delivery(3, description="Entregue")) == ["new"]
        assert told(journal) == [(1, "Entregue", "pending"), (2, "D None", "pending")]

    def test_event_with_id_and_time_is_known_under_its_plain_key(self, journal: Journal) -> None:
        """A row with event id and time is known if the same event was noted without, and renews it if it was refused.

        A renewed entry keeps its key: it is known by its texts, and by event id and time it is known from then on.
        """
        add(journal, row(2, "a"), row(3, "b"))
        to_state(journal, 2, "refused")
        rows = [row(4, "a", event_id="1", time="09:05"), row(5, "b", event_id="2", time="09:10")]
        assert add(journal, *rows) == ["known", "renewed"]
        assert [(e.place.line, e.event_id, e.time) for e in journal.entries()] == [(2, "", ""), (5, "2", "09:10")]
        assert add(journal, *rows, row(6, "a"), row(7, "b")) == ["known"] * 4

    def test_event_with_id_is_known_under_the_key_of_its_time(self, journal: Journal) -> None:
        """The event was noted with its time, before the source had event ids."""
        assert add(journal, row(2, "a", time="09:05"), row(3, "a", time="10:00")) == ["new", "new"]
        rows = [row(4, "a", event_id="1", time="09:05"), row(5, "a", event_id="2", time="10:00")]
        assert add(journal, *rows) == ["known", "known"]

    def test_event_that_was_corrected_since_it_was_read_is_not_begun(self, journal: Journal) -> None:
        """A person withdraws an event, and pushes it with its event id and another city; what was read is not sent."""
        add(journal, row(2, "a", event_id="1"))
        read = list(journal.entries())
        assert journal.withdraw(Selection(ids=[1])) == 1
        assert read[0].event is not None
        assert add(journal, row(3, event=evolve(read[0].event, city="Recife"), event_id="1")) == ["renewed"]
        with journal.lease("mystore") as lease:
            assert lease is not None
            assert lease.begin(read) == ()
            assert len(lease.begin(list(journal.entries()))) == 1

    def test_more_precise_date_replaces_the_date_of_a_pending_delivery(self, journal: Journal) -> None:
        """The revision grows, and an entry that was read before is not begun, because its date has changed."""
        add(journal, delivery(2))
        (read,) = journal.entries()
        revision = revision_of(journal)
        statuses = add(journal, delivery(3, "2026-10-01"), delivery(4, "2026-10-01 21:15"), delivery(5))
        assert statuses == ["renewed", "renewed", "known"]
        assert revision_of(journal) > revision
        with journal.lease("mystore") as lease:
            assert lease is not None
            assert lease.begin([read]) == ()
            (dated,) = journal.entries()
            assert (dated.state, dated.attempts, dated.delivered_date) == ("pending", 0, "2026-10-01 21:15")
            assert lease.begin([dated]) == (dated,)
        assert add(journal, delivery(6, "2026-10-01 21:15")) == ["known"]

    def test_date_that_comes_too_late_is_noted(self, journal: Journal) -> None:
        """A date for a delivery that was sent without one is known, with a note; the delivery stays as it is."""
        add(journal, delivery(2))
        to_state(journal, 1, "in_flight")
        (added,) = journal.add([delivery(3, "2026-10-01", account="mystore")])
        assert (added.status, added.note) == (
            "known",
            "2026-10-01 comes too late: the delivery of f.csv:2 was sent without a date, and there is only one",
        )
        assert told(journal) == [(1, "D None", "in_flight")]

    def test_a_second_delivery_adds_its_event_alone(self, journal: Journal) -> None:
        """A row with another date of the delivery adds its event, and a note; a person can take the first one back."""
        add(journal, delivery(2, "2026-10-01"))
        other = delivery(3, "2026-10-02", "Entregue", account="mystore")
        (added,) = journal.add([other])
        assert added.status == "new"
        assert added.note.startswith(
            "delivered_date 2026-10-02 is not sent: f.csv:2 says 2026-10-01, and a package has one delivery"
        )
        assert "vtex-tracking resolve --withdraw 1)" in added.note
        assert told(journal) == [(1, "D 2026-10-01", "pending"), (2, "Entregue", "pending")]
        to_state(journal, 1, "withdrawn")
        assert add(journal, other) == ["renewed"]
        assert told(journal) == [(1, "D 2026-10-02", "pending"), (2, "Entregue", "pending")]

    def test_an_event_after_the_delivery_is_noted(self, journal: Journal) -> None:
        """It is added with a note once; pushed again, it is known without one. Other packages have no note."""
        add(journal, delivery(2, "2026-10-01"))
        to_state(journal, 1, "applied")
        late = [row(3, "a", account="mystore"), row(4, "a", "2", account="mystore")]
        note = "comes after the delivery of its package (f.csv:2: 2026-10-01)"
        assert [(each.status, each.note[: len(note)]) for each in journal.add(late)] == [("new", note), ("new", "")]
        assert [(each.status, each.note) for each in journal.add(late)] == [("known", "")] * 2

    def test_the_same_event_in_a_later_batch_is_noted(self, journal: Journal) -> None:
        """A row names the equal row of the same input, however far apart; not one of an earlier input."""
        rows = [row(number, f"event {number}", account="mystore") for number in range(1, 2600)]
        rows += [evolve(rows[1], place=Place("f.csv", 3000)), evolve(rows[2400], place=Place("f.csv", 3001))]
        found = [each.note for each in journal.add(rows) if each.note]
        assert [note[: note.index(":")] for note in found] == ["same event as line 2", "same event as line 2401"]
        rows.insert(0, row(1, "first of this input", account="mystore"))
        assert [each.note for each in journal.add(rows[:2000] + rows[-1:]) if each.note] == []

    def test_refused_event_is_renewed_by_its_row(self, journal: Journal, clock: Clock) -> None:
        """The entry is pending again, with its number and attempts, and with the text and place of the new row."""
        add(journal, row(2, "a"), row(3, "b"))
        to_state(journal, 1, "refused", status_code=404, reason="Invoice Not Found")
        before, revision = next(journal.entries()), revision_of(journal)
        clock.now += SECOND
        written = TrackingEvent("2026-10-01", "a", "Sa\u0303o  Paulo", "SP")
        assert add(journal, row(9, event=written), row(10, "a")) == ["renewed", "known"]
        after = next(journal.entries())
        assert after == evolve(
            before,
            event=written,
            place=Place("f.csv", 9),
            state="pending",
            status_code=None,
            reason="",
            settled=None,
        )
        assert (after.attempts, revision_of(journal)) == (1, revision + 1)

    def test_refused_delivery_takes_the_date_of_the_row_that_renews_it(self, journal: Journal) -> None:
        """A refused date can be replaced by any other one, because it may be the reason of the refusal."""
        add(journal, delivery(2, "2026-10-01"))
        to_state(journal, 1, "refused", status_code=400)
        assert add(journal, delivery(3, "2026-10-02"), delivery(4, "2026-10-03")) == ["renewed", "known"]
        assert told(journal) == [(1, "D 2026-10-02", "pending")]

    def test_rows_are_added_as_they_are_iterated_over(self, store: Store) -> None:
        """Every row that was yielded is on disk, and rows far ahead have not been read yet."""
        read = []

        def rows() -> Iterator[Row]:
            for number in range(5000):
                read.append(number)
                yield row(number, f"event {number}", account="mystore")

        journal = store.open()
        yielded = list(islice(journal.add(rows()), 1500))
        assert len(read) < 5000
        assert [added.row.place.line for added in yielded] == list(range(1500))
        assert len(list(store.read().entries())) >= 1500

    def test_error_while_rows_are_read_keeps_earlier_batches(self, journal: Journal) -> None:
        """An error of the caller's iterator keeps the batches before it; adding all rows again adds the rest."""

        def rows(last: int) -> Iterator[Row]:
            for number in range(last):
                yield row(number, f"event {number}", account="mystore")
            if last == 2500:
                raise OSError("unplugged")

        with pytest.raises(OSError, match="unplugged"):
            list(journal.add(rows(2500)))
        kept = journal.counts()["mystore"]["pending"]
        assert 0 < kept <= 2500
        assert Counter(a.status for a in journal.add(rows(3000))) == {"known": kept, "new": 3000 - kept}

    def test_file_name_of_any_bytes_is_stored(self, journal: Journal) -> None:
        """A file name that is not UTF-8 is stored with an escape."""
        add(journal, row(1, "a", place=Place("e\udcff\u00e9.csv", 1)))
        assert [entry.place for entry in journal.entries()] == [Place("e\\udcff\u00e9.csv", 1)]


class TestRead:
    """Entries, counts and backlogs."""

    def test_more_entries_than_a_page_are_read_in_order(self, journal: Journal) -> None:
        """All entries and all packages are returned once, in the order of their arrival."""
        number = 2345
        rows = [row(n, f"event {n}", invoice=str(n % 1234)) for n in range(number)]
        assert add(journal, *rows) == ["new"] * number
        assert [e.place.line for e in journal.entries()] == list(range(number))
        expected = [[n, n + 1234] if n + 1234 < number else [n] for n in range(1234)]
        assert [[e.place.line for e in entries] for entries in journal.backlog("mystore")] == expected
        assert [e.place.line for e in journal.entries(Selection(package=package("7")))] == [7, 1241]

    @pytest.mark.parametrize("number", [499, 500, 501, 1200])
    def test_package_of_many_entries_is_read_whole(self, journal: Journal, number: int) -> None:
        """A package with about as many entries as a page, or more, is one tuple of the backlog, beside others."""
        rows = [row(n, f"event {n}", invoice="2") for n in range(number)]
        add(journal, row(0, "first"), *rows, row(0, "last", invoice="3"))
        to_state(journal, 3, "applied")
        expected = [n for n in range(2, number + 2) if n != 3]
        assert [e.id for e in journal.entries(Selection(OPEN_STATES, package=package("2")))] == expected
        assert [e.id for e in journal.entries(Selection(package=package("2")))] == list(range(2, number + 2))
        assert [[e.id for e in entries] for entries in journal.backlog("mystore")] == [[1], expected, [number + 2]]

    def test_backlog_has_the_open_entries_of_an_account(self, journal: Journal) -> None:
        """Pending, in-flight and unknown entries are open. The account's name can be in any case."""
        in_each_state(journal)
        add(journal, row(9, "b", account="other"))
        assert [[e.id for e in entries] for entries in journal.backlog("MyStore")] == [[1], [2], [5]]
        assert [entries[0].package for entries in journal.backlog("OTHER")] == [package(account="other")]
        add(journal, row(10, "b", invoice="3"))
        assert [[e.id for e in entries] for entries in journal.backlog("mystore")] == [[1], [2], [8], [5]]

    def test_backlogs_are_counted_by_package(self, journal: Journal) -> None:
        """The counts say how many packages have how many pending events and deliveries, and how many in doubt."""
        in_each_state(journal)
        add(journal, *[row(number, "b", invoice="1") for number in (6, 7)], delivery(8, invoice="1"))
        add(journal, row(9, "b", invoice="2"), delivery(10, invoice="7"), row(11, "b", account="other"))
        assert journal.count_backlogs("mystore") == {
            Backlog(0, 0, 1): 1,
            Backlog(1, 0, 1): 1,
            Backlog(2, 1, 0): 1,
            Backlog(0, 1, 0): 1,
        }
        assert journal.count_backlogs("OTHER") == {Backlog(1, 0, 0): 1}
        assert journal.count_backlogs("nobody") == {}

    def test_backlog_can_be_delivered_while_it_is_iterated_over(self, journal: Journal) -> None:
        """Each package is yielded once, although entries are settled and added in between."""
        add(journal, *[row(n, "a", invoice=str(n)) for n in range(1200)])
        seen = []
        for (entry,) in journal.backlog("mystore"):
            seen.append(entry.package.invoice_number)
            if entry.place.line % 100 == 99:
                to_state(journal, entry.id, "applied")
                add(journal, row(0, "b", invoice=entry.package.invoice_number))
        assert seen == [str(n) for n in range(1200)]
        assert journal.counts() == {"mystore": {"pending": 1200, "applied": 12}}

    def test_entries_are_selected_by_all_conditions(self, journal: Journal) -> None:
        """Each condition of a selection selects, and several of them select what meets all."""
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
        assert ids(ids=(4, 2, 99, 2**70)) == [2, 4]
        assert ids(ids=(4, 2), account="other") == [4]
        assert ids(ids=(1, 2, 3), states=("refused", "applied"), package=package()) == [1]

    def test_counts_are_by_account_and_state(self, journal: Journal) -> None:
        """Entries in all states, of two accounts, are counted."""
        in_each_state(journal)
        add(journal, row(9, "a", account="other"), row(10, "b", account="other"))
        assert journal.counts() == {"mystore": Counter(STATES), "other": {"pending": 2}}

    def test_accounts_are_known_by_name(self, journal: Journal) -> None:
        """Each account with entries has a record; nothing else is known of it yet."""
        add(journal, row(1, "a"), row(2, "a", account="Other"))
        records = journal.accounts()
        assert list(records) == ["mystore", "other"]
        assert records["other"] == journal.account("OTHER")
        assert {(record.revision, record.now, record.deliverer) for record in records.values()} == {(1, START, "")}

    def test_journal_can_be_read_while_it_is_written(self, store: Store) -> None:
        """A reader sees what was committed since it was opened, and still reads after the writer has closed."""
        journal = store.open()
        add(journal, row(2, "a"))
        reader = store.read()
        assert told(reader) == [(1, "a", "pending")]
        add(journal, row(3, "b"))
        assert reader.counts() == {"mystore": {"pending": 2}}
        to_state(journal, 1, "in_flight")
        assert told(reader) == [(1, "a", "in_flight"), (2, "b", "pending")]
        assert reader.meta() == journal.meta()
        journal.close()
        assert len(list(store.read().entries())) == len(list(reader.entries())) == 2

    def test_journal_is_the_same_after_it_is_opened_again(self, store: Store, clock: Clock) -> None:
        """All entries are kept, and the ids go on."""
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

    def test_closed_journal_raises(self, journal: Journal) -> None:
        """Every use of a closed journal raises JournalError; closing it again is allowed."""
        add(journal, row(2, "a"))
        journal.close()
        journal.close()
        uses: list[Callable[[], object]] = [
            journal.meta,
            journal.counts,
            journal.accounts,
            journal.deliverers,
            lambda: journal.count_backlogs("mystore"),
            lambda: list(journal.entries()),
            lambda: list(journal.backlog("mystore")),
            lambda: add(journal, row(3, "b")),
            lambda: to_state(journal, 1, "in_flight"),
            lambda: journal.lease("mystore").__enter__(),
            lambda: journal.resolve(ALL, "applied"),
            lambda: journal.retry(ALL),
            lambda: journal.prune(DAY),
        ]
        for use in uses:
            with pytest.raises(JournalError, match="closed"):
                use()


class TestChangesByAPerson:
    """Resolving, retrying, withdrawing and dismissing."""

    def test_unknown_outcome_is_resolved_as_applied(self, journal: Journal, clock: Clock) -> None:
        """The entry is applied on a person's word, without the status of the answer that left it unknown."""
        add(journal, row(2, "a"))
        to_state(journal, 1, "unknown", status_code=504, reason="Gateway Timeout")
        clock.now += SECOND
        before, revision = next(journal.entries()), revision_of(journal)
        assert journal.resolve(Selection(ids=(1,)), "applied", "found on the order") == 1
        assert list(journal.entries()) == [
            evolve(before, state="applied", status_code=None, reason="found on the order", settled=START + SECOND)
        ]
        assert revision_of(journal) == revision

    def test_unknown_outcome_is_resolved_as_not_applied(self, journal: Journal) -> None:
        """The entry is pending again, and the account's revision grows."""
        add(journal, row(2, "a"))
        to_state(journal, 1, "unknown", status_code=504, reason="Gateway Timeout")
        before, revision = next(journal.entries()), revision_of(journal)
        assert journal.resolve(ALL, "pending") == 1
        assert list(journal.entries()) == [evolve(before, state="pending", status_code=None, reason="", settled=None)]
        assert revision_of(journal) == revision + 1

    @pytest.mark.parametrize(
        ("change", "changed"),
        [
            (lambda journal: journal.resolve(ALL, "applied"), {"unknown": "applied"}),
            (lambda journal: journal.resolve(ALL, "pending"), {"unknown": "pending"}),
            (lambda journal: journal.retry(ALL), {"refused": "pending", "withdrawn": "pending"}),
            (lambda journal: journal.retry(Selection(("refused", "applied"))), {"refused": "pending"}),
            (lambda journal: journal.retry(Selection(("applied",))), {}),
            (lambda journal: journal.withdraw(ALL), {"pending": "withdrawn"}),
            (lambda journal: journal.dismiss(ALL), {"refused": "withdrawn"}),
        ],
    )
    def test_change_concerns_certain_states(
        self, journal: Journal, change: Callable[[Journal], int], changed: dict[State, State]
    ) -> None:
        """Each change moves the entries of its states and returns their number; all others stay as they are."""
        in_each_state(journal)
        revision = revision_of(journal)
        assert change(journal) == len(changed)
        assert [state for _, _, state in told(journal)] == [changed.get(state, state) for state in STATES]
        assert (revision_of(journal) > revision) is ("pending" in changed.values())

    def test_change_concerns_selected_entries(self, journal: Journal) -> None:
        """Changes can be made to one entry, a package, an account, or all."""
        rows = [row(n, f"event {n}", invoice=str(n // 2), account="other" if n > 5 else "") for n in range(8)]
        add(journal, *rows)
        for number in range(1, 9):
            to_state(journal, number, "unknown" if number % 2 else "refused")
        assert journal.resolve(Selection(ids=(1, 2)), "applied") == 1
        assert journal.resolve(Selection(package=package("1")), "applied") == 1
        assert journal.resolve(Selection(account="other"), "applied") == 1
        assert journal.retry(Selection(package=package("0"))) == 1
        assert journal.retry(ALL) == 3
        assert journal.resolve(ALL, "pending") == 1
        assert Counter(state for _, _, state in told(journal)) == {"applied": 3, "pending": 5}

    def test_withdrawn_entry_is_renewed_by_its_row(self, journal: Journal, clock: Clock) -> None:
        """A pending entry that a person withdrew is pending again when its row is added again."""
        add(journal, row(1, "a"), row(2, "b"))
        clock.now += SECOND
        assert journal.withdraw(Selection(ids=(2,))) == 1
        (withdrawn,) = journal.entries(Selection(("withdrawn",)))
        assert (withdrawn.id, withdrawn.reason, withdrawn.settled) == (2, BY_HAND, START + SECOND)
        assert add(journal, row(9, "b")) == ["renewed"]
        assert told(journal) == [(1, "a", "pending"), (2, "b", "pending")]

    def test_the_reason_of_a_refusal_can_be_replaced(self, journal: Journal) -> None:
        """It keeps its status; an entry that is not refused any more stays as it is."""
        add(journal, row(2, "a"), row(3, "b"))
        to_state(journal, (1, 2), "refused", status_code=404, reason="not found")
        entries = [*journal.entries()]
        add(journal, row(4, "b"))
        revision = revision_of(journal)
        journal.explain(entries, "not found; order o-01 has no invoice yet.")
        found = [(each.state, each.status_code, each.reason) for each in journal.entries()]
        assert found == [("refused", 404, "not found; order o-01 has no invoice yet."), ("pending", None, "")]
        assert revision_of(journal) == revision

    def test_dismissed_refusal_keeps_its_reason_and_is_not_renewed(self, journal: Journal, clock: Clock) -> None:
        """The row of a dismissed refusal is known, with a note; ``retry`` makes the entry pending."""
        add(journal, row(1, "a"))
        to_state(journal, 1, "refused", status_code=404, receipt="r", reason="Invoice Not Found")
        (before,) = journal.entries()
        clock.now += SECOND
        assert journal.dismiss(ALL) == 1
        assert list(journal.entries()) == [evolve(before, state="withdrawn", settled=START + SECOND)]
        (added,) = journal.add([row(2, "a", account="mystore")])
        assert (added.status, added.note[:26]) == ("known", "its refusal was dismissed;")
        assert journal.retry(ALL) == 1
        assert list(journal.entries()) == [
            evolve(before, state="pending", status_code=None, receipt=None, reason="", settled=None)
        ]

    def test_more_entries_than_a_batch_are_changed(self, journal: Journal) -> None:
        """Thousands of unknown entries are resolved by one call."""
        add(journal, *[row(n, f"event {n}") for n in range(2345)])
        to_state(journal, range(1, 2346), "unknown")
        assert journal.resolve(ALL, "pending") == 2345
        assert journal.counts() == {"mystore": {"pending": 2345}}


class TestPrune:
    """Deleting what was settled long ago."""

    def test_old_packages_without_open_entries_are_deleted(self, journal: Journal, clock: Clock) -> None:
        """A package stays while one of its entries is open or was settled recently."""
        for number, state in enumerate(STATES, 1):
            add(journal, row(number, "a", invoice=str(number)), row(number, "b", invoice=str(number)))
            to_state(journal, 2 * number - 1, state)
            to_state(journal, 2 * number, "applied")
        clock.now += DAY
        add(journal, row(20, "a", invoice="20"))
        to_state(journal, 13, "applied")
        clock.now += DAY
        assert journal.prune(3 * DAY) == 0
        assert journal.prune(dt.timedelta(days=1, hours=1)) == 6
        kept = {entry.package.invoice_number for entry in journal.entries()}
        assert kept == {"20"} | {str(STATES.index(state) + 1) for state in OPEN_STATES}
        assert journal.prune(dt.timedelta(hours=1)) == 1

    def test_pruned_rows_are_still_known(self, journal: Journal, clock: Clock) -> None:
        """Keys of applied and dismissed entries are kept; those of refused and withdrawn entries are new again."""
        states: list[State] = ["applied", "refused", "withdrawn", "refused"]
        rows = [row(n, "a", invoice=str(n)) for n in range(1, 5)]
        add(journal, *rows, delivery(5, "2026-10-01", invoice="1"))
        for number, state in enumerate(states, 1):
            to_state(journal, number, state)
        to_state(journal, 5, "applied")
        journal.dismiss(Selection(ids=(4,)))
        clock.now += DAY
        assert journal.prune(SECOND) == 5
        assert list(journal.entries()) == []
        assert add(journal, *rows, delivery(6, "2026-10-02", invoice="1")) == ["known", "new", "new", "known", "known"]
        assert add(journal, row(7, "a", invoice="1", event_id="1", time="09:05")) == ["known"]

    def test_pruned_rows_are_forgotten_when_asked(self, journal: Journal, clock: Clock) -> None:
        """With ``forget``, kept keys that are old enough go, too, also those of an earlier call."""
        rows = [row(n, "a", invoice=str(n)) for n in range(2)]
        add(journal, *rows)
        to_state(journal, (1, 2), "applied")
        clock.now += DAY
        assert journal.prune(SECOND) == 2
        assert add(journal, rows[0], row(2, "b")) == ["known", "new"]
        to_state(journal, 3, "applied")
        clock.now += DAY
        assert journal.prune(SECOND, forget=True) == 1
        assert add(journal, *rows, row(2, "b")) == ["new"] * 3

    def test_more_packages_than_a_batch_are_pruned(self, journal: Journal, clock: Clock) -> None:
        """Thousands of packages are pruned by one call; open ones in between are left."""
        add(journal, *[row(n, "a", invoice=str(n)) for n in range(2345)])
        to_state(journal, [n for n in range(1, 2346) if n % 1000], "applied")
        clock.now += DAY
        assert journal.prune(SECOND) == 2343
        assert [e.id for e in journal.entries()] == [1000, 2000]
        assert journal.prune(SECOND) == 0


def test_threads_write_and_read_at_the_same_time(journal: Journal) -> None:
    """While threads add rows and read the backlog, others begin and settle entries; nothing fails or is lost."""
    add(journal, *[row(n, f"event {n}", invoice=str(n)) for n in range(160)])
    entries = list(journal.entries())
    errors: list[BaseException] = []
    start = threading.Barrier(11, timeout=30)

    def running(work: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            try:
                start.wait()
                work()
            except BaseException as error:  # noqa: BLE001 - the test shows it
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    with journal.lease("mystore") as lease:
        assert lease is not None

        def deliver(first: int) -> None:
            for entry in entries[first::8]:
                assert lease.begin([entry]) == (entry,)
                lease.settle([entry], "applied", receipt=str(entry.id), is_deferred=bool(first % 2))

        threads = [running(lambda first=first: deliver(first)) for first in range(8)]  # type: ignore[misc]
        for invoice in "xy":
            rows = [row(n, f"event {n}", invoice=invoice) for n in range(1000)]
            threads.append(running(lambda rows=rows: add(journal, *rows)))  # type: ignore[misc]
        threads.append(running(lambda: [list(journal.backlog("mystore")) for _ in range(20)]))
        for thread in threads:
            thread.join(60)
        lease.flush()
    assert errors == []
    assert journal.counts() == {"mystore": {"applied": 160, "pending": 2000}}
    applied = list(journal.entries(Selection(("applied",))))
    assert [(e.id, e.attempts, e.receipt) for e in applied] == [(n, 1, str(n)) for n in range(1, 161)]


@pytest.mark.parametrize("kind", [JournalError, JournalInUseError, NoJournalError])
def test_errors_say_that_nothing_was_applied_and_can_be_pickled(kind: type[JournalError]) -> None:
    """Errors of a journal keep their class and message when they are pickled, like all errors of this package."""
    error = pickle.loads(pickle.dumps(kind("why")))  # noqa: S301 - our own
    assert (type(error), str(error), error.applied) == (kind, "why", False)


def test_damage_that_no_database_detects_names_the_journal() -> None:
    """The message of a journal without a more precise one quotes the error."""
    reader = mock.Mock(spec=JournalReader)
    reader.name = "postgresql://h/d"
    error = JournalReader._damage_error(reader, KeyError("odd"))
    assert str(error) == "The journal postgresql://h/d is damaged (KeyError('odd'))."
