"""Journals in files, filled for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.rows import Place, Row
from vtex_tracking_ext.bulk.journal.entries import Selection, State
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path

#: Accounts, and how many of their entries are in which state.
Numbers = Mapping[str, Mapping[State, int]]


def journal_of(path: Path, *texts: str, account: str = "mystore") -> Path:
    """Create or open a journal, and add a pending event for each text."""
    with SqliteJournal.open(path) as journal:
        rows = [_row(number, text) for number, text in enumerate(texts)]
        assert len(list(journal.add(rows, account))) == len(texts)
    return path


def fill(path: Path, numbers: Numbers) -> None:
    """Create or open a journal, and add so many entries in each state."""
    with SqliteJournal.open(path) as journal:
        for account, states in numbers.items():
            for state, number in states.items():
                rows = [_row(line, f"{state} {line}") for line in range(number)]
                assert len(list(journal.add(rows, account))) == number
                ids = [e.id for e in journal.entries(Selection(("pending",), account)) if _is(e.event, state)]
                assert len(ids) == number
                if state != "pending":
                    journal.mark_in_flight(ids)
                    if state != "in_flight":
                        journal.record_outcome(ids, state, status_code=None, reason="said so")


def _row(line: int, text: str) -> Row:
    event = TrackingEvent("2026-10-05", text, "S\u00e3o Paulo", "SP")
    return Row(Place("events.csv", line + 2), "", "o-01", "1", event, is_delivered=False, delivered_date=None)


def _is(event: TrackingEvent | None, state: State) -> bool:
    return event is not None and event.description.startswith(state)
