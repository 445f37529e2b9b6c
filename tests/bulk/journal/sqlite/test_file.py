"""The file of a journal: locks, other people's files, damage, and what it all is called."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.rows import Place, Row
from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES, STATES, Selection
from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalInUseError
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader, file

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
QUERIES = SqliteReader._queries
needs_permissions = pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a journal may be made: in a folder with a difficult name, of its own."""
    folder = tmp_path / "a folder?#%41"
    folder.mkdir()
    return folder / "journal.db"


def opened(path: Path) -> SqliteJournal:
    """Open a journal to write to it."""
    return SqliteJournal.open(path, lambda: NOW)


def rows(number: int, length: int = 10) -> list[Row]:
    """Return rows of one event each."""
    events = [TrackingEvent("2026-10-01", str(n).zfill(length)) for n in range(number)]
    return [
        Row(Place("f.csv", n), "", "o-01", str(n), event, is_delivered=False, delivered_date=None)
        for n, event in enumerate(events, 2)
    ]


def filled(path: Path, number: int = 50) -> None:
    """Make a journal with some entries."""
    with opened(path) as journal:
        assert len(list(journal.add(rows(number), "mystore"))) == number


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}


def pragma(journal: SqliteJournal, statement: str) -> int | str:
    """Execute a PRAGMA where the journal writes, and return its value."""
    (value,) = journal._commits._connection.execute(f"PRAGMA {statement}").fetchone()
    assert isinstance(value, int | str)
    return value


def why(use: Callable[[], object]) -> str:
    """Return why a journal cannot be used."""
    with pytest.raises(JournalError) as caught:
        use()
    assert caught.value.applied is False
    return str(caught.value)


def read_all(journal: SqliteJournal) -> object:
    """Read every entry."""
    return list(journal.entries())


def read_one(journal: SqliteJournal) -> object:
    """Read the first entry, whatever its state."""
    return list(journal.entries(Selection(ids=(1,))))


def begin_one(journal: SqliteJournal) -> object:
    """Begin to send the first entry."""
    return journal.mark_in_flight([1])


class TestMaking:
    """A journal that is not there yet."""

    def test_it_is_for_its_owner_alone(self, path: Path) -> None:
        """It names orders. Its companions are made alike."""
        with opened(path) as journal:
            list(journal.add(rows(1), "mystore"))
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
        assert {modes[name] for name in ("journal.db", "journal.db-wal", "journal.db-shm")} == {0o600}

    def test_it_leaves_itself_and_its_lock(self, path: Path) -> None:
        """When it is closed, everything is in one file."""
        filled(path)
        assert {p.name: p.stat().st_size > 0 for p in path.parent.iterdir()} == {
            "journal.db": True,
            "journal.db-lock": False,
        }

    def test_it_is_durable(self, path: Path) -> None:
        """A log that is synchronised at each commit."""
        with opened(path) as journal:
            assert pragma(journal, "journal_mode") == "wal"
            assert pragma(journal, "synchronous") == 2

    def test_it_takes_the_place_of_an_empty_file(self, path: Path) -> None:
        """Such as the shell or tempfile makes."""
        path.touch()
        filled(path)
        with SqliteReader.open(path) as journal:
            assert journal.counts() == {"mystore": {"pending": 50}}

    def test_a_half_made_one_is_no_matter(self, path: Path) -> None:
        """Of a process that was killed while it made it."""
        path.with_name("journal.db-new").write_bytes(b"half")
        filled(path)
        assert not path.with_name("journal.db-new").exists()

    def test_it_is_made_only_where_that_is_wanted(self, path: Path) -> None:
        """Looking, or settling what is unknown, needs one that is there."""
        said = f"There is no journal {path}; a push creates it."
        assert why(lambda: SqliteJournal.open(path, create=False)) == said
        assert why(lambda: SqliteReader.open(path)) == said
        assert list(path.parent.iterdir()) == []
        filled(path)
        SqliteJournal.open(path, create=False).close()

    def test_a_link_leads_to_the_same_journal_and_lock(self, path: Path) -> None:
        """Whatever name a run uses."""
        link = path.with_name("link.db")
        link.symlink_to(path)
        with opened(link) as journal:
            assert journal.path == path.resolve()
            with pytest.raises(JournalInUseError):
                opened(path)
        assert link.is_symlink()


class TestTemporary:
    """A journal to plan with."""

    def test_it_vanishes(self) -> None:
        """With its folder, when it is closed."""
        with SqliteJournal.temporary() as journal:
            list(journal.add(rows(1), "mystore"))
            folder = journal.path.parent
            assert folder.parent == Path(gettempdir())
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert pragma(journal, "synchronous") == 0
        assert not folder.exists()

    def test_there_may_be_several(self) -> None:
        """Each on its own."""
        with SqliteJournal.temporary() as one, SqliteJournal.temporary() as other:
            list(one.add(rows(1), "mystore"))
            assert other.counts() == {}

    def test_no_room_for_it_is_told(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """In words."""
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
        assert "No such file or directory" in why(SqliteJournal.temporary)


class TestTrial:
    """A temporary journal that knows what another one does."""

    def test_it_knows_what_the_other_knows(self, path: Path) -> None:
        """And changes nothing of it, nor makes a lock beside it."""
        filled(path, 5)
        before = contents(path.parent)
        with SqliteJournal.temporary_copy(path, lambda: NOW) as trial:
            assert [added.status for added in trial.add(rows(6), "mystore")] == ["known"] * 5 + ["new"]
            trial.mark_in_flight([1])
            assert trial.counts() == {"mystore": {"pending": 5, "in_flight": 1}}
        assert contents(path.parent) == before

    def test_it_can_be_made_during_a_run(self, path: Path) -> None:
        """What the run has noted is in it."""
        with opened(path) as journal:
            list(journal.add(rows(2), "mystore"))
            with SqliteJournal.temporary_copy(path) as trial:
                assert trial.counts() == {"mystore": {"pending": 2}}

    def test_without_the_other_it_begins_empty(self, path: Path) -> None:
        """Even without its folder; nothing is made."""
        for place in (path, path.parent / "none" / "journal.db"):
            with SqliteJournal.temporary_copy(place) as trial:
                assert trial.counts() == {}
        assert contents(path.parent) == {}

    def test_what_is_no_journal_is_refused(self, path: Path) -> None:
        """And leaves no temporary one behind."""
        path.write_bytes(b"something else")
        assert "it is not a journal" in why(lambda: SqliteJournal.temporary_copy(path))

    def test_a_damaged_one_is_refused(self, path: Path) -> None:
        """By its name, not that of the temporary one."""
        filled(path)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2 // 4096 * 4096])
        assert str(path) in why(lambda: SqliteJournal.temporary_copy(path))


class TestLock:
    """One run at a time."""

    def test_a_second_run_is_told_who_has_it(self, path: Path) -> None:
        """File, process and time."""
        with opened(path):
            with pytest.raises(JournalInUseError) as caught:
                opened(path)
            assert str(caught.value) == (
                f"The journal {path} is in use by another run (process {os.getpid()}, "
                "since 2026-11-23 12:00:00+00:00); wait until it ends, or end it."
            )
        opened(path).close()

    def test_a_run_that_is_just_making_it_is_not_known(self, path: Path) -> None:
        """There is nowhere yet to look for its name."""
        with closing(file.acquire_lock(path, str)), pytest.raises(JournalInUseError, match=r"by another run; wait"):
            opened(path)

    def test_a_run_of_another_process_has_it_until_it_is_killed(self, path: Path) -> None:
        """And the system lets go of it then, whatever the process had in mind."""
        program = (
            "import sys\n"
            "from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal\n"
            "journal = SqliteJournal.open(sys.argv[1])\n"
            "print('open', flush=True)\n"
            "sys.stdin.read()\n"
        )
        command = [sys.executable, "-c", program, str(path)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as other:
            try:
                assert other.stdout is not None
                assert other.stdout.readline() == b"open\n"
                assert f"(process {other.pid}, since " in why(lambda: opened(path))
                with SqliteReader.open(path) as journal:
                    assert journal.counts() == {}
            finally:
                other.send_signal(signal.SIGKILL)
        filled(path)

    def test_a_lock_file_that_is_something_else_is_named(self, path: Path) -> None:
        """And left as it is."""
        lock = path.with_name("journal.db-lock")
        lock.write_text("12345\n" * 1000)
        assert why(lambda: opened(path)).startswith(f"The journal file {lock}: it is not a journal; name another file.")
        assert lock.read_text() == "12345\n" * 1000

    def test_a_lock_is_free_again_where_opening_fails(self, path: Path) -> None:
        """Nothing keeps it by accident."""
        filled(path)
        damage(path, file.APPLICATION_ID.to_bytes(4), 200)
        why(lambda: opened(path))
        file.acquire_lock(path, str).close()


def damage(path: Path, after: bytes, length: int) -> None:
    """Garble some bytes of a file that come after others."""
    data = bytearray(path.read_bytes())
    start = data.index(after) + len(after) + 40
    data[start : start + length] = b"\xff" * length
    path.write_bytes(data)


class TestOtherFiles:
    """What is no journal is refused and stays as it is, without anything beside it."""

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
        """The file of events, say, by a slip."""
        path.write_bytes(content)
        assert why(lambda: use(path)).startswith(f"The journal file {path}: it is not a journal; name another file.")
        assert contents(path.parent) == {"journal.db": content}

    @pytest.mark.parametrize("use", [opened, SqliteReader.open])
    @pytest.mark.parametrize("mode", ["DELETE", "WAL"])
    def test_another_database(self, path: Path, use: Callable[[Path], object], mode: str) -> None:
        """SQLite keeps browsers' and telephones' data too."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA journal_mode = {mode}")
            connection.execute("CREATE TABLE entries (id)")
        before = contents(path.parent)
        assert why(lambda: use(path)) == f"The journal file {path}: it is not a journal; name another file."
        assert contents(path.parent) == before

    @pytest.mark.parametrize("use", [opened, SqliteReader.open])
    def test_no_file_at_all(self, path: Path, use: Callable[[Path], object]) -> None:
        """A folder, a pipe: neither is read, replaced or waited for."""
        path.mkdir()
        pipe = path.with_name("pipe")
        os.mkfifo(pipe)
        assert why(lambda: use(path)) == f"{path} is not a file; name another place for the journal."
        assert why(lambda: use(pipe)) == f"{pipe} is not a file; name another place for the journal."
        assert sorted(p.name for p in path.parent.iterdir()) == ["journal.db", "pipe"]

    @pytest.mark.parametrize("use", [opened, SqliteReader.open])
    def test_no_folder(self, path: Path, use: Callable[[Path], object]) -> None:
        """A journal makes no folders: a slip would put it where nobody looks for it."""
        inside = path.with_name("none") / "journal.db"
        assert why(lambda: use(inside)) == (
            f"The journal file {inside}: No such file or directory; fix that, or name a journal elsewhere."
        )
        path.write_text("a file")
        assert "Not a directory" in why(lambda: use(path / "journal.db"))
        assert contents(path.parent) == {"journal.db": b"a file"}

    def test_messages_are_fit_to_be_seen(self, tmp_path: Path) -> None:
        """Whatever a folder is called."""
        assert r"\x1b[31m" in why(lambda: SqliteReader.open(tmp_path / "\x1b[31m"))


class TestVersions:
    """Newer and older journals."""

    @pytest.mark.parametrize("use", [opened, SqliteReader.open])
    def test_a_newer_one_is_refused_and_left_alone(self, path: Path, use: Callable[[Path], object]) -> None:
        """With both versions in the message."""
        filled(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 7")
        path.with_name("journal.db-lock").unlink()
        before = contents(path.parent)
        assert why(lambda: use(path)) == (
            f"The journal {path} has version 7, but this program supports versions up to {file.SCHEMA_VERSION}; "
            "use a newer vtex-tracking, or another journal."
        )
        assert contents(path.parent) == before

    def test_a_newer_one_is_noticed_in_the_log_too(self, path: Path) -> None:
        """Where the version has not come into the main file yet."""
        with opened(path) as journal:
            journal._commits._connection.execute("PRAGMA user_version = 7")
            assert file.is_journal(path)
            for use in (file.open_to_write, file.open_to_read):
                assert "has version 7" in why(lambda use=use: use(path))  # type: ignore[misc]

    def test_an_older_one_is_brought_up_to_date(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Version by version, by whoever writes to it; whoever looks at it says what to do."""
        filled(path)
        now = file.SCHEMA_VERSION
        monkeypatch.setattr(file, "SCHEMA_VERSION", now + 2)
        monkeypatch.setitem(file.MIGRATIONS, now, ("ALTER TABLE entries ADD COLUMN courier TEXT",))
        monkeypatch.setitem(file.MIGRATIONS, now + 1, ("UPDATE entries SET courier = 'x'", "CREATE TABLE later (n)"))
        assert why(lambda: SqliteReader.open(path)) == (
            f"The journal {path} has version {now}, but this program reads version {now + 2}; "
            "a push with this program brings it up to date."
        )
        with opened(path) as journal:
            assert journal.meta().schema_version == now + 2
            assert journal._fetch("SELECT DISTINCT courier FROM entries", {}) == [("x",)]
            assert len(list(journal.entries())) == 50
        with SqliteReader.open(path) as journal:
            assert journal.meta().schema_version == now + 2

    def test_the_first_version_is_brought_up_to_date(self, path: Path) -> None:
        """It had another index of what is open."""
        filled(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 1")
            connection.execute("DROP INDEX open_entries")
            open_states = "state IN ('pending', 'in_flight', 'unknown')"
            connection.execute(f"CREATE INDEX open_entries ON entries (package) WHERE {open_states}")
        with opened(path) as journal:
            ((definition,),) = journal._fetch("SELECT sql FROM sqlite_master WHERE name = 'open_entries'", {})
            assert definition in file.SCHEMA[-1]
            assert len(list(journal.open_packages())) == 50

    def test_a_migration_that_fails_changes_nothing(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The version before is whole."""
        filled(path)
        with monkeypatch.context() as patch:
            patch.setattr(file, "SCHEMA_VERSION", file.SCHEMA_VERSION + 1)
            patch.setitem(
                file.MIGRATIONS, file.SCHEMA_VERSION - 1, ("CREATE TABLE later (n)", "CREATE TABLE entries (n)")
            )
            assert "table entries already exists" in why(lambda: opened(path))
        with opened(path) as journal:
            assert journal.meta().schema_version == file.SCHEMA_VERSION
            assert journal._fetch("SELECT count(*) FROM sqlite_master WHERE name = 'later'", {}) == [(0,)]


class TestFailures:
    """Disks and people: the journal says what happened and how to mend it, and nothing counts that it did not note."""

    def test_a_full_disk(self, path: Path) -> None:
        """Nothing of the transaction is kept; when there is room again, it goes on."""
        with opened(path) as journal:
            list(journal.add(rows(20), "mystore"))
            pragma(journal, f"max_page_count = {pragma(journal, 'page_count')}")
            said = why(lambda: list(journal.add(rows(1000, 500), "mystore")))
            assert said.startswith(f"The journal file {path}: the disk is full; free some space and run again (")
            assert journal.counts() == {"mystore": {"pending": 20}}
            (entry,) = journal.mark_in_flight([1])
            assert entry.state == "in_flight"
            pragma(journal, "max_page_count = 100000")
            assert len(list(journal.add(rows(1000, 500), "mystore"))) == 1000

    def test_a_file_that_cannot_be_written_to(self, path: Path) -> None:
        """As SQLite says it, whoever runs the tests."""
        with opened(path) as journal:
            list(journal.add(rows(1), "mystore"))
            journal._commits._connection.execute("PRAGMA query_only = ON")
            assert "it is read-only; allow writing to it and its folder" in why(lambda: journal.mark_in_flight([1]))
            assert [e.state for e in journal.entries()] == ["pending"]

    @needs_permissions
    def test_a_read_only_folder(self, path: Path) -> None:
        """Nobody can write; whoever looks at a journal at rest can."""
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
    def test_a_file_of_somebody_else(self, path: Path) -> None:
        """It is not even known whether it is a journal."""
        filled(path)
        path.chmod(0)
        for use in (opened, SqliteReader.open):
            assert "it cannot be opened; check that the folder" in why(lambda use=use: use(path))  # type: ignore[misc]

    def test_a_journal_at_rest_can_be_read_where_nothing_can_be_written(self, path: Path) -> None:
        """A companion of SQLite that cannot be made has the effect of a read-only folder, for root too."""
        filled(path)
        path.with_name("journal.db-shm").symlink_to("no/where")
        with SqliteReader.open(path) as journal:
            assert journal.counts() == {"mystore": {"pending": 50}}

    def test_a_journal_with_a_log_cannot(self, path: Path) -> None:
        """Its last entries are in the log, and would be missed."""
        filled(path)
        path.with_name("journal.db-shm").symlink_to("no/where")
        path.with_name("journal.db-wal").write_bytes(b"x")
        assert "it cannot be opened" in why(lambda: SqliteReader.open(path))

    def test_a_lock_of_another_program(self, path: Path) -> None:
        """A backup, a database browser: waited for, but not for ever."""
        with opened(path) as journal:
            list(journal.add(rows(1), "mystore"))
            pragma(journal, "busy_timeout = 1")
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                assert "another program (a backup, a database browser) has locked it" in why(
                    lambda: journal.mark_in_flight([1])
                )
            assert len(journal.mark_in_flight([1])) == 1

    @pytest.mark.parametrize("companion", ["", "-lock"])
    def test_a_file_that_is_taken_away(self, path: Path, companion: str) -> None:
        """SQLite would go on writing to nowhere; and without the lock file a second run could begin."""
        taken = path.with_name(path.name + companion)
        with opened(path) as journal:
            list(journal.add(rows(1), "mystore"))
            taken.rename(path.with_name("elsewhere"))
            said = f"{taken} was moved or deleted during the run; put it back where it was and run again."
            assert why(lambda: journal.mark_in_flight([1])) == said
            taken.touch()
            assert why(lambda: journal.mark_in_flight([1])) == said
            path.with_name("elsewhere").replace(taken)
            assert len(journal.mark_in_flight([1])) == 1

    def test_a_folder_that_is_deleted(self, path: Path) -> None:
        """With all that is in it."""
        with opened(path) as journal:
            list(journal.add(rows(1), "mystore"))
            shutil.rmtree(path.parent)
            assert "was moved or deleted during the run" in why(lambda: journal.mark_in_flight([1]))

    def test_damage_in_the_middle(self, path: Path) -> None:
        """SQLite sees it; the message warns of beginning anew."""
        filled(path, 500)
        data = bytearray(path.read_bytes())
        data[4096:] = b"\xa5" * len(data[4096:])
        path.write_bytes(data)
        for use in (opened, SqliteReader.open):
            said = why(lambda use=use: use(path))  # type: ignore[misc]
            assert said.startswith(
                f"The journal file {path}: it is damaged; restore it from a backup. "
                "A new journal has no history and would send everything again ("
            )

    def test_a_file_that_was_cut(self, path: Path) -> None:
        """By a copy that broke off."""
        filled(path, 500)
        os.truncate(path, path.stat().st_size // 2)
        for use in (opened, SqliteReader.open):
            assert "it is damaged" in why(lambda use=use: use(path))  # type: ignore[misc]

    def test_a_file_whose_rest_is_in_the_log(self, path: Path) -> None:
        """A run that is killed while the log is carried over leaves one that is too short, and is not damaged."""
        with opened(path) as journal:
            list(journal.add(rows(500), "mystore"))
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
            ("state = CAST(x'ff' AS TEXT)", begin_one),
            ("added = 9223372036854775807", read_one),
            ("added = 9223372036854775807", begin_one),
            ("added = 'x'", read_all),
            ("event_description = CAST(x'ff' AS TEXT)", read_all),
            ("event_description = CAST(x'ff' AS TEXT)", begin_one),
        ],
    )
    def test_damage_that_only_we_can_see(self, path: Path, change: str, use: Callable[[SqliteJournal], object]) -> None:
        """Bytes that make nonsense of an entry, in a database that is sound."""
        filled(path, 1)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.execute(f"UPDATE entries SET {change}")
            connection.commit()
        with opened(path) as journal:
            before = journal._fetch("SELECT attempts FROM entries", {})
            assert why(lambda: use(journal)).startswith(f"The journal file {path}: it is damaged; restore it")
            assert journal._fetch("SELECT attempts FROM entries", {}) == before

    def test_damaged_definitions_that_cannot_even_be_quoted(self, path: Path) -> None:
        """Python cannot decode SQLite's message about them."""
        filled(path)
        data = path.read_bytes()
        path.write_bytes(
            data.replace(b"package INTEGER NOT NULL REFERENCES", b"package INTEGER NOT NU\xff\xff REFERENCES")
        )
        for use in (opened, SqliteReader.open):
            assert "it is damaged" in why(lambda use=use: use(path))  # type: ignore[misc]


class TestSpeed:
    """What keeps a large journal quick."""

    @pytest.mark.parametrize("statement", [QUERIES.open_packages, QUERIES.open_entries_of_package])
    def test_open_entries_are_found_by_their_index_and_without_sorting(self, path: Path, statement: str) -> None:
        """However many are settled."""
        filled(path)
        values = {**dict.fromkeys(("account", "order_id", "invoice_number", "last")), "states": OPEN_STATES}
        with SqliteReader.open(path) as journal:
            steps = [step for *_, step in journal._fetch(f"EXPLAIN QUERY PLAN {statement}", values)]
        assert any("USING INDEX open_entries (package" in step for step in steps)
        assert not any("SCAN" in step or "TEMP B-TREE" in step for step in steps)

    def test_open_states_are_those_of_the_index(self) -> None:
        """Else entries would be left behind."""
        settled = [state for state in STATES if state not in OPEN_STATES]
        assert f"WHERE {' AND '.join(f'state <> {state!r}' for state in settled)}" in file.SCHEMA[-1]
        condition = " AND ".join(f"e.state <> {state!r}" for state in settled)
        assert all(
            condition in statement
            for statement in (QUERIES.open_packages, QUERIES.open_entries_of_package, QUERIES.backlogs)
        )
        assert all(f"state = '{state}'" in file.SCHEMA[-2] for state in STATES)


def test_a_lock_is_seen_without_being_taken(tmp_path: Path) -> None:
    """As long as it is held; looking makes no file."""
    path = tmp_path / "journal.db"
    assert not file.is_locked(path)
    assert list(tmp_path.iterdir()) == []
    with closing(file.acquire_lock(path, str)):
        assert file.is_locked(path)
    assert not file.is_locked(path)


def test_a_lock_that_fails_is_neither_held_nor_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, with its file."""
    path = tmp_path / "journal.db"
    file.acquire_lock(path, str).close()

    def failing(*_: object) -> int:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    monkeypatch.setattr(file, "_fetch_int", failing)
    with pytest.raises(JournalError, match=r"journal\.db-lock: the disk failed"):
        file.is_locked(path)
