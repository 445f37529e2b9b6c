"""The fleet's tables: made whole, once, and brought up to date."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

from procrastinate.schema import migrations_path

from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
from vtex_tracking_ext.fleet import tables
from vtex_tracking_ext.fleet.tables import create_or_upgrade, migration_names

from support.fleets import add_tasks, fetch_tasks, fill, opened

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.postgres.schema import Connection

#: The last migration of Procrastinate 3.3.
OLD = "03.03.00_01_pre_priority_lock_fetch_job.sql"


def said(connection: Connection) -> str:
    """Return the migration that is noted."""
    ((word,),) = connection.execute("SELECT value FROM meta WHERE name = 'procrastinate_migration'")
    return str(word)


def parts(connection: Connection) -> set[tuple[str, str]]:
    """Return functions, tables, indexes and values of the types of the journal's schema."""
    return {
        (kind, name)
        for kind, name in connection.execute("""
            SELECT 'function', proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
            UNION SELECT 'relation', relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace
            UNION SELECT typname, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid
                WHERE typnamespace = current_schema()::regnamespace
        """)
        if "sequence" not in name
    }


def test_the_tables_are_created_once(journal_url: str) -> None:
    """The second call changes nothing."""
    with PostgresJournal.open(journal_url) as journal, journal.connections.connection() as connection:
        assert create_or_upgrade(connection)
        assert said(connection) == migration_names()[-1]
        before = parts(connection)
        assert {("relation", "paces"), ("relation", "vtex_tracking_doorbells")} <= before
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


def test_tables_of_an_older_procrastinate_are_upgraded(journal_url: str) -> None:
    """They equal newly created ones, and work."""
    with PostgresJournal.open(journal_url) as journal, journal.connections.connection() as connection:
        for name in migration_names():
            if name <= OLD:
                connection.execute((migrations_path / name).read_text("utf-8"))
        connection.execute(tables._PACES_TABLE)
        connection.execute(tables._TASK_INDEX)
        connection.execute(tables._SET_MIGRATION, (tables._MIGRATION_KEY, OLD))
        assert create_or_upgrade(connection)
        updated = parts(connection)
        assert said(connection) == migration_names()[-1]
        assert not create_or_upgrade(connection)
        fill(journal, 2)
        assert add_tasks(journal) == 2
        assert len(fetch_tasks(journal, 3)) == 2
    with opened(f"{journal_url}_new") as journal, journal.connections.connection() as connection:
        assert parts(connection) - updated == set()


def test_tables_of_a_newer_procrastinate_are_not_changed(journal_url: str) -> None:
    """An older program may run beside a newer one."""
    with opened(journal_url) as journal, journal.connections.connection() as connection:
        connection.execute("UPDATE meta SET value = '99.00.00_01_x.sql' WHERE name = 'procrastinate_migration'")
        assert not create_or_upgrade(connection)
        assert said(connection) == "99.00.00_01_x.sql"


def test_migrations_are_sorted() -> None:
    """Other files beside them are left out."""
    names = migration_names()
    assert names == sorted(names)
    assert OLD in names
    assert "__init__.py" not in names
