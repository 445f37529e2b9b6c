"""The tables of a journal on PostgreSQL: made whole or not at all, told from others, brought up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import psycopg

from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalInUseError, NoJournalError

from .errors import explaining
from .locks import writing_lock

if TYPE_CHECKING:
    import datetime as dt

    from .address import Address

#: Version of the tables below, kept in ``meta``.
SCHEMA_VERSION: Final = 1

#: What leads from a version to the next one; ``MIGRATIONS[1]`` from 1 to 2.
MIGRATIONS: Final[dict[int, tuple[str, ...]]] = {}

#: As on SQLite. Texts are compared byte by byte (C): the order of a language may change with the system's libraries,
#: and indexes with it. An entry without event_date is a delivery.
TABLES: Final = (
    'CREATE TABLE meta (name text COLLATE "C" PRIMARY KEY, value text NOT NULL)',
    """CREATE TABLE sources (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text COLLATE "C" NOT NULL UNIQUE
    )""",
    """CREATE TABLE packages (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        account text COLLATE "C" NOT NULL,
        order_id text COLLATE "C" NOT NULL,
        invoice_number text COLLATE "C" NOT NULL,
        UNIQUE (account, order_id, invoice_number)
    )""",
    """CREATE TABLE entries (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        package bigint NOT NULL REFERENCES packages,
        key bytea NOT NULL,
        event_date text,
        event_city text,
        event_state text,
        event_description text,
        delivered_date text,
        source bigint NOT NULL REFERENCES sources,
        line bigint NOT NULL,
        state text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'in_flight', 'applied', 'refused', 'unknown')),
        attempts integer NOT NULL DEFAULT 0,
        status_code integer,
        receipt text,
        reason text,
        added timestamptz NOT NULL,
        begun timestamptz,
        settled timestamptz,
        UNIQUE (package, key)
    )""",
    "CREATE INDEX open_entries ON entries (package, id) WHERE state IN ('pending', 'in_flight', 'unknown')",
)

_HOLDERS: Final = """
    SELECT DISTINCT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.objsubid = 1 AND l.granted AND l.mode = 'ShareLock'
        AND (l.classid::bigint << 32) | l.objid::bigint = %s
    ORDER BY a.application_name
"""

Connection = psycopg.Connection[tuple[Any, ...]]


def version_of(address: Address, connection: Connection) -> int:
    """Return the version of the tables, or 0 where there are none.

    Raises:
        JournalError: There are others, or they cannot be looked at.
    """
    with explaining(address):
        ((is_there,),) = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{address.schema}.meta",))
        if not is_there:
            return 0
        found = connection.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchone()
    if found is None or not str(found[0]).isdigit():
        raise JournalError(
            f"The journal {address.name}: its schema {address.schema} is another program's; name another one "
            "(?schema=NAME)."
        )
    return int(found[0])


def check_version(address: Address, version: int) -> None:
    """Refuse tables that are not there, or of another version.

    Raises:
        NoJournalError: They are not there.
        JournalError: They are older or newer.
    """
    if not version:
        raise NoJournalError(f"There is no journal {address.name}; a push, or `vtex-tracking migrate`, makes one.")
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"The journal {address.name} is of version {version}, this program knows versions up to {SCHEMA_VERSION}; "
            "use a newer vtex-tracking, or another journal."
        )
    if version < SCHEMA_VERSION:
        raise JournalError(
            f"The journal {address.name} is of version {version}, this program of version {SCHEMA_VERSION}; "
            "`vtex-tracking migrate` brings it up to date, when no other run is at work."
        )


def migrate(address: Address, connection: Connection, now: dt.datetime | None) -> int:
    """Make the tables or bring them up to date, in one transaction; two that do it at once are no matter.

    Args:
        address: Where.
        connection: A connection to it, in no transaction.
        now: The time, or None for the server's.

    Returns:
        The version that was found: 0 where there was nothing.

    Raises:
        JournalInUseError: An older journal is being written to.
        JournalError: It is newer than this program, or cannot be changed.
    """
    with explaining(address), connection.transaction():
        # Waits for another one who does this; who writes shares another lock, because a push may make the tables too.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (writing_lock(f"{address.schema} tables"),))
        version = version_of(address, connection)
        if not version:
            _make(address.schema, connection, now)
        elif version != SCHEMA_VERSION:
            if version > SCHEMA_VERSION:
                check_version(address, version)
            _refuse_writers(address, connection)
            for number in range(version, SCHEMA_VERSION):
                for statement in MIGRATIONS[number]:
                    connection.execute(statement)
            connection.execute("UPDATE meta SET value = %s WHERE name = 'schema_version'", (str(SCHEMA_VERSION),))
        return version


def writers(schema: str, connection: Connection) -> list[str]:
    """Return who has the journal open to write to it, by their application's name."""
    return [name for (name,) in connection.execute(_HOLDERS, (writing_lock(schema),))]


def _make(schema: str, connection: Connection, now: dt.datetime | None) -> None:
    # Looked at first, because CREATE SCHEMA IF NOT EXISTS needs the right to make one even where it is there.
    if not connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (schema,)).rowcount:
        connection.execute(f'CREATE SCHEMA "{schema}"')
    for statement in TABLES:
        connection.execute(statement)
    connection.execute(
        """INSERT INTO meta VALUES ('schema_version', %s),
            ('created', coalesce(%s::timestamptz, clock_timestamp())::text)""",
        (str(SCHEMA_VERSION), now),
    )


def _refuse_writers(address: Address, connection: Connection) -> None:
    ((is_alone,),) = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (writing_lock(address.schema),))
    if not is_alone:
        who = "; ".join(writers(address.schema, connection))
        raise JournalInUseError(
            f"The journal {address.name} is in use ({who}) and cannot be brought up to date meanwhile; wait for their "
            "end."
        )
