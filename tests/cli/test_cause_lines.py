"""Lines about causes whose entries change while they are printed, or are many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal
from vtex_tracking_ext.cli.cause_lines import cause_lines, group_entries

from support.journaled import add, row, to_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

    from vtex_tracking_ext.bulk.journal.entries import Entry


def refuse(journal: SqliteJournal, *reasons: str) -> None:
    """Add a refused event with each reason, each of a package of its own."""
    for number, reason in enumerate(reasons, 1):
        add(journal, row(number, "a", f"{number}"))
        to_state(journal, number, "refused", status_code=404, reason=reason)


def lines(journal: SqliteJournal) -> list[str]:
    """Return the lines about all entries, without the headings and commands."""
    groups = group_entries(journal.entries(), "")
    return [line for line, _ in cause_lines(journal, groups, "") if line.startswith("  mystore")]


def test_a_reason_is_printed_once() -> None:
    """Reasons that differ only in order, invoice and request id are printed with the first package; others are not."""
    with SqliteJournal.temporary() as journal:
        refuse(
            journal,
            "no invoice 1 (request id a)",
            "no invoice 2 (request id b)",
            "no invoice 99 of order o-01",
            "",
        )
        assert lines(journal) == [
            "  mystore, order o-01, invoice 1, event 1 (f.csv:1): no invoice 1 (request id a)",
            "  mystore, order o-01, invoice 2, event 2 (f.csv:2)",
            "  mystore, order o-01, invoice 3, event 3 (f.csv:3): no invoice 99 of order o-01",
            "  mystore, order o-01, invoice 4, event 4 (f.csv:4)",
        ]


def test_many_numbers_of_a_package_are_counted() -> None:
    """The line of a package has five numbers at most."""
    with SqliteJournal.temporary() as journal:
        add(journal, *(row(number, f"e{number}") for number in range(1, 8)))
        to_state(journal, range(1, 8), "refused", status_code=404)
        assert lines(journal) == ["  mystore, order o-01, invoice 1, events 1, 2, 3, 4, 5 and 2 more (f.csv:1)"]


def test_entries_that_were_pruned_meanwhile_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other packages of the cause are printed."""
    with SqliteJournal.temporary() as journal:
        refuse(journal, "x", "x")
        groups = group_entries(journal.entries(), "")
        entries = journal.entries

        def pruned(selection: Selection) -> Iterator[Entry]:
            wanted: Sequence[int] = selection.ids or ()
            return entries(Selection(ids=[id_ for id_ in wanted if id_ != 1]))

        monkeypatch.setattr(journal, "entries", pruned)
        printed = [line for line, _ in cause_lines(journal, groups, "") if line.startswith("  mystore")]
        assert printed == ["  mystore, order o-01, invoice 2, event 2 (f.csv:2): x"]
