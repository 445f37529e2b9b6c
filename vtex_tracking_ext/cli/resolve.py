"""The command resolve: resolves unknown outcomes by reading the orders, or by what a person saw.

It also sends refused events again or closes them, and takes pending events back.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from attrs import evolve

from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
from vtex_tracking_ext.bulk.delivery.deliver import IN_DOUBT_STATES, AccountDelivery
from vtex_tracking_ext.bulk.journal.entries import BY_HAND, Selection
from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.bulk.report.causes import ENTRY_KINDS, cause_key
from vtex_tracking_ext.errors import ConfigurationError, VtexTrackingError
from vtex_tracking_ext.text import REASON_LENGTH, visible

from .accounts import Accounts
from .cause_lines import cause_document, cause_lines, group_entries
from .confirm import confirm
from .entry_text import counted, entry_document
from .exit_codes import ExitCode, exit_code_of
from .interrupts import stop_on_signal
from .journal_location import journal_location, journal_option, matching_accounts, open_journal_reader
from .output import fail, say, say_json, warn
from .progress import ProgressLines

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from vtex_tracking_ext.bulk.journal.entries import Entry, Resolution, State
    from vtex_tracking_ext.bulk.journal.interface import Journal, JournalReader
    from vtex_tracking_ext.bulk.report.causes import Kind

#: States that some actions are for; the others are for unknown outcomes.
_STATES: Final[Mapping[str, tuple[State, ...]]] = {
    "retry": ("refused",),
    "dismiss": ("refused",),
    "withdraw": ("pending",),
}

#: Entries that are listed for people at most.
_LISTED: Final = 10_000

#: Files that a question names.
_NAMED_SOURCES: Final = 3


def resolve(parsed: argparse.Namespace) -> ExitCode:
    """List the entries whose outcome is unknown, or those of a cause, or resolve some or all of them."""
    ways = [bool(parsed.ids), parsed.cause is not None, parsed.all]
    if parsed.action is None:
        if parsed.ids and parsed.cause is not None:
            raise VtexTrackingError("Give either numbers or --cause.")
        with open_journal_reader(parsed) as reader:
            return _list(parsed, reader)
    if sum(ways) != 1:
        command = f"report --state {_STATES[parsed.action][0]}" if parsed.action in _STATES else "resolve"
        raise VtexTrackingError(f"Give either the numbers that vtex-tracking {command} lists, or --cause, or --all.")
    with open_journal(journal_location(parsed), create=False) as journal:
        selections = _selections(parsed, journal)
        if parsed.action in {"withdraw", "dismiss"}:
            return _take_back(parsed, journal, selections)
        if parsed.action == "retry":
            _print_summary(parsed, pending=sum(map(journal.retry, selections)))
            return ExitCode.OK
        if parsed.action == "read":
            return _read(parsed, journal, selections)
        number = sum(_resolve_by_hand(parsed, journal, selection, parsed.action) for selection in selections)
        return _finish(parsed, journal, **{"applied": 0, "pending": 0, parsed.action: number})


def _selections(parsed: argparse.Namespace, journal: JournalReader) -> list[Selection]:
    """Return the entries to list, or those that the action is for.

    Raises:
        VtexTrackingError: A numbered entry is in another state, or the account is not in the journal.
    """
    states = _STATES.get(parsed.action, IN_DOUBT_STATES)
    if parsed.cause is not None:
        return [_of_cause(parsed, journal, ENTRY_KINDS if parsed.action is None else states)]
    if parsed.action == "retry" and parsed.ids:
        states = (*states, "withdrawn")
    if not parsed.ids:
        return [Selection(states, account) for account in matching_accounts(parsed.account, journal.counts())]
    _checked(parsed.ids, journal, states)
    return [Selection(states, ids=parsed.ids)]


def _checked(ids: Sequence[int], journal: JournalReader, states: Sequence[State]) -> list[Entry]:
    """Return the entries with these numbers.

    Raises:
        VtexTrackingError: One of them does not exist, or is in none of these states.
    """
    entries = [*journal.entries(Selection(ids=ids))]
    found = {entry.id: entry.state for entry in entries}
    expected = " or ".join(states)
    wrong = [
        f"event {id_} is {found[id_]}, not {expected}" if id_ in found else f"there is no event {id_}"
        for id_ in ids
        if found.get(id_) not in states
    ]
    if wrong:
        raise VtexTrackingError(f"Nothing was changed: {'; '.join(wrong).replace('_', ' ')}.")
    return entries


def _of_cause(parsed: argparse.Namespace, journal: JournalReader, states: Sequence[State]) -> Selection:
    """Return the entries with the same state and cause as the one whose number ``--cause`` gives.

    Raises:
        VtexTrackingError: There is no such entry, or it is in none of the states, or its account is not in the journal.
    """
    (entry,) = _checked([parsed.cause], journal, states)
    kind: Kind = entry.state  # type: ignore[assignment] # one that has causes; for pending entries, all are of one
    if entry.state not in ENTRY_KINDS:
        raise VtexTrackingError("Nothing was changed: pending events have no cause. Give their numbers, or --all.")
    key = cause_key(kind, entry.status_code, entry.reason)
    accounts = None if parsed.account is None else matching_accounts(parsed.account, journal.counts())
    found = (
        each.id
        for each in journal.entries(Selection((entry.state,)))
        if (accounts is None or each.package.account in accounts)
        and cause_key(kind, each.status_code, each.reason) == key
    )
    return Selection((entry.state,), ids=tuple(found))


def _list(parsed: argparse.Namespace, journal: JournalReader) -> ExitCode:
    """Print entries by cause, with their numbers, and what can be done about them."""
    option = journal_option(parsed)
    deliverers = journal.deliverers()
    numbers: Counter[State] = Counter()
    kept: list[Entry] = []
    for entry in (entry for selection in _selections(parsed, journal) for entry in journal.entries(selection)):
        if entry.state == "in_flight" and entry.package.account in deliverers:
            continue  # its outcome is about to be recorded
        numbers[entry.state] += 1
        if parsed.json:
            kind = "refused" if entry.state == "refused" else "unknown"
            say_json(kind, {**entry_document(entry), "state": entry.state})
        if len(kept) < _LISTED:
            kept.append(entry)
    groups = group_entries(kept, option, _LISTED)
    if parsed.json:
        for found in groups:
            say_json("cause", cause_document(found))
    else:
        for line, style in cause_lines(journal, groups, option, is_detailed=True):
            say(line, style)
        if (left_out := numbers.total() - len(kept)) > 0:
            say(f"... and {counted(left_out, 'later event')}; resolve these first.")
        _print_total(numbers)
    if numbers["unknown"] or numbers["in_flight"]:
        return ExitCode.UNKNOWN
    return ExitCode.REFUSED if numbers["refused"] else ExitCode.OK


def _print_total(numbers: Counter[State]) -> None:
    """Print how many entries were listed."""
    if numbers["refused"]:
        say(f"{counted(numbers['refused'], 'refused event')}.")
        return
    number = numbers.total()
    how = " Resolve them with --read, or look at the orders and use --applied or --not-applied." if number else ""
    say(f"{counted(number, 'unknown outcome')}.{how}")


def _take_back(parsed: argparse.Namespace, journal: Journal, selections: list[Selection]) -> ExitCode:
    """Make pending or refused entries withdrawn, after asking if there are several."""
    entries = (entry for selection in selections for entry in journal.entries(selection))
    ids, question = _question(f"{parsed.action.title()} {{}} {_STATES[parsed.action][0]}", entries)
    if len(ids) > 1 and not confirm(question, is_confirmed=parsed.yes):
        return ExitCode.INTERRUPTED
    selection = Selection(ids=ids)  # not those that were added meanwhile
    if parsed.action == "withdraw":
        _print_summary(parsed, withdrawn=journal.withdraw(selection))
    else:
        _print_summary(parsed, dismissed=journal.dismiss(selection))
    return ExitCode.OK


def _question(action: str, entries: Iterator[Entry]) -> tuple[tuple[int, ...], str]:
    """Return the ids of entries, and the question whether to do something with so many of them."""
    ids, packages = [], set()
    sources: Counter[str] = Counter()
    for entry in entries:
        ids.append(entry.id)
        packages.add(entry.package)
        sources[entry.place.source] += 1
    accounts = ", ".join(visible(account) for account in sorted({package.account for package in packages}))
    named = ", ".join(visible(source) for source, _ in sources.most_common(_NAMED_SOURCES))
    more = " and others" if len(sources) > _NAMED_SOURCES else ""
    return tuple(ids), (
        f"{action.format(f'{len(ids):,}')} events of {accounts} ({counted(len(packages), 'package')}, from "
        f"{named}{more})?"
    )


def _resolve_by_hand(parsed: argparse.Namespace, journal: Journal, selection: Selection, state: Resolution) -> int:
    """Record what a person saw. Entries that a killed process left in flight become unknown first."""
    in_flight = evolve(selection, states=("in_flight",))
    for account in sorted({entry.package.account for entry in journal.entries(in_flight)}):
        with journal.lease(account) as lease:
            if lease is not None:
                lease.settle(journal.entries(evolve(in_flight, account=account)), "unknown")
                continue
        who = journal.deliverers().get(account, "another process")
        _print_left_out(
            parsed, account, f"{visible(who)} is delivering it, and records the outcome of what is in flight."
        )
    return journal.resolve(evolve(selection, states=("unknown",)), state, BY_HAND)


def _read(parsed: argparse.Namespace, journal: Journal, selections: list[Selection]) -> ExitCode:
    """Read the orders, one account after the other."""
    applied = 0
    errors: list[ExitCode] = []
    progress = ProgressLines(0, as_json=parsed.json)

    def report(result: DeliveryResult | AccountPause) -> None:
        nonlocal applied
        if isinstance(result, AccountPause):
            progress.pause(result)
        elif result.outcome == "applied":
            applied += len(result.entries)

    with Accounts(parsed) as accounts:
        names = {entry.package.account for selection in selections for entry in journal.entries(selection)}
        for name in sorted(names):
            try:
                client = accounts.client_for(name)
            except ConfigurationError as error:
                _print_left_out(parsed, name, f"not read: {visible(str(error), REASON_LENGTH)}")
                errors.append(ExitCode.CONFIGURATION)
                continue
            delivery = AccountDelivery(client.paced(), journal, name, report, rate=parsed.rate)
            with stop_on_signal(delivery.stop) as signals:
                for selection in selections:
                    if selection.account in {None, name}:
                        delivery.resolve_unknown(evolve(selection, account=name))
                    if delivery.taken_by:
                        _print_left_out(parsed, name, f"not read: {visible(delivery.taken_by)} is delivering it.")
                        break
            if signals.interrupted:
                fail(parsed.command, "interrupted.", "KeyboardInterrupt", ExitCode.INTERRUPTED)
                return ExitCode.INTERRUPTED
            if delivery.pace.stop_error is not None:
                reason = visible(delivery.pace.stop_reason, REASON_LENGTH)
                _print_left_out(parsed, name, f"stopped: {reason}")
                errors.append(exit_code_of(delivery.pace.stop_error))
    exit_code = _finish(parsed, journal, applied=applied)
    return ExitCode.CONFIGURATION if ExitCode.CONFIGURATION in errors else max([exit_code, *errors])


def _finish(parsed: argparse.Namespace, journal: JournalReader, **resolved: int) -> ExitCode:
    """Print how many outcomes were resolved, and how many are still unknown."""
    deliverers, counts = journal.deliverers(), journal.counts()
    unknown = 0
    for account in matching_accounts(parsed.account, counts):
        unknown += counts[account]["unknown"] + (0 if account in deliverers else counts[account]["in_flight"])
    _print_summary(parsed, **resolved, unknown=unknown)
    return ExitCode.UNKNOWN if unknown else ExitCode.OK


def _print_left_out(parsed: argparse.Namespace, account: str, reason: str) -> None:
    """Print why the entries of an account, or some of them, were left as they are."""
    if parsed.json:
        say_json("left_out", {"account": account, "reason": reason})
    else:
        warn(f"{visible(account)}: {reason}", "bad")


def _print_summary(parsed: argparse.Namespace, **numbers: int) -> None:
    if parsed.json:
        say_json("summary", numbers)
        return
    texts = {"pending": "to be sent again by the next push", "unknown": "still unknown"}
    shown = [name for name, number in numbers.items() if number or name == "unknown" or len(numbers) == 1]
    say(", ".join(f"{numbers[name]} {texts.get(name, name)}" for name in shown))
