"""Parked events: those that wait for their orders are tried again; the command orders parked lists and drops them."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.bulk.recorder import RowCounts
from vtex_tracking_ext.bulk.report.accounts import time_text
from vtex_tracking_ext.bulk.report.rows import iso
from vtex_tracking_ext.call.validation import EARLIEST_ZONE
from vtex_tracking_ext.errors import ConfigurationError, VtexTrackingError
from vtex_tracking_ext.orders import Unparked, unpark
from vtex_tracking_ext.orders.parked import ParkedCounts, drop, parked_counts, parked_events
from vtex_tracking_ext.text import REASON_LENGTH, visible

from .carrier_settings import carrier_options
from .confirm import confirm
from .entry_text import counted
from .exit_codes import ExitCode
from .journal_location import journal_location, journal_option, matching_accounts, open_journal_reader
from .messages import Console
from .output import say, say_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from vtex_tracking_ext.bulk.journal.interface import JournalReader
    from vtex_tracking_ext.carriers.codes import CarrierOptions
    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.orders import OrderStore
    from vtex_tracking_ext.orders.parked import ParkedEvent
    from vtex_tracking_ext.orders.rows import PackageReader

    from .accounts import Accounts


def retry_parked(
    parsed: argparse.Namespace,
    orders: OrderStore,
    console: Console,
    read_packages: PackageReader | None = None,
    options: Callable[[str], CarrierOptions] | None = None,
) -> Unparked:
    """Try the parked events of the run's accounts again, and print what is wrong with those that are given up.

    Args:
        parsed: The options of the command.
        orders: What is known of orders, in the journal.
        console: Prints.
        read_packages: Reads an order; None if no order is read.
        options: Returns the settings for a source; by default those of the command.
    """
    unparked = unpark(
        orders, read_packages=read_packages, options=options or partial(carrier_options, parsed), now=_now()
    )
    for problem in unparked.problems:
        console.problem(problem)
    for place, note in unparked.notes:
        console.note(place, note)
    return unparked


def report_parked(orders: OrderStore, unparked: Unparked, console: Console) -> ExitCode:
    """Print how many events of the run's accounts found their orders, and how many are parked.

    Returns:
        :attr:`.ExitCode.INCOMPLETE` if a person must look at some of them.
    """
    counts = [
        each for each in parked_counts(orders.journal, _now()) if not each.account or orders.has_account(each.account)
    ]
    console.parked(unparked.events, counts)
    return ExitCode.INCOMPLETE if any(each.given_up for each in counts) else ExitCode.OK


def retry_after_growth(parsed: argparse.Namespace, orders: OrderStore) -> None:
    """Try the parked events again, because more is known of orders, and print how many found their orders."""
    console = Console(as_json=parsed.json, journal_option=journal_option(parsed))
    unparked = retry_parked(parsed, orders, console)
    if unparked != Unparked():
        report_parked(orders, unparked, console)
        if unparked.events and not parsed.json:
            say(f"To send what they report: vtex-tracking push{journal_option(parsed)}")


class ParkedRetry:
    """Tries parked events again, once in a push.

    Args:
        parsed: The options of the command.
        console: Prints.
        read_packages: Reads an order; None if no order is read.
    """

    def __init__(self, parsed: argparse.Namespace, console: Console, read_packages: PackageReader | None) -> None:
        self._parsed = parsed
        self._console = console
        self.read_packages = read_packages
        self.store: OrderStore | None = None
        self._unparked = Unparked()

    @property
    def accounts(self) -> set[str]:
        """The accounts of the events that found their orders, as the journal names them."""
        return self._unparked.accounts

    @property
    def counts(self) -> RowCounts:
        """The counts of their rows."""
        return RowCounts(self._unparked.by_status.total(), by_status=self._unparked.by_status)

    def retry(self, store: OrderStore, options: Callable[[str], CarrierOptions] | None = None) -> None:
        """Try the events again; see :func:`retry_parked`."""
        self.store = store
        self._unparked = retry_parked(self._parsed, store, self._console, self.read_packages, options)

    def clients(self, accounts: Accounts) -> dict[str, TrackingClient]:
        """Return the clients of the accounts, but for those without credentials."""
        clients = {}
        for name in self.accounts:
            with suppress(ConfigurationError):  # a push without files reports it
                clients[name] = accounts.client_for(name)
        return clients

    def report(self) -> ExitCode:
        """Print how many events are parked; see :func:`report_parked`."""
        assert self.store is not None  # noqa: S101 - retry() was called
        return report_parked(self.store, self._unparked, self._console)


def counts_by_account(journal: JournalReader) -> dict[str, ParkedCounts]:
    """Return how many events are parked, by account as the journal names it."""
    return {each.account: each for each in parked_counts(journal, _now())}


def counts_document(counts: ParkedCounts | None) -> dict[str, Any] | None:
    """Return how many events are parked, for programs."""
    if counts is None:
        return None
    return {"waiting": counts.waiting, "given_up": counts.given_up, "since": iso(counts.since)}


def parked(parsed: argparse.Namespace) -> ExitCode:
    """List the parked events, or drop some of them."""
    if not parsed.drop:
        with open_journal_reader(parsed) as reader:
            events = _selected(parsed, reader)
        _show(parsed, events)
        return ExitCode.OK
    with open_journal(journal_location(parsed), create=False) as journal:
        events = _selected(parsed, journal)
        if not parsed.numbers:
            events = [each for each in events if each.expires <= _now()]
        question = f"Drop {counted(len(events), 'parked event')}, so that they are not sent any more?"
        if not parsed.numbers and events and not confirm(question, is_confirmed=parsed.yes):
            return ExitCode.INTERRUPTED
        drop(journal, events)
    if parsed.json:
        say_json("summary", {"dropped": len(events)})
    else:
        say(f"{counted(len(events), 'parked event')} dropped.")
    return ExitCode.OK


def _selected(parsed: argparse.Namespace, journal: JournalReader) -> list[ParkedEvent]:
    events = [*parked_events(journal)]
    names = matching_accounts(parsed.account, dict.fromkeys([*journal.accounts(), *(each.account for each in events)]))
    selected = [
        each for each in events if each.account in names and (not parsed.numbers or each.number in parsed.numbers)
    ]
    if missing := {*parsed.numbers} - {each.number for each in selected}:
        raise VtexTrackingError(f"No event is parked with the number {', '.join(map(str, sorted(missing)))}.")
    return selected


def _show(parsed: argparse.Namespace, events: Iterable[ParkedEvent]) -> None:
    now = _now()
    for each in events:
        if parsed.json:
            say_json("event", _document(each, now))
        else:
            say(visible(_line(each, now), REASON_LENGTH))
    counts = [0, 0]
    for each in events:
        counts[each.expires <= now] += 1
    if parsed.json:
        say_json("summary", {"waiting": counts[0], "given_up": counts[1]})
    else:
        say(f"Parked events: {counts[0]} waiting for their orders, {counts[1]} given up.")


def _line(parked: ParkedEvent, now: dt.datetime) -> str:
    event = parked.event
    until = f"waits until {time_text(parked.expires, None)}" if parked.expires > now else f"given up: {parked.reason}"
    account = f"{parked.account}, " if parked.account else ""
    place = f" {event.place}" if event.place else ""
    return (
        f"{parked.number}: {account}{parked.package}, {event.source} {event.code} of {event.date} "
        f"({parked.place}{place}), parked since {time_text(parked.parked, None)}; {until}"
    )


def _document(parked: ParkedEvent, now: dt.datetime) -> dict[str, Any]:
    event = parked.event
    return {
        "number": parked.number,
        "account": parked.account,
        "from": event.source,
        "event_id": event.event_id,
        "package": event.package,
        "date": f"{event.date}",
        "description": event.description,
        "source": parked.payload,
        "line": event.line,
        "place": event.place,
        "parked": iso(parked.parked),
        "expires": iso(parked.expires),
        "is_given_up": parked.expires <= now,
        "reason": parked.reason,
    }


def _now() -> dt.datetime:
    return dt.datetime.now(EARLIEST_ZONE)
