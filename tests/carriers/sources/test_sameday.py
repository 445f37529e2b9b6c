"""Sameday: the status of an AWB."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.carriers import PayloadError, read

from support.carrier_rules import check_rules
from support.carriers import lines, sample, statuses

TIME = "2026-09-17T10:21:37+0300"


def shipment(*scans: tuple[int | str, str], parcels: tuple[dict[str, Any], ...] = (), **summary: Any) -> dict[str, Any]:
    """Return a shipment: statusId and time of each event, oldest first; its parcels; and fields of its summary."""
    history = [{"statusId": code, "statusLabel": f"{code}", "statusDate": time} for code, time in scans]
    return {
        "expeditionSummary": {"awbNumber": "1SDY1", "delivered": True, "canceled": False, **summary},
        "expeditionStatus": history[-1] if history else None,
        "parcelsStatus": [*parcels],
        "expeditionHistory": history,
    }


def test_sample() -> None:
    """The oldest event is first; each event has the number of volumes."""
    reading = read("sameday", sample("sameday.json"))
    assert lines(reading) == [
        "2026-09-15 17:05:48+03:00 1 info_received | Bucuresti | Document de transport emis",
        "2026-09-16 22:40:00+03:00 56 in_transit | Stefanestii de Jos, Ilfov | In tranzit spre depozit",
        "2026-09-17 08:02:00+03:00 33 out_for_delivery | Cluj | In livrare la curier",
        "2026-09-17 10:21:37+03:00 9 delivered! | Cluj | Colet livrat",
    ]
    assert {(event.tracking_code, event.volumes) for event in reading.events} == {("1SDY000000071", 2)}
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())


@pytest.mark.parametrize(
    ("parcels", "summary", "expected"),
    [
        ((), {}, "delivered!"),
        (({"statusId": 9, "inReturn": False}, {"statusId": 9, "inReturn": None}), {}, "delivered!"),
        (({"statusId": 9, "inReturn": False}, {"statusId": 33, "inReturn": False}), {}, "delivered_in_part"),
        (({"statusId": 33},), {}, "delivered_in_part"),
        (({"statusId": 9, "inReturn": True},), {}, "returned"),
        ((), {"delivered": False}, "unknown"),
        ((), {"canceled": True}, "cancelled"),
    ],
)
def test_delivered(parcels: tuple[dict[str, Any], ...], summary: dict[str, Any], expected: str) -> None:
    """Code 9 is a delivery only if the summary and every volume confirm it, and no volume goes back."""
    assert statuses(read("sameday", shipment((9, TIME), parcels=parcels, **summary))) == [expected]


def test_a_merchant_may_name_the_deliveries() -> None:
    """A code that Sameday does not publish, such as that of an easybox, counts for a merchant who names it."""
    payload = shipment((78, TIME), parcels=({"statusId": 78},))
    reading = read("sameday", payload)
    assert (statuses(reading), reading.unknown_codes) == (["unknown"], ("78",))
    assert statuses(read("sameday", payload, options={"delivered": ["9", "78"]})) == ["delivered!"]


def test_bad_input() -> None:
    """A problem has its place; neither a bad event nor a shipment without AWB stops the others."""
    answer = sample("sameday.json")
    answer["expeditionHistory"][1]["statusId"] = ""
    reading = read("sameday", [answer, {**answer, "expeditionSummary": {}}])
    assert [event.code for event in reading.events] == ["1", "56", "9"]
    assert [str(problem) for problem in reading.problems] == [
        "sameday: [0].expeditionHistory[1].statusId: missing",
        "sameday: [1].expeditionSummary.awbNumber: missing",
    ]
    with pytest.raises(PayloadError, match="sameday: another shape; expected: the answer of GET /api/client/awb/AWB"):
        read("sameday", {"currentPage": 1, "perPage": 500, "data": []})


def test_rules() -> None:
    """The rules of every source hold."""
    check_rules("sameday", lambda scans: shipment(*scans), tracking_code="1SDY1")
