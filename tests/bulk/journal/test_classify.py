"""Classifying a batch of rows."""

from __future__ import annotations

from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.classify import Existing, classify_rows
from vtex_tracking_ext.bulk.journal.entries import drafts_from_row

from support.journaled import delivery, row


def test_rows_are_classified_one_after_the_other() -> None:
    """Each row is compared with the rows before it; an entry keeps its position and has its last row's place."""
    rows = [
        delivery(1),
        row(2, "a"),
        delivery(3, "2026-10-01", "a"),
        delivery(4),
        delivery(5, "2026-10-02", "b"),
        row(6, "c"),
    ]
    drafts = [(one, drafts_from_row(one, "mystore")) for one in rows]
    classified = classify_rows(drafts, {})
    statuses = [added.status for added in classified.added]
    assert statuses == ["new", "new", "renewed", "known", "contradicts", "new"]
    assert [draft.place.line for draft in classified.new.values()] == [3, 2, 6]
    assert classified.renewed == {}
    held = {drafts[1][1][0].key: Existing("refused", None, Place("old.csv", 1))}
    classified = classify_rows(drafts[1:3], held)
    assert [draft.place.line for draft in classified.renewed.values()] == [2]
    assert [added.status for added in classified.added] == ["renewed", "new"]
