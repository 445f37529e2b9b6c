"""Reading packages from an order, and comparing them with an update."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from vtex_oms_client.models import Order

from vtex_tracking_ext import Package, PackageEvent, TrackingEvent, TrackingUpdate
from vtex_tracking_ext.call import order_lookup
from vtex_tracking_ext.call.order_lookup import (
    explain_not_found,
    invoice_numbers_of,
    max_matching,
    packages_of,
    was_applied,
)

COLLECTED = TrackingEvent("2015-06-23", "Coletado", "Rio de Janeiro", "RJ")
MOVING = TrackingEvent("2015-06-24", "A caminho")


def shown(event: TrackingEvent) -> PackageEvent:
    """Return an event as the order shows it."""
    return PackageEvent(str(event.date), event.description, event.city, event.state, f"{event.date}T00:00:00Z")


def package(*events: TrackingEvent, finished: bool = False, **changes: Any) -> Package:
    """Return a package with these events."""
    fields: dict[str, Any] = {
        "invoice_number": "1",
        "type": "Output",
        "tracking_number": "T",
        "tracking_url": None,
        "courier": None,
        "delivered_date": None,
        **changes,
    }
    return Package(finished=finished, events=tuple(map(shown, events)), **fields)


def update(*events: TrackingEvent, **delivery: Any) -> TrackingUpdate:
    """Return an update of the invoice 1."""
    return TrackingUpdate("o-01", "1", events, **delivery)


@pytest.mark.parametrize(
    ("sent", "packages", "expected"),
    [
        (update(COLLECTED), [package(COLLECTED, MOVING)], True),
        (update(COLLECTED, MOVING), [package(MOVING, COLLECTED)], True),
        (update(COLLECTED), [package(MOVING)], False),
        (update(COLLECTED), [], False),
        (update(COLLECTED), [package(COLLECTED, invoice_number="2")], False),
        (update(COLLECTED), [package(COLLECTED, type="Input")], False),
        (update(COLLECTED), [package(COLLECTED, type=None)], True),
        (update(COLLECTED, MOVING), [package(COLLECTED)], None),
        (update(COLLECTED, COLLECTED), [package(COLLECTED)], None),
        (update(COLLECTED, COLLECTED), [package(COLLECTED, COLLECTED)], True),
        (update(is_delivered=True), [package(finished=True)], True),
        (update(is_delivered=True), [package()], False),
        (update(COLLECTED, is_delivered=True), [package(COLLECTED)], None),
        (
            update(is_delivered=True, delivered_date="2022-10-01 21:15"),
            [package(finished=True, delivered_date="2022-10-01T21:15:00")],
            True,
        ),
        (
            update(is_delivered=True, delivered_date="2022-10-01"),
            [package(finished=True, delivered_date="2022-10-02")],
            False,
        ),
        (update(is_delivered=True, delivered_date="2022-10-01"), [package(finished=True)], True),
    ],
)
def test_was_applied_tells_all_nothing_or_a_part(sent: TrackingUpdate, packages: list[Package], expected: Any) -> None:
    """was_applied is True for a whole update, False for nothing, None for a part; equal events need a record each."""
    assert was_applied(sent, packages) is expected


def test_blanks_and_composed_accents_do_not_matter() -> None:
    """An order may show a text with other blanks, or with other accents, than it was sent with."""
    event = TrackingEvent("2015-06-23", "Em\u00a0 rota", "Sa\u0303o Paulo\u200b", "SP")
    order = [package(TrackingEvent("2015-06-23", " Em rota", "S\u00e3o\u200bPaulo", "SP\ufeff"))]
    assert was_applied(update(event), order) is True
    assert was_applied(update(evolve(event, description="Emrota")), order) is False


def test_either_date_of_a_recorded_event_may_match() -> None:
    """An event matches a record if either of its two dates is the event's day, because VTEX documents neither."""
    event = PackageEvent("2026-01-01", "Coletado", "Rio de Janeiro", "RJ", "2026-01-01T00:00", "2015-06-23T00:00")
    packages = [Package("1", "Output", None, None, None, finished=False, delivered_date=None, events=(event,))]
    assert was_applied(update(COLLECTED), packages) is True


def test_a_record_that_matches_two_events_is_paired_with_the_right_one() -> None:
    """Two events that differ only in their day are both found, in any order of events and records."""
    days = ("2015-06-23", "2015-06-22")
    sent = [TrackingEvent(day, "A caminho") for day in days]
    events = tuple(PackageEvent(day, "A caminho", "", "", day, "2015-06-23") for day in days)
    for recorded in (events, events[::-1]):
        packages = [Package("1", "Output", None, None, None, finished=False, delivered_date=None, events=recorded)]
        assert was_applied(update(*sent), packages) is True
        assert was_applied(update(*sent[::-1]), packages) is True
        assert was_applied(update(*sent, MOVING), packages) is None


def test_max_matching_pairs_as_many_events_as_possible() -> None:
    """The matching is maximal even over long chains, and equal events need one record each."""
    chain = [frozenset({number, number + 1}) for number in range(2000)]
    assert max_matching([*chain, frozenset({0})]) == 2001
    assert max_matching([*chain[::-1], frozenset({0}), frozenset({0})]) == 2001
    assert max_matching([frozenset({1})] * 3) == 1
    assert max_matching([frozenset(), frozenset({1, 2})]) == 1
    assert max_matching([]) == 0


def test_packages_of_reads_every_field() -> None:
    """An order is read field by field, with the newest event first as VTEX shows it."""
    order = {
        "orderId": "o-01",
        "packageAttachment": {
            "packages": [
                {
                    "invoiceNumber": "000030711",
                    "type": "Output",
                    "trackingNumber": "BR1",
                    "trackingUrl": "https://x.example",
                    "courier": "PAC",
                    "courierStatus": {
                        "status": "unknown",
                        "finished": True,
                        "deliveredDate": "2022-10-01",
                        "data": [
                            {
                                "lastChange": "2022-10-01T00:00:00",
                                "city": "Rio",
                                "state": "RJ",
                                "description": "Entregue",
                                "createDate": "2022-10-02T00:00:00",
                            },
                            {"createDate": "2022-09-30T00:00:00"},
                        ],
                    },
                },
                {"invoiceNumber": "2", "type": "Input", "courierStatus": None},
            ]
        },
    }
    assert packages_of(Order.from_dict(order)) == (
        Package(
            "000030711",
            "Output",
            "BR1",
            "https://x.example",
            "PAC",
            finished=True,
            delivered_date="2022-10-01",
            events=(
                PackageEvent("2022-10-01", "Entregue", "Rio", "RJ", "2022-10-01T00:00:00", "2022-10-02T00:00:00"),
                PackageEvent("2022-09-30", "", "", "", None, "2022-09-30T00:00:00"),
            ),
        ),
        Package("2", "Input", None, None, None, finished=False, delivered_date=None, events=()),
    )


@pytest.mark.parametrize("order", [{}, {"packageAttachment": None}, {"packageAttachment": {"packages": None}}])
def test_an_order_without_packages_has_no_packages(order: dict[str, Any]) -> None:
    """An order that was not invoiced yet has no packages."""
    assert packages_of(Order.from_dict(order)) == ()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda s: (
        st.lists(s, max_size=3)
        | st.dictionaries(
            st.sampled_from(["packageAttachment", "packages", "courierStatus", "data", "invoiceNumber", "finished"]), s
        )
    ),
)


@given(st.dictionaries(st.sampled_from(["packageAttachment", "orderId"]), _JSON))
def test_an_order_of_any_shape_is_read(order: dict[str, Any]) -> None:
    """An order with any JSON inside is read, and parts of an unexpected shape are left out."""
    for found in packages_of(Order.from_dict(order)):
        assert isinstance(found.finished, bool)


def test_comparing_many_events_takes_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each text is normalized once, not once for each pair of events."""
    looked_at: list[str] = []

    def note(text: str) -> str:
        looked_at.append(text)
        return text

    monkeypatch.setattr(order_lookup, "comparable", note)
    events = [TrackingEvent("2015-06-23", f"event {number}") for number in range(100)]
    assert was_applied(update(*events), [package(*reversed(events))])
    assert len(looked_at) <= 2 * 3 * len(events)


@pytest.mark.parametrize(
    ("sent", "numbers", "hint"),
    [
        ("30711", ["000030711"], "the order has invoice 000030711; did the file lose its zeros?"),
        ("30711", ["30712", "000030711", "00030711"], "the order has invoice 000030711; did the file lose its zeros?"),
        ("000030711", ["30711"], "the order has invoice 30711; did the file add zeros?"),
        ("30711", ["30712"], "the order has the invoice 30712."),
        ("30711", ["000030711-1", "30712"], "the order has the invoices 000030711-1 and 30712."),
        ("30711", list("abcdefg"), "the order has the invoices a, b, c, d, e and 2 more."),
        ("30711", ["\x1b[31m"], r"the order has the invoice \x1b[31m."),
        ("30711", [], "the order has no invoice yet."),
        ("30711", ["000030711", "30711"], ""),
    ],
)
def test_a_404_is_explained_by_the_invoices_of_the_order(sent: str, numbers: list[str], hint: str) -> None:
    """The reason says which invoice the order has instead; it stays as it is if the order has the invoice."""
    reason = "404 Not Found. Check the ids."
    expected = f"404 Not Found. Check the ids; {hint}" if hint else reason
    assert explain_not_found(reason, sent, numbers) == expected


def test_invoice_numbers_are_those_of_packages_to_the_shopper() -> None:
    """Each number counts once; returns and packages without a number are left out."""
    shown = [("2", "Output"), ("1", None), ("2", "Output"), ("3", "Input"), (None, "Output"), ("", "Output")]
    packages = [package(invoice_number=number, type=kind) for number, kind in shown]
    assert invoice_numbers_of(packages) == ("2", "1")
