"""Procrastinate's own command line on the doorbells."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.entries import PackageKey
from vtex_tracking_ext.fleet.ringing import Ringing

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.postgres import PostgresJournal


def procrastinate(*arguments: str, said: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Procrastinate's."""
    command = [sys.executable, "-m", "procrastinate", "--app=vtex_tracking_ext.fleet.shell.app", *arguments]
    return subprocess.run(
        command, input=said, check=False, capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_its_shell_shows_the_doorbells(journal: PostgresJournal, journal_url: str) -> None:
    """And its worker would not pretend to deliver."""
    Ringing(journal.connections).ring([PackageKey("mystore", "o-01", "1")])
    done = procrastinate("shell", "list_jobs", VTEX_JOURNAL=journal_url)
    assert done.returncode == 0, done.stderr
    assert "vtex_tracking.drain on mystore - [todo]" in done.stdout
    served = procrastinate("worker", "--one-shot", "--queues=mystore", VTEX_JOURNAL=journal_url)
    assert "use vtex-tracking worker" in served.stderr


def test_it_says_what_it_needs() -> None:
    """The journal."""
    assert "VTEX_JOURNAL is not set" in procrastinate("shell", "list_jobs").stderr
