"""Check rows that a program passes: mappings with the columns of a file, or updates as they would be sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.call.validation import format_delivered_date, format_event_date, update_problems
from vtex_tracking_ext.events import TrackingUpdate

from .columns import Columns
from .csv_jsonl import check_object
from .rows import Place, Row, RowProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The source in the places of rows that a program passed; the number after it counts from 1.
SOURCE: Final = "rows"

#: What a program may pass as a row.
RowInput = Row | RowProblem | TrackingUpdate | Mapping[str, Any]

_COLUMNS: Final = Columns(SOURCE)


def check_rows(items: Iterable[RowInput], now: dt.datetime) -> Iterator[Row | RowProblem]:
    """Yield checked rows; for a row that cannot be sent, each of its problems.

    Args:
        items: Rows or problems as :func:`~.reader.read_rows` yields them, which pass unchanged; mappings with the
            columns of a file, whose dates may be dates and datetimes, and whose time may be a ``datetime.time``; or
            updates, of which each event becomes a row.
        now: The current time, aware; see :func:`vtex_tracking_ext.call.validation.update_problems`.
    """
    unchecked: Iterable[object] = items  # the caller may not use a type checker
    for number, item in enumerate(unchecked, 1):
        place = Place(SOURCE, number)
        if isinstance(item, Row | RowProblem):
            yield item
        elif isinstance(item, TrackingUpdate):
            yield from _update_rows(item, place, now)
        elif isinstance(item, Mapping):
            yield from _mapping_rows(item, place, now)
        else:
            kind = type(item).__name__
            message = f"{kind} is not a row; pass a mapping with the columns of a file, or a TrackingUpdate"
            yield RowProblem(place, "", message)


def _update_rows(update: TrackingUpdate, place: Place, now: dt.datetime) -> Iterator[Row | RowProblem]:
    problems = update_problems(update, now)
    if problems:
        yield from (RowProblem(place, problem.place, problem.message) for problem in problems)
        return
    for event in update.events:
        yield Row(place, "", update.order_id, update.invoice_number, event, is_delivered=False, delivered_date=None)
    if update.is_delivered:
        moment = None if update.delivered_date is None else format_delivered_date(update.delivered_date)
        yield Row(place, "", update.order_id, update.invoice_number, None, is_delivered=True, delivered_date=moment)


def _mapping_rows(item: Mapping[str, Any], place: Place, now: dt.datetime) -> Iterable[Row | RowProblem]:
    document: dict[str, object] = {}
    for key, value in item.items():
        name = str(key)
        is_moment = _COLUMNS.field_of(name) == "delivered_date"
        if isinstance(value, dt.datetime) and is_moment and value.tzinfo is not None:
            now = now.astimezone(value.tzinfo)  # whether it is in the future is decided in its own time zone
        if isinstance(value, dt.date):
            document[name] = format_delivered_date(value) if is_moment else format_event_date(value)
        else:
            document[name] = f"{value:%H:%M:%S}" if isinstance(value, dt.time) else value
    return check_object(place, document, None, _COLUMNS, now)
