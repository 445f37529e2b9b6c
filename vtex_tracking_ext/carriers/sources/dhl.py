"""DHL: the answer of Shipment Tracking - Unified. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "shipments" in document


def split(document: Value) -> Iterator[Value]:
    """Return the shipments."""
    return document.items("shipments")


def read_parcel(value: Value) -> Parcel:
    """Return a shipment. Its status is the newest event, and the only one of a shipment without events."""
    details = value.get("details")
    signed = details.get("proofOfDelivery", "signed")
    references = (
        reference.text("number")
        for reference in details.items("references")
        if reference.text("type") == "customer-reference"
    )
    return Parcel(
        [*value.items("events")] or value.items("status"),
        tracking_code=value.required("id"),
        order_reference=next(references, ""),
        receiver=tuple(text for key in ("name", "givenName", "familyName") for text in signed.texts(key)),
    )


def read_scan(value: Value) -> Scan:
    """Return an event. Its place is one text that ends with the country, such as ``CURITIBA - BRAZIL``."""
    place = value.text("location", "address", "addressLocality")
    return Scan(
        code=value.required("statusCode"),
        time=iso_time(value, "timestamp"),
        description=value.text("description") or value.text("status"),
        city=place.rpartition(" - ")[0] or place,
        has_time="T" in value.text("timestamp"),
    )
