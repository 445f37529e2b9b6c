"""Tests of which entries a report contains."""

from __future__ import annotations

import datetime as dt

import pytest

from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.entries import PackageKey, Selection
from vtex_tracking_ext.bulk.report.filters import EVERYTHING, EntryFilter, file_name, find_orders, latest_time

from support.entries import ADDED, SETTLED, entry
from support.reported import FakeJournal

FIRST, SECOND, OTHER = PackageKey("mystore", "o-1", "1"), PackageKey("mystore", "o-1", "2"), PackageKey("b", "o-2", "1")
JOURNAL = FakeJournal(
    [
        entry(1, package=SECOND, place=Place("/srv/in/jadlog-1.csv", 2)),
        entry(2, "pending", package=FIRST, place=Place(r"C:\in\Jadlog-2.CSV", 3)),
        entry(3, package=OTHER, place=Place("a[1].csv", 4), settled=SETTLED + dt.timedelta(days=2)),
        entry(4, "refused", package=SECOND, place=Place("/srv/in/jadlog-1.csv", 5)),
    ]
)


def ids(chosen: EntryFilter) -> list[int]:
    """Return the ids of the selected entries."""
    return [each.id for each in chosen.entries(JOURNAL)]


def test_everything_is_selected_without_conditions() -> None:
    """A filter without conditions selects all entries, and says so."""
    assert ids(EVERYTHING) == [1, 2, 3, 4]
    assert EVERYTHING.is_everything
    assert not EntryFilter(Selection(account="b")).is_everything
    assert not EntryFilter(Selection(("refused",))).is_everything
    assert not EntryFilter(since=ADDED).is_everything


@pytest.mark.parametrize(
    ("orders", "selection", "expected"),
    [
        (("o-1",), Selection(), [1, 2, 4]),
        (("o-2", "o-1"), Selection(), [1, 2, 3, 4]),
        (("o-1",), Selection(("refused",)), [4]),
        (("o-1",), Selection(account="b"), []),
        (("none",), Selection(), []),
    ],
)
def test_entries_of_orders_are_in_the_order_of_their_arrival(
    orders: tuple[str, ...], selection: Selection, expected: list[int]
) -> None:
    """Entries of several packages are merged by their number; states and accounts are considered as well."""
    assert ids(EntryFilter(selection, orders)) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/srv/in/jadlog-1.csv", [1, 4]),
        ("jadlog-1.csv", [1, 4]),
        ("jadlog-*.csv", [1, 4]),
        ("/srv/*", [1, 4]),
        ("Jadlog-2.CSV", [2]),
        ("a[1].csv", [3]),
        ("JADLOG-1.csv", []),
    ],
)
def test_a_file_is_named_with_or_without_its_folder_or_by_a_pattern(source: str, expected: list[int]) -> None:
    """A name is compared as it is, and as a pattern, in both cases with its capitals."""
    assert ids(EntryFilter(sources=("other", source))) == expected


def test_entries_since_a_time_are_those_to_which_something_happened() -> None:
    """The latest of the times at which an entry was added, sent and settled counts."""
    assert ids(EntryFilter(since=SETTLED)) == [1, 3, 4]
    assert ids(EntryFilter(since=SETTLED + dt.timedelta(seconds=1))) == [3]
    assert latest_time(entry(1, "pending")) == ADDED
    assert latest_time(entry(1, "in_flight", begun=SETTLED)) == SETTLED


def test_orders_that_are_not_in_the_journal_have_no_packages() -> None:
    """Each order is looked up, and has its packages."""
    assert find_orders(JOURNAL, ("o-1", "none")) == {"o-1": [FIRST, SECOND], "none": []}


def test_the_name_of_a_file_has_no_folder() -> None:
    """Folders of both kinds of systems are left out."""
    assert [file_name(each) for each in ("a", "/b/a", r"C:\b\a", "/b/")] == ["a", "a", "a", ""]
