"""Tests of classifying a batch of rows."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.rows import Place, Row
from vtex_tracking_ext.bulk.journal.classify import PRUNED, Existing, classify_rows
from vtex_tracking_ext.bulk.journal.entries import AddStatus, State, drafts_from_row

from support.journaled import delivery, package, row

OLD = Place("old.csv", 1)
AFTER = "comes after the delivery of its package (%s); it is sent, but VTEX does not document what it changes"
EVENT_ONLY = "its event is sent, but not its delivery: a package has one, and %s reports it"
SAME_DAY = "the same day and texts; rows of one day need a time or event_id to count as two"


def on(day: int, line: int, description: str = "x", time: str = "", **changes: Any) -> Row:
    """Return a row with an event of a day in October."""
    event = TrackingEvent(f"2026-10-{day:02}", description)
    return evolve(row(line), event=event, time=time, account="mystore", **changes)


def notes(*rows: Row, delivered: Existing | None = None) -> list[tuple[str, str]]:
    """Return status and note of each row; ``delivered`` is the delivery that the journal holds of their package."""
    (draft,) = drafts_from_row(delivery(1, account="mystore"))
    existing = {draft.key: delivered} if delivered else {}
    deliveries = {package(): delivered} if delivered else None
    classified = classify_rows([(each, drafts_from_row(each)) for each in rows], existing, deliveries)
    return [(added.status, added.note) for added in classified.added]


def test_rows_are_classified_one_after_the_other() -> None:
    """Each row is compared with the rows before it; an entry keeps its position and has its last row's place."""
    rows = [
        delivery(1),
        row(2, "a"),
        delivery(3, "2026-10-01", "a"),
        delivery(4),
        delivery(5, "2026-10-02", "b"),
        row(6, "c"),
    ]
    drafts = [(one, drafts_from_row(one)) for one in rows]
    classified = classify_rows(drafts, {})
    statuses = [added.status for added in classified.added]
    assert statuses == ["new", "new", "renewed", "known", "new", "new"]
    assert [draft.place.line for draft in classified.new.values()] == [3, 2, 5, 6]
    assert [added.draft and added.draft.place.line for added in classified.added] == [1, 2, None, None, 5, 6]
    assert classified.renewed == {}
    existing = {drafts[1][1][0].key: Existing("refused", None, OLD)}
    classified = classify_rows(drafts[1:3], existing)
    assert [draft.place.line for draft in classified.renewed.values()] == [2]
    assert [added.status for added in classified.added] == ["renewed", "new"]


@pytest.mark.parametrize(
    ("existing", "status"),
    [(Existing("pending", None, OLD), "known"), (PRUNED, "known"), (Existing("refused", None, OLD), "renewed")],
)
@pytest.mark.parametrize(
    "changes", [{"event_id": "BDE-01"}, {"time": "09:05"}, {"event_id": "BDE-01", "time": "09:05"}]
)
def test_event_is_found_under_its_plain_key(existing: Existing, status: AddStatus, changes: dict[str, str]) -> None:
    """A row with event id or time is known, or renewed under the old key, if only its plain key is known."""
    (plain,) = drafts_from_row(row(1, "a"))
    timed = row(2, "a", **changes)
    (draft,) = drafts_from_row(timed)
    classified = classify_rows([(timed, (draft,))], {plain.key: existing})
    assert [added.status for added in classified.added] == [status]
    assert classified.new == {}
    renewed = {plain.key: evolve(draft, key=plain.key)} if status == "renewed" else {}
    assert classified.renewed == renewed


def test_event_with_id_is_found_under_the_key_of_its_time() -> None:
    """A file may have had times before it had event ids."""
    (timed,) = drafts_from_row(row(1, "a", time="09:05"))
    both = row(2, "a", event_id="BDE-01", time="09:05")
    classified = classify_rows([(both, drafts_from_row(both))], {timed.key: Existing("applied", None, OLD)})
    assert [added.status for added in classified.added] == ["known"]


def test_own_key_is_preferred_to_the_plain_key() -> None:
    """A row whose own key is known is compared with that entry, whatever is known under its plain key."""
    timed = row(2, "a", time="09:05")
    (draft,) = drafts_from_row(timed)
    (plain_key,) = draft.earlier_keys
    existing = {draft.key: Existing("applied", None, OLD), plain_key: Existing("refused", None, OLD)}
    classified = classify_rows([(timed, (draft,))], existing)
    assert [added.status for added in classified.added] == ["known"]
    assert classified.renewed == {}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([on(3, 2, is_delivered=True, delivered_date="2026-10-03 10:00"), on(4, 3)], "f.csv:2: 2026-10-03 10:00"),
        ([on(4, 3), delivery(9, "2026-10-03", account="mystore")], "f.csv:9: 2026-10-03"),
        ([on(3, 2, is_delivered=True), on(4, 3)], "f.csv:2: 2026-10-03"),
        ([on(3, 2, "y", "10:00", is_delivered=True), on(3, 3, time="10:01")], "f.csv:2: 2026-10-03 10:00"),
        ([on(3, 2, "y", is_delivered=True, delivered_date="2026-10-03 10:00"), on(3, 3, time="10:00:59")], None),
        ([on(3, 2, "y", is_delivered=True, delivered_date="2026-10-03 10:00"), on(3, 3)], None),
        ([on(3, 2, "y", is_delivered=True, delivered_date="2026-10-03"), on(3, 3, time="23:00")], None),
        ([delivery(2, account="mystore"), on(4, 3)], None),
        ([on(2, 3), on(3, 2, is_delivered=True)], None),
        ([on(4, 3), delivery(3, "2026-10-03", account="mystore")], None),
        ([on(3, 2, is_delivered=True, invoice_number="2"), on(4, 3)], None),
        ([on(5, 3, is_delivered=True, delivered_date="2026-10-03")], None),
    ],
)
def test_an_event_after_a_delivery_of_the_input_is_noted(rows: list[Row], expected: str | None) -> None:
    """An event of a later day, or a later minute, than its package's delivery is new with a note, in any order.

    Not an event of the row or of the update that reports the delivery, nor one of the same day without times.
    """
    note = AFTER % expected if expected else ""
    meant = dict(zip((each.place.line for each in rows), notes(*rows), strict=True))
    assert meant.pop(3) == ("new", note)
    assert set(meant.values()) <= {("new", "")}


@pytest.mark.parametrize(
    ("state", "by_day"),
    [
        ("pending", [False, False, True]),
        ("in_flight", [True, True, True]),
        ("applied", [True, True, True]),
        ("unknown", [True, True, True]),
        ("refused", [False, False, False]),
        ("withdrawn", [False, False, False]),
    ],
)
def test_an_event_after_a_delivery_of_the_journal_is_noted(state: State, by_day: list[bool]) -> None:
    """What is added after the delivery was sent is noted, whatever its day; while it is pending, what is later."""
    found = notes(on(2, 2), on(3, 3), on(4, 4), delivered=Existing(state, "2026-10-03", OLD, id=7))
    assert found == [("new", AFTER % "old.csv:1: 2026-10-03" if noted else "") for noted in by_day]
    (undated,) = notes(on(3, 2), delivered=Existing(state, None, OLD, id=7))
    assert undated == ("new", AFTER % "old.csv:1" if by_day[0] else "")


def test_an_event_after_a_pruned_delivery_has_no_note() -> None:
    """Nothing is known of a pruned delivery but its key."""
    assert notes(on(4, 2), delivered=PRUNED) == [("new", "")]


@pytest.mark.parametrize(
    ("first", "second", "note"),
    [
        (
            "2026-10-03 10:00",
            "2026-10-03 10:05",
            (
                "delivered_date 2026-10-03 10:05 is not sent: f.csv:2 says 2026-10-03 10:00, and a package has one "
                "delivery; if 2026-10-03 10:00 is wrong, withdraw it before it is sent (vtex-tracking resolve "
                "--withdraw), and push this row again"
            ),
        ),
        ("2026-10-03", "2026-10-03", EVENT_ONLY % "f.csv:2"),
        (None, None, EVENT_ONLY % "f.csv:2"),
    ],
)
def test_two_volumes_of_one_invoice_are_one_delivery(first: str | None, second: str | None, note: str) -> None:
    """The event of the second volume is new, and a note says that its delivery is not sent."""
    rows = [
        on(3, 2, "Volume 1 entregue", is_delivered=True, delivered_date=first),
        on(3, 3, "Volume 2 entregue", is_delivered=True, delivered_date=second),
    ]
    assert notes(*rows) == [("new", ""), ("new", note)]


def test_a_volume_that_is_delivered_after_the_delivery_was_sent_is_noted() -> None:
    """Its event is new, with one note."""
    delivered = Existing("applied", "2026-10-03", OLD, id=7)
    same = on(3, 2, "Volume 2 entregue", is_delivered=True, delivered_date="2026-10-03")
    other = evolve(same, delivered_date="2026-10-04")
    assert notes(same, delivered=delivered) == [("new", EVENT_ONLY % "old.csv:1")]
    assert notes(other, delivered=delivered) == [
        ("new", "2026-10-04 comes too late: the delivery of old.csv:1 was sent on 2026-10-03, and there is only one")
    ]


@pytest.mark.parametrize(
    ("first", "second", "note"),
    [
        ({}, {}, SAME_DAY),
        ({}, {"time": "09:05"}, SAME_DAY),
        ({}, {"event_id": "a"}, SAME_DAY),
        (
            {"time": "09:05"},
            {"time": "09:05"},
            "the same day, time and texts; rows of one time need an event_id to count as two",
        ),
        ({"event_id": "a"}, {"event_id": "a", "time": "09:05"}, "both have the event_id 'a'"),
        ({"time": "09:05"}, {"time": "09:06"}, None),
        ({"event_id": "a"}, {"event_id": "b"}, None),
        ({"place": Place("g.csv", 2)}, {}, ""),
    ],
)
def test_the_same_event_twice_in_one_input_is_noted(
    first: dict[str, Any], second: dict[str, Any], note: str | None
) -> None:
    """The second row is known, and a note names the first one and says how the two count as two."""
    *_, (status, found) = notes(evolve(on(3, 2), **first), evolve(on(3, 3), **second))
    expected = f"same event as line 2: {note}" if note else ""
    assert (status, found) == ("new" if note is None else "known", expected)


def test_a_repeated_row_of_a_second_delivery_has_both_notes() -> None:
    """Two volumes with the same text and day: neither the second event nor its delivery vanishes without a word."""
    rows = [on(3, n, is_delivered=True, delivered_date=f"2026-10-03 10:0{n}") for n in (2, 3)]
    status, note = notes(*rows)[1]
    assert status == "known"
    assert note.startswith(f"same event as line 2: {SAME_DAY}; delivered_date 2026-10-03 10:03 is not sent")


def test_only_entries_of_this_input_count_as_repeated() -> None:
    """What the journal holds from before the input is known without a note, even from a file of the same name."""
    one = on(3, 3)
    (draft,) = drafts_from_row(one)
    for number, note in ((7, ""), (8, f"same event as line 2: {SAME_DAY}"), (9, f"same event as line 2: {SAME_DAY}")):
        existing = {draft.key: Existing("pending", None, Place("f.csv", 2), id=number)}
        (added,) = classify_rows([(one, (draft,))], existing, first_id=8).added
        assert (added.status, added.note) == ("known", note)
        (added,) = classify_rows([(one, (draft,))], {draft.key: PRUNED}, first_id=8).added
        assert (added.status, added.note) == ("known", "")


def test_a_row_that_renews_an_event_twice_is_noted() -> None:
    """A refused event that two rows of an input renew is the same event twice, too."""
    one, two = on(3, 2), on(3, 3)
    existing = {drafts_from_row(one)[0].key: Existing("refused", None, OLD, id=1)}
    classified = classify_rows([(each, drafts_from_row(each)) for each in (one, two)], existing)
    found = [(added.status, added.note) for added in classified.added]
    assert found == [("renewed", ""), ("known", f"same event as line 2: {SAME_DAY}")]
