"""The command migrate: creates a journal's tables, or upgrades them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.journal import opening

from .exit_codes import ExitCode
from .journal_location import journal_location_for_writing
from .output import say

if TYPE_CHECKING:
    import argparse


def migrate(parsed: argparse.Namespace) -> ExitCode:
    """Create or upgrade the journal, and print what was done."""
    say(opening.migrate(journal_location_for_writing(parsed)))
    return ExitCode.OK
