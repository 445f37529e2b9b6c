"""Servientrega: the answer of ConsultarGuia and its siblings, in SOAP or alone. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.carriers.event import Status
from vtex_tracking_ext.carriers.parcel import Parcel, Scan
from vtex_tracking_ext.carriers.payload import Value
from vtex_tracking_ext.carriers.times import slashed_time

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A place with its department, such as ``NEIVA (HUILA)``.
_PLACE: Final = re.compile(r"(.*?)\s*\(([^()]*)\)")

#: A date that begins with its month, or with its day: no month has a number above 12.
_MONTH_FIRST: Final = re.compile(r"\d\d/(?:1[3-9]|[23]\d)/")
_DAY_FIRST: Final = re.compile(r"(?:1[3-9]|[23]\d)/")

_UNDECIDED: Final = "its dates do not tell the day from the month; they are read as day/month/year"

_TO_SENDER: Final = "ENTREGADO A REMITENTE"


def matches(document: Value) -> bool:
    """Return whether a document has the shape of this source."""
    return any(True for _ in split(document))


def split(document: Value) -> Iterator[Value]:
    """Yield the one guide. The names of the SOAP elements around it depend on the method that was called."""
    value = document
    while "NumGui" not in value:
        names = [name for name in value.content if name != "Header"] if isinstance(value.content, dict) else []
        if len(names) != 1:
            return
        value = value.get(names[0])
    yield value


def read_parcel(value: Value) -> Parcel:
    """Return the guide, with its movements and its current state; each gets a flag for dates that begin with the month.

    Dates to the minute begin with the day; those to the second were seen to begin with the month.
    """
    number = value.text("NumGui")
    if not number.strip("0"):
        return Parcel(note="Servientrega does not know the guide")
    scans = [*value.items("Mov", "InformacionMov"), *([value] if value.has("FecEst") else ())]
    dates = [date for scan in scans for key in ("FecMov", "FecEst") for date in scan.texts(key)]
    month_first = any(_MONTH_FIRST.match(date) for date in dates)
    has_seconds = any(date.count(":") > 1 for date in dates)
    is_undecided = has_seconds and not month_first and not any(_DAY_FIRST.match(date) for date in dates)
    return Parcel(
        [_with_order(scan, month_first=month_first) for scan in scans],
        tracking_code=number,
        not_delivered=Status.RETURNED if value.text("EstAct") == _TO_SENDER else None,
        note=f"{number}: {_UNDECIDED}" if is_undecided else "",
        receiver=value.texts("NomRec"),
    )


def _with_order(scan: Value, *, month_first: bool) -> Value:
    if not isinstance(scan.content, dict):
        return scan
    return Value({**scan.content, "month_first": month_first}, scan.place, scan.line)


def read_scan(value: Value) -> Scan:
    """Return the state, whose code is its number or else its word, or a movement, whose code is its process."""
    month_first = value.flag("month_first")
    if "NumGui" in value:
        code = value.text("IdEstAct") or value.required("EstAct")
        return Scan(code, slashed_time(value, "FecEst", month_first=month_first), value.text("EstAct"))
    process, name = value.text("IdProc").strip("0"), value.required("NomMov")
    place = _PLACE.fullmatch(value.text("OriMov"))
    return Scan(
        code=f"mov/{value.text('IdProc')}" if process else name,
        time=slashed_time(value, "FecMov", month_first=month_first),
        description=name,
        city=place[1] if place else value.text("OriMov"),
        state=place[2] if place else "",
    )
