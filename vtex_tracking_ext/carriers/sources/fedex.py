"""FedEx: the answer of its Track API. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.carriers.event import Status
from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value

#: Latest statuses of a package that goes back to the sender. None of its scans is a delivery to the customer.
_RETURNS: Final = frozenset({"RS", "RT"})


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "output" in document and "completeTrackResults" in document.get("output")


def split(document: Value) -> Iterator[Value]:
    """Return the results, one for each tracking number."""
    return document.items("output", "completeTrackResults")


def read_parcel(value: Value) -> Parcel:
    """Return a package; a number that FedEx does not know has an error instead of scans."""
    number = value.required("trackingNumber")
    results = [*value.items("trackResults")]
    found = [result for result in results if result.has("scanEvents")]
    if len(found) > 1:
        raise value.error(f"{len(found)} packages have the number {number}: ask for one, by trackingNumberUniqueId")
    error = next((result.text("error", "message") for result in results if result.has("error")), "")
    note = f"{number}: {error}" if error else ""
    if not found:
        return Parcel(tracking_code=number, note=note)
    (result,) = found
    details = result.get("deliveryDetails")
    return Parcel(
        result.items("scanEvents"),
        tracking_code=number,
        not_delivered=Status.RETURNED if result.text("latestStatusDetail", "code") in _RETURNS else None,
        note=note,
        receiver=details.texts("receivedByName") + details.texts("signedByName"),
    )


def read_scan(value: Value) -> Scan:
    """Return a scan."""
    place = value.get("scanLocation")
    return Scan(
        code=value.required("eventType"),
        time=iso_time(value, "date"),
        description=value.text("eventDescription"),
        city=place.text("city"),
        state=place.text("stateOrProvinceCode"),
    )
