"""The command prune: deletes what was settled long ago from the journal."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.journal.opening import is_postgres, open_journal
from vtex_tracking_ext.text import visible

from .confirm import confirm
from .exit_codes import ExitCode
from .journal_location import journal_location
from .messages import counted
from .output import say, say_json

if TYPE_CHECKING:
    import argparse

    from vtex_tracking_ext.bulk.journal.interface import Journal

_DAY: Final = 24 * 60 * 60


def prune(parsed: argparse.Namespace) -> ExitCode:
    """Delete the entries, and print how many they were, and how the file shrank."""
    with open_journal(journal_location(parsed), create=False) as journal:
        question = (
            f"Forget what was settled more than {parsed.older_than / _DAY:g} days ago in {visible(journal.name)}, so "
            "that its rows are sent again if they are pushed again?"
        )
        if parsed.forget and not confirm(question, is_confirmed=parsed.yes):
            return ExitCode.INTERRUPTED
        before = _size(journal)
        deleted = journal.prune(dt.timedelta(seconds=parsed.older_than), forget=parsed.forget)
        after = _size(journal)
    if parsed.json:
        numbers = {"deleted": deleted, "forgotten": parsed.forget, "size_before": before, "size_after": after}
        say_json("summary", numbers)
        return ExitCode.OK
    kept = "are forgotten, and would be sent again if they are pushed again" if parsed.forget else "are still known"
    say(f"{counted(deleted, 'event')} deleted. Rows of them {kept}.")
    if before is not None:
        say(f"The journal's file had {before:,} bytes, and now has {after:,}.")
    return ExitCode.OK


def _size(journal: Journal) -> int | None:
    """Return the bytes of a journal's file and its log, or None for a database."""
    if is_postgres(journal.name):
        return None
    files = (Path(f"{journal.name}{ending}") for ending in ("", "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
