"""Tests of disks that are full, and of other limits, in the middle of a push: it exits with 5, and can go on."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalUnavailableError
from vtex_tracking_ext.bulk.journal.sqlite import errors
from vtex_tracking_ext.cli import report
from vtex_tracking_ext.cli.exit_codes import exit_code_of
from vtex_tracking_ext.sandbox import Oms

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.commands import Ran

ORDERS = [f"{number}-01" for number in range(12)]
JOURNAL = Path("journal.db")
HEADER = "order_id,invoice_number,date,description\n"

#: Runs a command in a process that can write no more than some bytes to a file.
LIMITED = """
import resource, sys
from vtex_tracking_ext.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def oms() -> Oms:
    """Return an OMS with some orders."""
    oms = Oms()
    for order in ORDERS:
        oms.add_order(order, ["1"])
    return oms


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Return a file with an event of each order."""
    path = tmp_path / "events.csv"
    path.write_text(HEADER + "".join(f"{order},1,2026-10-01,Coletado\n" for order in ORDERS), encoding="utf-8")
    return path


@pytest.mark.usefixtures("account")
@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")
def test_push_goes_on_after_the_disk_was_full(run: Callable[..., Ran], oms: Oms, events: Path, tmp_path: Path) -> None:
    """A push whose journal cannot grow in the middle exits with 5, and the next one sends the rest, nothing twice."""
    journal = tmp_path / "journal.db"
    options = ["--journal", str(journal), "--concurrency", "1", "--rate", "1000"]
    command = [sys.executable, "-c", LIMITED, str(146_000), "push", str(events), *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    sent = sum(len(oms.applied(order, "1")) for order in ORDERS)
    assert ended.returncode == 5, ended.stderr
    assert f"{journal}: the disk failed, or a quota or size limit was reached; check that and run again" in ended.stderr
    assert 0 < sent < len(ORDERS)
    ran = run("push", events, *options)
    assert ran.status == 0, ran
    assert [len(oms.applied(order, "1")) for order in ORDERS] == [1] * len(ORDERS)


@pytest.mark.parametrize("name", ["SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_BUSY", "SQLITE_PERM"])
def test_place_of_an_open_journal_is_right(name: str) -> None:
    """What makes the place of a journal wrong before it is open passes afterwards: a file system was remounted."""
    error = sqlite3.OperationalError("x")
    error.sqlite_errorcode = getattr(sqlite3, name)
    assert exit_code_of(errors.journal_error(JOURNAL, error)) == 3
    assert exit_code_of(errors.journal_error(JOURNAL, error, is_open=True)) == 5


@pytest.mark.parametrize("name", ["SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_NOMEM"])
def test_full_or_failing_disk_is_temporary(name: str) -> None:
    """Such an error exits with 5 whenever it occurs."""
    error = sqlite3.OperationalError("x")
    error.sqlite_errorcode = getattr(sqlite3, name)
    assert exit_code_of(errors.journal_error(JOURNAL, error)) == 5


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE])
def test_errors_of_the_system_are_temporary_if_they_pass(number: int) -> None:
    """A full disk passes, a folder that does not exist does not."""
    assert isinstance(errors.journal_error(JOURNAL, OSError(number, "x")), JournalUnavailableError)
    error = errors.journal_error(JOURNAL, OSError(errno.ENOENT, "x"))
    assert type(error) is JournalError


@pytest.mark.usefixtures("account")
def test_rows_that_do_not_fit_into_a_temporary_file_are_not_noted(
    run: Callable[..., Ran], oms: Oms, events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push whose temporary file fills the disk exits with 5, and has noted and sent nothing."""

    def full(*_: object, **__: object) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("vtex_tracking_ext.bulk.input.spool._BATCH", 1)
    monkeypatch.setattr("vtex_tracking_ext.bulk.input.spool._MEMORY", 1)
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.TemporaryFile", full)
        ran = run("push", events, "--journal", tmp_path / "journal.db")
    assert ran.status == 5
    assert "A temporary file cannot be written: No space left on device. Free space" in ran.err
    assert "run again. No row of this file was noted." in ran.err
    assert len(oms.received) == 0
    ran = run("push", events, "--journal", tmp_path / "journal.db")
    assert "12 rows: 12 new" in ran.out


@pytest.mark.usefixtures("account")
def test_rejects_on_a_full_disk_are_incomplete(
    run: Callable[..., Ran], oms: Oms, events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rejects file that fills the disk exits with 5, says which rows are noted, and sends nothing."""
    events.write_text(f"{events.read_text(encoding='utf-8')}x,1,x,x\n", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("vtex_tracking_ext.bulk.input.rejects._publish", full)
    ran = run("push", events, "--journal", tmp_path / "journal.db")
    assert ran.status == 5
    assert "events.rejects.csv: cannot be written: No space left on device. Fix that, or write it" in ran.err
    assert "Already in the journal: 12 rows" in ran.err
    assert len(oms.received) == 0


@pytest.mark.usefixtures("account")
def test_report_on_a_full_disk_is_incomplete(
    run: Callable[..., Ran], events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report whose file cannot be created because the disk is full exits with 5."""
    run("push", events, "--no-deliver", "--journal", tmp_path / "journal.db")

    def full(path: Path, *_: object) -> Any:
        assert path.name.endswith(".partial")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(report, "create_private", full)
    ran = run("report", "--journal", tmp_path / "journal.db", "--output", tmp_path / "report.csv")
    assert ran.status == 5
    assert "report.csv: No space left on device" in ran.err
