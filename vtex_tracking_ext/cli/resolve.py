"""The command resolve: resolves unknown outcomes by reading the orders, or by what a person saw."""

from __future__ import annotations

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
from .exit_codes import ExitCode, exit_code_of
from .interrupts import stop_on_signal
from .journal_location import journal_location, matching_accounts, open_journal_reader
from .messages import counted, entry_document, entry_line
from .output import say, say_json, warn
from .progress import pause_line

if TYPE_CHECKING:
    import argparse

    from vtex_tracking_ext.bulk.journal.entries import Resolution, State
    from vtex_tracking_ext.bulk.journal.interface import Journal, JournalReader

#: States whose outcome is unknown when no run is active.
UNKNOWN_STATES: Final[tuple[State, ...]] = ("in_flight", "unknown")

#: The reason of entries that a person resolved. Journals contain it, so it must not change.
BY_HAND: Final = "said so by hand (vtex-tracking resolve)"


def resolve(parsed: argparse.Namespace) -> ExitCode:
    """List the entries whose outcome is unknown, or resolve some or all of them."""
    if not (parsed.read or parsed.applied or parsed.not_applied or parsed.retry or parsed.withdraw):
        with open_journal_reader(parsed) as reader:
            return _list(parsed, reader)
    if bool(parsed.ids) == parsed.all:
        command = "resolve"
        if parsed.withdraw or parsed.retry:
            command = f"report --state {'pending' if parsed.withdraw else 'refused'}"
        raise VtexTrackingError(f"Give either the numbers that vtex-tracking {command} lists, or --all.")
    with open_journal(journal_location(parsed), create=False) as journal:
        selections = _selections(parsed, journal)
        if parsed.withdraw:
            _print_summary(parsed, withdrawn=sum(journal.withdraw(selection, BY_HAND) for selection in selections))
            return ExitCode.OK
        if parsed.retry:
            _print_summary(parsed, pending=sum(_retry(journal, selection) for selection in selections))
            return ExitCode.OK
        if parsed.read:
            return _read(parsed, journal, selections)
        state: Resolution = "applied" if parsed.applied else "pending"
        number = sum(_resolve_by_hand(journal, selection, state) for selection in selections)
        return _finish(parsed, journal, applied=number * parsed.applied, pending=number * parsed.not_applied)


def _selections(parsed: argparse.Namespace, journal: JournalReader) -> list[Selection]:
    """Return the entries to list, or those that the action is for.

    Raises:
        VtexTrackingError: A numbered entry is in another state, or the account is not in the journal.
    """
    states: tuple[State, ...] = ("pending",) if parsed.withdraw else ("refused",) if parsed.retry else UNKNOWN_STATES
    if not parsed.ids:
        return [Selection(states, account) for account in matching_accounts(parsed.account, journal.counts())]
    found = {entry.id: entry.state for entry in journal.entries(Selection(ids=parsed.ids))}
    expected = " or ".join(states)
    wrong = [
        f"event {id_} is {found[id_]}, not {expected}" if id_ in found else f"there is no event {id_}"
        for id_ in parsed.ids
        if found.get(id_) not in states
    ]
    if wrong:
        raise VtexTrackingError(f"Nothing was changed: {'; '.join(wrong).replace('_', ' ')}.")
    return [Selection(states, ids=parsed.ids)]


def _list(parsed: argparse.Namespace, journal: JournalReader) -> ExitCode:
    number = 0
    # Entries in flight have an unknown outcome only if no run is active.
    states: tuple[State, ...] = ("unknown",) if journal.active_writers() else UNKNOWN_STATES
    for selection in _selections(parsed, journal):
        for entry in journal.entries(evolve(selection, states=states)):
            number += 1
            if parsed.json:
                say_json("unknown", {**entry_document(entry), "state": entry.state})
            else:
                say(f"{entry.id}: {entry_line(entry)}")
    if not parsed.json:
        how = " Resolve them with --read, or look at the orders and use --applied or --not-applied." if number else ""
        say(f"{counted(number, 'unknown outcome')}.{how}")
    return ExitCode.UNKNOWN if number else ExitCode.OK


def _retry(journal: Journal, selection: Selection) -> int:
    """Make refused entries pending again; with --all, not those that a person withdrew."""
    if selection.ids is not None:
        return journal.retry(selection)
    ids = (entry.id for entry in journal.entries(selection) if entry.reason != BY_HAND)
    number = 0
    while batch := tuple(islice(ids, BATCH)):
        number += journal.retry(Selection(ids=batch))
    return number


def _resolve_by_hand(journal: Journal, selection: Selection, state: Resolution) -> int:
    """Record what a person saw. Entries that a killed run left in flight become unknown first."""
    for entry in journal.entries(evolve(selection, states=("in_flight",))):
        with journal.try_lock(entry.package) as is_locked:
            # An active run holds the lock; it may also have recorded the outcome in the meantime.
            if is_locked and any(journal.entries(Selection(("in_flight",), ids=(entry.id,)))):
                journal.record_outcome([entry.id], "unknown")
    return journal.resolve(evolve(selection, states=("unknown",)), state, BY_HAND)


def _read(parsed: argparse.Namespace, journal: Journal, selections: list[Selection]) -> ExitCode:
    """Read the orders, one account after the other."""
    applied = 0
    errors: list[ExitCode] = []

    def report(result: DeliveryResult | AccountPause) -> None:
        nonlocal applied
        if isinstance(result, AccountPause):
            warn(pause_line(result))
        elif result.outcome == "applied":
            applied += len(result.entries)

    with Accounts(parsed) as accounts:
        names = {entry.package.account for selection in selections for entry in journal.entries(selection)}
        for name in sorted(names):
            try:
                client = accounts.client_for(name)
            except ConfigurationError as error:
                warn(f"{name}: not read: {visible(str(error), 600)}")
                errors.append(ExitCode.CONFIGURATION)
                continue
            delivery = AccountDelivery(client.paced(), journal, name, Pace(rate=parsed.rate), report)
            with stop_on_signal(delivery.stop) as signals:
                for selection in selections:
                    if selection.account in {None, name}:
                        delivery.resolve_unknown(evolve(selection, account=name))
            if signals.interrupted:
                return ExitCode.INTERRUPTED
            if delivery.pace.stop_error is not None:
                warn(f"{name}: stopped: {visible(delivery.pace.stop_reason, 600)}")
                errors.append(exit_code_of(delivery.pace.stop_error))
    exit_code = _finish(parsed, journal, applied=applied)
    return ExitCode.CONFIGURATION if ExitCode.CONFIGURATION in errors else max([exit_code, *errors])


def _finish(parsed: argparse.Namespace, journal: JournalReader, **resolved: int) -> ExitCode:
    """Print how many outcomes were resolved, and how many are still unknown."""
    counts = journal.counts()
    accounts = matching_accounts(parsed.account, counts)
    unknown = sum(counts[account][state] for account in accounts for state in UNKNOWN_STATES)
    _print_summary(parsed, **resolved, unknown=unknown)
    return ExitCode.UNKNOWN if unknown else ExitCode.OK


def _print_summary(parsed: argparse.Namespace, **numbers: int) -> None:
    if parsed.json:
        say_json("summary", numbers)
        return
    texts = {"pending": "to be sent again by the next push", "unknown": "still unknown"}
    shown = [name for name, number in numbers.items() if number or name == "unknown" or len(numbers) == 1]
    say(", ".join(f"{numbers[name]} {texts.get(name, name)}" for name in shown))
