"""Tests of the file of a journal: creation, locks, versions, other files, failures and damage."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import sqlite3
import stat
import time
from contextlib import closing, suppress
from pathlib import Path
from tempfile import gettempdir
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.journal import opening
from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES, STATES, Selection
from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalInUseError
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader, file, locks, schema

from support.entries import entry
from support.journaled import add, row
from support.processes import Program

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext.bulk.input.rows import Row

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
SQL = SqliteReader._sql
needs_permissions = pytest.mark.skipif(os.geteuid() == 0, reason="root has every permission")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a journal that does not exist yet, alone in a folder whose name needs escapes in a URL."""
    folder = tmp_path / "a folder?#%41"
    folder.mkdir()
    return folder / "journal.db"


def opened(path: Path) -> SqliteJournal:
    """Open a journal for writing."""
    return SqliteJournal.open(path, lambda: NOW)


def rows(number: int, length: int = 10) -> list[Row]:
    """Return rows of one event each."""
    return [row(n, str(n).zfill(length), invoice=str(n)) for n in range(2, number + 2)]


def filled(path: Path, number: int = 50) -> None:
    """Create a journal with some pending entries."""
    with opened(path) as journal:
        assert add(journal, *rows(number)) == ["new"] * number


def contents(folder: Path) -> dict[str, bytes]:
    """Return the contents of every file of a folder."""
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}


def pragma(journal: SqliteJournal, statement: str) -> int | str:
    """Execute a PRAGMA on the journal's connection, and return its value."""
    (value,) = journal._commits._connection.execute(f"PRAGMA {statement}").fetchone()
    assert isinstance(value, int | str)
    return value


def why(use: Callable[[], object]) -> str:
    """Return the message of the JournalError that a use raises."""
    with pytest.raises(JournalError) as caught:
        use()
    assert caught.value.applied is False
    return str(caught.value)


def read_all(journal: SqliteJournal) -> object:
    """Read every entry."""
    return list(journal.entries())


def read_one(journal: SqliteJournal) -> object:
    """Read the first entry, in any state."""
    return list(journal.entries(Selection(ids=(1,))))


def read_backlog(journal: SqliteJournal) -> object:
    """Read the open entries."""
    return list(journal.backlog("mystore"))


class TestCreation:
    """A journal that does not exist yet."""

    def test_only_its_owner_can_read_it(self, path: Path) -> None:
        """All files of a journal are readable by their owner only; who could open a lock file could hold the lock."""
        with opened(path) as journal:
            add(journal, *rows(1))
            with journal.lease("mystore"):
                modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
        assert modes == dict.fromkeys(
            (
                "journal.db",
                "journal.db-wal",
                "journal.db-shm",
                "journal.db-lock",
                "journal.db-lease-1",
                "journal.db-open",
            ),
            0o600,
        )

    def test_shared_journal_shares_its_leases(self, path: Path) -> None:
        """The lock file of a lease has the journal's permissions, so that who can read both can see who delivers."""
        filled(path)
        path.chmod(0o640)
        with opened(path) as journal, journal.lease("mystore"):
            assert stat.S_IMODE(locks.lease_path(path, 1).stat().st_mode) == 0o640

    def test_closed_journal_is_one_file_beside_its_locks(self, path: Path) -> None:
        """After the journal is closed, everything is in its file; the lock files are empty and stay."""
        filled(path)
        with opened(path) as journal, journal.lease("mystore"):
            pass
        assert {p.name: p.stat().st_size > 0 for p in path.parent.iterdir()} == {
            "journal.db": True,
            "journal.db-lock": False,
            "journal.db-lease-1": False,
        }

    def test_commits_wait_for_the_disk(self, path: Path) -> None:
        """The journal has a write-ahead log that is synchronized at each commit."""
        with opened(path) as journal:
            assert pragma(journal, "journal_mode") == "wal"
            assert pragma(journal, "synchronous") == 2

    def test_empty_file_is_replaced(self, path: Path) -> None:
        """An empty file, such as a shell or tempfile creates, becomes a journal."""
        path.touch()
        filled(path)
        with SqliteReader.open(path) as journal:
            assert journal.counts() == {"mystore": {"pending": 50}}

    def test_unfinished_file_is_replaced(self, path: Path) -> None:
        """A file that a process left behind that was killed while it created the journal is removed."""
        path.with_name("journal.db-new").write_bytes(b"half")
        filled(path)
        assert not path.with_name("journal.db-new").exists()

    def test_reading_does_not_create_a_journal(self, path: Path) -> None:
        """A reader, and a writer with ``create=False``, need a journal that exists, and create no file."""
        message = f"There is no journal {path}; a push creates it."
        assert why(lambda: SqliteJournal.open(path, create=False)) == message
        assert why(lambda: SqliteReader.open(path)) == message
        assert list(path.parent.iterdir()) == []
        filled(path)
        SqliteJournal.open(path, create=False).close()

    def test_link_leads_to_the_same_journal_and_locks(self, path: Path) -> None:
        """A journal that is opened by a symbolic link is the one that the link names, with the same lease."""
        link = path.with_name("link.db")
        link.symlink_to(path)
        with opened(link) as journal, opened(path) as other:
            assert journal.path == path.resolve()
            with journal.lease("mystore"), other.lease("mystore") as lease:
                assert lease is None
        assert link.is_symlink()


class TestTemporary:
    """Temporary journals, and temporary copies of a journal, for planning."""

    def test_temporary_journal_is_deleted_when_it_is_closed(self) -> None:
        """Its folder is readable by its owner only, and goes with it; commits do not wait for the disk."""
        with SqliteJournal.temporary() as journal:
            add(journal, *rows(1))
            folder = journal.path.parent
            assert folder.parent == Path(gettempdir())
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert pragma(journal, "synchronous") == 0
        assert not folder.exists()

    def test_temporary_journals_are_independent(self) -> None:
        """Two temporary journals share nothing."""
        with SqliteJournal.temporary() as one, SqliteJournal.temporary() as other:
            add(one, *rows(1))
            assert other.counts() == {}

    def test_missing_folder_for_temporary_files_is_reported(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """A temporary journal whose folder cannot be created raises JournalError."""
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
        assert "No such file or directory" in why(SqliteJournal.temporary)

    def test_copy_has_all_entries(self, path: Path) -> None:
        """Changes of the copy do not change the journal, and no file is created beside it."""
        filled(path, 5)
        before = contents(path.parent)
        with SqliteReader.open(path) as reader, SqliteJournal.temporary(lambda: NOW) as copy:
            copy.copy(reader)
            assert add(copy, *rows(6)) == ["known"] * 5 + ["new"]
            with copy.lease("mystore") as lease:
                assert lease is not None
                lease.begin([*copy.entries()][:1])
            assert copy.counts() == {"mystore": {"pending": 5, "in_flight": 1}}
        assert contents(path.parent) == before

    def test_copy_of_events_that_count_as_one_has_the_first(self) -> None:
        """A journal of an earlier version, in a database, can hold events that differ in their blanks alone."""
        texts = ("Em rota", "Em  rota")
        held = [entry(number, event=TrackingEvent("2026-10-01", text)) for number, text in enumerate(texts, 1)]
        reader: Any = SimpleNamespace(entries=lambda: iter(held), pruned_keys=lambda: iter(()))
        with SqliteJournal.temporary() as copy:
            copy.copy(reader)
            assert [each.id for each in copy.entries()] == [1]

    def test_copy_can_be_made_while_the_journal_is_open(self, path: Path) -> None:
        """The copy has what was committed before."""
        with opened(path) as journal:
            add(journal, *rows(2))
            with SqliteReader.open(path) as reader, SqliteJournal.temporary() as copy:
                copy.copy(reader)
                assert copy.counts() == {"mystore": {"pending": 2}}


#: Takes the write lock of a journal, and keeps it for a transaction that does not end.
HOLDER = """
import sys
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

def work(connection):
    print("locked", flush=True)
    sys.stdin.read()

with SqliteJournal.open(sys.argv[1]) as journal:
    journal._commits.run(work)
"""


class TestWriteLock:
    """One process at a time writes; the others wait."""

    def test_stopped_writer_makes_others_fail_after_a_while(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that is stopped during its transaction makes others raise an error that says what to do.

        Nothing is lost, everything can be read meanwhile, and all can write when it goes on.
        """
        monkeypatch.setattr(locks, "WRITE_TIMEOUT", 0.05)
        filled(path)
        with opened(path) as journal, Program(HOLDER, path) as holder:
            assert holder.read_line() == "locked"
            holder.send_signal(signal.SIGSTOP)
            for use in (
                lambda: add(journal, *rows(60)),
                lambda: journal.lease("mystore").__enter__(),
                lambda: opened(path),
            ):
                with pytest.raises(JournalInUseError) as caught:
                    use()
                assert str(caught.value) == (
                    f"{path}-lock: another process has kept the journal locked for 0 s. Wait for it; if it was stopped "
                    "or hangs, end it. (An earlier version of vtex-tracking keeps the lock until it ends.)"
                )
            assert journal.counts() == {"mystore": {"pending": 50}}
            holder.send_signal(signal.SIGCONT)
            assert holder.end() == 0
            assert add(journal, *rows(60)) == ["known"] * 50 + ["new"] * 10

    def test_long_wait_makes_few_attempts(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that waits 10 seconds for the lock tries again within 2 ms at first, and 600 times at most altogether."""
        sleeps: list[float] = []
        clock = SimpleNamespace(monotonic=lambda: sum(sleeps), sleep=sleeps.append)
        monkeypatch.setattr(locks, "time", clock)
        with closing(locks.FileLock(path)) as lock, closing(locks.FileLock(path)) as other:
            assert lock.try_acquire()
            assert not other.try_acquire(10)
        assert sleeps[0] <= 0.002
        assert max(sleeps) <= 0.05
        assert len(sleeps) < 600

    def test_killed_writer_loses_the_lock(self, path: Path) -> None:
        """The write lock of a process that is killed during its transaction is free at once."""
        with Program(HOLDER, path) as holder:
            assert holder.read_line() == "locked"
            holder.kill()
            filled(path)

    def test_lock_file_with_other_content_is_refused(self, path: Path) -> None:
        """A lock file that is something else raises JournalError with its name, and is left as it is."""
        lock = path.with_name("journal.db-lock")
        lock.write_text("12345\n" * 1000)
        assert why(lambda: opened(path)).startswith(f"The journal file {lock}: it is not a journal; name another file.")
        assert lock.read_text() == "12345\n" * 1000

    def test_lock_is_released_if_opening_fails(self, path: Path) -> None:
        """Opening a damaged journal raises, and the write lock is free afterwards."""
        filled(path)
        damage(path, b"VTX", 200)
        why(lambda: opened(path))
        with closing(locks.FileLock(locks.write_lock_path(path))) as lock:
            assert lock.try_acquire()


def damage(path: Path, after: bytes, length: int) -> None:
    """Overwrite some bytes of a file that come after others."""
    data = bytearray(path.read_bytes())
    start = data.index(after) + len(after) + 40
    data[start : start + length] = b"\xff" * length
    path.write_bytes(data)


class TestOtherFiles:
    """A file that is not a journal is refused and stays as it is, and no file is created beside it."""

    @pytest.mark.parametrize("use", [opened, SqliteReader.open])
    @pytest.mark.parametrize(
        "content",
        [
            b"order_id,invoice_number,date,city,state,description\n" * 20,
            b"x",
            b"SQLite format 3\0",
            b"SQLite format 3\0" + b"\xff" * 5000,
            b"\0" * 10_000,
        ],
    )
    def test_any_file(self, path: Path, use: Callable[[Path], object], content: bytes) -> None:
        """A file with other content, such as the file of events, raises JournalError."""
        path.write_bytes(content)
        assert why(lambda: use(path)).startswith(f"The journal file {path}: it is not a journal; name another file.")
        assert contents(path.parent) == {"journal.db": content}

    @pytest.mark.parametrize("use", [opened, SqliteReader.open])
    @pytest.mark.parametrize("mode", ["DELETE", "WAL"])
    def test_another_database(self, path: Path, use: Callable[[Path], object], mode: str) -> None:
        """Another program's SQLite database raises JournalError."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA journal_mode = {mode}")
            connection.execute("CREATE TABLE entries (id)")
        before = contents(path.parent)
        assert why(lambda: use(path)) == (
            f"The journal file {path}: it is not a journal; name another file. If it was one, it is damaged: restore "
            "it from a backup."
        )
        assert contents(path.parent) == before

    @pytest.mark.parametrize("use", [opened, SqliteReader.open])
    def test_no_file_at_all(self, path: Path, use: Callable[[Path], object]) -> None:
        """A folder or a pipe raises JournalError at once."""
        path.mkdir()
        pipe = path.with_name("pipe")
        os.mkfifo(pipe)
        assert why(lambda: use(path)) == f"{path} is not a file; name another place for the journal."
        assert why(lambda: use(pipe)) == f"{pipe} is not a file; name another place for the journal."
        assert sorted(p.name for p in path.parent.iterdir()) == ["journal.db", "pipe"]

    @pytest.mark.parametrize("use", [opened, SqliteReader.open])
    def test_no_folder(self, path: Path, use: Callable[[Path], object]) -> None:
        """A folder that does not exist is not created, because a typing error would hide the journal there."""
        inside = path.with_name("none") / "journal.db"
        assert why(lambda: use(inside)) == (
            f"The journal file {inside}: No such file or directory; fix that, or name a journal elsewhere."
        )
        path.write_text("a file")
        assert "Not a directory" in why(lambda: use(path / "journal.db"))
        assert contents(path.parent) == {"journal.db": b"a file"}

    def test_control_characters_of_a_path_are_escaped(self, tmp_path: Path) -> None:
        """A message shows a folder's name without control characters."""
        assert r"\x1b[31m" in why(lambda: SqliteReader.open(tmp_path / "\x1b[31m"))


class TestVersions:
    """Newer and older journals."""

    @pytest.mark.parametrize("use", [opened, SqliteReader.open])
    def test_a_newer_one_is_refused_and_left_alone(self, path: Path, use: Callable[[Path], object]) -> None:
        """A journal of a newer version raises JournalError, which names both versions."""
        filled(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 7")
        path.with_name("journal.db-lock").unlink()
        before = contents(path.parent)
        assert why(lambda: use(path)) == (
            f"The journal {path} has version 7, but this program supports versions up to {schema.SCHEMA_VERSION}; "
            "use a newer vtex-tracking, or another journal. If no newer one wrote it, it is damaged: restore it from a "
            "backup."
        )
        assert contents(path.parent) == before

    def test_newer_version_in_the_log_is_noticed(self, path: Path) -> None:
        """A newer version that is only in the write-ahead log raises JournalError, too."""
        with opened(path) as journal:
            journal._commits._connection.execute("PRAGMA user_version = 7")
            assert file.is_journal(path)
            for use in (file.open_to_write, file.open_to_read):
                assert "has version 7" in why(lambda use=use: use(path))  # type: ignore[misc]

    def test_an_older_one_is_brought_up_to_date(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A writer migrates version by version; a reader raises an error that says what to do."""
        filled(path)
        now = schema.SCHEMA_VERSION
        monkeypatch.setattr(schema, "SCHEMA_VERSION", now + 2)
        monkeypatch.setitem(schema.MIGRATIONS, now, ("ALTER TABLE entries ADD COLUMN courier TEXT",))
        monkeypatch.setitem(schema.MIGRATIONS, now + 1, ("UPDATE entries SET courier = 'x'", "CREATE TABLE later (n)"))
        assert why(lambda: SqliteReader.open(path)) == (
            f"The journal {path} has version {now}, but this program reads version {now + 2}; "
            "a push, or `vtex-tracking migrate`, brings it up to date."
        )
        assert opening.migrate(path) == f"The journal {path} had version {now}, and now has version {now + 2}."
        with opened(path) as journal:
            assert journal.meta().schema_version == now + 2
            assert journal._fetch("SELECT DISTINCT courier FROM entries", {}) == [("x",)]
            assert len(list(journal.entries())) == 50
        with SqliteReader.open(path) as journal:
            assert journal.meta().schema_version == now + 2

    def test_a_migration_that_fails_changes_nothing(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An error within a migration leaves the journal of the version before."""
        filled(path)
        with monkeypatch.context() as patch:
            patch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
            patch.setitem(
                schema.MIGRATIONS, schema.SCHEMA_VERSION - 1, ("CREATE TABLE later (n)", "CREATE TABLE entries (n)")
            )
            assert "table entries already exists" in why(lambda: opened(path))
        with opened(path) as journal:
            assert journal.meta().schema_version == schema.SCHEMA_VERSION
            assert journal._fetch("SELECT count(*) FROM sqlite_master WHERE name = 'later'", {}) == [(0,)]


class TestFailures:
    """The error says what happened and how to fix it, and nothing is recorded by half."""

    def test_a_full_disk(self, path: Path) -> None:
        """Nothing of the transaction is kept, outcomes can still be recorded, and it goes on when there is space."""
        with opened(path) as journal:
            add(journal, *rows(20))
            with journal.lease("mystore") as lease:
                assert lease is not None
                pragma(journal, f"max_page_count = {pragma(journal, 'page_count')}")
                message = why(lambda: add(journal, *rows(1000, 500)))
                assert message.startswith(f"The journal file {path}: the disk is full; free some space and run again (")
                assert journal.counts() == {"mystore": {"pending": 20}}
                assert len(lease.begin([*journal.entries()][:1])) == 1
            pragma(journal, "max_page_count = 100000")
            assert add(journal, *rows(1000, 500)) == ["new"] * 1000

    def test_a_file_that_cannot_be_written_to(self, path: Path) -> None:
        """An entry is not begun if SQLite says that the file is read-only."""
        with opened(path) as journal:
            add(journal, *rows(1))
            with journal.lease("mystore") as lease:
                assert lease is not None
                journal._commits._connection.execute("PRAGMA query_only = ON")
                message = why(lambda: lease.begin([*journal.entries()]))
                assert "it is read-only; allow writing to it and its folder" in message
            assert [e.state for e in journal.entries()] == ["pending"]

    @needs_permissions
    def test_a_read_only_folder(self, path: Path) -> None:
        """A writer raises JournalError; a reader can read the journal while no process writes to it."""
        filled(path)
        path.chmod(0o400)
        path.parent.chmod(0o500)
        try:
            assert "it is read-only" in why(lambda: opened(path))
            assert "it cannot be opened" in why(lambda: opened(path.with_name("other.db")))
            with SqliteReader.open(path) as journal:
                assert journal.counts() == {"mystore": {"pending": 50}}
        finally:
            path.parent.chmod(0o700)

    @needs_permissions
    def test_a_file_that_cannot_be_read(self, path: Path) -> None:
        """A file without permissions raises JournalError for writers and readers."""
        filled(path)
        path.chmod(0)
        for use in (opened, SqliteReader.open):
            assert "it cannot be opened; check that the folder" in why(lambda use=use: use(path))  # type: ignore[misc]

    def test_closed_journal_can_be_read_where_nothing_can_be_written(self, path: Path) -> None:
        """A file of SQLite that cannot be created has the effect of a read-only folder, for root too."""
        filled(path)
        path.with_name("journal.db-shm").symlink_to("no/where")
        with SqliteReader.open(path) as journal:
            assert journal.counts() == {"mystore": {"pending": 50}}

    def test_journal_with_a_log_cannot_be_read_there(self, path: Path) -> None:
        """A journal with a write-ahead log raises JournalError, because its last entries would be missing."""
        filled(path)
        path.with_name("journal.db-shm").symlink_to("no/where")
        path.with_name("journal.db-wal").write_bytes(b"x")
        assert "it cannot be opened" in why(lambda: SqliteReader.open(path))

    def test_a_lock_of_another_program(self, path: Path) -> None:
        """A backup or a database browser that keeps the file locked makes a write fail after a while."""
        with opened(path) as journal:
            add(journal, *rows(1))
            pragma(journal, "busy_timeout = 1")
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                message = why(lambda: add(journal, *rows(2)))
                assert "another program (a backup, a database browser) has locked it" in message
            assert add(journal, *rows(2)) == ["known", "new"]

    @pytest.mark.parametrize("companion", ["", "-lock"])
    def test_a_file_that_is_moved(self, path: Path, companion: str) -> None:
        """Writing fails while the journal or its lock file is elsewhere, or was replaced, and works when it is back."""
        moved = path.with_name(path.name + companion)
        with opened(path) as journal:
            add(journal, *rows(1))
            moved.rename(path.with_name("elsewhere"))
            message = f"{moved} was moved or deleted during the run; put it back where it was and run again."
            assert why(lambda: add(journal, *rows(2))) == message
            moved.touch()
            assert why(lambda: journal.prune(dt.timedelta(0))) == message
            path.with_name("elsewhere").replace(moved)
            assert add(journal, *rows(2)) == ["known", "new"]

    def test_a_folder_that_is_deleted(self, path: Path) -> None:
        """Writing fails after the folder was deleted."""
        with opened(path) as journal:
            add(journal, *rows(1))
            shutil.rmtree(path.parent)
            assert "was moved or deleted during the run" in why(lambda: add(journal, *rows(2)))

    def test_damage_in_the_middle(self, path: Path) -> None:
        """Damage that SQLite detects is reported; the message warns that a new journal sends everything again."""
        filled(path, 500)
        data = bytearray(path.read_bytes())
        data[4096:] = b"\xa5" * len(data[4096:])
        path.write_bytes(data)
        for use in (opened, SqliteReader.open):
            message = why(lambda use=use: use(path))  # type: ignore[misc]
            assert message.startswith(
                f"The journal file {path}: it is damaged; restore it from a backup. "
                "A new journal has no history and would send everything again ("
            )

    def test_a_file_that_was_cut(self, path: Path) -> None:
        """A file that ends too early is reported as damaged."""
        filled(path, 500)
        os.truncate(path, path.stat().st_size // 2)
        for use in (opened, SqliteReader.open):
            assert "it is damaged" in why(lambda use=use: use(path))  # type: ignore[misc]

    def test_a_file_whose_rest_is_in_the_log(self, path: Path) -> None:
        """A file that is shorter than its header says is not damaged if the rest is in the write-ahead log.

        A process that is killed while it writes the log to the file leaves such a file.
        """
        with opened(path) as journal:
            add(journal, *rows(500))
            short, log = path.read_bytes(), path.with_name("journal.db-wal").read_bytes()
        whole = path.read_bytes()
        path.write_bytes(whole[:4096] + short[4096:])
        path.with_name("journal.db-wal").write_bytes(log)
        assert len(short) < len(whole)
        with opened(path) as journal:
            assert journal.counts() == {"mystore": {"pending": 500}}

    @pytest.mark.parametrize(
        ("change", "use"),
        [
            ("state = 'pendinh'", SqliteReader.counts),
            ("state = 'pendinh'", read_one),
            ("state = CAST(x'ff' AS TEXT)", SqliteReader.counts),
            ("state = CAST(x'ff' AS TEXT)", read_one),
            ("state = CAST(x'ff' AS TEXT)", read_backlog),
            ("added = 9223372036854775807", read_one),
            ("added = 9223372036854775807", read_backlog),
            ("added = 'x'", read_all),
            ("event_description = CAST(x'ff' AS TEXT)", read_all),
            ("event_description = CAST(x'ff' AS TEXT)", read_backlog),
        ],
    )
    def test_damage_that_sqlite_does_not_detect(
        self, path: Path, change: str, use: Callable[[SqliteJournal], object]
    ) -> None:
        """An entry with an invalid value is reported as damage, although the database is intact."""
        filled(path, 1)
        expected = f"The journal file {path}: it is damaged; restore it"
        with opened(path) as journal:
            journal._commits._connection.execute("PRAGMA ignore_check_constraints = ON")
            journal._commits._connection.execute(f"UPDATE entries SET {change}")
            assert why(lambda: use(journal)).startswith(expected)
        path.touch()
        with suppress(JournalError), opened(path) as journal:
            assert why(lambda: use(journal)).startswith(expected)

    def test_damaged_account(self, path: Path) -> None:
        """An account with an invalid time is reported as damage."""
        filled(path, 1)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE accounts SET quiet_until = 'x'")
            connection.commit()
        with opened(path) as journal:
            assert why(journal.accounts).startswith(f"The journal file {path}: it is damaged; restore it")

    def test_damaged_definitions_that_are_not_text(self, path: Path) -> None:
        """Damage is reported also if Python cannot decode SQLite's message about it."""
        filled(path)
        data = path.read_bytes()
        path.write_bytes(
            data.replace(b"package INTEGER NOT NULL REFERENCES", b"package INTEGER NOT NU\xff\xff REFERENCES")
        )
        for use in (opened, SqliteReader.open):
            assert "it is damaged" in why(lambda use=use: use(path))  # type: ignore[misc]


class TestSpeed:
    """What keeps large journals fast."""

    @pytest.mark.parametrize(
        ("statement", "columns"),
        [
            (SQL["open_entries_of_account"], "account=? AND package>?"),
            (SQL["backlogs"], "account=?"),
        ],
    )
    def test_open_entries_are_found_by_their_index_and_without_sorting(
        self, path: Path, statement: str, columns: str
    ) -> None:
        """No table is scanned or sorted to find the open entries, however many are settled."""
        filled(path)
        values = {**dict.fromkeys(("account", "last")), "states": OPEN_STATES}
        with SqliteReader.open(path) as journal:
            steps = [step for *_, step in journal._fetch(f"EXPLAIN QUERY PLAN {statement}", values)]
        assert any(f"INDEX open_entries ({columns})" in step for step in steps)
        assert not any("SCAN e" in step for step in steps)
        assert not any("TEMP B-TREE" in step for step in steps[: -1 if statement == SQL["backlogs"] else None])

    def test_open_states_are_those_of_the_index(self) -> None:
        """The index has exactly the open states, and the queries repeat its condition word for word."""
        settled = [state for state in STATES if state not in OPEN_STATES]
        assert f"WHERE {' AND '.join(f'state <> {state!r}' for state in settled)}" in schema.SCHEMA[-1]
        condition = " AND ".join(f"e.state <> {state!r}" for state in settled)
        assert all(
            condition in statement
            for statement in (SQL["open_entries_of_account"], SQL["open_entries_of_package"], SQL["backlogs"])
        )
        (entries,) = (statement for statement in schema.SCHEMA if "TABLE entries " in statement)
        assert all(f"state = '{state}'" in entries for state in STATES)

    def test_file_shrinks_when_entries_are_pruned(self, path: Path) -> None:
        """Pruning returns the space to the system, also while another process reads the journal."""
        filled(path, 2000)
        with opened(path) as journal, SqliteReader.open(path) as other:
            journal.withdraw(Selection())
            before = path.stat().st_size
            assert journal.prune(dt.timedelta(0), forget=True) == 0
            journal._clock = lambda: NOW + dt.timedelta(seconds=1)
            assert journal.prune(dt.timedelta(0), forget=True) == 2000
            assert path.stat().st_size < before / 3
            assert other.counts() == {}
            assert journal._fetch("SELECT count(*) FROM sources UNION ALL SELECT count(*) FROM packages", {}) == [
                (0,),
                (0,),
            ]

    def test_ids_are_not_used_again_after_pruning(self, path: Path) -> None:
        """The number of an entry that was pruned is not given to another one."""
        filled(path, 3)
        with opened(path) as journal:
            journal.withdraw(Selection())
            journal._clock = lambda: NOW + dt.timedelta(seconds=1)
            assert journal.prune(dt.timedelta(0), forget=True) == 3
            add(journal, *rows(1))
            assert [entry.id for entry in journal.entries()] == [4]


def test_lock_is_seen_without_being_taken(tmp_path: Path) -> None:
    """``is_locked`` says whether a process has the lock, and creates no file."""
    path = tmp_path / "journal.db-lease-1"
    assert not locks.is_locked(path)
    assert list(tmp_path.iterdir()) == []
    with closing(locks.FileLock(path)) as lock:
        assert not locks.is_locked(path)
        assert lock.try_acquire()
        assert locks.is_locked(path)
    assert not locks.is_locked(path)


def test_looking_at_a_lease_does_not_prevent_taking_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease can be taken although another process looks at the same moment whether it is taken."""
    with SqliteJournal.open(tmp_path / "journal.db") as journal:
        with journal.lease("mystore"):
            pass
        path = locks.lease_path(journal.path, 1)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("PRAGMA schema_version").fetchone()
            monkeypatch.setattr(time, "sleep", lambda _: other.rollback())
            with journal.lease("mystore") as lease:
                assert lease is not None


def test_lock_that_fails_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk is neither a lock that is held nor one that is free, and names the lock file."""
    path = tmp_path / "journal.db-lock"
    with closing(locks.FileLock(path)) as lock:
        assert lock.try_acquire()

    def failing(*_: object) -> int:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    monkeypatch.setattr(locks, "fetch_int", failing)
    with pytest.raises(JournalError, match=r"journal\.db-lock: the disk failed"):
        locks.is_locked(path)
    monkeypatch.setattr(lock, "_connection", mock.Mock(execute=failing))
    with pytest.raises(JournalError, match=r"journal\.db-lock: the disk failed"):
        lock.try_acquire()
