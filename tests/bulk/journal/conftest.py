"""Journals of each kind. A new kind of journal is one more parameter of the fixtures."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from attrs import frozen

from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, PostgresReader
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader

from support.journaled import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vtex_tracking_ext.bulk.journal.interface import Journal, JournalReader


@frozen
class Store:
    """The place of a journal.

    Attributes:
        open: Opens the journal for writing; it is closed after the test.
        read: Opens the journal for reading; it is closed after the test.
        location: The journal's file or URL.
    """

    open: Callable[[], Journal]
    read: Callable[[], JournalReader]
    location: str


@pytest.fixture
def clock() -> Clock:
    """Return a clock that always returns :data:`support.journaled.START` unless a test changes it."""
    return Clock()


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Return a stack; what is entered into it is closed after the test."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, opened: ExitStack) -> Store:
    """Return the place of a journal that does not exist yet, of each kind that several processes can open."""
    if request.param == "postgres":
        url = request.getfixturevalue("journal_url")
        return Store(
            lambda: opened.enter_context(PostgresJournal.open(url, clock)),
            lambda: opened.enter_context(PostgresReader.open(url)),
            url,
        )
    path = tmp_path / "journal.db"
    return Store(
        lambda: opened.enter_context(SqliteJournal.open(path, clock)),
        lambda: opened.enter_context(SqliteReader.open(path)),
        str(path),
    )


@pytest.fixture(params=["sqlite", "temporary", "postgres"])
def journal(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, opened: ExitStack) -> Journal:
    """Return an empty journal, of each kind."""
    if request.param == "sqlite":
        return opened.enter_context(SqliteJournal.open(tmp_path / "journal.db", clock))
    if request.param == "postgres":
        return opened.enter_context(PostgresJournal.open(request.getfixturevalue("journal_url"), clock))
    return opened.enter_context(SqliteJournal.temporary(clock))
