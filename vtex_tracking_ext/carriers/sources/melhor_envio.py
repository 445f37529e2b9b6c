"""Melhor Envio: the webhook, and the answer of the tracking service. Pure.

Instead of a history, both contain the times of milestones, each of which is an event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.payload import Value
from vtex_tracking_ext.carriers.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The keys of the milestones, in their order. Earlier ones, such as ``paid_at``, are about the purchase of the label.
_MILESTONES: Final = ("generated_at", "posted_at", "delivered_at", "canceled_at", "expired_at")
_DELIVERED: Final = "delivered"
_UNDELIVERED: Final = "undelivered"


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    if "event" in document and "data" in document:
        event = document.content["event"]
        is_test = set(document.content) == {"event", "data"} and not document.content["data"]
        return is_test or (isinstance(event, str) and event.startswith("order."))
    return any("tracking" in label and ("posted_at" in label or "delivered_at" in label) for label in _labels(document))


def split(document: Value) -> Iterator[Value]:
    """Yield the labels, each of a package; the message that tests a webhook contains none."""
    if "data" not in document:
        yield from _labels(document)
    elif document.has("data", "id") or document.has("data", "status"):
        yield document.get("data")


def read_parcel(value: Value) -> Parcel:
    """Return a package. An undelivered one gets a note instead of an event, because the payload lacks its time."""
    status = value.required("status")
    code = value.text("tracking") or value.text("self_tracking") or value.text("melhorenvio_tracking")
    times = {key: value.text(key) for key in _MILESTONES}
    note = ""
    if status == _UNDELIVERED or (times["delivered_at"] and status != _DELIVERED):
        note = f"{code}: the status is {status}, of which the payload lacks the time"
        times["delivered_at"] = ""
    return Parcel(
        [Value({key: time}, value.place, value.line) for key, time in times.items() if time],
        tracking_code=code,
        order_reference=next(filter(None, (tag.text("tag") for tag in value.items("tags"))), ""),
        note=note,
    )


def read_scan(value: Value) -> Scan:
    """Return the event of a milestone."""
    (key,) = value.content
    return Scan(key.removesuffix("_at"), iso_time(value, key))


def _labels(document: Value) -> list[Value]:
    """Return the labels of an answer, whose keys are their ids."""
    return [document.get(key) for key in document.content] if isinstance(document.content, dict) else []
