"""The command migrate: a journal's tables, made or brought up to date."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk import journals

from .ledger import journal_to_write
from .output import say
from .status import Status

if TYPE_CHECKING:
    import argparse


def migrate(parsed: argparse.Namespace) -> Status:
    """Make the journal, or bring it up to date, and say so."""
    say(journals.migrate(journal_to_write(parsed, os.environ)))
    return Status.OK
