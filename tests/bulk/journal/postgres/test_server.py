"""Tests with a server: tables and their versions, privileges, settings, and a server that stops and restarts."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING
from unittest import mock

import psycopg
import pytest

from vtex_tracking_ext.bulk.journal.entries import Meta
from vtex_tracking_ext.bulk.journal.interface import (
    JournalError,
    JournalInUseError,
    JournalUnavailableError,
    NoJournalError,
    process_name,
)
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, PostgresReader, connections, parse_url, schema

from support.journaled import START, Clock, add, row, to_state, told
from support.postgres import PASSWORD, Server, execute, until, url_of, with_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.postgres import Databases


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Return a server of this module's own, because it is stopped."""
    with Server() as server:
        yield server


def changed(url: str, **changes: str) -> str:
    """Return the URL with other parameters."""
    base, _, schema = url.partition("&schema=")
    changed = url_of({**psycopg.conninfo.conninfo_to_dict(base), **changes})
    return f"{changed}&schema={schema}" if schema else changed


def works(use: Callable[[], object]) -> object:
    """Return the result of a use, or None if it raises JournalError."""
    with suppress(JournalError):
        return use()
    return None


def name_of(url: str) -> str:
    """Return the schema in a URL."""
    return url.partition("&schema=")[2]


def test_journal_is_created_when_it_is_first_opened_for_writing(journal_url: str) -> None:
    """A reader, and a writer with ``create=False``, raise NoJournalError; a later one finds what was added."""
    for use in (PostgresReader.open, lambda url: PostgresJournal.open(url, create=False)):
        with pytest.raises(NoJournalError, match=r"a push, or `vtex-tracking migrate`, creates it\."):
            use(journal_url)
    with PostgresJournal.open(journal_url, Clock()) as journal:
        add(journal, row(1, "a"))
    with PostgresJournal.open(journal_url, create=False) as journal:
        assert journal.meta() == Meta(schema.SCHEMA_VERSION, START)
        assert told(journal) == [(1, "a", "pending")]


def test_two_journals_share_a_database(journal_url: str) -> None:
    """Journals in two schemas have their own entries and leases."""
    with PostgresJournal.open(journal_url) as one, PostgresJournal.open(f"{journal_url}_b") as two:
        add(one, row(1, "a"))
        add(two, row(1, "b"))
        with one.lease("mystore") as lease, two.lease("mystore") as other_lease:
            assert None not in {lease, other_lease}
        assert (told(one), told(two)) == ([(1, "a", "pending")], [(1, "b", "pending")])
    execute(journal_url, f"DROP SCHEMA {name_of(journal_url)}_b CASCADE")


def test_default_schema_is_vtex_tracking(database: str) -> None:
    """A URL without a schema creates the tables in ``vtex_tracking``, and none in ``public``."""
    with PostgresJournal.open(database) as journal:
        assert "schema" not in journal.name
    found = execute(database, "SELECT schemaname, count(*) FROM pg_tables WHERE schemaname !~ '^(pg_|info)' GROUP BY 1")
    assert found == [("vtex_tracking", 13)]


def test_another_programs_schema_is_left_alone(journal_url: str) -> None:
    """A schema with other tables, also of the same names, raises JournalError and is left as it is."""
    name = name_of(journal_url)
    execute(journal_url, f"CREATE SCHEMA {name}", f"CREATE TABLE {name}.entries (x int)")
    with pytest.raises(JournalError, match="not this program's; name another schema"):
        PostgresJournal.open(journal_url)
    execute(journal_url, f"CREATE TABLE {name}.meta (x int)")
    with pytest.raises(JournalError, match="not this program's; name another schema"):
        PostgresJournal.open(journal_url)
    execute(journal_url, f"DROP TABLE {name}.meta", f"CREATE TABLE {name}.meta (name text, value text)")
    with pytest.raises(JournalError, match="belongs to another program; name another schema"):
        PostgresJournal.open(journal_url)
    execute(journal_url, f"INSERT INTO {name}.meta VALUES ('schema_version', 'x')")
    with pytest.raises(JournalError, match="belongs to another program; name another schema"):
        PostgresReader.open(journal_url)


def test_a_newer_journal_is_refused(journal_url: str) -> None:
    """Readers, writers and ``migrate`` raise JournalError for a journal of a newer version."""
    PostgresJournal.open(journal_url).close()
    execute(journal_url, f"UPDATE {name_of(journal_url)}.meta SET value = '9' WHERE name = 'schema_version'")
    for use in (PostgresReader.open, PostgresJournal.open, PostgresJournal.migrate):
        message = f"has version 9, but this program supports versions up to {schema.SCHEMA_VERSION}; use a newer"
        with pytest.raises(JournalError, match=message):
            use(journal_url)


def test_an_older_journal_is_brought_up_to_date(journal_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only ``migrate`` does so, while no process has the journal open for writing; it does all of it or nothing."""
    now = schema.SCHEMA_VERSION
    assert PostgresJournal.migrate(journal_url, Clock()).endswith(f" was created with version {now}.")
    assert PostgresJournal.migrate(journal_url).endswith(f" is up to date (version {now}).")
    with PostgresJournal.open(journal_url) as journal:
        add(journal, row(1, "a"))
        monkeypatch.setattr(schema, "SCHEMA_VERSION", now + 2)
        monkeypatch.setitem(schema.MIGRATIONS, now, ("CREATE TABLE later (x int)",))
        monkeypatch.setitem(schema.MIGRATIONS, now + 1, ("ALTER TABLE entries ADD COLUMN later int",))
        with pytest.raises(JournalInUseError, match=r"is in use \(vtex-tracking, process .*wait until they end"):
            PostgresJournal.migrate(journal_url)
    for use in (PostgresReader.open, PostgresJournal.open):
        message = f"has version {now}, but this program needs version {now + 2}; `vtex-tracking migrate`"
        with pytest.raises(JournalError, match=message):
            use(journal_url)
    monkeypatch.setitem(schema.MIGRATIONS, now + 1, ("CREATE TABLE later (x int)",))
    with pytest.raises(JournalError, match="already exists"):
        PostgresJournal.migrate(journal_url)
    monkeypatch.setitem(schema.MIGRATIONS, now + 1, ("ALTER TABLE entries ADD COLUMN later int",))
    assert PostgresJournal.migrate(journal_url).endswith(f" had version {now}, and now has version {now + 2}.")
    with PostgresJournal.open(journal_url) as journal:
        assert journal.meta() == Meta(now + 2, START)
        assert told(journal) == [(1, "a", "pending")]


def test_new_version_is_noticed_by_a_running_process(journal_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next connection that is opened raises JournalError."""
    monkeypatch.setattr(connections, "CONNECTION_TIMEOUT", 0.2)
    with PostgresJournal.open(journal_url) as journal, journal.lease("mystore"):
        execute(journal_url, f"UPDATE {name_of(journal_url)}.meta SET value = '9' WHERE name = 'schema_version'")
        with journal.connections.connection(), pytest.raises(JournalError, match="has version 9"):
            journal.counts()


def test_missing_privilege_is_reported(postgres: Databases) -> None:
    """The error says which privilege is missing and what to do; with the named privileges everything works."""
    database = postgres.new()
    execute(database, "DROP ROLE IF EXISTS vtex_tests_ana", "CREATE ROLE vtex_tests_ana LOGIN PASSWORD 'TOPSECRET'")
    url = changed(database, user="vtex_tests_ana", password="TOPSECRET")
    try:
        with pytest.raises(
            JournalError, match=r"this user lacks a privilege. .*migrate.*\(permission denied for database"
        ):
            PostgresJournal.open(url)
        PostgresJournal.migrate(database)
        with pytest.raises(JournalError, match=r"this user lacks a privilege. .*permission denied for schema"):
            PostgresReader.open(url)
        execute(
            database,
            "GRANT USAGE ON SCHEMA vtex_tracking TO vtex_tests_ana",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA vtex_tracking TO vtex_tests_ana",
        )
        with PostgresJournal.open(url) as journal:
            assert add(journal, row(1, "a")) == ["new"]
            to_state(journal, 1, "refused")
            assert journal.prune(dt.timedelta(0)) == 1
        execute(
            database, "DROP SCHEMA vtex_tracking CASCADE", "CREATE SCHEMA vtex_tracking AUTHORIZATION vtex_tests_ana"
        )
        PostgresJournal.open(url).close()
    finally:
        postgres.drop(database)
        execute(postgres.url, "DROP ROLE vtex_tests_ana")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "TOPSECRET2"}, "password authentication failed"),
        ({"user": "nobody_of_that_name"}, "authentication failed"),
        ({"dbname": "none"}, "does not exist"),
        ({"port": "1"}, "refused"),
        ({"host": "nowhere.invalid"}, "nowhere.invalid"),
        (
            {"options": "-c default_transaction_read_only=on"},
            "it is read-only there; name the primary server",
        ),
    ],
)
def test_server_that_cannot_be_used_is_reported(server: Server, changes: dict[str, str], words: str) -> None:
    """The error names the host and the database, and never the password."""
    url = changed(server.url, **changes)
    for use in (PostgresJournal.open, PostgresJournal.migrate):
        with pytest.raises(JournalError) as caught:
            use(url)
        text = f"{caught.value!r}"
        assert words in text
        assert (
            "read-only there" in text
            or "see that the server runs, and check host, port, database, user and password" in text
        )
        assert changes.get("host", "127.0.0.1") in text
        assert changes.get("dbname", "postgres") in text
        assert "SECRET" not in text
        assert caught.value.__suppress_context__


def test_server_that_stops_while_a_journal_is_opened_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool raises JournalError if it gets no connection, although the version could be read before."""
    monkeypatch.setattr(connections, "CONNECTION_TIMEOUT", 0.1)
    with pytest.raises(JournalError, match="no connection; see that the server runs"):
        connections.Connections(parse_url("postgresql://ana@127.0.0.1:1/d"), is_writing=False, first=mock.Mock())


def test_role_without_a_free_connection_is_reported(journal_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role's limit raises JournalUnavailableError, both when a journal is opened and while it is used."""
    monkeypatch.setattr(connections, "CONNECTION_TIMEOUT", 0.5)
    role = "vtex_tests_limit"
    execute(journal_url, f"DROP ROLE IF EXISTS {role}", f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 2 PASSWORD 'x'")
    PostgresJournal.open(journal_url).close()
    schema = name_of(journal_url)
    execute(
        journal_url, f"GRANT ALL ON SCHEMA {schema} TO {role}", f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}"
    )
    url = with_options(journal_url, {}, user=role, password="x")
    message = "accepts no more connections; close some, or allow more"
    try:
        with PostgresJournal.open(url) as journal, ExitStack() as stack:

            def take_connection() -> bool:
                with suppress(psycopg.OperationalError):  # the connection of the opening has not ended yet
                    stack.enter_context(psycopg.connect(url.partition("&schema=")[0]))
                    return True
                return False

            until(take_connection)
            with pytest.raises(JournalUnavailableError, match=message):
                stack.enter_context(journal.lease("mystore"))
            assert told(journal) == []
            with pytest.raises(JournalUnavailableError, match=message):
                PostgresReader.open(url)
    finally:
        execute(journal_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_database_of_another_encoding_is_refused(postgres: Databases) -> None:
    """A database whose encoding is not UTF-8 cannot store every text, and raises JournalError."""
    url = postgres.new("TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    with pytest.raises(JournalError, match="the database stores text as LATIN1"):
        PostgresJournal.open(url)
    postgres.drop(url)


@pytest.mark.parametrize(
    ("code", "words"), [("53100", "disk is full; free some space there"), ("53200", "has run out of a resource")]
)
def test_server_without_a_resource_is_reported(journal_url: str, code: str, words: str) -> None:
    """Adding and beginning raise JournalError, and change nothing."""
    name = name_of(journal_url)
    with PostgresJournal.open(journal_url) as journal:
        add(journal, row(1, "a"))
        execute(
            journal_url,
            f"CREATE FUNCTION {name}.fail() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '{code}'; END $$",
            f"CREATE TRIGGER no_space BEFORE INSERT OR UPDATE ON {name}.entries EXECUTE FUNCTION {name}.fail()",
        )
        for use in (lambda: add(journal, row(2, "b")), lambda: to_state(journal, 1, "in_flight")):
            with pytest.raises(JournalError, match=words):
                use()
        assert told(journal) == [(1, "a", "pending")]


def test_a_commit_waits_for_the_disk(journal_url: str) -> None:
    """Settings of the user or database do not make commits less durable or transactions stricter."""
    lax = changed(journal_url, options="-c synchronous_commit=off -c default_transaction_isolation=serializable")
    strict = changed(journal_url, options="-c synchronous_commit=remote_apply")
    for url, kept in ((lax, "on"), (strict, "remote_apply")):
        with PostgresJournal.open(url) as journal, journal.connections.connection() as connection:
            assert connection.execute("SHOW synchronous_commit").fetchone() == (kept,)
            assert connection.execute("SHOW transaction_isolation").fetchone() == ("read committed",)


def test_idle_sessions_are_not_ended(journal_url: str) -> None:
    """The user's timeout for idle sessions does not apply, because the lease would be lost."""
    url = changed(journal_url, options="-c idle_session_timeout=5s")
    with PostgresJournal.open(url) as journal, journal.connections.connection() as connection:
        assert connection.execute("SHOW idle_session_timeout").fetchone() == ("0",)


def test_connections_that_were_ended_are_replaced(
    journal_url: str, postgres: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the server ended all idle connections, the next use skips them at once."""
    monkeypatch.setattr(connections, "CONNECTION_TIMEOUT", 5.0)
    with PostgresJournal.open(journal_url) as journal:
        together = threading.Barrier(8)

        def use() -> int:
            with journal.connections.connection() as connection:
                together.wait(30)
                return connection.info.backend_pid

        with ThreadPoolExecutor(8) as pool:
            sessions = [pool.submit(use) for _ in range(8)]
            ended = [session.result(30) for session in sessions]
        execute(postgres.url, f"SELECT pg_terminate_backend(pid, 10000) FROM unnest(ARRAY{ended}) AS pid")
        assert told(journal) == []


def test_interrupt_keeps_no_connection(journal_url: str) -> None:
    """An interrupt while the pool checks a connection returns the connection to the pool, which replaces it."""
    with PostgresJournal.open(journal_url) as journal:

        def interrupt(_: str) -> None:
            raise KeyboardInterrupt

        with journal.connections.connection() as connection:
            connection.execute = interrupt  # type: ignore[method-assign,assignment]
        with pytest.raises(KeyboardInterrupt):
            told(journal)
        assert connection.closed
        assert told(journal) == []


def test_server_that_restarts(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The lease is lost and records nothing more; others fail while the server is down, and work afterwards."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(connections, "CONNECTION_TIMEOUT", 0.5)
    with PostgresJournal.open(server.url) as journal:
        add(journal, row(1, "a"), row(2, "b"))
        a, b = journal.entries()
        with journal.lease("mystore") as lease:
            assert lease is not None
            lease.begin([a])
            server.stop()
            with pytest.raises(JournalError, match="ended the connection"):
                lease.settle([a], "applied")
            with pytest.raises(JournalError):
                lease.begin([b])
        with pytest.raises(JournalError, match="no connection; see that the server runs"):
            add(journal, row(3, "c"))
        server.start()
        until(lambda: works(lambda: told(journal) == [(1, "a", "in_flight"), (2, "b", "pending")]))
        with journal.lease("mystore") as lease:
            assert lease is not None
            lease.settle([a], "unknown")
    assert "SECRET" not in caplog.text


def test_replica_can_be_read(server: Server) -> None:
    """A replica can only be read, and does not know which accounts are being delivered."""
    with PostgresJournal.open(f"{server.url}?schema=copied") as journal:
        add(journal, row(1, "a"), row(2, "a", account="other"))
        with journal.lease("mystore"):
            pass
    server.become_standby()
    url = f"{server.url}?schema=copied"
    with PostgresReader.open(url) as reader:
        assert [state for _, _, state in told(reader)] == ["pending"] * 2
        unclear = f"{process_name()}, or no longer: this server is a replica"
        assert reader.deliverers() == {"mystore": unclear}
    with pytest.raises(JournalError, match="it is read-only there; name the primary server"):
        PostgresJournal.open(url)


def test_password_is_not_shown(journal_url: str) -> None:
    """The password is neither in the name or repr of a journal nor in what other sessions see of it."""
    url = changed(journal_url, application_name="mine")
    with PostgresJournal.open(url) as journal:
        shown = f"{journal.name} {journal!r} {journal.address!r} {journal.connections!r}"
        seen = str(execute(journal_url, "SELECT * FROM pg_stat_activity"))
        for text in (shown, seen):
            assert PASSWORD not in text
            assert "TOPSECRET" not in text
