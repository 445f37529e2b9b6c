"""scripts/sync_trial: orders are read once, and committed only after they were stored."""

from __future__ import annotations

import importlib
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from vtex_tracking_ext.bulk.journal.opening import open_journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from support.commands import Ran


def test_killed_runs_keep_the_promises(run_script: Callable[..., Ran]) -> None:
    """A kill of each kind of run loses nothing."""
    ran = run_script("sync_trial", "--orders", 30, "--kills", 1, "--file")
    assert ran.out.count("every promise was kept\n") == 2
    assert "sync, journal in a file: 30 orders, 1 kills, " in ran.out
    assert "backfill, journal in a file: 30 orders, 1 kills, 0 items committed, " in ran.out
    assert ran.status == 0


def test_broken_promises_are_reported(
    load_script: Callable[[str], Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If a run reads nothing, or commits what was not stored, the trial says so."""
    load_script("sync_trial")
    module = importlib.import_module("measure.sync_trial")
    monkeypatch.setattr(module, "MAX_RUNS", 0)
    trial = module.SyncTrial(Namespace(orders=1, kills=0, seed=1), "sync", str(tmp_path / "journal.db"))
    open_journal(trial.location).close()
    trial.check_commit(["1-01"])
    assert trial.run("a file") == 1
    out = capsys.readouterr().out
    assert "VIOLATED: order 1-01 was committed before it was stored" in out
    assert "VIOLATED: the last run was not complete, and the feed has 1 items" in out
    assert "VIOLATED: order 00000000-01 was never read" in out
