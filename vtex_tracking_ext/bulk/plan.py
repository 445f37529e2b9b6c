"""Rows become updates: per package, in the file's order, duplicates out, the delivery last. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define, frozen

from vtex_tracking_ext.events import TrackingUpdate
from vtex_tracking_ext.limits import day_text, moment_text
from vtex_tracking_ext.text import quoted

from .rows import Place, Row, RowProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vtex_tracking_ext.events import TrackingEvent

#: Events that travel in one call at most. VTEX names no limit; this keeps a refusal small.
EVENTS_PER_CALL = 20


@frozen
class PlannedUpdate:
    """One call, and the rows it carries."""

    update: TrackingUpdate
    places: tuple[Place, ...]


@frozen
class PackagePlan:
    """The calls of one package, in the order in which they must go."""

    order_id: str
    invoice_number: str
    updates: tuple[PlannedUpdate, ...]


@frozen
class Plan:
    """What a file amounts to.

    Attributes:
        packages: The packages, in the order in which the file first names them.
        problems: What keeps rows from being sent.
        duplicates: Rows that say what an earlier row of the same package has said; left out.
        rows: How many rows can be sent, duplicates included.
    """

    packages: tuple[PackagePlan, ...]
    problems: tuple[RowProblem, ...]
    duplicates: tuple[Place, ...]
    rows: int


@define
class _Package:
    """A package while its rows come in."""

    order_id: str
    invoice_number: str
    events: dict[tuple[str, ...], tuple[TrackingEvent, Place]] = Factory(dict)
    delivery: Row | None = None

    def add(self, row: Row) -> bool:
        """Take a row in; False where it says nothing new."""
        is_new = False
        if row.event is not None:
            key = (day_text(row.event.date), row.event.city, row.event.state, row.event.description)
            is_new = key not in self.events
            self.events.setdefault(key, (row.event, row.place))
        if row.is_delivered and (self.delivery is None or (row.delivered_date and not self.delivery.delivered_date)):
            self.delivery, is_new = row, True
        return is_new

    def contradiction(self, row: Row) -> RowProblem | None:
        """Return the problem of a row that dates the delivery otherwise than an earlier one."""
        earlier = self.delivery
        if earlier is None or not (earlier.delivered_date and row.delivered_date):
            return None
        if moment_text(earlier.delivered_date) == moment_text(row.delivered_date):
            return None
        message = f"{row.delivered_date}, but {earlier.place} says {earlier.delivered_date}; a package has one delivery"
        return RowProblem(row.place, "delivered_date", message)

    def updates(self) -> Iterator[PlannedUpdate]:
        """Yield the calls; the last one carries the delivery, because nothing takes it back."""
        pairs = list(self.events.values())
        batches = [pairs[start : start + EVENTS_PER_CALL] for start in range(0, len(pairs), EVENTS_PER_CALL)] or [[]]
        for number, batch in enumerate(batches, 1):
            delivery = self.delivery if number == len(batches) else None
            places = [place for _, place in batch]
            if delivery is not None and delivery.place not in places:
                places.append(delivery.place)
            update = TrackingUpdate(
                self.order_id,
                self.invoice_number,
                [event for event, _ in batch],
                is_delivered=delivery is not None,
                delivered_date=None if delivery is None else delivery.delivered_date,
            )
            yield PlannedUpdate(update, tuple(places))


def plan(rows: Iterable[Row | RowProblem], account: str) -> Plan:
    """Group rows by package.

    Args:
        rows: The rows of one or more files, in order.
        account: The account that they go to; a row that names another one is a problem.
    """
    packages: dict[tuple[str, str], _Package] = {}
    problems: list[RowProblem] = []
    duplicates: list[Place] = []
    good = 0
    for row in rows:
        if isinstance(row, RowProblem):
            problems.append(row)
            continue
        if row.account not in {"", account}:
            message = f"{quoted(row.account, 60)} is not {quoted(account)}, the account of this run; push it on its own"
            problems.append(RowProblem(row.place, "account", message))
            continue
        package = packages.setdefault((row.order_id, row.invoice_number), _Package(row.order_id, row.invoice_number))
        contradiction = package.contradiction(row)
        if contradiction:
            problems.append(contradiction)
            continue
        good += 1
        if not package.add(row):
            duplicates.append(row.place)
    return Plan(
        packages=tuple(
            PackagePlan(p.order_id, p.invoice_number, tuple(p.updates()))
            for p in packages.values()
            if p.events or p.delivery
        ),
        problems=tuple(problems),
        duplicates=tuple(duplicates),
        rows=good,
    )
