"""FAN Courier: the answer of its tracking report. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time, local_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    if "data" not in document:
        return False
    return document.has("data", "awbNumber") or ("status" in document and document.get("data").content == [])


def split(document: Value) -> Iterator[Value]:
    """Return the packages."""
    return document.items("data")


def read_parcel(value: Value) -> Parcel:
    """Return a package."""
    return Parcel(
        value.items("events"),
        tracking_code=value.required("awbNumber"),
        receiver=value.texts("confirmation", "name"),
    )


def read_scan(value: Value) -> Scan:
    """Return an event. Its date is in ISO 8601, or, as in the older service, such as ``17.09.2026 10:21``."""
    date = value.text("date")
    has_dots = date[2:3] == "."
    return Scan(
        code=value.required("id"),
        time=local_time(value.get("date"), date, "%d.%m.%Y %H:%M", "17.09.2026 10:21")
        if has_dots
        else iso_time(value, "date"),
        description=value.text("name"),
        city=value.text("location"),
    )
