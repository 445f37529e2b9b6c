"""The sandbox's feed, with the limits that VTEX documents."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.sandbox import Oms, OmsError
from vtex_tracking_ext.sandbox.bodies import BadBody, check_commit, check_feed_configuration

#: Seconds of the shortest retention.
FOUR_DAYS = 345_600


class Clock:
    """Time that passes when it is told to."""

    now = 1_000_000.0

    def __call__(self) -> float:
        """Return the current time."""
        return self.now


def configuration(*statuses: str, timeout: int = 60, retention: int = FOUR_DAYS) -> dict[str, Any]:
    """Return the body that configures a feed."""
    return {
        "filter": {"type": "FromWorkflow", "status": list(statuses)},
        "queue": {"visibilityTimeoutInSeconds": timeout, "MessageRetentionPeriodInSeconds": retention},
    }


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the order system."""
    return Clock()


@pytest.fixture
def oms(clock: Clock) -> Oms:
    """Return an order system in which the key "k" has a feed."""
    oms = Oms(clock=clock)
    oms.configure_feed("k", configuration("invoiced", "canceled"))
    return oms


def read(oms: Oms, count: int = 10, key: str = "k") -> list[str]:
    """Read items, and return their orders and states."""
    return [f"{item['orderId']} {item['state']}" for item in oms.read_feed(key, count)]


def test_changes_of_listed_statuses_are_items(oms: Oms) -> None:
    """New orders, status changes and further invoices are; an order in another status and a tracking update are not."""
    oms.add_order("o-01", ["1"])
    oms.add_order("o-02", status="handling")
    oms.change_status("o-02", "invoiced")
    oms.add_invoice("o-01", "2", invoice_key="4" * 44)
    oms.change_status("o-02", "canceled")
    oms.update_tracking_status("o-01", "2", {"isDelivered": True, "deliveredDate": None, "events": []})
    assert read(oms) == ["o-01 invoiced", "o-02 invoiced", "o-01 invoiced", "o-02 canceled"]
    package = oms.get_order("o-01")["packageAttachment"]["packages"][1]
    assert (package["invoiceKey"], package["issuanceDate"]) == ("4" * 44, "1970-01-12T13:46:40.0000000+00:00")


def test_an_item_has_the_fields_of_vtex(oms: Oms, clock: Clock) -> None:
    """With the state before, and times in UTC."""
    oms.add_order("o-01", status="handling")
    clock.now += 60
    oms.change_status("o-01", "invoiced")
    (item,) = oms.read_feed("k", 10)
    assert item.pop("eventId") in item.pop("handle")
    assert item == {
        "domain": "Fulfillment",
        "state": "invoiced",
        "lastState": "handling",
        "orderId": "o-01",
        "lastChange": "1970-01-12T13:46:40.0000000Z",
        "currentChange": "1970-01-12T13:47:40.0000000Z",
    }


def test_items_are_hidden_until_the_visibility_timeout(oms: Oms, clock: Clock) -> None:
    """Then those that were not committed come again, with another handle."""
    for number in range(3):
        oms.add_order(f"o-0{number}")
    first = oms.read_feed("k", 2)
    assert read(oms) == ["o-02 invoiced"]
    assert read(oms) == []
    oms.commit_feed("k", [first[0]["handle"]])
    clock.now += 60
    again = oms.read_feed("k", 10)
    assert [item["orderId"] for item in again] == ["o-01", "o-02"]
    assert again[0]["eventId"] == first[1]["eventId"]
    assert again[0]["handle"] != first[1]["handle"]


def test_late_and_repeated_commits_remove_nothing_else(oms: Oms, clock: Clock) -> None:
    """A handle works until the visibility timeout; unknown handles are ignored."""
    oms.add_order("o-01")
    (late,) = oms.read_feed("k", 10)
    clock.now += 60
    oms.commit_feed("k", [late["handle"], "unknown"])
    (item,) = oms.read_feed("k", 10)
    oms.commit_feed("k", [late["handle"]])
    assert oms.get_feed_configuration("k")["quantity"] == 1
    for _ in range(2):
        oms.commit_feed("k", [item["handle"]])
    assert oms.get_feed_configuration("k")["quantity"] == 0


def test_each_key_has_a_feed_of_its_own(oms: Oms) -> None:
    """A commit by one key leaves the other's item; a key without a feed is answered 404 everywhere."""
    oms.configure_feed("other", configuration("invoiced"))
    oms.add_order("o-01")
    oms.commit_feed("k", [item["handle"] for item in oms.read_feed("k", 10)])
    assert read(oms, key="other") == ["o-01 invoiced"]
    for call in (oms.get_feed_configuration, lambda key: oms.read_feed(key, 1), lambda key: oms.commit_feed(key, [])):
        with pytest.raises(OmsError) as caught:
            call("third")
        assert caught.value.status == 404


def test_a_second_configuration_replaces_the_first(oms: Oms, clock: Clock) -> None:
    """The items of the former one stay (VTEX's guide on Feed v3)."""
    oms.add_order("o-01")
    clock.now += 5
    oms.configure_feed("k", configuration("handling", timeout=1, retention=FOUR_DAYS + 1))
    assert oms.get_feed_configuration("k") == {
        "filter": {"type": "FromWorkflow", "status": ["handling"]},
        "queue": {"visibilityTimeoutInSeconds": 1, "messageRetentionPeriodInSeconds": FOUR_DAYS + 1},
        "quantity": 1,
        "approximateAgeOfOldestMessageInSeconds": 5.0,
    }
    oms.change_status("o-01", "invoiced")
    oms.change_status("o-01", "handling")
    assert read(oms) == ["o-01 invoiced", "o-01 handling"]


def test_a_feed_of_another_type_gets_every_change(oms: Oms) -> None:
    """A condition in JSONata is stored, and not evaluated."""
    other = {**configuration(), "filter": {"type": "FromOrders", "expression": "x", "disableSingleFire": False}}
    oms.configure_feed("k", other)
    oms.add_order("o-01", status="handling")
    assert read(oms) == ["o-01 handling"]


def test_items_and_idle_feeds_end_with_the_retention(oms: Oms, clock: Clock) -> None:
    """An item leaves uncommitted; a feed without a new item for so long is removed, and can be configured anew."""
    oms.add_order("o-01")
    clock.now += FOUR_DAYS - 1
    oms.add_order("o-02")
    clock.now += 1
    assert read(oms) == ["o-02 invoiced"]
    clock.now += FOUR_DAYS
    with pytest.raises(OmsError, match="Value not found"):
        read(oms)
    oms.configure_feed("k", configuration("invoiced"))
    assert read(oms) == []


@pytest.mark.parametrize(
    "change",
    [
        {"filter": {"type": "FromOrders", "status": ["invoiced"]}},
        {"filter": {"type": "FromWorkflow", "status": []}},
        {"filter": {"type": "FromWorkflow", "status": [7]}},
        {"filter": {"type": "FromWorkflow", "status": ["invoiced"], "expression": "x"}},
        {"queue": {"visibilityTimeoutInSeconds": 0, "MessageRetentionPeriodInSeconds": FOUR_DAYS}},
        {"queue": {"visibilityTimeoutInSeconds": True, "MessageRetentionPeriodInSeconds": FOUR_DAYS}},
        {"queue": {"visibilityTimeoutInSeconds": 60, "MessageRetentionPeriodInSeconds": FOUR_DAYS - 1}},
        {"queue": {"visibilityTimeoutInSeconds": 60, "MessageRetentionPeriodInSeconds": 1_209_601}},
    ],
)
def test_a_configuration_beyond_the_limits_is_refused(change: dict[str, Any]) -> None:
    """As strictly as openapi.yaml describes it."""
    check_feed_configuration(configuration("invoiced"))
    with pytest.raises(BadBody):
        check_feed_configuration({**configuration("invoiced"), **change})


@pytest.mark.parametrize("body", [{}, {"handles": []}, {"handles": [""]}, {"handles": [7]}, {"handles": "x"}])
def test_a_commit_without_handles_is_refused(body: dict[str, Any]) -> None:
    """As strictly as openapi.yaml describes it."""
    with pytest.raises(BadBody):
        check_commit(body)
