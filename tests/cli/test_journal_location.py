"""The journal that the commands use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.commands import Ran


@pytest.mark.usefixtures("usual")
@pytest.mark.parametrize(
    "command", ["push", "push --dry-run", "status", "resolve", "report", "prune", "worker", "migrate"]
)
@pytest.mark.parametrize("where", ["host=h password=TOPSECRET", "postgresql+psycopg://ana:TOPSECRET@h/d"])
def test_a_connection_string_is_refused_without_being_shown(
    run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, where: str
) -> None:
    """A journal that is neither a path nor a URL of PostgreSQL exits with 3, and is not shown; no file is created."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VTEX_ACCOUNT", "mystore")
    monkeypatch.setenv("VTEX_USER_TOKEN", "t")
    (tmp_path / "e.csv").write_text("order_id,invoice_number,date,description\n1-01,1,2026-10-01,x\n")
    before = sorted(tmp_path.rglob("*"))
    files = ["e.csv"] if "push" in command else ["--older-than", "90d"] if command == "prune" else []
    by_option = run(*command.split(), *files, "--journal", where)
    monkeypatch.setenv("VTEX_JOURNAL", where)
    for ran in (by_option, run(*command.split(), *files)):
        assert ran.status == 3
        assert "neither the path of a file nor a URL of PostgreSQL" in ran.err
        assert "TOPSECRET" not in ran.out + ran.err
    assert sorted(tmp_path.rglob("*")) == before
