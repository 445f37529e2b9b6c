"""Tests of the parts that need no server: addresses, stored texts, lock numbers, messages of errors."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import get_args

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vtex_tracking_ext import ConfigurationError
from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalUnavailableError
from vtex_tracking_ext.bulk.journal.postgres import encoding
from vtex_tracking_ext.bulk.journal.postgres.address import parse_url
from vtex_tracking_ext.bulk.journal.postgres.errors import describe_error, journal_error
from vtex_tracking_ext.bulk.journal.postgres.locks import Purpose, lock_number

SECRET = "TOPSECRET+TOP/SECRET=="


@pytest.mark.parametrize(
    ("url", "name", "schema"),
    [
        ("postgresql://ana:SECRET@db.example:5433/ops", "postgresql://ana@db.example:5433/ops", "vtex_tracking"),
        ("postgres://ana@db.example/ops?sslmode=require", "postgresql://ana@db.example/ops", "vtex_tracking"),
        ("postgresql://?host=/run/pg&dbname=ops&password=SECRET", "postgresql:///run/pg/ops", "vtex_tracking"),
        ("postgresql://?hostaddr=127.0.0.1", "postgresql://127.0.0.1/", "vtex_tracking"),
        ("postgresql://h/d?schema=north", "postgresql://h/d?schema=north", "north"),
        ("postgresql://h/d?schema=north&port=1", "postgresql://h:1/d?schema=north", "north"),
        ("postgresql://h/d?port=1&schema=north", "postgresql://h:1/d?schema=north", "north"),
        ("postgresql://ana:a%40b%2FSECRET@h/d%40e?sslrootcert=/a@b", "postgresql://ana@h/d@e", "vtex_tracking"),
        ("postgresql://u:a%3Fschema%3Db@h/d", "postgresql://u@h/d", "vtex_tracking"),
        ("postgresql://h/d\x1b%5B31m", "postgresql://h/d\\x1b[31m", "vtex_tracking"),
    ],
)
def test_url_is_parsed(url: str, name: str, schema: str) -> None:
    """A URL becomes libpq's parameters, the schema, and a name without secrets and control characters."""
    address = parse_url(url)
    assert (address.name, address.schema) == (name, schema)
    assert "SECRET" not in repr(address) + address.name
    assert "schema" not in address.parameters


def test_parameters_of_the_url_replace_defaults() -> None:
    """A URL can set parameters that have another default."""
    assert parse_url("postgresql://h/d").parameters["connect_timeout"] == "10"
    assert parse_url("postgresql://h/d?connect_timeout=3").parameters["connect_timeout"] == "3"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ana:{SECRET}%zz@h/d",
        f"postgresql://ana:{SECRET}@h:port/d?{SECRET}=1",
        f"postgresql://[{SECRET}/d",
        f"postgresql://ana:{SECRET}\ud800@h/d",
        f"postgresql://ana:{SECRET}%00@h/d",
        f"postgresql://ana:{SECRET.replace('/', '@')}@h/d",
        f"postgresql://ana:a?b@{SECRET.replace('/', '-')}@h/d",
        f"postgresql://ana:1234/{SECRET}@h/d",
        f"postgresql://{SECRET}@h/d",
    ],
)
def test_invalid_url_is_not_shown(url: str) -> None:
    """The error shows nothing of an invalid URL, because any part of it may be a password."""
    with pytest.raises(JournalError, match=r"write postgresql://USER:PASSWORD@HOST:PORT/DATABASE") as caught:
        parse_url(url)
    assert "SECRET" not in f"{caught.value!r} {caught.value.__cause__}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("schema", ["", "North", "1st", 'a"b', "a.b", "x" * 64, "a%20b"])
def test_schema_with_an_invalid_name_is_refused(schema: str) -> None:
    """A schema's name needs no quotes; any other one raises JournalError."""
    with pytest.raises(JournalError, match="lower case letters, digits and underscores"):
        parse_url(f"postgresql://h/d?schema={schema}")


@given(st.text(st.characters(codec=None)))
@example("a\x00b\x1a0000\ud83d")
def test_every_text_is_read_as_it_was_written(text: str) -> None:
    """PostgreSQL can store every encoded text, and decoding returns the text."""
    stored = encoding.encode(text)
    assert "\x00" not in stored
    assert stored.encode("utf-8").decode("utf-8") == stored
    assert encoding.decode(stored) == text


def test_lock_numbers_differ() -> None:
    """Purpose, schema and account make different numbers, all of them of 64 bits with a sign."""
    purposes: tuple[Purpose, ...] = get_args(Purpose)
    numbers = [lock_number(purpose, schema) for purpose in purposes for schema in "ab"]
    numbers += [lock_number("delivering", schema, account) for schema in "ab" for account in ("x", "y", "\ud800")]
    assert len(set(numbers)) == 2 * len(purposes) + 6
    assert all(-(2**63) <= number < 2**63 for number in numbers)
    assert min(numbers) < 0 < max(numbers)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (psycopg.errors.DiskFull("no space left on device"), "its server's disk is full"),
        (psycopg.errors.OutOfMemory("x"), "run out of a resource"),
        (psycopg.errors.TooManyConnections("x"), "accepts no more connections"),
        (psycopg.errors.QueryCanceled("x"), "check statement_timeout"),
        (psycopg.errors.AdminShutdown("x"), "ended the connection"),
        (psycopg.errors.DataCorrupted("x"), "restore it from a backup"),
        (psycopg.errors.NumericValueOutOfRange("x"), "cannot store such a value"),
        (psycopg.errors.TransactionTimeout("x"), "run again"),
        (psycopg.errors.RaiseException("x"), "it cannot be used"),
        (psycopg.OperationalError("x"), "ended the connection"),
        (psycopg.InterfaceError("x"), "it cannot be used"),
    ],
)
def test_errors_have_advice(error: psycopg.Error, words: str) -> None:
    """The message of an error has the journal's name and says how to fix it."""
    text = describe_error(parse_url(f"postgresql://ana:{SECRET.replace('/', '%2F')}@h/d"), error)
    assert text.startswith("The journal postgresql://ana@h/d: ")
    assert words in text


@pytest.mark.parametrize(
    ("error", "at_start", "later"),
    [
        (psycopg.errors.DiskFull("x"), True, True),
        (psycopg.errors.TooManyConnections("x"), True, True),
        (psycopg.OperationalError('connection failed: FATAL:  too many connections for role "ana"'), True, True),
        (psycopg.OperationalError("FATAL:  remaining connection slots are reserved for roles with"), True, True),
        (psycopg.OperationalError("connection failed: FATAL:  the database system is starting up"), True, True),
        (psycopg.errors.CannotConnectNow("x"), True, True),
        (psycopg.errors.QueryCanceled("x"), True, True),
        (psycopg.errors.SerializationFailure("x"), True, True),
        (psycopg.errors.LockNotAvailable("x"), True, True),
        (psycopg.errors.IoError("x"), True, True),
        (psycopg.OperationalError("connection failed: Connection refused"), False, True),
        (psycopg.errors.ReadOnlySqlTransaction("x"), False, True),
        (psycopg.errors.TransactionTimeout("x"), False, True),
        (psycopg.errors.ConnectionFailure("x"), False, True),
        (psycopg.errors.InsufficientPrivilege("x"), False, False),
        (psycopg.errors.UndefinedTable("x"), False, False),
        (psycopg.errors.DataCorrupted("x"), False, False),
        (psycopg.errors.RaiseException("x"), False, False),
        (psycopg.InterfaceError("x"), False, False),
    ],
)
def test_errors_after_which_a_run_is_resumed(error: psycopg.Error, *, at_start: bool, later: bool) -> None:
    """A failed connection and a read-only server are mistakes at the start, and outages in mid-run."""
    address = parse_url("postgresql://h/d")
    for was_open, expected in ((False, at_start), (True, later)):
        found = journal_error(address, error, is_connecting=not was_open, was_open=was_open)
        assert isinstance(found, JournalUnavailableError) == expected


def test_message_of_a_server_is_escaped() -> None:
    """The message is on one line, without control characters and without the secrets of the URL."""
    address = parse_url("postgresql://ana:TOP%2FSECRET@h/d?sslpassword=TOPTOO")
    text = describe_error(address, psycopg.OperationalError("said:\n\x1b[31m TOP/SECRET TOPTOO"))
    assert text.endswith(r"(said: \x1b[31m *** ***).")


def test_missing_extra_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the import raises ConfigurationError, which says what to install."""
    package = "vtex_tracking_ext.bulk.journal.postgres"
    for name in [name for name in sys.modules if name.startswith(package)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(
        ConfigurationError, match=r"needs an extra \(psycopg is missing\): pip install 'vtex-tracking\["
    ):
        import_module(package)


def test_everything_else_works_without_the_extra() -> None:
    """Importing the command line and pushing needs no psycopg; opening a journal on PostgreSQL raises."""
    code = (
        "import sys\nsys.modules['psycopg'] = None\n"
        "import vtex_tracking_ext.cli.status, vtex_tracking_ext.bulk.pipeline\n"
        "from vtex_tracking_ext.bulk.journal.opening import open_reader\n"
        "from vtex_tracking_ext import ConfigurationError\n"
        "try: open_reader('postgresql://h/d')\nexcept ConfigurationError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == (
        "A journal on PostgreSQL needs an extra (psycopg is missing): pip install 'vtex-tracking[postgres]'.\n"
    )
