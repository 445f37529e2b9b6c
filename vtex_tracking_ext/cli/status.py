"""The command status: how many entries are in which state. It reads only, also while a run is writing."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.bulk.journal.opening import is_postgres
from vtex_tracking_ext.config.defaults import STATES
from vtex_tracking_ext.text import visible

from .exit_codes import ExitCode
from .journal_location import journal_option, matching_accounts, open_journal_reader
from .output import say, warn

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from vtex_tracking_ext.bulk.journal.entries import State
    from vtex_tracking_ext.bulk.journal.interface import JournalReader

#: Characters of the reason why an account is paused.
_REASON_LENGTH: Final = 400


def status(parsed: argparse.Namespace) -> ExitCode:
    """Print how many entries are in which state, and what to do next."""
    with open_journal_reader(parsed) as journal:
        writers = journal.active_writers()
        counts = journal.counts()
        writers = journal.active_writers() or writers  # a run may have started or ended in between
        name, paces = journal.name, _fleet_paces(journal)
    counts = {account: counts[account] for account in matching_accounts(parsed.account, counts)}
    paces = {account: pace for account, pace in paces.items() if account in counts}
    total: Counter[State] = sum(counts.values(), Counter())
    advice = [*_advice(total, writers, journal_option(parsed), has_workers=bool(paces))]
    if parsed.json:
        document = {
            "journal": name,
            "is_running": bool(writers),
            "accounts": {account: _by_state(states) for account, states in counts.items()},
            "total": _by_state(total),
            "next": advice,
        }
        text = json.dumps({**document, "paces": paces} if paces else document, indent=2)
    else:
        text = "\n".join([*_table(counts, total), *_pace_lines(paces), *advice])
    exit_code = _exit_code(total, is_running=bool(writers))
    if not say(text):
        warn("vtex-tracking status: standard output cannot be written.")
        return ExitCode.UNKNOWN if exit_code is ExitCode.UNKNOWN else ExitCode.INCOMPLETE
    return exit_code


def _exit_code(total: Mapping[State, int], *, is_running: bool) -> ExitCode:
    """Return the most severe status. Entries in flight without a run have an unknown outcome."""
    if total["unknown"] or (total["in_flight"] and not is_running):
        return ExitCode.UNKNOWN
    if total["pending"] or total["in_flight"]:
        return ExitCode.INCOMPLETE
    return ExitCode.REFUSED if total["refused"] else ExitCode.OK


def _fleet_paces(journal: JournalReader) -> dict[str, dict[str, Any]]:
    """Return how fast the workers of a fleet may call each account, by account; empty if there is no fleet.

    Raises:
        JournalError: The paces cannot be read.
    """
    if not is_postgres(journal.name):
        return {}
    from vtex_tracking_ext.bulk.journal.postgres import PostgresReader  # noqa: PLC0415 - an extra
    from vtex_tracking_ext.fleet.account_pace import Paces  # noqa: PLC0415 - an extra

    assert isinstance(journal, PostgresReader)  # noqa: S101 - see is_postgres
    paces = {}
    for account, (pace, now) in sorted(Paces(journal.connections).all().items()):
        quiet = pace.pause_seconds(now)
        reason = visible(pace.pause_reason(), _REASON_LENGTH) if quiet else ""
        paces[account] = {"rate": pace.throttle.rate, "quiet": quiet, "reason": reason}
    return paces


def _advice(total: Counter[State], writers: str, option: str, *, has_workers: bool) -> Iterator[str]:
    """Yield what to do next, the most severe state first.

    Args:
        total: How many entries are in which state.
        writers: The runs that are active, or an empty text.
        option: The option that names the journal.
        has_workers: Whether workers use the journal; they do not end by themselves.
    """
    if writers and has_workers:
        is_open = total["pending"] or total["in_flight"]
        yield f"Workers or a push are running ({visible(writers)}){': check again later' if is_open else ''}."
    elif writers:
        yield f"A push is running ({visible(writers)}): check again when it has ended."
    if total["unknown"]:
        command = f"`vtex-tracking resolve{option}`"
        yield f"Unknown: may have been applied; {command} lists them and shows how to resolve them."
    if total["in_flight"] and not writers:
        yield "In flight: the last push was killed; push again to find out the outcome."
    if total["pending"] and not writers:
        yield f"Pending: not sent yet; push again{' or start a worker' if has_workers else ''} to continue."
    if total["refused"]:
        yield f"Refused: `vtex-tracking report --state refused{option}` shows why; fix those rows and push them again."
    if not writers and total["applied"] == total.total():
        yield "Nothing left to do." if total else "Nothing has been pushed yet."


def _pace_lines(paces: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for account, pace in paces.items():
        pause = f"; paused for {pace['quiet']:.0f} s: {pace['reason'].removesuffix('.')}" if pace["quiet"] else ""
        yield f"{visible(account)}: workers make at most {pace['rate']:.1f} calls a second{pause}."


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
