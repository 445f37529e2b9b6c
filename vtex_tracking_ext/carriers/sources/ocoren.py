"""OCOREN 3.0, 3.1 and 5.0: PROCEDA's EDI file of delivery events, in lines of fixed columns. Pure.

Versions 3.0 and 3.1 have records 340 to 343, and version 5.0 has records 540 to 549. An event is a record 342 or 542,
with the records about it that follow. There is no tracking code: an invoice is identified by issuer, series and number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from attrs import frozen

from vtex_tracking_ext.carriers.event import Status
from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.payload import Value
from vtex_tracking_ext.carriers.times import local_time

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD: Final = re.compile(r"000.{70,}")

#: Records that belong to the event before them: texts, volumes and further details.
_FOLLOWERS: Final = frozenset({"343", "543", "544", "545"})
_HEADERS: Final = frozenset({"000", "340", "341", "540", "541"})
_TOTAL: Final = "549"

#: What fills a line up to its length; Ctrl-Z ends a file of old systems.
_PADDING: Final = "\x1a .*"

#: The status and the text of a delivery that was refused as a whole, or in part.
_REFUSED: Final = (Status.RETURNED, "Devolu\xe7\xe3o/recusa total")
_REFUSED_IN_PART: Final = (Status.DELIVERED_IN_PART, "Devolu\xe7\xe3o/recusa parcial")

#: Observation codes. With 04 and 05, the record also has the number of the invoice of the return.
_OBSERVATIONS: Final = {1: _REFUSED, 2: _REFUSED_IN_PART, 4: _REFUSED, 5: _REFUSED_IN_PART}
_SOME_VOLUMES: Final = (Status.DELIVERED_IN_PART, "Entrega parcial")

#: Codes of goods that were handed over, whose text may name the receiver.
_HANDED_OVER: Final = frozenset({"1", "2", "24", "31"})

#: Words in texts of deliveries that do not name a person. A text with any other word is replaced by that of the table.
_TRADE_WORDS: Final = frozenset(
    "a ao com da de do dentro em fora na no normal normalmente portaria data prazo programada realizada entrega "  # noqa: SIM905
    "entregue efetuada recusa parcial mercadoria cliente destinat\xe1rio destinatario recebida recepcao "
    "recep\xe7\xe3o".split()
)


@frozen
class _Columns:
    """The columns of the record of an event; the first one is 0."""

    number: slice
    code: slice
    day: slice
    time: slice
    observation: slice
    text: slice


_COLUMNS: Final = {
    "342": _Columns(slice(20, 28), slice(28, 30), slice(30, 38), slice(38, 42), slice(42, 44), slice(44, 114)),
    "542": _Columns(slice(20, 29), slice(29, 32), slice(32, 40), slice(40, 44), slice(44, 46), slice(0, 0)),
}
_ISSUER: Final = slice(3, 17)
_SERIES: Final = slice(17, 20)
_TEXT_543: Final = slice(3, 213)
#: Volumes of the invoice, and those delivered: six digits and two decimals.
_VOLUMES_544: Final = (slice(3, 11), slice(11, 19))


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source; PROCEDA's other files begin with a line 000 as well."""
    lines = document.content
    if not (isinstance(lines, list) and lines and _HEAD.match(str(lines[0]))):
        return False
    records = {line[:3] for line in lines[1:] if line.strip(_PADDING)}
    return not records or not records.isdisjoint({*_COLUMNS, *_HEADERS})


def split(document: Value) -> Iterator[Value]:
    """Yield the events, each as a list of its records, and the lines that are not records of the format."""
    parts: list[Value] = []
    count = 0  # of the events since the last total
    for number, line in enumerate(document.content, 1):
        record = line[:3]
        if record in _FOLLOWERS and parts:
            parts[-1].content.append(line)
        elif record == _TOTAL and _counts(line, count):
            count = 0
        elif line.strip(_PADDING) and record not in _HEADERS:
            parts.append(Value([line], f"line {number}", number))
            count += record in _COLUMNS
    yield from parts


def read_parcel(value: Value) -> Parcel:
    """Return the invoice of an event."""
    line: str = value.content[0]
    columns = _columns(value)
    number = line[columns.number].strip()
    end = len(line.rstrip(_PADDING))
    for column in (columns.number, columns.code, columns.day, columns.time, columns.observation):
        if column.start < end < column.stop:
            raise value.error(f"the line ends within columns {_shown(column)}: the file is cut off")
    if not number.strip("0"):
        raise value.error(f"the invoice number is missing in columns {_shown(columns.number)}")
    return Parcel(
        [value],
        issuer=line[_ISSUER].strip(),
        series=line[_SERIES].strip(),
        invoice_number=number,
    )


def read_scan(value: Value) -> Scan:
    """Return an event."""
    line: str = value.content[0]
    columns = _columns(value)
    code, day, time = line[columns.code].strip(), line[columns.day], line[columns.time]
    if not code.isalnum():
        raise value.error(f"the code is missing in columns {_shown(columns.code)}")
    has_time = time.isdecimal() and bool(time.strip("0"))
    moment = local_time(value, f"{day}{time if has_time else '0000'}", "%d%m%Y%H%M", "05102026 and 1412")
    text = _text(value, columns)
    nameless = text if _TRADE_WORDS.issuperset(text.casefold().split()) else ""
    not_delivered, instead = _not_delivered(value, line[columns.observation].strip())
    return Scan(
        code,
        moment,
        description=nameless if code.lstrip("0") in _HANDED_OVER else text,
        delivered_description=instead or nameless,
        has_time=has_time,
        not_delivered=not_delivered,
    )


def _counts(line: str, events: int) -> bool:
    """Return whether a record 549 has the right number of events, or does not have a number."""
    total = line[3:7].strip()
    return not total.isdecimal() or int(total) == events


def _columns(value: Value) -> _Columns:
    record = value.content[0][:3]
    columns = _COLUMNS.get(record)
    if record == _TOTAL:
        raise value.error("the total is not the number of events in the file: the file is not complete")
    if columns is None:
        raise value.error("not a record of OCOREN; a line that begins with 342 or 542 was expected")
    return columns


def _text(value: Value, columns: _Columns) -> str:
    line: str = value.content[0]
    texts = [record[_TEXT_543] for record in value.content if record.startswith("543")]
    return " ".join(filter(None, (line[columns.text].strip(_PADDING), *(text.strip(_PADDING) for text in texts))))


def _not_delivered(value: Value, observation: str) -> tuple[Status | None, str]:
    """Return the status and text of a delivery that was refused, or has fewer volumes than the invoice."""
    if observation.isdecimal() and int(observation) in _OBSERVATIONS:
        return _OBSERVATIONS[int(observation)]
    for record in value.content:
        if record.startswith("544"):
            volumes, delivered = (record[columns] for columns in _VOLUMES_544)
            if volumes.isdecimal() and delivered.isdecimal() and int(delivered) < int(volumes):
                return _SOME_VOLUMES
    return None, ""


def _shown(columns: slice) -> str:
    return f"{columns.start + 1} to {columns.stop}"
