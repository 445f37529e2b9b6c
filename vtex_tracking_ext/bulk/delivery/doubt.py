"""What the reading of an order says about entries in doubt. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.call.order_lookup import RecordedInvoice, comparison_key, max_matching

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vtex_tracking_ext.bulk.journal.entries import Entry
    from vtex_tracking_ext.events import Package

#: On whose word an entry is applied that no answer confirmed.
FOUND: Final = "found when the order was read"

#: Why entries stay in doubt.
NOT_SHOWN: Final = "the order does not show it; VTEX may not have got it, or not show it yet"


def found_among(packages: Iterable[Package], invoice_number: str, entries: Iterable[Entry]) -> frozenset[int]:
    """Return the numbers of those entries in doubt that certainly stand on an order.

    An order tells two dates of an event and not which is its own, so one recorded event may fit two entries that differ
    in the day alone. An entry in doubt is there only if what is shown is too much for all the others together. Where it
    might as well be another's, it stays in doubt: taken for applied, it would never be sent.

    Args:
        packages: The packages of the order, as read.
        invoice_number: The invoice whose entries they are.
        entries: Its entries, applied ones and those in doubt.
    """
    shown = RecordedInvoice(invoice_number, packages)
    given = tuple(entries)
    groups: defaultdict[tuple[str, ...], dict[int, frozenset[int]]] = defaultdict(dict)  # by what they tell
    for entry in given:
        if entry.event is not None:
            groups[comparison_key(entry.event)][entry.id] = shown.matches(entry.event)
    most = {texts: max_matching(tuple(group.values())) for texts, group in groups.items()}

    def is_there(entry: Entry) -> bool:
        if entry.event is None:
            return shown.is_delivered(entry.delivered_date)
        texts = comparison_key(entry.event)
        return most[texts] > max_matching([fits for id_, fits in groups[texts].items() if id_ != entry.id])

    return frozenset(entry.id for entry in given if entry.state != "applied" and is_there(entry))
