"""Procrastinate's own command line on the tasks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext import ConfigurationError

from support.fleets import fill

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal


def procrastinate(*arguments: str, said: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Procrastinate's."""
    command = [sys.executable, "-m", "procrastinate", "--app=vtex_tracking_ext.fleet.procrastinate_app.app", *arguments]
    return subprocess.run(
        command, input=said, check=False, capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_procrastinates_shell_lists_the_tasks(journal: PostgresJournal, journal_url: str) -> None:
    """Procrastinate's own worker fails and says what to use; the sweep of a worker replaces the task."""
    fill(journal, 1)
    done = procrastinate("shell", "list_jobs", VTEX_JOURNAL=journal_url)
    assert done.returncode == 0, done.stderr
    assert "vtex_tracking.deliver on mystore - [todo]" in done.stdout
    served = procrastinate("worker", "--one-shot", "--queues=mystore", VTEX_JOURNAL=journal_url)
    assert "use vtex-tracking worker" in served.stderr


def test_the_app_needs_the_journal_and_processes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both errors say what to use instead."""
    with pytest.raises(ConfigurationError, match="VTEX_JOURNAL is not set"):
        import_module("vtex_tracking_ext.fleet.procrastinate_app")
    monkeypatch.setenv("VTEX_JOURNAL", "postgresql://user@127.0.0.1/database")
    shell = import_module("vtex_tracking_ext.fleet.procrastinate_app")
    monkeypatch.delitem(sys.modules, "vtex_tracking_ext.fleet.procrastinate_app")
    assert "vtex_tracking.deliver" in shell.app.tasks
    with pytest.raises(ConfigurationError, match="use vtex-tracking worker"):
        asyncio.run(shell._refuse("mystore"))
