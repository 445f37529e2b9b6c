"""The checks before anything is sent: ids, dates, lengths. Pure; the clock is handed in.

The numbers and patterns are those of openapi.yaml, by way of the generated constants module. What a pattern
cannot say (the calendar, the future, what belongs together) is said here.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import TYPE_CHECKING, Final, TypeAlias

from vtex_oms_client import constants

from vtex_tracking_ext.errors import InvalidUpdateError, Problem
from vtex_tracking_ext.events import DateLike, TrackingEvent, TrackingUpdate
from vtex_tracking_ext.text import plain, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: What a check finds: nothing, as a rule.
Problems: TypeAlias = "Sequence[Problem]"

#: What an id is, per kind of id, for where none was given.
_ID_EXAMPLES: Final = {
    "order_id": "give the order id of the account that fulfils the order, such as 1172452900788-01",
    "invoice_number": "give the number under which the package was invoiced, such as 000030711",
}
#: Why the ids take so few characters, per kind of id.
_ID_REASONS: Final = {
    "order_id": "Give the order id of the account that fulfils the order, such as 1172452900788-01",
    "invoice_number": (
        "Only the VTEX Admin can track an invoice with such a number (known issues 409225, 631970, 1302085, 953285): "
        "ask the merchant to update it there, or to invoice under a plain number"
    ),
}
_ALLOWED: Final = "letters, digits, '.', '_' and '-' are allowed, not starting with '.'"
_MENDED_DAY: Final = "write yyyy-mm-dd with the digits 0 to 9, such as 2026-02-28"
_MENDED_MOMENT: Final = "write yyyy-mm-dd hh:mm or yyyy-mm-dd, such as 2026-02-28 21:15"
_MENDED_INSTANT: Final = "write ISO 8601, such as 2026-02-28 or 2026-02-28T21:15:00-03:00"
#: A date or a date-time in ISO 8601's extended format: of ISO's many forms the one that VTEX's examples have.
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)
_ORDER_ID: Final = re.compile(constants.ORDER_ID_PATTERN)
_INVOICE_NUMBER: Final = re.compile(constants.INVOICE_NUMBER_PATTERN)
_DAY: Final = re.compile(constants.EVENT_DATE_PATTERN)
_MOMENT: Final = re.compile(constants.UPDATE_TRACKING_STATUS_REQUEST_DELIVERED_DATE_PATTERN)
#: Unicode's control characters (Cc) but tab and line breaks, which would reach the shopper's page or mail, and lone
#: surrogates (Cs), which cannot be encoded at all. Both are fixed for all versions of Unicode.
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def check(update: TrackingUpdate, now: dt.datetime) -> None:
    """Check a whole update.

    Args:
        update: The update about to be sent; what is no TrackingUpdate is refused as such.
        now: The current time, aware; its zone is the one in which delivered dates without a zone are read.

    Raises:
        InvalidUpdateError: Something is wrong; ``problems`` lists all of it.
    """
    problems = problems_of(update, now)
    if problems:
        raise InvalidUpdateError(problems=problems)


def problems_of(update: TrackingUpdate, now: dt.datetime) -> Problems:
    """Return everything that is wrong with an update, in the order of its fields; ``now`` as in :func:`check`."""
    given: object = update  # whatever a caller gave
    if not isinstance(given, TrackingUpdate):
        message = f"{quoted(given)} is not a TrackingUpdate; make one: TrackingUpdate(order_id, ...)"
        return (Problem("update", message),)
    return (
        *order_id_problems(update.order_id),
        *invoice_number_problems(update.invoice_number),
        *_events_problems(update.events),
        *_is_delivered_problems(update),
        *_delivered_date_problems(update, now),
    )


def order_id_problems(value: object) -> Problems:
    """Return what keeps ``value`` from being an order id."""
    return _id_problems("order_id", value, _ORDER_ID, constants.ORDER_ID_MAX_LENGTH)


def invoice_number_problems(value: object) -> Problems:
    """Return what keeps ``value`` from being an invoice number that the API can address."""
    return _id_problems("invoice_number", value, _INVOICE_NUMBER, constants.INVOICE_NUMBER_MAX_LENGTH)


def _id_problems(place: str, value: object, pattern: re.Pattern[str], longest: int) -> Problems:
    if not isinstance(value, str):
        message = f"{quoted(value)} is not text; write it between quotes, because leading zeros count"
    elif not value:
        message = f"empty; {_ID_EXAMPLES[place]}"
    elif len(value) > longest:
        message = f"{len(value)} characters, the limit is {longest}"
    elif not pattern.fullmatch(value):
        message = f"{quoted(value)} has {_offender(value)}; {_ALLOWED}. {_ID_REASONS[place]}"
    else:
        return ()
    return (Problem(place, message),)


def _offender(value: str) -> str:
    """Return the first character that an id does not take, by name."""
    offender = next((c for c in value if not re.fullmatch(r"[A-Za-z0-9._-]", c)), ".")
    known = {" ": "a space", "/": "a slash", ".": "a dot at the start", "\n": "a line break", "\t": "a tab"}
    return known[offender] if offender in known else unicodedata.name(offender, f"the character U+{ord(offender):04X}")


def _events_problems(events: object) -> Problems:
    if not isinstance(events, tuple):  # TrackingUpdate makes a tuple of every series
        return (Problem("events", f"{quoted(events)} is not a list of events; give a list of TrackingEvent"),)
    problems: list[Problem] = []
    for index, event in enumerate(events):
        problems += _event_problems(f"events[{index}]", event)
    return problems


def _event_problems(place: str, event: object) -> Problems:
    if not isinstance(event, TrackingEvent):
        return (Problem(place, f"{quoted(event)} is not a TrackingEvent"),)
    problems = [
        *_text_problems(event.city, place, ".city"),
        *_text_problems(event.state, place, ".state"),
        *_text_problems(event.description, place, ".description"),
        *_length_problems(event.description, place, ".description"),
    ]
    if not _is_day(day_text(event.date), _DAY):
        problems.append(Problem(f"{place}.date", f"{quoted(event.date)} is not a date; {_MENDED_DAY}"))
    return problems


def _text_problems(value: object, *place: str) -> Problems:
    """Return what is wrong with a text; its place comes in parts, because most texts are right and need none."""
    if not isinstance(value, str):
        return (Problem("".join(place), f"{quoted(value)} is not text"),)
    # Most texts are told to be right by a flag that Python keeps or finds quickly; only the others are searched.
    offender = None if value.isprintable() else _CONTROL.search(value)
    if offender is None:
        return ()
    return (Problem("".join(place), f"has the control character U+{ord(offender[0]):04X}; remove it"),)


def _length_problems(text: object, *place: str) -> Problems:
    shortest, longest = constants.EVENT_DESCRIPTION_MIN_LENGTH, constants.EVENT_DESCRIPTION_MAX_LENGTH
    if not isinstance(text, str):
        return ()  # which has been told
    if len(text) > longest:
        return (Problem("".join(place), f"{len(text)} characters, the limit is {longest}; shorten it"),)
    if len(text.strip()) < shortest:
        return (Problem("".join(place), "empty; say what happened, it is what the shopper reads"),)
    return ()


def _is_delivered_problems(update: TrackingUpdate) -> Problems:
    is_delivered: object = update.is_delivered  # whatever a caller gave: nothing else stops "yes" from travelling
    if not isinstance(is_delivered, bool):
        return (Problem("is_delivered", f"{quoted(is_delivered)} is neither True nor False"),)
    if update.events == () and not is_delivered:
        return (Problem("events", "empty, and is_delivered is not set: there is nothing to tell; add an event"),)
    return ()


def _delivered_date_problems(update: TrackingUpdate, now: dt.datetime) -> Problems:
    value = update.delivered_date
    if value is None:
        return ()
    problems: list[Problem] = []
    text = moment_text(value)
    if not _is_day(text, _MOMENT):
        problems.append(Problem("delivered_date", f"{quoted(value)} is not a date; {_MENDED_MOMENT}"))
    elif not _tells_offset(value):
        message = f"the time zone of {text} does not tell its offset; give a time zone that does"
        problems.append(Problem("delivered_date", message))
    elif _is_future(value, text, now):
        shown = now.strftime("%Y-%m-%d %H:%M %Z").strip()
        message = f"{text} is in the future (it is {shown}); a delivery cannot be taken back"
        problems.append(Problem("delivered_date", message))
    if not update.is_delivered:
        problems.append(Problem("delivered_date", "set without is_delivered; set both, or neither"))
    return problems


def _tells_offset(value: object) -> bool:
    """Tell whether a datetime's time zone, the caller's own code perhaps, can be asked for its offset."""
    if not isinstance(value, dt.datetime):
        return True
    try:
        value.utcoffset()
    except Exception:  # noqa: BLE001 - whatever it raises, it tells no offset
        return False
    return True


def _is_future(value: object, text: str, now: dt.datetime) -> bool:
    """Tell whether a delivered date lies ahead: to the minute where a time was given, else to the day.

    A value without a time zone is read in that of ``now``, because VTEX documents none.
    """
    if isinstance(value, dt.datetime) and value.utcoffset() is not None:
        return value > now
    moment = dt.datetime.fromisoformat(text)
    here = now.replace(tzinfo=None)
    return moment > here  # a day alone is its midnight, which lies ahead as long as the day does


def _is_day(text: str, pattern: re.Pattern[str]) -> bool:
    """Tell whether ``text`` matches the contract's pattern and names a day of the calendar."""
    if not pattern.fullmatch(text):
        return False
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def day_text(value: object) -> str:
    """Return an event's date as it travels, ``yyyy-mm-dd``; what is no date comes back as text, to be refused."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dt.datetime):
        return _written(lambda: value.date().isoformat())
    return value.isoformat() if isinstance(value, dt.date) else ""


def moment_text(value: object) -> str:
    """Return a delivered date as it travels: ``yyyy-mm-dd hh:mm``, or ``yyyy-mm-dd`` where no time was given."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dt.datetime):
        return _written(lambda: value.replace(tzinfo=None).isoformat(" ", "minutes"))
    return value.isoformat() if isinstance(value, dt.date) else ""


def instant_text(value: DateLike | None) -> str | None:
    """Return a dispatch date as it travels: ISO 8601, with the offset where the datetime has one.

    What is no date comes back as it is, to be refused.
    """
    if isinstance(value, dt.date):
        return _written(value.isoformat) or quoted(value)
    return plain(value)


def tracking_number_problems(body: Mapping[str, object]) -> Problems:
    """Return what is wrong with the JSON body that registers a tracking number."""
    places = {
        "trackingNumber": "tracking_number",
        "trackingUrl": "tracking_url",
        "courier": "courier",
        "dispatchedDate": "dispatched_date",
    }
    problems: list[Problem] = []
    for name, place in places.items():
        value = body.get(name)
        if value is not None:
            problems += _text_problems(value, place)
    dispatched = body.get("dispatchedDate")
    if isinstance(dispatched, str) and not _is_day(dispatched, _INSTANT):
        message = f"{quoted(dispatched)} is not a date; {_MENDED_INSTANT}, or give a datetime"
        problems.append(Problem("dispatched_date", message))
    number = body.get("trackingNumber")
    shortest = constants.SEND_TRACKING_NUMBER_REQUEST_TRACKING_NUMBER_MIN_LENGTH
    if number is None or (isinstance(number, str) and len(number.strip()) < shortest):
        problems.append(Problem("tracking_number", "empty: it would erase the one the shopper has"))
    return problems


def _written(write: Callable[[], str]) -> str:
    """Return what a datetime writes of itself; nothing where it cannot (a "not a time", a broken time zone)."""
    try:
        return write()
    except Exception:  # noqa: BLE001 - whatever a caller's own class raises, it is no date
        return ""
