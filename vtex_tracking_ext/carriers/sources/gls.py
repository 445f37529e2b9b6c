"""GLS: the answer of Track And Trace V1. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.payload import Value
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The last status of a package, which no later one replaces.
_LAST: Final = frozenset({"DELIVERED", "CANCELED", "FINAL"})


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "parcels" in document


def split(document: Value) -> Iterator[Value]:
    """Return the packages, which GLS calls parcels."""
    return document.items("parcels")


def read_parcel(value: Value) -> Parcel:
    """Return a package; one that GLS does not know has an error instead of a history."""
    number = value.text("unitno") or value.required("requested")
    error = value.text("errorMessage") or value.text("errorCode")
    return Parcel(_scans(value), tracking_code=number, note=f"{number}: {error}" if error else "")


def _scans(value: Value) -> list[Value]:
    """Return the events of a package, and its status if no event of the same time has the same meaning.

    The last status replaces the event of its time. Any other status must not: the next answer, which has another
    status, would contain the replaced event with its own code, as a new event.
    """
    events = [*value.items("events")]
    status, time = value.text("status"), value.text("statusDateTime")
    if not status:
        return events
    same = next(
        (event for event in events if event.has("code") and event.get("eventDateTime").content == time), Value({})
    )
    if same.content and status not in _LAST:
        return events
    content = {**same.content, "code": status, "eventDateTime": time}
    return [Value(content, value.place, value.line), *(event for event in events if event != same)]


def read_scan(value: Value) -> Scan:
    """Return an event."""
    return Scan(
        code=value.required("code"),
        time=iso_time(value, "eventDateTime"),
        description=value.text("description"),
        city=value.text("city"),
    )
