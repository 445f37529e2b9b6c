"""Intelipost: the tracking webhook, one for each event of each volume. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "history" in document and "order_number" in document


def split(document: Value) -> Iterator[Value]:
    """Yield the webhook, which is about one volume."""
    yield document


def read_parcel(value: Value) -> Parcel:
    """Return a volume."""
    invoice = value.get("invoice")
    return Parcel(
        value.items("history"),
        tracking_code=value.text("tracking_code"),
        nfe_key=invoice.text("invoice_key"),
        series=invoice.text("invoice_series"),
        invoice_number=invoice.text("invoice_number"),
        order_reference=value.text("sales_order_number"),
        volume=value.text("volume_number"),
    )


def read_scan(value: Value) -> Scan:
    """Return an event. Its code is the state; the micro state and the carrier's own state are details of it."""
    message = value.text("provider_message")
    own_text = value.text("esprinter_message") or value.text("shipment_order_volume_state_localized")
    return Scan(
        value.required("shipment_order_volume_state"),
        iso_time(value, "event_date_iso"),
        description=message or own_text,
        delivered_description=own_text,
    )
