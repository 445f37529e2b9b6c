"""Fill the index with orders that were invoiced before the feed was configured: read VTEX's list of orders.

The list shows 3,000 orders at most, so it is read in windows of the time of invoicing, oldest first. What a window
contains is recorded in the journal before it is read, so a run that was killed continues where it was.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from attrs import evolve

from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.errors import ConfigurationError, VtexTrackingError

from .reader import OrderReader, Synced
from .to_read import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext.bulk.delivery.calls import AccountPause
    from vtex_tracking_ext.bulk.delivery.pace import Pace
    from vtex_tracking_ext.client import TrackingClient

    from .store import OrderStore

#: Orders a page, and pages, that VTEX lists at most.
_PER_PAGE: Final = 100
_PAGES: Final = 30

#: The length of the first windows, and of the longest ones. Windows with too many orders are halved.
_DAY: Final = dt.timedelta(days=1)

#: VTEX compares milliseconds.
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_LATEST: Final = dt.time(23, 59, 59, 999_000)

#: Windows before have no orders: VTEX was founded in 2000.
_EARLIEST: Final = dt.date(2000, 1, 1)

#: How long before now a backfill ends. VTEX lists a changed order some minutes later, and this machine's clock may be
#: ahead. The feed has the orders that are invoiced later.
_LAG: Final = dt.timedelta(minutes=15)

#: How often a window is listed whose pages do not contain as many orders as VTEX counts: an order that leaves the list
#: while it is read moves the pages that follow.
_ATTEMPTS: Final = 3


def backfill(
    client: TrackingClient,
    store: OrderStore,
    first: dt.date,
    last: dt.date,
    pace: Pace | None = None,
    *,
    on_pause: Callable[[AccountPause], object] | None = None,
    on_window: Callable[[dt.datetime, Synced], object] | None = None,
    now: dt.datetime | None = None,
) -> Synced:
    """Read and save the orders that were invoiced in a period, oldest first, each order once.

    Orders that were read since the end of their window, a day or less, are not read again. If an earlier run with the
    same period ended early, this run continues where it was.

    Args:
        client: A client of the account. Its key's role needs *List Orders* and *View order*.
        store: Where the orders are saved. Its journal must be open for writing.
        first: First day of the period, in UTC. Days before 2000 have no orders, and are left out.
        last: Last day of the period.
        pace: The pace of the account, if other calls of this process share it; cancel it to end the run. By default, 5
            calls a second.
        on_pause: Called with each pause after a 429, or after several failures.
        on_window: Called when the orders of a window were read, with the window's last moment, and what was done so
            far.
        now: The current time, aware. By default, that of this machine. The period ends 15 minutes before it.

    Returns:
        What was done. If the run ended early, ``error`` says why.

    Raises:
        ConfigurationError: The last day is before the first, or the account is not one of the store's.
        JournalError: The journal cannot be used.
    """
    if last < first:
        raise ConfigurationError(f"The last day, {last}, is before the first, {first}.")
    begin = dt.datetime.combine(max(first, _EARLIEST), dt.time(), dt.UTC)
    period = Progress(begin, dt.datetime.combine(last, _LATEST, dt.UTC), begin - _MILLISECOND)
    reader = OrderReader(client, store, pace, on_pause)
    found = reader.to_read.backfill_progress()
    if found is not None and evolve(found, listed=period.listed) == period:
        period = found
    present = (now or dt.datetime.now(dt.UTC)) - _LAG
    end = min(period.last, present)
    try:
        reader.read_requested()
        length = _DAY
        while period.listed < end:
            window, order_ids = _list_window(reader, period.listed + _MILLISECOND, min(period.listed + length, end))
            period = evolve(period, listed=window[1])
            # An order can have several invoices in a window. That it was read since the last of them is certain only if
            # it was read since the end of the window; but a wrong clock must not put that end after VTEX's time.
            changed = window[1] if window[1] < present - _DAY else window[0]
            reader.to_read.add_listed(order_ids, changed, period)
            reader.read_requested()
            if on_window is not None:
                on_window(window[1], reader.synced)
            length = min(_DAY, 2 * (window[1] - window[0] + _MILLISECOND))
        reader.to_read.end_backfill()
        reader.synced.until = end if end < period.last else None
    except VtexTrackingError as error:
        if isinstance(error, ConfigurationError | JournalError):
            raise
        reader.synced.error = error
    return reader.synced


def _list_window(
    reader: OrderReader, first: dt.datetime, last: dt.datetime
) -> tuple[tuple[dt.datetime, dt.datetime], list[str]]:
    """Return a window that begins at a moment and that VTEX lists completely, and the ids of its orders.

    Args:
        reader: Makes the calls, and counts.
        first: First moment of the window.
        last: Its last moment at most.
    """
    attempt = 1
    while True:
        page = reader.call(lambda client: client.list_orders(per_page=_PER_PAGE, invoiced=(first, last)))  # noqa: B023
        if page.total >= _PAGES * _PER_PAGE and last > first:
            last = first + (last - first) // (2 * _MILLISECOND) * _MILLISECOND
            continue
        order_ids = dict.fromkeys(page.order_ids)
        for number in range(2, min(page.pages, _PAGES) + 1):
            page = reader.call(
                lambda client: client.list_orders(page=number, per_page=_PER_PAGE, invoiced=(first, last))  # noqa: B023
            )
            order_ids |= dict.fromkeys(page.order_ids)
        missing = max(0, page.total - len(order_ids))
        if not missing or attempt == _ATTEMPTS:
            reader.synced.listed += len(order_ids)
            reader.synced.unlisted += missing
            return (first, last), [*order_ids]
        attempt += 1
