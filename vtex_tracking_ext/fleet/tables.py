"""The fleet's tables in the journal's schema: Procrastinate's, and the paces."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Final

from procrastinate.schema import SchemaManager, migrations_path

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.postgres.schema import Connection

#: Key in the journal's table ``meta``: the last of Procrastinate's migrations that was applied.
_MIGRATION_KEY: Final = "procrastinate_migration"

_SET_MIGRATION: Final = "INSERT INTO meta VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

_PACES_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS paces (
        account text COLLATE "C" PRIMARY KEY,
        state jsonb NOT NULL
    )
"""

#: Finds a package's tasks, and its next one, among many: no index of Procrastinate begins with the lock.
_TASK_INDEX: Final = """
    CREATE INDEX IF NOT EXISTS vtex_tracking_doorbells ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing')
"""


def create_or_upgrade(connection: Connection) -> bool:
    """Create or upgrade the fleet's tables in one transaction, and return whether there was something to do.

    Args:
        connection: A connection to an existing journal, outside a transaction.
    """
    with connection.transaction():
        # Serialises concurrent starts: the second finds the tables.
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' fleet', 0))")
        found = connection.execute("SELECT value FROM meta WHERE name = %s", (_MIGRATION_KEY,)).fetchone()
        migrations = migration_names()
        if found is not None and found[0] >= migrations[-1]:
            return False
        if found is None:
            connection.execute(SchemaManager.get_schema())
            connection.execute(_PACES_TABLE)
            connection.execute(_TASK_INDEX)
        else:
            for name in migrations:
                if name > found[0]:
                    connection.execute((migrations_path / name).read_bytes())
        connection.execute(_SET_MIGRATION, (_MIGRATION_KEY, migrations[-1]))
        return True


def migration_names() -> list[str]:
    """Return the names of the installed Procrastinate's migrations, oldest first."""
    names = (entry.name for entry in resources.files("procrastinate.sql.migrations").iterdir())
    return sorted(name for name in names if re.fullmatch(r"\d[\w.]*\.sql", name))
