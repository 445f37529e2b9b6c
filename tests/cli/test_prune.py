"""The command prune."""

from __future__ import annotations

import datetime as dt
import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

from support.journaled import Clock, add, row, to_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.commands import Ran

EVENTS = 2000


@pytest.fixture
def old(usual: Path) -> Path:
    """Return a journal with many applied events of a day long ago, one that was refused then, and one that waits."""
    clock = Clock()
    clock.now = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    with SqliteJournal.open(usual, clock) as journal:
        add(journal, *(row(line, f"e{line}", f"{line}") for line in range(EVENTS)))
        to_state(journal, range(1, EVENTS + 1), "applied")
        add(journal, row(1, "bad", "bad"), row(2, "waits", "waits"))
        to_state(journal, EVENTS + 1, "refused")
    return usual


def test_keys_are_kept_and_the_file_shrinks(run: Callable[..., Ran], old: Path) -> None:
    """What was settled is deleted, what waits stays, and an applied event that is pushed again is still known."""
    size = old.stat().st_size
    ran = run("prune", "--older-than", "90d")
    assert (ran.status, ran.err) == (0, "")
    deleted, shrunk = ran.out.splitlines()
    assert deleted == f"{EVENTS + 1} events deleted. Their keys are kept: their rows are not sent again."
    assert shrunk.startswith(f"The journal's file had {size:,} bytes, and now has {old.stat().st_size:,}")
    assert old.stat().st_size < size / 2
    assert json.loads(run("status", "--json").out)["total"]["pending"] == 1
    with SqliteJournal.open(old) as journal:
        assert add(journal, row(1, "e0", "0"), row(2, "bad", "bad")) == ["known", "new"]


def test_forgotten_events_are_new_again(run: Callable[..., Ran], old: Path) -> None:
    """With --forget and --yes the keys are deleted too; JSON has the numbers."""
    found = json.loads(run("prune", "--older-than", "90d", "--forget", "--yes", "--json").out)
    assert found["size_before"] > found.pop("size_after") == old.stat().st_size
    del found["size_before"]
    assert found == {"type": "summary", "deleted": EVENTS + 1, "forgotten": True}
    with SqliteJournal.open(old) as journal:
        assert add(journal, row(1, "e0", "0")) == ["new"]
    ran = run("prune", "--older-than", "90d", "--forget", "--yes")
    assert ran.out.startswith(
        "0 events deleted. Their keys and those kept by earlier runs are deleted: their rows are sent again"
    )


def test_forgetting_needs_a_confirmation(run: Callable[..., Ran], old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal --forget needs --yes; a person can decline. Nothing is deleted."""
    ran = run("prune", "--older-than", "36h", "--forget")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (
        f"vtex-tracking prune: Forget what was settled more than 36h ago in {old}, so that its rows are sent "
        "again if they are pushed again? Nothing was changed: add --yes to confirm.\n"
    )
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True, readline=lambda: "no\n"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run("prune", "--older-than", "90d", "--forget").status == 130
    assert json.loads(run("status", "--json").out)["total"]["applied"] == EVENTS


@pytest.mark.parametrize(("age", "why"), [("off", "longer than 0 seconds"), ("90", "is not a duration such as")])
def test_an_age_is_a_duration(run: Callable[..., Ran], age: str, why: str) -> None:
    """Another text is a usage error, and so is a missing age."""
    ran = run("prune", "--older-than", age)
    assert (ran.status, why in ran.err) == (2, True)
    assert run("prune").status == 2


def test_a_missing_journal_is_not_created(run: Callable[..., Ran], tmp_path: Path) -> None:
    """Without a journal, prune exits with 3 and creates none."""
    assert run("prune", "--older-than", "90d", "--journal", tmp_path / "j.db").status == 3
    assert not (tmp_path / "j.db").exists()
