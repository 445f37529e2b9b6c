"""scripts/orders_bench: finding packages among many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def test_each_event_finds_its_package(
    load_script: Callable[[str], Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The journal is filled once; each reading has a line. With packages that are not known, the status is 1."""
    script = load_script("orders_bench")
    options = ["orders_bench", "--events", "20", "--readings", "2", "--journal", str(tmp_path / "journal.db")]
    monkeypatch.setattr("sys.argv", [*options, "--packages", "30"])
    assert script.main() == 0
    saved, *readings = capsys.readouterr().out.splitlines()
    assert saved.startswith("saved      30 packages, ")
    assert [line.startswith("resolved   20 events, ") for line in readings] == [True, True]
    monkeypatch.setattr("sys.argv", [*options, "--packages", "3000"])
    assert script.main() == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("WRONG      ")
