"""The tables of a journal on PostgreSQL: creation in one transaction, recognition, and migrations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import psycopg

from vtex_tracking_ext.bulk.journal.entries import KEY_SIZE, OPEN_STATES, STATES
from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalInUseError, NoJournalError
from vtex_tracking_ext.bulk.journal.sql import WITHDRAWN_IF_BY_HAND, tables_for

from .errors import translated_errors
from .locks import lock_number

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from .address import Address

#: Version of the tables below, kept in ``meta``.
SCHEMA_VERSION: Final = 5

#: Texts are compared byte by byte (C): a language's collation may change with the system's libraries, which corrupts
#: indexes.
TABLES: Final = (
    *tables_for(
        id="bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        text='text COLLATE "C"',
        bytes=f"bytea CHECK (octet_length(key) = {KEY_SIZE})",
        bigint="bigint",
        float="double precision",
        time="timestamptz",
        is_state=f"state IN {STATES}",
        without_rowid="",
    ),
    f"CREATE INDEX open_entries ON entries (account, package, id) WHERE state IN {OPEN_STATES}",
)

#: Entries ``t`` whose key version 2 wrote in a session with ``standard_conforming_strings=off``: as the text of its
#: hexadecimal digits. Other sessions did not find them, and added entries ``e`` with the same event.
_IS_TEXT: Final = f"octet_length(t.key) > {KEY_SIZE}"
_IS_SAME: Final = f"""
    {_IS_TEXT} AND e.package = t.package AND t.key = convert_to(chr(92) || 'x' || encode(e.key, 'hex'), 'UTF8')
"""

#: Statements that migrate from a version to the next one; ``MIGRATIONS[1]`` from 1 to 2.
MIGRATIONS: Final[dict[int, tuple[str, ...]]] = {
    1: (
        *(statement for statement in TABLES if re.search("TABLE (accounts|pruned_keys)", statement)),
        "INSERT INTO accounts (name, revision) SELECT DISTINCT account, 1 FROM packages ORDER BY account",
        "ALTER TABLE entries ADD account bigint REFERENCES accounts, ADD event_id text, ADD event_time text",
        "ALTER TABLE entries DROP CONSTRAINT entries_state_check",
        f"""
        UPDATE entries SET account = a.id, state = {WITHDRAWN_IF_BY_HAND}
        FROM packages p JOIN accounts a ON a.name = p.account WHERE p.id = entries.package
        """,  # noqa: S608 - constants
        f"ALTER TABLE entries ALTER account SET NOT NULL, ADD CONSTRAINT entries_state_check CHECK (state IN {STATES})",
        "DROP INDEX open_entries",
        TABLES[-1],
    ),
    2: (
        # Of two entries with the same event, one is sent, and the one with the text gets a key of its own.
        f"""
        UPDATE entries pending SET state = 'withdrawn', reason = 'another entry has the same event', settled = now()
        FROM entries t JOIN entries e ON {_IS_SAME}
        WHERE pending.state = 'pending' AND pending.id = CASE WHEN t.state = 'pending' THEN t.id ELSE e.id END
        """,  # noqa: S608 - constants
        f"UPDATE entries t SET key = decode(md5(t.key), 'hex') FROM entries e WHERE {_IS_SAME}",  # noqa: S608
        f"UPDATE entries t SET key = convert_from(key, 'UTF8')::bytea WHERE {_IS_TEXT}",  # noqa: S608
        f"""
        INSERT INTO pruned_keys SELECT convert_from(key, 'UTF8')::bytea, settled FROM pruned_keys t WHERE {_IS_TEXT}
        ON CONFLICT DO NOTHING
        """,  # noqa: S608 - a constant
        f"DELETE FROM pruned_keys t WHERE {_IS_TEXT}",  # noqa: S608 - a constant
        *(
            f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_key_check, "
            f"ADD CONSTRAINT {table}_key_check CHECK (octet_length(key) = {KEY_SIZE})"
            for table in ("entries", "pruned_keys")
        ),
        # In such a session, it could also be in a style that is ambiguous.
        """
        UPDATE meta SET value = (SELECT coalesce(min(added), now())::text FROM entries)
        WHERE name = 'created' AND value !~ '^[0-9]{4}-'
        """,
    ),
    3: ("ALTER TABLE entries ADD not_before timestamptz, ADD volume text, ADD volume_delivered text",),
    4: tuple(statement for statement in TABLES if re.search(" (known|parked)_", statement)),
}

_HAS_META: Final = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = %s AND tablename = 'meta')"
_HOLDERS: Final = """
    SELECT DISTINCT (l.classid::bigint << 32) | l.objid::bigint, coalesce(a.application_name, '')
    FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.objsubid = 1 AND l.granted AND (l.classid::bigint << 32) | l.objid::bigint = ANY(%s)
    ORDER BY 2
"""

Connection = psycopg.Connection[tuple[Any, ...]]


def version_of(address: Address, connection: Connection) -> int:
    """Return the version of the tables, or 0 if there are none.

    Raises:
        JournalError: They are another program's, or cannot be read.
    """
    with translated_errors(address):
        # Not to_regclass(), which can miss a table that another session has just created.
        ((is_there,),) = connection.execute(_HAS_META, (address.schema,))
        if not is_there:
            return 0
        # With the schema's name, because a schema that this user must not use is passed over in the search path.
        version = f"SELECT value FROM {address.schema}.meta WHERE name = 'schema_version'"  # noqa: S608 - checked
        found = connection.execute(version).fetchone()
    if found is None or not str(found[0]).isdigit():
        raise JournalError(
            f"The journal {address.name}: its schema {address.schema} belongs to another program; name another schema "
            "(?schema=NAME)."
        )
    return int(found[0])


def check_version(address: Address, version: int) -> None:
    """Raise an error unless the tables exist and are of the current version.

    Raises:
        NoJournalError: There are no tables.
        JournalError: They are of an older or newer version.
    """
    if not version:
        raise NoJournalError(f"There is no journal {address.name}; a push, or `vtex-tracking migrate`, creates it.")
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"The journal {address.name} has version {version}, but this program supports versions up to "
            f"{SCHEMA_VERSION}; use a newer vtex-tracking, or another journal."
        )
    if version < SCHEMA_VERSION:
        raise JournalError(
            f"The journal {address.name} has version {version}, but this program needs version {SCHEMA_VERSION}; "
            "`vtex-tracking migrate` brings it up to date when no other run is active."
        )


def migrate(address: Address, connection: Connection, now: dt.datetime | None) -> int:
    """Create the tables or bring them up to date, in one transaction; concurrent calls are safe.

    Args:
        address: The journal's address.
        connection: A connection to it, outside of a transaction.
        now: The time, or None for the server's.

    Returns:
        The version before: 0 if there were no tables.

    Raises:
        JournalInUseError: An older journal is being written to.
        JournalError: It is newer than this program, or cannot be changed.
    """
    with translated_errors(address), connection.transaction():
        # Waits for concurrent migrations. Writers share another lock, because a push may create the tables, too.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock_number("migrating", address.schema),))
        version = version_of(address, connection)
        if not version:
            _create(address.schema, connection, now)
        elif version != SCHEMA_VERSION:
            if version > SCHEMA_VERSION:
                check_version(address, version)
            _refuse_writers(address, connection)
            for number in range(version, SCHEMA_VERSION):
                for statement in MIGRATIONS[number]:
                    connection.execute(statement)
            connection.execute("UPDATE meta SET value = %s WHERE name = 'schema_version'", (str(SCHEMA_VERSION),))
        return version


def lock_holders(numbers: Sequence[int], connection: Connection) -> list[tuple[int, str]]:
    """Return those of these advisory locks that sessions hold, each with the application name of a session."""
    return [(number, name) for number, name in connection.execute(_HOLDERS, (numbers,))]


def _create(schema: str, connection: Connection, now: dt.datetime | None) -> None:
    # Checked first, because CREATE SCHEMA IF NOT EXISTS needs the privilege even if the schema exists.
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
    number = lock_number("writing", address.schema)
    ((is_acquired,),) = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (number,))
    if not is_acquired:
        who = "; ".join(name for _, name in lock_holders([number], connection))
        raise JournalInUseError(
            f"The journal {address.name} is in use ({who}) and cannot be brought up to date; wait until they end."
        )
