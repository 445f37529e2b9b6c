"""Tests of group commit: threads that write at the same time share a transaction."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.sqlite.commits import SqliteCommits
from vtex_tracking_ext.bulk.journal.sqlite.locks import FileLock, is_locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class _Queue(deque[Any]):
    """A queue with a semaphore that is released for each job."""

    def __init__(self) -> None:
        super().__init__()
        self.came = threading.Semaphore(0)

    def append(self, job: Any) -> None:
        super().append(job)
        self.came.release()


class Database:
    """A database with one table of numbers, its group commit, and every statement that was executed."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("CREATE TABLE t (n UNIQUE)")
        self.statements: list[str] = []
        self.connection.set_trace_callback(self.statements.append)
        self.faults: list[Exception] = []
        self.errors: list[BaseException] = []
        self.lock_path = path.with_name("lock")
        self.commits = SqliteCommits(path, self.connection, threading.Lock(), self.check, FileLock(self.lock_path))
        self.queue = _Queue()
        self.commits._queue = self.queue

    def check(self) -> None:
        """Raise an error that a test has prepared."""
        if self.faults:
            raise self.faults.pop()

    def attempt(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Run work, and keep its error."""
        try:
            self.commits.run(work)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.errors.append(error)

    def numbers(self) -> list[int]:
        """Return the committed numbers."""
        assert not self.connection.in_transaction
        return sorted(n for (n,) in self.connection.execute("SELECT n FROM t"))

    def count(self, statement: str) -> int:
        """Return how often a statement was executed."""
        return self.statements.count(statement)

    def together(self, *works: Callable[[sqlite3.Connection], object]) -> list[BaseException | None]:
        """Run all of these in one transaction, each in its own thread, and return their errors."""
        go_on = threading.Event()
        errors: list[BaseException | None] = [None] * (len(works) + 1)

        def hold(_: sqlite3.Connection) -> None:
            assert go_on.wait(30)

        def do(number: int, work: Callable[[sqlite3.Connection], object]) -> None:
            try:
                self.commits.run(work)
            except BaseException as error:  # noqa: BLE001 - the test looks at it
                errors[number] = error

        threads = [threading.Thread(target=do, args=pair) for pair in enumerate([hold, *works])]
        for thread in threads:
            thread.start()
            assert self.queue.came.acquire(timeout=30)
        go_on.set()
        for thread in threads:
            thread.join(30)
        return errors[1:]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Return a database; it is closed after the test."""
    database = Database(tmp_path / "t.db")
    yield database
    database.commits.close()


def insert(*numbers: int) -> Callable[[sqlite3.Connection], int]:
    """Return work that inserts numbers, and returns how many."""

    def work(connection: sqlite3.Connection) -> int:
        connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in numbers])
        return len(numbers)

    return work


def then(work: Callable[[sqlite3.Connection], object], error: BaseException) -> Callable[[sqlite3.Connection], None]:
    """Return work that raises an error after it has been done."""

    def failing(connection: sqlite3.Connection) -> None:
        work(connection)
        raise error

    return failing


def test_work_is_committed_and_its_result_returned(database: Database) -> None:
    """The work is on disk when run returns, and run returns the result."""
    assert database.commits.run(insert(1, 2)) == 2
    assert database.numbers() == [1, 2]


def test_threads_that_write_at_the_same_time_share_a_transaction(database: Database) -> None:
    """Nine threads need two commits: one for the first thread, and one for all that waited for it."""
    assert database.together(*[insert(n) for n in range(8)]) == [None] * 8
    assert database.count("COMMIT") == 2
    assert database.numbers() == list(range(8))


def test_an_error_of_one_job_rolls_back_only_that_job(database: Database) -> None:
    """The other jobs of the transaction are committed, and the error is raised in the thread that failed."""
    error = ValueError("not so")
    assert database.together(insert(1), then(insert(2), error), insert(3)) == [None, error, None]
    assert database.numbers() == [1, 3]
    assert database.count("COMMIT") == 2


def test_the_other_jobs_are_committed_once_however_many_fail(database: Database) -> None:
    """The other jobs are rolled back with each failure, run again, and committed once."""
    first, last = ValueError("first"), ValueError("last")
    works = [then(insert(1), first), insert(2), insert(3), then(insert(4), last)]
    assert database.together(*works) == [first, None, None, last]
    assert database.numbers() == [2, 3]
    assert database.together(then(insert(5), first)) == [first]
    assert database.numbers() == [2, 3]


def test_an_error_of_the_database_rolls_back_the_transaction(database: Database) -> None:
    """Every job of the transaction fails with JournalError, and nothing of it is committed."""
    errors = database.together(insert(1), insert(2, 2), insert(3))
    assert ["it is damaged" in str(error) and "(UNIQUE constraint failed: t.n)" in str(error) for error in errors] == [
        True
    ] * 3
    assert {type(error) for error in errors} == {JournalError}
    assert database.numbers() == []
    assert database.commits.run(insert(2)) == 1


def test_an_interrupt_rolls_back_the_transaction(database: Database) -> None:
    """The interrupt is raised in its own thread; the others fail with JournalError and do not wait forever."""
    errors = database.together(insert(1), then(insert(2), KeyboardInterrupt()), insert(3))
    assert sorted(type(error).__name__ for error in errors) == ["JournalError", "JournalError", "KeyboardInterrupt"]
    assert {str(error) for error in errors if isinstance(error, JournalError)} == {
        "The journal's transaction was interrupted."
    }
    assert database.numbers() == []
    assert database.commits.run(insert(4)) == 1


def test_no_thread_believes_in_a_commit_after_an_interrupt(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread was interrupted after it took another one's job from the queue: neither is done, nor runs later."""
    taken: list[Any] = []

    def take(_: _Queue) -> Any:
        taken.append(deque.popleft(database.queue))
        if len(taken) == 2:
            raise KeyboardInterrupt
        return taken[-1]

    database.commits.run(insert(1))
    monkeypatch.setattr(_Queue, "popleft", take, raising=False)
    with database.commits._lock:
        threads = [threading.Thread(target=database.attempt, args=(insert(n),)) for n in (2, 3)]
        for thread in threads:
            thread.start()
        while len(database.queue) < 2:
            threading.Event().wait(0.001)
    for thread in threads:
        thread.join(30)
    assert sorted(map(repr, database.errors)) == [
        'JournalError("The journal\'s transaction was interrupted.")',
        "KeyboardInterrupt()",
    ]
    assert database.numbers() == [1]


def test_no_transaction_begins_if_the_check_fails(database: Database) -> None:
    """The check runs before each transaction, and its error is raised."""
    database.faults.append(JournalError("moved"))
    with pytest.raises(JournalError, match="moved"):
        database.commits.run(insert(1))
    assert database.count("BEGIN IMMEDIATE") == 0
    database.commits.run(insert(2))
    assert database.numbers() == [2]


def test_write_lock_is_held_while_the_database_is_used(database: Database) -> None:
    """The lock is held in each transaction and by work outside of one, also if it fails, and is free afterwards."""
    held: list[bool] = []

    def work(connection: sqlite3.Connection) -> None:
        held.append(is_locked(database.lock_path))
        connection.execute("INSERT INTO t VALUES (1)")

    database.commits.run(work)
    for use in (database.commits.run, database.commits.run_alone):
        with pytest.raises(JournalError, match=r"\(UNIQUE constraint failed: t\.n\)"):
            use(work)
    assert held == [True] * 3
    assert not is_locked(database.lock_path)


def test_nothing_runs_after_closing(database: Database) -> None:
    """Closing is idempotent, and running work afterwards raises JournalError."""
    database.commits.close()
    database.commits.close()
    with pytest.raises(JournalError, match=r"The journal has been closed\."):
        database.commits.run(insert(1))
