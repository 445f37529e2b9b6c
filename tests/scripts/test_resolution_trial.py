"""scripts/resolution_trial: events of eight carriers are on no wrong package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.orders import OrderIndex

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from support.commands import Ran


def test_no_event_is_on_a_wrong_package(run_script: Callable[..., Ran]) -> None:
    """Each of the three ways has a table of the eight carriers."""
    ran = run_script("resolution_trial", "--orders", 40)
    assert ran.status == 0
    assert ran.out.count(": 0 events on wrong packages") == 3
    assert len(ran.out.splitlines()) == 1 + 3 * (3 + 8)


def test_wrong_packages_are_reported(run_script: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """If the series that the accounts use are not compared, events are on wrong packages, and the trial says so."""
    monkeypatch.setattr(OrderIndex, "is_same_series", lambda *_: True)
    ran = run_script("resolution_trial", "--orders", 80)
    assert ran.status == 1
    assert " is about Output (" in ran.out
