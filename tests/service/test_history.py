"""The history of packages: found by any identifier, with their events, and with the parked events that name them."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.journal.entries import PackageKey
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal
from vtex_tracking_ext.carriers import CarrierEvent, Status
from vtex_tracking_ext.orders import OrderPackage, OrderStore
from vtex_tracking_ext.orders.parked import park
from vtex_tracking_ext.service import history as module
from vtex_tracking_ext.service.history import History, history

from support.journaled import START, Clock, add, delivery, row, to_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vtex_tracking_ext.bulk.journal.interface import Journal

KEY = "35260112345678000195550010000307111000307110"
KNOWN = OrderPackage("v1-01", "000030711", KEY, tracking_number="00QB1234567BR")


@pytest.fixture(params=["sqlite", "postgres"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """Return an empty journal of each kind."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield stack.enter_context(SqliteJournal.open(tmp_path / "journal.db", Clock()))
        else:
            yield stack.enter_context(PostgresJournal.open(request.getfixturevalue("journal_url"), Clock()))


def park_event(journal: Journal, minute: int = 0, **values: Any) -> None:
    """Park an event."""
    time = dt.datetime(2026, 11, 20, 10, minute, tzinfo=dt.UTC)
    event = CarrierEvent("correios", "01", time, Status.IN_TRANSIT, **values)
    park(OrderStore(journal, "mystore"), [(event, "no order is known")], "p.json", START, dt.timedelta(days=1))


def found(journal: Journal, what: str) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Return the packages that an identifier means, and what it is of each."""
    packages = history(journal, what, START).packages
    return [(p.key.account, p.key.order_id, p.key.invoice_number, p.found_by) for p in packages]


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("v1-01", "order id"),
        (" v1-01 ", "order id"),
        ("000030711", "invoice number"),
        ("30711", "invoice number"),
        (KEY, "NF-e key"),
        (f"{KEY[:4]} {KEY[4:]}", "NF-e key"),
        ("qb 1234567br", "tracking number"),
    ],
)
def test_known_package_is_found_by_each_identifier(journal: Journal, what: str, kind: str) -> None:
    """A package of the index is found, with its events and what is known of it."""
    OrderStore(journal, "mystore").save([KNOWN])
    add(journal, row(1, "Postado", KNOWN.invoice_number, order_id=KNOWN.order_id), row(2, "Else", "9"))
    add(journal, delivery(3, "2026-11-20 10:00", invoice=KNOWN.invoice_number, order_id=KNOWN.order_id))
    (package,) = history(journal, what, START).packages
    assert kind in package.found_by
    assert package.known is not None
    assert package.known.package.nfe_key == KEY
    assert package.tracking_numbers == (KNOWN.tracking_number,)
    assert [entry.kind for entry in package.entries] == ["delivery", "event"]
    assert not package.has_more


def test_events_are_in_the_order_of_their_times(journal: Journal) -> None:
    """The latest event is first, even if an earlier one came in after it."""
    times = ("11:30:00", "09:15:00", "10:30:00")
    add(journal, delivery(1, "2026-10-02"), *(row(n, f"{time}", time=time) for n, time in enumerate(times, 2)))
    (package,) = history(journal, "o-01", START).packages
    assert [entry.time or entry.delivered_date for entry in package.entries] == [
        *("2026-10-02", "11:30:00", "10:30:00", "09:15:00")
    ]


def test_pushed_packages_are_found_without_their_orders(journal: Journal) -> None:
    """Packages that were pushed are found by order id and invoice number, in all accounts."""
    for account in ("mystore", "another"):
        add(journal, *(row(n, "Postado", invoice, account=account) for n, invoice in enumerate(("007", "7", "8"))))
    assert found(journal, "o-01") == [
        (account, "o-01", invoice, ("order id",)) for account in ("another", "mystore") for invoice in ("007", "7", "8")
    ]
    assert found(journal, "0007") == found(journal, "7")
    assert {each[:3] for each in found(journal, "7")} == {
        (account, "o-01", invoice) for account in ("another", "mystore") for invoice in ("007", "7")
    }
    assert found(journal, "o-02") == found(journal, "nothing") == []


def test_events_under_another_number_of_the_same_invoice_are_found(journal: Journal) -> None:
    """A tracking number finds the events of its package that were pushed without the leading zeros of the invoice."""
    OrderStore(journal, "mystore").save([KNOWN])
    add(journal, *(row(n, "Postado", number, order_id="v1-01") for n, number in enumerate(("30711", "30712"))))
    assert found(journal, "QB1234567BR") == [
        ("mystore", "v1-01", "000030711", ("tracking number",)),
        ("mystore", "v1-01", "30711", ("tracking number",)),
    ]


def test_package_with_several_parcels_is_found_once(journal: Journal) -> None:
    """A package is one, and has the tracking numbers of all of its parcels."""
    parcels = [OrderPackage("v1-01", "1", tracking_number=code) for code in ("QB1BR", "QB2BR")]
    OrderStore(journal, "mystore").save(parcels)
    OrderStore(journal, "another").save(
        [OrderPackage("v1-01", "2", tracking_number=code) for code in ("QB2BR", "QB3BR")]
    )
    for what in ("v1-01", "QB2BR"):
        numbers = {package.key: sorted(package.tracking_numbers) for package in history(journal, what, START).packages}
        assert numbers == {
            PackageKey("mystore", "v1-01", "1"): ["QB1BR", "QB2BR"],
            PackageKey("another", "v1-01", "2"): ["QB2BR", "QB3BR"],
        }
    (package,) = history(journal, "QB1BR", START).packages
    assert sorted(package.tracking_numbers) == ["QB1BR", "QB2BR"]


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"tracking_code": "QB1234567BR"}, "qb1234567br"),
        ({"tracking_code": "000QB1234567BR"}, "QB1234567BR"),
        ({"tracking_code": "A1"}, "a1"),
        ({"order_reference": "x%_!-01"}, "x%_!-01"),
        ({"nfe_key": KEY}, f"{KEY[:4]}.{KEY[4:]}"),
        ({"invoice_number": "30711", "issuer": "12345678000195"}, "000030711"),
        ({"tracking_code": "Ção-12345"}, "Ção-12345"),
    ],
)
def test_parked_events_are_found(journal: Journal, values: dict[str, Any], what: str) -> None:
    """A parked event is found by each identifier that it has, and not by a part of one."""
    park_event(journal, **values)
    park_event(journal, 1, tracking_code=f"9{what}9", order_reference="another")
    found = history(journal, what, START)
    assert [event.number for event in found.parked] == [1]
    assert (found.packages, found.left_out, found.has_more_parked) == ((), 0, False)


def test_parked_events_of_a_package_are_found(journal: Journal) -> None:
    """An order id finds the parked events with its tracking number, its NF-e key or itself, the latest first."""
    OrderStore(journal, "mystore").save([KNOWN])
    park_event(journal, tracking_code="QB1234567BR")
    park_event(journal, nfe_key=KEY)
    park_event(journal, order_reference="v1-01")
    park_event(journal, tracking_code="another")
    assert [event.number for event in history(journal, "v1-01", START).parked] == [3, 2, 1]


def test_numbers_are_limited(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a limit of packages, of a package's events, of which the latest are kept, and of parked events."""
    monkeypatch.setattr(module, "MAX_PACKAGES", 2)
    monkeypatch.setattr(module, "MAX_ENTRIES", 3)
    monkeypatch.setattr(module, "MAX_PARKED", 1)
    add(journal, *(row(n, f"event {n}", "1") for n in range(4)))
    add(journal, *(row(1, "Postado", f"{n}") for n in range(2, 6)))
    for minute in range(2):
        park_event(journal, minute, order_reference="o-01")
    shown = history(journal, "o-01", START)
    assert (len(shown.packages), shown.left_out) == (2, 3)
    assert (len(shown.parked), shown.has_more_parked) == (1, True)
    first = shown.packages[0]
    assert [entry.event and entry.event.description for entry in first.entries] == ["event 3", "event 2", "event 1"]
    assert first.has_more


@pytest.mark.parametrize("what", ["", "  ", "x" * 101])
def test_no_identifier_means_nothing(journal: Journal, what: str) -> None:
    """An empty or a very long text is not looked up."""
    shown = history(journal, what, START)
    assert (shown.packages, shown.parked) == ((), ())
    assert shown == History(shown.what, START)


@pytest.mark.parametrize("what", ["a\x00b", "\u202e", "%", "'", '"', "\\", "0", "{}", "half \ud83d"])
def test_any_text_can_be_looked_up(journal: Journal, what: str) -> None:
    """A text with characters that have a meaning elsewhere finds nothing."""
    add(journal, row(1, "Postado"))
    park_event(journal, tracking_code="QB1BR")
    shown = history(journal, what, START)
    assert (shown.packages, shown.parked) == ((), ())


def test_entries_have_their_answers(journal: Journal) -> None:
    """An entry has what VTEX answered."""
    add(journal, row(1, "Postado"))
    to_state(journal, 1, "refused", status_code=404, reason="not found")
    (entry,) = history(journal, "o-01", START).packages[0].entries
    assert (entry.state, entry.status_code, entry.reason, entry.attempts) == ("refused", 404, "not found", 1)
