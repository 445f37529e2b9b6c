"""Rows, their locations and their problems; turning values into a row or its problems. Pure.

:mod:`.values` and :mod:`.dates` read values as people write them; :mod:`vtex_tracking_ext.call.validation` holds the
rules for what can be sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from attrs import define, field, frozen

from vtex_tracking_ext.call.validation import update_problems
from vtex_tracking_ext.config.redaction import redact_known
from vtex_tracking_ext.errors import VtexTrackingError
from vtex_tracking_ext.events import TrackingEvent, TrackingUpdate
from vtex_tracking_ext.text import quoted

from .dates import DateError, Moment, needs_order, read_moment
from .layout import Layout
from .values import FLAGS, ValueFaultError, is_missing, is_ordinary, read_flag, read_id, read_name, read_text, unwrapped

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .dates import Order

Format = Literal["csv", "json", "jsonl", "xlsx"]

#: A column, and a problem of its value that the format shows, such as a number where text is expected.
Fault: TypeAlias = tuple[str, str]

_ISO_DAY: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ISO_MINUTE: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}(?: [0-9]{2}:[0-9]{2})?")
_TIME: Final = re.compile("([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
_SHORT_HOUR: Final = re.compile("[0-9]:")
_HOUR_IN_BRAZIL: Final = re.compile("([0-9]{1,2})[hH]([0-9]{2})?")

#: Replaces a value that cannot be read, so that the other values can be checked.
_PLACEHOLDER: Final = "?"

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
class Dialect:
    """How a file writes its rows, so that a rejects file can be written likewise. All rows of a file share one.

    Attributes:
        format: ``csv`` or ``jsonl``; the rows of a sheet are written as CSV, those of a JSON array as JSON lines.
        delimiter: The character between cells; empty for JSON lines.
        encoding: The file's encoding; ``utf-8-sig`` begins with a byte order mark.
        header: The header's cells as they were written; empty for JSON lines.
        reasons: Indexes of the header's cells that hold the reasons of an earlier rejects file.
        layout: How a person said that the file is to be read.
        day_orders: The orders of day and month that were recognised so far; see :class:`Recognition`.
    """

    format: Literal["csv", "jsonl"]
    delimiter: str = ""
    encoding: str = "utf-8"
    header: tuple[str, ...] = ()
    reasons: tuple[int, ...] = ()
    layout: Layout = field(factory=Layout)
    day_orders: Mapping[str, Order] = field(factory=dict, eq=False)


@frozen
class RawRow:
    """A row as it stood in its file.

    Attributes:
        dialect: How its file writes rows.
        content: Its cells (CSV, or a sheet's cells as text), or its line (JSON lines).
    """

    dialect: Dialect
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
        volume: The number of the volume that the event is about, if the package has several, or an empty text;
            ``is_delivered`` then means that this volume was delivered.
        hold_until: The time before which the delivery is not sent, aware, because the carrier may still take the
            delivery back; or None.
        takes_back: Whether the event declares an earlier delivery void.
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
    volume: str = ""
    hold_until: dt.datetime | None = None
    takes_back: bool = False

    def with_account(self, account: str) -> Row:
        """Return a copy with another account. ``attrs.evolve`` takes ten times as long."""
        rest = self.event, self.is_delivered, self.delivered_date, self.raw, self.event_id, self.time, self.volume
        held = self.hold_until, self.takes_back
        return Row(self.place, account, self.order_id, self.invoice_number, *rest, *held)


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


@frozen
class UnmatchedEvents(RowProblem):
    """Events of one package that match no known order, or several; they can be sent when the order is known.

    Attributes:
        events: The number of events.
    """

    events: int = 1

    @property
    def reason(self) -> str:
        """The number of events and why they match no order, without the place."""
        return f"{self.events} event{'s' if self.events > 1 else ''}: {self.message}"


@frozen
class ParkedEvents(UnmatchedEvents):
    """Events of one package that match no known order, and that the journal keeps until their order is known."""


@frozen
class RowNote:
    """What a person should know about how a row, or a file, was read; it can be sent.

    Attributes:
        place: The location of the row, or of the header.
        message: The note.
    """

    place: Place
    message: str


@define
class Recognition:
    """What was recognised about a file, as far as it was read.

    Attributes:
        format: Its format: ``csv``, ``json``, ``jsonl`` or ``xlsx``.
        delimiter: The character between the cells of a CSV file.
        encoding: The encoding of a text.
        is_encoding_certain: Whether the encoding was given, or follows from the bytes; otherwise it was chosen by how
            the words read.
        header_line: The line of the header, or 0 without one.
        columns: The names of the columns, each with its field, or with an empty text if it is passed over.
        day_orders: The order of day and month in a field, where the column's dates decided it.
    """

    format: str = ""
    delimiter: str = ""
    encoding: str = ""
    is_encoding_certain: bool = True
    header_line: int = 0
    columns: list[tuple[str, str]] = field(factory=list)
    day_orders: dict[str, Order] = field(factory=dict)


class RowReader:
    """Turns the values of rows into rows that can be sent, or into their problems.

    Args:
        layout: How a person said that the file is to be read.
        now: The current time, aware; see :func:`vtex_tracking_ext.call.validation.update_problems`.
        day_order: Returns the order of day and month in a column that the layout does not tell; it is called when the
            first such date is met. Without it, such a date is a problem of its row.
        recognition: Receives these orders.
    """

    def __init__(
        self,
        layout: Layout,
        now: dt.datetime,
        day_order: Callable[[str], Order] | None = None,
        recognition: Recognition | None = None,
    ) -> None:
        self.layout = layout
        self._now = now if layout.zone is None else now.astimezone(layout.zone)
        self._has_order = layout.date_format is not None and layout.date_format.order is not None
        self._takes_as_is = not layout.pad
        self._day_order = day_order
        self._orders = (recognition or Recognition()).day_orders
        self._faults: list[Fault] = []  # of the row that is being read
        self._notes: list[str] = []  # likewise
        self._noted = set[str]()  # what was noted once for the whole file

    def read(
        self,
        place: Place,
        values: tuple[Any, ...],
        raw: RawRow | None,
        faults: Sequence[Fault] = (),
        *,
        is_delivery: bool | None = None,
    ) -> Sequence[Row | RowProblem | RowNote]:
        """Return the row that values make, with notes about it, or all of its problems.

        Args:
            place: The location of the row.
            values: One for each of :data:`~.columns.COLUMNS`, in their order: text, None, a bool, or a date.
            raw: The row as it stood in its file.
            faults: What is known to be wrong with it.
            is_delivery: Whether the rule for deliveries says that it is one; None without a rule.
        """
        if self._takes_as_is and not faults and (row := self._as_is(place, values, raw, is_delivery)) is not None:
            return (row,)
        order_id, invoice_number, date, city, state, description, flag, delivered_date, account, event_id, time = values
        self._faults, self._notes = [*faults], []
        order_id = self._read_id("order_id", order_id)
        invoice_number = self._read_id("invoice_number", invoice_number)
        city, state = self._read_text("city", city), self._read_text("state", state)
        description = self._read_text("description", description)
        day, time_of_day, _ = self._read_day(date)
        time = unwrapped(time or "") or time_of_day
        event_id, account = self._read_name("event_id", event_id), self._read_name("account", account)
        for column, text in (("city", city), ("state", state), ("description", description)):
            if text.isdecimal():
                self._note_once(f"column {column}: {{}} is a code, and shoppers read this text", text)
        if is_delivery is not None and flag and FLAGS.get(flag, is_delivery) is not is_delivery:
            rule, says = ("delivered", "no") if is_delivery else ("not delivered", "yes")
            self._notes.append(f"the rule says {rule}, but is_delivered says {says}; the rule counts")
        is_delivered = self._read_flag(flag) if is_delivery is None else is_delivery
        moment, now = None, self._now
        if delivered_date and (is_delivered or is_delivery is None):
            moment, zone = self._read_delivered_date(delivered_date)
            now = now if zone is None else now.astimezone(zone)  # the future is decided in the zone of the date
        time = normalized_time(time) if time else ""
        event = TrackingEvent(day, description, city, state) if day or description or city or state else None
        row = Row(place, account, order_id, invoice_number, event, is_delivered, moment, raw, event_id, time)
        events = () if event is None else (event,)
        update = TrackingUpdate(order_id, invoice_number, events, is_delivered, moment)
        problems = update_problems(update, now)
        identity = [*_identity_problems(event_id, time)] if event_id or time else ()
        if not (problems or self._faults or identity):
            return (row, *(RowNote(place, note) for note in self._notes)) if self._notes else (row,)
        reported = {column for column, _ in self._faults}
        found = [*((_column(problem.place), problem.message) for problem in problems), *identity]
        self._faults += (fault for fault in found if fault[0] not in reported)
        return [RowProblem(place, column, message, raw) for column, message in self._faults]

    def _as_is(self, place: Place, values: tuple[Any, ...], raw: RawRow | None, is_delivery: bool | None) -> Row | None:  # noqa: FBT001 - private
        """Return the row if its values can be sent as they are, as most can; a quick check."""
        order_id, invoice_number, date, city, state, description, flag, moment, account, event_id, time = values
        if event_id or time or account or None in values or "." in order_id or "." in invoice_number:
            return None
        if not (order_id[-1:].isdigit() and invoice_number[-1:].isdigit()):
            return None  # perhaps NULL
        is_delivered = FLAGS.get(flag) if flag or is_delivery is None else is_delivery
        if is_delivered is None or (is_delivery is not None and is_delivery is not is_delivered):
            return None  # the flag cannot be read, or the rule says otherwise
        if not (is_ordinary(city) and is_ordinary(state) and is_ordinary(description)):
            return None
        event = TrackingEvent(date, description, city, state) if date or description or city or state else None
        moment = moment or None if is_delivered or is_delivery is None else None
        update = TrackingUpdate(order_id, invoice_number, () if event is None else (event,), is_delivered, moment)
        if update_problems(update, self._now):
            return None
        return Row(place, "", order_id, invoice_number, event, is_delivered, moment, raw)

    def _moment(self, column: str, text: str) -> Moment:
        """Return the date in a column.

        Raises:
            DateError: It is not a date, or it cannot be told which.
        """
        text = unwrapped(text)
        order = self._orders.get(column)
        if order is None and self._day_order and needs_order(text) and not self._has_order:
            order = self._orders[column] = self._day_order(column)
        moment = read_moment(text, self.layout.date_format, order, self.layout.zone)
        is_utc = moment.zone is not None and not moment.zone.utcoffset(None)
        if is_utc and self.layout.zone is None and self._day_order:  # a program that passes rows has chosen the zone
            self._note_once(
                f"column {column}: {{}} is in UTC, and its day in UTC is sent; --zone (in Python: zone=) names the "
                "carrier's zone",
                text,
            )
        elif is_utc and not moment.time:
            self._note_once(f"column {column}: {{}} is midnight in UTC, and is read as a day without a time", text)
        return moment

    def _note_once(self, note: str, text: str) -> None:
        if note not in self._noted:
            self._noted.add(note)
            self._notes.append(note.format(quoted(text, 60)))

    def _read_id(self, column: str, text: str | None) -> str:
        if not text:
            return text or ""
        try:
            value, note = read_id(text, self.layout.pad.get(column, 0))
        except ValueFaultError as fault:
            return self._add_fault(column, fault, _PLACEHOLDER)
        if note:
            self._notes.append(f"column {column}: {note}")
        return value

    def _read_text(self, column: str, text: str | None) -> str:
        if not text:
            return ""
        try:
            value, note = read_text(text, repair=self.layout.clean)
        except ValueFaultError as fault:
            return self._add_fault(column, fault, _PLACEHOLDER)
        if note:
            self._notes.append(f"column {column}: {note}")
        return value

    def _read_name(self, column: str, text: str | None) -> str:
        """Return an event id or an account: the ids of events that have none must not be equal."""
        text = unwrapped(text or "")
        if is_missing(text):
            return self._read_text(column, text)
        try:
            return read_name(text)
        except ValueFaultError as fault:
            return self._add_fault(column, fault, "")

    def _read_flag(self, flag: str | bool | None) -> bool:  # noqa: FBT001 - a value
        try:
            return flag if isinstance(flag, bool) else read_flag(flag) if flag else False
        except ValueFaultError as fault:
            self._add_fault("is_delivered", fault, "")
            return True  # so that no other value is reported because of it

    def _read_day(self, text: str | None) -> Moment:
        if not text or _ISO_DAY.fullmatch(text):
            return Moment(text or "")
        try:
            return self._moment("date", text)
        except DateError as error:
            self._add_fault("date", error, "")
            return Moment(_PLACEHOLDER)

    def _read_delivered_date(self, text: str) -> tuple[str | None, dt.tzinfo | None]:
        text = unwrapped(text)
        if not text:
            return None, None
        if is_missing(text) and self.layout.clean:
            self._notes.append(f"column delivered_date: {quoted(text, 60)} is read as an empty cell")
            return None, None
        if _ISO_MINUTE.fullmatch(text):
            return text, None
        try:
            day, time, zone = self._moment("delivered_date", text)
        except DateError as error:
            return self._add_fault("delivered_date", error, _PLACEHOLDER), None
        return f"{day} {time[:5]}".rstrip(), zone

    def _add_fault(self, column: str, fault: Exception, value: str) -> str:
        if column not in {reported for reported, _ in self._faults}:
            self._faults.append((column, str(fault)))
        return value


def normalized_time(text: str) -> str:
    """Return a time of day as ``hh:mm`` or ``hh:mm:ss``: the same time written in two ways is the same event."""
    if found := _HOUR_IN_BRAZIL.fullmatch(text):  # 14h30, 14h
        text = f"{found[1]}:{found[2] or '00'}"
    text = f"0{text}" if _SHORT_HOUR.match(text) else text
    return text.removesuffix(":00") if len(text) == len("hh:mm:ss") else text


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
