"""scripts/damage_trial: pushes with damaged copies of journals send nothing twice, or refuse the copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.journal.sqlite import file, mark
from vtex_tracking_ext.bulk.journal.sqlite.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.commands import Ran


@pytest.fixture(autouse=True)
def rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore the rate that the trial sets."""
    defaults: Any = Pace.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "initial_rate", defaults["initial_rate"])


def test_damaged_copies_keep_the_promises(run_script: Callable[..., Ran]) -> None:
    """Of some copies with each kind of damage, none sends an event twice or fails without words."""
    ran = run_script("damage_trial", "--copies", 25, "--packages", 2)
    assert ran.out.endswith("every promise was kept\n")
    assert ran.status == 0
    assert {line.split()[1] for line in ran.out.splitlines()[:-1]} == {"completed:", "refused"}


def test_broken_promises_are_reported(run_script: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """If nothing checks the journal, events are sent twice, and the trial says so."""
    monkeypatch.setattr(mark, "read_log", lambda *_: Log(commits=1))
    monkeypatch.setattr(file, "_check", lambda _: None)
    ran = run_script("damage_trial", "--copies", 15, "--packages", 2)
    assert "sent twice" in ran.out
    assert ran.status == 1
