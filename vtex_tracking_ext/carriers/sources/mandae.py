"""Mandaê: the answer of its tracking service, version 3. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "trackingCode" in document and "events" in document


def split(document: Value) -> Iterator[Value]:
    """Yield the one package."""
    yield document


def read_parcel(value: Value) -> Parcel:
    """Return the package. Its ``partnerItemId`` names an item of the shop, not an order."""
    return Parcel(value.items("events"), tracking_code=value.required("trackingCode"))


def read_scan(value: Value) -> Scan:
    """Return an event."""
    return Scan(
        code=value.required("id"),
        time=iso_time(value, "timestamp" if value.has("timestamp") else "date"),
        description=value.text("description") or value.text("name"),
    )
