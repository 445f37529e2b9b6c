"""A journal on a real PostgreSQL, with the fleet's tables beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.fleets import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal


@pytest.fixture
def journal(journal_url: str) -> Iterator[PostgresJournal]:
    """Return a journal of a fleet."""
    with opened(journal_url) as journal:
        yield journal
