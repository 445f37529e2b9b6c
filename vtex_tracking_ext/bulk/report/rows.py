"""A journal's entries as JSON lines and as CSV, for programs and for spreadsheets. Streams: it keeps nothing. Pure.

The columns are those of an input file, and what became of the entry. ``state`` is the event's, as in the input; the
journal's word is ``outcome``.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.input.csv_injection import MARK, escape_cell
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator

    from vtex_tracking_ext.bulk.journal.entries import Entry

#: What is told of an entry, in this order.
FIELDS: Final = (
    "account",
    "order_id",
    "invoice_number",
    "kind",
    "date",
    "city",
    "state",
    "description",
    "is_delivered",
    "delivered_date",
    "outcome",
    "status_code",
    "receipt",
    "reason",
    "attempts",
    "source",
    "line",
    "added",
    "begun",
    "settled",
    "number",
)

#: Characters that a cell shows; a spreadsheet takes 32,767, also where every tenth of these needs a long escape.
CELL_LENGTH: Final = 16_000

_TO_JSON: Final = json.JSONEncoder(ensure_ascii=False).encode

#: Tells spreadsheets that the file is UTF-8.
BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"


def values_of(entry: Entry) -> dict[str, str | int | bool | None]:
    """Return what is told of an entry, under the names of :data:`FIELDS`; None where there is nothing to tell."""
    event = entry.event
    values: tuple[str | int | bool | None, ...] = (
        entry.package.account,
        entry.package.order_id,
        entry.package.invoice_number,
        entry.kind,
        None if event is None else str(event.date),
        None if event is None else event.city,
        None if event is None else event.state,
        None if event is None else event.description,
        event is None,
        entry.delivered_date,
        entry.state,
        entry.status_code,
        entry.receipt,
        entry.reason,
        entry.attempts,
        entry.place.source,
        entry.place.line,
        iso(entry.added),
        None if entry.begun is None else iso(entry.begun),
        None if entry.settled is None else iso(entry.settled),
        entry.id,
    )
    return dict(zip(FIELDS, values, strict=True))


def json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield each entry as a line of JSON, with its end. Texts are exact; what does not print is a JSON escape."""
    for entry in entries:
        line = _TO_JSON(values_of(entry))
        yield f"{line if line.isprintable() else ''.join(map(_json_shown, line))}\n"


def csv_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield a byte order mark, the header and a row for each entry, each with its end, to be written as UTF-8.

    A person is to look at it, so texts are shown as messages show them (:func:`~vtex_tracking_ext.text.visible`), and
    cells that a spreadsheet would run are made safe. The reason of such a row says so, as in a rejects file, and so
    the cells are what they were if rows of it are pushed again (:mod:`vtex_tracking_ext.bulk.input.csv_injection`).
    """
    writer = csv.writer(_Echo())
    yield BYTE_ORDER_MARK + writer.writerow(FIELDS)
    reason = FIELDS.index("reason")
    for entry in entries:
        cells = [_cell(value) for value in values_of(entry).values()]
        made_safe = [escape_cell(cell) for cell in cells]
        if made_safe != cells:
            made_safe[reason] = f"{made_safe[reason]} {MARK}".lstrip()
        yield writer.writerow(made_safe)


class _Echo:
    """A file that hands back what is written to it: ``writerow`` returns what ``write`` does."""

    @staticmethod
    def write(text: str) -> str:
        return text


def _cell(value: str | int | bool | None) -> str:  # noqa: FBT001 - a cell may be a flag
    if isinstance(value, str):
        return value if value.isprintable() and len(value) <= CELL_LENGTH else visible(value, CELL_LENGTH)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _json_shown(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


def iso(moment: dt.datetime) -> str:
    """Return a moment in UTC as ISO 8601, to the millisecond: ``2026-11-23T12:00:00.123Z``."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
