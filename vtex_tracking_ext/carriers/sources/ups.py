"""UPS: the answer of its Track API. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.carriers.event import Status
from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.times import local_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.carriers.payload import Value

#: Current statuses of a package none of whose events is a delivery to the customer.
_NOT_DELIVERED: Final = {
    "033": Status.RETURNING,
    "034": Status.RETURNED,
    "035": Status.RETURNING,
    "036": Status.RETURNING,
    "037": Status.RETURNING,
    "040": Status.AVAILABLE_FOR_PICKUP,
}

#: Texts of events of type D that are not deliveries to the customer. UPS adds codes, and the code table counts every
#: unlisted code of type D as a delivery. A text can prevent a delivery, but never make one.
_LOOKALIKES: Final = (
    (re.compile("(?i)access point"), Status.AVAILABLE_FOR_PICKUP),
    (re.compile("(?i)return"), Status.RETURNED),
)


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return "trackResponse" in document


def split(document: Value) -> Iterator[Value]:
    """Yield the packages, and the shipments that have none."""
    for shipment in document.items("trackResponse", "shipment"):
        yield from shipment.items("package") if shipment.has("package") else [shipment]


def read_parcel(value: Value) -> Parcel:
    """Return a package; a shipment that UPS does not know has warnings instead of packages."""
    number = value.text("trackingNumber") or value.text("inquiryNumber")
    if not number:
        raise value.get("trackingNumber").error("missing")
    warning = next((warning.text("message") for warning in value.items("warnings")), "")
    return Parcel(
        value.items("activity"),
        tracking_code=number,
        not_delivered=_NOT_DELIVERED.get(value.text("currentStatus", "code")),
        note=f"{number}: {warning}" if warning else "",
        receiver=value.texts("deliveryInformation", "receivedBy"),
    )


def read_scan(value: Value) -> Scan:
    """Return an activity. Its code is type and code of its status, such as ``D/FS``."""
    status, address = value.get("status"), value.get("location", "address")
    day, time, text = value.required("date"), value.text("time"), status.text("description")
    return Scan(
        code=f"{status.required('type')}/{status.text('code')}".rstrip("/"),
        time=local_time(value, f"{day} {time or '000000'}", "%Y%m%d %H%M%S", "20261005 and 141209"),
        description=text,
        city=address.text("city"),
        state=address.text("stateProvince"),
        has_time=bool(time),
        not_delivered=next((lookalike for pattern, lookalike in _LOOKALIKES if pattern.search(text)), None),
    )
