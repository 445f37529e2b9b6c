"""Entries in doubt: when their order is read, and what it proves."""

from __future__ import annotations

import datetime as dt
import random
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtex_tracking_ext import Package, PackageEvent, TrackingEvent
from vtex_tracking_ext.bulk.delivery.doubt import MAX_DISPLAY_DELAY, Comparison, compare_with_order, next_read

from support.entries import entry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vtex_tracking_ext.bulk.journal.entries import Entry, State

#: Days: of the event, and of its recording.
Days = tuple[str, str]

TODAY, YESTERDAY, BEFORE = "2026-10-05", "2026-10-04", "2026-10-03"
BEGUN = dt.datetime(2026, 10, 5, 12, tzinfo=dt.UTC)
NOW = BEGUN + dt.timedelta(hours=1)
JUST_NOW = NOW - MAX_DISPLAY_DELAY
HOUR = 3600.0


def event(id_: int, state: State, day: str = TODAY, **changes: Any) -> Entry:
    """Return an entry with an event, whose call was begun an hour ago."""
    return entry(id_, state, **{"event": TrackingEvent(day, "x"), "begun": BEGUN, **changes})


def delivery(id_: int, state: State, day: str | None = None, **changes: Any) -> Entry:
    """Return an entry with a delivery, whose call was begun an hour ago."""
    return event(id_, state, event=None, delivered_date=day, **changes)


def shown(*recorded: Days, finished: bool = False, delivered_date: str | None = None) -> list[Package]:
    """Return an order that shows events with one text."""
    events = tuple(PackageEvent(day, "x", "", "", f"{day}T00:00", f"{made}T09:00") for day, made in recorded)
    return [Package("1", "Output", None, None, None, finished=finished, delivered_date=delivered_date, events=events)]


def ids(packages: list[Package], entries: Iterable[Entry]) -> tuple[list[int], list[int]]:
    """Return the ids of the entries that are found, and of those that are absent."""
    result = compare_with_order(packages, "1", entries, NOW)
    return sorted(result.found), sorted(result.absent)


def unknown(begun: float, settled: float) -> Entry:
    """Return an entry whose outcome was last found to be unknown so many seconds after a time."""
    moments = [BEGUN + dt.timedelta(seconds=seconds) for seconds in (begun, settled)]
    return event(1, "unknown", begun=moments[0], settled=moments[1], added=BEGUN)


def read_after(*entries: Entry, resend_after: float | None = None) -> float | None:
    """Return in how many seconds after ``BEGUN`` the order is read next."""
    moment = next_read(entries, None if resend_after is None else dt.timedelta(seconds=resend_after))
    return None if moment is None else (moment - BEGUN).total_seconds()


def test_an_order_is_read_at_once_if_a_killed_process_left_an_entry_in_flight() -> None:
    """Whatever else is in doubt in the package."""
    moment = next_read([unknown(0, 1), event(2, "in_flight")], None)
    assert moment is not None
    assert moment < BEGUN


def test_an_order_is_read_at_once_if_an_entry_was_added_since_it_was_read() -> None:
    """The new entry waits for the one in doubt. An entry that was added earlier changes nothing."""
    added = BEGUN + dt.timedelta(hours=2)
    moment = next_read([unknown(0, 3600), event(2, "pending", added=added)], None)
    assert moment is not None
    assert moment < BEGUN
    assert read_after(unknown(0, 7200), event(2, "pending", added=added)) is None


@pytest.mark.parametrize(("age", "seconds"), [(0.0, 2.0), (2.0, 6.0), (6.0, 14.0), (14.0, 30.0), (59.0, 120.0)])
def test_an_order_is_read_ever_less_often_in_the_first_minute(age: float, seconds: float) -> None:
    """The times are counted from the call; the age is that at which the outcome was last found to be unknown."""
    assert read_after(unknown(100, 100 + age)) == 100 + seconds
    assert read_after(unknown(100, 100 + age), resend_after=HOUR) == 100 + seconds


def test_an_order_is_not_read_again_after_the_first_minute() -> None:
    """VTEX shows an accepted event by then, so nothing changes unless a person or a row changes it."""
    assert read_after(unknown(0, 60)) is None
    assert read_after() is None


def test_an_order_is_read_again_when_its_entries_may_be_sent_again() -> None:
    """And ever less often after that, because the order may not have been read whole."""
    assert read_after(unknown(0, 60), resend_after=HOUR) == HOUR
    assert read_after(unknown(0, HOUR - 1), resend_after=HOUR) == 2 * (HOUR - 1)
    assert read_after(unknown(0, 2 * HOUR), resend_after=HOUR) == 4 * HOUR


def test_the_earliest_read_of_a_package_counts() -> None:
    """Its entries may have become unknown at different times."""
    assert read_after(unknown(0, 60), unknown(50, 51), resend_after=HOUR) == 54


def found(packages: list[Package], applied: list[str], doubtful: list[str]) -> list[str]:
    """Return the days of the events in doubt that are found, after checking every order of the entries."""
    events: list[tuple[str, State]] = [(day, "applied") for day in applied] + [(day, "unknown") for day in doubtful]
    answers = set()
    for order in permutations(range(len(events))):
        entries = [event(id_, events[id_][1], events[id_][0]) for id_ in order]
        answers.add(compare_with_order(packages, "1", entries, NOW).found)
    (numbers,) = answers
    return [events[number][0] for number in sorted(numbers)]


@pytest.mark.parametrize(
    ("recorded", "applied", "doubtful", "expected"),
    [
        # Each has its own record. The record of another day was made today, so it matches today's event, too.
        ([(YESTERDAY, TODAY), (TODAY, TODAY)], [TODAY], [YESTERDAY], [YESTERDAY]),
        ([(TODAY, TODAY), (YESTERDAY, TODAY)], [TODAY], [YESTERDAY], [YESTERDAY]),
        ([(YESTERDAY, TODAY), (TODAY, TODAY)], [YESTERDAY], [TODAY], [TODAY]),
        ([(YESTERDAY, TODAY), (TODAY, TODAY)], [], [TODAY, YESTERDAY], [TODAY, YESTERDAY]),
        ([(BEFORE, TODAY), (YESTERDAY, TODAY), (TODAY, TODAY)], [TODAY, BEFORE], [YESTERDAY], [YESTERDAY]),
        # The only record is that of the applied event.
        ([(YESTERDAY, TODAY)], [YESTERDAY], [TODAY], []),
        ([(TODAY, TODAY)], [TODAY], [YESTERDAY], []),
        # The record may be that of either event.
        ([(YESTERDAY, TODAY)], [], [TODAY, YESTERDAY], []),
        ([(YESTERDAY, TODAY)], [TODAY], [YESTERDAY], []),
        # It does not matter which of the two days is that of the event.
        ([(TODAY, YESTERDAY), (TODAY, TODAY)], [TODAY], [YESTERDAY], [YESTERDAY]),
        ([], [], [TODAY], []),
    ],
)
def test_an_event_is_found_if_no_other_entry_accounts_for_what_is_shown(
    recorded: list[Days], applied: list[str], doubtful: list[str], expected: list[str]
) -> None:
    """The order of the shown events and of the entries does not matter."""
    for order in permutations(recorded):
        assert found(shown(*order), applied, doubtful) == expected


def test_events_that_were_applied_are_found_and_no_others() -> None:
    """Events with one text were applied in calls of their own over some days, with one outcome unknown."""
    chance = random.Random(3)  # noqa: S311 - the same on every run
    days = [f"2026-10-{day:02}" for day in range(1, 7)]
    for _ in range(300):
        given_days = chance.sample(days, 4)
        made = sorted(chance.choice(days[3:]) for _ in given_days)
        is_shown = chance.random() < 1 / 2
        recorded = list(zip(given_days, made, strict=True))[: 4 if is_shown else 3]
        entries = [event(number, "unknown" if number == 3 else "applied", day) for number, day in enumerate(given_days)]
        result = compare_with_order(shown(*recorded), "1", entries, NOW)
        assert result.found == ({3} if is_shown else set())
        assert not (is_shown and result.absent)


def test_an_event_that_matches_nothing_is_absent() -> None:
    """Also if the only event that it matches belongs to an event that was applied a while ago."""
    assert ids(shown(), [event(1, "unknown")]) == ([], [1])
    assert ids(shown((YESTERDAY, TODAY)), [event(1, "applied", YESTERDAY), event(2, "unknown")]) == ([], [2])


def test_an_event_that_may_be_the_shown_one_stays_in_doubt() -> None:
    """One event is shown, and two entries in doubt match it."""
    assert ids(shown((YESTERDAY, TODAY)), [event(1, "unknown", YESTERDAY), event(2, "unknown")]) == ([], [])


def test_an_event_that_was_applied_a_moment_ago_proves_nothing() -> None:
    """It may be missing; and a shown event that matches it may belong to the event in doubt."""
    applied = event(1, "applied", begun=JUST_NOW)
    assert ids(shown(), [applied, event(2, "unknown", YESTERDAY)]) == ([], [2])
    assert ids(shown((YESTERDAY, TODAY)), [applied, event(2, "unknown", YESTERDAY)]) == ([], [])


@pytest.mark.parametrize(
    "applied",
    [event(1, "applied", BEFORE), event(1, "applied", BEFORE, begun=None), delivery(1, "applied")],
    ids=["event", "event without a call", "delivery"],
)
def test_nothing_is_absent_from_an_order_that_lacks_an_applied_entry(applied: Entry) -> None:
    """The order was not read whole. What it shows is found all the same."""
    entries = [applied, event(2, "unknown", YESTERDAY), event(3, "unknown", TODAY)]
    assert ids(shown((TODAY, TODAY)), entries) == ([3], [])


def test_nothing_is_absent_from_an_order_that_lacks_the_invoice() -> None:
    """Neither an event nor a delivery."""
    assert ids([], [event(1, "unknown"), delivery(2, "unknown")]) == ([], [])


def test_a_delivery_is_found_if_the_package_is_finished() -> None:
    """It is absent if the package is not; entries that are already applied are neither."""
    entries = [delivery(1, "in_flight"), delivery(2, "applied", begun=JUST_NOW)]
    assert ids(shown(finished=True), entries) == ([1], [])
    assert ids(shown(), entries) == ([], [1])
    assert ids(shown(finished=True), [delivery(2, "applied")]) == ([], [])


def test_a_delivery_that_is_shown_with_another_date_stays_in_doubt() -> None:
    """Somebody may have reported it; sending it again would change the date."""
    packages = shown(finished=True, delivered_date=YESTERDAY)
    assert ids(packages, [delivery(1, "unknown", f"{TODAY} 10:00")]) == ([], [])
    assert ids(packages, [delivery(1, "unknown", f"{YESTERDAY} 10:00")]) == ([1], [])


def test_by_default_nothing_is_found_and_nothing_is_absent() -> None:
    """As for an order that cannot be read."""
    assert Comparison() == Comparison(frozenset(), frozenset())


@st.composite
def orders(draw: st.DrawFn) -> tuple[list[Package], list[Entry], set[int]]:
    """Return an order, entries, and the ids of those that it shows.

    Each entry that was applied a while ago is shown; one that was applied a moment ago, or is in doubt, may be. The
    order also shows events of others.
    """
    days = st.sampled_from([BEFORE, YESTERDAY, TODAY])
    entries, recorded, applied = [], draw(st.lists(st.tuples(days, days), max_size=2)), set()
    for id_ in range(draw(st.integers(1, 5))):
        state, begun = draw(st.sampled_from([("applied", BEGUN), ("applied", JUST_NOW), ("unknown", BEGUN)]))
        day = draw(days)
        entries.append(event(id_, state, day, begun=begun))  # type: ignore[arg-type]
        if (state, begun) == ("applied", BEGUN) or draw(st.booleans()):
            recorded.append((day, draw(days)))
            applied.add(id_)
    return shown(*draw(st.permutations(recorded))), entries, applied


@given(orders())
def test_an_entry_that_was_applied_is_never_absent(case: tuple[list[Package], list[Entry], set[int]]) -> None:
    """An entry is found, absent, or stays in doubt; whatever else is shown, a shown entry is not absent."""
    packages, entries, applied = case
    result = compare_with_order(packages, "1", entries, NOW)
    doubtful = {each.id for each in entries if each.state == "unknown"}
    assert result.found | result.absent <= doubtful
    assert not result.found & result.absent
    assert not result.absent & applied
