"""The progress of a run, for people and for programs."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.bulk.delivery.calls import AccountPause
from vtex_tracking_ext.cli.progress import show_progress

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.entries import Outcome

WAITING = AccountPause("mystore", 59.6, "429 \x1b[31mToo Many")


def counted(applied: int, refused: int = 0, unknown: int = 0) -> Counter[Outcome]:
    """Return outcomes."""
    return Counter({"applied": applied, "refused": refused, "unknown": unknown})


@pytest.mark.parametrize(("total", "lines"), [(1000, 10), (25, 10), (3, 3), (0, 0)])
def test_a_run_prints_ten_progress_lines(total: int, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A run prints at most ten lines, the last one at its end; a run of nothing prints none."""
    with show_progress(total, as_json=False) as shown:
        for number in range(1, total + 1):
            shown.update(counted(number))
    told = capsys.readouterr().err.splitlines()
    assert len(told) == lines
    end = f"{total} of {total} events and deliveries: {total} applied, 0 refused, 0 unknown"
    assert told[-1:] == ([end] if total else [])


def test_unknown_outcomes_do_not_count_as_done(capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown outcomes are not counted as done; several steps at once print one line."""
    with show_progress(20, as_json=False) as shown:
        shown.update(counted(0, unknown=5))
        shown.update(counted(10, 2, 5))
    assert capsys.readouterr().err == "12 of 20 events and deliveries: 10 applied, 2 refused, 5 unknown\n"


def test_a_pause_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The reason of a pause is escaped."""
    with show_progress(20, as_json=False) as shown:
        shown.pause(WAITING)
    assert capsys.readouterr().err == "mystore: paused for 60 s: 429 \\x1b[31mToo Many\n"


def test_machines_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard output, nothing else."""
    with show_progress(2, as_json=True) as shown:
        shown.update(counted(1, unknown=1))
        shown.pause(WAITING)
    captured = capsys.readouterr()
    assert [json.loads(line) for line in captured.out.splitlines()] == [
        {"type": "progress", "done": 1, "total": 2, "applied": 1, "refused": 0, "unknown": 1},
        {"type": "waiting", "account": "mystore", "seconds": 59.6, "reason": WAITING.reason},
    ]
    assert captured.err == ""


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets a bar with counts, and a pause on a line of its own; without the extra, it gets lines."""
    monkeypatch.setattr(sys.stderr.__class__, "isatty", lambda _: True)
    with show_progress(4, as_json=False) as shown:
        shown.update(counted(2, 1))
        shown.pause(WAITING)
        shown.update(counted(3, 1))
    told = capsys.readouterr().err
    assert "100%" in told
    assert "3 applied, 1 refused, 0 unknown" in told
    assert "mystore: paused for 60 s" in told
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with show_progress(4, as_json=False) as shown:
        shown.update(counted(4))
    assert "4 of 4 events and deliveries" in capsys.readouterr().err
