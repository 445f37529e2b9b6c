"""The tables of a journal in a file, and their migrations."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.journal.entries import STATES
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.sql import WITHDRAWN_IF_BY_HAND, tables_for
from vtex_tracking_ext.text import visible

from .checksum import content_checksum
from .connection import fetch_int

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

#: Version of the tables below, kept as SQLite's ``user_version``.
SCHEMA_VERSION: Final = 6

_CHECKSUM: Final = "checksum INTEGER NOT NULL DEFAULT 0"

#: Index of the open entries. States are compared one by one, because SQLite builds a table in memory of a longer list
#: each time that an entry is written, which takes longer than writing it. (Tables of version 1 do, to check a state.)
_OPEN_ENTRIES: Final = """
    CREATE INDEX open_entries ON entries (account, package)
    WHERE state <> 'applied' AND state <> 'refused' AND state <> 'withdrawn'
"""

#: A second place with the keys of pruned entries, so that a damaged key is found by ``integrity_check``.
_PRUNED_KEYS_BY_TIME: Final = "CREATE INDEX pruned_keys_by_time ON pruned_keys (settled)"

#: The checksum that an entry must have, by a function that :func:`migrate` defines: in version 4, and in later ones.
_CHECKSUM_4: Final = """entry_checksum(p.account, p.order_id, p.invoice_number, event_date, event_description,
    event_city, event_state, delivered_date, event_id, event_time, NULL, NULL, NULL)"""
_CONTENT_CHECKSUM: Final = _CHECKSUM_4.replace("NULL, NULL, NULL", "not_before, volume, volume_delivered")
#: Selects an entry that is still to be sent and whose checksum is wrong.
WRONG_CHECKSUM: Final = f"""
    SELECT e.id FROM entries e JOIN packages p ON p.id = e.package
    WHERE state <> 'applied' AND state <> 'refused' AND state <> 'withdrawn' AND checksum <> {_CONTENT_CHECKSUM}
"""  # noqa: S608 - constants

#: Times are stored as microseconds since 1970, UTC.
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND: Final = dt.timedelta(microseconds=1)

SCHEMA: Final = (
    *tables_for(
        id="INTEGER PRIMARY KEY AUTOINCREMENT",  # the number of a pruned entry is not given to another one
        text="TEXT",
        bytes="BLOB",
        bigint="INTEGER",
        float="REAL",
        time="INTEGER",
        is_state=" OR ".join(f"state = '{state}'" for state in STATES),
        without_rowid="WITHOUT ROWID",
        checksum=f"{_CHECKSUM}, ",
    ),
    _PRUNED_KEYS_BY_TIME,
    _OPEN_ENTRIES,
)

#: The columns that version 3 did not have.
_LATER: Final = re.compile(f"{_CHECKSUM},.*(?=UNIQUE)", re.DOTALL)

#: Statements that migrate from a version to the next one; ``MIGRATIONS[1]`` from 1 to 2. From 2 to 3, tables of
#: :data:`SCHEMA` are created anew: SQLite cannot change the states that a table allows.
MIGRATIONS: Final[dict[int, tuple[str, ...]]] = {
    1: (
        "DROP INDEX open_entries",
        "CREATE INDEX open_entries ON entries (package) WHERE state <> 'applied' AND state <> 'refused'",
    ),
    2: (
        "DROP INDEX open_entries",
        "ALTER TABLE entries RENAME TO old_entries",
        *(re.sub(_LATER, "", s) for s in SCHEMA if re.search("TABLE (accounts|pruned_keys|entries) ", s)),
        "INSERT INTO accounts (name, revision) SELECT DISTINCT account, 1 FROM packages ORDER BY account",
        f"""
        INSERT INTO entries (id, account, package, key, event_date, event_city, event_state, event_description,
            delivered_date, source, line, state, attempts, status_code, receipt, reason, added, begun, settled)
        SELECT e.id, a.id, e.package, e.key, event_date, event_city, event_state, event_description, delivered_date,
            source, line, {WITHDRAWN_IF_BY_HAND}, attempts, status_code, receipt, reason, added, begun, settled
        FROM old_entries e JOIN packages p ON p.id = e.package JOIN accounts a ON a.name = p.account
        """,  # noqa: S608 - constants
        "DROP TABLE old_entries",
        _OPEN_ENTRIES,
        "DELETE FROM meta WHERE name = 'holder'",
    ),
    3: (
        _PRUNED_KEYS_BY_TIME,
        f"ALTER TABLE entries ADD COLUMN {_CHECKSUM}",
        f"UPDATE entries SET checksum = (SELECT {_CHECKSUM_4} FROM packages p WHERE p.id = entries.package)",  # noqa: S608
    ),
    4: tuple(
        f"ALTER TABLE entries ADD COLUMN {column}"
        for column in ("not_before INTEGER", "volume TEXT", "volume_delivered TEXT")
    ),
    5: tuple(statement for statement in SCHEMA if re.search(" (known|parked)_", statement)),
}


def refuse_newer(path: Path, version: int) -> None:
    """Raise JournalError if a journal was written by a newer version of this program."""
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"The journal {visible(str(path))} has version {version}, but this program supports versions up to "
            f"{SCHEMA_VERSION}; use a newer vtex-tracking, or another journal. If no newer one wrote it, it is "
            "damaged: restore it from a backup."
        )


def migrate(path: Path, connection: sqlite3.Connection) -> None:
    """Bring the tables up to date, one transaction for each version."""
    version = fetch_int(connection, "PRAGMA user_version")
    refuse_newer(path, version)  # again: is_journal did not see what is only in the log
    connection.create_function("entry_checksum", 13, content_checksum)
    for number in range(version, SCHEMA_VERSION):
        connection.execute("BEGIN IMMEDIATE")
        for statement in MIGRATIONS[number]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute("COMMIT")
