"""Check what a caller wants to send: ids, dates, lengths. Pure: the current time is a parameter.

Limits and patterns come from openapi.yaml, by way of the generated constants; the source of each is given there. The
rules that a pattern cannot express are here: dates exist, deliveries are not in the future, fields belong together.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import unicodedata
from typing import TYPE_CHECKING, Final

from vtex_oms_client import constants

from vtex_tracking_ext.errors import Problem
from vtex_tracking_ext.events import DateLike, TrackingEvent, TrackingUpdate
from vtex_tracking_ext.text import plain, quoted, trimmed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ORDER_ID: Final = re.compile(constants.ORDER_ID_PATTERN)
_ORDER_ID_HINT: Final = "give the order id in the account that fulfils the order, such as 1172452900788-01"
_INVOICE_NUMBER: Final = re.compile(constants.INVOICE_NUMBER_PATTERN)
_INVOICE_NUMBER_HINT: Final = "give the number under which the package was invoiced, such as 000030711"
_UNREACHABLE_INVOICE_HINT: Final = (
    "VTEX's API cannot reach an invoice with such a number (known issues 409225, 631970, 1302085, 953285); "
    "ask the merchant to update it in the VTEX Admin, or to invoice under a plain number"
)
_EVENT_DATE: Final = re.compile(constants.EVENT_DATE_PATTERN)
_DELIVERED_DATE: Final = re.compile(constants.UPDATE_TRACKING_STATUS_REQUEST_DELIVERED_DATE_PATTERN)

#: The time zone that is ahead of all others. A local time that is not in the future there is in the past somewhere.
EARLIEST_ZONE: Final = dt.timezone(dt.timedelta(hours=14))

#: The first day that a date can be. Sources without a date write 0001-01-01, 1900-01-01 or 1970-01-01.
_FIRST_DAY: Final = "2000-01-01"

#: A date or a date-time in the extended format of ISO 8601, which VTEX's examples use.
_DISPATCHED_DATE: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)
#: Control characters (category Cc), which would reach the shopper's page or mail, except tab and line breaks; and lone
#: surrogates (Cs), which cannot be encoded. Both categories are the same in all versions of Unicode.
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
#: Fields of the body that registers a tracking number, and the arguments they come from.
_TRACKING_NUMBER_FIELDS: Final = {
    "trackingNumber": "tracking_number",
    "trackingUrl": "tracking_url",
    "courier": "courier",
    "dispatchedDate": "dispatched_date",
}


def update_problems(update: TrackingUpdate, now: dt.datetime) -> list[Problem]:
    """Return all problems of an update, in the order of its fields.

    Args:
        update: The update. A value of another type is a problem like any other.
        now: The current time, with the time zone in which dates without one are read. :data:`EARLIEST_ZONE` accepts
            what is in the past in any time zone.
    """
    value: object = update  # at runtime it may be anything
    if not isinstance(value, TrackingUpdate):
        return [Problem("update", f"{quoted(value)} is not a TrackingUpdate; make one: TrackingUpdate(order_id, ...)")]
    return [
        *order_id_problems(update.order_id),
        *invoice_number_problems(update.invoice_number),
        *_events_problems(update.events, now),
        *_delivery_problems(update, now),
    ]


def order_id_problems(value: object) -> list[Problem]:
    """Return the problems of an order id."""
    message = _id_problem(value, _ORDER_ID, constants.ORDER_ID_MAX_LENGTH, _ORDER_ID_HINT, _ORDER_ID_HINT)
    return [Problem("order_id", message)] if message else []


def invoice_number_problems(value: object) -> list[Problem]:
    """Return the problems of an invoice number, such as a character that VTEX's API cannot address."""
    limit = constants.INVOICE_NUMBER_MAX_LENGTH
    message = _id_problem(value, _INVOICE_NUMBER, limit, _INVOICE_NUMBER_HINT, _UNREACHABLE_INVOICE_HINT)
    return [Problem("invoice_number", message)] if message else []


def _id_problem(value: object, pattern: re.Pattern[str], limit: int, missing_hint: str, invalid_hint: str) -> str:
    if not isinstance(value, str):
        return f"{quoted(value)} is not text; write it between quotes, because leading zeros count"
    if not value:
        return f"empty; {missing_hint}"
    if len(value) > limit:
        return f"{len(value)} characters, the limit is {limit}"
    if pattern.fullmatch(value):
        return ""
    allowed = "letters, digits, '_', '-' and, after the first character, '.' are allowed"
    return f"{quoted(value)} {_invalid_character(value)}; {allowed}; {invalid_hint}"


def _invalid_character(value: str) -> str:
    """Return which character makes an id invalid: the first that is not allowed, or a dot at the start."""
    character = next((each for each in value if not re.fullmatch(r"[A-Za-z0-9._-]", each)), None)
    if character is None:
        return "starts with '.'"
    name = {" ": "a space", "\n": "a line break", "\t": "a tab"}.get(character, quoted(character))
    # Some characters look like others: the name tells a Cyrillic letter from a Latin one.
    return f"contains {name}" if character.isascii() else f"contains {name} ({unicodedata.name(character, 'unnamed')})"


def _events_problems(events: object, now: dt.datetime) -> list[Problem]:
    if not isinstance(events, tuple):  # TrackingUpdate converts every other series to a tuple
        return [Problem("events", f"{quoted(events)} is not a list of events; give a list of TrackingEvent")]
    problems: list[Problem] = []
    last_day = _last_day(now)
    for index, event in enumerate(events):
        problems += _event_problems(f"events[{index}]", event, last_day)
    return problems


def _event_problems(place: str, event: object, last_day: str) -> list[Problem]:
    if not isinstance(event, TrackingEvent):
        return [Problem(place, f"{quoted(event)} is not a TrackingEvent")]
    messages = (
        _text_problem(event.city),
        _text_problem(event.state),
        _text_problem(event.description),
        _length_problem(event.description),
        _event_date_problem(event.date, last_day),
    )
    if not any(messages):  # the usual case, which need not pay for what follows
        return []
    fields = ("city", "state", "description", "description", "date")
    return [Problem(f"{place}.{field}", message) for field, message in zip(fields, messages, strict=True) if message]


def _text_problem(value: object) -> str:
    if not isinstance(value, str):
        return f"{quoted(value)} is not text"
    # isprintable() is fast, and most texts need no search.
    forbidden = None if value.isprintable() else _FORBIDDEN.search(value)
    return f"contains the control character U+{ord(forbidden[0]):04X}; remove it" if forbidden else ""


def _length_problem(description: object) -> str:
    if not isinstance(description, str):
        return ""  # reported by _text_problem
    if len(description) > constants.EVENT_DESCRIPTION_MAX_LENGTH:
        return f"{len(description)} characters, the limit is {constants.EVENT_DESCRIPTION_MAX_LENGTH}; shorten it"
    if len(trimmed(description)) < constants.EVENT_DESCRIPTION_MIN_LENGTH:
        return "empty; describe the event, because the shopper reads this text"
    return ""


def _event_date_problem(value: object, last_day: str) -> str:
    day = format_event_date(value)
    if not _is_date(day, _EVENT_DATE):
        return f"{quoted(value)} is not a date in the form yyyy-mm-dd, such as 2026-02-28{_date_hint(value)}"
    return "" if _FIRST_DAY <= day <= last_day else _range_problem(day, last_day)


@functools.lru_cache(maxsize=8)
def _last_day(now: dt.datetime) -> str:
    """Return the last day that a date can be: tomorrow."""
    return (now.date() + dt.timedelta(days=1)).isoformat()


def _date_hint(value: object) -> str:
    """Return the end of a message about a value that may be a date and time in another type or form."""
    return "" if isinstance(value, str) and "T" not in value else "; a datetime object is accepted, too"


def _range_problem(day: str, last_day: str) -> str:
    """Return why a valid date in ISO 8601 cannot be the day of an event or a delivery."""
    if _FIRST_DAY <= day <= last_day:
        return ""
    which = f"after {last_day}" if day > last_day else f"before {_FIRST_DAY}"
    return f"{day} is {which}; a source without a date may have written it, so leave out the row or give its date"


def _delivery_problems(update: TrackingUpdate, now: dt.datetime) -> list[Problem]:
    problems: list[Problem] = []
    is_delivered: object = update.is_delivered  # at runtime it may be anything, and the generated client would send it
    if not isinstance(is_delivered, bool):
        problems.append(Problem("is_delivered", f"{quoted(is_delivered)} is neither True nor False"))
    elif not is_delivered and update.events == ():
        problems.append(Problem("events", "empty, and is_delivered is not set: there is nothing to send; add an event"))
    if update.delivered_date is not None:
        message = _delivered_date_problem(update.delivered_date, now)
        if message:
            problems.append(Problem("delivered_date", message))
        if not is_delivered:
            problems.append(Problem("delivered_date", "set without is_delivered; set both, or neither"))
    return problems


def _delivered_date_problem(value: DateLike, now: dt.datetime) -> str:
    text = format_delivered_date(value)
    if not _is_date(text, _DELIVERED_DATE):
        forms = "yyyy-mm-dd hh:mm or yyyy-mm-dd, such as 2026-02-28 21:15"
        return f"{quoted(value)} is not a date in the form {forms}{_date_hint(value)}"
    try:
        if isinstance(value, dt.datetime) and value.utcoffset() is not None:
            is_future = value > now
        else:  # VTEX documents no time zone; a date without a time counts as its midnight
            is_future = dt.datetime.fromisoformat(text) > now.replace(tzinfo=None)
    except Exception:  # noqa: BLE001 - the time zone may be the caller's own class, and raise anything
        return f"the time zone of {text} gives no UTC offset; use another time zone"
    where = " in every time zone" if now.tzinfo is EARLIEST_ZONE else ""
    shown = now.strftime("%Y-%m-%d %H:%M %Z").strip()
    if is_future:
        return f"{text} is in the future{where} (now: {shown}); a delivery cannot be undone"
    return _range_problem(text[: len("yyyy-mm-dd")], _last_day(now))


def _is_date(text: str, pattern: re.Pattern[str]) -> bool:
    """Tell whether ``text`` matches ``pattern`` and is a date of the calendar."""
    if not pattern.fullmatch(text):
        return False
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def tracking_number_problems(body: Mapping[str, object]) -> list[Problem]:
    """Return the problems of the JSON body that registers a tracking number."""
    fields = [(place, body.get(name)) for name, place in _TRACKING_NUMBER_FIELDS.items()]
    messages = [(place, _text_problem(value)) for place, value in fields if value is not None]
    date = body.get("dispatchedDate")
    if isinstance(date, str) and not is_dispatched_date(date):
        example = "write ISO 8601, such as 2026-02-28 or 2026-02-28T21:15:00-03:00, or give a datetime"
        messages.append(("dispatched_date", f"{quoted(date)} is not a date; {example}"))
    number = body.get("trackingNumber")
    shortest = constants.SEND_TRACKING_NUMBER_REQUEST_TRACKING_NUMBER_MIN_LENGTH
    if number is None or (isinstance(number, str) and len(trimmed(number)) < shortest):
        messages.append(("tracking_number", "empty; it would erase the tracking number that the shopper sees"))
    return [Problem(place, message) for place, message in messages if message]


def is_dispatched_date(text: str) -> bool:
    """Tell whether a text is a date of dispatch as VTEX documents it: a date or a date-time in ISO 8601."""
    return _is_date(text, _DISPATCHED_DATE)


def format_event_date(value: object) -> str:
    """Return an event's date as it is sent: ``yyyy-mm-dd``.

    No formatter converts a time zone. Text is returned unchanged, and a value that is not a date as an empty text; the
    checks refuse both if they are not valid.
    """
    return _format_date(value, lambda moment: moment.date().isoformat())


def format_delivered_date(value: object) -> str:
    """Return a delivered date as it is sent: ``yyyy-mm-dd hh:mm``, or ``yyyy-mm-dd`` for a date without a time."""
    return _format_date(value, lambda moment: moment.replace(tzinfo=None).isoformat(" ", "minutes"))


def format_dispatched_date(value: DateLike | None) -> str | None:
    """Return a dispatch date as it is sent: ISO 8601, with the offset of a datetime that has one.

    A date that cannot be formatted is returned as its repr, which the checks refuse.
    """
    if isinstance(value, dt.date):
        return _format_date(value, lambda moment: moment.isoformat()) or quoted(value)
    return plain(value)


def _format_date(value: object, format_datetime: Callable[[dt.datetime], str]) -> str:
    if isinstance(value, str):
        return plain(value)
    if not isinstance(value, dt.date):
        return ""
    try:
        return format_datetime(value) if isinstance(value, dt.datetime) else value.isoformat()
    except Exception:  # noqa: BLE001 - a subclass such as pandas' NaT, or its time zone, may raise anything
        return ""
