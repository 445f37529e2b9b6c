"""Rows that a program gives: mappings with the columns of a file, or updates as they would be sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.call.checks import format_delivered_date, format_event_date, update_problems
from vtex_tracking_ext.events import TrackingUpdate

from .columns import COLUMNS, Columns
from .csv_jsonl import values_of
from .records import Place, Row, RowProblem
from .rows import checked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: How places name what came from a program; the number after it counts from 1.
SOURCE: Final = "rows"

#: What a program may give.
Given = Row | RowProblem | TrackingUpdate | Mapping[str, Any]

_COLUMNS: Final = Columns(SOURCE)
_MOMENTS: Final = frozenset({"delivered_date", COLUMNS["delivered_date"]})


def rows_of(given: Iterable[Given], now: dt.datetime) -> Iterator[Row | RowProblem]:
    """Yield checked rows, or each of the problems of one that cannot be sent.

    Args:
        given: Rows or problems as :func:`~.rows.read_rows` yields them, which pass as they are; mappings with the
            columns of a file, whose dates may be dates and datetimes; or updates, of which each event becomes a row.
        now: The current time, aware; see :func:`vtex_tracking_ext.call.checks.update_problems`.
    """
    items: Iterable[object] = given  # whatever a program gave
    for number, item in enumerate(items, 1):
        place = Place(SOURCE, number)
        if isinstance(item, Row | RowProblem):
            yield item
        elif isinstance(item, TrackingUpdate):
            yield from _of_update(item, place, now)
        elif isinstance(item, Mapping):
            yield from _of_mapping(item, place, now)
        else:
            message = f"{type(item).__name__} is no row; give a mapping with the columns of a file, or a TrackingUpdate"
            yield RowProblem(place, "", message)


def _of_update(update: TrackingUpdate, place: Place, now: dt.datetime) -> Iterator[Row | RowProblem]:
    problems = list(update_problems(update, now))
    if problems:
        yield from (RowProblem(place, problem.place, problem.message) for problem in problems)
        return
    for event in update.events:
        yield Row(place, "", update.order_id, update.invoice_number, event, is_delivered=False, delivered_date=None)
    if update.is_delivered:
        moment = None if update.delivered_date is None else format_delivered_date(update.delivered_date)
        yield Row(place, "", update.order_id, update.invoice_number, None, is_delivered=True, delivered_date=moment)


def _of_mapping(item: Mapping[str, Any], place: Place, now: dt.datetime) -> Iterator[Row | RowProblem]:
    document: dict[str, object] = {}
    for key, value in item.items():
        is_moment = key in _MOMENTS
        if isinstance(value, dt.datetime) and is_moment and value.tzinfo is not None:
            now = now.astimezone(value.tzinfo)  # whether it lies in the future is asked where the clock said so
        document[str(key)] = _plain(value, is_moment=is_moment)
    values, faults = values_of(document, _COLUMNS)
    yield from checked((place, values, None, faults), now)


def _plain(value: object, *, is_moment: bool) -> object:
    """Return a value as a file of JSON lines would have it."""
    if isinstance(value, dt.date):
        return format_delivered_date(value) if is_moment else format_event_date(value)
    return value
