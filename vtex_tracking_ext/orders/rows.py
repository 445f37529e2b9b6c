"""Turn carrier events into rows for the journal, each with the order that the event is about."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import evolve, frozen

from vtex_tracking_ext.bulk.input.rows import ParkedEvents, Place, Row, RowNote, RowProblem, UnmatchedEvents
from vtex_tracking_ext.bulk.journal.interface import Journal
from vtex_tracking_ext.call.validation import EARLIEST_ZONE, order_id_problems, update_problems
from vtex_tracking_ext.carriers.codes import DEFAULT_HOLD, CarrierOptions, load_table, parse_options
from vtex_tracking_ext.carriers.event import Status
from vtex_tracking_ext.errors import NotFoundError, VtexTrackingError
from vtex_tracking_ext.events import TrackingEvent, TrackingUpdate
from vtex_tracking_ext.text import quoted

from .package import OrderIndex, OrderPackage, package_of_order, tracking_key
from .parked import park
from .resolution import Match, choose, is_named, resolve
from .store import OrderStore

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from vtex_tracking_ext.carriers.event import CarrierEvent, Reading, ReadingMessage
    from vtex_tracking_ext.events import Package

    from .store import LookUp

#: Returns the packages of an order, given the account, which is an empty text for that of the run, and the order id.
#: Raises VtexTrackingError if the order cannot be read.
PackageReader: TypeAlias = "Callable[[str, str], Sequence[Package]]"

#: Types of packages on their way to the shopper. The other type of VTEX is that of returns.
_OUTPUT: Final = frozenset({"Output", None})

#: Most codes that a note lists.
_NAMED_CODES: Final = 20


def carrier_rows(
    reading: Reading,
    *,
    orders: OrderIndex | OrderStore | None = None,
    read_packages: PackageReader | None = None,
    accounts: Collection[str] = (),
    options: CarrierOptions | Mapping[str, Any] | None = None,
    name: str = "",
    now: dt.datetime | None = None,
    is_trial: bool = False,
) -> Iterator[Row | RowProblem | RowNote]:
    """Yield the rows of carrier events, for :func:`~vtex_tracking_ext.bulk.pipeline.note` and ``push``.

    Events that match no known order, or several packages, are left out, and those of a package are yielded as one
    problem. A store parks events of no known order, and :func:`.unpark` tries them again. Without a store, push the
    payload again when the order is known: events that the journal contains are not sent again.

    Args:
        reading: The events of a payload.
        orders: The known packages of orders. A store also saves each order that is read, and parks events.
        read_packages: Reads the packages of an order whose id the payload echoes, such as
            ``lambda account, order_id: client.get_packages(order_id)``. Without it, such an event needs an invoice
            number in its payload, or is left out.
        accounts: The accounts of the run, in lower case. The account that a payload names counts if it is one of them;
            otherwise the order must be one of the run's own account.
        options: The merchant's settings for the source, as for :func:`~vtex_tracking_ext.carriers.read`.
        name: The name of the payload in messages; by default that of the source.
        now: The current time, aware; by default that of the system.
        is_trial: Whether the rows are only checked, so that an event whose order must be read is a note, not a problem,
            and no event is parked.
    """
    now = now or dt.datetime.now(EARLIEST_ZONE)
    if not isinstance(options, CarrierOptions):
        options = parse_options(reading.source, options or {})
    builder = RowBuilder.of_source(reading.source, options, name or reading.source, now)
    events = [each if each.account.lower() in accounts else evolve(each, account="") for each in reading.events]
    if isinstance(orders, OrderStore):
        known = orders.look_up(events)
        finder = PackageFinder(known.index, read_packages, orders, known.returns)
        parks = bool(options.park) and not is_trial and isinstance(orders.journal, Journal)
    else:
        finder = PackageFinder(orders or OrderIndex(), read_packages)
        parks = False
    yield from _messages(reading, builder)
    left_out: dict[tuple[str, bool, bool], UnmatchedEvents] = {}
    parked: list[tuple[CarrierEvent, str]] = []
    for event in events:
        match = finder.find(event)
        yield from builder.rows(event, match.packages, finder.index)
        if not match.packages:
            is_waiting = match.is_waiting and is_trial
            is_parked = parks and not match.is_refused
            reason = f"the invoice number of order {event.order_reference} is read when the file is pushed"
            reason = reason if is_waiting else match.reason
            key = event.package, is_waiting, is_parked
            kind = ParkedEvents if is_parked else UnmatchedEvents
            found = left_out.get(key) or kind(builder.place(event), "", reason, events=0)
            left_out[key] = evolve(found, events=found.events + 1)
            if is_parked:
                parked.append((event, match.reason))
    if parked and isinstance(orders, OrderStore):
        park(orders, parked, builder.name, now, dt.timedelta(seconds=options.park))
    for (_, is_waiting, _), unmatched in left_out.items():
        yield RowNote(unmatched.place, unmatched.reason) if is_waiting else unmatched


def _messages(reading: Reading, builder: RowBuilder) -> Iterator[RowProblem | RowNote]:
    """Yield the problems, notes and unknown codes of a reading."""
    for problem in reading.problems:
        yield builder.problem(problem, problem.message)
    for note in reading.notes:
        yield RowNote(builder.place(note), note.message)
    if reading.unknown_codes:
        yield RowNote(Place(builder.name, 1), _unknown_codes(reading))


def _unknown_codes(reading: Reading) -> str:
    codes = reading.unknown_codes
    more = f" and {len(codes) - _NAMED_CODES} more" if len(codes) > _NAMED_CODES else ""
    what = "1 code" if len(codes) == 1 else f"{len(codes)} codes"
    return (
        f"{what} not in the table of {reading.source}: {', '.join(codes[:_NAMED_CODES])}{more}; the events are sent, "
        f"but not as deliveries. Say what the codes mean in [STORE.carriers.{reading.source}] of the profile file."
    )


@frozen
class _Order:
    """The result of reading an order.

    Attributes:
        packages: The packages of the order on their way to the shopper.
        reason: Why there are no packages, or an empty text.
        is_unknown: Whether the order was not read, so that the invoice number of the payload is the best that is known.
        returns: The tracking numbers of the returns of the order, an empty text for a return without one.
    """

    packages: tuple[OrderPackage, ...] = ()
    reason: str = ""
    is_unknown: bool = False
    returns: frozenset[str] = frozenset()


class PackageFinder:
    """Finds packages in the index of known ones, or else by reading the order that the payload echoes, once each.

    What a store knows of an order can be outdated: the order is read unless the event names one of its known packages.
    """

    def __init__(
        self,
        index: OrderIndex,
        read_packages: PackageReader | None,
        store: OrderStore | None = None,
        returns: frozenset[str] = frozenset(),
    ) -> None:
        self.index = index
        self._read_packages = read_packages
        self._store = store
        self._returns = returns
        self._orders: dict[tuple[str, str], _Order] = {}

    def know(self, known: LookUp) -> None:
        """Use what a store knows now. Orders that were read are not read again."""
        self.index, self._returns = known.index, known.returns

    def find(self, event: CarrierEvent, *, reads: bool = True) -> Match:
        """Return the packages that an event is about.

        Args:
            event: The event.
            reads: Whether its order may be read. Otherwise, an event whose order must be read finds no package.
        """
        match, order_id = resolve(event, self.index), event.order_reference
        is_known = bool(self.index.find("order", order_id))
        if order_id_problems(order_id) or self._is_certain(event, match, is_known=is_known):
            return _without_return(event, match, self._returns)
        if not reads:
            return Match(reason=match.reason or f"order {order_id} was not read again")
        key = event.account, order_id
        if key not in self._orders:
            self._orders[key] = self._read(*key)
        order = self._orders[key]
        if order.packages:
            return _without_return(event, choose(event, order.packages), order.returns)
        if match.packages and order.is_unknown and not (event.tracking_code or event.invoice_number):
            return _without_return(event, match, self._returns)
        if not is_known and order.is_unknown and event.invoice_number:
            return Match((OrderPackage(order_id, event.invoice_number, account=event.account),))
        reason = "; ".join(filter(None, (match.reason, order.reason)))
        can_be_read_later = order.is_unknown and self._read_packages is not None
        is_refused = match.is_refused and not can_be_read_later
        return Match(reason=reason, is_waiting=self._read_packages is None, is_refused=is_refused)

    def _is_certain(self, event: CarrierEvent, match: Match, *, is_known: bool) -> bool:
        if not is_known or (self._store is None and not match.packages):
            return is_known or bool(match.packages)
        return bool(match.packages) and all(is_named(event, package) for package in match.packages)

    def _read(self, account: str, order_id: str) -> _Order:
        read_packages = self._read_packages
        if read_packages is None:
            return _Order(reason=f"order {order_id} was not read, because read_packages= is missing", is_unknown=True)
        try:
            if self._store is None:
                packages = read_packages(account, order_id)
            else:
                packages = self._store.read_order(order_id, lambda: read_packages(account, order_id))
        except NotFoundError:
            return _Order(reason=f"order {order_id} does not exist in this account")
        except VtexTrackingError as error:
            return _Order(reason=f"order {order_id} cannot be read: {error.reason}", is_unknown=True)
        if self._store is not None:
            self._store.save_order(account, order_id, packages)
        found = tuple(
            package_of_order(order_id, each, account)
            for each in packages
            if each.invoice_number and each.type in _OUTPUT
        )
        returns = frozenset(tracking_key(each.tracking_number or "") for each in packages if each.type not in _OUTPUT)
        reason = "" if found else f"order {order_id} has no invoice yet"
        return _Order(found, reason, returns=returns)


def _without_return(event: CarrierEvent, match: Match, returns: frozenset[str]) -> Match:
    """Return a match, or a reason in its place if the event's tracking number is that of a return."""
    number = tracking_key(event.tracking_code)
    others = returns - {tracking_key(each.tracking_number) for each in match.packages}
    of_order = f" of order {event.order_reference}" if event.order_reference else ""
    if not match.packages or not number:
        return match
    if number in others:
        reason = f"the tracking number {quoted(number, 60)}{of_order} is that of a return"
    elif "" in others and not any(is_named(event, each) for each in match.packages):
        reason = f"the tracking number {quoted(number, 60)}{of_order} may be that of a return"
    else:
        return match
    return Match(reason=reason, is_refused=True)


@frozen
class RowBuilder:
    """Builds rows.

    Attributes:
        name: The name of the payload in messages.
        now: The current time, aware.
        hold: How long a delivery is held.
        zone: The zone of times without an offset, or None if it is unknown.
    """

    name: str
    now: dt.datetime
    hold: dt.timedelta
    zone: ZoneInfo | None

    @classmethod
    def of_source(cls, source: str, options: CarrierOptions, name: str, now: dt.datetime) -> RowBuilder:
        """Return the builder for a source, with the merchant's settings for it."""
        table = load_table(source).with_options(options)
        hold = options.hold
        if hold is None:
            hold = DEFAULT_HOLD if table.can_take_back else 0.0
        return cls(name, now, dt.timedelta(seconds=hold), table.zone)

    def rows(
        self, event: CarrierEvent, packages: Iterable[OrderPackage], index: OrderIndex
    ) -> Iterator[Row | RowProblem]:
        """Yield the rows of an event of packages of an index, or the problems of the event."""
        for package in packages:
            volume = event.volume or (event.tracking_code if index.is_in_parcels(package) else "")
            yield from self.build(event, package, volume)

    def place(self, part: CarrierEvent | ReadingMessage) -> Place:
        """Return the place of an event or a problem."""
        return Place(self.name, part.line)

    def problem(self, part: CarrierEvent | ReadingMessage, message: str) -> RowProblem:
        """Return a problem of an event or a parcel, with its place in the payload."""
        place = "" if part.place == f"line {part.line}" else part.place
        return RowProblem(self.place(part), "", ": ".join(filter(None, (part.source, place, message))))

    def build(self, event: CarrierEvent, package: OrderPackage, volume: str) -> Iterator[Row | RowProblem]:
        """Yield the row of an event of a package, or of one of its volumes, or the problems of the event."""
        zone = event.occurred_at.tzinfo or self.zone
        moment = f"{event.occurred_at:%Y-%m-%d %H:%M}" if event.has_time else f"{event.date}"
        is_delivered = event.status is Status.DELIVERED  # perhaps of one volume; the journal waits for the others
        tracking_event = TrackingEvent(f"{event.date}", event.description, event.city, event.state)
        row = Row(
            self.place(event),
            package.account or event.account,
            package.order_id,
            package.invoice_number,
            tracking_event,
            is_delivered,
            moment if is_delivered else None,
            event_id=event.event_id,
            time=f"{event.occurred_at:%H:%M:%S}" if event.has_time else "",
            volume=volume,
            hold_until=self._hold_until(event, zone) if is_delivered else None,
            takes_back=event.takes_back,
        )
        update = TrackingUpdate(row.order_id, row.invoice_number, (tracking_event,), is_delivered, row.delivered_date)
        problems = update_problems(update, self.now if zone is None else self.now.astimezone(zone))
        for problem in problems:
            yield self.problem(event, f"{problem.place}: {problem.message}")
        if not problems:
            yield row

    def _hold_until(self, event: CarrierEvent, zone: dt.tzinfo | None) -> dt.datetime | None:
        """Return the end of the hold of a delivery, or None if the delivery is not held.

        A hold begins at the time of the delivery, or now if that time has no zone.
        """
        latest = self.now + self.hold
        if zone is None:
            return latest if self.hold else None
        time = event.occurred_at if event.has_time else event.occurred_at + dt.timedelta(days=1)
        until = min(time.replace(tzinfo=zone) + self.hold, latest)
        return until if until > self.now else None
