"""The command status: how many entries are in which state. It reads only, also while a run is writing."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from vtex_tracking_ext.bulk.journal.entries import Held
from vtex_tracking_ext.bulk.journal.interface import WORKERS
from vtex_tracking_ext.bulk.report.accounts import (
    account_line,
    first_resend,
    held_text,
    is_quiet,
    learned_rate,
    problem_lines,
    time_text,
)
from vtex_tracking_ext.bulk.report.causes import ENTRY_KINDS
from vtex_tracking_ext.bulk.report.rows import iso
from vtex_tracking_ext.config.defaults import STATES
from vtex_tracking_ext.text import visible

from .cause_lines import cause_document, cause_lines, journal_causes, left_out_line
from .entry_text import counted
from .exit_codes import ExitCode, most_severe
from .journal_location import journal_option, matching_accounts, open_journal_reader
from .messages import parked_lines
from .output import say, warn
from .parked import counts_by_account, counts_document

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from vtex_tracking_ext.bulk.journal.entries import AccountRecord, Entry, State
    from vtex_tracking_ext.bulk.journal.interface import JournalReader

    from .terminal import Style

#: States whose causes are printed, with what to do.
_EXPLAINED: Final = frozenset(ENTRY_KINDS)


def status(parsed: argparse.Namespace) -> ExitCode:
    """Print how many entries are in which state, what is known of the accounts, their causes, and what to do next."""
    option = journal_option(parsed)
    with open_journal_reader(parsed) as journal:
        deliverers = journal.deliverers()
        counts = journal.counts()
        journal_total: Counter[State] = sum(counts.values(), Counter())
        # A delivery may have begun or ended in between.
        deliverers = {**dict.fromkeys(journal.served_accounts(), WORKERS), **deliverers, **journal.deliverers()}
        name, known, held, parked = journal.name, journal.accounts(), journal.held(), counts_by_account(journal)
        names = matching_accounts(parsed.account, dict.fromkeys([*counts, *parked]))
        counts = {account: counts[account] for account in names if account in counts}
        parked = {account: parked[account] for account in names if account in parked}
        unknown = {
            account: _unknown(journal, account) if states["unknown"] else [] for account, states in counts.items()
        }
        accounts = [
            _Account(
                known[account], states, deliverers.get(account, ""), unknown.get(account, []), held.get(account, Held())
            )
            for account, states in counts.items()
        ]
        are_abandoned = {account.record.account: account.abandoned > 0 for account in accounts}
        causes = journal_causes(journal, journal_total, are_abandoned, option)
        cause_texts = [] if parsed.json else [*cause_lines(journal, causes, option)]
    total: Counter[State] = sum(counts.values(), Counter())
    abandoned = sum(account.abandoned for account in accounts)
    left_out = total["refused"] + total["unknown"] + abandoned - sum(found.entries for found in causes)
    if left_out > 0:
        cause_texts.append((left_out_line(left_out, option), ""))
    advice = [*_advice(accounts, total, option)]
    if parsed.json:
        document: dict[str, Any] = {
            "journal": name,
            "is_running": any(account.deliverer for account in accounts),
            "accounts": {account.record.account: account.document() for account in accounts},
            "total": _by_state(total),
            "causes": [cause_document(found) for found in causes],
            "next": [text for _, text in advice],
        }
        if parked:
            document["parked"] = {account: counts_document(each) for account, each in parked.items()}
        is_printed = say(json.dumps(document, indent=2))
    else:
        lines: list[tuple[str, Style]] = [
            *((line, "bad") for line in problem_lines((each.record for each in accounts), None)),
            *((line, "table") for line in _table(counts, total)),
            *((line, "") for account in accounts for line in account.lines()),
            *((line, "") for line in parked_lines(parked.values(), option)),
            *cause_texts,
            *((text, "good" if state == "applied" else "") for state, text in advice if state not in _EXPLAINED),
        ]
        is_printed = all(say(line, style) for line, style in lines)
    exit_code = _exit_code(total, abandoned)
    if any(each.given_up for each in parked.values()):
        exit_code = most_severe(exit_code, ExitCode.INCOMPLETE)
    if not is_printed:
        warn("vtex-tracking status: standard output cannot be written.")
        return ExitCode.UNKNOWN if exit_code is ExitCode.UNKNOWN else ExitCode.INCOMPLETE
    return exit_code


@frozen
class _Account:
    """What the journal knows of an account.

    Attributes:
        record: What it knows apart from the entries.
        states: How many entries are in which state.
        deliverer: The process that delivers it now, or the workers that serve it, or an empty text.
        unknown: Its entries of unknown outcome.
        held: Its deliveries that are not sent yet.
    """

    record: AccountRecord
    states: Mapping[State, int]
    deliverer: str
    unknown: Sequence[Entry]
    held: Held

    @property
    def abandoned(self) -> int:
        """How many entries a killed process left in flight."""
        return 0 if self.deliverer else self.states["in_flight"]

    @property
    def is_left_to_workers(self) -> bool:
        """Whether workers serve the account, and it is stopped: they try it again after a while."""
        return self.deliverer == WORKERS and self.record.stopped is not None

    @property
    def is_being_delivered(self) -> bool:
        """Whether it has entries that a process delivers now."""
        is_open = self.states["pending"] + self.states["in_flight"] > 0
        return bool(self.deliverer) and is_open and not self.is_left_to_workers

    def lines(self) -> Iterator[str]:
        """Yield what is known, for people."""
        line = account_line(self.record, self.deliverer, None)
        if line:
            yield line
        if self.held.deliveries:
            yield f"{visible(self.record.account)}: {held_text(self.held, None)}."
        first = first_resend(self.record, self.unknown)
        if first is not None:
            yield (
                f"{visible(self.record.account)}: to be sent again if their orders do not show them: "
                f"{counted(len(self.unknown), 'unknown event')}, the first at {time_text(first, None)}."
            )

    def document(self) -> dict[str, Any]:
        """Return what is known, for programs."""
        record = self.record
        stopped, quiet = record.stopped is not None, is_quiet(record)
        return {
            **{str(state): number for state, number in _by_state(self.states).items()},
            "stopped": {"since": iso(record.stopped), "reason": record.stopped_reason} if stopped else None,
            "quiet": {"until": iso(record.quiet_until), "reason": record.quiet_reason} if quiet else None,
            "held": {"deliveries": self.held.deliveries, "until": iso(self.held.until)} if self.held.until else None,
            "last_applied": iso(record.last_applied),
            "deliverer": self.deliverer or None,
            "rate": learned_rate(record),
            "resend_after": record.resend_after,
            "first_resend": iso(first_resend(record, self.unknown)),
        }


def _unknown(journal: JournalReader, account: str) -> list[Entry]:
    return [entry for package in journal.backlog(account) for entry in package if entry.state == "unknown"]


def _exit_code(total: Mapping[State, int], abandoned: int) -> ExitCode:
    """Return the most severe status. Entries in flight of an account that nobody delivers have an unknown outcome."""
    if total["unknown"] or abandoned:
        return ExitCode.UNKNOWN
    if total["pending"] or total["in_flight"]:
        return ExitCode.INCOMPLETE
    return ExitCode.REFUSED if total["refused"] else ExitCode.OK


def _advice(accounts: Sequence[_Account], total: Counter[State], option: str) -> Iterator[tuple[State, str]]:
    """Yield what to do next, the most severe state first, each with the state that it is about.

    Args:
        accounts: The accounts.
        total: How many entries are in which state.
        option: The option that names the journal.
    """
    delivered = [each for each in accounts if each.is_being_delivered]
    if delivered:
        deliverers = dict.fromkeys(account.deliverer for account in delivered)
        yield "pending", f"Events are being delivered ({', '.join(map(visible, deliverers))}): check again later."
    if total["unknown"]:
        command = f"`vtex-tracking resolve{option}`"
        yield "unknown", f"Unknown: may have been applied; {command} lists them and shows how to resolve them."
        if any(account.unknown and account.record.resend_after is None for account in accounts):
            text = (
                f"`vtex-tracking push --resend-after 1h{option}` sends unknown events again if their orders do not "
                "show them an hour after their calls."
            )
            yield "pending", text
    if any(account.abandoned for account in accounts):
        yield "in_flight", "In flight: the process that sent them was killed; push again to find out the outcome."
    pending = [account for account in accounts if account.states["pending"] and not account.deliverer]
    if any(account.states["pending"] > account.held.deliveries for account in pending):
        wait = " Events after an unknown one of their package wait until it is resolved."
        is_waiting = any(each.unknown for each in pending)
        yield "pending", f"Pending: not sent yet; push again to continue.{wait if is_waiting else ''}"
    if any(account.held.deliveries for account in pending):
        yield "pending", "Held: push again after that time."
    if any(account.states["pending"] and account.is_left_to_workers for account in accounts):
        text = (
            "Pending: not sent yet; once the reason is fixed, the workers continue within ten minutes, or when one "
            "starts."
        )
        yield "pending", text
    if total["refused"]:
        text = (
            f"Refused: `vtex-tracking report --state refused{option}` shows why; fix those rows and push them again, "
            f"or close them with `vtex-tracking resolve --dismiss --all{option}`."
        )
        yield "refused", text
    if total["applied"] + total["withdrawn"] == total.total():
        yield "applied", "Nothing left to do." if total else "The journal has no events."


def _table(counts: Mapping[str, Mapping[State, int]], total: Mapping[State, int]) -> Iterator[str]:
    """Yield lines with aligned columns, one for each state."""
    named = [*((visible(account), states) for account, states in counts.items())]
    if len(counts) != 1:
        named.append(("total", total))
    rows = [["account", *(state.replace("_", " ") for state in STATES)]]
    rows += [[name, *(f"{number:,}" for number in _by_state(states).values())] for name, states in named]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        yield "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])])


def _by_state(states: Mapping[State, int]) -> dict[State, int]:
    return {state: states[state] for state in STATES}
