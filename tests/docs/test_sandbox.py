"""docs/how-to/sandbox.md: the trial has the output that the page shows."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.cli import main
from vtex_tracking_ext.cli.parser.commands import build_parser
from vtex_tracking_ext.sandbox import parse_fault, running, with_examples

from support.pages import is_shown, section, steps_of, texts
from support.reading import point_to_sandbox
from support.scratch import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PAGE: Final = "docs/how-to/sandbox.md"


def test_the_trial_has_the_output_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The push prints what the page shows; pushed again, its file sends nothing."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("VTEX_JOURNAL", str(tmp_path / "try.db"))
    sandbox, _, push, _ = (step for block in texts(PAGE, "console") for step in steps_of(block))
    assert build_parser().parse_args(shlex.split(sandbox.command)[1:]).command == "sandbox"
    oms = with_examples()
    with running(oms) as url:
        point_to_sandbox(monkeypatch, url)
        assert main(shlex.split(push.command)[1:]) == 0
        assert is_shown(push.output, capsys.readouterr().out)
        sent = len(oms.received)
        assert main(shlex.split(push.command)[1:]) == 0
        assert len(oms.received) == sent


def test_the_faults_exist() -> None:
    """Each fault of the table, and of the command, is one of the sandbox."""
    rows = [line.split(" | ")[0] for line in section(PAGE, "Let requests fail").splitlines() if line.startswith("| ")]
    named = [text for row in rows[1:] for text in re.findall(r"`([^`]+)`", row)]
    command = shlex.split(steps_of(texts(PAGE, "console")[-1])[0].command)
    given = build_parser().parse_args(command[1:]).fail
    assert len(named) == 7
    assert len(given) == 3
    for text in (*named, *given):
        parse_fault(text)
