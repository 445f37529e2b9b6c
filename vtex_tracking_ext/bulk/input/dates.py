"""Read dates and times as people, spreadsheets and programs write them. Pure.

A date with the year first can be read in one way. Whether ``05/10/2026`` has the day or the month first is decided by a
date format that a person gave, or by the other values of its column: see :func:`day_order`.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from attrs import frozen

from vtex_tracking_ext.text import quoted

from .values import unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

#: The order of day and month where the year comes last.
Order = Literal["day first", "month first"]

#: What a column of numbers counts.
Unit = Literal["", "excel", "epoch", "epoch-ms"]

#: The usual format of each order.
FORMATS_OF_ORDERS: Final[dict[Order, str]] = {"day first": "dd/mm/yyyy", "month first": "mm/dd/yyyy"}

#: How a message names the option.
OPTION: Final = "--date-format (in Python: date_format=; in a layout: date_format)"

_FORMAT: Final = re.compile(r"(?i)(yyyy|aaaa|yy|aa|dd|mm)([-/.])(dd|mm)\2(yyyy|aaaa|yy|aa|dd|mm)(?:[ T]+hh.*)?")
_DATE: Final = re.compile(
    r"""(?:(?P<year>\d{4})(?P<s>[-/.])(?P<month>\d{1,2})(?P=s)(?P<day>\d{1,2})
        |(?P<first>\d{1,2})(?P<t>[-/.])(?P<second>\d{1,2})(?P=t)(?P<last>\d{4}|\d{2}))
    (?:(?:[ ]*T|,?[ ]+)(?P<time>\d{1,2}:\d{2}(?::\d{2})?)(?:[.,]\d+)?[ ]*(?P<half>[AaPp]\.?[Mm]\.?)?
        [ ]*(?P<offset>[Zz]|UTC|[+-]\d{2}(?::?\d{2})?)?)?""",
    re.VERBOSE | re.ASCII,
)
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)?", re.ASCII)

_MONTHS: Final = 12

#: The first days of spreadsheets' calendars: 1900 (with the 29 February 1900 that never was), and 1904 of old Macs.
EXCEL_DAY_0: Final = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet has no time zones
_PLAUSIBLE_SERIALS: Final = range(36526, 73051)  # 2000 to 2099
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FIRST_YEAR: Final = 1970
_YEAR: Final = 31_556_952  # seconds
_CENTURY: Final = 2000


class DateError(ValueError):
    """A text is not a date, or can be read as several; the message says what to do."""


class Moment(NamedTuple):
    """A date as it was written, with its time.

    Attributes:
        day: ``yyyy-mm-dd``.
        time: ``hh:mm`` or ``hh:mm:ss``, or an empty text without a time. Midnight is no time, because programs write it
            behind a date that has none.
        zone: The time zone that it is in, if that was written.
    """

    day: str
    time: str = ""
    zone: dt.tzinfo | None = None


@frozen
class DateFormat:
    """How a file writes its dates.

    Attributes:
        text: The format as a person gave it, such as ``dd/mm/yyyy``.
        order: The order of day and month, or None where the year comes first, or for a number.
        has_short_years: Whether years have two digits; they are of this century.
        unit: What a number counts: ``excel`` for days as spreadsheets count them, ``epoch`` for seconds and
            ``epoch-ms`` for milliseconds since 1970 in UTC; empty for dates that are written out.
    """

    text: str
    order: Order | None = None
    has_short_years: bool = False
    unit: Unit = ""


def parse_date_format(text: str) -> DateFormat:
    """Return a date format from its text, such as ``dd/mm/yyyy``, ``mm-dd-yy``, ``excel`` or ``epoch-ms``.

    The separator may be another one in the file.

    Raises:
        ValueError: It is not a date format.
    """
    name = text.strip().casefold()
    for unit in ("excel", "epoch", "epoch-ms"):
        if name == unit:
            return DateFormat(text, unit=unit)
    found = _FORMAT.fullmatch(name)
    parts = [part.replace("a", "y") for part in found.group(1, 3, 4)] if found else []
    short = [part[0] for part in parts]
    if sorted(short) != ["d", "m", "y"] or short[1] == "y" or short == ["y", "d", "m"] or parts[0] == "yy":
        raise ValueError(
            f"{quoted(text, 60)} is not a date format: write dd/mm/yyyy, mm/dd/yyyy, yyyy-mm-dd, dd/mm/yy or mm/dd/yy, "
            "or excel, epoch or epoch-ms for numbers"
        )
    if short[0] == "y":
        return DateFormat(text)
    return DateFormat(text, "day first" if short[0] == "d" else "month first", has_short_years="yy" in parts)


def day_order(texts: Iterable[str], column: str) -> Order:
    """Return the order of day and month in a column, from all of its texts.

    Raises:
        DateError: No text leaves only one order, or two texts leave different ones.
    """
    seen: dict[Order, str] = {}
    example = ""
    for text in map(unwrapped, texts):
        found = _DATE.fullmatch(text)
        if found is None or found["first"] is None:
            continue
        example = example or text
        first, second = int(found["first"]), int(found["second"])
        if first > _MONTHS >= second:
            seen.setdefault("day first", text)
        elif second > _MONTHS >= first:
            seen.setdefault("month first", text)
    if len(seen) == 1:
        return next(iter(seen))
    if seen:
        day, month = quoted(seen["day first"].strip(), 60), quoted(seen["month first"].strip(), 60)
        raise DateError(f"column {column}: {day} has the day first, but {month} the month; give {OPTION}")
    shown = quoted(example.strip(), 60)
    raise DateError(
        f"column {column}: every date, such as {shown}, can have the day or the month first; give {OPTION}, such as "
        "dd/mm/yyyy"
    )


def needs_order(text: str) -> bool:
    """Return whether a text is a date with the year last, so that day and month must be told apart."""
    found = _DATE.fullmatch(text.strip())
    return found is not None and found["first"] is not None


def read_moment(
    text: str,
    date_format: DateFormat | None = None,
    order: Order | None = None,
    zone: ZoneInfo | None = None,
) -> Moment:
    """Return the date and time that a text is.

    With a UTC offset, the day is the source's own. A time in UTC is converted to ``zone`` if one is given.

    Args:
        text: The text.
        date_format: The format that a person gave.
        order: The order of day and month where the format does not say.
        zone: The time zone of the carrier, for times that are given in UTC.

    Raises:
        DateError: It is not a date, or not in the format.
    """
    text = text.strip()
    found = _DATE.fullmatch(text)
    if found is None:
        return _read_number(text, date_format, zone)
    if found["first"] is None:
        year, month, day = int(found["year"]), int(found["month"]), int(found["day"])
    else:
        order = (date_format and date_format.order) or order
        if order is None:
            raise DateError(f"{quoted(text, 60)} can have the day or the month first; give {OPTION}")
        day, month = int(found["first"]), int(found["second"])
        day, month = (day, month) if order == "day first" else (month, day)
        year = int(found["last"])
        if len(found["last"]) == len("yy"):
            if date_format is None or not date_format.has_short_years:
                raise DateError(f"{quoted(text, 60)} has a year of two digits; give {OPTION}, such as dd/mm/yy")
            year += _CENTURY
    try:
        moment = dt.datetime(year, month, day)  # noqa: DTZ001 - a carrier's local time
        if found["time"]:
            moment = dt.datetime.combine(moment, _read_time(found["time"], found["half"]))
        if found["offset"]:
            moment = _in_zone(moment, found["offset"], zone)
    except (ValueError, OverflowError):
        raise DateError(f"{quoted(text, 60)} is not a date of the calendar, or not a time of day") from None
    return _moment(moment)


def excel_moment(serial: float, day_0: dt.datetime = EXCEL_DAY_0) -> Moment:
    """Return the date of a serial number, as spreadsheets count days.

    Raises:
        DateError: There is no such date.
    """
    try:
        return _moment(day_0 + dt.timedelta(seconds=round(serial * 86400)))
    except (ValueError, OverflowError):
        raise DateError(f"{serial:.15g} is not the number of a date") from None


def _read_time(text: str, half: str | None) -> dt.time:
    hour, minute, second = map(int, f"{text}:00".split(":")[:3])
    if half:
        if not 1 <= hour <= 12:  # noqa: PLR2004 - the hours of a half day
            raise ValueError(text)
        hour = hour % 12 + 12 * (half[0] in "pP")
    return dt.time(hour, minute, second)


def _in_zone(moment: dt.datetime, offset: str, zone: ZoneInfo | None) -> dt.datetime:
    """Return a time with its UTC offset; a time in UTC is converted to a zone if one is given.

    Midnight in UTC is not converted: programs write it for a day without a time, which must stay this day.
    """
    digits = offset.strip("Zz+-UTC").replace(":", "")
    minutes = int(digits[:2] or 0) * 60 + int(digits[2:] or 0)
    if not minutes and zone is not None and moment.time() != dt.time():
        return moment.replace(tzinfo=dt.UTC).astimezone(zone)
    return moment.replace(tzinfo=dt.timezone(dt.timedelta(minutes=-minutes if offset.startswith("-") else minutes)))


def _read_number(text: str, date_format: DateFormat | None, zone: ZoneInfo | None) -> Moment:
    number = float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None
    unit = date_format.unit if date_format else ""
    if number is None or not unit:
        raise DateError(f"{quoted(text, 60)} is not a date{_number_hint(number)}")
    if unit == "excel":
        return excel_moment(number)
    if zone is None:
        raise DateError(f"{quoted(text, 60)} counts from 1970 in UTC; give --zone, the time zone whose day counts")
    try:
        moment = _EPOCH + dt.timedelta(seconds=number / (1000 if unit == "epoch-ms" else 1))
        return _moment(moment if moment.time() == dt.time() else moment.astimezone(zone))
    except (ValueError, OverflowError):
        raise DateError(f"{quoted(text, 60)} is not the number of a date") from None


def _number_hint(number: float | None) -> str:
    """Return the end of a sentence: what a number in the place of a date probably is."""
    if number is None:
        return "; write yyyy-mm-dd or dd/mm/yyyy, with hh:mm after it if you like"
    if int(number) in _PLAUSIBLE_SERIALS:
        day = excel_moment(number).day
        return f"; it may be {day} as a spreadsheet's serial number: format the cells as dates, or give {OPTION} excel"
    for unit, counted, size in (("epoch-ms", "milliseconds", 1000), ("epoch", "seconds", 1)):
        if _CENTURY < _FIRST_YEAR + number / size / _YEAR < _CENTURY + 100:
            return f"; it may be {counted} since 1970: give {OPTION} {unit}, and --zone"
    return "; write yyyy-mm-dd or dd/mm/yyyy"


def _moment(moment: dt.datetime) -> Moment:
    time = moment.strftime("%H:%M:%S").removesuffix(":00")
    return Moment(moment.date().isoformat(), "" if time == "00:00" else time, moment.tzinfo)
