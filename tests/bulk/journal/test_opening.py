"""Opening a journal wherever it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from vtex_tracking_ext.bulk.delivery.deliver import DeliveryOptions
from vtex_tracking_ext.bulk.journal import opening
from vtex_tracking_ext.bulk.journal.entries import STATES
from vtex_tracking_ext.bulk.journal.interface import JournalError, NoJournalError
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, PostgresReader
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader
from vtex_tracking_ext.bulk.pipeline import push

from support.journaled import Account, delivery, row

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.opening import Location


@pytest.fixture(params=["file", "database"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Return a place for a journal, of each kind."""
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
def test_a_database_is_told_by_its_url(where: Location, expected: bool) -> None:  # the beginning says it
    """A path never is one."""
    assert opening.is_postgres(where) is expected


def test_what_is_shown_has_no_password() -> None:
    """And asks no server."""
    assert opening.display_name("postgresql://ana:TOPSECRET@h/d?sslmode=require") == "postgresql://ana@h/d"
    assert opening.display_name(Path("a/j.db")) == str(Path("a/j.db"))
    with pytest.raises(JournalError, match="is not a valid PostgreSQL URL"):
        opening.display_name("postgresql://h/d?TOPSECRET=1")


def test_each_kind_is_opened(where: Location) -> None:
    """To write and to read; made only when it is written to."""
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
    done = f"is up to date (version {1 if opening.is_postgres(where) else 2})"
    assert opening.migrate(where) == f"The journal {reader.name} {done}."


def test_a_trial_holds_what_the_journal_holds(where: Location) -> None:
    """And changes nothing there; it may be opened while somebody writes."""
    with opening.open_temporary_copy(where) as trial:
        assert list(trial.entries()) == []
    with opening.open_journal(where) as journal:
        assert (
            len(list(journal.add([row(n, f"event {n}", invoice=str(n % 3)) for n in range(1200)], "mystore"))) == 1200
        )
        for number, state in enumerate(STATES[1:], 2):
            journal.mark_in_flight([number])
            if state in {"applied", "refused", "unknown"}:
                journal.record_outcome([number], state, status_code=200, reason="why")
        held = list(journal.entries())
        with opening.open_temporary_copy(where) as trial:
            plain: dict[str, Any] = {"status_code": None, "reason": "", "begun": None, "settled": None}
            copied = [evolve(entry, **plain) for entry in trial.entries()]
            assert copied == [evolve(entry, **plain) for entry in held]
            rows = [row(1, "event 1", "1"), row(4, "event 3", "0"), row(5, "new"), delivery(6)]
            assert [added.status for added in trial.add(rows, "mystore")] == ["known", "renewed", "new", "new"]
        assert list(journal.entries()) == held


def test_a_trial_of_what_cannot_be_read_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a journal nor its folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(JournalError, match="no connection"):
        opening.open_temporary_copy("postgresql://ana@127.0.0.1:1/d")
    assert list(tmp_path.iterdir()) == []


def test_rows_are_pushed_by_way_of_either(where: Location) -> None:
    """From Python."""
    account: Any = Account()
    given = [{"order_id": "o-01", "invoice_number": "1", "date": "2026-10-01", "description": "a"}]
    result = push(given, account, where, options=DeliveryOptions(recheck_delays=()))
    assert (result.new, result.applied) == (1, 1)
    assert push(given, account, where, options=DeliveryOptions(recheck_delays=())).known == 1
    assert account.sent == ["a"]
