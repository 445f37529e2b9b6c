"""scripts/interrupt_trial: interrupts at each line of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.interrupts import Trial
from support.requests import observe_requests

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("violations", [[], ["one"]])
def test_the_trial_prints_counts_and_ends_with_1_if_something_is_wrong(
    load_script: Callable[[str], Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    violations: list[str],
) -> None:
    """Each way to call has a line; violations follow it."""
    observe_requests(monkeypatch, lambda *_: None)
    interrupt = Trial.interrupt

    def interrupt_and_add(trial: Trial, *at: int) -> bool:
        trial.violations += violations
        return interrupt(trial, *at)

    monkeypatch.setattr(Trial, "interrupt", interrupt_and_add)
    assert load_script("interrupt_trial").run(400) == (1 if violations else 0)
    lines = capsys.readouterr().out.splitlines()
    counts = [line for line in lines if not line.startswith("  VIOLATED: one")]
    assert len(counts) == 12
    assert counts[0] == (
        f"KeyboardInterrupt, sync, httptools, new connection: 2 interrupts, {3 * len(violations)} violations"
    )
    assert len(lines) == 12 + sum(int(line.split()[-2]) for line in counts)
