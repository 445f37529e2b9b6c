"""What rows mean to a journal, given the entries that it holds under their keys. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import Factory, define, evolve, frozen

from .entries import ADD_STATUSES, Added, Draft

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vtex_tracking_ext.bulk.input.rows import Place, Row

    from .entries import AddStatus, State


@frozen
class Existing:
    """What a journal holds under a draft's key, as far as it matters to a row with the same key.

    Attributes:
        state: The state of the entry.
        delivered_date: The date of the delivery as it was or will be sent, or None.
        place: The place of the row that added the entry, or None if it was pruned.
        is_by_hand: Whether a person withdrew the entry before it was sent, or resolved it.
    """

    state: State
    delivered_date: str | None
    place: Place | None
    is_by_hand: bool = False


#: An entry that was pruned after it was applied, or dismissed: only its key is left.
PRUNED: Final = Existing("applied", None, None)


@define
class Classified:
    """What a batch of rows means.

    Attributes:
        added: What each row meant, in the order of the rows.
        new: Entries to insert, by key, in the order of their arrival.
        renewed: Entries to update, by key, each as its last row has it.
    """

    added: list[Added] = Factory(list)
    new: dict[bytes, Draft] = Factory(dict)
    renewed: dict[bytes, Draft] = Factory(dict)


def classify_rows(rows: Iterable[tuple[Row, tuple[Draft, ...]]], existing: Mapping[bytes, Existing]) -> Classified:
    """Classify rows one after the other, each by what the journal holds and by the rows before it.

    Args:
        rows: Rows with their drafts.
        existing: What the journal holds under the drafts' keys.
    """
    result, known = Classified(), dict(existing)
    for row, drafts_of_row in rows:
        drafts = [_under_known_key(draft, known) for draft in drafts_of_row]
        found = [classify_draft(draft, known.get(draft.key)) for draft in drafts]
        status, note = combine(found)
        result.added.append(Added(row, status, note))
        if status == "contradicts":
            continue
        for draft, (meaning, _) in zip(drafts, found, strict=True):
            if meaning != "known":
                (result.renewed if draft.key in existing else result.new)[draft.key] = draft
                known[draft.key] = Existing("pending", draft.delivered_date, draft.place)
    return result


def _under_known_key(draft: Draft, known: Mapping[bytes, Existing]) -> Draft:
    """Return a draft with an earlier key, if only that is known: the entry was noted without event id or time."""
    key = next((key for key in (draft.key, *draft.earlier_keys) if key in known), draft.key)
    return draft if key == draft.key else evolve(draft, key=key)


def classify_draft(draft: Draft, existing: Existing | None) -> tuple[AddStatus, str]:
    """Return what a draft means to a journal that holds ``existing`` under its key, and a note or an empty text.

    - A refused entry that is pushed again is renewed, as the new row has it. VTEX refused it, so nothing is doubled,
      and users push again after fixing the cause on VTEX's side. A permanent refusal costs one call a push. So is an
      entry that a person withdrew before it was sent, but not a refusal that a person dismissed.
    - A delivery has one date. A row that says more than the earlier one (a day instead of none, a time instead of a
      day) replaces it while the delivery is pending; later it is too late, which is noted. A row that says less or the
      same is known. Any other date contradicts.
    """
    if existing is None:
        return "new", ""
    if existing.state == "refused" or (existing.state == "withdrawn" and existing.is_by_hand):
        return "renewed", ""
    if existing.state == "withdrawn":
        return "known", "its refusal was dismissed; `vtex-tracking resolve --retry` with its number sends it again"
    earlier, later = existing.delivered_date or "", draft.delivered_date or ""
    if earlier.startswith(later) or existing.place is None:  # true of events, which have no delivered date
        return "known", ""
    if not later.startswith(earlier):
        return "contradicts", f"{later}, but {existing.place} says {earlier}; a package has one delivery"
    return _date_delivery(later, existing)


def _date_delivery(later: str, existing: Existing) -> tuple[AddStatus, str]:
    """Return what a draft means that says more about the date of a delivery than the journal does."""
    if existing.state == "pending":
        return "renewed", ""
    sent = f"on {existing.delivered_date}" if existing.delivered_date else "without a date"
    return "known", f"{later} comes too late: the delivery of {existing.place} was sent {sent}, and there is only one"


def combine(found: Sequence[tuple[AddStatus, str]]) -> tuple[AddStatus, str]:
    """Return the status of a row: the first of :data:`ADD_STATUSES` that one of its drafts has, and all notes."""
    if len(found) == 1:  # fast for most rows
        return found[0]
    statuses = {status for status, _ in found} or {"known"}
    return next(s for s in ADD_STATUSES if s in statuses), "; ".join(note for _, note in found if note)
