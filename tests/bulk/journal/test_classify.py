"""Tests of classifying a batch of rows."""

from __future__ import annotations

import pytest
from attrs import evolve

from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.classify import PRUNED, Existing, classify_rows
from vtex_tracking_ext.bulk.journal.entries import AddStatus, drafts_from_row

from support.journaled import delivery, row

OLD = Place("old.csv", 1)


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
    drafts = [(one, drafts_from_row(one)) for one in rows]
    classified = classify_rows(drafts, {})
    statuses = [added.status for added in classified.added]
    assert statuses == ["new", "new", "renewed", "known", "contradicts", "new"]
    assert [draft.place.line for draft in classified.new.values()] == [3, 2, 6]
    assert classified.renewed == {}
    existing = {drafts[1][1][0].key: Existing("refused", None, OLD)}
    classified = classify_rows(drafts[1:3], existing)
    assert [draft.place.line for draft in classified.renewed.values()] == [2]
    assert [added.status for added in classified.added] == ["renewed", "new"]


@pytest.mark.parametrize(
    ("existing", "status"),
    [(Existing("pending", None, OLD), "known"), (PRUNED, "known"), (Existing("refused", None, OLD), "renewed")],
)
@pytest.mark.parametrize(
    "changes", [{"event_id": "BDE-01"}, {"time": "09:05"}, {"event_id": "BDE-01", "time": "09:05"}]
)
def test_event_is_found_under_its_plain_key(existing: Existing, status: AddStatus, changes: dict[str, str]) -> None:
    """A row with event id or time is known, or renewed under the old key, if only its plain key is known."""
    (plain,) = drafts_from_row(row(1, "a"))
    timed = row(2, "a", **changes)
    (draft,) = drafts_from_row(timed)
    classified = classify_rows([(timed, (draft,))], {plain.key: existing})
    assert [added.status for added in classified.added] == [status]
    assert classified.new == {}
    renewed = {plain.key: evolve(draft, key=plain.key)} if status == "renewed" else {}
    assert classified.renewed == renewed


def test_event_with_id_is_found_under_the_key_of_its_time() -> None:
    """A file may have had times before it had event ids."""
    (timed,) = drafts_from_row(row(1, "a", time="09:05"))
    both = row(2, "a", event_id="BDE-01", time="09:05")
    classified = classify_rows([(both, drafts_from_row(both))], {timed.key: Existing("applied", None, OLD)})
    assert [added.status for added in classified.added] == ["known"]


def test_own_key_is_preferred_to_the_plain_key() -> None:
    """A row whose own key is known is compared with that entry, whatever is known under its plain key."""
    timed = row(2, "a", time="09:05")
    (draft,) = drafts_from_row(timed)
    (plain_key,) = draft.earlier_keys
    existing = {draft.key: Existing("applied", None, OLD), plain_key: Existing("refused", None, OLD)}
    classified = classify_rows([(timed, (draft,))], existing)
    assert [added.status for added in classified.added] == ["known"]
    assert classified.renewed == {}
