"""Placeholder until the reading side is merged."""

from __future__ import annotations
import os
from pathlib import Path


def journal_path(parsed, environ):
    given = parsed.journal or environ.get("VTEX_JOURNAL")
    if given:
        return Path(given)
    return Path(environ["XDG_STATE_HOME"], "vtex-tracking", "journal.db")


def journal_to_write(parsed, environ):
    path = journal_path(parsed, environ)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
