"""Rows and entries: as lines for people, and as documents for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.input.rows import Row
    from vtex_tracking_ext.bulk.journal.entries import Entry


def row_line(row: Row) -> str:
    """Return a line about a row as it would be sent."""
    where = f"line {row.place.line}: order {row.order_id}, invoice {row.invoice_number}"
    what = []
    if row.event is not None:
        place = ", ".join(filter(None, (row.event.city, row.event.state)))
        moment = f"{row.event.date} {row.time}".strip()
        what.append(f"{moment} {row.event.description}{place and f' ({place})'}")
    if row.is_delivered:
        what.append(f"delivered {row.delivered_date or ''}".strip())
    return f"{where}: {'; '.join(what)}"


def row_document(row: Row) -> dict[str, Any]:
    """Return a row as it would be sent, for programs."""
    event = row.event
    return {
        "line": row.place.line,
        "account": row.account,
        "order_id": row.order_id,
        "invoice_number": row.invoice_number,
        "date": None if event is None else event.date,
        "time": row.time,
        "city": "" if event is None else event.city,
        "state": "" if event is None else event.state,
        "description": "" if event is None else event.description,
        "is_delivered": row.is_delivered,
        "delivered_date": row.delivered_date,
        "event_id": row.event_id,
    }


def event_line(entry: Entry) -> str:
    """Return a line about an entry, without its package."""
    event = entry.event
    what = "the delivery" if event is None else f"{event.date} {visible(event.description, 60)}"
    if event is None and entry.delivered_date:
        what += f" on {entry.delivered_date}"
    return f"{what} ({visible(str(entry.place))})"


def entry_document(entry: Entry) -> dict[str, Any]:
    """Return an entry for programs."""
    package, event = entry.package, entry.event
    return {
        "id": entry.id,
        "account": package.account,
        "order_id": package.order_id,
        "invoice_number": package.invoice_number,
        "kind": entry.kind,
        "date": entry.delivered_date if event is None else event.date,
        "description": "" if event is None else event.description,
        "source": entry.place.source,
        "line": entry.place.line,
        "reason": entry.reason,
    }


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def entries_text(number: int) -> str:
    """Return how many entries there are."""
    return counted(number, "event", "events and deliveries")
