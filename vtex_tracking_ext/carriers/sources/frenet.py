"""Frenet: the tracking webhook, and the answer of its tracking service, which has the same shape. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.places import city_and_state
from vtex_tracking_ext.carriers.times import slashed_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "TrackingEvents" in document


def split(document: Value) -> Iterator[Value]:
    """Yield the webhook, which is about one package."""
    yield document


def read_parcel(value: Value) -> Parcel:
    """Return a package."""
    return Parcel(
        value.items("TrackingEvents"),
        tracking_code=value.text("TrackingNumber"),
        order_reference=value.text("OrderId"),
    )


def read_scan(value: Value) -> Scan:
    """Return an event."""
    city, state = city_and_state(value.text("EventLocation"), "-")
    return Scan(
        code=value.required("EventType"),
        time=slashed_time(value, "EventDateTime"),
        description=value.text("EventDescription"),
        city=city,
        state=state,
    )
