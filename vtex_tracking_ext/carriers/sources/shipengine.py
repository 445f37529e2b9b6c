"""ShipEngine and ShipStation: the webhook API_TRACK, or the answer of GET /v1/tracking. Pure.

The code is the status detail code, which is more exact than the status code, or else the status code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    tracking = _tracking(document)
    return "events" in tracking and "status_code" in tracking and "tracking_number" in tracking


def split(document: Value) -> Iterator[Value]:
    """Yield the tracking information."""
    yield _tracking(document)


def read_parcel(value: Value) -> Parcel:
    """Return the package."""
    return Parcel(value.items("events"), tracking_code=value.required("tracking_number"))


def read_scan(value: Value) -> Scan:
    """Return an event."""
    return Scan(
        code=value.text("status_detail_code") or value.required("status_code"),
        time=_time(value),
        description=value.text("description") or value.text("status_description"),
        city=value.text("city_locality"),
        state=value.text("state_province"),
        receiver=value.texts("signer"),
    )


def _time(value: Value) -> dt.datetime:
    """Return the carrier's local time, without the offset that may be written after it, or else the time in UTC."""
    if value.has("carrier_occurred_at"):
        return iso_time(value, "carrier_occurred_at").replace(tzinfo=None)
    return iso_time(value, "occurred_at")


def _tracking(document: Value) -> Value:
    return document.get("data") if "data" in document else document
