"""Carrier events that wait for their orders, as a journal keeps them."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any, Final

from attrs import fields, frozen

from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.interface import Journal
from vtex_tracking_ext.carriers.event import CarrierEvent, Status
from vtex_tracking_ext.errors import ConfigurationError

from .resolution import described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vtex_tracking_ext.bulk.journal.interface import JournalReader

    from .store import OrderStore

#: Characters from which on an identifier is not expected as the end of another one.
_LONG: Final = 6

_FIELDS: Final = tuple(each.name for each in fields(CarrierEvent))


@frozen
class ParkedEvent:
    """A carrier event that waits for its order, or that was given up.

    Attributes:
        number: Its number in the journal.
        account: The account as the journal names it, or an empty text if it is not known.
        event: The event.
        payload: The name of the payload that it comes from.
        parked: When it was parked, in UTC.
        expires: When it is, or was, given up, in UTC.
        next_read: When the order that its payload echoes is to be read again, in UTC.
        reason: Why its order was not found.
        is_reported: Whether it was reported as given up.
    """

    number: int
    account: str
    event: CarrierEvent
    payload: str
    parked: dt.datetime
    expires: dt.datetime
    next_read: dt.datetime
    reason: str
    is_reported: bool

    @property
    def place(self) -> Place:
        """The location of the event: its payload, and the line where its document begins."""
        return Place(self.payload, self.event.line)

    @property
    def package(self) -> str:
        """The identifiers of its package, for a message."""
        return described(self.event)


@frozen
class ParkedCounts:
    """How many events of an account are parked.

    Attributes:
        account: The account as the journal names it, or an empty text for events whose account is not known.
        waiting: Events that wait for their orders.
        given_up: Events that waited too long, or that cannot be sent although their package may be known.
        since: When the first of all of them was parked, in UTC.
    """

    account: str
    waiting: int
    given_up: int
    since: dt.datetime


def park(
    orders: OrderStore,
    events: Iterable[tuple[CarrierEvent, str]],
    payload: str,
    now: dt.datetime,
    keep: dt.timedelta,
) -> None:
    """Keep events until their orders are known. An event that is parked stays as it is.

    Args:
        orders: What is known of orders, in the journal that keeps the events, which was opened for writing.
        events: The events, each with the reason why its order was not found.
        payload: The name of their payload.
        now: The current time, aware.
        keep: How long they wait.

    Raises:
        JournalError: The journal cannot be used.
    """
    assert isinstance(orders.journal, Journal)  # noqa: S101 - as the caller knows
    orders.journal.execute([("park", park_values(orders, events, payload, now, keep))])


def park_values(
    orders: OrderStore,
    events: Iterable[tuple[CarrierEvent, str]],
    payload: str,
    now: dt.datetime,
    keep: dt.timedelta,
) -> list[dict[str, Any]]:
    """Return the values with which the statement ``park`` keeps events; see :func:`park`."""
    at = int(now.timestamp())
    times = {"parked": at, "expires": at + int(keep.total_seconds()), "payload": payload}
    return [
        {
            **times,
            "account": _journal_account(orders, event.account),
            "event_id": event.event_id,
            "event": _json(event),
            "reason": reason,
        }
        for event, reason in events
    ]


def parked_events(
    journal: JournalReader, is_wanted: Callable[[str], bool] = lambda _: True, after: int = 0
) -> Iterator[ParkedEvent]:
    """Yield parked events, in the order in which they were parked.

    Args:
        journal: The journal.
        is_wanted: Whether the events of an account are yielded, given the account as the journal names it.
        after: Only events with a greater number are yielded.

    Raises:
        JournalError: The journal cannot be used.
    """
    for page in journal.pages("parked", after):
        yield from (_parked(record) for record in page if is_wanted(record[1]))


def parked_before(journal: JournalReader, events: Iterable[ParkedEvent]) -> list[ParkedEvent]:
    """Return the events that were parked before others of the same packages, and are still parked.

    Raises:
        JournalError: The journal cannot be used.
    """
    last: dict[tuple[str, str], int] = {}
    for each in events:
        key = each.account, f"{each.event.source}|{each.event.package}|"  # how the identity of an event begins
        last[key] = max(last.get(key, 0), each.number)
    found = (
        journal.select("parked_of_package", account=account, first=first, end=f"{first[:-1]}}}", before=number)
        for (account, first), number in last.items()  # "}" is the character after "|"
    )
    return [_parked(record) for records in found for record in records]


def parked_naming(journal: JournalReader, value: str) -> list[ParkedEvent]:
    """Return the latest parked events with an identifier, in any case. A long one may have leading zeros in the event.

    Raises:
        JournalError: The journal cannot be used.
    """
    quoted = json.dumps(value)[0 if len(value) < _LONG else 1 :].upper()
    pattern = re.sub("[!%_]", r"!\g<0>", quoted)
    return [*map(_parked, journal.select("parked_naming", pattern=f"%{pattern}%"))]


def parked_counts(journal: JournalReader, now: dt.datetime) -> list[ParkedCounts]:
    """Return how many events of each account are parked at a time.

    Raises:
        JournalError: The journal cannot be used.
    """
    counts = journal.select("count_parked", at=int(now.timestamp()))
    return [ParkedCounts(name, number - given_up, given_up, _utc(first)) for name, number, given_up, first in counts]


def drop(journal: Journal, events: Iterable[ParkedEvent]) -> None:
    """Delete parked events, so that they are neither sent nor reported any more.

    Raises:
        JournalError: The journal cannot be used.
    """
    journal.execute([("delete_parked", [{"id": each.number} for each in events])])


def _parked(record: tuple[Any, ...]) -> ParkedEvent:
    number, account, event, payload, parked, expires, next_read, reason, is_reported = record
    return ParkedEvent(
        number,
        account,
        _event(event),
        payload,
        parked=_utc(parked),
        expires=_utc(expires),
        next_read=_utc(next_read),
        reason=reason,
        is_reported=bool(is_reported),
    )


def _journal_account(orders: OrderStore, account: str) -> str:
    try:
        return orders.journal_account(account)
    except ConfigurationError:  # the run has no account of its own, and the order says which one it is
        return ""


def _json(event: CarrierEvent) -> str:
    values = {name: getattr(event, name) for name in _FIELDS} | {"occurred_at": event.occurred_at.isoformat()}
    return json.dumps({name: value for name, value in values.items() if value not in {"", None}})


def _event(text: str) -> CarrierEvent:
    values: dict[str, Any] = {name: value for name, value in json.loads(text).items() if name in _FIELDS}
    time = dt.datetime.fromisoformat(values["occurred_at"])
    return CarrierEvent(**{**values, "occurred_at": time, "status": Status(values["status"])})


def _utc(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
