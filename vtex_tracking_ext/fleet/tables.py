"""The fleet's tables in the journal's schema: Procrastinate's, and the trigger that adds a task for an account."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Final

from procrastinate.schema import SchemaManager, migrations_path

from .task import DELIVER, QUEUE_LENGTH

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.postgres.schema import Connection

#: Keys in the journal's table ``meta``: the last of Procrastinate's migrations that was applied, and the version of
#: what is defined below.
_MIGRATION_KEY: Final = "procrastinate_migration"
_VERSION_KEY: Final = "fleet_version"
_VERSION: Final = 2

#: Seconds for which workers leave an account alone after a delivery that stopped because no call can succeed.
REST_SECONDS: Final = 600

_SELECT_META: Final = "SELECT value FROM meta WHERE name = %s"
_SET_META: Final = "INSERT INTO meta VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

#: Deletes what version 1 had: the shared paces, an index, and a task for each package.
_DROP_VERSION_1: Final = """
    DROP TABLE IF EXISTS paces;
    DROP INDEX IF EXISTS vtex_tracking_doorbells;
    DELETE FROM procrastinate_jobs WHERE task_name IN ('vtex_tracking.drain', 'vtex_tracking.sweep');
"""

#: Adds a task for an account that exists, or makes the waiting one due earlier.
#:
#: The task is due in so many seconds, but not while the account must not be called: not before ``quiet_until`` (a
#: delivery itself waits for up to a second), and not while it rests after a delivery that was stopped, unless that
#: delivery began before ``worker_start``: the cause may have been fixed before the worker was started.
#:
#: A conflict locks the waiting task until the end of the transaction. So no worker starts it before it can see what the
#: transaction changed.
_ADD_TASK: Final = f"""
    CREATE OR REPLACE FUNCTION vtex_tracking_add_task(
        account text, seconds double precision DEFAULT 0, worker_start timestamptz DEFAULT '-infinity'
    ) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, scheduled_at)
        SELECT
            CASE WHEN octet_length(name) <= {QUEUE_LENGTH} THEN name
                ELSE left(encode(sha256(convert_to(name, 'UTF8')), 'hex'), {QUEUE_LENGTH}) END,
            '{DELIVER}', name, name, jsonb_build_object('account', name),
            greatest(
                clock_timestamp() + nullif(seconds, 0) * interval '1 second',
                CASE WHEN quiet_until > clock_timestamp() + interval '1 second' THEN quiet_until END,
                CASE WHEN stopped IS NOT NULL AND delivers_since >= worker_start
                    THEN delivers_since + interval '{REST_SECONDS} seconds' END
            )
        FROM accounts WHERE name = account
        ON CONFLICT (queueing_lock) WHERE status = 'todo' DO UPDATE SET scheduled_at = excluded.scheduled_at
            WHERE procrastinate_jobs.scheduled_at > coalesce(excluded.scheduled_at, '-infinity');
    END $$
"""  # noqa: S608 - constants

#: Adds the task in the transaction that gives a worker something to do, whichever program makes it. Its user needs no
#: privileges for Procrastinate's tables.
_TRIGGER: Final = """
    CREATE OR REPLACE FUNCTION vtex_tracking_on_revision() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        PERFORM vtex_tracking_add_task(NEW.name);
        RETURN NULL;
    END $$;
    DROP TRIGGER IF EXISTS vtex_tracking_on_revision ON accounts;
    CREATE TRIGGER vtex_tracking_on_revision AFTER INSERT OR UPDATE OF revision ON accounts
        FOR EACH ROW WHEN (NEW.revision > 0) EXECUTE FUNCTION vtex_tracking_on_revision();
"""


def create_or_upgrade(connection: Connection) -> bool:
    """Create or upgrade the fleet's tables in one transaction, and return whether there was something to do.

    Args:
        connection: A connection to an existing journal, outside a transaction.
    """
    with connection.transaction():
        # Serialises concurrent starts: the second finds the tables.
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' fleet', 0))")
        migrated = _upgrade_procrastinate(connection)
        version = connection.execute(_SELECT_META, (_VERSION_KEY,)).fetchone()
        if version is not None and int(version[0]) >= _VERSION:
            return migrated
        for statements in (_DROP_VERSION_1, _ADD_TASK, _TRIGGER):
            connection.execute(statements)
        connection.execute(_SET_META, (_VERSION_KEY, str(_VERSION)))
        return True


def _upgrade_procrastinate(connection: Connection) -> bool:
    """Create or upgrade Procrastinate's tables, and return whether there was something to do."""
    found = connection.execute(_SELECT_META, (_MIGRATION_KEY,)).fetchone()
    migrations = migration_names()
    if found is not None and found[0] >= migrations[-1]:
        return False
    if found is None:
        connection.execute(SchemaManager.get_schema())
    else:
        for name in migrations:
            if name > found[0]:
                connection.execute((migrations_path / name).read_bytes())
    connection.execute(_SET_META, (_MIGRATION_KEY, migrations[-1]))
    return True


def migration_names() -> list[str]:
    """Return the names of the installed Procrastinate's migrations, oldest first."""
    names = (entry.name for entry in resources.files("procrastinate.sql.migrations").iterdir())
    return sorted(name for name in names if re.fullmatch(r"\d[\w.]*\.sql", name))
