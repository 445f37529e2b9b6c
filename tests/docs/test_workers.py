"""docs/how-to/several-machines.md: the commands run with a journal in PostgreSQL."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.cli import main
from vtex_tracking_ext.sandbox import Oms, running

from support.pages import steps_of, texts
from support.reading import point_to_sandbox

if TYPE_CHECKING:
    import pytest

PAGE: Final = "docs/how-to/several-machines.md"


def test_the_commands_of_a_fleet_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: str) -> None:
    """`push --no-deliver` sends nothing; the worker delivers the event, and exits successfully after SIGTERM."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VTEX_JOURNAL", database)
    Path("events.csv").write_text("order_id,invoice_number,date,description\n1-01,1,2015-06-23,Coletado\n", "utf-8")
    oms = Oms()
    oms.add_order("1-01", ["1"])
    delivered = threading.Event()
    original = Oms.update_tracking_status

    def update(*arguments: Any) -> dict[str, str]:
        delivered.set()
        return original(*arguments)

    def end() -> None:
        delivered.wait(60)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Oms, "update_tracking_status", update)
    with running(oms) as url:
        point_to_sandbox(monkeypatch, url)
        commands = [step.command for block in texts(PAGE, "console") for step in steps_of(block)]
        note, worker = (command.split()[1:] for command in commands if command.startswith("vtex-tracking "))
        assert main(note) == 0
        assert list(oms.received) == []
        ender = threading.Thread(target=end)
        ender.start()
        assert main(worker) == 0
        ender.join()
        assert main(["status"]) == 0
    assert len(oms.applied("1-01", "1")) == 1
