"""Tests of opening a journal by its location."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from vtex_tracking_ext import TrackingClient
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.journal import opening
from vtex_tracking_ext.bulk.journal.entries import STATES, Selection
from vtex_tracking_ext.bulk.journal.interface import JournalError, NoJournalError
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, PostgresReader
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader
from vtex_tracking_ext.bulk.pipeline import deliver, note, push

from support.journaled import Account, add, delivery, row, to_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext.bulk.journal.opening import Location


@pytest.fixture(params=["file", "database"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Return the location of a journal that does not exist yet, of each kind."""
    if request.param == "file":
        return tmp_path / "j.db"
    url: str = request.getfixturevalue("journal_url")
    return url


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("postgresql://h/d", True),
        ("postgres://h/d", True),
        ("postgresql:/h/d", False),
        ("POSTGRESQL://h/d", False),
        ("j.db", False),
        (Path("postgresql://h/d"), False),
    ],
)
def test_url_is_a_database(where: Location, expected: bool) -> None:
    """A text that begins with a scheme of PostgreSQL is a database; a path never is."""
    assert opening.is_postgres(where) is expected


def test_displayed_location_has_no_password() -> None:
    """The password of a URL is left out; an invalid URL raises, without its secrets. No server is needed."""
    assert opening.display_name("postgresql://ana:TOPSECRET@h/d?sslmode=require") == "postgresql://ana@h/d"
    assert opening.display_name(Path("a/j.db")) == str(Path("a/j.db"))
    with pytest.raises(JournalError, match="is not a valid PostgreSQL URL"):
        opening.display_name("postgresql://h/d?TOPSECRET=1")


@pytest.mark.parametrize(
    "where",
    [
        "host=h dbname=d user=ana password=TOPSECRET",
        "password = 'TOPSECRET' host = h",
        "dbname=TOPSECRET",
        "service=TOPSECRET",
        "user=TOPSECRET",
        "Server=h;Database=d;User Id=ana;Pwd=TOPSECRET;",
        "postgresql+psycopg://ana:TOPSECRET@h/d",
        "POSTGRES://ana:TOPSECRET@h/d",
        " postgresql://ana:TOPSECRET@h/d",
        "'postgresql://ana:TOPSECRET@h/d'",
        "VTEX_JOURNAL=postgresql://ana:TOPSECRET@h/d",
        "postgresql:/ana:TOPSECRET@h/d",
        "postgresql:/h/TOPSECRET",
        "postgres//ana:TOPSECRET@h/d",
        "ana:TOPSECRET@h/d",
        "jdbc:postgresql://h/d?user=ana&password=TOPSECRET",
        "jdbc:sqlserver:TOPSECRET",
        "mysql://ana:TOPSECRET@h/d",
        "sqlite:///TOPSECRET.db",
        "https://h/TOPSECRET",
        "h/d?sslmode=require&password=TOPSECRET",
    ],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_connection_string_is_refused_without_being_shown(where: str, kind: type[str | Path]) -> None:
    """A text that is neither a path nor a URL of PostgreSQL is refused by every function, and not shown."""
    calls: list[Callable[[Any], object]] = [
        opening.display_name,
        opening.open_journal,
        opening.open_reader,
        opening.migrate,
        lambda location: push([], TrackingClient("a", app_key="k", app_token="t"), location),
        lambda location: deliver(TrackingClient("a", app_key="k", app_token="t"), location),
        lambda location: note([], location),
    ]
    for call in calls:
        with pytest.raises(JournalError, match="neither the path of a file nor a URL of PostgreSQL") as caught:
            call(kind(where))
        assert "TOPSECRET" not in repr(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    "where",
    [
        "j.db",
        "/var/lib/ana@h/j.db",
        "/data/host=web1/j.db",
        "./password=x",
        "./dir;user=a/12:30@x.db",
        "../j-12:30@x.db",
        "/srv/dir;user=a/12:30@x.db",
        "//server/share/j.db",
        "C:\\Users\\ana@h\\j.db",
        "C:/Users/ana/j.db",
        "a=b.db",
        "12:00.db",
        "a b/j.db",
    ],
)
def test_path_of_a_file_is_accepted(where: str) -> None:
    """A path is accepted, also with characters that occur in connection strings."""
    assert opening.display_name(where) == where


def test_each_kind_is_opened(where: Location) -> None:
    """Opening for writing creates the journal unless told otherwise, and the name has no secrets."""
    kinds = (PostgresJournal, PostgresReader) if opening.is_postgres(where) else (SqliteJournal, SqliteReader)
    with pytest.raises(NoJournalError):
        opening.open_reader(where)
    with pytest.raises(NoJournalError):
        opening.open_journal(where, create=False)
    with opening.open_journal(where) as journal:
        assert type(journal) is kinds[0]
    with opening.open_reader(where) as reader:
        assert type(reader) is kinds[1]
        assert reader.name == journal.name == opening.display_name(where)
    done = f"is up to date (version {5 if opening.is_postgres(where) else 6})"
    assert opening.migrate(where) == f"The journal {reader.name} {done}."


def test_temporary_copy_has_what_the_journal_has(where: Location) -> None:
    """The copy has all entries, and knows the same rows; changing it does not change the journal."""
    with opening.open_journal(where) as journal:
        add(journal, *[row(n, f"event {n}", invoice=str(n % 3)) for n in range(1200)])
        for number, state in enumerate(STATES, 1):
            to_state(journal, number, state, status_code=200, reason="why")
        to_state(journal, 10, "refused")
        journal.dismiss(Selection(ids=(10,)))
        add(journal, row(1, "pruned", invoice="9"))
        to_state(journal, 1201, "applied")
        assert journal.prune(dt.timedelta(0)) == 1
        held = list(journal.entries())
        rows = [
            row(1, "event 1", "1"),
            row(4, "event 3", "0"),
            row(5, "event 5", "2"),
            row(6, "event 9", "0"),
            row(7, "pruned", "9"),
            row(9, "new"),
            delivery(10),
        ]
        expected = ["known", "renewed", "renewed", "known", "known", "new", "new"]
        with opening.open_reader(where) as reader, SqliteJournal.temporary() as copy:
            copy.copy(reader)
            plain: dict[str, Any] = {"status_code": None, "begun": None, "settled": None}
            assert [evolve(entry, **plain) for entry in copy.entries()] == [evolve(entry, **plain) for entry in held]
            assert copy.count_backlogs("mystore") == journal.count_backlogs("mystore")
            assert add(copy, *rows) == expected
        assert list(journal.entries()) == held
        assert add(journal, *rows) == expected


def test_rows_are_pushed_to_either(where: Location) -> None:
    """A push from Python accepts either location; the rows that it sent are known to the next one."""
    account: Any = Account()
    given = [{"order_id": "o-01", "invoice_number": "1", "date": "2026-10-01", "description": "a"}]
    result = push(given, account, where, options=DeliveryOptions(recheck_delays=()))
    assert (result.new, result.applied) == (1, 1)
    assert push(given, account, where, options=DeliveryOptions(recheck_delays=())).known == 1
    assert account.sent == ["a"]
