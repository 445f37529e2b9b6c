"""The command report."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.rows import Place, Row
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader
from vtex_tracking_ext.bulk.report import rows as lines
from vtex_tracking_ext.cli import main, output

from support.ledgers import fill, journal_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from support.commands import Ran

NUMBERS: Any = {
    "mystore": {"applied": 3, "refused": 2, "unknown": 1},
    "other": {"applied": 1, "pending": 1, "withdrawn": 1},
}


@pytest.fixture
def journal(usual: Path) -> Path:
    """Return a journal with something in it."""
    fill(usual, NUMBERS)
    return usual


def texts_of(text: str) -> list[str]:
    """Return account and event of each JSON line."""
    return [f"{told['account']} {told['description']}" for told in map(json.loads, text.splitlines())]


def left(folder: Path) -> list[str]:
    """Return the files in a folder that are not the fixture's."""
    return sorted(path.name for path in folder.iterdir() if path.name != "state")


@pytest.mark.usefixtures("journal")
def test_the_default_report_is_all_entries_as_json_lines(run: Callable[..., Ran]) -> None:
    """Without options, all entries are printed in the order of their arrival."""
    ran = run("report")
    assert (ran.status, ran.err) == (0, "")
    assert texts_of(ran.out) == [
        "mystore applied 0",
        "mystore applied 1",
        "mystore applied 2",
        "mystore refused 0",
        "mystore refused 1",
        "mystore unknown 0",
        "other applied 0",
        "other pending 0",
        "other withdrawn 0",
    ]


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (("--state", "unknown"), ["mystore unknown 0"]),
        (("--state", "withdrawn"), ["other withdrawn 0"]),
        (("--state", "unknown", "pending"), ["mystore unknown 0", "other pending 0"]),
        (("--state", "pending", "--state", "unknown"), ["mystore unknown 0", "other pending 0"]),
        (("--account", "Other"), ["other applied 0", "other pending 0", "other withdrawn 0"]),
        (("--account", "other", "--state", "applied"), ["other applied 0"]),
    ],
)
def test_a_report_can_be_filtered(run: Callable[..., Ran], options: tuple[str, ...], texts: list[str]) -> None:
    """Entries are selected by state, by account, or by both."""
    ran = run("report", *options)
    assert ran.status == 0
    assert texts_of(ran.out) == texts


def filled(path: Path) -> None:
    """Create a journal with two orders that two files named."""
    with SqliteJournal.open(path) as opened:
        for order, file, line in (("o-1", "/in/jadlog.csv", 2), ("o-2", "correios.csv", 3), ("o-1", "correios.csv", 4)):
            event = TrackingEvent("2026-10-05", f"{order} {line}", "S\u00e3o Paulo", "SP")
            place = Place(file, line)
            row = Row(place, "mystore", order, "1", event, is_delivered=False, delivered_date=None)
            assert [added.status for added in opened.add([row])] == ["new"]


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (("--order", "o-2"), ["o-2 3"]),
        (("--order", "o-1", "--order", "o-2"), ["o-1 2", "o-2 3", "o-1 4"]),
        (("--order", "o-1", "o-1"), ["o-1 2", "o-1 4"]),
        (("--source", "jadlog.csv"), ["o-1 2"]),
        (("--source", "/in/*", "correios.csv"), ["o-1 2", "o-2 3", "o-1 4"]),
        (("--order", "o-1", "--source", "correios.csv"), ["o-1 4"]),
        (("--since", "1d"), ["o-1 2", "o-2 3", "o-1 4"]),
        (("--since", "9999-01-01T00:00Z"), []),
        (("--order", "o-1", "--state", "applied"), []),
    ],
)
def test_orders_files_and_times_can_be_selected(
    run: Callable[..., Ran], usual: Path, options: tuple[str, ...], texts: list[str]
) -> None:
    """Each option selects entries, and several options select those that meet all of them, in every format."""
    filled(usual)
    assert texts_of(run("report", *options).out) == [f"mystore {text}" for text in texts]
    page = run("report", "--format", "html", *options)
    assert page.status == 0
    assert [text for text in ("o-1 2", "o-2 3", "o-1 4") if text in page.out] == texts


def test_an_order_that_is_not_in_the_journal_is_an_error(run: Callable[..., Ran], usual: Path, tmp_path: Path) -> None:
    """A mistyped order exits with 2 and writes no file."""
    filled(usual)
    ran = run("report", "--order", "o-1", "O-2", "\x1b", "--output", tmp_path / "r.html")
    assert ran.status == 2
    assert ran.err == "vtex-tracking report: not in the journal: order O-2, order \\x1b.\n"
    assert left(tmp_path) == []


@pytest.mark.usefixtures("journal")
def test_an_unknown_account_is_an_error(run: Callable[..., Ran], tmp_path: Path) -> None:
    """The report exits with 2 and writes no file."""
    ran = run("report", "--account", "othr", "--output", tmp_path / "r.csv")
    assert ran.status == 2
    assert ran.err == "vtex-tracking report: account othr is not in the journal; accounts in it: mystore, other.\n"
    assert left(tmp_path) == []


def test_an_account_may_be_named_without_its_address(run: Callable[..., Ran], usual: Path) -> None:
    """The address may be left out if the account has only one in the journal."""
    fill(usual, {"mystore@127.0.0.1:80": {"applied": 1}, "other@127.0.0.1:80": {"applied": 1}})
    assert texts_of(run("report", "--account", "MyStore").out) == ["mystore@127.0.0.1:80 applied 0"]
    usual.unlink()
    fill(usual, {"mystore@127.0.0.1:80": {"applied": 1}, "mystore@127.0.0.1:81": {"applied": 1}})
    ran = run("report", "--account", "mystore")
    assert ran.status == 2
    assert "several addresses; use one of: mystore@127.0.0.1:80, mystore@127.0.0.1:81." in ran.err


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize(
    ("name", "form", "begin"),
    [
        ("r.jsonl", None, b'{"account"'),
        ("r.ndjson", None, b'{"account"'),
        ("r.CSV", None, b"\xef\xbb\xbfaccount,order_id"),
        ("r.html", None, b"<!doctype html>"),
        ("r.htm", None, b"<!doctype html>"),
        ("r.html", "csv", b"\xef\xbb\xbfaccount,order_id"),
        ("report", "html", b"<!doctype html>"),
    ],
)
def test_the_format_follows_the_ending(
    run: Callable[..., Ran], tmp_path: Path, name: str, form: str | None, begin: bytes
) -> None:
    """--format comes before the extension; an existing file is replaced and no other file is left."""
    (tmp_path / name).write_text("an earlier, longer report" * 100_000)
    ran = run("report", "--output", tmp_path / name, *(("--format", form) if form else ()))
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    content = (tmp_path / name).read_bytes()
    assert content.startswith(begin)
    assert b"S\xc3\xa3o Paulo" in content
    assert b"\r\r\n" not in content
    assert left(tmp_path) == [name]


@pytest.mark.usefixtures("journal")
def test_every_format_goes_to_standard_output() -> None:
    """Each format is printed in UTF-8 with its own line ends, whatever the terminal's encoding is."""
    found = {}
    for form in ("jsonl", "csv", "html"):
        command = [sys.executable, "-m", "vtex_tracking_ext", "report", "--format", form, "--output", "-"]
        environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = subprocess.run(command, check=True, capture_output=True, env=environ)
        found[form] = done.stdout.decode("utf-8")
    assert len(texts_of(found["jsonl"])) == 9
    assert len(list(csv.reader(io.StringIO(found["csv"].removeprefix("\ufeff"), newline="")))) == 10
    assert found["html"].startswith("<!doctype html>")
    assert all("S\u00e3o Paulo" in text for text in found.values())
    assert {form: "\r\n" in text for form, text in found.items()} == {"jsonl": False, "csv": True, "html": False}


def test_a_report_can_be_written_during_a_push(run: Callable[..., Ran], journal: Path) -> None:
    """The report has the entries of that moment."""
    with SqliteJournal.open(journal):
        assert len(texts_of(run("report").out)) == 9
        assert run("report", "--format", "html").status == 0


@pytest.mark.usefixtures("journal")
def test_an_unknown_ending_is_refused(run: Callable[..., Ran], tmp_path: Path) -> None:
    """An ending without a format exits with 2 and lists the known ones."""
    ran = run("report", "--output", tmp_path / "report.pdf")
    assert ran.status == 2
    assert "report.pdf: unknown extension; use one of .jsonl, .ndjson, .csv, .html, .htm, or give --format" in ran.err
    assert left(tmp_path) == []


def test_a_missing_journal_makes_no_file(run: Callable[..., Ran], tmp_path: Path) -> None:
    """A missing journal exits with 3 and writes no file."""
    ran = run("report", "--output", tmp_path / "r.csv")
    assert ran.status == 3
    assert "There is no journal" in ran.err
    assert left(tmp_path) == []


@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-lock", "-lease-1"])
def test_the_journal_is_not_overwritten(run: Callable[..., Ran], journal: Path, tmp_path: Path, ending: str) -> None:
    """An output that is a file of the journal, or a link to one, exits with 2."""
    before = journal.read_bytes()
    link = tmp_path / "r.csv"
    link.symlink_to(f"{journal}{ending}")
    ran = run("report", "--output", link)
    assert ran.status == 2
    assert "is the journal itself; choose another file" in ran.err
    assert journal.read_bytes() == before
    assert len(texts_of(run("report").out)) == 9


@pytest.mark.usefixtures("journal")
def test_a_file_that_cannot_be_created_is_reported(run: Callable[..., Ran], tmp_path: Path) -> None:
    """The report exits with 3 and says what to check."""
    for path, said in ((tmp_path / "none" / "r.csv", "No such file"), (tmp_path, "Is a directory")):
        ran = run("report", "--format", "csv", "--output", path)
        assert ran.status == 3
        assert f"--output {path}: {said}" in ran.err
        assert "check that the folder exists and is writable" in ran.err


@pytest.mark.usefixtures("journal")
def test_a_link_is_kept(run: Callable[..., Ran], tmp_path: Path) -> None:
    """The target of the link is replaced, not the link."""
    (tmp_path / "real").mkdir()
    link = tmp_path / "r.csv"
    link.symlink_to(tmp_path / "real" / "r.csv")
    assert run("report", "--output", link).status == 0
    assert link.is_symlink()
    assert os.listdir(tmp_path / "real") == ["r.csv"]  # noqa: PTH208 - names


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("name", ["r.csv", "r.jsonl", "r.html"])
def test_only_the_owner_can_read_a_report(
    run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """From its creation on, a report has mode 0600, whatever the umask; also if it replaces one with mode 0666."""
    modes: list[int] = []
    umask = os.umask(0)

    def observed(texts: Iterable[str], stream: TextIO) -> bool:
        modes.append(stat.S_IMODE(os.fstat(stream.fileno()).st_mode))
        return output.write_all(texts, stream)

    monkeypatch.setattr("vtex_tracking_ext.cli.report.write_all", observed)
    try:
        assert run("report", "--output", tmp_path / name).status == 0
        modes.append(stat.S_IMODE((tmp_path / name).stat().st_mode))
        (tmp_path / name).chmod(0o666)
        assert run("report", "--output", tmp_path / name).status == 0
        modes.append(stat.S_IMODE((tmp_path / name).stat().st_mode))
    finally:
        os.umask(umask)
    assert modes == [0o600] * 4


@pytest.mark.usefixtures("journal")
@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="there is no /dev/fd")
def test_a_file_of_the_shell_is_written_to(run: Callable[..., Ran], tmp_path: Path) -> None:
    """A file that the shell opened for the command keeps its contents and its permissions."""
    path = tmp_path / "r.txt"
    path.write_text("before\n", encoding="utf-8")
    path.chmod(0o644)
    with path.open("a", encoding="utf-8") as opened:
        assert run("report", "--format", "jsonl", "--output", f"/dev/fd/{opened.fileno()}").status == 0
        assert path.stat().st_ino == os.fstat(opened.fileno()).st_ino
    assert path.read_text(encoding="utf-8").startswith('before\n{"')
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.usefixtures("journal")
def test_a_pipe_is_written_to(run: Callable[..., Ran], tmp_path: Path) -> None:
    """A named pipe is written to and not replaced by a file."""
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert run("report", "--output", pipe).status == 0
    reader.join()
    assert read[0].count(b"\r\n") == 10
    assert pipe.is_fifo()


@pytest.mark.usefixtures("journal")
def test_a_full_disk_is_incomplete(run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk exits with 5, leaves no partial file, and keeps the earlier one."""
    path = tmp_path / "r.csv"
    path.write_text("earlier")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    ran = run("report", "--output", path)
    assert ran.status == 5
    assert ran.err == f"vtex-tracking report: {path} cannot be written.\n"
    assert path.read_text() == "earlier"
    assert left(tmp_path) == ["r.csv"]
    assert run("report", "--format", "csv", "--output", "/dev/full").status == 5


@pytest.mark.usefixtures("journal")
def test_a_disk_that_is_full_halfway_is_incomplete(
    run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure in the middle of the file exits with 5 and leaves no file."""
    monkeypatch.setattr("vtex_tracking_ext.cli.report.write_all", lambda *_: False)
    ran = run("report", "--output", tmp_path / "r.csv")
    assert (ran.status, left(tmp_path)) == (5, [])


@pytest.mark.usefixtures("journal")
def test_a_failed_standard_output_is_incomplete(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A report that a full disk cuts short exits with 5."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["report"]) == 5
    assert capsys.readouterr().err == "vtex-tracking report: standard output cannot be written.\n"


def test_a_closed_pipe_ends_the_reading(usual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ``| head`` has ended, the rest of a large journal is not read."""
    journal_of(usual, *map(str, range(2000)))
    asked = 0

    def counted(entries: Iterator[Any]) -> Iterator[str]:
        nonlocal asked
        for asked, line in enumerate(json_lines(entries), 1):  # noqa: B007 - counted
            yield line

    json_lines = lines.json_lines
    monkeypatch.setattr(lines, "json_lines", counted)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", 8192, encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["report"]) == 0
    assert 0 < asked < 100


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize(("error", "status"), [(JournalError("damaged"), 3), (KeyboardInterrupt(), 130)])
def test_an_error_while_reading_leaves_no_file(
    run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int
) -> None:
    """A damaged journal exits with 3, Ctrl-C with 130, and no file is left."""
    entries = SqliteReader.entries

    def broken(self: SqliteReader, *selection: Any) -> Iterator[Any]:
        yield next(entries(self, *selection))
        raise error

    monkeypatch.setattr(SqliteReader, "entries", broken)
    assert run("report", "--output", tmp_path / "r.csv").status == status
    assert left(tmp_path) == []


@pytest.mark.usefixtures("journal")
def test_a_missing_extra_is_named(run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other formats need none."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    for name in ("environment", "page"):
        monkeypatch.delitem(sys.modules, f"vtex_tracking_ext.bulk.report.{name}", raising=False)
    monkeypatch.delattr("vtex_tracking_ext.bulk.report.page", raising=False)
    ran = run("report", "--output", tmp_path / "r.html")
    assert ran.status == 3
    assert "(jinja2 is missing): pip install 'vtex-tracking[cli]'. --format csv and --format jsonl do not" in ran.err
    assert left(tmp_path) == []
    assert run("report", "--format", "csv").status == 0


def test_a_text_stream_without_encoding_gets_the_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An in-memory stream gets the texts as they are; a closed one counts as failed."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    assert output.write_all(["a", "b"])
    assert stream.getvalue() == "ab"
    stream.close()
    assert not output.write_all(["c"])
