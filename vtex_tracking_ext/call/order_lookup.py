"""What an order tells of its packages, and whether an update is among it. Pure, tolerant of what VTEX sends."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeVar

from vtex_oms_client import models

from vtex_tracking_ext.events import DateLike, Package, PackageEvent, TrackingEvent, TrackingUpdate

from .checks import format_delivered_date, format_event_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

M = TypeVar("M", models.Package, models.CourierEvent)

#: The type of a package on its way to the shopper; a return is ``Input``.
OUTPUT = "Output"


def packages_of(order: models.Order) -> tuple[Package, ...]:
    """Return the packages of an order; parts of another shape than VTEX's contract are left out."""
    attachment = order.package_attachment
    packages = attachment.packages if isinstance(attachment, models.PackageAttachment) else None
    return tuple(_package(entry) for entry in _parsed(packages, models.Package))


def _package(entry: models.Package) -> Package:
    status = entry.courier_status if isinstance(entry.courier_status, models.CourierStatus) else models.CourierStatus()
    return Package(
        invoice_number=_text(entry.invoice_number),
        type=_text(entry.type_),
        tracking_number=_text(entry.tracking_number),
        tracking_url=_text(entry.tracking_url),
        courier=_text(entry.courier),
        finished=status.finished is True,
        delivered_date=_text(status.delivered_date),
        events=tuple(_event(event) for event in _parsed(status.data, models.CourierEvent)),
    )


def _event(entry: models.CourierEvent) -> PackageEvent:
    last_change, create_date = _text(entry.last_change), _text(entry.create_date)
    return PackageEvent(
        date=(last_change or create_date or "")[: len("yyyy-mm-dd")],
        description=_text(entry.description) or "",
        city=_text(entry.city) or "",
        state=_text(entry.state) or "",
        last_change=last_change,
        create_date=create_date,
    )


def _parsed(value: object, model: type[M]) -> list[M]:
    """Return the elements of a list as generated models.

    If one element has an unexpected shape, the generated parser leaves the whole list as JSON. Each object in the list
    is then parsed by itself.
    """
    entries: list[Any] = value if isinstance(value, list) else []
    parsed = [model.from_dict(entry) if isinstance(entry, dict) else entry for entry in entries]
    return [entry for entry in parsed if isinstance(entry, model)]


def was_applied(update: TrackingUpdate, packages: Iterable[Package]) -> bool | None:
    """Tell whether an update stands on an order.

    Returns:
        True where all of it is there, False where nothing of it is, None where only a part is. False right
        after sending is no proof: VTEX shows an accepted change some seconds later (seen: 6 s).
    """
    shown = Shown(update.invoice_number, packages)
    there, wanted = most_matched([shown.fitting(event) for event in update.events]), len(update.events)
    if update.is_delivered:
        there, wanted = there + shown.is_delivered(update.delivered_date), wanted + 1
    return True if there == wanted else None if there else False


class Shown:
    """What an order shows of one invoice, to be held against what was sent.

    Args:
        invoice_number: The invoice.
        packages: The packages of its order; returns are not looked at.
    """

    def __init__(self, invoice_number: str, packages: Iterable[Package]) -> None:
        self._mine = [p for p in packages if p.invoice_number == invoice_number and p.type in {OUTPUT, None}]
        self._recorded: defaultdict[tuple[str, ...], list[tuple[int, frozenset[str]]]] = defaultdict(list)
        events = (event for package in self._mine for event in package.events)
        for number, event in enumerate(events):
            self._recorded[texts_of(event)].append((number, _days_of(event)))

    def fitting(self, event: TrackingEvent) -> frozenset[int]:
        """Return which recorded events, by their numbers, tell the same as an event; see :func:`most_matched`."""
        # Which of VTEX's two dates is the event's own is not documented, so either will do.
        day = format_event_date(event.date)
        return frozenset(number for number, days in self._recorded.get(texts_of(event), ()) if day in days)

    def is_delivered(self, delivered_date: DateLike | None) -> bool:
        """Tell whether the package is delivered, on the day that is told where both tell one."""
        day = None if delivered_date is None else format_delivered_date(delivered_date)[: len("yyyy-mm-dd")]
        return any(
            package.finished and (day is None or (package.delivered_date or day)[: len(day)] == day)
            for package in self._mine
        )


def most_matched(fitting: Sequence[frozenset[int]]) -> int:
    """Return how many of several events can stand on an order together, each as a recorded event of its own.

    An event that was recorded on the day of another with the same texts fits the record of either. So which record is
    whose must be weighed for all of them together: taking the first that fits could leave none for the other.

    Args:
        fitting: For each of the events, the recorded events that tell the same.
    """
    holders: dict[int, int] = {}
    held: dict[int, int] = {}
    for newcomer in range(len(fitting)):
        # What the newcomer could take, and what those could take instead who hold that, and so on.
        asked: dict[int, int] = {}
        waiting = [newcomer]
        while waiting:
            asking = waiting.pop()
            for record in fitting[asking]:
                if record not in asked:
                    asked[record] = asking
                    if record in holders:
                        waiting.append(holders[record])
        free = next((record for record in asked if record not in holders), None)
        while free is not None:  # each takes what it asked for, and leaves what it held to the one before it
            taker = asked[free]
            holders[free] = taker
            left = held.get(taker)
            held[taker] = free
            free = left
    return len(holders)


def _days_of(event: PackageEvent) -> frozenset[str]:
    return frozenset(text[: len("yyyy-mm-dd")] for text in (event.last_change, event.create_date) if text)


def texts_of(event: TrackingEvent | PackageEvent) -> tuple[str, ...]:
    """Return an event's texts as they are compared."""
    return tuple(as_compared(text) for text in (event.description, event.city, event.state))


def as_compared(text: str) -> str:
    """Return a text as two of them are compared: a shopper sees neither blanks at its ends nor how accents are made."""
    return unicodedata.normalize("NFC", text.strip())


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
