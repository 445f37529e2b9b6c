"""Read packages from an order, and tell whether the order shows an update, and why one was refused. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, TypeVar

from vtex_oms_client import models

from vtex_tracking_ext.errors import ConflictError, NotFoundError, RefusedError
from vtex_tracking_ext.events import DateLike, Package, PackageEvent, TrackingEvent, TrackingUpdate
from vtex_tracking_ext.text import comparable, visible

from .validation import format_delivered_date, format_event_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

M = TypeVar("M", models.Package, models.CourierEvent)

#: The types of packages that are no returns.
_TO_SHOPPER: Final = frozenset({"Output", None})

#: Invoice numbers that a reason names, and the characters of each.
_NAMED_INVOICES: Final = 5
_NUMBER_LENGTH: Final = 60


def packages_of(order: models.Order) -> tuple[Package, ...]:
    """Return the packages of an order. Parts that do not have the shape of VTEX's contract are left out."""
    attachment = order.package_attachment
    packages = attachment.packages if isinstance(attachment, models.PackageAttachment) else None
    return tuple(_package(entry) for entry in _parsed(packages, models.Package))


def _package(entry: models.Package) -> Package:
    status = entry.courier_status if isinstance(entry.courier_status, models.CourierStatus) else models.CourierStatus()
    return Package(
        invoice_number=_text(entry.invoice_number),
        type=_text(entry.type_),
        tracking_number=_text(entry.tracking_number),
        tracking_url=_text(entry.tracking_url),
        courier=_text(entry.courier),
        finished=status.finished is True,
        delivered_date=_text(status.delivered_date),
        events=tuple(_event(event) for event in _parsed(status.data, models.CourierEvent)),
        invoice_key=_text(entry.invoice_key),
        issuance_date=_text(entry.issuance_date),
    )


def _event(entry: models.CourierEvent) -> PackageEvent:
    last_change, create_date = _text(entry.last_change), _text(entry.create_date)
    return PackageEvent(
        date=(last_change or create_date or "")[: len("yyyy-mm-dd")],
        description=_text(entry.description) or "",
        city=_text(entry.city) or "",
        state=_text(entry.state) or "",
        last_change=last_change,
        create_date=create_date,
    )


def _parsed(value: object, model: type[M]) -> list[M]:
    """Return the elements of a list as generated models.

    If one element has an unexpected shape, the generated parser leaves the whole list as JSON. Each object in the list
    is then parsed by itself.
    """
    entries: list[Any] = value if isinstance(value, list) else []
    parsed = [model.from_dict(entry) if isinstance(entry, dict) else entry for entry in entries]
    return [entry for entry in parsed if isinstance(entry, model)]


def was_applied(update: TrackingUpdate, packages: Iterable[Package]) -> bool | None:
    """Tell whether an order shows an update.

    Returns:
        True if the order shows all of it, False if it shows nothing of it, None if it shows a part. Right after
        sending, False is no proof: VTEX shows an accepted change some seconds later (seen: 6 s).
    """
    invoice = RecordedInvoice(update.invoice_number, packages)
    found, expected = max_matching([invoice.matches(event) for event in update.events]), len(update.events)
    if update.is_delivered:
        found, expected = found + invoice.is_delivered(update.delivered_date), expected + 1
    return True if found == expected else None if found else False


class RecordedInvoice:
    """What an order shows of one invoice, for comparison with what was sent.

    Args:
        invoice_number: Number of the invoice.
        packages: The packages of its order. Returns are ignored.

    Attributes:
        exists: Whether the order shows the invoice.
    """

    def __init__(self, invoice_number: str, packages: Iterable[Package]) -> None:
        self._packages = packages_of_invoice(packages, invoice_number)
        self.exists = bool(self._packages)
        self._records: defaultdict[tuple[str, ...], list[tuple[int, set[str]]]] = defaultdict(list)
        events = (event for package in self._packages for event in package.events)
        for number, event in enumerate(events):
            # VTEX does not document which of the two dates is the event's own, so both are accepted.
            days = {text[: len("yyyy-mm-dd")] for text in (event.last_change, event.create_date) if text}
            self._records[comparison_key(event)].append((number, days))

    def matches(self, event: TrackingEvent) -> frozenset[int]:
        """Return the numbers of the recorded events that equal an event, for :func:`max_matching`."""
        day = format_event_date(event.date)
        return frozenset(number for number, days in self._records.get(comparison_key(event), ()) if day in days)

    def is_delivered(self, delivered_date: DateLike | None) -> bool:
        """Tell whether the invoice is shown as delivered; the day is compared if both sides have one."""
        day = None if delivered_date is None else format_delivered_date(delivered_date)[: len("yyyy-mm-dd")]
        return any(
            package.finished and (day is None or (package.delivered_date or day)[: len(day)] == day)
            for package in self._packages
        )


def packages_of_invoice(packages: Iterable[Package], invoice_number: str) -> list[Package]:
    """Return the packages that have an invoice number, without returns."""
    return [each for each in packages if each.invoice_number == invoice_number and each.type in _TO_SHOPPER]


def invoice_numbers_of(packages: Iterable[Package]) -> tuple[str, ...]:
    """Return the invoice numbers of an order without those of returns, each once."""
    numbers = (package.invoice_number for package in packages if package.type in _TO_SHOPPER)
    return tuple(dict.fromkeys(filter(None, numbers)))


def can_be_explained(error: RefusedError) -> bool:
    """Return whether the order can show why an update was refused; see :func:`explain_refusal`."""
    # VTEX documented OMS003 with the status 409, and was seen to send it with 400.
    return isinstance(error, NotFoundError | ConflictError) or error.code == "OMS003"


def explain_refusal(error: RefusedError, order_id: str, invoice_number: str, packages: Sequence[Package]) -> str:
    """Return the reason of a refused update with what is wrong with the invoice, as far as its order shows that.

    Args:
        error: The refusal.
        order_id: The order.
        invoice_number: The invoice.
        packages: The packages of the order.
    """
    shown = packages_of_invoice(packages, invoice_number)
    if shown and not any(package.tracking_number for package in shown):
        return (
            f"{error.reason.removesuffix('.')}; the invoice has no tracking number yet. Set it, and send "
            f"the events again: vtex-tracking set-tracking-number {order_id} {invoice_number} NUMBER"
        )
    if isinstance(error, NotFoundError):
        return explain_not_found(error.reason, invoice_number, invoice_numbers_of(packages))
    return error.reason


def explain_not_found(reason: str, invoice_number: str, numbers: Sequence[str]) -> str:
    """Return a reason with the invoices that the order has; unchanged if the invoice is among them.

    Args:
        reason: The reason, as a sentence.
        invoice_number: The invoice that was not found.
        numbers: The invoice numbers of the order; see :func:`invoice_numbers_of`.
    """
    if invoice_number in numbers:
        return reason
    named = [visible(number, _NUMBER_LENGTH) for number in numbers[:_NAMED_INVOICES]]
    similar = next((number for number in numbers if number.lstrip("0") == invoice_number.lstrip("0")), None)
    if similar is not None:
        change = "lose its zeros" if len(similar) > len(invoice_number) else "add zeros"
        hint = f"invoice {visible(similar, _NUMBER_LENGTH)}; did the file {change}?"
    elif len(numbers) > 1:
        named = named if len(numbers) == len(named) else [*named, f"{len(numbers) - len(named)} more"]
        hint = f"the invoices {', '.join(named[:-1])} and {named[-1]}."
    else:
        hint = f"the invoice {named[0]}." if named else "no invoice yet."
    return f"{reason.removesuffix('.')}; the order has {hint}"


def max_matching(candidates: Sequence[frozenset[int]]) -> int:
    """Return how many events can be paired with a recorded event of their own: the size of a maximum matching.

    A recorded event may match several events with equal texts, because it has two dates. Pairing each event with the
    first record that matches could therefore leave none for a later event.

    Args:
        candidates: For each event, the numbers of the recorded events that match it.
    """
    event_of: dict[int, int] = {}
    record_of: dict[int, int] = {}
    for event in range(len(candidates)):
        # Find an augmenting path: from the event to its candidates, from those to the events that they are paired with,
        # and so on, until a record is free. Without recursion, because a path may be longer than Python's stack.
        reached_from: dict[int, int] = {}
        pending = [event]
        while pending:
            current = pending.pop()
            for record in candidates[current]:
                if record not in reached_from:
                    reached_from[record] = current
                    if record in event_of:
                        pending.append(event_of[record])
        free = next((record for record in reached_from if record not in event_of), None)
        while free is not None:  # pair each event on the path with the record that was reached from it
            current = reached_from[free]
            event_of[free] = current
            record_of[current], free = free, record_of.get(current)
    return len(event_of)


def comparison_key(event: TrackingEvent | PackageEvent) -> tuple[str, ...]:
    """Return an event's texts in the form in which they are compared."""
    return comparable(event.description), comparable(event.city), comparable(event.state)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
