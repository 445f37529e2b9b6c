"""A package's pending entries by call: the events by day and time, the delivery last. Pure."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from vtex_tracking_ext.config.defaults import EVENTS_PER_CALL
from vtex_tracking_ext.events import TrackingUpdate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vtex_tracking_ext.bulk.journal.entries import Backlog, Entry


def batches(entries: Iterable[Entry], events_per_call: int = EVENTS_PER_CALL) -> Iterator[tuple[Entry, ...]]:
    """Yield the entries of each call, in the order of the calls.

    Events are sent by day. Those of one day are sent by time if all of them have one, otherwise in the order of their
    arrival. The delivery is sent with the last events, because it cannot be taken back, and a shopper who sees it
    expects nothing more.

    Args:
        entries: The pending entries of one package, in the order of their arrival.
        events_per_call: Events in a call at most; with 1, each is sent alone.
    """
    pending = tuple(entries)
    events = _sorted_by_time([(str(entry.event.date), entry) for entry in pending if entry.event is not None])
    calls = [events[start : start + events_per_call] for start in range(0, len(events) or 1, events_per_call)]
    calls[-1] += [entry for entry in pending if entry.event is None]
    yield from map(tuple, filter(None, calls))


def _sorted_by_time(events: Sequence[tuple[str, Entry]]) -> list[Entry]:
    """Return events, each given with its day, in the order in which they are sent."""
    untimed_days = {day for day, entry in events if not entry.time}
    # The sort is stable. A text sorts before a longer one that begins with it, so 09:05 comes before 09:05:30.
    in_order = sorted(events, key=lambda event: (event[0], "" if event[0] in untimed_days else event[1].time))
    return [entry for _, entry in in_order]


def count_calls(backlog: Backlog, events_per_call: int = EVENTS_PER_CALL) -> int:
    """Return how many calls :func:`batches` makes of a backlog."""
    return max(ceil(backlog.events / events_per_call), backlog.deliveries)


def halves(batch: Sequence[Entry]) -> tuple[Sequence[Entry], Sequence[Entry]]:
    """Return both halves of a batch of two or more, to find the entry that VTEX refuses."""
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]


def build_update(batch: Sequence[Entry]) -> TrackingUpdate:
    """Return the update for entries of one package."""
    package = batch[0].package
    delivery = next((entry for entry in batch if entry.event is None), None)
    return TrackingUpdate(
        package.order_id,
        package.invoice_number,
        [entry.event for entry in batch if entry.event is not None],
        is_delivered=delivery is not None,
        delivered_date=None if delivery is None else delivery.delivered_date,
    )
