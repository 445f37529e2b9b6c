"""Sameday: the answer of GET /api/client/awb/AWB/status. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.carriers.event import Status
from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value

#: The statusId of a delivery.
_DELIVERED: Final = "9"


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "expeditionSummary" in document and "expeditionHistory" in document


def split(document: Value) -> Iterator[Value]:
    """Yield the shipment."""
    yield document


def read_parcel(value: Value) -> Parcel:
    """Return a shipment."""
    return Parcel(
        value.items("expeditionHistory"),
        tracking_code=value.required("expeditionSummary", "awbNumber"),
        volumes=len([*value.items("parcelsStatus")]) or None,
        not_delivered=_not_delivered(value),
    )


def read_scan(value: Value) -> Scan:
    """Return an event."""
    return Scan(
        code=value.required("statusId"),
        time=iso_time(value, "statusDate"),
        description=value.text("statusLabel") or value.text("status"),
        city=value.text("transitLocation"),
        state=value.text("county"),
    )


def _not_delivered(value: Value) -> Status | None:
    """Return the status of events whose code means a delivery; None if the summary and all volumes confirm it.

    Volumes may also have the status of the shipment, in case a merchant names another statusId for a delivery.
    """
    parcels = [*value.items("parcelsStatus")]
    done = {_DELIVERED, value.text("expeditionStatus", "statusId")}
    if any(parcel.flag("inReturn") for parcel in parcels):
        return Status.RETURNED
    if value.flag("expeditionSummary", "canceled"):
        return Status.CANCELLED
    if not all(parcel.text("statusId") in done for parcel in parcels):
        return Status.DELIVERED_IN_PART
    return None if value.flag("expeditionSummary", "delivered") else Status.UNKNOWN
