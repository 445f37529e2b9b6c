"""EasyPost: the webhook event of a tracker, or the tracker alone. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.carriers.event import Status
from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value

#: Values of status_detail with which the status delivered does not mean that the receiver has the package.
_NOT_DELIVERED: Final = {"arrived_at_pickup_location": Status.AVAILABLE_FOR_PICKUP, "return": Status.RETURNED}


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    tracker = _tracker(document)
    return "tracking_details" in tracker and "tracking_code" in tracker


def split(document: Value) -> Iterator[Value]:
    """Yield the tracker."""
    yield _tracker(document)


def read_parcel(value: Value) -> Parcel:
    """Return a tracker. The tracker of a return label is about a package that goes back to the shop."""
    return Parcel(
        value.items("tracking_details"),
        tracking_code=value.required("tracking_code"),
        not_delivered=Status.RETURNED if value.flag("is_return") else None,
        receiver=value.texts("signed_by"),
    )


def read_scan(value: Value) -> Scan:
    """Return a detail of the history."""
    return Scan(
        code=value.required("status"),
        time=iso_time(value, "datetime"),
        description=value.text("message") or value.text("description"),
        city=value.text("tracking_location", "city"),
        state=value.text("tracking_location", "state"),
        not_delivered=_NOT_DELIVERED.get(value.text("status_detail")),
    )


def _tracker(document: Value) -> Value:
    return document.get("result") if "result" in document else document
