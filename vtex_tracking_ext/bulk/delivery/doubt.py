"""Which entries in doubt an order shows. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.call.order_lookup import RecordedInvoice, comparison_key, max_matching

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vtex_tracking_ext.bulk.journal.entries import Entry
    from vtex_tracking_ext.events import Package

#: The reason of an entry that is applied although no answer confirmed it.
FOUND: Final = "found when the order was read"

#: The reason of an entry that stays in doubt.
NOT_SHOWN: Final = "the order does not show it; VTEX may not have received it, or not show it yet"


def found_among(packages: Iterable[Package], invoice_number: str, entries: Iterable[Entry]) -> frozenset[int]:
    """Return the ids of those entries in doubt that an order certainly shows.

    An order shows two dates of an event without saying which one was sent, so a shown event may match two entries that
    differ only in the day. An entry in doubt counts as found only if the other entries together cannot account for
    everything that is shown. Otherwise it stays in doubt: an entry that is wrongly applied is never sent.

    Args:
        packages: The packages of the order.
        invoice_number: The invoice number of the entries' package.
        entries: The package's entries that are applied or in doubt.
    """
    shown = RecordedInvoice(invoice_number, packages)
    candidates = tuple(entries)
    groups: defaultdict[tuple[str, ...], dict[int, frozenset[int]]] = defaultdict(dict)  # by their texts
    for entry in candidates:
        if entry.event is not None:
            groups[comparison_key(entry.event)][entry.id] = shown.matches(entry.event)
    most = {texts: max_matching(tuple(group.values())) for texts, group in groups.items()}

    def is_there(entry: Entry) -> bool:
        if entry.event is None:
            return shown.is_delivered(entry.delivered_date)
        texts = comparison_key(entry.event)
        return most[texts] > max_matching([fits for id_, fits in groups[texts].items() if id_ != entry.id])

    return frozenset(entry.id for entry in candidates if entry.state != "applied" and is_there(entry))
