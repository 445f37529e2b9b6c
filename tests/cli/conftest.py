"""A sandbox for each test of the command line, and the command itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from weakref import WeakSet

import pytest

from vtex_tracking_ext.cli import main
from vtex_tracking_ext.config import redaction
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, running, with_examples

from support.commands import Ran
from support.json_output import check_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_other_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget credentials of other tests' clients, such as ``wrong``, which would be removed from what is printed."""
    monkeypatch.setattr(redaction, "_redactors", WeakSet())


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let commands print times in UTC, whatever the zone of this machine, and without colours."""
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def oms() -> Oms:
    """Return an OMS with the example orders."""
    return with_examples()


@pytest.fixture
def url(oms: Oms) -> Iterator[str]:
    """Return the address of a running sandbox."""
    with running(oms) as url:
        yield url


@pytest.fixture
def account(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the environment to the sandbox."""
    monkeypatch.setenv("VTEX_ACCOUNT", "sandbox")
    monkeypatch.setenv("VTEX_BASE_URL", url)
    monkeypatch.setenv("VTEX_APP_KEY", APP_KEY)
    monkeypatch.setenv("VTEX_APP_TOKEN", APP_TOKEN)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Return a function that runs one command, and checks what it prints with ``--json``."""

    def run(*arguments: object) -> Ran:
        words = [str(argument) for argument in arguments]
        try:
            status = main(words)
        except SystemExit as end:
            status = int(end.code or 0)
        captured = capsys.readouterr()
        if "--json" in words:
            check_json(words, captured.out)
        return Ran(int(status), captured.out, captured.err)

    return run


@pytest.fixture
def usual(tmp_path: Path) -> Path:
    """Return where the journal is that no option names; its folder is there."""
    folder = tmp_path / "state" / "vtex-tracking"
    folder.mkdir(parents=True)
    return folder / "journal.db"
