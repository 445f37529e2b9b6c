"""Rows, their locations and their problems; turning values into a row or its problems. Pure.

:mod:`vtex_tracking_ext.call.validation` holds the rules for values, such as the format of a date.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from attrs import field, frozen

from vtex_tracking_ext.call.validation import update_problems
from vtex_tracking_ext.config.redaction import redact_known
from vtex_tracking_ext.errors import VtexTrackingError
from vtex_tracking_ext.events import TrackingEvent, TrackingUpdate
from vtex_tracking_ext.text import quoted

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

Format = Literal["csv", "jsonl", "xlsx"]
Encoding = Literal["utf-8", "utf-8-sig", "windows-1252"]

#: A column, and a problem of its value that the format shows, such as a number where text is expected.
Fault: TypeAlias = tuple[str, str]

_FLAGS: Final = {
    **dict.fromkeys(("true", "1", "yes", "sim"), True),
    **dict.fromkeys(("", "false", "0", "no", "nao", "n\N{LATIN SMALL LETTER A WITH TILDE}o"), False),
}

_TIME: Final = re.compile("([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")

#: Most characters of an event id.
MAX_EVENT_ID_LENGTH: Final = 200


class InputFileError(VtexTrackingError):
    """A file cannot be used as a whole; the message names file and line, and how to correct it. Nothing was sent."""


@frozen
class Place:
    """The location of a row: the file as it was named, and the line from 1 up; in a sheet, the row number."""

    source: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line}"


@frozen
class Layout:
    """How a file writes its rows, so that a rejects file can be written likewise. All rows of a file share one.

    Attributes:
        format: ``csv`` or ``jsonl``; the rows of a sheet are written as CSV.
        delimiter: The character between cells; empty for JSON lines.
        encoding: The file's encoding; ``utf-8-sig`` begins with a byte order mark.
        header: The header's cells as they were written; empty for JSON lines.
        reasons: Indexes of the header's cells that hold the reasons of an earlier rejects file.
    """

    format: Literal["csv", "jsonl"]
    delimiter: str = ""
    encoding: Encoding = "utf-8"
    header: tuple[str, ...] = ()
    reasons: tuple[int, ...] = ()


@frozen
class RawRow:
    """A row as it stood in its file.

    Attributes:
        layout: How its file writes rows.
        content: Its cells (CSV, or a sheet's cells as text), or its line (JSON lines).
    """

    layout: Layout
    content: Sequence[str] | str


@frozen
class Row:
    """A row that can be sent.

    Attributes:
        place: The location of the row.
        account: The value of its account column, or empty.
        order_id: Order id.
        invoice_number: Invoice number of the package.
        event: Its event, or None for a row that only reports the delivery.
        is_delivered: Whether it reports the delivery.
        delivered_date: The date of the delivery as written, or None.
        raw: The row as it stood in its file, for a rejects file; None where it came from no file. Not compared.
        event_id: The source's own identity of the event, or an empty text.
        time: The time of day of the event, ``hh:mm`` or ``hh:mm:ss``, or an empty text.
    """

    place: Place
    account: str
    order_id: str
    invoice_number: str
    event: TrackingEvent | None
    is_delivered: bool
    delivered_date: str | None
    raw: RawRow | None = field(default=None, eq=False, repr=False)
    event_id: str = ""
    time: str = ""

    def with_account(self, account: str) -> Row:
        """Return a copy with another account. ``attrs.evolve`` takes ten times as long."""
        rest = self.event, self.is_delivered, self.delivered_date, self.raw, self.event_id, self.time
        return Row(self.place, account, self.order_id, self.invoice_number, *rest)


@frozen
class RowProblem:
    """One reason why a row cannot be sent.

    Attributes:
        place: The location of the row.
        column: The column at fault, or empty for the row as a whole.
        message: What is wrong, and how to correct it.
        raw: The row as it stood in its file, for a rejects file; None where it came from no file. Not compared.
    """

    place: Place
    column: str = field(converter=redact_known)
    message: str = field(converter=redact_known)
    raw: RawRow | None = field(default=None, eq=False, repr=False)

    @property
    def reason(self) -> str:
        """What is wrong, without the place."""
        return f"column {self.column}: {self.message}" if self.column else self.message

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


def check_row(
    place: Place, values: tuple[Any, ...], raw: RawRow | None, faults: Sequence[Fault], now: dt.datetime
) -> tuple[Row] | list[RowProblem]:
    """Return the row that values make, or all of its problems.

    Args:
        place: The location of the row.
        values: One for each of :data:`~vtex_tracking_ext.bulk.input.columns.COLUMNS`, in their order: text, None, or
            a bool.
        raw: The row as it stood in its file.
        faults: What is known to be wrong with it.
        now: The current time, aware; see :func:`vtex_tracking_ext.call.validation.update_problems`.
    """
    order_id, invoice_number, date, city, state, description, flag, delivered_date, account, event_id, time = values
    is_delivered = flag if isinstance(flag, bool) else _FLAGS.get(flag.strip().casefold()) if flag else False
    if is_delivered is None:
        accepted = "true, yes, sim, 1, false, no, n\N{LATIN SMALL LETTER A WITH TILDE}o or 0"
        faults = [*faults, ("is_delivered", f"{quoted(flag, 60)} is not {accepted}")]
        is_delivered = True  # so that no other value is reported because of it
    has_event = date or description or city or state
    event = TrackingEvent(date or "", description or "", city or "", state or "") if has_event else None
    event_id, time = (event_id or "").strip(), (time or "").strip()
    if len(time) == len("hh:mm:ss"):
        time = time.removesuffix(":00")  # the same time written in two ways is the same event
    ids = account or "", order_id or "", invoice_number or ""
    row = Row(place, *ids, event, is_delivered, delivered_date or None, raw, event_id, time)
    events = () if event is None else (event,)
    update = TrackingUpdate(row.order_id, row.invoice_number, events, is_delivered, row.delivered_date)
    problems = [(_column(problem.place), problem.message) for problem in update_problems(update, now)]
    if event_id or time:
        problems += _identity_problems(event_id, time)
    if not faults and not problems:
        return (row,)
    reported = {column for column, _ in faults}
    faults = [*faults, *(problem for problem in problems if problem[0] not in reported)]
    return [RowProblem(place, column, message, raw) for column, message in faults]


def _identity_problems(event_id: str, time: str) -> Iterator[Fault]:
    """Yield what is wrong with an event id and a time, either of which may be empty."""
    if len(event_id) > MAX_EVENT_ID_LENGTH:
        yield "event_id", f"{len(event_id)} characters, the limit is {MAX_EVENT_ID_LENGTH}"
    elif not event_id.isprintable():
        yield "event_id", f"{quoted(event_id, 60)} contains an unprintable character; remove it"
    if time and not _TIME.fullmatch(time):
        yield "time", f"{quoted(time, 60)} is not a time of day in the form hh:mm or hh:mm:ss, such as 09:05"


def _column(place: str) -> str:
    """Return the column that a place in an update comes from."""
    return "date" if place == "events" else place.removeprefix("events[0].")
