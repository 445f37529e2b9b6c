"""What a batch of rows means to a journal, where all that it holds under their keys is known beforehand. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define

from .entries import Added, Draft, Existing, classify_draft, gravest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vtex_tracking_ext.bulk.input.rows import Row


@define
class Classification:
    """What is to be done.

    Attributes:
        added: What each row meant, in their order.
        new: Entries to add, by their keys, in the order of their arrival.
        renewed: Entries that are there and to be renewed, by their keys, each as the last row says it.
    """

    added: list[Added] = Factory(list)
    new: dict[bytes, Draft] = Factory(dict)
    renewed: dict[bytes, Draft] = Factory(dict)


def classify_rows(rows: Iterable[tuple[Row, tuple[Draft, ...]]], standings: Mapping[bytes, Existing]) -> Classification:
    """Judge rows one after the other, each by what the journal holds and what those before it bring.

    Args:
        rows: Rows with the entries that they ask for.
        standings: What the journal holds under their keys.
    """
    weighed, known = Classification(), dict(standings)
    for row, drafts in rows:
        verdicts = [classify_draft(draft, known.get(draft.key)) for draft in drafts]
        verdict, note = gravest(verdicts)
        weighed.added.append(Added(row, verdict, note))
        if verdict == "contradicts":
            continue
        for draft, (meaning, _) in zip(drafts, verdicts, strict=True):
            if meaning in {"new", "renewed"}:
                (weighed.renewed if draft.key in standings else weighed.new)[draft.key] = draft
                known[draft.key] = Existing("pending", draft.delivered_date, draft.place)
    return weighed
