"""The sandbox's rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from vtex_oms_client.constants import EVENT_DESCRIPTION_MAX_LENGTH as LONGEST

from vtex_tracking_ext.sandbox import EXAMPLE_FILE, Oms, OmsError, OmsSettings, with_examples
from vtex_tracking_ext.sandbox.bodies import BadBody, check_tracking, check_tracking_number, read_object
from vtex_tracking_ext.sandbox.orders import timestamp

EVENT = {"city": "Rio de Janeiro", "state": "RJ", "description": "Coletado", "date": "2015-06-23"}


class Clock:
    """Time that passes when it is told to."""

    now = 1_000_000.0

    def __call__(self) -> float:
        """Return the current time."""
        return self.now


def body(*events: dict[str, str], delivered: bool = False, date: str | None = None) -> dict[str, Any]:
    """Return the body of an update."""
    return {"isDelivered": delivered, "deliveredDate": date, "events": list(events)}


def package(oms: Oms, invoice: str = "1") -> dict[str, Any]:
    """Return a package of the order o-01 as GET shows it."""
    packages = oms.get_order("o-01")["packageAttachment"]["packages"]
    found: dict[str, Any] = next(p for p in packages if p["invoiceNumber"] == invoice)
    return found


@pytest.fixture
def oms() -> Oms:
    """Return an OMS with one order of one package."""
    oms = Oms(clock=Clock())
    oms.add_order("o-01", ["1"])
    return oms


def test_repeated_calls_append_again(oms: Oms) -> None:
    """No documentation says that VTEX drops duplicates."""
    for _ in range(2):
        oms.update_tracking_status("o-01", "1", body(EVENT))
    assert oms.applied("o-01", "1") == [EVENT, EVENT]
    assert len(package(oms)["courierStatus"]["data"]) == 2


def test_a_package_shows_its_newest_event_first(oms: Oms) -> None:
    """Within a call, the last event comes first."""
    oms.update_tracking_status("o-01", "1", body(EVENT, {**EVENT, "description": "b"}))
    oms.update_tracking_status("o-01", "1", body({**EVENT, "description": "c"}))
    data = package(oms)["courierStatus"]["data"]
    assert [event["description"] for event in data] == ["c", "b", "Coletado"]
    assert data[0]["lastChange"] == "2015-06-23T00:00:00.0000000+00:00"
    assert data[0]["createDate"] == "1970-01-12T13:46:40.0000000+00:00"


def test_a_delivery_is_permanent_and_changes_no_status(oms: Oms) -> None:
    """``status`` stays unknown, the order stays invoiced, and later updates do not undo the delivery."""
    assert package(oms)["courierStatus"] is None
    oms.update_tracking_status("o-01", "1", body(delivered=True, date="2022-10-01 21:15"))
    oms.update_tracking_status("o-01", "1", body(EVENT))
    status = package(oms)["courierStatus"]
    assert (status["finished"], status["status"]) == (True, "unknown")
    assert status["deliveredDate"] == "2022-10-01T21:15:00.0000000+00:00"
    assert oms.get_order("o-01")["status"] == "invoiced"
    oms.update_tracking_status("o-01", "1", body(delivered=True, date="2022-10-02"))
    assert package(oms)["courierStatus"]["deliveredDate"] == "2022-10-02T00:00:00.0000000+00:00"


def test_a_receipt_looks_like_vtexs(oms: Oms) -> None:
    """The date has seven fraction digits and an offset, the receipt 32 hex digits."""
    receipt = oms.update_tracking_status("o-01", "1", body(EVENT))
    assert receipt["date"] == timestamp(1_000_000.0) == "1970-01-12T13:46:40.0000000+00:00"
    assert receipt["orderId"] == "o-01"
    assert len(receipt["receipt"]) == 32
    assert int(receipt["receipt"], 16)


def test_a_change_is_shown_after_the_delay(oms: Oms) -> None:
    """An accepted change is not shown before."""
    oms.settings = OmsSettings(show_after=6)
    oms.update_tracking_status("o-01", "1", body(EVENT))
    assert package(oms)["courierStatus"] is None
    assert oms.applied("o-01", "1") == [EVENT]
    oms.clock.now += 6  # type: ignore[attr-defined]
    assert len(package(oms)["courierStatus"]["data"]) == 1


def test_a_tracking_number_replaces_all_values(oms: Oms) -> None:
    """A null deletes a value."""
    oms.send_tracking_number(
        "o-01", "1", {"trackingNumber": "T2", "trackingUrl": None, "courier": None, "dispatchedDate": None}
    )
    found = package(oms)
    assert (found["trackingNumber"], found["courier"]) == ("T2", None)


def test_an_invoice_without_a_tracking_number_takes_no_events() -> None:
    """The update is refused with 409 until the number is registered."""
    oms = Oms()
    oms.add_order("o-01", ["1"], tracking_number=None)
    with pytest.raises(OmsError, match="no tracking number") as caught:
        oms.update_tracking_status("o-01", "1", body(EVENT))
    assert (caught.value.status, caught.value.code) == (409, "OMS003")
    oms.send_tracking_number("o-01", "1", {"trackingNumber": "T"})
    oms.update_tracking_status("o-01", "1", body(EVENT))


@pytest.mark.parametrize(
    ("order", "invoice", "status"), [("x-01", "1", 404), ("o-01", "2", 404), ("o-02", "1", 409), ("o-02", "9", 404)]
)
def test_unknown_and_closed_orders_are_refused(oms: Oms, order: str, invoice: str, status: int) -> None:
    """An unknown order or invoice, a canceled order and a return are refused."""
    oms.add_order("o-02", ["1"], status="canceled", returns=["9"])
    for call in (oms.update_tracking_status, oms.send_tracking_number):
        with pytest.raises(OmsError) as caught:
            call(order, invoice, body(EVENT))
        assert caught.value.status == status


def test_an_order_is_found_by_its_sequence(oms: Oms) -> None:
    """The id may be ``seq`` and the sequence, as VTEX documents."""
    assert oms.get_order("seq500000")["orderId"] == "o-01"
    for unknown in ("seq1", "500000", "o-03"):
        with pytest.raises(OmsError) as caught:
            oms.get_order(unknown)
        assert caught.value.status == 404


def test_the_rate_limit_counts_over_a_sliding_window(oms: Oms) -> None:
    """A refused call does not count."""
    oms.settings = OmsSettings(rate_limit=2, rate_window=60)
    oms.count_call()
    oms.clock.now += 30  # type: ignore[attr-defined]
    oms.count_call()
    for _ in range(3):
        with pytest.raises(OmsError) as caught:
            oms.count_call()
        assert (caught.value.status, caught.value.headers) == (429, {})
    oms.clock.now += 30  # type: ignore[attr-defined]
    oms.count_call()
    oms.settings = OmsSettings(rate_limit=1, retry_after=7)
    with pytest.raises(OmsError) as caught:
        oms.count_call()
    assert caught.value.headers == {"Retry-After": "7"}


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"5", b"\xff", b'{"a": NaN}', b'{"a": "\\ud800"}', b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(raw: bytes) -> None:
    """Invalid JSON and other JSON values raise BadBody."""
    with pytest.raises(BadBody):
        read_object(raw)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"isDelivered": 0}, "isDelivered has the wrong type"),
        ({"isDelivered": "true"}, "isDelivered has the wrong type"),
        ({"deliveredDate": "soon"}, "deliveredDate is not a date"),
        ({"deliveredDate": "2026-02-30 10:00"}, "deliveredDate is not a date"),
        ({"events": {}}, "events has the wrong type"),
        ({"events": [5]}, "events[0] is not an object"),
        ({"events": [{**EVENT, "date": "2026-02-30"}]}, "events[0].date is not a date"),
        ({"events": [{**EVENT, "date": True}]}, "events[0].date has the wrong type"),
        ({"events": [{**EVENT, "description": "x" * (LONGEST + 1)}]}, f"{LONGEST + 1} characters"),
        ({"events": [{**EVENT, "description": ""}]}, "0 characters"),
        ({"events": [{"city": "x"}]}, "events[0].state is missing"),
        ({"event": []}, "event is unknown"),
    ],
)
def test_a_tracking_body_beyond_the_contract_is_refused(change: dict[str, Any], said: str) -> None:
    """Missing, unknown and wrong fields are refused as openapi.yaml describes them."""
    check_tracking(body(EVENT, date="2022-10-01 21:15"))
    with pytest.raises(BadBody) as caught:
        check_tracking({**body(EVENT), **change})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"trackingNumber": ""}, "empty"), ({"trackingNumber": None}, "wrong type"), ({"x": 1}, "is unknown")],
)
def test_a_tracking_number_body_beyond_the_contract_is_refused(change: dict[str, Any], said: str) -> None:
    """The tracking number is required; the other fields may be null."""
    good = {"trackingNumber": "T", "trackingUrl": None, "courier": None, "dispatchedDate": None}
    check_tracking_number(good)
    with pytest.raises(BadBody, match=said):
        check_tracking_number({**good, **change})


def test_the_examples_fit_each_other() -> None:
    """The orders and invoices of the example file exist, and it has events of every kind."""
    oms = with_examples()
    lines = EXAMPLE_FILE.read_text(encoding="utf-8").splitlines()
    packages = {tuple(line.split(",")[:2]) for line in lines[1:]}
    assert len(packages) == 6
    for order, invoice in packages:
        assert oms.orders[order].packages[invoice].shown(0)["trackingNumber"]
    assert json.dumps(oms.get_order("v501417lspt-01"))
    assert any(len(line) > 1400 for line in lines)
    assert sum(",true," in line for line in lines) == 2
