"""Journals for the tests of what is known of orders."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

from support.journaled import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vtex_tracking_ext.bulk.journal.interface import Journal


@pytest.fixture
def clock() -> Clock:
    """Return a clock that tests set."""
    return Clock()


@pytest.fixture
def file(tmp_path: Path, clock: Clock) -> Iterator[SqliteJournal]:
    """Return an empty journal in a file."""
    with SqliteJournal.open(tmp_path / "journal.db", clock) as journal:
        yield journal


@pytest.fixture(params=["sqlite", "postgres"])
def journal(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    """Return an empty journal of each kind."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield stack.enter_context(SqliteJournal.open(tmp_path / "journal.db", clock))
        else:
            yield stack.enter_context(PostgresJournal.open(request.getfixturevalue("journal_url"), clock))
