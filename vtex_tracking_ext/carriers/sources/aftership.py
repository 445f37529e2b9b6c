"""AfterShip: the webhook of a tracking, or the tracking alone. Pure.

The code is the subtag, which is more exact than the tag, or the tag of a checkpoint without a subtag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.event import Status
from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value

#: Length of a date. AfterShip passes on a date without time of day if the carrier sends no more.
_DAY_LENGTH = 10


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    tracking = _tracking(document)
    return "checkpoints" in tracking and "tracking_number" in tracking


def split(document: Value) -> Iterator[Value]:
    """Yield the tracking."""
    yield _tracking(document)


def read_parcel(value: Value) -> Parcel:
    """Return a tracking; a shop can pass the number of the invoice and the account in custom fields."""
    return Parcel(
        value.items("checkpoints"),
        tracking_code=value.required("tracking_number"),
        invoice_number=value.text("custom_fields", "invoice_number"),
        order_reference=value.text("order_id") or value.text("order_number"),
        account=value.text("custom_fields", "vtex_account"),
        not_delivered=Status.RETURNED if value.flag("return_to_sender") else None,
        receiver=value.texts("signed_by"),
    )


def read_scan(value: Value) -> Scan:
    """Return a checkpoint."""
    return Scan(
        code=value.text("subtag") or value.required("tag"),
        time=iso_time(value, "checkpoint_time"),
        description=value.text("message"),
        city=value.text("city"),
        state=value.text("state"),
        has_time=len(value.text("checkpoint_time")) > _DAY_LENGTH,
    )


def _tracking(document: Value) -> Value:
    return document.get("msg") if "msg" in document else document
