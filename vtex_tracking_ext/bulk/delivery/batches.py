"""Which of a package's waiting entries travel together: in the order of their arrival, the delivery last. Pure."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from vtex_tracking_ext.config.defaults import EVENTS_PER_CALL
from vtex_tracking_ext.events import TrackingUpdate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vtex_tracking_ext.bulk.journal.entries import Backlog, Entry


def batches(entries: Iterable[Entry], events_per_call: int = EVENTS_PER_CALL) -> Iterator[tuple[Entry, ...]]:
    """Yield what goes into each call, in the order in which the calls must go.

    The delivery travels with the last events, because nothing takes it back, and a shopper who sees it expects
    nothing more.

    Args:
        entries: The waiting entries of one package, in the order of their arrival.
        events_per_call: Events in a call at most; 1 sends each of them alone.
    """
    given = tuple(entries)
    events = [entry for entry in given if entry.event is not None]
    delivery = [entry for entry in given if entry.event is None]
    calls = [events[start : start + events_per_call] for start in range(0, len(events), events_per_call)]
    if delivery:
        calls = calls or [[]]
        calls[-1] += delivery
    yield from map(tuple, calls)


def count_calls(load: Backlog, events_per_call: int = EVENTS_PER_CALL) -> int:
    """Return how many calls :func:`batches` makes of what is pending in a package."""
    return max(ceil(load.events / events_per_call), load.deliveries)


def halves(batch: Sequence[Entry]) -> tuple[Sequence[Entry], Sequence[Entry]]:
    """Return both halves of a batch of two or more, to find the one that VTEX refuses."""
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]


def build_update(batch: Sequence[Entry]) -> TrackingUpdate:
    """Return the update that carries entries of one package."""
    package = batch[0].package
    delivery = next((entry for entry in batch if entry.event is None), None)
    return TrackingUpdate(
        package.order_id,
        package.invoice_number,
        [entry.event for entry in batch if entry.event is not None],
        is_delivered=delivery is not None,
        delivered_date=None if delivery is None else delivery.delivered_date,
    )
