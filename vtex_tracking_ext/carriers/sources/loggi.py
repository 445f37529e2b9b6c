"""Loggi: the packages of its webhook and of its tracking service. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    if "packages" not in document:
        return False
    return document.get("packages").content == [] or document.has("packages", "loggiKey")


def split(document: Value) -> Iterator[Value]:
    """Return the packages."""
    return document.items("packages")


def read_parcel(value: Value) -> Parcel:
    """Return a package; one without a history has its status alone, in the same shape as an event."""
    return Parcel(
        [*value.items("trackingHistory")] or ([value] if value.has("status") else ()),
        tracking_code=value.text("trackingCode") or value.required("loggiKey"),
    )


def read_scan(value: Value) -> Scan:
    """Return an event."""
    status, place = value.get("status"), value.get("location")
    return Scan(
        code=status.required("code"),
        time=iso_time(status, "updatedTime"),
        description=status.text("description") or status.text("highLevelStatus"),
        city=place.text("city"),
        state=place.text("state"),
    )
