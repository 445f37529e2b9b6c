"""Cargus: the answer of GetAwbTrace. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "Code" in document and "Event" in document


def split(document: Value) -> Iterator[Value]:
    """Yield the one package."""
    yield document


def read_parcel(value: Value) -> Parcel:
    """Return the package."""
    return Parcel(value.items("Event"), tracking_code=value.required("Code"), receiver=value.texts("ConfirmationName"))


def read_scan(value: Value) -> Scan:
    """Return an event."""
    return Scan(
        code=value.required("EventId"),
        time=iso_time(value, "Date"),
        description=value.text("Description"),
        city=value.text("LocalityName"),
    )
