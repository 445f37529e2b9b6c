"""The server itself: tables and their versions, who may do what, and a server that goes and comes back."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
import pytest

from vtex_tracking_ext.bulk.journal.entries import Meta
from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalInUseError, NoJournalError
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, PostgresReader, connections, parse_url, schema

from support.journaled import START, Clock, package, row, told
from support.postgres import PASSWORD, Server, execute, until, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.postgres import Databases


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Return a server of this module's own, because it is stopped."""
    with Server() as server:
        yield server


def changed(url: str, **changes: str) -> str:
    """Return a URL with other parameters."""
    base, _, schema = url.partition("&schema=")
    changed = url_of({**psycopg.conninfo.conninfo_to_dict(base), **changes})
    return f"{changed}&schema={schema}" if schema else changed


def works(use: Callable[[], object]) -> object:
    """Return what something gives, or nothing where the journal cannot be used."""
    with suppress(JournalError):
        return use()
    return None


def name_of(url: str) -> str:
    """Return the schema in a URL."""
    return url.partition("&schema=")[2]


def test_a_journal_is_made_when_it_is_first_written_to(journal_url: str) -> None:
    """Not when somebody looks, or asks for one that is there; and then it is as it was."""
    for use in (PostgresReader.open, lambda url: PostgresJournal.open(url, create=False)):
        with pytest.raises(NoJournalError, match=r"a push, or `vtex-tracking migrate`, creates it\."):
            use(journal_url)
    with PostgresJournal.open(journal_url, Clock()) as journal:
        list(journal.add([row(1, "a")], "mystore"))
    with PostgresJournal.open(journal_url, create=False) as journal:
        assert journal.meta() == Meta(1, START)
        assert told(journal) == [(1, "a", "pending")]


def test_two_journals_share_a_database(journal_url: str) -> None:
    """With each other, and with tables of other programs."""
    with PostgresJournal.open(journal_url) as one, PostgresJournal.open(f"{journal_url}_b") as two:
        list(one.add([row(1, "a")], "mystore"))
        list(two.add([row(1, "b")], "mystore"))
        with one.try_lock(package()) as mine, two.try_lock(package()) as mine_too:
            assert (mine, mine_too) == (True, True)
        assert (told(one), told(two)) == ([(1, "a", "pending")], [(1, "b", "pending")])
    execute(journal_url, f"DROP SCHEMA {name_of(journal_url)}_b CASCADE")


def test_the_usual_schema_is_vtex_tracking(database: str) -> None:
    """And ``public`` stays empty."""
    with PostgresJournal.open(database) as journal:
        assert "schema" not in journal.name
    found = execute(database, "SELECT schemaname, count(*) FROM pg_tables WHERE schemaname !~ '^(pg_|info)' GROUP BY 1")
    assert found == [("vtex_tracking", 4)]


def test_another_programs_schema_is_left_alone(journal_url: str) -> None:
    """Whether it has a table of that name or not."""
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
    """By whoever opens it, and by migrate."""
    PostgresJournal.open(journal_url).close()
    execute(journal_url, f"UPDATE {name_of(journal_url)}.meta SET value = '2' WHERE name = 'schema_version'")
    for use in (PostgresReader.open, PostgresJournal.open, PostgresJournal.migrate):
        with pytest.raises(
            JournalError, match=r"has version 2, but this program supports versions up to 1; use a newer"
        ):
            use(journal_url)


def test_an_older_journal_is_brought_up_to_date(journal_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By migrate alone, and while nobody writes to it; all of it or nothing."""
    assert PostgresJournal.migrate(journal_url, Clock()).endswith(" was created with version 1.")
    assert PostgresJournal.migrate(journal_url).endswith(" is up to date (version 1).")
    with PostgresJournal.open(journal_url) as journal:
        list(journal.add([row(1, "a")], "mystore"))
        monkeypatch.setattr(schema, "SCHEMA_VERSION", 3)
        monkeypatch.setitem(schema.MIGRATIONS, 1, ("CREATE TABLE later (x int)",))
        monkeypatch.setitem(schema.MIGRATIONS, 2, ("ALTER TABLE entries ADD COLUMN later int",))
        with pytest.raises(JournalInUseError, match=r"is in use \(vtex-tracking, process .*wait until they end"):
            PostgresJournal.migrate(journal_url)
    for use in (PostgresReader.open, PostgresJournal.open):
        with pytest.raises(
            JournalError, match="has version 1, but this program needs version 3; `vtex-tracking migrate`"
        ):
            use(journal_url)
    monkeypatch.setitem(schema.MIGRATIONS, 2, ("CREATE TABLE later (x int)",))
    with pytest.raises(JournalError, match="already exists"):
        PostgresJournal.migrate(journal_url)
    monkeypatch.setitem(schema.MIGRATIONS, 2, ("ALTER TABLE entries ADD COLUMN later int",))
    assert PostgresJournal.migrate(journal_url).endswith(" had version 1, and now has version 3.")
    with PostgresJournal.open(journal_url) as journal:
        assert journal.meta() == Meta(3, START)
        assert told(journal) == [(1, "a", "pending")]


def test_a_change_of_the_tables_during_a_run_is_noticed(journal_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the next connection that is made."""
    monkeypatch.setattr(connections, "CONNECTION_TIMEOUT", 0.2)
    with PostgresJournal.open(journal_url) as journal, journal.try_lock(package()):
        execute(journal_url, f"UPDATE {name_of(journal_url)}.meta SET value = '2' WHERE name = 'schema_version'")
        found: list[object] = []

        def look() -> None:
            try:
                journal.counts()
            except JournalError as error:
                found.append(error)

        thread = threading.Thread(target=look)
        thread.start()
        thread.join(30)
        assert "has version 2" in str(found[0])


def test_a_user_without_rights_is_told(postgres: Databases) -> None:
    """What is missing, and who can do it; a schema that is there and granted is enough."""
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
            "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA vtex_tracking TO vtex_tests_ana",
        )
        with PostgresJournal.open(url) as journal:
            assert [added.status for added in journal.add([row(1, "a")], "mystore")] == ["new"]
            journal.mark_in_flight([1])
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
def test_a_server_that_cannot_be_used_is_told_in_words(server: Server, changes: dict[str, str], words: str) -> None:
    """With the host and the database, and never the password."""
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


def test_a_server_that_goes_while_a_journal_is_opened_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """After it was asked for the version."""
    monkeypatch.setattr(connections, "CONNECTION_TIMEOUT", 0.1)
    with pytest.raises(JournalError, match="no connection; see that the server runs"):
        connections.Connections(parse_url("postgresql://ana@127.0.0.1:1/d"), is_writing=False)


def test_a_database_of_another_encoding_is_refused(postgres: Databases) -> None:
    """It could not keep every text."""
    url = postgres.new("TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    with pytest.raises(JournalError, match="the database stores text as LATIN1"):
        PostgresJournal.open(url)
    postgres.drop(url)


@pytest.mark.parametrize("code", ["53100", "53200"])
def test_a_server_that_has_run_out_of_something_is_told(journal_url: str, code: str) -> None:
    """And nothing is changed."""
    name = name_of(journal_url)
    with PostgresJournal.open(journal_url) as journal:
        list(journal.add([row(1, "a")], "mystore"))
        execute(
            journal_url,
            f"CREATE FUNCTION {name}.fail() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '{code}'; END $$",
            f"CREATE TRIGGER no_space BEFORE INSERT OR UPDATE ON {name}.entries EXECUTE FUNCTION {name}.fail()",
        )
        words = "disk is full; free some space there" if code == "53100" else "has run out of a resource"
        for use in (lambda: list(journal.add([row(2, "b")], "mystore")), lambda: journal.mark_in_flight([1])):
            with pytest.raises(JournalError, match=words):
                use()
        assert told(journal) == [(1, "a", "pending")]


def test_a_commit_waits_for_the_disk(journal_url: str, postgres: Databases) -> None:
    """Whatever is usual for this user; and other sessions' settings are as they were."""
    lax = changed(journal_url, options="-c synchronous_commit=off -c default_transaction_isolation=serializable")
    strict = changed(journal_url, options="-c synchronous_commit=remote_apply")
    for url, kept in ((lax, "on"), (strict, "remote_apply")):
        with PostgresJournal.open(url) as journal, journal.connections.connection() as connection:
            assert connection.execute("SHOW synchronous_commit").fetchone() == (kept,)
            assert connection.execute("SHOW transaction_isolation").fetchone() == ("read committed",)
    assert postgres


def test_a_session_that_waits_for_a_call_is_not_ended(journal_url: str) -> None:
    """Whatever is usual for this user: the lock of its package would be lost."""
    url = changed(journal_url, options="-c idle_session_timeout=5s")
    with PostgresJournal.open(url) as journal, journal.connections.connection() as connection:
        assert connection.execute("SHOW idle_session_timeout").fetchone() == ("0",)


def test_many_connections_that_were_ended_are_no_matter(
    journal_url: str, postgres: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the server restarted while nobody asked: the next one who does passes over all of them at once."""
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


def test_an_interrupt_keeps_no_connection(journal_url: str) -> None:
    """Not even while it is looked at whether it is alive."""
    with PostgresJournal.open(journal_url) as journal:

        def interrupt(_: str) -> None:
            raise KeyboardInterrupt

        with journal.connections.connection() as connection:
            connection.execute = interrupt  # type: ignore[method-assign,assignment]
        with pytest.raises(KeyboardInterrupt):
            told(journal)
        assert connection.closed
        assert told(journal) == []


def test_a_server_that_restarts_is_gone_for_a_moment(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who holds a package fails, for its lock is lost; others fail while it is gone, and go on afterwards."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(connections, "CONNECTION_TIMEOUT", 0.5)
    with PostgresJournal.open(server.url) as journal:
        list(journal.add([row(1, "a"), row(2, "b")], "mystore"))
        with journal.try_lock(package()) as is_mine:
            assert is_mine
            journal.mark_in_flight([1])
            server.stop()
            with pytest.raises(JournalError, match="ended the connection"):
                journal.record_outcome([1], "applied")
            with pytest.raises(JournalError):
                journal.mark_in_flight([2])
        with pytest.raises(JournalError, match="no connection; see that the server runs"):
            journal.mark_in_flight([2])
        server.start()
        until(lambda: works(lambda: told(journal) == [(1, "a", "in_flight"), (2, "b", "pending")]))
        with journal.try_lock(package()) as is_mine:
            assert is_mine
            journal.record_outcome([1], "unknown")
    assert "SECRET" not in caplog.text


def test_a_copy_can_be_read(server: Server) -> None:
    """Not written to; who writes to the other server cannot be told."""
    with PostgresJournal.open(f"{server.url}?schema=copied") as journal:
        list(journal.add([row(1, "a")], "mystore"))
    server.become_standby()
    url = f"{server.url}?schema=copied"
    with PostgresReader.open(url) as reader:
        assert told(reader) == [(1, "a", "pending")]
        assert reader.active_writers() == "or not: this server is a replica and does not know"
    with pytest.raises(JournalError, match="it is read-only there; name the primary server"):
        PostgresJournal.open(url)


def test_the_password_is_seen_nowhere(journal_url: str) -> None:
    """Not in a journal's name or repr, nor in what its server can see of it."""
    url = changed(journal_url, application_name="mine")
    with PostgresJournal.open(url) as journal:
        shown = f"{journal.name} {journal!r} {journal.address!r} {journal.connections!r}"
        seen = str(execute(journal_url, "SELECT * FROM pg_stat_activity"))
        for text in (shown, seen):
            assert PASSWORD not in text
            assert "TOPSECRET" not in text
