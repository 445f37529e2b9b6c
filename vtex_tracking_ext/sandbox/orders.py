"""Orders and packages of the sandbox, and how they are shown. Pure; the time is a parameter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from attrs import Factory, define, frozen

from vtex_tracking_ext.text import comparable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .feed import StatusChange


@frozen
class Change:
    """An accepted change of a package: events, a delivery, or a tracking number."""

    at: float
    events: tuple[dict[str, str], ...] = ()
    delivered: bool = False
    delivered_date: str | None = None
    numbers: Mapping[str, str | None] | None = None


@define
class Package:
    """An invoice of an order."""

    invoice_number: str
    type: str = "Output"
    invoice_key: str | None = None
    issued_at: float = 0.0
    changes: list[Change] = Factory(list)

    def shown(self, until: float) -> dict[str, Any]:
        """Return the package as GET returns it, with the changes accepted up to a time."""
        numbers: dict[str, str | None] = {"trackingNumber": None, "trackingUrl": None, "courier": None}
        events: list[dict[str, str]] = []
        tracked, finished, delivered_date = False, False, None
        for change in self.changes:
            if change.at > until:
                break
            if change.numbers is not None:
                numbers |= {name: change.numbers.get(name) for name in numbers}
                continue
            tracked = True
            events += [_event_shown(event, change.at) for event in change.events]
            finished = finished or change.delivered  # permanent (guess: no documented way to undo it)
            delivered_date = _moment(change.delivered_date) or delivered_date
        status = {
            "status": "unknown",  # never changes (VTEX documentation)
            "finished": finished,
            "deliveredDate": delivered_date,
            "data": events[::-1],  # newest first (observed)
        }
        return {
            "items": [],
            "invoiceNumber": self.invoice_number,
            "invoiceValue": 10150,
            "invoiceUrl": None,
            "issuanceDate": timestamp(self.issued_at),
            **numbers,
            "invoiceKey": self.invoice_key,
            "type": self.type,
            "courierStatus": status if tracked else None,
            "cfop": None,
            "volumes": 1,
        }


@define
class Order:
    """An order and its packages."""

    order_id: str
    change: StatusChange
    created_at: float
    invoiced_at: float | None = None
    packages: dict[str, Package] = Factory(dict)
    sequence: str = "500000"

    @property
    def status(self) -> str:
        """The status that the order has reached."""
        return self.change.state

    def shown(self, until: float) -> dict[str, Any]:
        """Return the order as GET returns it."""
        return {
            "orderId": self.order_id,
            "sequence": self.sequence,
            "origin": "Fulfillment",
            "salesChannel": "1",
            "status": self.status,  # a tracking update does not change it (VTEX documentation)
            "value": 10150,
            "creationDate": timestamp(self.created_at),
            "orderGroup": self.order_id.rpartition("-")[0] or self.order_id,
            "hostname": "sandbox",
            "isCompleted": True,
            "packageAttachment": {"packages": [package.shown(until) for package in self.packages.values()]},
        }


def duplicates(events: Iterable[Mapping[str, str]]) -> list[bool]:
    """Return for each event of a package whether an earlier one has the same day and texts.

    The shopper sees such an event twice. Blanks do not count, because the shopper does not see them either.

    Args:
        events: The events, oldest first, as they were sent or as an order shows them.
    """
    seen = set()
    found = []
    for event in events:
        day = event["date"] if "date" in event else event["lastChange"][: len("yyyy-mm-dd")]
        key = day, *(comparable(event[name]) for name in ("description", "city", "state"))
        found.append(key in seen)
        seen.add(key)
    return found


def timestamp(seconds: float) -> str:
    """Return a time as VTEX writes it: ISO 8601 with seven fraction digits and an offset."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}0+00:00"


def _event_shown(event: Mapping[str, str], at: float) -> dict[str, str]:
    return {
        "lastChange": f"{event['date']}T00:00:00.0000000+00:00",  # guess: the event's day
        "city": event["city"],
        "state": event["state"],
        "description": event["description"],
        "createDate": timestamp(at),
    }


def _moment(text: str | None) -> str | None:
    """Return a delivered date as the order shows it."""
    if text is None:
        return None
    day, _, minute = text.partition(" ")
    return f"{day}T{minute or '00:00'}:00.0000000+00:00"
