"""What the service's page shows of a whole journal: its accounts, and what needs attention, grouped by cause."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from attrs import frozen

from vtex_tracking_ext.bulk.journal.cached import Cached
from vtex_tracking_ext.bulk.journal.entries import Held, utc_now
from vtex_tracking_ext.bulk.journal.interface import WORKERS
from vtex_tracking_ext.bulk.report.accounts import is_quiet, problem_lines
from vtex_tracking_ext.bulk.report.cause_records import latest_entries, latest_parked
from vtex_tracking_ext.bulk.report.causes import group, journal_option, with_resending
from vtex_tracking_ext.orders import OrderStore
from vtex_tracking_ext.orders.parked import parked_counts
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from vtex_tracking_ext.bulk.journal.entries import AccountRecord, Clock, State
    from vtex_tracking_ext.bulk.journal.interface import JournalReader
    from vtex_tracking_ext.bulk.report.causes import Group, Kind, Record
    from vtex_tracking_ext.orders.parked import ParkedCounts
    from vtex_tracking_ext.orders.store import KnownOrders

#: What an account does; see :attr:`Account.condition`.
Condition: TypeAlias = Literal["stopped", "not delivered", "paused", "delivering", "pending", "nothing to do"]

#: Seconds for which an overview is kept; longer if it is slow to read.
_SECONDS: Final = 5.0

#: Groups of a kind that are shown.
MAX_GROUPS: Final = 20

#: How long after it was added a pending event should have been sent.
_LATE: Final = dt.timedelta(minutes=15)

#: Accounts that a sentence names.
_NAMED: Final = 3


@frozen
class Account:
    """An account of a journal.

    Attributes:
        name: Its name in the journal; an empty text for parked events whose account is not known.
        states: How many of its entries are in which state.
        record: What the journal knows of it, or None if it has no entry yet.
        deliverer: The process that delivers it now, or the workers that serve it, or an empty text.
        held: Its deliveries that the carrier can still take back.
        pending_since: When the oldest pending entry was added that is not held, or None.
        parked: How many of its events are parked, or None.
        known: How many orders are known, or None.
        is_served: Whether a process serves it, which delivers it as soon as it can.
        now: When this was read.
    """

    name: str
    states: Counter[State]
    record: AccountRecord | None
    deliverer: str
    held: Held
    pending_since: dt.datetime | None
    parked: ParkedCounts | None
    known: KnownOrders | None
    is_served: bool
    now: dt.datetime

    @property
    def condition(self) -> Condition:
        """What it does. ``not delivered``: events have been pending for long, and no process delivers them."""
        if self.record is not None and self.record.stopped is not None:
            return "stopped"
        if self.record is not None and is_quiet(self.record):
            return "paused"
        if self.is_late and not (self.deliverer or self.is_served):
            return "not delivered"
        if self.states["pending"] + self.states["in_flight"] and self.deliverer:
            return "delivering"
        return "pending" if self.states["pending"] + self.states["in_flight"] else "nothing to do"

    @property
    def is_late(self) -> bool:
        """Whether an event that is not held has been pending for long."""
        return self.pending_since is not None and self.now - self.pending_since > _LATE

    @property
    def abandoned(self) -> int:
        """How many entries a killed process left in flight."""
        return 0 if self.deliverer or self.is_served else self.states["in_flight"]

    @property
    def resends(self) -> bool:
        """Whether unknown events are sent again if their orders do not show them."""
        return self.record is not None and self.record.resend_after is not None

    @property
    def problem(self) -> str:
        """Why it is not called now, or an empty text."""
        line = "".join(list(problem_lines(filter(None, [self.record])))[:1])
        return line.removeprefix(f"{visible(self.name)}: ")


@frozen
class Overview:
    """What is known of a journal.

    Attributes:
        journal: Its name, without secrets.
        now: When this was read, in UTC.
        accounts: Its accounts, by name.
        groups: What needs attention, by cause: what a person must look at first.
        left_out: How many events of a kind are in no group, because there are too many.
    """

    journal: str
    now: dt.datetime
    accounts: tuple[Account, ...]
    groups: tuple[Group, ...]
    left_out: Mapping[Kind, int]

    @property
    def total(self) -> Counter[State]:
        """How many entries of all accounts are in each state."""
        return sum((account.states for account in self.accounts), Counter())

    @property
    def waiting(self) -> int:
        """How many parked events wait for their orders."""
        return sum(account.parked.waiting for account in self.accounts if account.parked)

    @property
    def given_up(self) -> int:
        """How many parked events were given up."""
        return sum(account.parked.given_up for account in self.accounts if account.parked)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was received yet."""
        return not (self.total or self.waiting or self.given_up)

    @property
    def needs(self) -> tuple[str, ...]:
        """What needs a person, as parts of a sentence."""
        names: dict[Condition, list[str]] = {"stopped": [], "not delivered": []}
        for account in self.accounts:
            if account.condition in names:
                names[account.condition].append(visible(account.name))
        unknown = sum(each.states["unknown"] for each in self.accounts if not each.resends)
        abandoned = sum(each.abandoned for each in self.accounts)
        numbers = (
            (unknown + abandoned, "event has an unknown outcome", "events have unknown outcomes"),
            (self.total["refused"], "event was refused", "events were refused"),
            (self.given_up, "parked event was given up", "parked events were given up"),
        )
        return (
            *(_named(accounts, condition) for condition, accounts in names.items() if accounts),
            *(f"{number:,} {one if number == 1 else many}" for number, one, many in numbers if number),
        )

    @property
    def verdict(self) -> str:
        """Whether something needs a person, as a sentence."""
        if self.is_empty:
            return "Nothing was received yet."
        if not self.needs:
            return "Nothing needs a person."
        *others, last = self.needs
        return f"A person is needed: {', '.join(others)}{' and ' if others else ''}{last}."


class Overviews:
    """Reads overviews, and keeps each for some seconds. Thread-safe.

    Args:
        journal: The journal. It should be one that was opened for reading, and is used for nothing else: a file is read
            with one connection, so that a slow statement would keep other threads waiting.
        served: Returns the accounts that this process delivers, as the journal names them.
        clock: Returns the current time.
    """

    def __init__(
        self, journal: JournalReader, served: Callable[[], Collection[str]] = tuple, clock: Clock = utc_now
    ) -> None:
        self._cached = Cached(lambda: read_overview(journal, clock(), served()), _SECONDS)

    def get(self) -> Overview:
        """Return an overview.

        Raises:
            JournalError: The journal cannot be used.
        """
        return self._cached.get()


def read_overview(journal: JournalReader, now: dt.datetime, served: Collection[str] = ()) -> Overview:
    """Return an overview of a journal.

    Args:
        journal: The journal.
        now: The current time, in UTC.
        served: The accounts that this process delivers, as the journal names them.

    Raises:
        JournalError: The journal cannot be used.
    """
    deliverers = journal.deliverers()
    counts = journal.counts()
    # A delivery may have begun or ended in between.
    deliverers = {**dict.fromkeys(journal.served_accounts(), WORKERS), **deliverers, **journal.deliverers()}
    records, held, pending_since = journal.accounts(), journal.held(), journal.pending_since()
    parked = {each.account: each for each in parked_counts(journal, now)}
    known = {each.journal_account: each for each in OrderStore(journal, "").counts()}
    names = sorted({*records, *counts, *parked, *known}, key=lambda name: (not name, name))
    accounts = tuple(
        Account(
            name,
            counts.get(name, Counter()),
            records.get(name),
            deliverers.get(name, ""),
            held.get(name, Held()),
            pending_since.get(name),
            parked.get(name),
            known.get(name),
            name in served or name in deliverers,
            now,
        )
        for name in names
    )
    groups, left_out = _groups(journal, now, accounts)
    return Overview(journal.name, now, accounts, groups, left_out)


def _groups(
    journal: JournalReader, now: dt.datetime, accounts: Sequence[Account]
) -> tuple[tuple[Group, ...], dict[Kind, int]]:
    """Return what needs attention, and how many events are in no group."""
    option = journal_option(journal.name)
    states: Counter[State] = sum((account.states for account in accounts), Counter())
    abandoned = {account.name for account in accounts if account.abandoned}
    number_parked = sum(each.parked.waiting + each.parked.given_up for each in accounts if each.parked)
    parked = [*latest_parked(journal, now, number_parked)]
    found: dict[Kind, Iterable[Record]] = {
        "in_flight": (
            each for each in latest_entries(journal, "in_flight", states["in_flight"]) if each.account in abandoned
        ),
        "unknown": latest_entries(journal, "unknown", states["unknown"]),
        "refused": latest_entries(journal, "refused", states["refused"]),
        "given_up": (each for is_given_up, each in parked if is_given_up),
        "waiting": (each for is_given_up, each in parked if not is_given_up),
    }
    totals: dict[Kind, int] = {
        "in_flight": sum(account.abandoned for account in accounts),
        "unknown": states["unknown"],
        "refused": states["refused"],
        "given_up": sum(account.parked.given_up for account in accounts if account.parked),
        "waiting": sum(account.parked.waiting for account in accounts if account.parked),
    }
    resending = {account.name for account in accounts if account.resends}
    groups: list[Group] = []
    left_out: dict[Kind, int] = {}
    for kind, events in found.items():
        of_kind = group(kind, events, option, has_accounts=len(accounts) > 1)[:MAX_GROUPS] if totals[kind] else []
        missing = totals[kind] - sum(each.entries for each in of_kind)
        if missing > 0:
            left_out[kind] = missing
        groups += of_kind
    return tuple(with_resending(each, resending) for each in groups), left_out


def _named(accounts: Sequence[str], condition: str) -> str:
    """Return which accounts are in a condition."""
    if len(accounts) > _NAMED:
        return f"{len(accounts)} accounts are {condition}"
    *others, last = accounts
    return f"{', '.join(others)}{' and ' if others else ''}{last} {'are' if others else 'is'} {condition}"
