"""Read a payload of a carrier: events, oldest first, each with the status that the code table gives it. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import define, evolve, field, fields

from vtex_tracking_ext.bulk.input.rows import MAX_EVENT_ID_LENGTH
from vtex_tracking_ext.text import quoted

from .codes import CarrierOptions, load_table, parse_options, parse_zone
from .event import CarrierEvent, PackageReference, Reading, ReadingMessage, Status, code_key
from .invoice_key import invoice_of_key, issuer_of, letters_and_digits, without_zeros
from .payload import MAX_DOCUMENT_BYTES, PayloadError, Value, kind_of, parse_json, parse_xml
from .registry import SOURCES, load_source
from .shopper_text import shopper_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from .codes import CodeTable
    from .parcel import Parcel, Scan
    from .registry import SourceModule


#: Valid years of events. Arithmetic with times fails close to the first and the last year that Python supports.
_YEARS: Final = range(1900, 3000)


def read(
    source: str,
    payload: bytes | str | Mapping[str, Any] | list[Any],
    *,
    zone: ZoneInfo | str | None = None,
    options: CarrierOptions | Mapping[str, Any] | None = None,
) -> Reading:
    """Return the events in a payload of a carrier.

    A package or event that cannot be read is among the problems of the result, and does not stop the others.

    Args:
        source: The name of the source, such as ``correios``; see :data:`~.registry.SOURCES`.
        payload: The payload: bytes or text, or JSON that was parsed already. Several JSON documents, one a line, or a
            list of them, are read one after the other.
        zone: The zone to which times in UTC are converted, such as ``America/Sao_Paulo``; by default that of the
            options, or the source.
        options: The merchant's settings: :class:`~.codes.CarrierOptions`, or the keys of their table in the profile
            file; see :func:`~.codes.parse_options`.

    Raises:
        PayloadError: The payload as a whole cannot be read; the message names the source, the place, and what was
            expected.
        ConfigurationError: There is no such source or zone, or an option cannot be used.
    """
    module = load_source(source)
    options = options if isinstance(options, CarrierOptions) else parse_options(source, options or {})
    if zone is not None:
        options = evolve(options, zone=parse_zone(zone) if isinstance(zone, str) else zone)
    reader = _Reader(module, load_table(source).with_options(options), options)
    try:
        documents = _documents(SOURCES[source], payload)
        for document in documents:
            try:
                if isinstance(document, PayloadError):
                    raise document
                reader.read(document)
            except PayloadError as error:
                if len(documents) == 1:
                    raise
                reader.add_problem(error)
    except PayloadError as error:
        raise PayloadError(error.message, ": ".join(filter(None, (source, error.place))), error.line) from None
    return reader.reading()


def recognise(payload: bytes | str | Mapping[str, Any] | list[Any]) -> str | None:
    """Return the name of the only source whose shape a payload has; None if no source, or several, have it."""
    found = set()
    for format_ in ("json", "xml", "lines"):
        try:
            documents = [item for item in _documents(format_, payload) if isinstance(item, Value)]
        except PayloadError:
            continue
        names = (name for name, its_format in SOURCES.items() if its_format == format_ and documents)
        found |= {name for name in names if load_source(name).matches(documents[0])}
    return next(iter(found)) if len(found) == 1 else None


def _documents(format_: str, payload: object) -> list[Value | PayloadError]:
    """Return the documents of a payload. A line of JSON lines that cannot be parsed is an error among them.

    Raises:
        PayloadError: The payload as a whole cannot be parsed.
    """
    if not isinstance(payload, bytes | str):
        if format_ != "json" or not isinstance(payload, Mapping | list):
            parsed = ", or parsed JSON," if format_ == "json" else ""
            raise PayloadError(f"{kind_of(payload)} was passed; bytes or a text{parsed} was expected")
        return _flat(Value(payload))
    if format_ == "lines":
        # Not splitlines(), which would also split at characters within a text, such as a form feed.
        return [Value(_decoded(payload).replace("\r\n", "\n").replace("\r", "\n").split("\n"))]
    if len(payload) > MAX_DOCUMENT_BYTES and not (format_ == "json" and _is_json_lines(payload)):
        limit = MAX_DOCUMENT_BYTES >> 20
        raise PayloadError(
            f"{len(payload) >> 20} MB; a document of at most {limit} MB was expected: ask for fewer packages"
        )
    if format_ == "xml":
        return [parse_xml(payload)]
    text = _decoded(payload)
    if not text.strip():
        raise PayloadError("empty; a JSON document was expected")
    if _is_json_lines(text):
        return _line_documents(text)
    try:
        return _flat(parse_json(text))
    except PayloadError:
        second = text.strip().partition("\n")[2].lstrip().partition("\n")[0]
        if not _is_document(second):
            raise
    return _line_documents(text)  # JSON lines, of which the first one is not valid


def _line_documents(text: str) -> list[Value | PayloadError]:
    """Return the documents of JSON lines, or the errors of lines that are not valid."""
    lines = ((number, line.strip("\x1a \t\r")) for number, line in enumerate(text.split("\n"), 1))
    return [document for number, line in lines if line for document in _parsed_line(line, number)]


def _parsed_line(line: str, number: int) -> Sequence[Value | PayloadError]:
    """Return the documents in a line of JSON, or the error of the line."""
    try:
        return _flat(parse_json(line, number))
    except PayloadError as error:
        return [error]


def _is_json_lines(payload: bytes | str) -> bool:
    """Return whether a payload has a JSON document in each line: the first line is one, and others follow."""
    newline, blank = (b"\n", b"\xef\xbb\xbf \t\r\n") if isinstance(payload, bytes) else ("\n", "\ufeff \t\r\n")
    first, _, rest = payload.strip(blank).partition(newline)  # type: ignore[arg-type]
    return bool(rest) and len(first) <= MAX_DOCUMENT_BYTES and _is_document(first)


def _is_document(text: bytes | str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def _flat(document: Value) -> list[Value | PayloadError]:
    """Return the items of a list as documents, or the document itself."""
    if isinstance(document.content, list):
        return [*document.items()]
    return [document]


def _decoded(payload: bytes | str) -> str:
    """Return a payload as text: in the encoding of its byte order mark, else UTF-8, or else Windows-1252."""
    if isinstance(payload, str):
        return payload.removeprefix("\ufeff")
    for encoding in (json.detect_encoding(payload), "windows-1252"):
        try:
            return payload.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
    return payload.decode("latin-1")


@define
class _Reader:
    """Reads documents, and collects events, problems, notes and unknown codes."""

    module: SourceModule
    table: CodeTable
    options: CarrierOptions
    events: list[CarrierEvent] = field(factory=list)
    problems: list[ReadingMessage] = field(factory=list)
    notes: dict[str, ReadingMessage] = field(factory=dict)
    unknown_codes: dict[str, None] = field(factory=dict)

    def read(self, document: Value) -> None:
        """Read a document.

        Raises:
            PayloadError: The document has another shape.
        """
        if not self.module.matches(document):
            raise document.error(f"another shape; expected: {self.table.shape}")
        for part in [*self.module.split(document)]:
            try:
                parcel = self.module.read_parcel(part)
                if parcel.note:
                    self._note(part, parcel.note)
                self._read_history(parcel)
            except PayloadError as error:
                self.add_problem(error)

    def add_problem(self, error: PayloadError) -> None:
        """Add an error to the problems."""
        self.problems.append(ReadingMessage(self.table.source, error.place, error.message, error.line))

    def reading(self) -> Reading:
        """Return the events of all documents, and what could not be read."""
        events = _sorted_by_time([*{event.event_id: event for event in reversed(self.events)}.values()][::-1])
        packages: defaultdict[str, list[int]] = defaultdict(list)
        for index, event in enumerate(events):
            packages[event.package].append(index)
        for indexes in packages.values():
            _apply_corrections(events, indexes)
            _complete_volumes(events, indexes)
        notes, codes = tuple(self.notes.values()), tuple(self.unknown_codes)
        return Reading(self.table.source, tuple(events), tuple(self.problems), notes, codes)

    def _read_history(self, parcel: Parcel) -> None:
        """Read the events of a package, oldest first."""
        reference = _reference(parcel)
        scans: list[tuple[Value, Scan]] = []
        found: list[CarrierEvent] = []
        for value in parcel.scans:
            try:
                scans.append((value, self.module.read_scan(value)))
            except PayloadError as error:
                self.add_problem(error)
        # The text of one event can name the receiver whom only another event has in a field.
        names = (*parcel.receiver, *(name for _, scan in scans for name in scan.receiver))
        parcel = evolve(parcel, receiver=tuple(dict.fromkeys(names)))
        for value, scan in scans:
            try:
                found.append(self._event(value, parcel, scan, reference))
            except PayloadError as error:
                self.add_problem(error)
        if len(found) > 1:
            first, last = _wall_time(found[0]), _wall_time(found[-1])
            if first > last or (first == last and self.table.newest_first):
                found.reverse()
        self.events += found

    def _event(self, value: Value, parcel: Parcel, scan: Scan, reference: dict[str, Any]) -> CarrierEvent:
        status, text = self.table.status(scan.code), scan.description
        if status is Status.DELIVERED:
            text = text if scan.delivered_description is None else scan.delivered_description
            status = scan.not_delivered or parcel.not_delivered or status
        merchants_text = self.options.texts.get(code_key(scan.code))
        text = shopper_text(text, (*scan.receiver, *parcel.receiver))
        event = CarrierEvent(
            source=self.table.source,
            code=scan.code,
            occurred_at=self._local_time(value, scan.time),
            status=status or Status.UNKNOWN,
            is_delivered=status is Status.DELIVERED,
            description=merchants_text or text or self.table.text(scan.code) or scan.code,
            city=shopper_text(scan.city),
            state=shopper_text(scan.state),
            has_time=scan.has_time,
            place=value.place,
            line=value.line,
            **(reference | {"volume": without_zeros(scan.volume or parcel.volume)}),
        )
        if len(event.event_id) > MAX_EVENT_ID_LENGTH or not event.event_id.isprintable():
            raise value.error(
                f"the identity of the event is {quoted(event.event_id, 60)}; at most {MAX_EVENT_ID_LENGTH} printable "
                "characters were expected"
            )
        if status is None:
            self.unknown_codes[scan.code] = None
        return event

    def _local_time(self, value: Value, time: dt.datetime) -> dt.datetime:
        """Return a time in UTC in the zone of the options, or else of the source; any other time unchanged."""
        if time.year not in _YEARS:
            raise value.error(f"the year of the time is {time.year}; one from {_YEARS[0]} to {_YEARS[-1]} was expected")
        if time.utcoffset() != dt.timedelta():
            return time
        zone = self.table.zone or self.table.fallback_zone
        if self.table.zone is None:
            shown = f"in {zone.key}, the default of this source" if zone else "with their day in UTC"
            self._note(value, f"times in UTC are read {shown}; --zone (in Python: zone=) names another zone")
        return time.astimezone(zone) if zone else time

    def _note(self, value: Value, message: str) -> None:
        """Add a note, once."""
        self.notes.setdefault(message, ReadingMessage(self.table.source, value.place, message, value.line))


def _reference(parcel: Parcel) -> dict[str, Any]:
    """Return what identifies a package in the form that events have.

    The invoice is read from the NF-e key if the payload does not contain it otherwise.
    """
    key = letters_and_digits(parcel.nfe_key)
    invoice = invoice_of_key(key)
    return {
        **{attribute.name: getattr(parcel, attribute.name) for attribute in fields(PackageReference)},
        "nfe_key": key,
        "issuer": issuer_of(parcel.issuer) or invoice.issuer,
        "series": without_zeros(parcel.series) or invoice.series,
        "invoice_number": without_zeros(parcel.invoice_number) or invoice.number,
    }


def _wall_time(event: CarrierEvent) -> dt.datetime:
    return event.occurred_at.replace(tzinfo=None)


def _sorted_by_time(events: Sequence[CarrierEvent]) -> list[CarrierEvent]:
    """Return events, oldest first; by their local times if some of them have no offset. The sort is stable."""
    if all(event.occurred_at.tzinfo for event in events):
        return sorted(events, key=lambda event: event.occurred_at)
    return sorted(events, key=_wall_time)


def _apply_corrections(events: list[CarrierEvent], indexes: Sequence[int]) -> None:
    """Mark the events that the carrier took back: each correction voids the last event before it that is not void."""
    counting: list[int] = []
    for index in indexes:
        event = events[index]
        if event.status is not Status.CORRECTION:
            counting.append(index)
            continue
        void = counting.pop() if counting else None
        if void is None or events[void].status is Status.DELIVERED:
            events[index] = evolve(event, takes_back=True)
        if void is not None:
            events[void] = evolve(events[void], status=Status.VOID, is_delivered=False)


def _complete_volumes(events: list[CarrierEvent], indexes: Sequence[int]) -> None:
    """Make only the delivery of the last volume complete the delivery of a package of several volumes."""
    missing = {events[index].volume for index in indexes} - {""}
    for index in indexes:
        event = events[index]
        if event.volume and event.status is Status.DELIVERED:
            missing.discard(event.volume)
            if missing:
                events[index] = evolve(event, is_delivered=False)
