"""Tests of entries, their keys, and what a draft means to the entry with its key."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from attrs import evolve

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.rows import Place, Row
from vtex_tracking_ext.bulk.journal.classify import PRUNED, Existing, classify_draft, combine
from vtex_tracking_ext.bulk.journal.entries import (
    KEY_SIZE,
    AddStatus,
    Draft,
    Entry,
    PackageKey,
    Selection,
    draft_of,
    drafts_from_row,
    entry_key,
    utc_now,
)

PLACE = Place("f.csv", 2)
PACKAGE = PackageKey("mystore", "1-01", "000030711")
EVENT = TrackingEvent("2026-10-01", "Saiu para entrega", "S\u00e3o Paulo", "SP")
NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


def row(**changes: Any) -> Row:
    """Return a row with an event and no delivery."""
    return evolve(Row(PLACE, "mystore", "1-01", "000030711", EVENT, is_delivered=False, delivered_date=None), **changes)


def entry(**changes: Any) -> Entry:
    """Return an entry of an event."""
    fields: dict[str, Any] = {
        **dict.fromkeys(("delivered_date", "status_code", "receipt", "begun", "settled")),
        "id": 7,
        "package": PACKAGE,
        "event": EVENT,
        "place": PLACE,
        "state": "pending",
        "attempts": 0,
        "reason": "",
        "added": NOW,
    }
    return Entry(**{**fields, **changes})


def delivery(date: str | None) -> Draft:
    """Return the draft of a delivery."""
    (draft,) = drafts_from_row(row(event=None, is_delivered=True, delivered_date=date))
    return draft


def test_row_with_an_event_makes_one_draft() -> None:
    """The draft has the event as it was written."""
    (draft,) = drafts_from_row(row())
    assert draft == Draft(PACKAGE, entry_key(PACKAGE, EVENT), EVENT, None, PLACE)


def test_row_with_both_makes_an_event_and_then_a_delivery() -> None:
    """The drafts are in the order in which they may be sent, and have different keys."""
    event, delivered = drafts_from_row(row(is_delivered=True, delivered_date="2026-10-01 21:15"))
    assert (event.event, event.delivered_date) == (EVENT, None)
    assert (delivered.event, delivered.delivered_date) == (None, "2026-10-01 21:15")
    assert delivered.key == entry_key(PACKAGE, None)
    assert delivered.key != event.key


def test_row_without_either_makes_no_draft() -> None:
    """A row without an event that does not report the delivery makes nothing; the checks of rows refuse it."""
    assert drafts_from_row(row(event=None)) == ()


def test_dates_become_text() -> None:
    """Dates and times of a caller in Python become the text that is sent."""
    moment = dt.datetime(2026, 10, 1, 21, 15, tzinfo=dt.UTC)
    for date in (moment, moment.date()):
        event, delivered = drafts_from_row(
            row(event=evolve(EVENT, date=date), is_delivered=True, delivered_date=moment)
        )
        assert event.event == EVENT
        assert event.key == entry_key(PACKAGE, EVENT)
        assert delivered.delivered_date == "2026-10-01 21:15"


def test_accounts_are_compared_in_lower_case() -> None:
    """A draft and its key have the row's account in lower case, because host names ignore case."""
    assert [draft.package.account for draft in drafts_from_row(row(account="Other"))] == ["other"]
    assert entry_key(PackageKey("MYSTORE", "1-01", "000030711"), EVENT) == entry_key(PACKAGE, EVENT)


@pytest.mark.parametrize(
    "same",
    [
        evolve(EVENT, description=" Saiu para entrega\n", city="\u00a0S\u00e3o Paulo ", state="SP\t"),
        evolve(EVENT, description="Saiu  para\tentrega", city="S\u00e3o \u00a0 Paulo"),
        evolve(EVENT, description="Saiu\u00a0para\u202fentrega", city="S\u00e3o\u2003Paulo"),
        evolve(EVENT, description="\u200bSaiu\u200b para \u2060entrega\ufeff", city="S\u00e3o\u200bPaulo\u200e"),
        evolve(EVENT, city="Sa\u0303o Paulo"),
        evolve(EVENT, date=dt.date(2026, 10, 1)),
    ],
)
def test_same_looking_events_have_the_same_key(same: TrackingEvent) -> None:
    """Blanks of any kind and number, the Unicode normal form and the type of a date do not matter."""
    assert entry_key(PACKAGE, same) == entry_key(PACKAGE, EVENT)


@pytest.mark.parametrize("blank", [" ", "\n", "\u00a0", "\u3000", "\u200b", "\ufeff", " \u2060 "])
def test_sent_text_is_trimmed(blank: str) -> None:
    """The draft has the texts without blanks at their ends, and otherwise as they were written."""
    texts = ("a  b", "Sa\u0303o\u00a0Paulo", "SP")
    written = TrackingEvent("2026-10-01", *(f"{blank}{text}{blank}" for text in texts))
    (draft,) = drafts_from_row(row(event=written))
    assert draft.event == TrackingEvent("2026-10-01", *texts)


def test_every_other_difference_makes_another_key() -> None:
    """Each part of an event and of its package counts, and so does where one ends and the next begins."""
    keys = [
        entry_key(PACKAGE, EVENT),
        entry_key(PACKAGE, None),
        entry_key(evolve(PACKAGE, account="other"), EVENT),
        entry_key(evolve(PACKAGE, order_id="1-02"), EVENT),
        entry_key(evolve(PACKAGE, invoice_number="30711"), EVENT),
        entry_key(PACKAGE, evolve(EVENT, date="2026-10-02")),
        entry_key(PACKAGE, evolve(EVENT, city="")),
        entry_key(PACKAGE, evolve(EVENT, state="")),
        entry_key(PACKAGE, evolve(EVENT, city="SP", state="S\u00e3o Paulo")),
        entry_key(PACKAGE, evolve(EVENT, description="saiu para entrega")),
        entry_key(PACKAGE, evolve(EVENT, description="Saiu paraentrega")),
        entry_key(PACKAGE, TrackingEvent("2026-10-01", "c", "a", "b")),
        entry_key(PACKAGE, TrackingEvent("2026-10-01", "c", "a1:b", "")),
        entry_key(PACKAGE, TrackingEvent("2026-10-01", "c", "", "a1:b")),
        entry_key(PACKAGE, TrackingEvent("2026-10-01", "\ud800")),
        entry_key(PACKAGE, EVENT, time="09:05"),
        entry_key(PACKAGE, EVENT, time="09:05:30"),
        entry_key(PACKAGE, evolve(EVENT, date="2026-10-02"), time="09:05"),
        entry_key(PACKAGE, EVENT, "BDE-01"),
        entry_key(PACKAGE, EVENT, "bde-01"),
        entry_key(evolve(PACKAGE, invoice_number="30711"), EVENT, "BDE-01"),
    ]
    assert len(set(keys)) == len(keys)
    assert {len(key) for key in keys} == {KEY_SIZE}


def test_a_key_stays_the_same_from_version_to_version() -> None:
    """Rows without event id and time keep the keys of earlier versions, because journals contain them."""
    other = PackageKey("Other@127.0.0.1:8000", "v1-02", "30711")
    decomposed = TrackingEvent("2026-10-02", " Objeto\u0301 ", "Sa\u0303o Paulo ", " SP")
    assert entry_key(PACKAGE, EVENT).hex() == "a87d80caa1705d60335a7203afae8381"
    assert entry_key(PACKAGE, None).hex() == "4a23354fc4d7dd44fc3003d95e5d1f18"
    assert entry_key(PACKAGE, TrackingEvent("2015-06-23", "Coletado")).hex() == "0dae62ce7a9f71d79270cfafc63099fe"
    assert entry_key(other, decomposed).hex() == "177792251e281b0f085dd0fba3596baa"
    assert entry_key(PACKAGE, EVENT, time="09:05").hex() == "afd8a99e85bd31a80b32910a54a12a41"
    assert entry_key(PACKAGE, EVENT, "BDE-01", "09:05").hex() == "2909a767e2124d941189c6a74b1a4447"


def test_an_event_id_identifies_an_event_alone() -> None:
    """With the same event id, other texts, another day and another time make the same event of the package."""
    other = TrackingEvent("2026-10-02", "Entregue")
    assert entry_key(PACKAGE, EVENT, "BDE-01", "09:05") == entry_key(PACKAGE, other, "BDE-01", "10:00")


@pytest.mark.parametrize(("event_id", "time"), [("BDE-01", ""), ("", "09:05"), ("BDE-01", "09:05")])
def test_a_draft_has_the_keys_under_which_an_earlier_run_noted_it(event_id: str, time: str) -> None:
    """An event with an event id or a time also has the keys without them; its delivery has one key."""
    event, delivered = drafts_from_row(row(event_id=event_id, time=time, is_delivered=True))
    earlier_times = (time, "") if event_id else ("",)
    assert event == Draft(
        PACKAGE,
        entry_key(PACKAGE, EVENT, event_id, time),
        EVENT,
        None,
        PLACE,
        event_id,
        time,
        earlier_keys=tuple(dict.fromkeys(entry_key(PACKAGE, EVENT, time=each) for each in earlier_times)),
    )
    assert delivered == Draft(PACKAGE, entry_key(PACKAGE, None), None, None, PLACE)


def test_an_entry_makes_the_draft_that_made_it() -> None:
    """An entry of an event or of a delivery makes the draft of its row, without the key of an earlier version."""
    for made in drafts_from_row(row(event_id="BDE-01", time="09:05", is_delivered=True, delivered_date="2026-10-01")):
        copied = entry(event=made.event, delivered_date=made.delivered_date, event_id=made.event_id, time=made.time)
        assert draft_of(copied) == evolve(made, earlier_keys=())


@pytest.mark.parametrize(
    ("existing", "status"),
    [
        (None, "new"),
        (Existing("pending", None, PLACE), "known"),
        (Existing("in_flight", None, PLACE), "known"),
        (Existing("applied", None, PLACE), "known"),
        (Existing("applied", None, PLACE, is_by_hand=True), "known"),
        (Existing("unknown", None, PLACE), "known"),
        (Existing("refused", None, PLACE), "renewed"),
        (Existing("withdrawn", None, PLACE, is_by_hand=True), "renewed"),
        (PRUNED, "known"),
    ],
)
def test_only_refused_and_withdrawn_events_are_renewed(existing: Existing | None, status: AddStatus) -> None:
    """A refused event, or one that a person withdrew before it was sent, is sent again; no other one is."""
    (draft,) = drafts_from_row(row())
    assert classify_draft(draft, existing) == (status, "")


def test_dismissed_refusal_is_known_with_a_note() -> None:
    """An event or a delivery whose refusal was dismissed is not sent again, and the note says how to send it."""
    (draft,) = drafts_from_row(row())
    note = "its refusal was dismissed; `vtex-tracking resolve --retry` with its number sends it again"
    assert classify_draft(draft, Existing("withdrawn", None, PLACE)) == ("known", note)
    assert classify_draft(delivery("2026-10-02"), Existing("withdrawn", "2026-10-01", PLACE)) == ("known", note)


def test_pruned_delivery_is_known_with_any_date() -> None:
    """The date of a pruned delivery is not known any more, so that no date contradicts it."""
    assert classify_draft(delivery("2026-10-02"), PRUNED) == ("known", "")


@pytest.mark.parametrize(
    ("earlier", "later", "pending", "applied"),
    [
        (None, None, "known", "known"),
        ("2026-10-01", "2026-10-01", "known", "known"),
        ("2026-10-01", None, "known", "known"),
        ("2026-10-01 21:15", "2026-10-01", "known", "known"),
        (None, "2026-10-01", "renewed", "known"),
        ("2026-10-01", "2026-10-01 21:15", "renewed", "known"),
        ("2026-10-01", "2026-10-02", "known", "known"),
        ("2026-10-01 21:15", "2026-10-01 21:16", "known", "known"),
        ("2026-10-01 21:15", "2026-10-02", "known", "known"),
    ],
)
def test_delivery_with_another_date(
    earlier: str | None, later: str | None, pending: AddStatus, applied: AddStatus
) -> None:
    """A more precise date replaces that of a pending delivery, any date that of a refused one; no other is sent."""
    assert classify_draft(delivery(later), Existing("pending", earlier, PLACE))[0] == pending
    assert classify_draft(delivery(later), Existing("refused", earlier, PLACE)) == ("renewed", "")
    for state in ("in_flight", "applied", "unknown"):
        assert classify_draft(delivery(later), Existing(state, earlier, PLACE))[0] == applied


def test_another_date_of_a_pending_delivery_is_noted() -> None:
    """The note names both dates and the other row, and says how to correct a wrong date before it is sent."""
    _, note = classify_draft(delivery("2026-10-02"), Existing("pending", "2026-10-01", PLACE, id=7))
    assert note == (
        "delivered_date 2026-10-02 is not sent: f.csv:2 says 2026-10-01, and a package has one delivery; if 2026-10-01 "
        "is wrong, withdraw it before it is sent (vtex-tracking resolve --withdraw 7), and push this row again"
    )


def test_a_date_that_comes_too_late_is_noted() -> None:
    """The note says with which date the delivery was sent."""
    _, note = classify_draft(delivery("2026-10-02"), Existing("applied", None, PLACE))
    assert note == ("2026-10-02 comes too late: the delivery of f.csv:2 was sent without a date, and there is only one")
    _, note = classify_draft(delivery("2026-10-02 10:00"), Existing("in_flight", "2026-10-02", PLACE))
    assert "the delivery of f.csv:2 was sent on 2026-10-02, and" in note


def test_row_has_the_first_status_of_its_drafts() -> None:
    """A row has the status that comes first in the order of precedence, and the notes of all of its drafts."""
    assert combine([]) == ("known", "")
    assert combine([("known", ""), ("renewed", "")]) == ("renewed", "")
    assert combine([("renewed", ""), ("new", "")]) == ("new", "")
    assert combine([("known", "a"), ("new", "b")]) == ("new", "a; b")


def test_an_entry_without_an_event_is_a_delivery() -> None:
    """An entry with an event is of the kind ``event``, any other one of the kind ``delivery``."""
    assert entry().kind == "event"
    assert entry(event=None).kind == "delivery"


@pytest.mark.parametrize(
    ("selection", "is_in"),
    [
        (Selection(), True),
        (Selection(states=("pending",), account="MyStore", package=PACKAGE, ids=(9, 7)), True),
        (Selection(states=("applied", "refused")), False),
        (Selection(account="other"), False),
        (Selection(package=evolve(PACKAGE, order_id="2-01")), False),
        (Selection(ids=(8,)), False),
        (Selection(ids=()), False),
    ],
)
def test_selection_matches_what_meets_all_conditions(selection: Selection, is_in: bool) -> None:
    """An entry matches if it meets every condition that is given."""
    assert selection.matches(entry()) is is_in


def test_selected_ids_are_sorted_and_unique() -> None:
    """The ids of a selection are in the order in which entries are yielded."""
    assert Selection(ids=(9, 7, 9)).ids == (7, 9)


def test_the_clock_shows_utc() -> None:
    """The current time is aware, and in UTC."""
    assert utc_now().utcoffset() == dt.timedelta(0)
