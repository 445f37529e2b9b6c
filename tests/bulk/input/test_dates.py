"""Tests of dates and times."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from vtex_tracking_ext.bulk.input.dates import (
    DateError,
    DateFormat,
    Moment,
    day_order,
    excel_moment,
    needs_order,
    parse_date_format,
    read_moment,
)

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.input.dates import Order

SAO_PAULO = ZoneInfo("America/Sao_Paulo")


def moment(
    text: str, date_format: str | None = None, order: Order | None = None, zone: ZoneInfo | None = None
) -> Moment:
    """Read a date."""
    return read_moment(text, parse_date_format(date_format) if date_format else None, order, zone)


def refused(text: str, date_format: str | None = None, order: Order | None = None, zone: ZoneInfo | None = None) -> str:
    """Return why a date is refused."""
    with pytest.raises(DateError) as caught:
        moment(text, date_format, order, zone)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-01", ("2026-10-01", "")),
        ("2026/10/1", ("2026-10-01", "")),
        ("2026.10.01", ("2026-10-01", "")),
        (" 2026-10-01 ", ("2026-10-01", "")),
        ("2026-10-01 09:05", ("2026-10-01", "09:05")),
        ("2026-10-01 9:05:00", ("2026-10-01", "09:05")),
        ("2026-10-01T09:05:07", ("2026-10-01", "09:05:07")),
        ("2026-10-01T09:05:07.123456", ("2026-10-01", "09:05:07")),
        ("2026-10-01 09:05:07,5", ("2026-10-01", "09:05:07")),
        ("2026-10-01, 09:05", ("2026-10-01", "09:05")),
        ("2026-10-01 00:00:00.000", ("2026-10-01", "")),
        ("2026-10-01 12:00 AM", ("2026-10-01", "")),
        ("2026-10-01 12:30 p.m.", ("2026-10-01", "12:30")),
        ("2026-10-01 1:30pm", ("2026-10-01", "13:30")),
        ("2026-10-01 1:30 am", ("2026-10-01", "01:30")),
    ],
)
def test_dates_with_the_year_first(text: str, expected: tuple[str, str]) -> None:
    """They need no format; midnight is no time, and seconds of 00 are left out."""
    assert moment(text) == Moment(*expected)
    assert not needs_order(text)


@pytest.mark.parametrize("text", ["05/10/2026", "5-10-2026", "05.10.2026", "05/10/2026 00:00"])
def test_dates_with_the_year_last(text: str) -> None:
    """They need the order of day and month, which a format says more strongly than the column does."""
    assert needs_order(text)
    assert moment(text, order="day first").day == "2026-10-05"
    assert moment(text, order="month first").day == "2026-05-10"
    assert moment(text, "mm/dd/yyyy", "day first").day == "2026-05-10"
    assert moment(text, "yyyy-mm-dd", "day first").day == "2026-10-05"
    assert "can have the day or the month first; give --date-format" in refused(text)


def test_years_of_two_digits_need_a_format_that_says_so() -> None:
    """They are of this century."""
    assert moment("05/10/26", "dd/mm/yy").day == "2026-10-05"
    assert moment("10/05/26 10:00", "mm-dd-yy") == Moment("2026-10-05", "10:00")
    assert moment("05/10/2026", "dd/mm/yy").day == "2026-10-05"
    for date_format in (None, "dd/mm/yyyy"):
        assert "has a year of two digits; give --date-format" in refused("05/10/26", date_format, "day first")


@pytest.mark.parametrize(
    ("offset", "hours"),
    [("Z", 0), ("z", 0), (" UTC", 0), ("+00:00", 0), ("-03:00", -3), ("-0300", -3), ("-03", -3), (" +05:30", 5.5)],
)
def test_offsets(offset: str, hours: float) -> None:
    """The day and time are the source's own; UTC is converted to a zone that is named."""
    found = moment(f"2026-10-01T01:00{offset}")
    assert (found.day, found.time) == ("2026-10-01", "01:00")
    assert found.zone is not None
    assert found.zone.utcoffset(None) == dt.timedelta(hours=hours)
    found = moment(f"2026-10-01T01:00{offset}", zone=SAO_PAULO)
    assert (found.day, found.time) == (("2026-10-01", "01:00") if hours else ("2026-09-30", "22:00"))


@pytest.mark.parametrize(
    "text",
    ["2026-02-30", "2026-13-01", "2026-10-01 24:00", "2026-10-01 13:00 PM", "2026-10-01 0:30 am", "2026-10-01 1:60"],
)
def test_impossible_dates_and_times(text: str) -> None:
    """A date that the calendar lacks is refused, not shifted."""
    assert refused(text) == f"'{text}' is not a date of the calendar, or not a time of day"


def test_earliest_day_in_utc_has_no_zone_west_of_it() -> None:
    """A conversion that leaves the calendar is refused."""
    assert "is not a date of the calendar" in refused("0001-01-01T00:01Z", zone=SAO_PAULO)


@pytest.mark.parametrize(
    "text", ["soon", "2026-10", "2026-10/01", "2026-10-01 10", "1 Oct 2026", "\u0662026-10-01", ""]
)
def test_what_is_no_date(text: str) -> None:
    """Anything else is refused with what to write."""
    assert refused(text).endswith("is not a date; write yyyy-mm-dd or dd/mm/yyyy, with hh:mm after it if you like")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("46296", "it may be 2026-10-01 as a spreadsheet's serial number: format the cells as dates, or give --date-f"),
        ("46296,5", "it may be 2026-10-01 as a spreadsheet's serial number"),
        (
            "1773628200",
            "it may be seconds since 1970: give --date-format (in Python: date_format=; in a layout: date_fo",
        ),
        ("1773628200000", "it may be milliseconds since 1970: give --date-format"),
        ("20261001", "write yyyy-mm-dd or dd/mm/yyyy"),
    ],
)
def test_numbers_are_refused_with_a_hint(text: str, hint: str) -> None:
    """A number is a date only if a format says so; the message says what it may be."""
    assert refused(text).startswith(f"'{text}' is not a date; {hint}")
    assert refused(text, "dd/mm/yyyy").startswith(f"'{text}' is not a date; {hint}")


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("46296", "excel", ("2026-10-01", "")),
        ("46296.5", "Excel", ("2026-10-01", "12:00")),
        ("46296,25", "excel", ("2026-10-01", "06:00")),
        ("1773628200", "epoch", ("2026-03-15", "23:30")),
        ("1773628200000", "epoch-ms", ("2026-03-15", "23:30")),
    ],
)
def test_numbers_that_a_format_names(text: str, unit: str, expected: tuple[str, str]) -> None:
    """Days of spreadsheets, and seconds or milliseconds since 1970 in the carrier's zone."""
    found = moment(text, unit, zone=SAO_PAULO)
    assert (found.day, found.time) == expected


def test_numbers_that_are_no_dates() -> None:
    """A number beyond the calendar is refused, and so is one that counts in UTC without a zone."""
    assert refused("9999999", "excel") == "9999999 is not the number of a date"
    assert refused("9" * 20, "epoch", zone=SAO_PAULO) == f"'{'9' * 20}' is not the number of a date"
    assert "counts from 1970 in UTC; give --zone" in refused("1773628200", "epoch")
    assert "is not a date; write yyyy-mm-dd" in refused("soon", "excel")
    assert moment("2026-10-01", "excel") == Moment("2026-10-01")


def test_excel_days_of_both_calendars() -> None:
    """Serial numbers are rounded to seconds."""
    assert excel_moment(46296.999999) == Moment("2026-10-02")
    assert excel_moment(44834.0, dt.datetime(1904, 1, 1)) == Moment("2026-10-01")  # noqa: DTZ001 - no time zones


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dd/mm/yyyy", DateFormat("dd/mm/yyyy", "day first")),
        ("DD-MM-AAAA", DateFormat("DD-MM-AAAA", "day first")),
        ("mm.dd.yyyy hh:mm", DateFormat("mm.dd.yyyy hh:mm", "month first")),
        ("dd/mm/yy", DateFormat("dd/mm/yy", "day first", has_short_years=True)),
        ("mm/dd/aa", DateFormat("mm/dd/aa", "month first", has_short_years=True)),
        ("yyyy-mm-dd", DateFormat("yyyy-mm-dd")),
        (" Epoch ", DateFormat(" Epoch ", unit="epoch")),
    ],
)
def test_date_formats(text: str, expected: DateFormat) -> None:
    """A format says the order of day and month, how many digits a year has, or what numbers count."""
    assert parse_date_format(text) == expected


@pytest.mark.parametrize(
    "text", ["", "dd/mm", "dd/dd/yyyy", "dd/yyyy/mm", "yyyy/dd/mm", "yy-mm-dd", "mm/mm/yyyy", "%d/%m/%Y", "dd/mm-yyyy"]
)
def test_what_is_no_date_format(text: str) -> None:
    """A format in which day and month cannot be told, or that no one uses, is refused."""
    with pytest.raises(ValueError, match="is not a date format: write dd/mm/yyyy, mm/dd/yyyy, yyyy-mm-dd, dd/mm/yy or"):
        parse_date_format(text)


def test_order_of_a_column() -> None:
    """One date that leaves no choice decides, wherever it stands; texts that are no such dates do not count."""
    texts = ["05/10/2026", "2026-10-01", "soon", "", " 31/10/2026 10:00"]
    assert day_order(texts, "date") == "day first"
    assert day_order(["5/31/26", "32/13/2026"], "date") == "month first"


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (
            ["", " 05/10/2026"],
            "column date: every date, such as '05/10/2026', can have the day or the month first; give",
        ),
        (["31/10/2026", "10/31/2026"], "column date: '31/10/2026' has the day first, but '10/31/2026' the month; give"),
    ],
)
def test_order_that_cannot_be_told(texts: list[str], said: str) -> None:
    """Without a decision, or with two, the column is refused with the option that says the order."""
    with pytest.raises(DateError) as caught:
        day_order(texts, "date")
    assert str(caught.value).startswith(said)
    assert "--date-format (in Python: date_format=; in a layout: date_format)" in str(caught.value)
