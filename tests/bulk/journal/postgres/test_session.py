"""Sessions mean the same by the same values, whatever their role, database and URL set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, PostgresReader
from vtex_tracking_ext.bulk.journal.postgres.session import configuration

from support.journaled import add, delivery, row, to_state, told
from support.postgres import execute, with_options

if TYPE_CHECKING:
    from support.postgres import Databases

#: Values of settings with which values would mean something else, or statements would fail.
HOSTILE = {
    "standard_conforming_strings": "off",
    "backslash_quote": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "bytea_output": "escape",
    "DateStyle": "German",
    "IntervalStyle": "iso_8601",
    "TimeZone": "Asia/Kathmandu",
    "client_encoding": "LATIN1",
    "extra_float_digits": "-15",
    "search_path": "pg_temp",
    "default_transaction_isolation": "serializable",
    "lock_timeout": "1",
    "statement_timeout": "1s",
    "exit_on_error": "on",
    "quote_all_identifiers": "on",
    "session_replication_role": "replica",
}


@pytest.mark.parametrize("is_hostile_first", [True, False])
def test_role_settings_change_no_key(journal_url: str, *, is_hostile_first: bool) -> None:
    """A row that a session with other settings added is known, and values are read as they were written."""
    urls = [with_options(journal_url, HOSTILE), journal_url]
    rows = [row(1, "Colet\u00e1do \\'\""), delivery(2), row(3, "b", event_id="1")]
    first, second = urls if is_hostile_first else urls[::-1]
    with PostgresJournal.open(first) as journal:
        assert add(journal, *rows) == ["new"] * 3
        to_state(journal, 1, "applied", receipt="\\x00")
        entries = [*journal.entries()]
        assert [entry.event is None for entry in entries] == [False, True, False]
        meta = journal.meta()
    with PostgresJournal.open(second) as journal:
        assert add(journal, *rows) == ["known"] * 3
        assert [*journal.entries()] == entries
        assert journal.meta() == meta


def test_floats_are_exact(journal_url: str) -> None:
    """A number of seconds is read with all of its digits, also by a session that shows few."""
    with PostgresJournal.open(journal_url) as journal:
        add(journal, row(1, "a"))
    execute(journal_url, f"UPDATE {journal.address.schema}.accounts SET resend_after = 5432.1")
    with PostgresReader.open(with_options(journal_url, HOSTILE)) as reader:
        record = reader.account("mystore")
        assert record is not None
        assert record.resend_after == 5432.1


def test_entries_that_a_policy_hides_are_not_sent_again(postgres: Databases) -> None:
    """If row security would hide entries from a role, its use raises JournalError instead of adding them again."""
    database = postgres.new()
    role = "vtex_tests_row_security"
    execute(database, f"DROP ROLE IF EXISTS {role}", f"CREATE ROLE {role} LOGIN PASSWORD 'TOPSECRET'")
    try:
        with PostgresJournal.open(database) as journal:
            add(journal, row(1, "a"))
        execute(
            database,
            f"GRANT USAGE ON SCHEMA vtex_tracking TO {role}",
            f"GRANT ALL ON ALL TABLES IN SCHEMA vtex_tracking TO {role}",
            "ALTER TABLE vtex_tracking.entries ENABLE ROW LEVEL SECURITY",
        )
        with (
            PostgresJournal.open(with_options(database, {}, user=role, password="TOPSECRET")) as journal,
            pytest.raises(JournalError, match=r"row.security.* policy for table .entries."),
        ):
            told(journal)
    finally:
        postgres.drop(database)
        execute(postgres.url, f"DROP ROLE {role}")


def test_running_sessions_keep_their_settings(journal_url: str) -> None:
    """Each setting is set, also to its default, so that a changed configuration does not reach a running session."""
    with PostgresJournal.open(journal_url) as journal, journal.connections.connection() as connection:
        _, (names, _) = configuration("x")
        found = connection.execute("SELECT name, source FROM pg_settings WHERE name = ANY(%s)", (names,)).fetchall()
    assert {source for _, source in found} == {"session"}
    may_be_missing = {"transaction_timeout", "idle_session_timeout", "escape_string_warning"}  # in some versions
    assert set(names) - {name for name, _ in found} <= may_be_missing
