"""What an order tells of its packages, and whether an update is among it. Pure, tolerant of what VTEX sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .events import Package, PackageEvent, TrackingEvent, TrackingUpdate
from .limits import day_text, moment_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The type of a package on its way to the shopper; a return is ``Input``.
OUTPUT = "Output"


def packages_of(order: Mapping[str, Any]) -> tuple[Package, ...]:
    """Return the packages of an order as its JSON tells of them; anything of another shape is passed over."""
    packages = _mapping(order.get("packageAttachment")).get("packages")
    return tuple(_package(entry) for entry in _mappings(packages))


def _package(entry: Mapping[str, Any]) -> Package:
    status = _mapping(entry.get("courierStatus"))
    return Package(
        invoice_number=_text(entry.get("invoiceNumber")),
        type=_text(entry.get("type")),
        tracking_number=_text(entry.get("trackingNumber")),
        tracking_url=_text(entry.get("trackingUrl")),
        courier=_text(entry.get("courier")),
        finished=status.get("finished") is True,
        delivered_date=_text(status.get("deliveredDate")),
        events=tuple(_event(event) for event in _mappings(status.get("data"))),
    )


def _event(entry: Mapping[str, Any]) -> PackageEvent:
    last_change, create_date = _text(entry.get("lastChange")), _text(entry.get("createDate"))
    return PackageEvent(
        date=(last_change or create_date or "")[: len("yyyy-mm-dd")],
        description=_text(entry.get("description")) or "",
        city=_text(entry.get("city")) or "",
        state=_text(entry.get("state")) or "",
        last_change=last_change,
        create_date=create_date,
    )


def was_applied(update: TrackingUpdate, packages: Iterable[Package]) -> bool | None:
    """Tell whether an update stands on an order.

    Returns:
        True where all of it is there, False where nothing of it is, None where only a part is. False right
        after sending is no proof: VTEX shows an accepted change some seconds later (seen: 6 s).
    """
    mine = [p for p in packages if p.invoice_number == update.invoice_number and p.type in {OUTPUT, None}]
    if not mine:
        return False
    recorded = [event for package in mine for event in package.events]
    found = [_take(event, recorded) for event in update.events]
    if update.is_delivered:
        found.append(any(_delivered_as_told(package, update) for package in mine))
    return all(found) if all(found) or not any(found) else None


def _take(event: TrackingEvent, recorded: list[PackageEvent]) -> bool:
    """Take one recorded event that tells the same out of ``recorded``; equal events need one each."""
    for index, other in enumerate(recorded):
        if _same(event, other):
            del recorded[index]
            return True
    return False


def _same(event: TrackingEvent, other: PackageEvent) -> bool:
    # Which of VTEX's two dates is the event's own is not documented, so either will do.
    days = {text[: len("yyyy-mm-dd")] for text in (other.last_change, other.create_date) if text}
    told = (event.description.strip(), event.city.strip(), event.state.strip())
    return day_text(event.date) in days and told == (other.description.strip(), other.city.strip(), other.state.strip())


def _delivered_as_told(package: Package, update: TrackingUpdate) -> bool:
    """Tell whether a package is delivered, on the day that the update names where both name one."""
    if not package.finished or update.delivered_date is None or package.delivered_date is None:
        return package.finished
    day = len("yyyy-mm-dd")
    return package.delivered_date[:day] == moment_text(update.delivered_date)[:day]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
