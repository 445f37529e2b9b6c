"""Where the journal is, and the command status: how much of it is open. Only looks; a run may be writing meanwhile."""

from __future__ import annotations

import json
import os
import shlex
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.journal.opening import display_name, is_postgres, open_reader
from vtex_tracking_ext.config.defaults import STATES
from vtex_tracking_ext.errors import ConfigurationError, VtexTrackingError
from vtex_tracking_ext.text import visible

from .exit_codes import ExitCode
from .output import say, warn
from .pace import paces_in

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from vtex_tracking_ext.bulk.journal.entries import State
    from vtex_tracking_ext.bulk.journal.interface import JournalReader
    from vtex_tracking_ext.bulk.journal.opening import Location

    from .pace import PaceNow

#: Characters of the reason why an account is quiet.
_REASON_LENGTH: Final = 400


def journal_path(parsed: argparse.Namespace, environ: Mapping[str, str]) -> Location:
    """Return where the journal is: ``--journal``, else ``VTEX_JOURNAL``, else in the folder of the user's state.

    Either names a file, or a database by its URL.

    Raises:
        ConfigurationError: None is named, and the user has no such folder.
    """
    return _named(parsed, environ) or _default(environ)


def journal_to_write(parsed: argparse.Namespace, environ: Mapping[str, str]) -> Location:
    """Return where the journal is, and make the folder of the usual place; a folder that was named must be there.

    Raises:
        ConfigurationError: The folder cannot be made.
    """
    named = _named(parsed, environ)
    if named is not None:
        return named
    path = _default(environ)
    try:
        for folder in [*reversed(path.parent.parents), path.parent]:
            if not folder.is_dir():
                folder.mkdir(0o700, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {visible(str(path.parent))} for the journal cannot be made: {error.strerror}; mend that, or "
            "name a journal elsewhere with --journal or VTEX_JOURNAL."
        ) from None
    return path


def reader_of(parsed: argparse.Namespace, environ: Mapping[str, str]) -> JournalReader:
    """Open the journal to look at it.

    Raises:
        ConfigurationError: No journal is named, and there is no folder for the usual one.
        JournalError: There is none, or it cannot be used.
    """
    named = _named(parsed, environ)
    if named is not None:
        return open_reader(named)
    from vtex_tracking_ext.bulk.journal.sqlite.reader import missing_journal_error  # noqa: PLC0415 - so that --help is quick

    path = _default(environ)
    with suppress(PermissionError):  # opening it will tell
        if not path.parent.exists():
            raise missing_journal_error(path)  # that the folder is missing is no mistake of the user's
    return open_reader(path)


def journal_option(parsed: argparse.Namespace) -> str:
    """Return what a command that is proposed needs to find the same journal: without it, it would take another one.

    Raises:
        JournalError: It is no URL of a database that can be read.
        ConfigurationError: It is in a database, and the extra is missing.
    """
    return f" --journal {shlex.quote(visible(display_name(parsed.journal)))}" if parsed.journal else ""


def labels_of(account: str | None, known: Iterable[str]) -> list[str]:
    """Return the accounts that are meant, by their names in the journal: at whatever address, unless one is named.

    Args:
        account: What was asked for, or None for all of them.
        known: What the journal has.

    Raises:
        VtexTrackingError: The journal has nothing of it. That is a mistake, not an account with nothing to do.
    """
    labels = list(known)
    if account is None:
        return labels
    asked = account.lower()
    found = [label for label in labels if asked in {label, label.partition("@")[0]}]
    if not found:
        has = ", ".join(map(visible, labels)) or "none"
        raise VtexTrackingError(f"the journal has nothing of account {visible(asked)}; it has: {has}.")
    return found


def status(parsed: argparse.Namespace) -> ExitCode:
    """Tell how many entries are in which state, and what is to be done about it."""
    with reader_of(parsed, os.environ) as journal:
        before = journal.active_writers()
        counts = journal.counts()
        holder = journal.active_writers() or before  # it may have begun, or ended, in between
        name, paces = journal.name, paces_in(journal)
    is_running = bool(holder)
    counts = {label: counts[label] for label in labels_of(parsed.account, counts)}
    paces = [pace for pace in paces if pace.account in counts]
    total: Counter[State] = sum(counts.values(), Counter())
    advice = list(_advice(total, holder, journal_option(parsed), has_fleet=bool(paces)))
    if parsed.json:
        text = _json_text(name, counts, total, paces, advice, is_running=is_running)
    else:
        text = "\n".join([*_table(counts, total), *map(_pace_line, paces), *advice])
    found = _status(total, is_running=is_running)
    if not say(text):
        warn("vtex-tracking status: standard output cannot be written.")
        return ExitCode.UNKNOWN if found is ExitCode.UNKNOWN else ExitCode.INCOMPLETE
    return found


def _named(parsed: argparse.Namespace, environ: Mapping[str, str]) -> Location | None:
    name = parsed.journal or environ.get("VTEX_JOURNAL")
    return (name if is_postgres(name) else Path(name)) if name else None


def _default(environ: Mapping[str, str]) -> Path:
    for variable in ("XDG_STATE_HOME", "LOCALAPPDATA"):  # the second is Windows' own
        folder = Path(environ.get(variable) or ".")
        if folder.is_absolute():  # the XDG specification has others ignored
            break
    else:
        try:
            folder = Path.home() / ".local" / "state"
        except RuntimeError:
            raise ConfigurationError(
                "There is no place for the journal, because this user has no home folder: name one with --journal or "
                "VTEX_JOURNAL."
            ) from None
    return folder / "vtex-tracking" / "journal.db"


def _status(total: Mapping[State, int], *, is_running: bool) -> ExitCode:
    """Return the gravest of what there is; what is in flight without a run has an unknown outcome."""
    if total["unknown"] or (total["in_flight"] and not is_running):
        return ExitCode.UNKNOWN
    if total["pending"] or total["in_flight"]:
        return ExitCode.INCOMPLETE
    return ExitCode.REFUSED if total["refused"] else ExitCode.OK


def _advice(total: Counter[State], holder: str, option: str, *, has_fleet: bool) -> Iterable[str]:
    """Yield what is to be done, the gravest first.

    Args:
        total: How many entries are in which state.
        holder: The run that goes on now, or nobody.
        option: Names the journal to the commands that are proposed.
        has_fleet: Whether workers serve the journal, which do not end by themselves.
    """
    if holder and has_fleet:
        is_open = total["pending"] or total["in_flight"]
        yield f"Workers or a push are at work ({visible(holder)}){': look again in a while' if is_open else ''}."
    elif holder:
        yield f"A push is running ({visible(holder)}): look again when it has ended."
    if total["unknown"]:
        yield f"Unknown: they may have been applied; `vtex-tracking resolve{option}` finds out, or takes your word."
    if total["in_flight"] and not holder:
        yield "In flight: the last push was killed; push again, and it finds out what became of them."
    if total["pending"] and not holder:
        or_worker = " or start a worker" if has_fleet else ""
        yield f"Pending: they were not sent; push again{or_worker}, and it goes on where it stopped."
    if total["refused"]:
        yield f"Refused: `vtex-tracking report --state refused{option}` says why; mend that, and push those rows again."
    if not holder and total["applied"] == total.total():
        yield "Nothing is left to do." if total else "Nothing has been pushed yet."


def _pace_line(pace: PaceNow) -> str:
    reason = visible(pace.reason, _REASON_LENGTH).removesuffix(".")
    quiet = f"; no worker calls it for {pace.quiet:.0f} s: {reason}" if pace.quiet else ""
    return f"{visible(pace.account)}: workers make {pace.rate:.1f} calls a second at most{quiet}."


def _table(counts: Mapping[str, Mapping[State, int]], total: Counter[State]) -> Iterable[str]:
    """Yield lines with a column for each state, aligned."""
    rows = [["account", *(state.replace("_", " ") for state in STATES)]]
    rows += [_cells(visible(account), states) for account, states in counts.items()]
    if len(counts) != 1:
        rows.append(_cells("in all", total))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        yield "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])])


def _cells(name: str, states: Mapping[State, int]) -> list[str]:
    return [name, *(f"{states[state]:,}" for state in STATES)]


def _json_text(
    name: str,
    counts: Mapping[str, Mapping[State, int]],
    total: Mapping[State, int],
    paces: Sequence[PaceNow],
    advice: list[str],
    *,
    is_running: bool,
) -> str:
    def numbers(states: Mapping[State, int]) -> dict[State, int]:
        return {state: states[state] for state in STATES}

    document: dict[str, object] = {
        "journal": name,
        "is_running": is_running,
        "accounts": {account: numbers(states) for account, states in counts.items()},
        "total": numbers(total),
        "next": advice,
    }
    if paces:
        document["paces"] = {
            pace.account: {"rate": pace.rate, "quiet": pace.quiet, "reason": visible(pace.reason, _REASON_LENGTH)}
            for pace in paces
        }
    return json.dumps(document, indent=2)
