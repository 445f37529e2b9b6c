"""Commands on outputs that fail."""

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


def test_an_internal_error_exits_with_unknown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An internal error exits with 4, not with Python's 1, which means refused; its traceback is escaped."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("\x1b[31m")

    monkeypatch.setattr("vtex_tracking_ext.cli.single.update", fail)
    assert main(UPDATE) == 4
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("Traceback")
    assert told[-2] == "ZeroDivisionError: \\x1b[31m"
    assert told[-1].startswith("vtex-tracking update: internal error; calls in flight may")


def test_an_interrupt_while_a_command_is_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C during the import of a command exits with 130 and one line."""

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
    """An applied update exits with 0 and a refused one with 1, even if nothing can be printed."""
    assert shell(redirection, *UPDATE) == 0
    assert len(oms.applied(ORDER, INVOICE)) == 1
    assert shell(redirection, *REFUSED) == 1


@pytest.mark.usefixtures("account")
def test_a_closed_pipe_does_not_change_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt and packages that are printed to a closed pipe exit with 0."""
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
    """Packages that a full disk cuts short exit with 5."""
    monkeypatch.setattr(sys, "stdout", Broken(OSError("no space")))
    assert main(["packages", ORDER]) == 5
    assert capsys.readouterr().err == "vtex-tracking packages: standard output cannot be written.\n"


@pytest.mark.usefixtures("account")
def test_a_receipt_that_standard_output_loses_goes_to_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If standard output fails, the receipt is printed on standard error, and the command exits with 0."""
    monkeypatch.setattr(sys, "stdout", Broken(OSError("no space")))
    assert main(UPDATE) == 0
    assert capsys.readouterr().err.startswith(f"applied: order {ORDER}, receipt ")


@pytest.mark.parametrize(
    ("error", "whole"), [(OSError("no space"), False), (ValueError("closed"), False), (BrokenPipeError(), True)]
)
def test_printing_reports_lost_output_and_never_raises(
    error: Exception, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Printing returns False if the output is lost and True if the reader has ended, on both outputs."""
    monkeypatch.setattr(sys, "stdout", Broken(error))
    monkeypatch.setattr(sys, "stderr", Broken(error))
    assert output.say("x") is whole
    assert output.warn("x") is whole
    output.finish()


def test_a_failed_stream_is_redirected_to_the_null_device(
    full: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failure, writing succeeds, so that flushing when Python exits cannot fail."""
    monkeypatch.setattr(sys, "stdout", full)
    assert not output.say("x")
    assert output.say("x")
    full.flush()


def test_buffered_output_is_flushed_or_dropped(full: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text that is left in the buffer of a full disk does not fail when Python exits."""
    monkeypatch.setattr(sys, "stdout", full)
    full.write("x")
    output.prepare()
    full.write("x")
    output.finish()
    full.flush()


def test_a_stream_that_was_closed_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed output is replaced by the null device."""
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
