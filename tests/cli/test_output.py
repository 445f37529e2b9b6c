"""Commands on outputs that fail."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.cli import main, output
from vtex_tracking_ext.sandbox import EXAMPLE_FILE

from support.commands import Ran

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vtex_tracking_ext.sandbox import Oms

#: A row that VTEX refuses, because the order does not exist.
ROW = "order_id,invoice_number,date,description\n1-01,1,2026-10-05,a\n"

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
    words = [sys.executable, "-m", "vtex_tracking_ext", *arguments]
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


class Terminal(io.StringIO):
    """An output that is a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make standard output a terminal with 60 columns, and return it."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    return stream


@pytest.mark.usefixtures("account")
class TestTerminal:
    """Colours and widths."""

    def test_a_terminal_gets_colours_and_its_width(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Lines are wrapped and coloured, but commands and tables stay whole; --color can leave colours out."""
        terminal = on_terminal(monkeypatch)
        monkeypatch.chdir(tmp_path)
        path = Path("events.csv")
        path.write_text(ROW, encoding="utf-8")
        assert main(["push", str(path)]) == 1
        assert main(["status"]) == 1
        lines = terminal.getvalue().splitlines()
        plain = [line.replace("\x1b[31m", "").replace("\x1b[36m", "").replace("\x1b[0m", "") for line in lines]
        assert "\x1b[31m1 package refused: VTEX does not know the order or the\x1b[0m" in lines
        assert "\x1b[36m  vtex-tracking resolve --cause 1\x1b[0m" in lines
        assert {line[:9] for line in plain if len(line) > 60} == {"account  ", "sandbox@1"}
        terminal.truncate(0)
        main(["status", "--color", "never"])
        assert "\x1b" not in terminal.getvalue()

    def test_a_pipe_gets_colours_if_they_are_asked_for(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """Lines are whole there, and JSON has no colours."""
        path = tmp_path / "events.csv"
        path.write_text(ROW, encoding="utf-8")
        assert "\n\x1b[36m  vtex-tracking resolve --cause 1\x1b[0m\n" in run("push", path, "--color", "always").out
        assert "\x1b" not in run("status", "--json", "--color", "always").out

    def test_json_on_a_terminal_is_not_wrapped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Documents for programs are printed as they are."""
        terminal = on_terminal(monkeypatch)
        main(["push", "--json", str(EXAMPLE_FILE)])
        assert main(["status", "--json"]) == 0
        documents = terminal.getvalue().partition("{\n")
        assert json.loads("{" + documents[2])["total"]["applied"] == 28
        assert json.loads(documents[0].splitlines()[-1])["applied"] == 28


@pytest.mark.usefixtures("account")
class TestQuiet:
    """Runs of cron, which mails what is printed."""

    def test_nothing_is_printed_when_all_is_well(self, run: Callable[..., Ran], oms: Oms, tmp_path: Path) -> None:
        """A push prints nothing, with a note about a row or without new rows, and so do status and resolve."""
        path = tmp_path / "events.csv"
        row = f"{ORDER},{INVOICE},2026-10-05,a,x\n"
        path.write_text(f"order_id,invoice_number,date,description,other\n{row}{row}", encoding="utf-8")
        assert "passed over" in run("check", path).err
        for arguments in (("check", path), ("push", path), ("push", path), ("status",), ("resolve",), ("push",)):
            assert run(*arguments, "--quiet") == Ran(0, "", "")
        assert len(oms.applied(ORDER, INVOICE)) == 1

    def test_problems_go_to_standard_error(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """If the exit status is not 0, everything but progress and notes is printed there."""
        path = tmp_path / "events.csv"
        path.write_text(ROW, encoding="utf-8")
        ran = run("push", "--quiet", path)
        assert (ran.status, ran.out) == (1, "")
        assert ran.err.splitlines()[0] == "1 package refused: VTEX does not know the order or the invoice (1 event)."
        assert "1 event of 1 package: 0 applied, 1 refused, 0 unknown, 0 pending; 1 call, 1 order read.\n" in ran.err
        assert "1 of 1 events" not in ran.err
        assert run("status", "--quiet").err.startswith("account ")
        assert run("status").out.startswith("account ")
        missing = run("status", "--quiet", "--journal", tmp_path / "none.db")
        assert (missing.status, missing.out, "There is no journal" in missing.err) == (3, "", True)

    def test_quiet_and_json_exclude_each_other(self, run: Callable[..., Ran]) -> None:
        """The usage error is JSON, too."""
        ran = run("status", "--json", "--quiet")
        assert (ran.status, ran.err) == (2, "")
        assert json.loads(ran.out)["message"] == "argument --quiet: not allowed with argument --json"

    def test_a_terminal_gets_no_bar(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Progress is not shown in a quiet run."""
        stream = Terminal()
        monkeypatch.setattr(sys, "stderr", stream)
        assert main(["push", "--quiet", str(EXAMPLE_FILE)]) == 0
        assert stream.getvalue() == ""


class TestJsonErrors:
    """With --json, the reason of a failure is a document, and nothing is printed on standard error."""

    def error(self, ran: Ran) -> dict[str, object]:
        """Return the document, which is the only output."""
        assert ran.err == ""
        found: dict[str, object] = json.loads(ran.out)
        assert found.pop("type") == "error"
        assert found.pop("exit_status") == ran.status
        return found

    def test_usage_errors(self, run: Callable[..., Ran]) -> None:
        """Also where the command does not exist; after two hyphens, --json is the name of a file."""
        assert self.error(run("push", "--json", "--rate", "0")) == {
            "command": "push",
            "error": "UsageError",
            "message": "argument --rate: '0' is not a number of calls a second from 0.01 to 1000",
        }
        missing = run("resolve", "--json", "--applied")
        assert str(self.error(missing)["message"]).startswith("Give either the numbers that")
        ran = run("check", "--", "--json")
        assert (ran.status, ran.out) == (2, "")
        assert ran.err.startswith("vtex-tracking check: --json: ")
        with pytest.raises(SystemExit):
            main(["--json"])

    def test_help_is_for_people(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The help is printed as usual."""
        with pytest.raises(SystemExit) as ended:
            main(["status", "--json", "--help"])
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith("usage: vtex-tracking status")

    @pytest.mark.usefixtures("account")
    def test_journals_and_settings_that_cannot_be_used(
        self, run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A missing journal, one of another program and missing credentials are told with the error's class."""
        path = tmp_path / "no.db"
        assert self.error(run("status", "--json", "--journal", path))["error"] == "NoJournalError"
        path.write_bytes(b"something else" * 100)
        assert self.error(run("status", "--json", "--journal", path))["error"] == "JournalError"
        monkeypatch.delenv("VTEX_APP_KEY")
        monkeypatch.delenv("VTEX_APP_TOKEN")
        found = self.error(run("push", "--json", EXAMPLE_FILE))
        assert (found["error"], str(found["message"])[:15]) == ("ConfigurationError", "No credentials:")

    @pytest.mark.parametrize("kind", [KeyboardInterrupt, ZeroDivisionError])
    def test_interrupts_and_internal_errors(
        self, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
    ) -> None:
        """An internal error has its traceback in a property of its own."""

        def fail(*_: object) -> None:
            raise kind

        monkeypatch.setattr("vtex_tracking_ext.cli.status.status", fail)
        found = self.error(run("status", "--json"))
        assert (found["command"], found["error"]) == ("status", kind.__name__)
        assert ("traceback" in found) is (kind is ZeroDivisionError)

    @pytest.mark.usefixtures("account")
    def test_rows_that_were_recorded_are_told(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """The document comes before the error."""
        good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
        good.write_text(ROW, encoding="utf-8")
        bad.write_text("", encoding="utf-8")
        *_, recorded, error = map(json.loads, run("push", "--json", good, bad).out.splitlines())
        assert recorded == {"type": "recorded", "rows": 1}
        assert error["type"] == "error"
