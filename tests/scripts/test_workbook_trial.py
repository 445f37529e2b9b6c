"""scripts/workbook_trial: odd workbooks are read or refused."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

import pytest

from measure import workbook_trial
from measure.workbook_trial import Check, run

from support.odd_workbooks import KINDS, odd_workbooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.commands import Ran


def test_trial_passes(run_script: Callable[..., Ran]) -> None:
    """A small trial keeps every promise."""
    ran = run_script("workbook_trial", "--workbooks", 2)
    assert ran.status == 0
    assert "2 workbooks, seed 1: 1 were read, 1 were refused" in ran.out


def test_trial_reports_broken_promises(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A trial with a broken promise names the workbook, and its exit status is 1."""
    monkeypatch.setattr(workbook_trial, "check", lambda _path: Check(-6, "aborted", 0.1, 50))
    assert run(Namespace(workbooks=1, seed=1)) == 1
    assert f"VIOLATED by workbook 0, {KINDS[0]}: exit status -6: aborted" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("check", "rows", "said"),
    [
        (Check(0, "1 row", 1, 50), 3, []),
        (Check(2, "refused", 1, 50), 0, []),
        (Check(2, "refused", 1, 50), None, []),
        (Check(2, "refused", 1, 50), 3, ["exit status 2: refused"]),
        (Check(0, "1 row", 1, 50), 0, ["exit status 0: 1 row"]),
        (Check(2, "Traceback", 1, 50), 0, ["a traceback: Traceback"]),
        (Check(2, "", 1, 50), 0, ["no message"]),
        (Check(2, "refused", 41, 501), 0, ["41 s", "501 MB"]),
    ],
)
def test_check_is_judged(check: Check, rows: int | None, said: list[str]) -> None:
    """Each broken promise is found."""
    assert check.violations(rows) == said


def test_workbooks_depend_on_the_seed_only() -> None:
    """The same seed makes the same workbooks, and another one makes others."""
    first, again, other = ([odd.content for odd in odd_workbooks(20, seed)] for seed in (1, 1, 2))
    assert first == again
    assert first != other
