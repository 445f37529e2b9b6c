"""Tests of the packages that a page lists."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.entries import STATES, PackageKey, Selection
from vtex_tracking_ext.bulk.report import packages as module
from vtex_tracking_ext.bulk.report.filters import EVERYTHING, EntryFilter, latest_time
from vtex_tracking_ext.bulk.report.packages import MAX_EVENTS, UrgentPackages, read_packages

from support.entries import SETTLED, entry
from support.reported import FakeJournal

HOUR = dt.timedelta(hours=1)
URGENCY = {"unknown": 4, "refused": 3, "in_flight": 2, "pending": 1, "applied": 0, "withdrawn": 0}


def package(number: int, account: str = "mystore") -> PackageKey:
    """Return a package."""
    return PackageKey(account, f"o-{number}", "1")


def test_urgent_packages_come_first_then_the_latest() -> None:
    """Packages are in the order of their most urgent entries, and of the times of these."""
    urgent = UrgentPackages()
    urgent.add(entry(1, "applied", package=package(1)))
    urgent.add(entry(2, "applied", package=package(2), settled=SETTLED + HOUR))
    urgent.add(entry(3, "unknown", package=package(3)))
    urgent.add(entry(4, "refused", package=package(4), settled=SETTLED + HOUR))
    urgent.add(entry(5, "applied", package=package(3), settled=SETTLED + HOUR))
    urgent.add(entry(6, "pending", package=package(5)))
    urgent.add(entry(7, "withdrawn", package=package(6), settled=SETTLED + 2 * HOUR))
    assert [each.order_id for each in urgent.most_urgent()] == ["o-3", "o-4", "o-5", "o-6", "o-2", "o-1"]


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(STATES), st.integers(0, 5))))
def test_the_most_urgent_ones_of_many_packages_are_kept(found: list[tuple[int, str, int]]) -> None:
    """With entries of more packages than are kept, in any order, the kept ones are those with the highest ranks."""
    ranks: dict[str, tuple[int, dt.datetime, int]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_PACKAGES", 3)
        urgent = UrgentPackages()
        for id_, (number, state, hours) in enumerate(found):
            each = entry(id_, state, package=package(number), settled=SETTLED + hours * HOUR)  # type: ignore[arg-type]
            urgent.add(each)
            rank = URGENCY[state], latest_time(each), id_
            ranks[f"o-{number}"] = max(rank, ranks.get(f"o-{number}", rank))
        kept = [each.order_id for each in urgent.most_urgent()]
    assert kept == sorted(ranks, key=lambda order: ranks[order], reverse=True)[:3]


def test_a_package_has_its_events_and_what_matters_of_them() -> None:
    """Entries are listed latest first; the main one is the latest in the most urgent state."""
    entries = [
        entry(1, "applied", place=Place("/in/a.csv", 1)),
        entry(2, "refused", reason="404", settled=SETTLED + 24 * HOUR),
        entry(3, "refused", reason="409", place=Place("b.csv", 1)),
        entry(4, "pending", place=Place("b.csv", 2)),
    ]
    (found,) = read_packages(FakeJournal(entries), EVERYTHING, [entries[0].package])
    assert [each.id for each in found.entries] == [4, 3, 2, 1]
    assert found.states == {"refused": 2, "pending": 1, "applied": 1}
    assert [*found.states] == ["refused", "pending", "applied"]
    assert (found.main.id, found.reason, found.left_out) == (3, "409", 0)
    assert found.files == ["a.csv", "b.csv", "events.csv"]
    assert found.days == ["2026-11-24", "2026-11-23"]


def test_only_selected_entries_are_read() -> None:
    """A package whose entries are in other states meanwhile is left out."""
    journal = FakeJournal([entry(1, package=package(1)), entry(2, "refused", package=package(2))])
    found = read_packages(journal, EntryFilter(Selection(("refused",))), [package(1), package(2)])
    assert [each.key for each in found] == [package(2)]


def test_a_package_with_many_events_has_the_latest() -> None:
    """The latest events are kept; the main one is also known if it is an earlier one."""
    many = [entry(0, "unknown", reason="cut"), *(entry(number) for number in range(1, MAX_EVENTS + 5))]
    (found,) = read_packages(FakeJournal(many), EVERYTHING, [many[0].package])
    assert len(found.entries) == MAX_EVENTS
    assert found.entries[0].id == MAX_EVENTS + 4
    assert (found.left_out, found.reason, found.states["applied"]) == (5, "cut", MAX_EVENTS + 4)


@pytest.mark.parametrize(
    ("account", "order", "url"),
    [
        ("mystore", "1172452900788-01", "https://mystore.myvtex.com/admin/orders/1172452900788-01"),
        ("my-store2", 'a/../"b', "https://my-store2.myvtex.com/admin/orders/a%2F..%2F%22b"),
        ("mystore", "half \ud83d", "https://mystore.myvtex.com/admin/orders/half%20%3F"),
        ("mystore@127.0.0.1:8080", "1", ""),
        ("evil.example/", "1", ""),
        ("-", "1", ""),
    ],
)
def test_an_order_at_vtex_has_an_address_in_its_admin(account: str, order: str, url: str) -> None:
    """An account at another address than VTEX's, such as a sandbox's, has no orders there."""
    found = entry(1, package=PackageKey(account, order, "1"))
    (listed,) = read_packages(FakeJournal([found]), EVERYTHING, [found.package])
    assert listed.admin_url == url
