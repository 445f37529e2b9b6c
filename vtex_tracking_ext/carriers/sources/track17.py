"""17TRACK: the push of tracking updates, version 2. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.carriers.event import Status
from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.payload import Value
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Statuses of a package that goes back to the sender. None of its events is a delivery to the customer.
_RETURNS: Final = {"Exception_Returned": Status.RETURNED, "Exception_Returning": Status.RETURNING}

#: The code of an event between two milestones, which has neither a stage nor a sub-status.
_NO_STAGE: Final = "none"


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "event" in document and document.has("data", "number")


def split(document: Value) -> Iterator[Value]:
    """Return the one package."""
    return document.items("data")


def read_parcel(value: Value) -> Parcel:
    """Return a package. Its latest event is also among the events of the providers, which older pushes do not have."""
    number, info = value.required("number"), value.get("track_info")
    status = info.text("latest_status", "sub_status") or info.text("latest_status", "status")
    scans = [event for provider in info.items("tracking", "providers") for event in provider.items("events")]
    latest = info.get("latest_event")
    if isinstance(latest.content, dict):
        others = [scan for scan in scans if scan.content != latest.content]
        scans = [Value({"latest_status": status, **latest.content}, latest.place, latest.line), *others]
    return Parcel(
        scans,
        tracking_code=number,
        order_reference=value.text("tag"),
        not_delivered=_RETURNS.get(status),
        note="" if scans else f"{number}: no events; its status is {status or 'missing'}",
    )


def read_scan(value: Value) -> Scan:
    """Return an event."""
    return Scan(
        code=value.text("sub_status") or value.text("stage") or value.text("latest_status") or _NO_STAGE,
        time=iso_time(value, "time_utc" if value.has("time_utc") and not value.has("time_iso") else "time_iso"),
        description=value.text("description"),
        city=value.text("address", "city") or value.text("location"),
        state=value.text("address", "state"),
    )
