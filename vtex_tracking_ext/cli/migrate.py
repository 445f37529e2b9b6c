"""The command migrate: a journal's tables, made or brought up to date."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.journal import opening

from .exit_codes import ExitCode
from .output import say
from .status import journal_to_write

if TYPE_CHECKING:
    import argparse


def migrate(parsed: argparse.Namespace) -> ExitCode:
    """Make the journal, or bring it up to date, and say so."""
    say(opening.migrate(journal_to_write(parsed, os.environ)))
    return ExitCode.OK
