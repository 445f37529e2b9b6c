"""What the reading of an order says about entries in doubt. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.readback import Shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vtex_tracking_ext.events import Package

    from .entries import Entry

#: On whose word an entry is applied that no answer confirmed.
FOUND: Final = "found when the order was read"

#: Why entries stay in doubt.
NOT_SHOWN: Final = "the order does not show it; VTEX may not have got it, or not show it yet"


def found_among(packages: Iterable[Package], invoice_number: str, entries: Iterable[Entry]) -> frozenset[int]:
    """Return the numbers of those entries that stand on an order.

    What is known to be applied is looked for first, each shown event standing for one entry alone: an order tells
    two dates of an event and not which is its own, so an applied event of one day could otherwise pass for one in
    doubt of another, which would then never be sent.

    Args:
        packages: The packages of the order, as read.
        invoice_number: The invoice whose entries they are.
        entries: Its entries, applied ones and those in doubt, in any order.
    """
    shown = Shown(invoice_number, packages)
    return frozenset(
        entry.id
        for entry in sorted(entries, key=lambda entry: entry.state != "applied")
        if (shown.is_delivered(entry.delivered_date) if entry.event is None else shown.take(entry.event))
    )
