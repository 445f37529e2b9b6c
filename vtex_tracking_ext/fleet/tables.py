"""The fleet's tables, in the journal's schema: Procrastinate's own, and the paces."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Final

from procrastinate.schema import SchemaManager, migrations_path

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.postgres.schema import Connection

#: What the journal's table ``meta`` keeps: the last of Procrastinate's migrations that is in its tables.
_WORD: Final = "procrastinate_migration"

_NOTE: Final = "INSERT INTO meta VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

_PACES: Final = """
    CREATE TABLE IF NOT EXISTS paces (
        account text COLLATE "C" PRIMARY KEY,
        state jsonb NOT NULL
    )
"""

#: Finds a package's doorbells, and the doorbell that is next, however many wait: Procrastinate's own indexes have no
#: lock in front.
_DOORBELLS: Final = """
    CREATE INDEX IF NOT EXISTS vtex_tracking_doorbells ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing')
"""


def prepare(connection: Connection) -> bool:
    """Make the fleet's tables or bring them up to date, in one transaction; tell whether there was something to do.

    Args:
        connection: To a journal that is there, in no transaction.
    """
    with connection.transaction():
        # Two that start at once: the second finds everything made.
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' fleet', 0))")
        found = connection.execute("SELECT value FROM meta WHERE name = %s", (_WORD,)).fetchone()
        migrations = migration_names()
        if found is not None and found[0] >= migrations[-1]:
            return False
        if found is None:
            connection.execute(SchemaManager.get_schema())
            connection.execute(_PACES)
            connection.execute(_DOORBELLS)
        else:
            for name in migrations:
                if name > found[0]:
                    connection.execute((migrations_path / name).read_bytes())
        connection.execute(_NOTE, (_WORD, migrations[-1]))
        return True


def migration_names() -> list[str]:
    """Return the names of the installed Procrastinate's migrations, oldest first."""
    names = (entry.name for entry in resources.files("procrastinate.sql.migrations").iterdir())
    return sorted(name for name in names if re.fullmatch(r"\d[\w.]*\.sql", name))
