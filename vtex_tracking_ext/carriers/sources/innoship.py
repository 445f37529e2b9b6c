"""Innoship: the histories of shipments. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "shipmentAwb" in document and "history" in document


def split(document: Value) -> Iterator[Value]:
    """Yield the one shipment."""
    yield document


def read_parcel(value: Value) -> Parcel:
    """Return the shipment. Its return, in ``ReturnAwbHistory``, is another package and is not read."""
    return Parcel(
        value.items("history"),
        tracking_code=value.required("shipmentAwb"),
        order_reference=value.text("externalOrderId"),
    )


def read_scan(value: Value) -> Scan:
    """Return an event. Its ``isFinalStatus`` is not used, because it is also true for returns and cancellations."""
    return Scan(
        code=value.required("clientStatusId"),
        time=iso_time(value, "eventDate"),
        description=value.text("clientStatusDescription"),
    )
