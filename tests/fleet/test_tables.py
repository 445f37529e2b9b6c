"""The fleet's tables: created whole, once, and upgraded; and the tasks that the database adds itself."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from procrastinate.schema import migrations_path

from vtex_tracking_ext.bulk.journal.entries import AccountUpdate, Selection
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
from vtex_tracking_ext.bulk.journal.postgres.add_rows import PostgresRowWriter
from vtex_tracking_ext.fleet import tables
from vtex_tracking_ext.fleet.tables import create_or_upgrade, migration_names
from vtex_tracking_ext.fleet.task import queue_name

from support.fleets import (
    THOUSAND,
    StoredTask,
    clear_tasks,
    execute,
    fetch_tasks,
    fill,
    fill_many,
    move,
    opened,
    package,
    stored_tasks,
)
from support.journaled import row

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.postgres.schema import Connection

#: The last migration of Procrastinate 3.3.
OLD = "03.03.00_01_pre_priority_lock_fetch_job.sql"


def said(connection: Connection) -> dict[str, str]:
    """Return the versions that are recorded."""
    return dict(
        connection.execute(
            "SELECT name, value FROM meta WHERE name IN ('procrastinate_migration', 'fleet_version')"
        ).fetchall()
    )


def parts(connection: Connection) -> set[tuple[str, str]]:
    """Return functions, triggers, tables, indexes and values of the types of the journal's schema."""
    return {
        (kind, name)
        for kind, name in connection.execute("""
            SELECT 'function', proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
            UNION SELECT 'relation', relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace
            UNION SELECT 'trigger', tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
                WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal
            UNION SELECT typname, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid
                WHERE typnamespace = current_schema()::regnamespace
        """)
        if "sequence" not in name
    }


def test_the_tables_are_created_once(journal_url: str) -> None:
    """The second call changes nothing."""
    with PostgresJournal.open(journal_url) as journal, journal.connections.connection() as connection:
        assert create_or_upgrade(connection)
        assert said(connection) == {"procrastinate_migration": migration_names()[-1], "fleet_version": "2"}
        before = parts(connection)
        assert ("trigger", "vtex_tracking_on_revision") in before
        assert not create_or_upgrade(connection)
        assert parts(connection) == before


def test_concurrent_starts_create_the_tables_once(journal_url: str) -> None:
    """One process creates the tables, the other finds them."""
    barrier = Barrier(2)
    with PostgresJournal.open(journal_url) as journal, ThreadPoolExecutor(2) as pool:

        def start() -> bool:
            with journal.connections.connection() as connection:
                barrier.wait(30)
                return create_or_upgrade(connection)

        assert sorted(future.result(30) for future in [pool.submit(start), pool.submit(start)]) == [False, True]


def test_tables_of_an_earlier_version_are_upgraded(journal_url: str) -> None:
    """The tables of an older Procrastinate and of one task a package equal newly created ones, and work."""
    with PostgresJournal.open(journal_url) as journal, journal.connections.connection() as connection:
        for name in migration_names():
            if name <= OLD:
                connection.execute((migrations_path / name).read_text("utf-8"))
        connection.execute("CREATE TABLE paces (account text PRIMARY KEY, state jsonb NOT NULL)")
        connection.execute("CREATE INDEX vtex_tracking_doorbells ON procrastinate_jobs (lock)")
        for name in ("vtex_tracking.drain", "vtex_tracking.sweep", "theirs"):
            connection.execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', %s)", (name,))
        connection.execute("INSERT INTO meta VALUES ('procrastinate_migration', %s)", (OLD,))
        assert create_or_upgrade(connection)
        updated = parts(connection)
        assert said(connection) == {"procrastinate_migration": migration_names()[-1], "fleet_version": "2"}
        assert not create_or_upgrade(connection)
        assert connection.execute("SELECT task_name FROM procrastinate_jobs").fetchall() == [("theirs",)]
        fill(journal, 2)
        assert fetch_tasks(journal, 2, ["mystore"]) == ["mystore"]
    with opened(f"{journal_url}_new") as journal, journal.connections.connection() as connection:
        assert parts(connection) == updated


def test_tables_of_a_newer_version_are_not_changed(journal_url: str) -> None:
    """An older program may run beside a newer one."""
    with opened(journal_url) as journal, journal.connections.connection() as connection:
        connection.execute("UPDATE meta SET value = '99.00.00_01_x.sql' WHERE name = 'procrastinate_migration'")
        connection.execute("UPDATE meta SET value = '3' WHERE name = 'fleet_version'")
        assert not create_or_upgrade(connection)
        assert said(connection) == {"procrastinate_migration": "99.00.00_01_x.sql", "fleet_version": "3"}


def test_migrations_are_sorted() -> None:
    """Other files beside them are left out."""
    names = migration_names()
    assert names == sorted(names)
    assert OLD in names
    assert "__init__.py" not in names


def test_noting_adds_one_task_an_account(journal: PostgresJournal) -> None:
    """However many packages and rounds of noting there are, an account has one waiting task, due at once."""
    fill(journal, 3, "one", "two")
    fill(journal, 2, account="other")
    fill(journal, 2, "three")
    first, second = stored_tasks(journal)
    assert first == StoredTask(first.id, "mystore", "mystore", "mystore", "todo", "mystore", None)
    assert second == StoredTask(second.id, "other", "other", "other", "todo", "other", None)
    fill(journal, 3, "one", "two")
    assert stored_tasks(journal) == [first, second]


def test_whatever_makes_entries_pending_adds_a_task(journal: PostgresJournal) -> None:
    """Resolving an unknown outcome and retrying a refusal add a task; withdrawing, pruning and a lease do not."""
    fill(journal, 3)
    move(journal, "unknown", package(0))
    move(journal, "refused", package(1))
    clear_tasks(journal)
    journal.withdraw(Selection(package=package(2)))
    with journal.lease("another") as lease:
        assert lease is not None
        lease.update_account(AccountUpdate(has_applied=True))
    assert stored_tasks(journal) == []
    assert journal.resolve(Selection(package=package(0)), "pending") == 1
    assert [task.account for task in stored_tasks(journal)] == ["mystore"]
    clear_tasks(journal)
    assert journal.retry(Selection(package=package(1))) == 1
    assert [task.account for task in stored_tasks(journal)] == ["mystore"]


def test_statements_of_a_person_add_a_task(journal: PostgresJournal) -> None:
    """A change by SQL that lets the revision grow is noticed, too."""
    fill(journal, 1)
    clear_tasks(journal)
    execute(journal, "UPDATE accounts SET revision = revision + 1")
    assert len(stored_tasks(journal)) == 1


def test_a_running_task_does_not_keep_out_a_waiting_one(journal: PostgresJournal) -> None:
    """Rows that are noted during a delivery get a task, which starts after the running one."""
    fill(journal, 1)
    assert fetch_tasks(journal) == ["mystore"]
    fill(journal, 1, "later")
    assert [task.status for task in stored_tasks(journal)] == ["doing", "todo"]
    assert fetch_tasks(journal) == []
    execute(journal, "DELETE FROM procrastinate_jobs WHERE status = 'doing'")
    assert fetch_tasks(journal) == ["mystore"]


def test_a_task_starts_after_the_transaction_that_needs_it(journal: PostgresJournal) -> None:
    """A worker that started the waiting task before the rows are visible would end without them."""
    fill(journal, 1)
    with journal.connections.connection() as connection, connection.transaction():
        connection.execute("UPDATE accounts SET revision = revision + 1 WHERE name = 'mystore'")
        assert fetch_tasks(journal) == []
    assert fetch_tasks(journal) == ["mystore"]


def test_noting_does_not_wait_for_a_worker(journal: PostgresJournal) -> None:
    """While a worker starts the waiting task, noting waits for it, and then adds another task."""
    fill(journal, 1)
    with journal.connections.connection() as connection, connection.transaction():
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        noting = threading.Thread(target=fill, args=(journal, 1, "later"))
        noting.start()
        noting.join(0.1)
        assert noting.is_alive()
    noting.join(30)
    assert [task.status for task in stored_tasks(journal)] == ["doing", "todo"]


@pytest.mark.parametrize(
    "account", ["a" * 40, "a" * 41, "\u00e7" * 20, "\u00e7" * 21, "mystore@127.0.0.1:8000/" + "p" * 40]
)
def test_the_database_names_queues_like_the_worker(journal: PostgresJournal, account: str) -> None:
    """A name that is too long for a channel of PostgreSQL's becomes a digest on both sides."""
    fill(journal, 1, account=account)
    (task,) = stored_tasks(journal)
    assert (task.queue, task.account, task.lock) == (queue_name(account), account, account)


def test_users_without_access_to_the_tasks_can_note(journal: PostgresJournal) -> None:
    """The trigger adds the task with the rights of the user who created it."""
    schema = journal.address.schema
    with journal.connections.connection() as connection:
        connection.execute(f"CREATE ROLE noter_{schema}")
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO noter_{schema}")
        for table in ("accounts", "entries", "packages", "sources", "pruned_keys"):
            connection.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO noter_{schema}")
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL ROLE noter_{schema}")
                PostgresRowWriter(connection, None).add([row(1, "posted", account="mystore")])
        finally:
            connection.execute(f"DROP OWNED BY noter_{schema}")
            connection.execute(f"DROP ROLE noter_{schema}")
    assert len(stored_tasks(journal)) == 1


def add_task(journal: PostgresJournal, seconds: float = 0, worker_start: str = "-infinity") -> float | None:
    """Add a task as a worker does, and return the delay of the account's one task."""
    execute(journal, "SELECT vtex_tracking_add_task('mystore', %s, %s)", seconds, worker_start)
    (task,) = stored_tasks(journal)
    return task.delay


def test_a_task_can_be_scheduled_and_is_never_postponed(journal: PostgresJournal) -> None:
    """The earlier time counts; new rows make the task due at once."""
    fill(journal, 1)
    clear_tasks(journal)
    assert add_task(journal, 60) == pytest.approx(60, abs=5)
    assert add_task(journal, 90) == pytest.approx(60, abs=5)
    assert add_task(journal, 30) == pytest.approx(30, abs=5)
    fill(journal, 1, "more")
    (task,) = stored_tasks(journal)
    assert task.delay is None
    assert add_task(journal, 30) is None


def test_no_task_is_due_while_its_account_is_quiet(journal: PostgresJournal) -> None:
    """New rows wait, too, until the account may be called again."""
    fill(journal, 1)
    clear_tasks(journal)
    with journal.lease("mystore") as lease:
        assert lease is not None
        lease.update_account(AccountUpdate(quiet_seconds=100, quiet_reason="429"))
    fill(journal, 1, "more")
    (task,) = stored_tasks(journal)
    assert task.delay == pytest.approx(100, abs=5)
    assert add_task(journal, 30) == pytest.approx(100, abs=5)
    execute(journal, "UPDATE accounts SET quiet_until = NULL")
    assert add_task(journal) is None


def test_a_stopped_account_rests(journal: PostgresJournal) -> None:
    """It rests for ten minutes from the start of its last delivery, unless a worker was started since then."""
    fill(journal, 1)
    clear_tasks(journal)
    with journal.lease("mystore") as lease:
        assert lease is not None
        lease.update_account(AccountUpdate(stopped_reason="403"))
    assert add_task(journal) == pytest.approx(tables.REST_SECONDS, abs=5)
    fill(journal, 1, "more")
    (task,) = stored_tasks(journal)
    assert task.delay == pytest.approx(tables.REST_SECONDS, abs=5)
    assert add_task(journal, worker_start="infinity") is None
    clear_tasks(journal)
    execute(journal, "UPDATE accounts SET delivers_since = delivers_since - interval '11 minutes'")
    delay = add_task(journal)
    assert delay is not None
    assert delay < 0


def test_tasks_of_a_hundred_thousand_packages(journal: PostgresJournal) -> None:
    """A thousand accounts with a hundred packages each have a thousand waiting tasks."""
    fill_many(journal, THOUSAND, packages=100)
    tasks = stored_tasks(journal)
    assert len({task.account for task in tasks}) == len(tasks) == 1000
