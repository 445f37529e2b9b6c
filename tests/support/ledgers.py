"""Journals in files, filled for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.rows import Place, Row
from vtex_tracking_ext.bulk.journal.entries import Selection, State
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

from support.journaled import add, to_state

if TYPE_CHECKING:
    from pathlib import Path

#: Accounts, and how many of their entries are in which state.
Numbers = Mapping[str, Mapping[State, int]]


def journal_of(path: Path, *texts: str, account: str = "mystore") -> Path:
    """Create or open a journal, and add a pending event for each text."""
    with SqliteJournal.open(path) as journal:
        add(journal, *[_row(line, text, account) for line, text in enumerate(texts)])
    return path


def fill(path: Path, numbers: Numbers) -> None:
    """Create or open a journal, and add so many entries in each state."""
    with SqliteJournal.open(path) as journal:
        for account, states in numbers.items():
            for state, number in states.items():
                add(journal, *[_row(line, f"{state} {line}", account) for line in range(number)])
                ids = [e.id for e in journal.entries(Selection(("pending",), account)) if _is(e.event, state)]
                assert len(ids) == number
                to_state(journal, ids, state, reason="said so")


def _row(line: int, text: str, account: str) -> Row:
    event = TrackingEvent("2026-10-05", text, "S\u00e3o Paulo", "SP")
    return Row(Place("events.csv", line + 2), account, "o-01", "1", event, is_delivered=False, delivered_date=None)


def _is(event: TrackingEvent | None, state: State) -> bool:
    return event is not None and event.description.startswith(state)
