"""Which packages should have moved on: invoiced without an event, sent without a delivery, delivered but not shown."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vtex_tracking_ext.bulk.journal.interface import JournalReader

Reason: TypeAlias = Literal["no_event", "no_delivery", "not_finished"]

#: Statuses of orders of which nothing is expected any more.
_CLOSED: Final = frozenset({"canceled", "cancel", "replaced"})

#: Seconds between a delivery and the reading of its order after which the order must show it. VTEX shows it some
#: seconds later; the clocks of the journal's machines may differ.
_SHOWN_AFTER: Final = 3600


@frozen
class StalePackage:
    """A package that should have moved on.

    Attributes:
        reason: ``no_event``: it was invoiced, and the journal has no event of it. ``no_delivery``: the journal has an
            event, and no delivery. ``not_finished``: the delivery was applied, and the order, read an hour later or
            more, does not show it.
        account: The account as the journal names it.
        order_id: Order id.
        invoice_number: Invoice number.
        tracking_number: Tracking number, or empty.
        courier: Name of the carrier, or empty.
        since: The day of the invoice, of the first event, or of the delivery.
        days: How many days ago that is.
    """

    reason: Reason
    account: str
    order_id: str
    invoice_number: str
    tracking_number: str
    courier: str
    since: dt.date
    days: int


def stale_packages(
    journal: JournalReader, invoiced_days: int, shipped_days: int, today: dt.date | None = None
) -> Iterator[StalePackage]:
    """Yield the packages that should have moved on, the oldest of each reason first.

    A package whose invoice has no date in the index, or in a format that does not begin with ``yyyy-mm-dd``, is left
    out until its order is read. So are packages of orders that were cancelled or replaced.

    Args:
        journal: The journal.
        invoiced_days: How many days after its invoice a package should have an event.
        shipped_days: How many days after its first event a package should be delivered.
        today: The current day. By default, that of this machine in UTC.

    Raises:
        JournalError: The journal cannot be used.
    """
    today = today or dt.datetime.now(dt.UTC).date()
    for *package, invoiced, status in journal.select("stale_without_entry"):
        since = _day(invoiced)
        if since is not None and (today - since).days >= invoiced_days and status not in _CLOSED:
            yield _stale("no_event", package, since, today)
    not_finished = []
    for *package, first_day, status, delivered, has_delivery, finished, read_at in journal.select("stale_with_entries"):
        if status in _CLOSED:
            continue
        since = _day(first_day or "")
        if not has_delivery and not finished and since is not None and (today - since).days >= shipped_days:
            yield _stale("no_delivery", package, since, today)
        if delivered is not None and finished == 0 and read_at > delivered + _SHOWN_AFTER:
            since = dt.datetime.fromtimestamp(delivered, dt.UTC).date()
            not_finished.append(_stale("not_finished", package, since, today))
    yield from sorted(not_finished, key=lambda each: each.since)


def _stale(reason: Reason, package: Sequence[str], since: dt.date, today: dt.date) -> StalePackage:
    account, order_id, invoice_number, tracking_number, courier = package
    days = (today - since).days
    return StalePackage(reason, account, order_id, invoice_number, tracking_number, courier, since, days)


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text[: len("yyyy-mm-dd")])
    except ValueError:
        return None
