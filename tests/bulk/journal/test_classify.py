"""What a batch of rows means to a journal."""

from __future__ import annotations

from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.classify import Existing, classify_rows
from vtex_tracking_ext.bulk.journal.entries import drafts_from_row

from support.journaled import delivery, row


def test_a_batch_is_judged_row_by_row() -> None:
    """Each by what those before it bring; an entry keeps its turn, and tells of the last row that changed it."""
    rows = [
        delivery(1),
        row(2, "a"),
        delivery(3, "2026-10-01", "a"),
        delivery(4),
        delivery(5, "2026-10-02", "b"),
        row(6, "c"),
    ]
    drafts = [(one, drafts_from_row(one, "mystore")) for one in rows]
    weighed = classify_rows(drafts, {})
    verdicts = [added.status for added in weighed.added]
    assert verdicts == ["new", "new", "renewed", "known", "contradicts", "new"]
    assert [draft.place.line for draft in weighed.new.values()] == [3, 2, 6]
    assert weighed.renewed == {}
    held = {drafts[1][1][0].key: Existing("refused", None, Place("old.csv", 1))}
    weighed = classify_rows(drafts[1:3], held)
    assert [draft.place.line for draft in weighed.renewed.values()] == [2]
    assert [added.status for added in weighed.added] == ["renewed", "new"]
