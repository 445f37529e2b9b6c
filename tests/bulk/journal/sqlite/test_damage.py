"""Tests of damaged journals in files: copies without their log, flipped bits, damaged indexes.

``scripts/damage_trial`` damages hundreds of copies at random places.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.journal import opening
from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader, file, locks, mark

from support.journaled import START, add, delivery, row, to_state, told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


#: The application id while a log is begun, after the first one of a journal.
MARK = int.from_bytes(b"VTXL")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a journal with three applied events, one that is pending, and a delivery."""
    path = tmp_path / "journal.db"
    with SqliteJournal.open(path) as journal:
        add(journal, row(2, "a"), row(3, "b"), row(4, "c", event_id="1"), delivery(5, "2026-10-02"), row(6, "e"))
        to_state(journal, range(1, 5), "applied")
    return path


def copied(journal: Path, folder: Path, *endings: str) -> Path:
    """Copy the files of a journal that is in use, and return the copy's path."""
    folder.mkdir()
    for ending in endings:
        shutil.copy2(f"{journal}{ending}", folder)
    return folder / journal.name


def flip(path: Path, content: bytes, last: int = -1) -> None:
    """Flip a bit of the last place of some bytes in a file."""
    data = bytearray(path.read_bytes())
    data[data.rindex(content) + len(content) + last] ^= 1
    path.write_bytes(data)


def why(use: Callable[[], object]) -> str:
    """Return why a journal is damaged."""
    with pytest.raises(JournalError, match="it is damaged; restore it from a backup") as caught:
        use()
    return str(caught.value)


class TestLog:
    """What was last written is in a log beside the journal."""

    @pytest.mark.parametrize("use", [SqliteJournal.open, SqliteReader.open, opening.migrate])
    def test_copy_without_its_log_is_refused(self, path: Path, tmp_path: Path, use: Callable[[Path], object]) -> None:
        """A copy of the journal's file alone, which was made while a process used it, is not an older journal.

        It is refused every time, and changed by nothing.
        """
        with SqliteJournal.open(path) as journal:
            add(journal, row(7, "f"))
            copy = copied(path, tmp_path / "copy", "", "-lock")
        for _ in range(2):
            assert "its latest changes are in the file journal.db-wal, which is missing" in why(lambda: use(copy))
        assert copy.read_bytes() != path.read_bytes()

    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_copy_with_its_log_is_complete(self, path: Path, tmp_path: Path, number: int) -> None:
        """A copy of all files that was made while nothing was written is what a killed process leaves."""
        with SqliteJournal.open(path) as journal, SqliteJournal.open(path) as other:
            for line in range(7, 7 + number):
                add((journal, other)[line % 2], row(line, f"event {line}"))
            copy = copied(path, tmp_path / "copy", "", "-wal")
        with SqliteReader.open(copy) as reader:
            expected = told(reader)
        assert len(expected) == 5 + number
        with SqliteJournal.open(copy) as again:
            assert told(again) == expected
        with SqliteReader.open(copy) as reader:
            assert told(reader) == expected

    @pytest.mark.parametrize("open_", [SqliteJournal.open, SqliteReader.open])
    def test_log_with_a_flipped_bit_is_refused_and_stays(
        self, path: Path, tmp_path: Path, open_: Callable[[Path], object]
    ) -> None:
        """SQLite would ignore what comes after the bit, and remove the log. It stays, so that it is refused again."""
        with SqliteJournal.open(path) as journal:
            for line in range(7, 12):
                add(journal, row(line, f"event {line}"))
            copy = copied(path, tmp_path / "copy", "", "-wal", "-lock")
        log = copy.with_name("journal.db-wal")
        flip(log, b"event 8")
        damaged = log.read_bytes()
        for _ in range(2):
            assert "the end of its file journal.db-wal cannot be read" in why(lambda: open_(copy))
        assert log.read_bytes() == damaged

    @pytest.mark.parametrize("first", ["", "-wal"])
    def test_copy_that_was_made_while_the_journal_was_written_is_refused(
        self, path: Path, tmp_path: Path, first: str
    ) -> None:
        """The journal's file and its log were copied one after the other, and the log was begun anew in between."""
        second = {"": "-wal", "-wal": ""}[first]
        with SqliteJournal.open(path) as journal:
            add(journal, row(7, "f"))
            copy = copied(path, tmp_path / "copy", first)
            mark.begin_log(path, journal._commits._connection)
            add(journal, row(8, "g"))
            shutil.copy2(f"{path}{second}", copy.parent)
        for use in (SqliteReader.open, SqliteJournal.open):
            assert "do not belong together" in why(lambda use=use: use(copy))  # type: ignore[misc]

    def test_letters_of_the_mark_begin_again(self, path: Path, tmp_path: Path) -> None:
        """The log can be begun any number of times, with a copy after each that is complete."""
        with SqliteJournal.open(path) as journal:
            for line in range(7, 37):
                mark.begin_log(path, journal._commits._connection)
                add(journal, row(line, f"event {line}"))
                copy = copied(path, tmp_path / f"copy{line}", "", "-wal")
                mark.check_log(copy)

    @pytest.mark.parametrize("kind", ["backup", "VACUUM INTO"])
    def test_copy_by_sqlite_is_complete(self, path: Path, tmp_path: Path, kind: str) -> None:
        """A backup that SQLite makes while a process uses the journal contains everything, and can be used."""
        copy = tmp_path / "copy.db"
        with SqliteJournal.open(path) as journal:
            add(journal, row(7, "f"))
            with closing(sqlite3.connect(path)) as source:
                if kind == "backup":
                    with closing(sqlite3.connect(copy)) as target:
                        source.backup(target)
                else:
                    source.execute("VACUUM INTO ?", (str(copy),))
            expected = told(journal)
        for open_ in (SqliteReader.open, SqliteJournal.open):
            with open_(copy) as again:
                assert told(again) == expected

    def test_log_that_another_program_has_folded_in_is_not_missed(self, path: Path, tmp_path: Path) -> None:
        """After a kill, a database browser can be the last to close the journal, and removes the log."""
        with SqliteJournal.open(path) as journal:
            add(journal, row(7, "f"))
            copy = copied(path, tmp_path / "copy", "", "-wal")
        with closing(sqlite3.connect(copy)) as browser:
            browser.execute("SELECT * FROM entries").fetchall()
        assert not copy.with_name("journal.db-wal").exists()
        with SqliteJournal.open(copy) as again:
            assert len(told(again)) == 6

    @pytest.mark.parametrize("at", ["application_id", "wal_checkpoint"])
    def test_process_that_is_killed_while_it_marks_the_file(self, path: Path, tmp_path: Path, at: str) -> None:
        """A process that was killed between the steps of marking the file leaves a journal that can be used."""
        with SqliteJournal.open(path) as journal:
            connection = journal._commits._connection
            connection.execute(f"PRAGMA application_id = {MARK}")
            if at == "wal_checkpoint":
                connection.execute("PRAGMA wal_checkpoint")
            copy = copied(path, tmp_path / "copy", "", "-wal")
        for _ in range(2):
            with SqliteJournal.open(copy) as again:
                assert len(told(again)) == 5

    def test_mark_that_a_full_disk_left_is_taken_back_at_the_end(self, path: Path) -> None:
        """If the disk was full when the mark was to be taken back, closing the journal does."""
        with SqliteJournal.open(path) as journal:
            journal._commits._connection.execute(f"PRAGMA application_id = {MARK}")
        with SqliteJournal.open(path) as again:
            assert len(told(again)) == 5

    def test_log_stays_short(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """After some changes the log is copied into the file, and overwritten from its start."""
        monkeypatch.setattr("vtex_tracking_ext.bulk.journal.sqlite.commits._CHANGES_PER_LOG", 20)
        with SqliteJournal.open(path) as journal:
            for line in range(10, 110):
                add(journal, row(line, f"event {line}"))
            assert path.with_name("journal.db-wal").stat().st_size < 500_000
            assert path.stat().st_size > 20_000

    @pytest.mark.parametrize("is_writing", [True, False])
    def test_log_of_a_process_is_not_checked(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, is_writing: bool
    ) -> None:
        """A reader does not wait for a process that uses the journal to see whether the log is whole."""
        monkeypatch.setattr(mark, "read_log", lambda *_: pytest.fail("read the log"))
        with SqliteJournal.open(path) as journal:
            add(journal, row(7, "f"))
            with journal._commits._write_lock if is_writing else nullcontext(), SqliteReader.open(path) as reader:
                assert len(told(reader)) == 6

    def test_log_is_checked_where_nothing_can_be_written(self, path: Path, tmp_path: Path) -> None:
        """A copy without its log is refused by a reader that cannot lock it."""
        with SqliteJournal.open(path) as journal:
            add(journal, row(7, "f"))
            copy = copied(path, tmp_path / "copy", "")
        copy.with_name("journal.db-lock").write_text("not a lock file" * 100)
        assert "is missing" in why(lambda: SqliteReader.open(copy))

    def test_last_process_may_end_while_another_one_opens(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The log of the last process is gone after its mark was read: then the mark is gone, too."""
        header = mark.read_header
        marks = [MARK]
        monkeypatch.setattr(mark, "read_header", lambda p: (marks.pop() if marks else header(p)[0], *header(p)[1:]))
        mark.check_log(path)
        assert marks == []


class TestFile:
    """Damage in the journal's own file."""

    def test_damaged_key_is_found_before_its_row_is_sent_again(self, path: Path) -> None:
        """A key that differs between the table and its index would not be recognized."""
        with closing(sqlite3.connect(path)) as connection:
            ((key,),) = connection.execute("SELECT key FROM entries WHERE id = 2")
        flip(path, key)
        assert "missing from index" in why(lambda: SqliteJournal.open(path))

    def test_damaged_key_of_a_pruned_entry_is_found(self, path: Path) -> None:
        """The keys of pruned entries are in an index, too."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("INSERT INTO pruned_keys VALUES (x'00112233445566778899aabbccddeeff', 1)")
            connection.commit()
        flip(path, bytes.fromhex("00112233445566778899aabbccddeeff"))
        assert "missing from index" in why(lambda: SqliteJournal.open(path))

    @pytest.mark.parametrize(
        "change",
        [
            *("event_description = 'x'", "event_time = '09:05'", "event_date = x'01'"),
            *("not_before = 1", "volume = '2'", "volume_delivered = ''", "volume_delivered = x'01'"),
        ],
    )
    def test_damaged_text_is_found_before_it_is_sent(self, path: Path, change: str) -> None:
        """An event whose text does not match its checksum is found when the journal is opened."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"UPDATE entries SET {change} WHERE state = 'pending'")
            connection.commit()
        why(lambda: SqliteJournal.open(path))

    @pytest.mark.parametrize("change", ["event_description = 'x'", "attempts = 'x'", "receipt = x'01'"])
    def test_damaged_text_is_found_when_it_is_read(self, path: Path, change: str) -> None:
        """An event that was applied is checked when it is read, for a report or to compare an order."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"UPDATE entries SET {change} WHERE id = 3")
            connection.commit()
        with SqliteReader.open(path) as journal:
            assert "entry 3" in why(lambda: told(journal))
            assert "entry 3" in why(lambda: told(journal, Selection(ids=(3,))))

    @pytest.mark.parametrize(
        ("change", "again"),
        [
            ("state = 'x'", row(3, "b")),
            ("line = 'x'", row(3, "b")),
            ("reason = x'01'", row(3, "b")),
            ("delivered_date = '2026-10-03'", delivery(5, "2026-10-02")),
            ("delivered_date = 1", delivery(5, "2026-10-02")),
            ("delivered_date = '2026-10-03'", row(3, "b")),
            ("not_before = 1", row(3, "b")),
            ("not_before = 'x'", delivery(5, "2026-10-02")),
            ("volume = '2'", row(7, "f", volume="1")),
        ],
    )
    def test_damaged_entry_is_found_when_its_row_is_noted_again(self, path: Path, change: str, again: Any) -> None:
        """The state, the date and the hold of a delivery, and volumes, decide what a row means, and are checked."""
        with SqliteJournal.open(path) as journal:
            journal._commits._connection.execute("PRAGMA ignore_check_constraints = ON")
            journal._commits._connection.execute(f"UPDATE entries SET {change}")
            why(lambda: add(journal, again))

    @pytest.mark.parametrize("hold", ["NULL", "not_before - 1", "not_before + 1"])
    def test_damaged_hold_does_not_release_a_delivery(self, tmp_path: Path, hold: str) -> None:
        """A held delivery whose hold was changed is neither counted as free nor sent."""
        path = tmp_path / "held.db"
        with SqliteJournal.open(path) as journal:
            add(journal, delivery(1, hold_until=START))
            journal._commits._connection.execute(f"UPDATE entries SET not_before = {hold}")
            assert "entry 1" in why(lambda: list(journal.backlog("mystore")))
        os.utime(path)
        why(lambda: SqliteJournal.open(path))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE entries SET not_before = 'x'")
            connection.commit()
        with SqliteReader.open(path) as reader:
            why(reader.held)

    def test_a_damaged_time_of_adding_is_damage(self, path: Path) -> None:
        """It is not taken for how long an entry waits."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE entries SET state = 'pending', not_before = NULL, added = 'x'")
            connection.commit()
        with SqliteReader.open(path) as reader:
            why(reader.pending_since)

    def test_missing_date_of_creation_is_damage(self, path: Path) -> None:
        """What a journal says of itself is checked, too."""
        for change in ("UPDATE meta SET value = 'x'", "DELETE FROM meta"):
            with closing(sqlite3.connect(path)) as connection:
                connection.execute(change)
                connection.commit()
            with SqliteReader.open(path) as journal:
                why(journal.meta)

    @pytest.mark.parametrize("column", ["source", "account"])
    def test_entry_without_its_source_or_account_is_found(self, path: Path, column: str) -> None:
        """Queries would leave out such an entry, so that it would be neither sent nor recognized."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"UPDATE entries SET {column} = 0 WHERE id = 3")
            connection.commit()
        assert f"entries 3: no {column}s" in why(lambda: SqliteJournal.open(path))

    @pytest.mark.parametrize("change", ["stopped_reason = x'01'", "revision = 'x'", "resend_after = 'x'"])
    def test_damaged_account_is_found(self, path: Path, change: str) -> None:
        """What is known of an account has the right types."""
        with SqliteJournal.open(path) as journal:
            journal._commits._connection.execute(f"UPDATE accounts SET {change}")
            assert "a value of another type" in why(journal.accounts)

    def test_other_tables_are_damage(self, path: Path) -> None:
        """A table that lacks a column, or is missing, is reported as damage."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("ALTER TABLE entries RENAME COLUMN receipt TO receipd")
        with SqliteReader.open(path) as journal:
            assert "no such column: e.receipt" in why(lambda: told(journal))

    def test_message_that_is_not_text_is_damage_in_a_transaction_too(self, path: Path) -> None:
        """Python cannot decode SQLite's message about some damage."""

        def fail(_: sqlite3.Connection) -> None:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

        with SqliteJournal.open(path) as journal:
            why(lambda: journal._commits.run(fail))


class TestChecking:
    """A journal is checked when it is opened, unless it is as this program left it."""

    @pytest.fixture
    def checks(self, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        """Return a list that gets an item for each opening: whether the journal was checked."""
        checks: list[bool] = []
        open_to_write = file.open_to_write

        def watched(path: Path, *, is_checked: bool) -> sqlite3.Connection:
            checks.append(is_checked)
            return open_to_write(path, is_checked=is_checked)

        monkeypatch.setattr(file, "open_to_write", watched)
        return checks

    def test_unchanged_journal_is_not_checked_again(self, path: Path, checks: list[bool]) -> None:
        """It is checked neither after it was closed nor while other threads or processes use it."""
        SqliteJournal.open(path).close()
        with SqliteJournal.open(path) as journal:
            add(journal, row(7, "f"))
            SqliteJournal.open(path).close()
        SqliteJournal.open(path).close()
        assert checks == [False] * 4

    def test_changed_journal_is_checked_once(self, path: Path, tmp_path: Path, checks: list[bool]) -> None:
        """A copy, and a journal that another program changed, is checked when it is opened."""
        copy = copied(path, tmp_path / "copy", "")
        SqliteJournal.open(copy).close()
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("UPDATE accounts SET stopped_reason = 'x'")
            connection.commit()
        SqliteJournal.open(copy).close()
        SqliteJournal.open(copy).close()
        assert checks == [True, True, False]

    def test_journal_of_a_killed_process_is_checked(self, path: Path, tmp_path: Path, checks: list[bool]) -> None:
        """A log that was left behind is checked, and the journal with it."""
        with SqliteJournal.open(path) as journal:
            add(journal, row(7, "f"))
            copy = copied(path, tmp_path / "copy", "", "-wal", "-lock", "-open")
        SqliteJournal.open(copy).close()
        SqliteJournal.open(copy).close()
        assert checks == [False, True, False]

    def test_process_that_is_stopped_does_not_keep_others_from_closing(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, checks: list[bool]
    ) -> None:
        """If it holds the write lock for too long, it is not found out who is the last, and the journal is checked."""
        monkeypatch.setattr(locks, "_LAST_USE_TIMEOUT", 0.01)
        journal = SqliteJournal.open(path)
        with closing(locks.FileLock(locks.write_lock_path(path))) as lock:
            assert lock.try_acquire()
            journal.close()
        path.touch()
        SqliteJournal.open(path).close()
        SqliteJournal.open(path).close()
        assert checks == [False, True, False]

    def test_journal_that_failed_is_checked(self, path: Path, checks: list[bool]) -> None:
        """After an error of SQLite, the next process checks the journal."""
        with SqliteJournal.open(path) as journal:
            with suppress(JournalError):
                journal._commits.run(lambda connection: connection.execute("SELECT none"))
            add(journal, row(7, "f"))
            journal.close()
            journal.close()
        SqliteJournal.open(path).close()
        assert checks == [False, True]
