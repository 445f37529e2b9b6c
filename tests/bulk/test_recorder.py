"""Tests of recording the rows of an input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from attrs import define, evolve, field

from vtex_tracking_ext import ConfigurationError, TrackingEvent
from vtex_tracking_ext.bulk.input.rows import InputFileError, Place, Row, RowProblem
from vtex_tracking_ext.bulk.journal.entries import Added
from vtex_tracking_ext.bulk.recorder import RowRecorder

from support.journaled import delivery, row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vtex_tracking_ext.bulk.journal.entries import AddStatus


@define
class Notebook:
    """A fake journal: keeps the rows that it is given, and gives each the status for its line, or ``new``."""

    statuses: dict[int, tuple[AddStatus, str]] = field(factory=dict)
    rows: list[Row] = field(factory=list)

    def add(self, rows: Iterable[Row]) -> Iterator[Added]:
        """Add rows."""
        for each in rows:
            self.rows.append(each)
            yield Added(each, *self.statuses.get(each.place.line, ("new", "")))

    @property
    def lines(self) -> list[int]:
        """The lines of the rows, in the order in which they were added."""
        return [each.place.line for each in self.rows]


@define
class Recording:
    """A recorder, and what it reported."""

    journal: Notebook = field(factory=Notebook)
    problems: list[str] = field(factory=list)
    notes: list[tuple[Place, str]] = field(factory=list)
    asked: list[str] = field(factory=list)
    default: str = "mystore"
    recorder: RowRecorder = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Create the recorder."""
        self.recorder = RowRecorder(
            cast("Any", self.journal),
            self.look_up,
            lambda problem: self.problems.append(str(problem)),
            lambda *note: self.notes.append(note),
        )

    def look_up(self, account: str) -> str:
        """Return the name of an account."""
        self.asked.append(account)
        if (account or self.default) == "west":
            raise ConfigurationError("no such account")
        return account or self.default


def day(line: int, number: int, **changes: Any) -> Row:
    """Return a row with an event of a day in October."""
    return evolve(row(line), event=TrackingEvent(f"2026-10-{number:02}", "x"), **changes)


def broken(rows: Iterable[Row | RowProblem], error: BaseException) -> Iterator[Row | RowProblem]:
    """Yield rows, then raise."""
    yield from rows
    raise error


def test_rows_are_recorded_with_their_accounts() -> None:
    """Each row is recorded once with its account's name in the journal; each account is looked up once."""
    made = Recording()
    made.recorder.record([row(1, "a"), row(2, "b", account="north"), row(3, "c"), row(4, "d", account="west")])
    made.recorder.record([row(5, "e", account="west")])
    recorded = [(each.place.line, each.account) for each in made.journal.rows]
    assert recorded == [(1, "mystore"), (2, "north"), (3, "mystore")]
    assert made.problems == [f"f.csv:{line}: column account: no such account" for line in (4, 5)]
    assert made.asked == ["", "north", "west"]
    counts = made.recorder.counts
    assert (counts.rows, counts.invalid, counts.by_status) == (5, 2, {"new": 3})


def test_rows_without_account_need_a_default() -> None:
    """A row without an account raises when there is no default account, and nothing is recorded."""
    made = Recording(default="west")
    with pytest.raises(ConfigurationError, match="no such account"):
        made.recorder.record([row(1, "a", account="north"), row(2, "a")])
    assert made.journal.rows == []


def test_problems_are_counted_by_row() -> None:
    """A row with several problems is one invalid row; one with a note is valid."""
    made = Recording(Notebook({3: ("new", "another date"), 4: ("known", "too late")}))
    place = Place("f.csv", 2)
    made.recorder.record([RowProblem(place, "date", "a"), RowProblem(place, "city", "b"), delivery(3), delivery(4)])
    assert made.problems == [
        "f.csv:2: column date: a",
        "f.csv:2: column city: b",
    ]
    assert made.notes == [(Place("f.csv", 3), "another date"), (Place("f.csv", 4), "too late")]
    counts = made.recorder.counts
    assert (counts.rows, counts.invalid, counts.by_status) == (3, 1, {"new": 1, "known": 1})


def test_input_that_cannot_be_read_to_its_end_is_not_recorded() -> None:
    """If reading fails after some rows, none is recorded and the error says so; earlier problems were reported."""
    made = Recording()
    problem = RowProblem(Place("f.csv", 2), "date", "wrong")
    with pytest.raises(InputFileError, match=r"^f\.csv:9: not CSV\. No row of this file was noted\.$"):
        made.recorder.record(broken([row(1, "a"), problem], InputFileError("f.csv:9: not CSV.")))
    with pytest.raises(InputFileError, match=r"^f\.csv: empty\.$"):
        made.recorder.record(broken([], InputFileError("f.csv: empty.")))
    with pytest.raises(KeyboardInterrupt):
        made.recorder.record(broken([row(1, "a")], KeyboardInterrupt()))
    assert made.journal.rows == []
    assert made.problems == ["f.csv:2: column date: wrong"]


def test_newest_first_is_recorded_oldest_first() -> None:
    """An input that lists its newest events first is recorded in reverse, with one note at its first row."""
    made = Recording()
    made.recorder.record([day(2, 3), day(3, 2), day(4, 2), day(5, 1)])
    assert made.journal.lines == [5, 4, 3, 2]
    assert made.notes == [(Place("f.csv", 2), "the newest events are listed first; they are sent oldest first")]


def test_each_input_has_its_own_order() -> None:
    """Inputs are judged one by one: an input in a mixed order is sorted by day, without a note."""
    made = Recording()
    made.recorder.record([day(2, 3), day(3, 2)])
    made.recorder.record([day(4, 1), day(5, 2)])
    made.recorder.record([day(6, 2), day(7, 1), day(8, 3)])
    made.recorder.record([])
    assert made.journal.lines == [3, 2, 4, 5, 7, 6, 8]
    assert len(made.notes) == 1


def test_order_is_judged_by_account() -> None:
    """The same package number in two accounts is two packages, also where an account is named in two ways."""
    made = Recording()
    made.recorder.record([day(2, 2), day(3, 3, account="north")])
    made.recorder.record([day(4, 3), day(5, 2, account="mystore")])
    assert made.journal.lines == [2, 3, 5, 4]
