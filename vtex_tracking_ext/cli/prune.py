"""The command prune: deletes what was settled long ago from the journal."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.journal.opening import is_postgres, open_journal
from vtex_tracking_ext.config.duration import duration_text
from vtex_tracking_ext.text import visible

from .confirm import confirm
from .entry_text import counted
from .exit_codes import ExitCode
from .journal_location import journal_location
from .output import say, say_json

if TYPE_CHECKING:
    import argparse

    from vtex_tracking_ext.bulk.journal.interface import Journal


def prune(parsed: argparse.Namespace) -> ExitCode:
    """Delete the entries, and print how many they were, and how the file shrank."""
    with open_journal(journal_location(parsed), create=False) as journal:
        question = (
            f"Forget what was settled more than {duration_text(parsed.older_than)} ago in {visible(journal.name)}, so "
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
    if parsed.forget:
        kept = "Their keys and those kept by earlier runs are deleted: their rows are sent again if pushed again."
    else:
        kept = "Their keys are kept: their rows are not sent again."
    say(f"{counted(deleted, 'event')} deleted. {kept}")
    if before is not None:
        say(f"The journal's file had {before:,} bytes, and now has {after:,}.")
    return ExitCode.OK


def _size(journal: Journal) -> int | None:
    """Return the bytes of a journal's file and its log, or None for a database."""
    if is_postgres(journal.name):
        return None
    files = (Path(f"{journal.name}{ending}") for ending in ("", "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
