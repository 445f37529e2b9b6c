"""Files of carrier events for the trials that kill a push, and their expected results."""

from __future__ import annotations

import csv
import datetime as dt
import random
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.sandbox import Oms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vtex_tracking_ext.sandbox import OmsSettings

#: The date of the trials, independent of the machine's clock. Events have this date and earlier ones, so that a mix-up
#: of an event's two dates on an order is detected.
TODAY: Final = dt.date(2024, 5, 10)

#: Noon of that day, in seconds since the epoch.
START: Final = dt.datetime.combine(TODAY, dt.time(12), dt.UTC).timestamp()

#: A text for which the sandbox refuses the whole call.
POISON: Final = "Ocorr\u00eancia inv\u00e1lida"

#: Why all updates of a package are refused, or ``good``. ``closed``: its order is cancelled.
Fate = Literal["good", "no order", "no invoice", "closed"]

_EVENT: Final = ("date", "city", "state", "description")
_HEADER: Final = ("order_id", "invoice_number", *_EVENT, "is_delivered", "delivered_date")
_PLACES: Final = (("S\u00e3o Paulo", "SP"), ("Niter\u00f3i", "RJ"), ("Curitiba", "PR"))
_TEXTS: Final = ("Objeto postado", "Objeto em tr\u00e2nsito", "Objeto saiu para entrega")
_FATES: Final[tuple[Fate, ...]] = ("no order", "no invoice", "closed")

#: Package: order id and invoice number.
Key = tuple[str, str]


@frozen
class Line:
    """A row of a file: an event, the delivery, or both."""

    package: Key
    event: TrackingEvent | None
    is_delivered: bool

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the row."""
        event = self.event
        cells = ("", "", "", "") if event is None else (str(event.date), event.city, event.state, event.description)
        return (*self.package, *cells, *(("true", "2024-05-10 08:30") if self.is_delivered else ("", "")))


@frozen
class Content:
    """The content of a file.

    Attributes:
        lines: Its rows.
        fates: Package -> why its updates are refused, or ``good``.
    """

    lines: tuple[Line, ...]
    fates: dict[Key, Fate]

    def write(self, path: Path) -> None:
        """Write the file."""
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([_HEADER, *(line.cells() for line in self.lines)])

    def expected(self) -> dict[Key, list[TrackingEvent | None]]:
        """Return the events that each package must finally have, in order; None is the delivery, which is the last.

        Events are sent by day, those of a day in the order of the file. Repeated rows count once.
        """
        found: dict[Key, list[TrackingEvent | None]] = {key: [] for key in self.fates}
        for line in self.lines:
            if line.event is not None and line.event not in found[line.package]:
                found[line.package].append(line.event)
        for events in found.values():
            events.sort(key=lambda event: str(event and event.date))
        for line in self.lines:
            if line.is_delivered and None not in found[line.package]:
                found[line.package].append(None)
        return found


def make(events: int, seed: int, *, refusals: bool = True) -> Content:
    """Generate a file.

    As in carriers' files, a package has the same text on several days; half of the packages list the newest first. One
    row in a hundred is repeated, one package in twelve is refused as a whole, one event in a hundred and fifty is
    refused alone, and a third of the packages is delivered, half of those by a row without an event.

    Args:
        events: Number of events, of a third as many packages.
        seed: Seed of the random numbers.
        refusals: Whether anything is refused.
    """
    chance = random.Random(seed)  # noqa: S311 - reproducible
    packages = max(1, events * 3 // 10)
    turns = [*range(packages), *(chance.randrange(packages) for _ in range(events - packages))]
    lines: dict[Key, list[Line]] = {}
    keys = [_key(number) for number in range(packages)]
    for turn in turns:
        of_package = lines.setdefault(keys[turn], [])
        is_bad = refusals and chance.random() < 1 / 150
        of_package.append(Line(keys[turn], _event(len(of_package), turn, is_bad=is_bad), is_delivered=False))
    for of_package in lines.values():
        _finish(of_package, chance)
    order = [line.package for of_package in lines.values() for line in of_package]
    chance.shuffle(order)
    waiting = {key: iter(of_package) for key, of_package in lines.items()}
    fates: dict[Key, Fate] = {
        key: chance.choice(_FATES) if refusals and chance.random() < 1 / 12 else "good" for key in keys
    }
    for key in keys:  # packages of one order share its state
        if fates[key] != "no invoice":
            fates[key] = _of_order(fates, key)
    return Content(tuple(next(waiting[key]) for key in order), fates)


def orders_of(content: Content, settings: OmsSettings, clock: Callable[[], float]) -> Oms:
    """Return an OMS with the orders of a file."""
    oms = Oms(settings, clock)
    invoices: dict[str, list[str]] = {}
    for (order_id, invoice_number), fate in content.fates.items():
        if fate != "no order":
            invoices.setdefault(order_id, []).extend([invoice_number] if fate != "no invoice" else [])
    for order_id, numbers in invoices.items():
        closed = any(content.fates[order_id, number] == "closed" for number in numbers)
        oms.add_order(order_id, numbers, status="canceled" if closed else "invoiced")
    return oms


def _key(number: int) -> Key:
    """Return a package key: every fourth package shares its order with the one before it."""
    return f"{1_172_452_900_000 + number - (number % 4 == 1)}-01", f"{number:09d}"


def _of_order(fates: dict[Key, Fate], key: Key) -> Fate:
    number = int(key[1])
    if number % 4 != 1:
        return fates[key]
    first = fates[_key(number - 1)]
    return "good" if first == "no invoice" else first


def _event(step: int, package: int, *, is_bad: bool) -> TrackingEvent:
    """Return the next event of a package, which may differ from others only in its date."""
    ago = step % 5 if package % 2 else 4 - step % 5
    day = TODAY - dt.timedelta(days=ago)
    text = POISON if is_bad else _TEXTS[(package + step // 5) % len(_TEXTS)]
    round_ = f" ({step // 15 + 1})" if step >= 15 else ""
    return TrackingEvent(day.isoformat(), text + round_, *_PLACES[package % len(_PLACES)])


def _finish(lines: list[Line], chance: random.Random) -> None:
    """Repeat some rows, and add the delivery to every third package."""
    key = lines[0].package
    if chance.random() < 1 / 30:
        lines.append(chance.choice(lines))
    ending = chance.random()
    if ending < 1 / 6:
        lines.append(Line(key, None, is_delivered=True))
    elif ending < 1 / 3:
        last = lines[-1]
        lines[-1] = Line(key, last.event, is_delivered=True)
