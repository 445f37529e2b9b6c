"""The sandbox's order list."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.sandbox import Oms, OmsSettings
from vtex_tracking_ext.sandbox.bodies import BadBody, check_feed_query, check_list_query

#: The minute in which the clock of the tests begins.
PERIOD = "invoicedDate:[1970-01-12T13:46:40.000Z TO 1970-01-12T13:46:41.000Z]"


class Clock:
    """Time that passes when it is told to."""

    now = 1_000_000.0

    def __call__(self) -> float:
        """Return the current time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the order system."""
    return Clock()


@pytest.fixture
def oms(clock: Clock) -> Oms:
    """Return an order system with five orders, a second apart; the third is not invoiced."""
    oms = Oms(clock=clock)
    for number, status in enumerate(["invoiced", "invoiced", "handling", "invoiced", "invoiced"], 1):
        oms.add_order(f"o-0{number}", status=status)
        clock.now += 1
    return oms


def ids(answer: dict[str, Any]) -> list[str]:
    """Return the last digits of the ids of a page."""
    return [order["orderId"][-1] for order in answer["list"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "54321"),
        ({"orderBy": "creationDate,asc"}, "12345"),
        ({"orderBy": "orderId,desc"}, "54321"),
        ({"orderBy": "totalValue,asc"}, "12345"),
        ({"f_status": "handling"}, "3"),
        ({"f_invoicedDate": PERIOD}, "21"),
        ({"f_invoicedDate": PERIOD, "f_status": "handling"}, ""),
        ({"per_page": "2", "page": "2"}, "32"),
        ({"per_page": "2", "page": "4"}, ""),
    ],
)
def test_orders_are_filtered_sorted_and_cut_into_pages(oms: Oms, query: dict[str, str], expected: str) -> None:
    """Both ends of a period are included; past the last page there are no orders."""
    check_list_query(query)
    assert ids(oms.list_orders(query)) == list(expected)


def test_a_page_says_how_many_there_are(oms: Oms) -> None:
    """All pages count, also those that cannot be read."""
    assert oms.list_orders({"per_page": "2"})["paging"] == {"total": 5, "pages": 3, "currentPage": 1, "perPage": 2}


def test_the_list_shows_changes_later(oms: Oms, clock: Clock) -> None:
    """As VTEX's index does."""
    oms.settings = OmsSettings(list_after=240)
    clock.now += 237
    assert ids(oms.list_orders({})) == ["3", "2", "1"]
    oms.change_status("o-01", "canceled")
    assert ids(oms.list_orders({})) == ["3", "2"]


@pytest.mark.parametrize(
    "query",
    [
        {"page": "31", "per_page": "100"},
        {"page": "0"},
        {"page": "x"},
        {"page": "-1"},
        {"page": "1" * 10},
        {"per_page": "101"},
        {"per_page": ""},
        {"orderBy": "creationDate"},
        {"f_status": "a b"},
        {"f_invoicedDate": "[2022-01-01 TO 2022-01-02]"},
    ],
)
def test_a_query_beyond_the_limits_is_refused(query: dict[str, str]) -> None:
    """30 pages of 100 orders are the most; the text is the one that integrations saw."""
    with pytest.raises(BadBody) as caught:
        check_list_query(query)
    assert ("Max page exceed" in str(caught.value)) == (query.get("page") == "31")


def test_ten_items_are_the_most_of_a_feed() -> None:
    """A number is required."""
    assert check_feed_query({"maxlot": "10"}) == 10
    for query in ({}, {"maxlot": "11"}, {"maxlot": "0"}):
        with pytest.raises(BadBody):
            check_feed_query(query)
