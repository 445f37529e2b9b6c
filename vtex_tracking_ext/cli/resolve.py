"""The command resolve: settle what nobody knows, by reading or by a person's word."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Final

from attrs import evolve

from vtex_tracking_ext.bulk.delivery.deliver import AccountDelivery, AccountPause, DeliveryResult
from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.journal.interface import BATCH
from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.errors import ConfigurationError, VtexTrackingError
from vtex_tracking_ext.text import visible

from .accounts import Accounts
from .exit_codes import Status, status_of
from .interrupts import interrupts
from .messages import counted, entry_document, entry_line
from .output import say, say_json, warn
from .progress import wait_line
from .status import journal_path, labels_of, reader_of

if TYPE_CHECKING:
    import argparse

    from vtex_tracking_ext.bulk.journal.entries import Resolution, State
    from vtex_tracking_ext.bulk.journal.interface import Journal, JournalReader

#: States that nobody knows the truth of once no run is on its way.
DOUBT: Final[tuple[State, ...]] = ("in_flight", "unknown")

#: On whose word an entry is settled.
BY_HAND: Final = "said so by hand (vtex-tracking resolve)"


class UsageError(VtexTrackingError):
    """The command was not told what it needs."""


def resolve(parsed: argparse.Namespace) -> Status:
    """List what is unknown, or settle some or all of it."""
    if not (parsed.read or parsed.applied or parsed.not_applied or parsed.retry or parsed.withdraw):
        with reader_of(parsed, os.environ) as reader:
            return _list(parsed, reader)
    if bool(parsed.ids) == parsed.all:
        state = _states(parsed)[0]
        lister = f"report --state {state}" if state in {"pending", "refused"} else "resolve"
        raise UsageError(f"Which ones? Give the numbers that vtex-tracking {lister} lists, or --all.")
    with open_journal(journal_path(parsed, os.environ), create=False) as journal:
        chosen = _chosen(parsed, journal)
        if parsed.withdraw:
            withdrawn = sum(journal.withdraw(selection, BY_HAND) for selection in chosen)
            _tell(parsed, withdrawn=withdrawn)
            return Status.OK
        if parsed.retry:
            _tell(parsed, pending=sum(_retry(journal, selection) for selection in chosen))
            return Status.OK
        if parsed.read:
            return _read(parsed, journal, chosen)
        outcome: Resolution = "applied" if parsed.applied else "pending"
        settled = sum(_by_hand(journal, selection, outcome) for selection in chosen)
        return _tell_rest(parsed, journal, applied=settled * parsed.applied, pending=settled * parsed.not_applied)


def _chosen(parsed: argparse.Namespace, journal: JournalReader) -> list[Selection]:
    """Return what is to be listed, or what the action is for.

    Raises:
        UsageError: A number is not of an entry in such a state.
        VtexTrackingError: The journal has nothing of such an account.
    """
    states = _states(parsed)
    if not parsed.ids:
        return [Selection(states, label) for label in labels_of(parsed.account, journal.counts())]
    found = {entry.id: entry.state for entry in journal.entries(Selection(ids=parsed.ids))}
    wrong = [f"{id_} is {found.get(id_, 'not there')}" for id_ in parsed.ids if found.get(id_) not in states]
    if wrong:
        raise UsageError(f"Nothing was changed: {', '.join(wrong)}; {' or '.join(states)} was expected.")
    return [Selection(states, ids=parsed.ids)]


def _states(parsed: argparse.Namespace) -> tuple[State, ...]:
    """Return in which states there is something to do for an action."""
    if parsed.withdraw:
        return ("pending",)
    return ("refused",) if parsed.retry else DOUBT


def _retry(journal: Journal, selection: Selection) -> int:
    """Have refused entries sent again; of all of them, not those that somebody withdrew."""
    if selection.ids is not None:
        return journal.retry(selection)
    ids = (entry.id for entry in journal.entries(selection) if entry.reason != BY_HAND)
    number = 0
    while batch := tuple(islice(ids, BATCH)):
        number += journal.retry(Selection(ids=batch))
    return number


def _list(parsed: argparse.Namespace, journal: JournalReader) -> Status:
    number = 0
    # What a run has on its way is in flight too, and not in doubt.
    states: tuple[State, ...] = ("unknown",) if journal.active_writers() else DOUBT
    for selection in _chosen(parsed, journal):
        for entry in journal.entries(evolve(selection, states=states)):
            number += 1
            if parsed.json:
                say_json("unknown", {**entry_document(entry), "state": entry.state})
            else:
                say(f"{entry.id}: {entry_line(entry)}")
    if not parsed.json:
        how = "; settle them with --read, or with --applied or --not-applied once you have looked." if number else "."
        say(f"{counted(number, 'entry', 'entries')} unknown{how}")
    return Status.UNKNOWN if number else Status.OK


def _by_hand(journal: Journal, selection: Selection, state: Resolution) -> int:
    """Take a person's word; what a killed run left in flight is unknown first. A run that is at work is left alone."""
    for entry in journal.entries(evolve(selection, states=("in_flight",))):
        with journal.try_lock(entry.package) as is_mine:
            # Looked at again under the lock: a run may have learnt meanwhile what became of it.
            if is_mine and any(journal.entries(Selection(("in_flight",), ids=(entry.id,)))):
                journal.record_outcome([entry.id], "unknown")
    return journal.resolve(evolve(selection, states=("unknown",)), state, BY_HAND)


def _read(parsed: argparse.Namespace, journal: Journal, chosen: list[Selection]) -> Status:
    """Read the orders, the accounts one after the other."""
    applied = 0
    ends: list[Status] = []

    def report(news: DeliveryResult | AccountPause) -> None:
        nonlocal applied
        if isinstance(news, AccountPause):
            warn(wait_line(news))
        elif news.outcome == "applied":
            applied += len(news.entries)

    with Accounts(parsed) as accounts:
        wanted = {entry.package.account for selection in chosen for entry in journal.entries(selection)}
        for label in sorted(wanted):
            try:
                client = accounts.client_of_label(label)
            except ConfigurationError as error:
                warn(f"{label}: not read: {visible(str(error), 600)}")
                ends.append(Status.CONFIGURATION)
                continue
            delivery = AccountDelivery(client.paced(), journal, label, Pace(rate=parsed.rate), report)
            with interrupts(delivery.stop) as stopped:
                for selection in chosen:
                    if selection.account in {None, label}:
                        delivery.resolve_unknown(evolve(selection, account=label))
            if stopped.happened:
                return Status.INTERRUPTED
            if delivery.pace.stop_error is not None:
                warn(f"{label}: given up: {visible(delivery.pace.stop_reason, 600)}")
                ends.append(status_of(delivery.pace.stop_error))
    rest = _tell_rest(parsed, journal, applied=applied)
    return Status.CONFIGURATION if Status.CONFIGURATION in ends else max([rest, *ends])


def _tell_rest(parsed: argparse.Namespace, journal: JournalReader, **settled: int) -> Status:
    """Tell what was settled and what is still unknown."""
    counts = journal.counts()
    unknown = sum(counts[label][state] for label in labels_of(parsed.account, counts) for state in DOUBT)
    _tell(parsed, **settled, unknown=unknown)
    return Status.UNKNOWN if unknown else Status.OK


def _tell(parsed: argparse.Namespace, **numbers: int) -> None:
    if parsed.json:
        say_json("summary", numbers)
    else:
        words = {
            "applied": "applied",
            "pending": "to be sent again by the next push",
            "unknown": "still unknown",
            "withdrawn": "withdrawn",
        }
        always = {"unknown", "withdrawn"}
        say(", ".join(f"{number} {words[name]}" for name, number in numbers.items() if number or name in always))
