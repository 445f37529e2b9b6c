"""Check rows that a program passes: mappings with the columns of a file, a data frame, or updates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.call.validation import format_delivered_date, update_problems
from vtex_tracking_ext.events import TrackingUpdate

from .columns import Columns
from .json_rows import JsonReader
from .rows import Place, Row, RowNote, RowProblem, RowReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .layout import Layout

#: The source in the places of rows that a program passed; the number after it counts from 1.
SOURCE: Final = "rows"

#: What a program may pass as a row.
RowInput = Row | RowProblem | RowNote | TrackingUpdate | Mapping[str, Any]


def check_rows(items: Iterable[RowInput], now: dt.datetime, layout: Layout) -> Iterator[Row | RowProblem | RowNote]:
    """Return checked rows; for a row that cannot be sent, each of its problems.

    Args:
        items: Rows, problems and notes as :func:`~.reader.read_rows` yields them, which pass unchanged; mappings with
            the columns of a file, such as those of ``csv.DictReader``, whose dates may be dates and datetimes, and
            whose time may be a ``datetime.time``; updates, of which each event becomes a row; or a data frame of pandas
            or Polars.
        now: The current time, aware; see :func:`vtex_tracking_ext.call.validation.update_problems`.
        layout: How mappings are to be read.

    Raises:
        TypeError: A single row, a path or another object is passed instead of rows, or a data frame with two columns
            of one name.
    """
    value: object = items  # the caller may not use a type checker
    frame = _frame_rows(value)
    if frame is None and (wrong := _wrong_call(value)):
        raise TypeError(f"rows is {type(value).__name__}, not rows: {wrong}")
    return _check_rows(items if frame is None else frame, now, layout, is_frame=frame is not None)


def _check_rows(
    items: Iterable[object], now: dt.datetime, layout: Layout, *, is_frame: bool
) -> Iterator[Row | RowProblem | RowNote]:
    columns = Columns(SOURCE, layout)
    reader = JsonReader(columns, RowReader(layout, now))
    for number, item in enumerate(items, 1):
        place = Place(SOURCE, number)
        if isinstance(item, Row | RowProblem | RowNote):
            yield item
        elif isinstance(item, TrackingUpdate):
            yield from _update_rows(item, place, now)
        elif isinstance(item, Mapping) and any(str(cell).strip() for cell in item.get(None) or ()):
            # csv.DictReader has the cells beyond the header under None
            message = "more cells than the header has; quote a cell that contains the delimiter"
            yield RowProblem(place, "", message)
        elif isinstance(item, Mapping):
            yield from reader.read(
                place, {str(key): _plain(value, is_frame) for key, value in item.items() if key is not None}, None
            )
        else:
            kind = type(item).__name__
            message = f"{kind} is not a row; pass a mapping with the columns of a file, or a TrackingUpdate"
            yield RowProblem(place, "", message)
    yield from reader.absent_keys(SOURCE)


def _wrong_call(value: object) -> str:
    """Return what to pass instead of a value that is no rows, or an empty text."""
    if isinstance(value, str | bytes | PathLike):
        return "read a file with push(read_rows(path, now), ...), from vtex_tracking_ext.bulk.input.reader"
    if isinstance(value, Mapping | TrackingUpdate | Row):
        return "pass a list with it: push([row], ...)"
    if hasattr(value, "to_frame"):  # a Series of pandas or Polars
        return "pass the data frame, or dictionaries: push(frame, ...)"
    return "" if isinstance(value, Iterable) else "pass a list of dictionaries, a data frame, or TrackingUpdate objects"


def _frame_rows(value: object) -> Iterator[Mapping[str, Any]] | None:
    """Yield the rows of a data frame of Polars or pandas; None for any other object."""
    frame: Any = value
    if hasattr(frame, "iter_rows") and hasattr(frame, "dtypes"):
        rows: Iterator[Mapping[str, Any]] = frame.iter_rows(named=True)
        return rows
    if not (hasattr(frame, "itertuples") and hasattr(frame, "dtypes")):
        return None
    names = [str(name) for name in frame.columns]
    if len({*names}) < len(names):
        raise TypeError(f"rows is {type(value).__name__} with two columns of one name: rename or drop one")
    return (dict(zip(names, row, strict=True)) for row in frame.itertuples(index=False, name=None))


def _plain(value: object, is_frame: bool) -> object:  # noqa: FBT001 - private
    """Return a value of a mapping as JSON could hold it: what is missing as None, and dates and times as text.

    A number of a data frame is text: the frame cannot say whether a column holds numbers or digits.
    """
    if type(value).__module__ == "numpy":
        value = _from_numpy(value)
    if _is_missing(value):
        return None
    if isinstance(value, dt.datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dt.time):
        return f"{value:%H:%M:%S}"
    if is_frame and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _from_numpy(value: Any) -> object:
    """Return a scalar of NumPy as Python's own type; a time of NumPy may count nanoseconds, which would be a number."""
    item: object = (value.astype("datetime64[us]") if value.dtype.kind == "M" else value).item()
    return item


def _is_missing(value: object) -> bool:
    """Return whether a value is what a data frame writes where one is missing: None, NaN, NaT or NA."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124 - true for NaN and NaT
    except TypeError:  # the truth value of pandas' NA is an error
        return type(value).__name__ == "NAType"
    except Exception:  # noqa: BLE001 - a value of the caller's own class may raise anything
        return False


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
