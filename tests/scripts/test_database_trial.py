"""scripts/database_trial: journals in PostgreSQL under odd conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from support.commands import Ran
    from support.postgres import Databases


def test_a_setting_is_tried(run_script: Callable[..., Ran], postgres: Databases) -> None:
    """A push as a role with the setting and one as another role send every event once."""
    arguments = ("--part", "settings", "--setting", "standard_conforming_strings", "--database", postgres.url)
    ran = run_script("database_trial", *arguments)
    assert ran.status == 0, ran.out
    assert ran.out.startswith("settings: 1 trials in ")


def test_a_broken_promise_is_reported(
    load_script: Callable[[str], Any],
    run_script: Callable[..., Ran],
    postgres: Databases,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the settings of a session, the trial finds the violation and exits with 1."""
    load_script("database_trial")
    monkeypatch.setattr("measure.database_trial.SETTINGS", (("DateStyle", "German"),))
    monkeypatch.setattr("vtex_tracking_ext.bulk.journal.postgres.session._SETTINGS", {})
    ran = run_script("database_trial", "--part", "settings", "--database", postgres.url)
    assert ran.status == 1
    assert "  VIOLATED: DateStyle = German: " in ran.out
