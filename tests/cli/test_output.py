"""What commands print, on outputs that fail."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.cli import main, output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.sandbox import Oms

ORDER, INVOICE = "1172452900788-01", "000030711"
UPDATE = ("update", ORDER, INVOICE, "--event", "2026-10-05", "Coletado")
REFUSED = ("update", ORDER, "9", "--event", "2026-10-05", "Coletado")


def test_a_mistake_of_our_own_does_not_pass_for_a_refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python's own exit status would be 1: all that was not refused was applied. What it tells is shown safely."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("\x1b[31m")

    monkeypatch.setattr("vtex_tracking_ext.cli.single.update", fail)
    assert main(UPDATE) == 4
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("Traceback")
    assert told[-2] == "ZeroDivisionError: \\x1b[31m"
    assert told[-1].startswith("vtex-tracking update: internal error; calls in flight may")


def test_an_interrupt_while_a_command_is_loaded_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That takes a good part of a second."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vtex_tracking_ext.cli.import_module", interrupt)
    assert main(UPDATE) == 130
    assert capsys.readouterr().err == "vtex-tracking update: interrupted.\n"


class Broken(io.StringIO):
    """An output that cannot be written."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def flush(self) -> None:
        """Fail, as a full disk does when a buffer is written to it."""
        raise self.error


@pytest.fixture
def full() -> Iterator[io.TextIOWrapper]:
    """Return an output with a descriptor, on a full disk."""
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        yield stream


def shell(redirection: str, *arguments: str) -> int:
    """Run a command under a shell's redirection and return its exit status."""
    words = [sys.executable, "-m", "vtex_tracking_ext.cli", *arguments]
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {redirection}', "sh", *words], check=False, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    "redirection", [">/dev/full", "2>/dev/full", ">&-", "2>&-", ">&- 2>&- <&-", ">/dev/full 2>/dev/full"]
)
def test_an_output_that_fails_does_not_change_a_status(redirection: str, oms: Oms) -> None:
    """An update that was applied ends with 0, one that was refused with 1, whatever can be printed of it."""
    assert shell(redirection, *UPDATE) == 0
    assert len(oms.applied(ORDER, INVOICE)) == 1
    assert shell(redirection, *REFUSED) == 1


@pytest.mark.usefixtures("account")
def test_a_reader_that_has_gone_does_not_change_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has read enough, of a receipt and of packages."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(UPDATE) == 0
        assert main(["packages", ORDER]) == 0


@pytest.mark.usefixtures("account")
def test_packages_that_cannot_be_printed_are_incomplete(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file cut short by a full disk must not pass for the whole; to run it again changes nothing."""
    monkeypatch.setattr(sys, "stdout", Broken(OSError("no space")))
    assert main(["packages", ORDER]) == 5
    assert capsys.readouterr().err == "vtex-tracking packages: standard output cannot be written.\n"


@pytest.mark.usefixtures("account")
def test_a_receipt_that_standard_output_loses_goes_to_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is VTEX's word, and is given once."""
    monkeypatch.setattr(sys, "stdout", Broken(OSError("no space")))
    assert main(UPDATE) == 0
    assert capsys.readouterr().err.startswith(f"applied: order {ORDER}, receipt ")


@pytest.mark.parametrize(
    ("error", "whole"), [(OSError("no space"), False), (ValueError("closed"), False), (BrokenPipeError(), True)]
)
def test_what_is_lost_is_told_and_never_raised(error: Exception, whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On both outputs."""
    monkeypatch.setattr(sys, "stdout", Broken(error))
    monkeypatch.setattr(sys, "stderr", Broken(error))
    assert output.say("x") is whole
    assert output.warn("x") is whole
    output.finish()


def test_a_stream_that_failed_leads_nowhere_from_then_on(
    full: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that Python finds nothing at its end that could fail."""
    monkeypatch.setattr(sys, "stdout", full)
    assert not output.say("x")
    assert output.say("x")
    full.flush()


def test_what_another_has_left_unwritten_is_written_or_dropped(
    full: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Python ends, where a failure would change the exit status."""
    monkeypatch.setattr(sys, "stdout", full)
    full.write("x")
    output.prepare()
    full.write("x")
    output.finish()
    full.flush()


def test_a_stream_that_was_closed_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """By one that takes everything and leads nowhere."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    output.prepare()
    for stream in (sys.stdout, sys.stderr):
        assert os.fstat(stream.fileno()).st_rdev == Path(os.devnull).stat().st_rdev
    assert output.say("S\u00e3o Paulo \ud800")
    descriptors = [sys.stdout.fileno(), sys.stderr.fileno()]
    monkeypatch.undo()
    for descriptor in descriptors:
        os.close(descriptor)
