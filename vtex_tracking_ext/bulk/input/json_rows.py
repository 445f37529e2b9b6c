"""Read JSON: objects that are rows, or that are VTEX's own request body with its order and invoice."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.text import quoted, visible

from .aliases import name_key
from .columns import COLUMNS, IGNORED
from .dates import DateError, day_order
from .rows import Dialect, InputFileError, Place, RawRow, Recognition, RowNote, RowProblem, RowReader
from .tables import NO_DELIVERY

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .columns import Columns
    from .dates import Order
    from .layout import Layout
    from .rows import Fault, Row
    from .text_source import TextSource

#: Replaces a value of the wrong type, so that the other values can be checked.
_PLACEHOLDER: Final = "?"

#: Fields whose value may be a number: a date that counts from 1970, and a flag that is 0 or 1.
_NUMBER_FIELDS: Final = frozenset({"date", "delivered_date", "is_delivered"})

#: Fields that an event has of its own, and the names of a list of events, as :func:`~.aliases.name_key` writes them.
_FIELDS_OF_EVENTS: Final = frozenset({"date", "time", "city", "state", "description", "event_id"})
_NAMES_OF_EVENTS: Final = frozenset({"events", "eventos", "evenimente"})

_EXPECTED: Final = {"is_delivered": "true or false"}


class DuplicateKeyError(Exception):
    """An object has a key twice; all values but the last would silently be lost."""


def json_rows(
    source: TextSource, columns: Columns, layout: Layout, now: dt.datetime, recognition: Recognition
) -> Iterator[Row | RowProblem | RowNote]:
    """Yield the rows of a file with one JSON object a line, or of one with a JSON array of objects.

    Args:
        source: The file.
        columns: The names that the keys may have.
        layout: How a person said that it is to be read.
        now: The current time, aware.
        recognition: What is recognised: whether the file is one JSON value, or has one a line.

    Raises:
        InputFileError: The file is no JSON, or has no rows.
    """
    dialect = Dialect("jsonl", encoding=source.encoding, layout=layout, day_orders=recognition.day_orders)
    is_array = recognition.format == "json"
    reader = JsonReader(
        columns,
        RowReader(layout, now, lambda column: _day_order(source, columns, column, is_array=is_array), recognition),
    )
    is_empty = True
    for place, text in _texts(source, is_array=is_array):
        is_empty = False
        raw = RawRow(dialect, text)
        try:
            document = parse_object(text)
        except DuplicateKeyError as error:
            yield RowProblem(place, visible(str(error), 60), "appears twice; remove one", raw)
        except ValueError as error:
            yield RowProblem(place, "", f"{visible(str(error), 200)}; a row must be one JSON object", raw)
        else:
            yield from reader.read(place, document, raw)
    if is_empty:
        raise InputFileError(f"{source.name}: no rows; give one JSON object a line, or an array of objects.")
    yield from reader.absent_keys(source.name)
    if not (reader.has_flags or layout.delivered_when):
        yield RowNote(Place(source.name, 1), NO_DELIVERY)


def _nested_events(document: Mapping[str, Any]) -> tuple[str, Sequence[Any] | None]:
    """Return the name and the value of the list of events in an object; None if it has none."""
    for name, value in document.items():
        if isinstance(value, list | tuple) and name_key(name) in _NAMES_OF_EVENTS:
            return name, value
    return "", None


def parse_object(text: str) -> dict[str, Any]:
    """Return the JSON object that a text holds.

    Raises:
        ValueError: It is not JSON, or not an object.
        DuplicateKeyError: The object, or one in it, has a key twice.
    """
    try:
        document = json.loads(text, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:  # the latter where it is nested too deep
        reason = str(error)
        if isinstance(error, json.JSONDecodeError):
            reason = f"column {min(error.pos, len(text.rstrip())) + 1}: {error.msg}"
        raise ValueError(f"not valid JSON ({reason})") from None
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - a wrong value, not a wrong call
    return document


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise DuplicateKeyError(Counter(key for key, _ in pairs).most_common(1)[0][0])
    return document


class JsonReader:
    """Turns objects into rows.

    Args:
        columns: The names that the keys may have.
        reader: Turns their values into rows.

    Attributes:
        has_flags: Whether an object had the key ``is_delivered``.
    """

    def __init__(self, columns: Columns, reader: RowReader) -> None:
        self._columns = columns
        self._reader = reader
        self._unknown = set[str]()
        self._keys = set[str]()
        self.has_flags = False

    def read(
        self, place: Place, document: Mapping[str, Any], raw: RawRow | None
    ) -> Iterable[Row | RowProblem | RowNote]:
        """Return the rows that an object is, with notes about them, or their problems.

        Args:
            place: The location of the object.
            document: The object.
            raw: The object as it stood in its file.
        """
        name, events = _nested_events(document)
        self._keys.update(document, *(event for event in events or () if isinstance(event, dict)))
        if events is None:
            return self._row(place, document, raw, self._columns.is_delivery(document))
        fields = self._columns.fields_of(tuple(document))
        self.has_flags |= "is_delivered" in fields
        order: dict[str, Any] = {}
        delivery: dict[str, Any] = {}
        for (key, value), field in zip(document.items(), fields, strict=True):
            # The order's own day, city and status are not those of an event that lacks one.
            if key != name and field not in _FIELDS_OF_EVENTS:
                (delivery if field in {"is_delivered", "delivered_date"} else order)[key] = value
        rows = [order | event if isinstance(event, dict) else {**order, "events": event} for event in events]
        if any(delivery.values()) or not rows:
            rows.append(order | delivery)
        return [
            found
            for row in rows
            for found in self._row(place, row, raw, self._columns.is_delivery({**document, name: None, **row}))
        ]

    def absent_keys(self, source: str) -> Iterator[RowNote]:
        """Yield a note if the options name a key that none of the objects had."""
        absent = self._columns.absent(self._keys) if self._keys else None
        if absent:
            yield RowNote(Place(source, 1), f"no object has the key {quoted(absent, 60)}, which the options name")

    def _row(
        self,
        place: Place,
        document: Mapping[str, Any],
        raw: RawRow | None,
        is_delivery: bool | None,  # noqa: FBT001 - private
    ) -> Sequence[Row | RowProblem | RowNote]:
        faults: list[Fault] = []
        notes: list[RowNote] = []
        values: dict[str, Any] = {}
        for (key, value), field in zip(document.items(), self._columns.fields_of(tuple(document)), strict=True):
            if field == IGNORED:
                continue
            if field is None:
                faults += self._unknown_key(place, key, notes)
            elif field in values:
                faults.append((field, "appears twice; remove one"))
            else:
                values[field] = self._value(field, value, faults)
        self.has_flags |= "is_delivered" in values
        faults += [(field, "missing") for field in ("order_id", "invoice_number") if field not in values]
        read = self._reader.read(
            place,
            tuple(values.get(field) for field in COLUMNS),
            raw,
            faults,
            is_delivery=is_delivery,
        )
        return [*read, *notes]

    def _value(self, field: str, value: object, faults: list[Fault]) -> object:
        if value is None or isinstance(value, str) or (isinstance(value, bool) and field == "is_delivered"):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool) and field in _NUMBER_FIELDS:
            return f"{value:.15g}" if isinstance(value, float) else str(value)
        shown = "a list or an object" if isinstance(value, list | dict) else quoted(value, 60)
        faults.append((field, f"{shown} is not {_EXPECTED.get(field, 'a string')}"))
        return True if field == "is_delivered" else _PLACEHOLDER

    def _unknown_key(self, place: Place, key: str, notes: list[RowNote]) -> list[Fault]:
        layout = self._reader.layout
        if layout.strict:
            return [(visible(key, 60), f"unknown; known columns: {', '.join(COLUMNS)}")]
        if key not in self._unknown and not layout.ignore_unknown:
            self._unknown.add(key)
            notes.append(RowNote(place, f"key {quoted(key, 60)} is passed over, because it is not known"))
        return []


def _texts(source: TextSource, *, is_array: bool) -> Iterator[tuple[Place, str]]:
    """Yield the text of each object, with its location."""
    with source.open("\n") as text:
        if not is_array:
            for number, line in enumerate(text, 1):
                stripped = line.strip("\ufeff\x1a \t\r\n")
                if stripped:
                    yield Place(source.name, number), stripped
            return
        content = text.read().removeprefix("\ufeff")
    number, counted = 1, 0
    for start, end in _elements(source.name, content):
        number += content.count("\n", counted, start)
        counted = start
        yield Place(source.name, number), content[start:end]


def _elements(name: str, content: str) -> Iterator[tuple[int, int]]:
    """Yield where each element of an array begins and ends; a single value counts as one element."""

    def skip(position: int, characters: str) -> int:
        while position < len(content) and content[position] in characters:
            position += 1
        return position

    def fault(position: int, what: str) -> InputFileError:
        line = content.count("\n", 0, position) + 1
        return InputFileError(f"{name}:{line}: not valid JSON ({what}); no row of it is read.")

    decoder, blank = json.JSONDecoder(), " \t\r\n"
    position = skip(0, blank)
    is_list = content[position : position + 1] == "["
    position = skip(position + is_list, blank)
    is_first = True
    while not (is_list and content[position : position + 1] == "]"):
        if not is_first:
            if content[position : position + 1] != ",":
                raise fault(position, "a comma or the end of the array is missing")
            position = skip(position + 1, blank)
        try:
            _, end = decoder.raw_decode(content, position)
        except (ValueError, RecursionError) as error:
            raise fault(getattr(error, "pos", position), getattr(error, "msg", str(error))) from None
        yield position, end
        position, is_first = skip(end, blank), False
        if not is_list:
            break
    position = skip(position + is_list, blank + "\x1a")
    if position < len(content):
        raise fault(position, "there is more after the end")


def _day_order(source: TextSource, columns: Columns, column: str, *, is_array: bool) -> Order:
    """Return the order of day and month in a column, from all of its values."""

    def values() -> Iterator[str]:
        for _, text in _texts(source, is_array=is_array):
            try:
                document = parse_object(text)
            except (ValueError, DuplicateKeyError):
                continue
            _, events = _nested_events(document)
            for each in [document, *(events or ())]:
                fields = columns.fields_of(tuple(each)) if isinstance(each, dict) else []
                values = each.values() if fields else ()
                found = (value for value, field in zip(values, fields, strict=True) if field == column)
                yield from (value for value in found if isinstance(value, str))

    try:
        return day_order(values(), column)
    except DateError as error:
        raise InputFileError(f"{source.name}: {error}.") from None
