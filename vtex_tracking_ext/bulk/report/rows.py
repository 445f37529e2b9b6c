"""Write a journal's entries as JSON lines, for programs, and as CSV, for spreadsheets. Streams. Pure.

The columns are those of an input file, and the outcome of the entry. ``state`` is the event's, as in the input; the
entry's state in the journal is ``outcome``.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Final, TypeAlias

from vtex_tracking_ext.bulk.input.csv_injection import MARK, escape_cell
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator

    from vtex_tracking_ext.bulk.journal.entries import Entry

Value: TypeAlias = str | int | bool | None

#: Most characters of a cell. A spreadsheet accepts 32,767, which is enough even if every tenth needs a long escape.
MAX_CELL_LENGTH: Final = 16_000

_TO_JSON: Final = json.JSONEncoder(ensure_ascii=False).encode

#: Tells spreadsheets that the file is UTF-8.
BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"


def iso(moment: dt.datetime | None) -> str | None:
    """Return a time in UTC as ISO 8601, to the millisecond: ``2026-11-23T12:00:00.123Z``."""
    return None if moment is None else f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


#: The columns, each with a function that returns its value of an entry, or None without one.
_COLUMNS: Final[dict[str, Callable[[Entry], Value]]] = {
    "account": lambda entry: entry.package.account,
    "order_id": lambda entry: entry.package.order_id,
    "invoice_number": lambda entry: entry.package.invoice_number,
    "kind": lambda entry: entry.kind,
    "date": lambda entry: str(entry.event.date) if entry.event else None,
    "city": lambda entry: entry.event.city if entry.event else None,
    "state": lambda entry: entry.event.state if entry.event else None,
    "description": lambda entry: entry.event.description if entry.event else None,
    "is_delivered": lambda entry: entry.event is None,
    "delivered_date": lambda entry: entry.delivered_date,
    "event_id": lambda entry: entry.event_id or None,
    "time": lambda entry: entry.time or None,
    "outcome": lambda entry: entry.state,
    "status_code": lambda entry: entry.status_code,
    "receipt": lambda entry: entry.receipt,
    "reason": lambda entry: entry.reason,
    "attempts": lambda entry: entry.attempts,
    "source": lambda entry: entry.place.source,
    "line": lambda entry: entry.place.line,
    "added": lambda entry: iso(entry.added),
    "begun": lambda entry: iso(entry.begun),
    "settled": lambda entry: iso(entry.settled),
    "number": lambda entry: entry.id,
    "volume": lambda entry: entry.volume or None,
    "held_until": lambda entry: iso(entry.not_before),
}
FIELDS: Final = tuple(_COLUMNS)


def json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield each entry as a line of JSON with its line end; unprintable characters are written as JSON escapes."""
    for entry in entries:
        line = _TO_JSON({name: value(entry) for name, value in _COLUMNS.items()})
        yield f"{line if line.isprintable() else ''.join(map(_printable, line))}\n"


def csv_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield a byte order mark, the header and a row for each entry, each with its line end, to be written as UTF-8.

    People read it, so texts are shown as in messages (:func:`~vtex_tracking_ext.text.visible`), and cells that a
    spreadsheet would run are escaped and marked as in a rejects file, so that rows of it can be pushed again
    (:mod:`vtex_tracking_ext.bulk.input.csv_injection`).
    """
    writer = csv.writer(_Echo())
    yield BYTE_ORDER_MARK + writer.writerow(FIELDS)
    reason = FIELDS.index("reason")
    for entry in entries:
        cells = [_cell(value(entry)) for value in _COLUMNS.values()]
        escaped = [escape_cell(cell) for cell in cells]
        if escaped != cells:
            escaped[reason] = f"{escaped[reason]} {MARK}".lstrip()
        yield writer.writerow(escaped)


class _Echo:
    """A file whose ``write``, and so ``writerow``, returns the text."""

    @staticmethod
    def write(text: str) -> str:
        return text


def _cell(value: Value) -> str:
    if isinstance(value, str):
        return value if value.isprintable() and len(value) <= MAX_CELL_LENGTH else visible(value, MAX_CELL_LENGTH)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _printable(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]
