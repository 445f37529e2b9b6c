"""Carrier events that wait for their orders, as a journal keeps them."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict, fields, frozen

from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.interface import Journal
from vtex_tracking_ext.carriers.event import CarrierEvent, Status
from vtex_tracking_ext.errors import ConfigurationError

from .resolution import described

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vtex_tracking_ext.bulk.journal.interface import JournalReader

    from .store import OrderStore

_FIELDS: Final = frozenset(each.name for each in fields(CarrierEvent))


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
    at = int(now.timestamp())
    times = {"parked": at, "expires": at + int(keep.total_seconds()), "payload": payload}
    values = [
        {
            **times,
            "account": _journal_account(orders, event.account),
            "event_id": event.event_id,
            "event": _json(event),
            "reason": reason,
        }
        for event, reason in events
    ]
    orders.journal.execute([("park", values)])


def parked_events(journal: JournalReader) -> Iterator[ParkedEvent]:
    """Yield the parked events of all accounts, in the order in which they were parked.

    Raises:
        JournalError: The journal cannot be used.
    """
    for page in journal.pages("parked"):
        for number, account, event, payload, parked, expires, next_read, reason, is_reported in page:
            yield ParkedEvent(
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


def _journal_account(orders: OrderStore, account: str) -> str:
    try:
        return orders.journal_account(account)
    except ConfigurationError:  # the run has no account of its own, and the order says which one it is
        return ""


def _json(event: CarrierEvent) -> str:
    values = {**asdict(event), "occurred_at": event.occurred_at.isoformat()}
    return json.dumps({name: value for name, value in values.items() if value not in {"", None}})


def _event(text: str) -> CarrierEvent:
    values: dict[str, Any] = {name: value for name, value in json.loads(text).items() if name in _FIELDS}
    time = dt.datetime.fromisoformat(values["occurred_at"])
    return CarrierEvent(**{**values, "occurred_at": time, "status": Status(values["status"])})


def _utc(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
