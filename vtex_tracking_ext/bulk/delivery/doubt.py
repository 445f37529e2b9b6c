"""Entries in doubt: when to read their order, and what it proves. Pure."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from attrs import frozen

from vtex_tracking_ext.call.order_lookup import RecordedInvoice, comparison_key, max_matching

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vtex_tracking_ext.bulk.journal.entries import Entry
    from vtex_tracking_ext.events import Package

#: The reason of an entry that is applied although no answer confirmed it.
FOUND: Final = "found when the order was read"

#: The reason of an entry that stays in doubt.
NOT_SHOWN: Final = "the order does not show it; VTEX may not have received it, or not show it yet"

#: The reason of an entry that is sent again after it was in doubt.
SENT_AGAIN: Final = "the order did not show it long after it was sent; sent again"

#: For how long after its call an order may not yet show an entry that was applied. VTEX shows an accepted change after
#: about six seconds (observed).
MAX_DISPLAY_DELAY: Final = dt.timedelta(seconds=60)

#: The shortest time between a call and the first time that its order is read.
_SHORTEST_READ_DELAY: Final = dt.timedelta(seconds=2)

_AT_ONCE: Final = dt.datetime.min.replace(tzinfo=dt.UTC)


def next_read(entries: Iterable[Entry], resend_after: dt.timedelta | None) -> dt.datetime | None:
    """Return when to read the order of a package with entries in doubt, or None for not before anything changes.

    - At once, if a killed process left an entry in flight, or if a pending entry was added since the last read.
    - After an entry became unknown, ever less often, until VTEX must have shown it.
    - When ``resend_after`` has passed since its call, and ever less often after that: the order may not have been read
      whole.

    Args:
        entries: The open entries of the package.
        resend_after: How long after its call an entry that its order does not show counts as not applied.
    """
    entries = tuple(entries)
    last_added = max((entry.added for entry in entries if entry.state == "pending"), default=_AT_ONCE)
    times = []
    for entry in entries:
        if entry.state == "pending":
            continue
        if entry.begun is None or entry.settled is None or last_added > entry.settled:
            return _AT_ONCE
        age = entry.settled - entry.begun
        if age < MAX_DISPLAY_DELAY:
            times.append(entry.begun + 2 * age + _SHORTEST_READ_DELAY)
        elif resend_after is not None:
            times.append(entry.begun + max(resend_after, 2 * age))
    return min(times, default=None)


@frozen
class Comparison:
    """Which entries in doubt an order certainly shows, and which it certainly does not show.

    An order shows two dates of an event without saying which one was sent, so a shown event may match two entries that
    differ only in the day. An entry counts as found only if the other entries together cannot account for everything
    that is shown: an entry that is wrongly applied is never sent. It counts as absent only if entries that were applied
    a while ago account for every event that it matches: an entry that is wrongly absent is sent twice. Otherwise it
    stays in doubt.

    Attributes:
        found: The ids of the entries that it shows.
        absent: The ids of those that it does not show. None is absent if the order was not read completely: it lacks
            the invoice, or an entry that was applied a while ago.
    """

    found: frozenset[int] = frozenset()
    absent: frozenset[int] = frozenset()


def compare_with_order(
    packages: Iterable[Package], invoice_number: str, entries: Iterable[Entry], now: dt.datetime
) -> Comparison:
    """Return which entries in doubt an order shows.

    Args:
        packages: The packages of the order.
        invoice_number: The invoice number of the entries' package.
        entries: The package's entries that are applied or in doubt.
        now: When the order was read.
    """
    shown = RecordedInvoice(invoice_number, packages)
    groups: defaultdict[tuple[str, ...], list[Entry]] = defaultdict(list)  # by their texts
    deliveries: list[Entry] = []
    for entry in entries:
        (deliveries if entry.event is None else groups[comparison_key(entry.event)]).append(entry)

    def count_matched(events: Iterable[Entry]) -> int:
        return max_matching([shown.matches(entry.event) for entry in events if entry.event is not None])

    def is_long_applied(entry: Entry) -> bool:
        return entry.state == "applied" and (entry.begun is None or now - entry.begun > MAX_DISPLAY_DELAY)

    found, absent, is_complete = set[int](), set[int](), shown.exists
    for group in groups.values():
        old = [entry for entry in group if is_long_applied(entry)]
        is_complete = is_complete and count_matched(old) == len(old)
        for entry in group:
            if entry.state == "applied":
                continue
            if count_matched(group) > count_matched(other for other in group if other is not entry):
                found.add(entry.id)
            elif count_matched([*old, entry]) == count_matched(old):
                absent.add(entry.id)
    for delivery in deliveries:
        if delivery.state == "applied":
            is_complete = is_complete and (shown.is_delivered(None) or not is_long_applied(delivery))
        elif shown.is_delivered(delivery.delivered_date):
            found.add(delivery.id)
        elif not shown.is_delivered(None):
            absent.add(delivery.id)
    return Comparison(frozenset(found), frozenset(absent) if is_complete else frozenset())
