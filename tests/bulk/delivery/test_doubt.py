"""Which entries in doubt an order shows."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from vtex_tracking_ext import Package, PackageEvent, TrackingEvent
from vtex_tracking_ext.bulk.delivery.doubt import found_among

from support.entries import entry

#: Days: of the event, and of its recording.
Days = tuple[str, str]

TODAY, YESTERDAY, BEFORE = "2026-10-05", "2026-10-04", "2026-10-03"


def shown(*recorded: Days, finished: bool = False) -> list[Package]:
    """Return an order that shows events with one text."""
    events = tuple(PackageEvent(day, "x", "", "", f"{day}T00:00", f"{made}T09:00") for day, made in recorded)
    return [Package("1", "Output", None, None, None, finished=finished, delivered_date=None, events=events)]


def found(packages: list[Package], applied: list[str], doubtful: list[str]) -> list[str]:
    """Return the days of the events in doubt that are found, after checking every order of the entries."""
    events = [(day, "applied") for day in applied] + [(day, "unknown") for day in doubtful]
    answers = set()
    for order in permutations(range(len(events))):
        entries = [
            entry(
                id_, "applied" if events[id_][1] == "applied" else "unknown", event=TrackingEvent(events[id_][0], "x")
            )
            for id_ in order
        ]
        answers.add(found_among(packages, "1", entries))
    (numbers,) = answers
    return [events[number][0] for number in sorted(numbers)]


@pytest.mark.parametrize(
    ("recorded", "applied", "doubtful", "expected"),
    [
        # Each has its own record; that of another day was made today, so it fits today's event too.
        ([(YESTERDAY, TODAY), (TODAY, TODAY)], [TODAY], [YESTERDAY], [YESTERDAY]),
        ([(TODAY, TODAY), (YESTERDAY, TODAY)], [TODAY], [YESTERDAY], [YESTERDAY]),
        ([(YESTERDAY, TODAY), (TODAY, TODAY)], [YESTERDAY], [TODAY], [TODAY]),
        ([(YESTERDAY, TODAY), (TODAY, TODAY)], [], [TODAY, YESTERDAY], [TODAY, YESTERDAY]),
        ([(BEFORE, TODAY), (YESTERDAY, TODAY), (TODAY, TODAY)], [TODAY, BEFORE], [YESTERDAY], [YESTERDAY]),
        # The only record is that of the applied one.
        ([(YESTERDAY, TODAY)], [YESTERDAY], [TODAY], []),
        ([(TODAY, TODAY)], [TODAY], [YESTERDAY], []),
        # It may be either's, so nobody knows.
        ([(YESTERDAY, TODAY)], [], [TODAY, YESTERDAY], []),
        ([(YESTERDAY, TODAY)], [TODAY], [YESTERDAY], []),
        # No matter which of the two days is the event's own.
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


def test_what_was_truly_applied_is_found_and_nothing_else_is() -> None:
    """Events of one text, applied in calls of their own with one outcome unknown, over some days."""
    chance = random.Random(3)  # noqa: S311 - the same on every run
    days = [f"2026-10-{day:02}" for day in range(1, 7)]
    for _ in range(300):
        told = chance.sample(days, 4)
        made = sorted(chance.choice(days[3:]) for _ in told)
        is_there = chance.random() < 1 / 2
        recorded = list(zip(told, made, strict=True))[: 4 if is_there else 3]
        entries = [
            entry(number, "unknown" if number == 3 else "applied", event=TrackingEvent(day, "x"))
            for number, day in enumerate(told)
        ]
        assert found_among(shown(*recorded), "1", entries) == ({3} if is_there else set())


def test_a_delivery_is_found_if_the_package_is_finished() -> None:
    """A package has one delivery. Entries that are already applied are not returned."""
    delivered = entry(1, "in_flight", event=None)
    assert found_among(shown(finished=True), "1", [delivered, entry(2, "applied", event=None)]) == {1}
    assert found_among(shown(), "1", [delivered]) == set()
