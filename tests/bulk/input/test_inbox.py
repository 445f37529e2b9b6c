"""A folder into which other programs put files. No test waits: two calls of ``look`` are two looks."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attrs import define

from vtex_tracking_ext.bulk.input import inbox as module
from vtex_tracking_ext.bulk.input.inbox import DOUBT_SECONDS, Inbox, InboxFile
from vtex_tracking_ext.bulk.input.rows import InputFileError
from vtex_tracking_ext.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

#: When the files of the tests were changed.
CHANGED = 1_700_000_000.0

needs_leases = pytest.mark.skipif(not module._HAS_LEASES, reason="only Linux tells who writes")


@define
class Clock:
    """A clock that stands."""

    time: float = CHANGED + 1

    def __call__(self) -> float:
        """Return the time."""
        return self.time


@pytest.fixture
def clock() -> Clock:
    """Return the inbox's clock, a second after the files were changed."""
    return Clock()


@pytest.fixture
def inbox(tmp_path: Path, clock: Clock) -> Inbox:
    """Return an inbox in an empty folder."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return Inbox(folder, clock=clock)


@pytest.fixture
def put(inbox: Inbox) -> Callable[..., Path]:
    """Return a function that puts a file into the inbox."""

    def put(name: str, text: str = "x", changed: float = CHANGED) -> Path:
        path = inbox.folder / name
        path.write_text(text, encoding="utf-8")
        os.utime(path, (changed, changed))
        return path

    return put


def complete_file(inbox: Inbox) -> InboxFile:
    """Return the only file of an inbox."""
    inbox.look()
    (file,) = inbox.look().ready
    return file


def names(inbox: Inbox) -> list[str]:
    """Return the complete files after two looks."""
    inbox.look()
    return [file.path.name for file in inbox.look().ready]


class TestLook:
    """Which files are complete."""

    def test_a_file_is_complete_when_two_looks_find_it_unchanged(self, inbox: Inbox, put: Callable[..., Path]) -> None:
        """A file is unfinished at the first look, and after each change of its size, its time or its number."""
        path = put("events.csv")
        for size, changed in ((1, 0), (2, 0), (2, 1)):
            put("events.csv", "x" * size, CHANGED + changed)
            assert inbox.look().unfinished == {path: "was just written, or is still being written"}
        put("events.new", "xx", CHANGED + 1).replace(path)
        assert inbox.look().unfinished.keys() == {path}
        look = inbox.look()
        assert [file.path for file in look.ready] == [path]
        assert look.unfinished == look.unusable == {}

    def test_oldest_first_then_by_name(self, inbox: Inbox, put: Callable[..., Path]) -> None:
        """Names such as 30-11-2026.csv and 01-12-2026.csv are not in the order of their days; times of change are."""
        put("01-12-2026.csv", changed=CHANGED + 2)
        put("30-11-2026.csv")
        put("b.csv", changed=CHANGED + 1)
        put("a.csv", changed=CHANGED + 1)
        assert names(inbox) == ["30-11-2026.csv", "a.csv", "b.csv", "01-12-2026.csv"]

    @pytest.mark.parametrize(
        "name",
        [
            *(".events.csv", ".in.events.csv.", "~$events.xlsx", "events.csv.part", "events.csv.PARTIAL"),
            *("events.csv.filepart", "events.csv.tmp", "events.csv.crdownload", "events.csv~", "Thumbs.db"),
        ],
    )
    def test_names_of_unfinished_files_are_not_listed(self, inbox: Inbox, put: Callable[..., Path], name: str) -> None:
        """What programs write beside a file, or before it has its final name, is passed over."""
        put(name)
        put("partial.csv")
        assert names(inbox) == ["partial.csv"]

    def test_an_empty_file_is_complete_after_a_minute(
        self, inbox: Inbox, put: Callable[..., Path], clock: Clock
    ) -> None:
        """Some programs create the file first, and write it later."""
        path = put("events.csv", "")
        inbox.look()
        assert inbox.look().unfinished == {path: "is empty"}
        clock.time = CHANGED + DOUBT_SECONDS
        assert [file.path for file in inbox.look().ready] == [path]

    @needs_leases
    def test_a_file_that_is_open_for_writing_is_unfinished(
        self, inbox: Inbox, put: Callable[..., Path], clock: Clock
    ) -> None:
        """It is complete once it is closed; an old one also if it stays open. A reader does not matter."""
        path = put("events.csv")
        with path.open("a"):
            inbox.look()
            assert inbox.look().unfinished == {path: "is open in another program"}
            clock.time = CHANGED + DOUBT_SECONDS
            assert len(inbox.look().ready) == 1
            clock.time = CHANGED
        with path.open():
            assert len(inbox.look().ready) == 1

    def test_a_file_that_cannot_be_renamed_is_open(
        self, inbox: Inbox, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Windows refuses to rename a file that another program has open."""

        def refuse(*_: object) -> None:
            raise PermissionError(errno.EACCES, "The process cannot access the file")

        path = put("events.csv")
        monkeypatch.setattr(Path, "rename", refuse)
        inbox.look()
        assert inbox.look().unfinished == {path: "is open in another program"}

    def test_without_leases_two_looks_decide(
        self, inbox: Inbox, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Other systems than Linux, and some of its file systems, do not tell who has a file open."""
        monkeypatch.setattr(module, "_HAS_LEASES", False)
        put("events.csv")
        assert names(inbox) == ["events.csv"]

    def test_subfolders_are_named_and_not_entered(self, inbox: Inbox, put: Callable[..., Path]) -> None:
        """The folders done and rejected, which can be links, and hidden ones are not mentioned."""
        for name in ("done", "rejected", ".git", "jadlog"):
            (inbox.folder / name).mkdir()
            put(f"{name}/events.csv")
        inbox.look()
        look = inbox.look()
        assert look.ready == ()
        assert look.unusable == {inbox.folder / "jadlog": "is a folder, whose files are not read; name it to push them"}

    def test_links_are_not_followed(self, inbox: Inbox, tmp_path: Path) -> None:
        """Who may put files into the folder cannot have another file read, whose rows a rejects file would show."""
        (tmp_path / "secret.csv").write_text("x", encoding="utf-8")
        for name, target in (("a.csv", tmp_path / "secret.csv"), ("b.csv", "missing"), ("c", tmp_path)):
            (inbox.folder / name).symlink_to(target)
        assert names(inbox) == []
        assert inbox.look().unusable == {
            inbox.folder / name: "is a link, which is not followed" for name in ("a.csv", "b.csv", "c")
        }

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes in folders")
    def test_pipes_are_passed_over(self, inbox: Inbox) -> None:
        """Opening a pipe would wait for its other end."""
        os.mkfifo(inbox.folder / "events.csv")
        look = inbox.look()
        assert (look.ready, look.unfinished, look.unusable) == ((), {}, {})

    def test_a_file_that_cannot_be_opened_is_unusable(
        self, inbox: Inbox, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It stays, because its permissions may be about to be set."""

        def refuse(*_: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        path = put("events.csv")
        monkeypatch.setattr(module, "_version", refuse)
        assert inbox.look().unusable == {path: "cannot be read: Permission denied"}

    @pytest.mark.parametrize("attribute", ["open", "rename"])
    def test_a_file_that_vanishes_during_a_look_is_not_listed(
        self, inbox: Inbox, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, attribute: str
    ) -> None:
        """Another process has moved it."""

        def vanish(*_: object, **__: object) -> None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")

        put("events.csv")
        inbox.look()
        monkeypatch.setattr(Path, attribute, vanish)
        look = inbox.look()
        assert (look.ready, look.unfinished, look.unusable) == ((), {}, {})

    def test_a_folder_that_cannot_be_read_is_an_error(self, tmp_path: Path) -> None:
        """A share that is away is reported with its name."""
        with pytest.raises(InputFileError, match="missing: cannot be read: No such file or directory"):
            Inbox(tmp_path / "missing").look()


class TestFinish:
    """Where a file goes."""

    @pytest.mark.parametrize(("is_rejected", "folder"), [(False, "done"), (True, "rejected")])
    def test_a_file_is_moved_and_overwrites_none(
        self, inbox: Inbox, put: Callable[..., Path], *, is_rejected: bool, folder: str
    ) -> None:
        """A number is added to a name that exists; the files there keep their content."""
        for name in ("events.csv", "events-2.csv", "events-3.csv"):
            put("events.csv", name)
            file = complete_file(inbox)
            assert file.finish(is_rejected=is_rejected) == (folder, inbox.folder / folder / name)
        moved = sorted((inbox.folder / folder).iterdir())
        assert {path.name: path.read_text(encoding="utf-8") for path in moved} == {
            name: name for name in ("events.csv", "events-2.csv", "events-3.csv")
        }
        assert [path.name for path in inbox.folder.iterdir()] == [folder]

    def test_a_file_that_was_changed_stays(self, inbox: Inbox, put: Callable[..., Path]) -> None:
        """What was added to it while it was read, or a new file of its name, is read next time."""
        path = put("events.csv")
        file = complete_file(inbox)
        put("events.csv", "more")
        assert file.finish(is_rejected=False) == ("left", path)
        assert path.read_text(encoding="utf-8") == "more"

    def test_a_file_that_another_process_moved_is_gone(self, inbox: Inbox, put: Callable[..., Path]) -> None:
        """Two processes that read one folder do not disturb each other."""
        path = put("events.csv")
        file = complete_file(inbox)
        assert file.finish(is_rejected=False)[0] == "done"
        assert file.finish(is_rejected=False) == ("gone", path)
        assert [path.name for path in (inbox.folder / "done").iterdir()] == ["events.csv"]

    def test_a_file_that_is_moved_at_the_same_time_is_gone(
        self, inbox: Inbox, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The name that was reserved for it is given up."""

        def vanish(*_: object) -> None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")

        put("events.csv")
        file = complete_file(inbox)
        monkeypatch.setattr(Path, "replace", vanish)
        assert file.finish(is_rejected=False)[0] == "gone"
        assert list((inbox.folder / "done").iterdir()) == []

    def test_a_file_is_copied_to_another_disk(
        self, inbox: Inbox, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The folder done can be a link to an archive."""

        def refuse(*_: object) -> None:
            raise OSError(errno.EXDEV, "Invalid cross-device link")

        path = put("events.csv", "content")
        file = complete_file(inbox)
        monkeypatch.setattr(Path, "replace", refuse)
        assert file.finish(is_rejected=False) == ("done", inbox.folder / "done" / "events.csv")
        assert (inbox.folder / "done" / "events.csv").read_text(encoding="utf-8") == "content"
        assert not path.exists()

    def test_a_copy_that_fails_leaves_the_file(
        self, inbox: Inbox, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The other disk is full: the part that was copied is deleted."""

        def refuse(*_: object) -> None:
            raise OSError(errno.EXDEV, "Invalid cross-device link")

        def fill(_: Path, target: Path) -> Any:
            target.write_text("con", encoding="utf-8")
            raise OSError(errno.ENOSPC, "No space left on device")

        path = put("events.csv", "content")
        file = complete_file(inbox)
        monkeypatch.setattr(Path, "replace", refuse)
        monkeypatch.setattr(shutil, "copy2", fill)
        with pytest.raises(ConfigurationError, match="No space left on device"):
            file.finish(is_rejected=False)
        assert path.read_text(encoding="utf-8") == "content"
        assert list((inbox.folder / "done").iterdir()) == []

    def test_a_file_that_cannot_be_moved_is_an_error(self, inbox: Inbox, put: Callable[..., Path]) -> None:
        """A file in place of the folder done: the message says what was tried, and what happens to the file."""
        path = put("events.csv")
        file = complete_file(inbox)
        (inbox.folder / "done").touch()
        with pytest.raises(ConfigurationError) as caught:
            file.finish(is_rejected=False)
        assert str(caught.value) == (
            f"{path}: cannot be moved to done{os.sep}: File exists. It stays, and the next push reads it again; rows "
            "that were noted are not sent twice."
        )
        assert path.exists()

    def test_the_rejects_file_is_beside_the_rejected_file(self, inbox: Inbox, put: Callable[..., Path]) -> None:
        """Both are in the folder rejected."""
        put("events.csv")
        assert complete_file(inbox).rejects_folder == inbox.folder / "rejected"
