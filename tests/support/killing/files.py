"""Files of carrier events for the trials that kill a push: what stands in them, and what must become of it. Pure."""

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

#: The day on which the trials are played, whatever the machine's clock says: events of that day and of others before
#: it tell apart who mixes up the two dates of an event on an order.
TODAY: Final = dt.date(2024, 5, 10)

#: Its noon, in seconds since the epoch.
START: Final = dt.datetime.combine(TODAY, dt.time(12), dt.UTC).timestamp()

#: A text that the sandbox refuses, with everything that travels with it.
POISON: Final = "Ocorr\u00eancia inv\u00e1lida"

#: What is wrong with a package; its updates are refused for ever. ``closed``: its order was cancelled.
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
        """Return it as a file has it."""
        event = self.event
        told = ("", "", "", "") if event is None else (str(event.date), event.city, event.state, event.description)
        return (*self.package, *told, *(("true", "2024-05-10 08:30") if self.is_delivered else ("", "")))


@frozen
class Content:
    """What a file holds.

    Attributes:
        lines: Its rows.
        fates: Package -> whether its updates can be applied.
    """

    lines: tuple[Line, ...]
    fates: dict[Key, Fate]

    def write(self, path: Path) -> None:
        """Write the file."""
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([_HEADER, *(line.cells() for line in self.lines)])

    def expected(self) -> dict[Key, list[TrackingEvent | None]]:
        """Return what should stand on each package in the end, in this order; None for the delivery, which is last.

        Rows that were written twice count once.
        """
        found: dict[Key, list[TrackingEvent | None]] = {key: [] for key in self.fates}
        for line in self.lines:
            if line.event is not None and line.event not in found[line.package]:
                found[line.package].append(line.event)
        for line in self.lines:
            if line.is_delivered and None not in found[line.package]:
                found[line.package].append(None)
        return found


def make(events: int, seed: int, *, refusals: bool = True) -> Content:
    """Make up a file.

    Events of one package say the same on several days, as carriers' do, of half the packages the newest first. One row
    in a hundred stands there twice, one package in twelve is refused as a whole and one event in a hundred and fifty
    alone, and a third of the packages is delivered, half of those by a row without an event.

    Args:
        events: How many events, of a third as many packages.
        seed: Another file for another number.
        refusals: Whether anything is refused.
    """
    chance = random.Random(seed)  # noqa: S311 - the same on every run
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
    """Return an OMS with the orders that a file is about."""
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
    """Return a package: every fourth one shares its order with the one before it."""
    return f"{1_172_452_900_000 + number - (number % 4 == 1)}-01", f"{number:09d}"


def _of_order(fates: dict[Key, Fate], key: Key) -> Fate:
    number = int(key[1])
    if number % 4 != 1:
        return fates[key]
    first = fates[_key(number - 1)]
    return "good" if first == "no invoice" else first


def _event(step: int, package: int, *, is_bad: bool) -> TrackingEvent:
    """Return the next event of a package, which may differ from others in the day alone."""
    ago = step % 5 if package % 2 else 4 - step % 5
    day = TODAY - dt.timedelta(days=ago)
    text = POISON if is_bad else _TEXTS[(package + step // 5) % len(_TEXTS)]
    round_ = f" ({step // 15 + 1})" if step >= 15 else ""
    return TrackingEvent(day.isoformat(), text + round_, *_PLACES[package % len(_PLACES)])


def _finish(lines: list[Line], chance: random.Random) -> None:
    """Repeat a row here and there, and end with the delivery in every third package."""
    key = lines[0].package
    if chance.random() < 1 / 30:
        lines.append(chance.choice(lines))
    ending = chance.random()
    if ending < 1 / 6:
        lines.append(Line(key, None, is_delivered=True))
    elif ending < 1 / 3:
        last = lines[-1]
        lines[-1] = Line(key, last.event, is_delivered=True)
