"""Shippo: the webhook track_updated, or the answer of GET /tracks. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value

#: An order id of VTEX, such as 1172452900788-01 or v501245lspt-01, perhaps with the affiliate of a marketplace before.
_ORDER_ID: Final = re.compile(r"(?<![\w-])(?:[A-Za-z]{3}-)?(?:\d{10,}|v\d{4,}[a-z]{4})-\d{2}(?![\w-])")


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    track = _track(document)
    return "tracking_number" in track and ("tracking_history" in track or "tracking_status" in track)


def split(document: Value) -> Iterator[Value]:
    """Yield the track."""
    yield _track(document)


def read_parcel(value: Value) -> Parcel:
    """Return a track. Its status is the last event of the history, and the only one of a track without history.

    The metadata is free text, so an order id in it counts only if the text contains no other.
    """
    found = set(_ORDER_ID.findall(value.text("metadata")))
    return Parcel(
        [*value.items("tracking_history"), *value.items("tracking_status")],
        tracking_code=value.required("tracking_number"),
        order_reference=found.pop() if len(found) == 1 else "",
    )


def read_scan(value: Value) -> Scan:
    """Return an event."""
    return Scan(
        code=value.required("status"),
        time=iso_time(value, "status_date"),
        description=value.text("status_details") or value.text("substatus", "text"),
        city=value.text("location", "city"),
        state=value.text("location", "state"),
    )


def _track(document: Value) -> Value:
    return document.get("data") if "data" in document else document
