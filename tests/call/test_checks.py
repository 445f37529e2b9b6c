"""The checks before anything is sent."""

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
from vtex_tracking_ext.call import checks

BRASILIA = dt.timezone(dt.timedelta(hours=-3), "BRT")
NOW = dt.datetime(2022, 10, 1, 21, 15, tzinfo=BRASILIA)
LONGEST = constants.EVENT_DESCRIPTION_MAX_LENGTH
EVENT = TrackingEvent(date=dt.date(2015, 6, 23), description="Coletado pela transportadora")


class Kind(str, Enum):  # noqa: UP042 - a StrEnum prints what it holds
    """Text that prints as another text than it holds."""

    ID = "1-01"
    DAY = "2022-10-01"
    INSTANT = "2022-10-01T21:15:00Z"


class BrokenZone(dt.tzinfo):
    """A time zone that fails when it is asked."""

    def utcoffset(self, _: dt.datetime | None) -> dt.timedelta | None:
        """Fail."""
        raise ZeroDivisionError

    dst = tzname = utcoffset  # type: ignore[assignment]


class NotATime(dt.datetime):
    """A datetime that is none, such as pandas' NaT."""

    def date(self) -> dt.date:
        """Fail."""
        raise ZeroDivisionError

    def replace(self, **_: Any) -> NotATime:  # type: ignore[override]
        """Fail."""
        raise ZeroDivisionError

    def isoformat(self, *_: Any) -> str:
        """Fail."""
        raise ZeroDivisionError


def problems(**changes: Any) -> list[str]:
    """Return the problems of an update that is good but for the changes."""
    fields = {"order_id": "1172452900788-01", "invoice_number": "000030711", "events": [EVENT], **changes}
    return [str(problem) for problem in checks.update_problems(TrackingUpdate(**fields), NOW)]


def event_problems(**changes: Any) -> list[str]:
    """Return the problems of an update whose one event is good but for the changes."""
    return problems(events=[TrackingEvent(**{"date": "2015-06-23", "description": "Coletado", **changes})])


def test_a_good_update_has_no_problem() -> None:
    """An update with everything right passes, and so does every legal date of it."""
    assert problems() == []
    assert problems(is_delivered=True, delivered_date="2022-10-01 21:15") == []
    assert problems(events=[], is_delivered=True) == []


def test_all_problems_are_told_at_once_each_with_its_place() -> None:
    """One call lists everything that is wrong, in the order of the fields."""
    events = [EVENT, EVENT, EVENT, TrackingEvent("31/02/2026", "x" * (LONGEST + 213))]
    update = TrackingUpdate("..", "a b", events, is_delivered=False, delivered_date="soon")
    error = InvalidUpdateError(problems=checks.update_problems(update, NOW))
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
            "events[0].date: 'soon' is not a date; write yyyy-mm-dd with the digits 0 to 9, such as 2026-02-28",
        ),
        (
            {"events": [TrackingEvent("2015-06-23", " ")]},
            "events[0].description: empty; describe the event, because the shopper reads this text",
        ),
        ({"events": []}, "events: empty, and is_delivered is not set: there is nothing to send; add an event"),
        (
            {"is_delivered": True, "delivered_date": "soon"},
            "delivered_date: 'soon' is not a date; write yyyy-mm-dd hh:mm or yyyy-mm-dd, such as 2026-02-28 21:15",
        ),
    ],
)
def test_a_problem_says_where_what_and_how_to_mend_it(changes: dict[str, Any], said: str) -> None:
    """In whole, with the value that was given."""
    assert problems(**changes) == [said]


def test_what_is_no_update_is_shown() -> None:
    """Not the None that a caller did not pass."""
    given: Any = "x"
    (problem,) = checks.update_problems(given, NOW)
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
def test_a_problem_of_a_tracking_number_says_the_same(body: dict[str, object], said: str) -> None:
    """Where, what and how to mend it."""
    assert [str(problem) for problem in checks.tracking_number_problems(body)] == [said]


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
def test_ids_that_would_go_astray_are_refused(field: str, value: object, said: str) -> None:
    """What VTEX cannot address, or what would address another path, is refused with its reason."""
    (problem,) = problems(**{field: value})
    assert problem.startswith(f"{field}: ")
    assert said in problem


def test_an_id_that_was_not_given_is_asked_for() -> None:
    """Not explained as one with special characters."""
    assert problems(order_id="", invoice_number="") == [
        "order_id: empty; give the order id in the account that fulfils the order, such as 1172452900788-01",
        "invoice_number: empty; give the number under which the package was invoiced, such as 000030711",
    ]


def test_an_invoice_number_that_the_api_cannot_address_names_the_way_out() -> None:
    """The message tells that only the Admin can track such an invoice."""
    (problem,) = problems(invoice_number="NF 30711")
    assert "VTEX Admin" in problem
    assert "409225" in problem


@pytest.mark.parametrize(
    "value", ["1172452900788-01", "v501245lspt-01", "00-v5195004lux-01", "seq501456", "MKT_1.2-01"]
)
def test_ids_as_they_occur_pass(value: str) -> None:
    """Ids of the documentation, and the like, are taken as they are."""
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
def test_dates_that_are_none_are_refused(value: Any) -> None:
    """Only a day of the calendar, written yyyy-mm-dd with ASCII digits, is an event's date."""
    (problem,) = event_problems(date=value)
    assert problem.startswith("events[0].date: ")
    assert "is not a date; write yyyy-mm-dd" in problem


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (dt.date(2015, 6, 23), "2015-06-23"),
        (dt.datetime(2015, 6, 23, 23, 59), "2015-06-23"),  # noqa: DTZ001 - a carrier's local time
        (dt.datetime(2015, 6, 23, 23, 59, tzinfo=BRASILIA), "2015-06-23"),
        (dt.datetime(2015, 6, 23, tzinfo=BrokenZone()), "2015-06-23"),
        ("2024-02-29", "2024-02-29"),
    ],
)
def test_an_event_date_is_the_day_as_written_never_shifted(value: Any, sent: str) -> None:
    """A datetime gives its own day, whatever its time zone."""
    assert event_problems(date=value) == []
    assert checks.format_event_date(value) == sent


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
def test_a_delivered_date_is_the_moment_as_written_never_shifted(value: Any, sent: str) -> None:
    """A datetime travels to the minute, a date as a day."""
    assert (
        problems(is_delivered=True, delivered_date=value) == []
        or checks.format_delivered_date(value) > "2022-10-01 21:15"
    )
    assert checks.format_delivered_date(value) == sent


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
    """To the minute with a time, to the day without; an aware datetime is held against the instant."""
    found = problems(is_delivered=True, delivered_date=value)
    assert [("in the future" in problem) for problem in found] == ([True] if future else [])


def test_a_delivered_date_whose_time_zone_fails_is_refused() -> None:
    """Whether it lies in the future cannot be known."""
    value = dt.datetime(2022, 10, 1, tzinfo=BrokenZone())
    assert problems(is_delivered=True, delivered_date=value) == [
        "delivered_date: the time zone of 2022-10-01 00:00 gives no UTC offset; use another time zone"
    ]


def test_a_delivered_date_without_delivery_is_refused() -> None:
    """It would be a date of nothing."""
    assert problems(delivered_date="2022-10-01") == ["delivered_date: set without is_delivered; set both, or neither"]


@pytest.mark.parametrize(
    "value", ["2022-10-01T21:15", "2022-10-01 24:00", "2022-10-01 21:15:00", 5, "x" * 5000, NotATime(1, 1, 1)]
)
def test_a_delivered_date_of_another_form_is_refused(value: Any) -> None:
    """What the contract's pattern does not take is quoted, in short."""
    (problem,) = problems(is_delivered=True, delivered_date=value)
    assert "is not a date; write yyyy-mm-dd hh:mm" in problem
    assert len(problem) < 500


@pytest.mark.parametrize(("value", "shown"), [("yes", "'yes'"), (1, "1"), (None, "None")])
def test_the_delivered_flag_is_a_bool(value: Any, shown: str) -> None:
    """The generated code would send anything."""
    assert problems(is_delivered=value) == [f"is_delivered: {shown} is neither True nor False"]


def test_an_update_that_tells_nothing_is_refused() -> None:
    """No event and no delivery: a call for nothing."""
    (problem,) = problems(events=[])
    assert "nothing to send" in problem


@pytest.mark.parametrize("length", [1, LONGEST])
def test_a_description_within_the_limit_passes(length: int) -> None:
    """The limit itself is allowed, counted in characters, whatever their bytes."""
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
def test_texts_that_cannot_travel_are_refused(field: str, value: Any, said: str) -> None:
    """Too long, empty, no text, or with characters that would break the request or the shopper's page."""
    found = event_problems(**{field: value})
    assert len(found) == 1
    assert found[0].startswith(f"events[0].{field}: ")
    assert said in found[0]


def test_what_is_no_event_is_named() -> None:
    """A dict in the list is a common mistake."""
    (problem,) = problems(events=[{"date": "2015-06-23"}])
    assert problem.startswith("events[0]: ")
    assert "is not a TrackingEvent" in problem


@pytest.mark.parametrize("value", [None, 5, EVENT, {"date": "2015-06-23"}, "2015-06-23", b"2015", ""])
@pytest.mark.parametrize("delivered", [True, False])
def test_what_is_no_list_of_events_is_named(value: Any, delivered: bool) -> None:
    """One event without its list is a common mistake too."""
    (problem,) = problems(events=value, is_delivered=delivered)
    assert problem.startswith("events: ")
    assert problem.endswith("is not a list of events; give a list of TrackingEvent")


@pytest.mark.parametrize("value", [None, {}, "x", EVENT])
def test_what_is_no_update_is_named(value: Any) -> None:
    """A value that is not a TrackingUpdate is a problem, not an AttributeError."""
    (problem,) = checks.update_problems(value, NOW)
    assert problem.place == "update"
    assert "is not a TrackingUpdate; make one" in problem.message


def test_what_is_checked_is_what_travels() -> None:
    """A text that prints as another than it holds is made plain where it is taken in."""
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
    assert type(checks.format_event_date(Kind.DAY)) is type(checks.format_delivered_date(Kind.DAY)) is str


def test_the_numbers_are_those_of_the_generated_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another limit there is another limit here, with no other edit."""
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
def test_a_tracking_number_is_not_blank(body: dict[str, object], places: list[str]) -> None:
    """A blank one would erase the one the shopper has; the other values are text, or None."""
    assert [problem.place for problem in checks.tracking_number_problems(body)] == places


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
def test_a_dispatch_date_is_one_of_iso_8601(value: Any) -> None:
    """A day or a moment, with an offset or without, as datetimes write themselves and as VTEX does."""
    body = {"trackingNumber": "TRK-1", "dispatchedDate": checks.format_dispatched_date(value)}
    assert list(checks.tracking_number_problems(body)) == []
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
def test_a_dispatch_date_that_is_none_is_refused(value: Any) -> None:
    """VTEX would store it, or drop it in silence."""
    body = {"trackingNumber": "TRK-1", "dispatchedDate": checks.format_dispatched_date(value)}
    (problem,) = map(str, checks.tracking_number_problems(body))
    assert problem.startswith("dispatched_date: ")
    assert "is not a date; write ISO 8601, such as 2026-02-28" in problem


def test_a_dispatch_date_that_cannot_be_written_is_shown_as_it_was_given() -> None:
    """The message names the caller's own value, though it has no text as a date."""
    value = NotATime(2026, 2, 3)
    assert checks.format_dispatched_date(value) == repr(value)


@given(st.text())
def test_any_text_as_id_is_refused_or_stays_one_path_segment(text: str) -> None:
    """Whatever passes needs no escape in a path and cannot climb out of it."""
    if not list(checks.invoice_number_problems(text)):
        assert text.strip(".") == text.lstrip(".")[: len(text.strip("."))]
        assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
        assert not text.startswith(".")


def test_an_id_of_the_longest_length_passes() -> None:
    """One more is too many."""
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
def test_the_character_at_fault_is_named(value: str, named: str) -> None:
    """The first that an id does not take."""
    (problem,) = checks.order_id_problems(value)
    assert f" {named}; letters, digits" in problem.message


def test_a_date_in_the_future_is_told_with_the_time_it_is() -> None:
    """In the zone in which it was read."""
    assert problems(is_delivered=True, delivered_date="2022-10-02") == [
        "delivered_date: 2022-10-02 is in the future (now: 2022-10-01 21:15 BRT); a delivery cannot be undone"
    ]


def test_a_tracking_number_of_one_character_passes() -> None:
    """Carriers have odd ones."""
    assert list(checks.tracking_number_problems({"trackingNumber": "1"})) == []


def test_what_was_given_instead_of_events_is_kept_to_be_told() -> None:
    """As it was."""
    assert TrackingUpdate("1-01", "1", 5).events == 5  # type: ignore[arg-type, comparison-overlap]
