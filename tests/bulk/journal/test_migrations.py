"""Tests of journals that earlier versions wrote: they are migrated with their keys, ids and history."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest

from vtex_tracking_ext.bulk.journal.entries import BY_HAND, Draft, Held, Selection, State, drafts_from_row
from vtex_tracking_ext.bulk.journal.interface import Journal, JournalError, JournalInUseError
from vtex_tracking_ext.bulk.journal.opening import migrate, open_journal, open_reader
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
from vtex_tracking_ext.bulk.journal.postgres.locks import lock_number
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, locks, mark
from vtex_tracking_ext.bulk.journal.sqlite.schema import EPOCH, MICROSECOND

from support.journaled import START, add, delivery, row, to_state
from support.postgres import execute

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from vtex_tracking_ext.bulk.journal.opening import Location

    from .conftest import Store

STATES: Final[tuple[State, ...]] = ("pending", "in_flight", "applied", "refused", "unknown")

#: The tables of all earlier versions, with placeholders for what each database writes in its own way.
TABLES: Final = """
    CREATE TABLE meta (name {text} PRIMARY KEY, value TEXT NOT NULL) {options};
    CREATE TABLE sources (id {id}, name {text} NOT NULL UNIQUE);
    CREATE TABLE packages (
        id {id},
        account {text} NOT NULL,
        order_id {text} NOT NULL,
        invoice_number {text} NOT NULL,
        UNIQUE (account, order_id, invoice_number)
    );
    CREATE TABLE entries (
        id {id},
        package {bigint} NOT NULL REFERENCES packages,
        key {bytes} NOT NULL,
        event_date TEXT,
        event_city TEXT,
        event_state TEXT,
        event_description TEXT,
        delivered_date TEXT,
        source {bigint} NOT NULL REFERENCES sources,
        line {bigint} NOT NULL,
        state {text} NOT NULL CHECK ({is_state}),
        attempts INTEGER NOT NULL DEFAULT 0,
        status_code INTEGER,
        receipt TEXT,
        reason TEXT,
        added {time} NOT NULL,
        begun {time},
        settled {time},
        UNIQUE (package, key)
    );
    {index}
"""
IN_SQLITE: Final = {
    "id": "INTEGER PRIMARY KEY",
    "text": "TEXT",
    "bytes": "BLOB",
    "bigint": "INTEGER",
    "time": "INTEGER",
    "options": "WITHOUT ROWID",
}
SQLITE: Final = {
    1: TABLES.format(
        **IN_SQLITE,
        is_state=f"state IN {STATES}",
        index="CREATE INDEX open_entries ON entries (package) WHERE state IN ('pending', 'in_flight', 'unknown');",
    ),
    2: TABLES.format(
        **IN_SQLITE,
        is_state=" OR ".join(f"state = '{state}'" for state in STATES),
        index="CREATE INDEX open_entries ON entries (package) WHERE state <> 'applied' AND state <> 'refused';",
    ),
}
POSTGRES: Final = TABLES.format(
    id="bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    text='text COLLATE "C"',
    bytes="bytea",
    bigint="bigint",
    time="timestamptz",
    options="",
    is_state=f"state IN {STATES}",
    index="CREATE INDEX open_entries ON entries (package, id) WHERE state IN ('pending', 'in_flight', 'unknown');",
)

#: The rows that the earlier version added, with the state, status and reason of each.
ROWS: Final = [
    (row(2, "a", account="mystore"), "pending", None, None),
    (row(3, "b", account="mystore"), "in_flight", None, None),
    (row(4, "c", account="mystore"), "applied", 200, None),
    (row(5, "d", account="mystore"), "refused", 404, "Invoice Not Found"),
    (row(6, "e", account="mystore"), "unknown", None, "the connection was cut"),
    (row(7, "f", account="mystore"), "refused", None, BY_HAND),
    (delivery(8, "2026-10-02", account="mystore"), "applied", None, BY_HAND),
    (row(9, "g", "2", account="other@127.0.0.1:8000"), "applied", 200, None),
]
ADDED: Final = dt.datetime(2026, 10, 1, 12, tzinfo=dt.UTC)
MINUTE: Final = dt.timedelta(minutes=1)

#: The tables that the current version has added.
NEW_TABLES: Final = (
    "known_packages",
    "known_parcels",
    "known_series",
    "known_orders",
    "known_orders_to_read",
    "known_orders_backfills",
    "parked_events",
)
#: What takes a journal of the current version back to the last one, and to the one before.
WITHOUT_ORDERS: Final = tuple(f"DROP TABLE {table}" for table in NEW_TABLES)
WITHOUT_HOLDS: Final = (
    *WITHOUT_ORDERS,
    *(f"ALTER TABLE entries DROP COLUMN {column}" for column in ("not_before", "volume", "volume_delivered")),
)


def records() -> Iterator[tuple[Any, ...]]:
    """Yield the records of the table ``entries``, with times as datetimes."""
    for number, (old, state, status, reason) in enumerate(ROWS):
        (draft,) = drafts_from_row(old)
        begun = None if state == "pending" else ADDED + MINUTE
        settled = None if state in {"pending", "in_flight"} else ADDED + 2 * MINUTE
        receipt = "f67d" if status == 200 else None
        package = 1 if old.account == "mystore" else 2
        values = (*event_of(draft), draft.delivered_date, 1, old.place.line, state, int(begun is not None), status)
        yield (number + 10, package, draft.key, *values, receipt, reason, ADDED, begun, settled)


def event_of(draft: Draft) -> tuple[Any, ...]:
    """Return the columns of an event."""
    event = draft.event
    return (None,) * 4 if event is None else (str(event.date), event.city, event.state, event.description)


def fill(connection: Any, parameter: str, to_stored: Any) -> None:
    """Insert what the earlier version has written."""
    insert = f"INSERT INTO entries {{}} VALUES ({', '.join([parameter] * 18)})"
    override = "OVERRIDING SYSTEM VALUE" if parameter == "%s" else ""
    own = ("holder", "process 1") if parameter == "?" else ("schema_version", "1")
    for name, value in (("created", "2026-09-30 12:00:00+00:00"), own):
        connection.execute(f"INSERT INTO meta VALUES ({parameter}, {parameter})", (name, value))
    connection.execute("INSERT INTO sources (name) VALUES ('f.csv')")
    packages = [("mystore", "1"), ("other@127.0.0.1:8000", "2")]
    for package in packages:
        values = f"VALUES ({parameter}, 'o-01', {parameter})"
        connection.execute(f"INSERT INTO packages (account, order_id, invoice_number) {values}", package)
    for record in records():
        stored = [to_stored(value) if isinstance(value, dt.datetime) else value for value in record]
        connection.execute(insert.format(override), stored)


def old_file(path: Path, version: int) -> None:
    """Create the file of an earlier version."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SQLITE[version])
        connection.execute(f"PRAGMA application_id = {mark.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        fill(connection, "?", lambda time: (time - EPOCH) // MICROSECOND)
        connection.commit()
        connection.execute("PRAGMA journal_mode = WAL")


def old_schema(url: str) -> None:
    """Create the tables of version 1 on PostgreSQL."""
    base, _, schema = url.partition("&schema=")
    execute(base, f"CREATE SCHEMA {schema}")
    with psycopg.connect(base, options=f"-c search_path={schema}") as connection:
        connection.execute(POSTGRES)
        fill(connection, "%s", lambda time: time)
        connection.execute("SELECT setval(pg_get_serial_sequence('entries', 'id'), 17)")


@pytest.fixture(params=["file, version 1", "file, version 2", "PostgreSQL, version 1"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Return the location of a journal that an earlier version wrote."""
    if request.param.startswith("file"):
        old_file(tmp_path / "journal.db", int(request.param[-1]))
        return tmp_path / "journal.db"
    url: str = request.getfixturevalue("journal_url")
    old_schema(url)
    return url


def check_migrated(journal: Journal) -> None:
    """Check that a journal has all entries of the earlier version, and can go on with them."""
    withdrawn = {15: "withdrawn"}
    found = [
        (e.id, e.state, e.status_code, e.reason or None, e.place.line, e.attempts, e.begun, e.settled, e.receipt)
        for e in journal.entries()
    ]
    assert found == [
        (r[0], withdrawn.get(r[0], r[10]), r[12], r[14], r[9], r[11], r[16], r[17], r[13]) for r in records()
    ]
    assert {(e.added, e.event_id, e.time) for e in journal.entries()} == {(ADDED, "", "")}
    assert journal.meta().created == dt.datetime(2026, 9, 30, 12, tzinfo=dt.UTC)
    assert {name: record.revision for name, record in journal.accounts().items()} == {
        "mystore": 1,
        "other@127.0.0.1:8000": 1,
    }
    states = Counter(withdrawn.get(r[0], r[10]) for r in records() if r[1] == 1)
    assert journal.counts()["mystore"] == states
    assert [[entry.id for entry in entries] for entries in journal.backlog("mystore")] == [[10, 11, 14]]
    assert list(journal.backlog("other@127.0.0.1:8000")) == []
    statuses = add(journal, *[row for row, *_ in ROWS])
    renewed = {"refused": "renewed"}
    assert statuses == [renewed.get(state, "known") for _, state, *_ in ROWS]
    assert add(journal, row(10, "c", event_id="1", time="09:05"), row(11, "new")) == ["known", "new"]
    assert [entry.id for entry in journal.entries(Selection(("pending",)))] == [10, 13, 15, 18]
    with journal.lease("mystore") as lease:
        assert lease is not None
        assert len(lease.begin([*journal.entries()])) == 4


def test_journal_of_an_earlier_version_is_migrated(old: Location) -> None:
    """Keys, ids and history are kept, what a person withdrew is withdrawn, and rows that were sent are known.

    Before the migration the journal cannot be read. It is done by opening a file for writing, or by ``migrate``.
    """
    with pytest.raises(JournalError, match=r"has version [12], but this program"):
        open_reader(old)
    assert "version" in migrate(old)
    with open_journal(old) as journal:
        check_migrated(journal)
    with open_reader(old) as reader:
        assert reader.counts()["mystore"]["in_flight"] == 5


@pytest.mark.parametrize("version", [1, 2])
def test_migrated_file_has_the_current_tables(tmp_path: Path, version: int) -> None:
    """The tables and indexes are those of a new journal, and the file is consistent."""

    def definitions(path: Path) -> list[tuple[Any, ...]]:
        columns = "type, name, tbl_name, replace(replace(sql, '\"', ''), ' AUTOINCREMENT', '')"
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            assert connection.execute("SELECT name FROM meta").fetchall() == [("created",)]
            found = connection.execute(f"SELECT {columns} FROM sqlite_master WHERE sql IS NOT NULL")
            return sorted((kind, name, table, " ".join(sql.split())) for kind, name, table, sql in found)

    old_file(tmp_path / "old.db", version)
    for name in ("old.db", "new.db"):
        SqliteJournal.open(tmp_path / name).close()
    assert definitions(tmp_path / "old.db") == definitions(tmp_path / "new.db")


def test_file_is_migrated_after_the_run_of_an_earlier_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a run of an earlier version holds the lock file, opening raises an error that says so."""
    monkeypatch.setattr(locks, "WRITE_TIMEOUT", 0.05)
    path = tmp_path / "journal.db"
    old_file(path, 2)
    with closing(sqlite3.connect(f"{path}-lock", isolation_level=None)) as run:
        run.execute("PRAGMA journal_mode = MEMORY")
        run.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JournalInUseError, match="An earlier version of vtex-tracking keeps the lock"):
            SqliteJournal.open(path)
    with SqliteJournal.open(path) as journal:
        check_migrated(journal)


def test_tables_are_migrated_after_the_run_of_an_earlier_version(journal_url: str) -> None:
    """While a run of an earlier version is connected to PostgreSQL, ``migrate`` raises an error that says so."""
    old_schema(journal_url)
    base, _, schema = journal_url.partition("&schema=")
    with psycopg.connect(base, autocommit=True, application_name="vtex-tracking, process 1 on h") as run:
        run.execute("SELECT pg_advisory_lock_shared(%s)", (lock_number("writing", schema),))
        with pytest.raises(JournalInUseError, match=r"is in use \(vtex-tracking, process 1 on h\) and cannot be"):
            PostgresJournal.migrate(journal_url)
    assert PostgresJournal.migrate(journal_url).endswith("had version 1, and now has version 5.")


def test_keys_that_were_stored_as_text_are_corrected(journal_url: str) -> None:
    """Rows whose keys a session's settings had made text are known again, and of two entries one is sent at most.

    The time of creation, which those settings could change too, becomes that of the first entry.
    """
    path = f"SET search_path = {journal_url.partition('&schema=')[2]}"
    as_text = "convert_to(chr(92) || 'x' || encode(key, 'hex'), 'UTF8')"
    rows = [row(number, text) for number, text in enumerate("abcd", 1)]
    with PostgresJournal.open(journal_url) as journal:
        add(journal, *rows)
        to_state(journal, [2, 4], "applied")
        execute(
            journal_url,
            path,
            "ALTER TABLE entries DROP CONSTRAINT entries_key_check",
            "ALTER TABLE pruned_keys DROP CONSTRAINT pruned_keys_key_check",
            f"INSERT INTO pruned_keys SELECT {as_text}, settled FROM entries WHERE id = 2",
            f"UPDATE entries SET key = {as_text}",
            "UPDATE meta SET value = '2' WHERE name = 'schema_version'",
            "UPDATE meta SET value = '30.11.2026 12:00:00.123456 UTC' WHERE name = 'created'",
        )
        assert add(journal, *rows[2:]) == ["new", "new"]
    execute(journal_url, path, *WITHOUT_HOLDS)
    with pytest.raises(JournalError, match="`vtex-tracking migrate` brings it up to date"):
        PostgresJournal.open(journal_url)
    PostgresJournal.migrate(journal_url)
    assert execute(journal_url, path, "SELECT DISTINCT octet_length(key) FROM entries") == [(16,)]
    assert execute(journal_url, path, "SELECT key IN (SELECT key FROM entries) FROM pruned_keys") == [(True,)]
    with PostgresJournal.open(journal_url) as journal:
        assert add(journal, *rows) == ["known"] * 4
        assert journal.meta().created == min(entry.added for entry in journal.entries())
        assert [entry.state for entry in journal.entries()] == [
            "pending", "applied", "withdrawn", "applied", "pending", "withdrawn",
        ]  # fmt: skip


@pytest.mark.parametrize(("age", "changes"), [(1, WITHOUT_ORDERS), (2, WITHOUT_HOLDS)])
def test_journal_of_a_late_version_is_migrated(store: Store, age: int, changes: Sequence[str]) -> None:
    """The entries are unchanged, also their checksums. From then on, deliveries can be held and orders be known."""
    with store.open() as journal:
        add(journal, row(1, "a"), delivery(2, "2026-10-01"))
        before = list(journal.entries())
        version = journal.meta().schema_version - age
    if store.location.startswith("postgresql"):
        path = f"SET search_path = {store.location.partition('&schema=')[2]}"
        execute(store.location, path, *changes, f"UPDATE meta SET value = '{version}' WHERE name = 'schema_version'")
    else:
        with closing(sqlite3.connect(store.location)) as connection:
            for change in (*changes, f"PRAGMA user_version = {version}"):
                connection.execute(change)
    with pytest.raises(JournalError, match="brings it up to date"):
        store.read()
    migrate(store.location)
    journal = store.open()
    assert list(journal.entries()) == before
    held = delivery(3, invoice="2", hold_until=START + MINUTE)
    assert add(journal, row(1, "a"), delivery(2, "2026-10-01"), held) == ["known", "known", "new"]
    assert journal.held() == {"mystore": Held(1, START + MINUTE)}
    assert journal.select("count_known") == journal.select("known_series") == []
