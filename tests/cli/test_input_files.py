"""Files that are named by wildcards or by their folder, and folders that are watched. No test waits for a clock."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from attrs import define, field

from vtex_tracking_ext.bulk.input.inbox import SETTLE_SECONDS, InboxFile
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.cli import input_files
from vtex_tracking_ext.cli import push as cli_push
from vtex_tracking_ext.cli.file_reader import FileReader
from vtex_tracking_ext.cli.push_delivery import PushDelivery
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from vtex_tracking_ext.sandbox import Oms

    from support.commands import Ran

#: Tests that send use the sandbox; the others only note rows, which is quicker.
sends = pytest.mark.usefixtures("account")

HEADER = "order_id,invoice_number,date,city,state,description,is_delivered,delivered_date\n"
ROW = "1172452900788-01,000030711,2026-10-05,Santos,SP,Objeto postado,,\n"
NOT_A_DATE = ROW.replace("2026-10-05", "x")

#: The function that tests replace.
read_file = FileReader.read
UNUSABLE = "%PDF-1.7\n"


@define
class Sleeps:
    """Replaces ``sleep``: each pause runs the next action."""

    actions: Iterator[Callable[[], object]] = field(factory=lambda: iter(()))
    pauses: list[float] = field(factory=list)

    def __call__(self, seconds: float) -> None:
        """Sleep."""
        self.pauses.append(seconds)
        next(self.actions, lambda: None)()


@pytest.fixture(autouse=True)
def sleeps(monkeypatch: pytest.MonkeyPatch) -> Sleeps:
    """Replace the pauses between two looks at a folder."""
    sleeps = Sleeps()
    monkeypatch.setattr(input_files, "sleep", sleeps)
    return sleeps


@pytest.fixture(autouse=True)
def _own_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name an account and credentials, with which nothing is sent."""
    for name, value in {"ACCOUNT": "sandbox", "APP_KEY": APP_KEY, "APP_TOKEN": APP_TOKEN}.items():
        monkeypatch.setenv(f"VTEX_{name}", value)


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder in the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def write(folder: Path, name: str, *rows: str) -> None:
    """Write a file of rows."""
    (folder / name).write_text("".join((HEADER, *rows)), encoding="utf-8")


def tree(folder: Path) -> list[str]:
    """Return all files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def sent(oms: Oms) -> list[str]:
    """Return the descriptions of the events that were sent."""
    return [event["description"] for call in oms.received for event in json.loads(call.body or "{}").get("events", ())]


def stop() -> None:
    """Interrupt as Ctrl-C does."""
    raise KeyboardInterrupt


class TestPatterns:
    """Wildcards that the shell did not expand."""

    @sends
    def test_every_match_is_pushed(self, run: Callable[..., Ran], oms: Oms, inbox: Path) -> None:
        """Files that match a pattern are pushed as if they were named, and stay."""
        write(inbox, "a.csv", ROW)
        write(inbox, "b.csv", ROW.replace("postado", "em tr\u00e2nsito"))
        write(inbox, "c.txt", ROW.replace("postado", "roubado"))
        ran = run("push", "inbox/*.csv")
        assert (ran.status, sent(oms)) == (0, ["Objeto postado", "Objeto em tr\u00e2nsito"])
        assert tree(inbox) == ["a.csv", "b.csv", "c.txt"]
        assert run("check", "inbox/?.csv").out.startswith("2 rows: 2 new")

    @pytest.mark.parametrize("command", ["check", "push"])
    def test_a_pattern_without_a_match_is_an_error(self, run: Callable[..., Ran], inbox: Path, command: str) -> None:
        """The message names the pattern, and nothing is pushed."""
        write(inbox, "a.csv", ROW)
        ran = run(command, "inbox/a.csv", "*.xlsx")
        assert (ran.status, ran.out) == (2, "")
        assert "'*.xlsx': no file matches this pattern" in ran.err


class TestFolder:
    """A folder that is pushed once."""

    @sends
    def test_each_file_is_pushed_and_moved(
        self, run: Callable[..., Ran], oms: Oms, inbox: Path, sleeps: Sleeps
    ) -> None:
        """A valid file goes to done, one with an invalid row and its rejects file to rejected, an unusable one too.

        The valid rows of every file are sent, and the exit status says that there were invalid ones.
        """
        write(inbox, "good.csv", ROW)
        write(inbox, "mixed.csv", NOT_A_DATE, ROW.replace("postado", "em tr\u00e2nsito"))
        (inbox / "broken.csv").write_text(UNUSABLE, encoding="utf-8")
        write(inbox, "upload.csv.part", ROW.replace("postado", "roubado"))
        ran = run("push", "inbox")
        assert (ran.status, sorted(sent(oms))) == (2, ["Objeto em tr\u00e2nsito", "Objeto postado"])
        assert tree(inbox) == [
            *("done/good.csv", "rejected/broken.csv", "rejected/mixed.csv", "rejected/mixed.rejects.csv"),
            "upload.csv.part",
        ]
        moved = f"Moved to {inbox.relative_to(inbox.parent)}"
        assert f"inbox/good.csv: 1 row: 1 new, 0 already known, 0 invalid. {moved}/done/good.csv." in ran.out
        assert f"inbox/mixed.csv: 2 rows: 1 new, 0 already known, 1 invalid. {moved}/rejected/mixed.csv." in ran.out
        assert f"{moved}/rejected/broken.csv." in ran.err
        assert "1 invalid row written to inbox/rejected/mixed.rejects.csv" in ran.err
        assert "3 rows: 2 new, 0 already known, 1 invalid.\n2 events and deliveries of 1 package: 2 applied" in ran.out
        assert sleeps.pauses == [SETTLE_SECONDS]

    def test_a_corrected_rejects_file_is_pushed_by_moving_it_back(self, run: Callable[..., Ran], inbox: Path) -> None:
        """The rejects file needs no option; it goes to done."""
        write(inbox, "events.csv", NOT_A_DATE)
        assert run("push", "--no-deliver", "inbox").status == 2
        rejects = inbox / "rejected" / "events.rejects.csv"
        text = rejects.read_text(encoding="utf-8").replace(",x,", ",2026-10-05,")
        (inbox / "events.rejects.csv").write_text(text, encoding="utf-8")
        ran = run("push", "--no-deliver", "inbox")
        assert (ran.status, "Noted 1 row: 1 new" in ran.out) == (0, True)
        assert "done/events.rejects.csv" in tree(inbox)

    def test_without_a_rejects_file_the_file_alone_is_moved(self, run: Callable[..., Ran], inbox: Path) -> None:
        """--no-rejects."""
        write(inbox, "events.csv", NOT_A_DATE)
        assert run("push", "--no-deliver", "inbox", "--no-rejects").status == 2
        assert tree(inbox) == ["rejected/events.csv"]

    @pytest.mark.parametrize("command", [("check",), ("push", "--dry-run")])
    def test_a_trial_reads_the_same_files_and_moves_none(
        self, run: Callable[..., Ran], inbox: Path, command: tuple[str, ...]
    ) -> None:
        """Check and a dry run print what is in each file, and leave the folder as it is."""
        write(inbox, "good.csv", ROW)
        write(inbox, "mixed.csv", NOT_A_DATE)
        (inbox / "broken.csv").write_text(UNUSABLE, encoding="utf-8")
        before = tree(inbox)
        ran = run(*command, "inbox")
        assert (ran.status, tree(inbox)) == (2, before)
        assert "inbox/good.csv: 1 row: 1 new, 0 already known, 0 invalid.\n" in ran.out
        assert "inbox/broken.csv:1: a PDF file" in ran.err
        assert "Moved" not in ran.out + ran.err

    @sends
    def test_rows_can_be_noted_alone(self, run: Callable[..., Ran], oms: Oms, inbox: Path) -> None:
        """--no-deliver moves the files, because the journal has their rows; a push of the empty folder sends them."""
        write(inbox, "events.csv", ROW)
        assert run("push", "inbox", "--no-deliver").status == 0
        assert (tree(inbox), sent(oms)) == (["done/events.csv"], [])
        assert run("push", "inbox").status == 0
        assert sent(oms) == ["Objeto postado"]

    def test_a_file_that_grows_between_two_looks_is_left(
        self, run: Callable[..., Ran], inbox: Path, sleeps: Sleeps
    ) -> None:
        """The others are pushed; the status says that something is left for the next push, which reads it."""
        write(inbox, "good.csv", ROW)
        write(inbox, "upload.csv")
        sleeps.actions = iter([lambda: write(inbox, "upload.csv", ROW.replace("postado", "em tr\u00e2nsito"))])
        ran = run("push", "--no-deliver", "inbox")
        assert (ran.status, tree(inbox)) == (5, ["done/good.csv", "upload.csv"])
        assert "inbox/upload.csv: was just written, or is still being written; it is left for the next push." in ran.err
        assert run("push", "--no-deliver", "inbox").status == 0
        assert tree(inbox) == ["done/good.csv", "done/upload.csv"]

    def test_a_file_that_is_changed_while_it_is_read_is_left(
        self, run: Callable[..., Ran], inbox: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was read is recorded; the next push reads the file again."""

        def read_and_write(*arguments: Any) -> Iterable[Any]:
            yield from [*read_file(*arguments)]
            write(inbox, "events.csv", ROW, ROW.replace("postado", "em tr\u00e2nsito"))

        write(inbox, "events.csv", ROW)
        with monkeypatch.context() as patch:
            patch.setattr(FileReader, "read", read_and_write)
            ran = run("push", "--no-deliver", "inbox")
        assert (ran.status, tree(inbox)) == (5, ["events.csv"])
        assert "inbox/events.csv: was changed while it was being read; it stays, and will be read again." in ran.err
        ran = run("push", "--no-deliver", "inbox")
        assert (ran.status, tree(inbox)) == (0, ["done/events.csv"])
        assert "2 rows: 1 new, 1 already known, 0 invalid." in ran.out

    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_a_file_that_another_push_moves_is_no_error(
        self, run: Callable[..., Ran], inbox: Path, monkeypatch: pytest.MonkeyPatch, moment: str
    ) -> None:
        """The other push moves the file before or after this one has read it."""

        def move() -> None:
            (inbox / "done").mkdir()
            (inbox / "events.csv").rename(inbox / "done" / "events.csv")

        def read(*arguments: Any) -> Iterable[Any]:
            if moment == "before":
                move()
            yield from read_file(*arguments)
            if moment == "after":
                move()

        write(inbox, "events.csv", ROW)
        monkeypatch.setattr(FileReader, "read", read)
        ran = run("push", "--no-deliver", "inbox")
        assert (ran.status, ran.err, tree(inbox)) == (0, "", ["done/events.csv"])
        assert "inbox/events.csv: moved by another process." in ran.out

    @sends
    def test_a_push_that_ends_before_it_moves_the_file_is_repeated(
        self, run: Callable[..., Ran], oms: Oms, inbox: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The file is read again; its rows are known, and each is sent once."""
        write(inbox, "events.csv", ROW)
        with monkeypatch.context() as patch:
            patch.setattr(InboxFile, "finish", lambda *_, **__: stop())
            ran = run("push", "inbox")
        assert (ran.status, tree(inbox)) == (130, ["events.csv"])
        assert "Already in the journal: 1 row." in ran.err
        ran = run("push", "inbox")
        assert (ran.status, tree(inbox), sent(oms)) == (0, ["done/events.csv"], ["Objeto postado"])
        assert "1 row: 0 new, 1 already known, 0 invalid. Moved" in ran.out

    def test_a_file_that_cannot_be_moved_stays(self, run: Callable[..., Ran], inbox: Path) -> None:
        """The others are pushed; the status says that the folder needs a person."""
        write(inbox, "events.csv", ROW)
        write(inbox, "mixed.csv", NOT_A_DATE)
        (inbox / "done").write_text("", encoding="utf-8")
        ran = run("push", "--no-deliver", "inbox", "--no-rejects")
        assert (ran.status, "1 new" in ran.out) == (3, True)
        assert "inbox/events.csv: cannot be moved to done/: File exists." in ran.err
        assert {"events.csv", "rejected/mixed.csv"} < {*tree(inbox)}

    def test_a_file_that_the_options_do_not_fit_stays(
        self, run: Callable[..., Ran], inbox: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A missing extra, say, is not the fault of the file."""

        def read(reader: FileReader, path: Path, *arguments: Any) -> Iterable[Any]:
            if path.suffix == ".xlsx":
                raise ConfigurationError("a workbook needs an extra")
            return read_file(reader, path, *arguments)

        write(inbox, "a.xlsx")
        write(inbox, "b.csv", ROW)
        monkeypatch.setattr(FileReader, "read", read)
        ran = run("push", "--no-deliver", "inbox")
        assert (ran.status, tree(inbox)) == (3, ["a.xlsx", "done/b.csv"])
        assert "a workbook needs an extra" in ran.err

    @pytest.mark.parametrize("extent", [(), ("--watch",)])
    def test_wrong_options_reject_no_file(self, run: Callable[..., Ran], inbox: Path, extent: tuple[str, ...]) -> None:
        """A mistake in the options is reported once, and every file stays; a watch does not begin."""
        write(inbox, "events.csv", ROW)
        ran = run("push", "inbox", "--no-deliver", *extent, "--map", "a=date", "--map", "a=city")
        assert (ran.status, tree(inbox)) == (2, ["events.csv"])
        assert "is mapped twice" in ran.err

    def test_subfolders_are_named(self, run: Callable[..., Ran], inbox: Path) -> None:
        """A person who expects that the files of a subfolder are read is told that they are not."""
        (inbox / "jadlog").mkdir()
        ran = run("push", "--no-deliver", "inbox")
        assert ran.status == 0
        assert "inbox/jadlog: is a folder, whose files are not read; name it to push them." in ran.err

    def test_a_file_that_cannot_be_opened_is_named(
        self, run: Callable[..., Ran], inbox: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It stays, and the status says that it is not usable."""

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        write(inbox, "events.csv", ROW)
        monkeypatch.setattr("vtex_tracking_ext.bulk.input.inbox._version", refuse)
        ran = run("push", "--no-deliver", "inbox")
        assert (ran.status, tree(inbox)) == (2, ["events.csv"])
        assert "inbox/events.csv: cannot be read: Permission denied." in ran.err

    def test_machines_get_a_line_for_each_file(self, run: Callable[..., Ran], inbox: Path, sleeps: Sleeps) -> None:
        """The outcome of a file, where it is now, and its counts."""
        write(inbox, "a.csv", ROW)
        write(inbox, "b.csv")
        sleeps.actions = iter([lambda: write(inbox, "b.csv", ROW)])
        left, done, *_ = map(json.loads, run("push", "--no-deliver", "inbox", "--json").out.splitlines())
        counts = {"new": 0, "renewed": 0, "known": 0, "invalid": 0, "unmatched": 0}
        reason = "was just written, or is still being written; it is left for the next push"
        assert left == {
            "type": "file",
            "file": "inbox/b.csv",
            "outcome": "left",
            "path": "inbox/b.csv",
            "reason": reason,
            "rows": 0,
            **counts,
        }
        assert done == {
            "type": "file",
            "file": "inbox/a.csv",
            "outcome": "done",
            "path": "inbox/done/a.csv",
            "reason": "",
            "rows": 1,
            **counts,
            "new": 1,
        }

    @pytest.mark.parametrize("name", ["done", "rejected"])
    def test_the_folders_in_it_are_refused(self, run: Callable[..., Ran], inbox: Path, name: str) -> None:
        """A shell's ``inbox/*`` names them, and their files must not be moved to done/done."""
        (inbox / name).mkdir()
        ran = run("push", f"inbox/{name}/")
        assert ran.status == 2
        assert f"inbox/{name}: a folder of this name holds files that were pushed" in ran.err

    def test_a_folder_with_the_journal_is_refused(self, run: Callable[..., Ran], inbox: Path) -> None:
        """The journal would be moved to rejected."""
        assert inbox.exists()
        ran = run("push", "inbox", "--journal", "inbox/journal.db")
        assert ran.status == 3
        assert "inbox: contains journal.db, which would be moved with the other files" in ran.err

    def test_one_rejects_file_does_not_fit_a_folder(self, run: Callable[..., Ran], inbox: Path) -> None:
        """--rejects names one file, and a folder has several."""
        assert inbox.exists()
        ran = run("push", "inbox", "--rejects", "rejects.csv")
        assert (ran.status, "--rejects names one file" in ran.err) == (2, True)


class TestWatch:
    """A folder that is watched."""

    @sends
    def test_files_are_pushed_as_they_come(
        self, run: Callable[..., Ran], oms: Oms, inbox: Path, sleeps: Sleeps
    ) -> None:
        """Each is pushed after two looks that find it unchanged; Ctrl-C between two rounds is the usual end."""
        (inbox / "jadlog").mkdir()
        sleeps.actions = iter(
            [
                lambda: write(inbox, "a.csv", ROW),
                lambda: None,
                lambda: write(inbox, "b.csv", ROW.replace("postado", "em tr\u00e2nsito")),
                lambda: None,
                stop,
            ]
        )
        ran = run("push", "inbox", "--watch")
        assert (ran.status, sent(oms)) == (0, ["Objeto postado", "Objeto em tr\u00e2nsito"])
        assert tree(inbox) == ["done/a.csv", "done/b.csv"]
        assert ran.out.count("1 event of 1 package: 1 applied") == 2
        assert ran.err.startswith("Watching inbox. Ctrl-C or SIGTERM stops.\n")
        assert ran.err.endswith("Stopped.\n")
        assert ran.err.count("inbox/jadlog") == 1
        assert sleeps.pauses == [SETTLE_SECONDS] * 5

    @sends
    def test_what_earlier_pushes_left_is_sent_at_once(
        self, run: Callable[..., Ran], oms: Oms, inbox: Path, sleeps: Sleeps
    ) -> None:
        """The first round delivers, also without files."""
        write(inbox, "a.csv", ROW)
        run("push", "inbox", "--no-deliver")
        sleeps.actions = iter([stop])
        assert run("push", "inbox", "--watch").status == 0
        assert sent(oms) == ["Objeto postado"]

    def test_sigterm_stops_it(self, run: Callable[..., Ran], inbox: Path, sleeps: Sleeps) -> None:
        """SIGTERM between two rounds is the usual end too."""
        assert inbox.exists()
        sleeps.actions = iter([lambda: signal.raise_signal(signal.SIGTERM)])
        ran = run("push", "--no-deliver", "inbox", "--watch")
        assert (ran.status, ran.err.endswith("Stopped.\n")) == (0, True)

    def test_errors_are_reported_and_retried_after_longer_pauses(
        self, run: Callable[..., Ran], inbox: Path, sleeps: Sleeps, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A database that is away: the file stays, and is pushed when the database is back."""

        def fail(*_: object) -> None:
            raise JournalError("the database is away.")

        def come_back() -> None:
            monkeypatch.setattr(cli_push, "open_journal", open_journal)

        write(inbox, "a.csv", ROW)
        monkeypatch.setattr(cli_push, "open_journal", fail)
        sleeps.actions = iter([lambda: None] * 6 + [come_back, lambda: None, stop])
        ran = run("push", "--no-deliver", "inbox", "--watch")
        assert (ran.status, tree(inbox)) == (0, ["done/a.csv"])
        assert ran.err.count("the database is away. Trying again.\n") == 7
        assert sleeps.pauses == [4, 8, 16, 32, 60, 60, 60, 2, 2]

    def test_a_folder_that_is_away_is_retried(self, run: Callable[..., Ran], inbox: Path, sleeps: Sleeps) -> None:
        """A share that is not mounted for a while."""
        away = inbox.with_name("away")

        def come_back() -> None:
            away.rename(inbox)
            write(inbox, "a.csv", ROW)

        sleeps.actions = iter([lambda: inbox.rename(away), come_back, lambda: None, lambda: None, stop])
        ran = run("push", "--no-deliver", "inbox", "--watch")
        assert (ran.status, tree(inbox)) == (0, ["done/a.csv"])
        assert "inbox: cannot be read: No such file or directory. Trying again." in ran.err

    def test_an_interrupt_while_files_are_read_is_reported(
        self, run: Callable[..., Ran], inbox: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The exit status says that a round was not finished; the file stays."""
        write(inbox, "a.csv", ROW)
        monkeypatch.setattr(FileReader, "read", lambda *_: stop())
        ran = run("push", "--no-deliver", "inbox", "--watch")
        assert (ran.status, tree(inbox)) == (130, ["a.csv"])

    @sends
    def test_an_interrupted_delivery_ends_it(
        self, run: Callable[..., Ran], inbox: Path, sleeps: Sleeps, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The calls in flight are finished, and no other round begins."""
        write(inbox, "a.csv", ROW)
        deliver = PushDelivery.run

        def interrupt(delivery: Any, on_others: Any) -> None:
            deliver(delivery, on_others)
            delivery.is_interrupted = bool(sleeps.pauses)

        monkeypatch.setattr(PushDelivery, "run", interrupt)
        ran = run("push", "inbox", "--watch")
        assert (ran.status, sleeps.pauses) == (130, [SETTLE_SECONDS])

    @pytest.mark.parametrize("arguments", [(), ("inbox/a.csv",), ("inbox", "inbox/a.csv"), ("inbox", "--dry-run")])
    def test_it_needs_folders(self, run: Callable[..., Ran], inbox: Path, arguments: tuple[str, ...]) -> None:
        """A file cannot be watched, and a dry run moves none."""
        write(inbox, "a.csv", ROW)
        ran = run("push", "--watch", *arguments)
        assert (ran.status, "--watch needs folders" in ran.err) == (2, True)
