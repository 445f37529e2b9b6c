"""The checks before anything is sent: ids, dates, lengths. Pure; the clock is handed in.

The numbers and patterns are those of openapi.yaml, by way of the generated constants module. What a pattern
cannot say (the calendar, the future, what belongs together) is said here.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import TYPE_CHECKING, Final

from vtex_oms_client import constants

from .errors import InvalidUpdateError, Problem
from .events import TrackingEvent, TrackingUpdate, When
from .text import plain, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
_INSTANT: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)


def check(update: TrackingUpdate, now: dt.datetime) -> None:
    """Check a whole update.

    Args:
        update: The update about to be sent; what is no TrackingUpdate is refused as such.
        now: The current time, aware; its zone is the one in which delivered dates without a zone are read.

    Raises:
        InvalidUpdateError: Something is wrong; ``problems`` lists all of it.
    """
    problems = tuple(problems_of(update, now))
    if problems:
        raise InvalidUpdateError(problems=problems)


def problems_of(update: TrackingUpdate, now: dt.datetime) -> Iterator[Problem]:
    """Yield everything that is wrong with an update, in the order of its fields; ``now`` as in :func:`check`."""
    given: object = update  # whatever a caller gave
    if not isinstance(given, TrackingUpdate):
        yield Problem("update", f"{quoted(given)} is not a TrackingUpdate; make one: TrackingUpdate(order_id, ...)")
        return
    yield from order_id_problems(update.order_id)
    yield from invoice_number_problems(update.invoice_number)
    yield from _events_problems(update.events)
    is_delivered: object = update.is_delivered  # whatever a caller gave: nothing else stops "yes" from travelling
    if not isinstance(is_delivered, bool):
        yield Problem("is_delivered", f"{quoted(is_delivered)} is neither True nor False")
    elif update.events == () and not is_delivered:
        yield Problem("events", "empty, and is_delivered is not set: there is nothing to tell; add an event")
    yield from _delivered_date_problems(update, now)


def order_id_problems(value: object) -> Iterator[Problem]:
    """Yield what keeps ``value`` from being an order id."""
    pattern, longest = constants.ORDER_ID_PATTERN, constants.ORDER_ID_MAX_LENGTH
    yield from _id_problems("order_id", value, pattern, longest)


def invoice_number_problems(value: object) -> Iterator[Problem]:
    """Yield what keeps ``value`` from being an invoice number that the API can address."""
    pattern, longest = constants.INVOICE_NUMBER_PATTERN, constants.INVOICE_NUMBER_MAX_LENGTH
    yield from _id_problems("invoice_number", value, pattern, longest)


def _id_problems(place: str, value: object, pattern: str, longest: int) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield Problem(place, f"{quoted(value)} is not text; write it between quotes, because leading zeros count")
    elif not value:
        yield Problem(place, f"empty; {_ID_EXAMPLES[place]}")
    elif len(value) > longest:
        yield Problem(place, f"{len(value)} characters, the limit is {longest}")
    elif not re.fullmatch(pattern, value):
        yield Problem(place, f"{quoted(value)} has {_offender(value)}; {_ALLOWED}. {_ID_REASONS[place]}")


def _offender(value: str) -> str:
    """Return the first character that an id does not take, by name."""
    offender = next((c for c in value if not re.fullmatch(r"[A-Za-z0-9._-]", c)), ".")
    known = {" ": "a space", "/": "a slash", ".": "a dot at the start", "\n": "a line break", "\t": "a tab"}
    return known[offender] if offender in known else unicodedata.name(offender, f"the character U+{ord(offender):04X}")


def _events_problems(events: object) -> Iterator[Problem]:
    if not isinstance(events, tuple):  # TrackingUpdate makes a tuple of every series
        yield Problem("events", f"{quoted(events)} is not a list of events; give a list of TrackingEvent")
        return
    for index, event in enumerate(events):
        yield from _event_problems(f"events[{index}]", event)


def _event_problems(place: str, event: object) -> Iterator[Problem]:
    if not isinstance(event, TrackingEvent):
        yield Problem(place, f"{quoted(event)} is not a TrackingEvent")
        return
    for name in ("city", "state", "description"):
        yield from _text_problems(f"{place}.{name}", getattr(event, name))
    if isinstance(event.description, str):
        yield from _length_problems(f"{place}.description", event.description)
    if not _is_day(day_text(event.date), constants.EVENT_DATE_PATTERN):
        yield Problem(f"{place}.date", f"{quoted(event.date)} is not a date; {_MENDED_DAY}")


def _text_problems(place: str, value: object) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield Problem(place, f"{quoted(value)} is not text")
        return
    # Lone surrogates cannot be encoded at all; the others would reach the shopper's page or mail.
    offender = next((c for c in value if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\n\r"), None)
    if offender is not None:
        yield Problem(place, f"has the control character U+{ord(offender):04X}; remove it")


def _length_problems(place: str, text: str) -> Iterator[Problem]:
    shortest, longest = constants.EVENT_DESCRIPTION_MIN_LENGTH, constants.EVENT_DESCRIPTION_MAX_LENGTH
    if len(text) > longest:
        yield Problem(place, f"{len(text)} characters, the limit is {longest}; shorten it")
    elif len(text.strip()) < shortest:
        yield Problem(place, "empty; say what happened, it is what the shopper reads")


def _delivered_date_problems(update: TrackingUpdate, now: dt.datetime) -> Iterator[Problem]:
    value = update.delivered_date
    if value is None:
        return
    text = moment_text(value)
    if not _is_day(text, constants.UPDATE_TRACKING_STATUS_REQUEST_DELIVERED_DATE_PATTERN):
        yield Problem("delivered_date", f"{quoted(value)} is not a date; {_MENDED_MOMENT}")
    elif not _tells_offset(value):
        yield Problem("delivered_date", f"the time zone of {text} does not tell its offset; give a time zone that does")
    elif _is_future(value, text, now):
        shown = now.strftime("%Y-%m-%d %H:%M %Z").strip()
        yield Problem("delivered_date", f"{text} is in the future (it is {shown}); a delivery cannot be taken back")
    if not update.is_delivered:
        yield Problem("delivered_date", "set without is_delivered; set both, or neither")


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


def _is_day(text: str, pattern: str) -> bool:
    """Tell whether ``text`` matches the contract's pattern and names a day of the calendar."""
    if not re.fullmatch(pattern, text):
        return False
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def day_text(value: object) -> str:
    """Return an event's date as it travels, ``yyyy-mm-dd``; what is no date comes back as text, to be refused."""
    if isinstance(value, dt.datetime):
        return _written(lambda: value.date().isoformat())
    return value.isoformat() if isinstance(value, dt.date) else _only_text(value)


def moment_text(value: object) -> str:
    """Return a delivered date as it travels: ``yyyy-mm-dd hh:mm``, or ``yyyy-mm-dd`` where no time was given."""
    if isinstance(value, dt.datetime):
        return _written(lambda: value.replace(tzinfo=None).isoformat(" ", "minutes"))
    return value.isoformat() if isinstance(value, dt.date) else _only_text(value)


def instant_text(value: When | None) -> str | None:
    """Return a dispatch date as it travels: ISO 8601, with the offset where the datetime has one.

    What is no date comes back as it is, to be refused.
    """
    if isinstance(value, dt.date):
        return _written(value.isoformat) or quoted(value)
    return plain(value)


def tracking_number_problems(body: Mapping[str, object]) -> Iterator[Problem]:
    """Yield what is wrong with the JSON body that registers a tracking number."""
    places = {
        "trackingNumber": "tracking_number",
        "trackingUrl": "tracking_url",
        "courier": "courier",
        "dispatchedDate": "dispatched_date",
    }
    for name, place in places.items():
        value = body.get(name)
        if value is not None:
            yield from _text_problems(place, value)
    dispatched = body.get("dispatchedDate")
    if isinstance(dispatched, str) and not _is_day(dispatched, _INSTANT):
        yield Problem("dispatched_date", f"{quoted(dispatched)} is not a date; {_MENDED_INSTANT}, or give a datetime")
    number = body.get("trackingNumber")
    shortest = constants.SEND_TRACKING_NUMBER_REQUEST_TRACKING_NUMBER_MIN_LENGTH
    if number is None or (isinstance(number, str) and len(number.strip()) < shortest):
        yield Problem("tracking_number", "empty: it would erase the one the shopper has")


def _only_text(value: object) -> str:
    return plain(value) if isinstance(value, str) else ""


def _written(write: Callable[[], str]) -> str:
    """Return what a datetime writes of itself; nothing where it cannot (a "not a time", a broken time zone)."""
    try:
        return write()
    except Exception:  # noqa: BLE001 - whatever a caller's own class raises, it is no date
        return ""
