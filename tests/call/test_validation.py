"""Checks of updates, ids, dates and tracking numbers."""

from __future__ import annotations

import datetime as dt
from enum import Enum
from typing import Any

import pytest
from attrs import astuple
from hypothesis import given
from hypothesis import strategies as st
from vtex_oms_client import constants

from vtex_tracking_ext import InvalidUpdateError, TrackingEvent, TrackingUpdate
from vtex_tracking_ext.call import validation

BRASILIA = dt.timezone(dt.timedelta(hours=-3), "BRT")
NOW = dt.datetime(2022, 10, 1, 21, 15, tzinfo=BRASILIA)
LONGEST = constants.EVENT_DESCRIPTION_MAX_LENGTH
EVENT = TrackingEvent(date=dt.date(2015, 6, 23), description="Coletado pela transportadora")


class Kind(str, Enum):  # noqa: UP042 - a StrEnum prints what it holds
    """A str enum, whose members are formatted as another text than they are equal to."""

    ID = "1-01"
    DAY = "2022-10-01"
    INSTANT = "2022-10-01T21:15:00Z"


class BrokenZone(dt.tzinfo):
    """A time zone that raises an exception."""

    def utcoffset(self, _: dt.datetime | None) -> dt.timedelta | None:
        """Raise an exception."""
        raise ZeroDivisionError

    dst = tzname = utcoffset  # type: ignore[assignment]


class NotATime(dt.datetime):
    """A datetime that cannot be formatted, such as pandas' NaT."""

    def date(self) -> dt.date:
        """Raise an exception."""
        raise ZeroDivisionError

    def replace(self, **_: Any) -> NotATime:  # type: ignore[override]
        """Raise an exception."""
        raise ZeroDivisionError

    def isoformat(self, *_: Any) -> str:
        """Raise an exception."""
        raise ZeroDivisionError


def problems(**changes: Any) -> list[str]:
    """Return the problems of an update that is valid except for the changes."""
    fields = {"order_id": "1172452900788-01", "invoice_number": "000030711", "events": [EVENT], **changes}
    return [str(problem) for problem in validation.update_problems(TrackingUpdate(**fields), NOW)]


def event_problems(**changes: Any) -> list[str]:
    """Return the problems of an update whose only event is valid except for the changes."""
    return problems(events=[TrackingEvent(**{"date": "2015-06-23", "description": "Coletado", **changes})])


def test_a_valid_update_has_no_problems() -> None:
    """A valid update has no problems, with or without a delivery or events."""
    assert problems() == []
    assert problems(is_delivered=True, delivered_date="2022-10-01 21:15") == []
    assert problems(events=[], is_delivered=True) == []


def test_all_problems_are_reported_at_once_with_their_places() -> None:
    """One check returns all problems, each with its place, in the order of the fields."""
    events = [EVENT, EVENT, EVENT, TrackingEvent("31/02/2026", "x" * (LONGEST + 213))]
    update = TrackingUpdate("..", "a b", events, is_delivered=False, delivered_date="soon")
    error = InvalidUpdateError(problems=validation.update_problems(update, NOW))
    places = [problem.place for problem in error.problems]
    assert places == [
        "order_id",
        "invoice_number",
        "events[3].description",
        "events[3].date",
        "delivered_date",
        "delivered_date",
    ]
    assert f"events[3].description: {LONGEST + 213} characters, the limit is {LONGEST}" in str(error)
    assert isinstance(error, ValueError)
    assert error.applied is False


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"order_id": "a b"},
            (
                "order_id: 'a b' contains a space; letters, digits, '_', '-' and, after the first character, '.' are "
                "allowed; give the order id in the account that fulfils the order, such as 1172452900788-01"
            ),
        ),
        ({"events": 5}, "events: 5 is not a list of events; give a list of TrackingEvent"),
        ({"events": ["x"]}, "events[0]: 'x' is not a TrackingEvent"),
        (
            {"events": [TrackingEvent("soon", "Coletado")]},
            "events[0].date: 'soon' is not a date in the form yyyy-mm-dd, such as 2026-02-28",
        ),
        (
            {"events": [TrackingEvent("2015-06-23", "\u200b\u00a0\ufeff")]},
            "events[0].description: empty; describe the event, because the shopper reads this text",
        ),
        (
            {"events": [TrackingEvent("2015-06-23", " ")]},
            "events[0].description: empty; describe the event, because the shopper reads this text",
        ),
        ({"events": []}, "events: empty, and is_delivered is not set: there is nothing to send; add an event"),
        (
            {"is_delivered": True, "delivered_date": "soon"},
            "delivered_date: 'soon' is not a date in the form yyyy-mm-dd hh:mm or yyyy-mm-dd, such as 2026-02-28 21:15",
        ),
    ],
)
def test_a_problem_says_where_what_and_how_to_fix_it(changes: dict[str, Any], said: str) -> None:
    """A problem of an update is worded exactly: place, value, what is wrong and how to fix it."""
    assert problems(**changes) == [said]


def test_the_problem_of_a_value_that_is_not_an_update_shows_the_value() -> None:
    """The problem of a value that is not a TrackingUpdate shows that value."""
    given: Any = "x"
    (problem,) = validation.update_problems(given, NOW)
    assert str(problem) == "update: 'x' is not a TrackingUpdate; make one: TrackingUpdate(order_id, ...)"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"trackingNumber": " "}, "tracking_number: empty; it would erase the tracking number that the shopper sees"),
        (
            {"trackingNumber": "TRK-1", "dispatchedDate": "soon"},
            (
                "dispatched_date: 'soon' is not a date; write ISO 8601, such as 2026-02-28 or "
                "2026-02-28T21:15:00-03:00, or give a datetime"
            ),
        ),
    ],
)
def test_a_problem_of_a_tracking_number_says_where_what_and_how_to_fix_it(body: dict[str, object], said: str) -> None:
    """A problem of a tracking number is worded exactly: place, what is wrong and how to fix it."""
    assert [str(problem) for problem in validation.tracking_number_problems(body)] == [said]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a b", "a space"),
        (" 1", "a space"),
        ("1\n", "a line break"),
        ("1\t", "a tab"),
        ("1/2", "contains '/'"),
        ("..", "starts with '.'"),
        (".", "starts with '.'"),
        ("1#2", "contains '#'"),
        ("1%2F2", "contains '%'"),
        ("1\x00", r"contains '\x00'"),
        ("1\x7f", r"contains '\x7f'"),
        ("n\N{LATIN SMALL LETTER O WITH ACUTE}", "LATIN SMALL LETTER O WITH ACUTE"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "ARABIC-INDIC DIGIT ONE"),
        ("", "empty"),
        ("1" * 129, "129 characters, the limit is 128"),
        (30711, "30711 is not text"),
        (None, "None is not text"),
    ],
)
@pytest.mark.parametrize("field", ["order_id", "invoice_number"])
def test_an_id_that_vtex_cannot_address_is_refused(field: str, value: object, said: str) -> None:
    """An id that VTEX cannot address, or that would change the path, is refused; the message names the character."""
    (problem,) = problems(**{field: value})
    assert problem.startswith(f"{field}: ")
    assert said in problem


def test_the_problem_of_an_empty_id_says_what_to_give() -> None:
    """The problem of an empty id says which id is meant, not which characters are allowed."""
    assert problems(order_id="", invoice_number="") == [
        "order_id: empty; give the order id in the account that fulfils the order, such as 1172452900788-01",
        "invoice_number: empty; give the number under which the package was invoiced, such as 000030711",
    ]


def test_the_problem_of_an_unreachable_invoice_names_the_workaround() -> None:
    """The problem of an invoice number with a space names the VTEX Admin as the workaround."""
    (problem,) = problems(invoice_number="NF 30711")
    assert "VTEX Admin" in problem
    assert "409225" in problem


@pytest.mark.parametrize(
    "value", ["1172452900788-01", "v501245lspt-01", "00-v5195004lux-01", "seq501456", "MKT_1.2-01"]
)
def test_ids_of_the_usual_forms_are_accepted(value: str) -> None:
    """Ids as in VTEX's documentation and in marketplaces are accepted."""
    assert problems(order_id=value, invoice_number=value) == []


@pytest.mark.parametrize(
    "value",
    [
        "31/02/2026",
        "2026-02-30",
        "2026-13-01",
        "2026-2-3",
        "20260203",
        "2026-W01-1",
        "2026-02-03 10:00",
        "2026-02-03T10:00:00",
        "2026-02-03\n",
        " 2026-02-03",
        "0000-01-01",
        "\N{ARABIC-INDIC DIGIT TWO}026-02-03",
        "",
        None,
        20260203,
        NotATime(2026, 2, 3),
    ],
)
def test_an_invalid_event_date_is_refused(value: Any) -> None:
    """An event's date that is not a calendar date in the form yyyy-mm-dd with ASCII digits is refused."""
    (problem,) = event_problems(date=value)
    assert problem.startswith("events[0].date: ")
    assert "is not a date in the form yyyy-mm-dd" in problem


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (dt.date(2015, 6, 23), "2015-06-23"),
        (dt.datetime(2015, 6, 23, 23, 59), "2015-06-23"),  # noqa: DTZ001 - a carrier's local time
        (dt.datetime(2015, 6, 23, 23, 59, tzinfo=BRASILIA), "2015-06-23"),
        (dt.datetime(2015, 6, 23, tzinfo=BrokenZone()), "2015-06-23"),
        ("2020-02-29", "2020-02-29"),
    ],
)
def test_an_event_date_is_the_local_day_of_its_value(value: Any, sent: str) -> None:
    """A datetime is sent as its own local day, whatever its time zone."""
    assert event_problems(date=value) == []
    assert validation.format_event_date(value) == sent


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (dt.datetime(2022, 10, 1, 21, 15, 59), "2022-10-01 21:15"),  # noqa: DTZ001 - a carrier's local time
        (dt.datetime(2022, 10, 1, 21, 15, tzinfo=BRASILIA), "2022-10-01 21:15"),
        (dt.date(2022, 10, 1), "2022-10-01"),
        ("2022-10-01 21:15", "2022-10-01 21:15"),
        ("2022-10-01", "2022-10-01"),
    ],
)
def test_a_delivered_date_is_the_local_time_of_its_value(value: Any, sent: str) -> None:
    """A datetime is sent as its own local time to the minute, and a date without a time."""
    assert (
        problems(is_delivered=True, delivered_date=value) == []
        or validation.format_delivered_date(value) > "2022-10-01 21:15"
    )
    assert validation.format_delivered_date(value) == sent


@pytest.mark.parametrize(
    ("value", "future"),
    [
        ("2022-10-01 21:15", False),
        ("2022-10-01 21:16", True),
        ("2022-10-01", False),
        ("2022-10-02", True),
        (dt.datetime(2022, 10, 2, 0, 15, tzinfo=dt.UTC), False),
        (dt.datetime(2022, 10, 2, 0, 16, tzinfo=dt.UTC), True),
        (dt.datetime(2022, 10, 2, 9, 15, tzinfo=dt.timezone(dt.timedelta(hours=9))), False),
    ],
)
def test_a_delivered_date_in_the_future_is_refused(value: Any, future: bool) -> None:
    """Future delivered dates are refused: by the minute or the day, and by the instant if they have a time zone."""
    found = problems(is_delivered=True, delivered_date=value)
    assert [("in the future" in problem) for problem in found] == ([True] if future else [])


@pytest.mark.parametrize(("value", "is_hinted"), [("2022-10-01T21:15:00Z", True), (5, True), ("01/10/2022", False)])
def test_a_datetime_is_proposed_for_a_date_in_another_type_or_form(value: Any, is_hinted: bool) -> None:
    """Its message says that a datetime object is accepted, for events and deliveries."""
    found = [*event_problems(date=value), *problems(is_delivered=True, delivered_date=value)]
    assert [problem.endswith("; a datetime object is accepted, too") for problem in found] == [is_hinted] * 2


@pytest.mark.parametrize("day", ["0001-01-01", "1900-01-01", "1970-01-01", "1999-12-31", "2022-10-03", "9999-12-31"])
def test_a_date_before_2000_or_after_tomorrow_is_refused(day: str) -> None:
    """Sources that have no date write such days; neither an event nor a delivery can be of them."""
    which = "after 2022-10-02" if day > "2022" else "before 2000-01-01"
    why = f"{day} is {which}; a source without a date may have written it, so leave out the row or give its date"
    assert event_problems(date=day) == [f"events[0].date: {why}"]
    (problem,) = problems(is_delivered=True, delivered_date=f"{day} 10:00")
    assert problem == f"delivered_date: {why}" or "is in the future" in problem


@pytest.mark.parametrize("day", ["2000-01-01", "2022-10-02"])
def test_an_event_can_be_of_any_day_from_2000_until_tomorrow(day: str) -> None:
    """Tomorrow is allowed, because the time zone of the source may be ahead."""
    assert event_problems(date=day) == []


def test_a_local_time_that_is_past_in_one_time_zone_is_not_in_the_future_everywhere() -> None:
    """With the earliest zone, a time up to 14 hours ahead of UTC is accepted, and the message of others says so."""
    now = dt.datetime(2022, 10, 1, 12, 0, tzinfo=dt.UTC).astimezone(validation.EARLIEST_ZONE)
    past, future = (TrackingUpdate("o", "1", is_delivered=True, delivered_date=f"2022-10-02 02:0{n}") for n in (0, 1))
    assert validation.update_problems(past, now) == []
    (problem,) = validation.update_problems(future, now)
    assert "is in the future in every time zone (now: 2022-10-02 02:00 UTC+14:00)" in problem.message


def test_a_delivered_date_whose_time_zone_fails_is_refused() -> None:
    """A delivered date whose time zone raises an exception is refused, because it cannot be compared with now."""
    value = dt.datetime(2022, 10, 1, tzinfo=BrokenZone())
    assert problems(is_delivered=True, delivered_date=value) == [
        "delivered_date: the time zone of 2022-10-01 00:00 gives no UTC offset; use another time zone"
    ]


def test_a_delivered_date_without_is_delivered_is_refused() -> None:
    """A delivered date on an update that reports no delivery is refused."""
    assert problems(delivered_date="2022-10-01") == ["delivered_date: set without is_delivered; set both, or neither"]


@pytest.mark.parametrize(
    "value", ["2022-10-01T21:15", "2022-10-01 24:00", "2022-10-01 21:15:00", 5, "x" * 5000, NotATime(1, 1, 1)]
)
def test_a_delivered_date_in_another_format_is_refused(value: Any) -> None:
    """A delivered date in another format is refused, and the message quotes a limited part of it."""
    (problem,) = problems(is_delivered=True, delivered_date=value)
    assert "is not a date in the form yyyy-mm-dd hh:mm" in problem
    assert len(problem) < 500


@pytest.mark.parametrize(("value", "shown"), [("yes", "'yes'"), (1, "1"), (None, "None")])
def test_is_delivered_must_be_a_bool(value: Any, shown: str) -> None:
    """A value of is_delivered that is not a bool is refused, because the generated client would send it."""
    assert problems(is_delivered=value) == [f"is_delivered: {shown} is neither True nor False"]


def test_an_update_without_events_or_delivery_is_refused() -> None:
    """An update with no event and no delivery is refused, because it would send nothing."""
    (problem,) = problems(events=[])
    assert "nothing to send" in problem


@pytest.mark.parametrize("length", [1, LONGEST])
def test_a_description_of_the_maximum_length_is_accepted(length: int) -> None:
    """A description of the maximum number of characters is accepted, however many bytes they take."""
    assert event_problems(description="\N{LATIN SMALL LETTER A WITH TILDE}" * length) == []


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("description", "x" * (LONGEST + 1), f"{LONGEST + 1} characters, the limit is {LONGEST}"),
        ("description", "", "empty"),
        ("description", " \n", "empty"),
        ("description", None, "None is not text"),
        ("description", "a\x00b", "U+0000"),
        ("city", "a\x1bb", "U+001B"),
        ("state", "\ud800", "U+D800"),
        ("city", 5, "5 is not text"),
    ],
)
def test_an_invalid_text_is_refused(field: str, value: Any, said: str) -> None:
    """A text of an event that is too long, empty, not text, or contains a forbidden character is refused."""
    found = event_problems(**{field: value})
    assert len(found) == 1
    assert found[0].startswith(f"events[0].{field}: ")
    assert said in found[0]


def test_a_value_that_is_not_an_event_is_refused() -> None:
    """A dict in the list of events is a problem at its place, not an exception."""
    (problem,) = problems(events=[{"date": "2015-06-23"}])
    assert problem.startswith("events[0]: ")
    assert "is not a TrackingEvent" in problem


@pytest.mark.parametrize("value", [None, 5, EVENT, {"date": "2015-06-23"}, "2015-06-23", b"2015", ""])
@pytest.mark.parametrize("delivered", [True, False])
def test_a_value_that_is_not_a_list_of_events_is_refused(value: Any, delivered: bool) -> None:
    """Events that are not a series, such as a single event, are one problem."""
    (problem,) = problems(events=value, is_delivered=delivered)
    assert problem.startswith("events: ")
    assert problem.endswith("is not a list of events; give a list of TrackingEvent")


@pytest.mark.parametrize("value", [None, {}, "x", EVENT])
def test_a_value_that_is_not_an_update_is_refused(value: Any) -> None:
    """A value that is not a TrackingUpdate is a problem, not an AttributeError."""
    (problem,) = validation.update_problems(value, NOW)
    assert problem.place == "update"
    assert "is not a TrackingUpdate; make one" in problem.message


def test_members_of_str_enums_are_converted_to_plain_strings() -> None:
    """An update holds the values of str enums as plain strings, so that what is checked is what is sent."""
    event = TrackingEvent(Kind.DAY, Kind.ID, Kind.ID, Kind.ID)
    update = TrackingUpdate(Kind.ID, Kind.ID, [event], is_delivered=True, delivered_date=Kind.DAY)
    assert update == TrackingUpdate(
        "1-01",
        "1-01",
        [TrackingEvent("2022-10-01", "1-01", "1-01", "1-01")],
        is_delivered=True,
        delivered_date="2022-10-01",
    )
    for value in (*astuple(update, recurse=False), *astuple(event)):
        assert type(value) in {str, tuple, bool}
    assert type(validation.format_event_date(Kind.DAY)) is type(validation.format_delivered_date(Kind.DAY)) is str


def test_the_limits_are_those_of_the_generated_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of the generated limit, the check applies the new limit."""
    monkeypatch.setattr(constants, "EVENT_DESCRIPTION_MAX_LENGTH", 4000)
    assert event_problems(description="x" * 4001) == [
        "events[0].description: 4001 characters, the limit is 4000; shorten it"
    ]


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"trackingNumber": "TRK-1", "trackingUrl": None}, []),
        ({"trackingNumber": " "}, ["tracking_number"]),
        ({}, ["tracking_number"]),
        (
            {"trackingNumber": 5, "trackingUrl": "\x00", "courier": "\x00", "dispatchedDate": 5},
            ["tracking_number", "tracking_url", "courier", "dispatched_date"],
        ),
    ],
)
def test_the_body_of_a_tracking_number_is_checked(body: dict[str, object], places: list[str]) -> None:
    """A blank or missing tracking number is refused, and so is any value that is not text."""
    assert [problem.place for problem in validation.tracking_number_problems(body)] == places


@pytest.mark.parametrize(
    "value",
    [
        "2022-02-08",
        "2022-02-08T13:16",
        "2022-02-08T13:16:13Z",
        "2022-02-08T13:16:13-03:00",
        "2022-02-08T13:16:13-0300",
        "2022-02-08T13:16:13.4617653+00:00",
        dt.date(2022, 2, 8),
        dt.datetime(2022, 2, 8, 13, 16),  # noqa: DTZ001 - a carrier's local time
        dt.datetime(2022, 2, 8, 13, 16, 13, 5, BRASILIA),
        Kind.INSTANT,
        None,
    ],
)
def test_a_dispatch_date_in_iso_8601_is_accepted(value: Any) -> None:
    """A dispatch date in ISO 8601 is accepted, as a date or date-time, with or without an offset."""
    body = {"trackingNumber": "TRK-1", "dispatchedDate": validation.format_dispatched_date(value)}
    assert list(validation.tracking_number_problems(body)) == []
    assert type(body["dispatchedDate"]) in {str, type(None)}


@pytest.mark.parametrize(
    "value",
    [
        "garbage",
        "",
        "2026-02-30",
        "2026-02-03 10:00",
        "20260203",
        "2026-W01-1",
        "2026-02-03T24:01",
        "2026-02-03T10:00+99:00",
        "2026-02-03\n",
        "03/02/2026",
        dt.datetime(2026, 2, 3, tzinfo=BrokenZone()),
        NotATime(2026, 2, 3),
    ],
)
def test_an_invalid_dispatch_date_is_refused(value: Any) -> None:
    """A dispatch date that is not a valid ISO 8601 date is refused."""
    body = {"trackingNumber": "TRK-1", "dispatchedDate": validation.format_dispatched_date(value)}
    (problem,) = map(str, validation.tracking_number_problems(body))
    assert problem.startswith("dispatched_date: ")
    assert "is not a date; write ISO 8601, such as 2026-02-28" in problem


def test_a_dispatch_date_that_cannot_be_formatted_becomes_its_repr() -> None:
    """A datetime that cannot be formatted becomes its repr, which the problem then quotes."""
    value = NotATime(2026, 2, 3)
    assert validation.format_dispatched_date(value) == repr(value)


@given(st.text())
def test_any_accepted_id_is_one_path_segment(text: str) -> None:
    """Any text is either refused as an id, or needs no escaping in a path and cannot leave its segment."""
    if not list(validation.invoice_number_problems(text)):
        assert text.strip(".") == text.lstrip(".")[: len(text.strip("."))]
        assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
        assert not text.startswith(".")


def test_an_id_of_the_maximum_length_is_accepted() -> None:
    """An order id of the maximum length is accepted, and a longer one is refused."""
    assert problems(order_id="1" * constants.ORDER_ID_MAX_LENGTH) == []
    longer = constants.ORDER_ID_MAX_LENGTH + 1
    assert problems(order_id="1" * longer) == [
        f"order_id: {longer} characters, the limit is {constants.ORDER_ID_MAX_LENGTH}"
    ]


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("Az9 b", "contains a space"),
        ("a/b", "contains '/'"),
        (".a", "starts with '.'"),
        ("a\n", "contains a line break"),
        ("a\tb", "contains a tab"),
        ("a\u0661", "contains '\u0661' (ARABIC-INDIC DIGIT ONE)"),
        ("a\x01", r"contains '\x01'"),
        ("a\x80", r"contains '\x80' (unnamed)"),
    ],
)
def test_the_problem_of_an_id_names_the_first_invalid_character(value: str, named: str) -> None:
    """The problem of an id names the first character that is not allowed."""
    (problem,) = validation.order_id_problems(value)
    assert f" {named}; letters, digits" in problem.message


def test_the_problem_of_a_future_date_shows_the_current_time() -> None:
    """The problem of a delivered date in the future shows the current time in its time zone."""
    assert problems(is_delivered=True, delivered_date="2022-10-02") == [
        "delivered_date: 2022-10-02 is in the future (now: 2022-10-01 21:15 BRT); a delivery cannot be undone"
    ]


def test_a_tracking_number_of_one_character_is_accepted() -> None:
    """A tracking number of one character is accepted, because carriers choose their own formats."""
    assert list(validation.tracking_number_problems({"trackingNumber": "1"})) == []


def test_a_value_that_is_not_a_list_of_events_is_kept() -> None:
    """An update keeps a value that is not a series of events, so that its problem can show it."""
    assert TrackingUpdate("1-01", "1", 5).events == 5  # type: ignore[arg-type, comparison-overlap]
