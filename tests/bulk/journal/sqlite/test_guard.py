"""Tests of the names of a journal's files: each has one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.bulk.journal import opening
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader, guard

from support.journaled import add, row

if TYPE_CHECKING:
    from collections.abc import Callable

USES = [SqliteJournal.open, SqliteReader.open, opening.migrate]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a journal with a pending event."""
    path = tmp_path / "journal.db"
    with SqliteJournal.open(path) as journal:
        add(journal, row(2, "a"))
    return path


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("ending", ["", "-lock"])
def test_hard_link_is_refused_under_both_names(path: Path, ending: str, use: Callable[[Path], object]) -> None:
    """Each name would have a log and a lock of its own. After the other name is removed, the journal can be used."""
    (path.parent / "other").mkdir()
    other = path.parent / "other" / path.name
    os.link(f"{path}{ending}", f"{other}{ending}")
    for name in (path, other) if not ending else (path,):
        with pytest.raises(JournalError, match=r"has several names \(hard links\), and would be damaged .* remove the"):
            use(name)
    Path(f"{other}{ending}").unlink()
    used = use(path)
    if isinstance(used, SqliteJournal | SqliteReader):
        used.close()


def test_link_that_is_made_while_the_journal_is_open_stops_it(path: Path) -> None:
    """No transaction begins while there is another name."""
    other = path.with_name("other.db")
    with SqliteJournal.open(path) as journal:
        other.hardlink_to(path)
        with pytest.raises(JournalError, match="has several names"):
            add(journal, row(3, "b"))
        other.unlink()
        assert add(journal, row(3, "b")) == ["new"]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("ending", ["-wal", "-lock", "-open"])
@pytest.mark.parametrize("kind", ["link", "folder"])
def test_log_and_lock_are_files(path: Path, ending: str, kind: str, use: Callable[[Path], object]) -> None:
    """A log or a lock that is a symbolic link, or a folder, is refused."""
    name = Path(f"{path}{ending}")
    name.unlink(missing_ok=True)
    if kind == "link":
        name.with_name("elsewhere").touch()
        name.symlink_to("elsewhere")
    else:
        name.mkdir()
    with pytest.raises(JournalError, match=f"journal.db{ending} is a link or not a file; remove it"):
        use(path)


def test_number_of_links_may_become_smaller(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that loses another name, or whose links cannot be counted any more, is still the same."""
    monkeypatch.setattr(guard, "_counts_links", lambda _: False)
    other = path.with_name("other.db")
    other.hardlink_to(path)
    with SqliteJournal.open(path) as journal:
        other.unlink()
        assert add(journal, row(3, "b")) == ["new"]


def test_lease_is_a_file(path: Path) -> None:
    """A lease with several names would be two leases, and a folder cannot be locked."""
    with SqliteJournal.open(path) as journal:
        with journal.lease("mystore"):
            pass
        lease = path.with_name("journal.db-lease-1")
        path.with_name("other").hardlink_to(lease)
        with pytest.raises(JournalError, match="has several names"), journal.lease("mystore"):
            pass
        lease.unlink()
        lease.mkdir()
        with pytest.raises(JournalError, match="is a link or not a file"), journal.lease("mystore"):
            pass


def test_links_to_its_folder_or_file_lead_to_the_same_journal(path: Path) -> None:
    """Symbolic links are resolved, so that the log and the lock have one name."""
    folder, link = path.parent / "folder", path.parent / "link.db"
    folder.symlink_to(path.parent)
    link.symlink_to(folder / path.name)
    with SqliteJournal.open(link) as journal:
        assert journal.path == path.resolve()


@pytest.mark.parametrize("number", [0, 7, 2**32 - 1])
def test_file_system_that_does_not_count_links_can_be_used(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Some report another number than 1 for every file, which a new file shows."""

    def stat(function: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def changed(*arguments: object, **options: object) -> os.stat_result:
            status = list(function(*arguments, **options))
            times = {name: getattr(function(*arguments, **options), name) for name in ("st_mtime_ns", "st_ctime_ns")}
            status[3] = number
            return os.stat_result(status, times)

        return changed

    for name in ("stat", "lstat", "fstat"):
        monkeypatch.setattr(f"vtex_tracking_ext.bulk.journal.sqlite.guard.os.{name}", stat(getattr(os, name)))
    with SqliteJournal.open(path) as journal:
        assert add(journal, row(3, "b")) == ["new"]


def test_folder_in_which_no_file_can_be_created_counts_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it cannot be found out whether the number is right, it is believed."""

    def fail(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(guard, "NamedTemporaryFile", fail)
    path.with_name("other.db").hardlink_to(path)
    with pytest.raises(JournalError, match="has several names"):
        SqliteReader.open(path)


def test_files_of_another_user_are_not_signed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their time cannot be set, so the journal is checked each time that it is opened."""

    def fail(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "utime", fail)
    path.touch()
    with SqliteJournal.open(path) as journal:
        add(journal, row(3, "b"))
    assert not guard.is_signed(path, path.with_name("journal.db-lock"))
