"""What rows mean to a journal, given the entries that it holds under their keys. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from attrs import Factory, define, evolve, frozen

from vtex_tracking_ext.text import quoted

from .entries import ADD_STATUSES, Added, Draft

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vtex_tracking_ext.bulk.input.rows import Place, Row

    from .entries import AddStatus, PackageKey, State

#: Characters of an event id that a note quotes.
_SHOWN: Final = 60


@frozen
class Existing:
    """What a journal holds under a draft's key, as far as it matters to a row with the same key.

    Attributes:
        state: The state of the entry.
        delivered_date: The date of the delivery as it was or will be sent, or None.
        place: The place of the row that added the entry, or None if it was pruned.
        is_by_hand: Whether a person withdrew the entry before it was sent, or resolved it.
        id: The number of the entry, or 0 if it has none yet.
    """

    state: State
    delivered_date: str | None
    place: Place | None
    is_by_hand: bool = False
    id: int = 0


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


def classify_rows(
    rows: Sequence[tuple[Row, tuple[Draft, ...]]],
    existing: Mapping[bytes, Existing],
    deliveries: Mapping[PackageKey, Existing] | None = None,
    first_id: float = math.inf,
) -> Classified:
    """Classify rows one after the other, each by what the journal holds and by the rows before it.

    Args:
        rows: Rows of one input with their drafts.
        existing: What the journal holds under the drafts' keys.
        deliveries: The deliveries that the journal holds of the rows' packages.
        first_id: The number of the first entry that earlier rows of this input added.
    """
    result, known = Classified(), dict(existing)
    delivered = _first_deliveries(rows)
    if deliveries:
        delivered |= {key: each for key, each in deliveries.items() if each.state not in {"refused", "withdrawn"}}
    for row, drafts_of_row in rows:
        drafts = [_under_known_key(draft, known) for draft in drafts_of_row]
        found = [classify_draft(draft, known.get(draft.key)) for draft in drafts]
        status, note = combine(found)
        if row.event is not None:
            draft = drafts[0]
            if found[0][0] == "known":
                earlier, is_of_input = known[draft.key], draft.key in result.new or draft.key in result.renewed
                if is_of_input or earlier.id >= first_id:
                    repetition = _repetition_note(draft, earlier, is_own_key=draft is drafts_of_row[0])
                    note = "; ".join(filter(None, (repetition, note)))
            elif delivered:
                note = note or _delivery_note(draft, delivered.get(draft.package), found[1:])
        first = None
        for draft, (meaning, _) in zip(drafts, found, strict=True):
            if meaning != "known":
                (result.renewed if draft.key in existing else result.new)[draft.key] = draft
                first = first or (draft if meaning == "new" else None)
                known[draft.key] = Existing("pending", draft.delivered_date, draft.place)
        result.added.append(Added(row, status, note, first))
    return result


def _first_deliveries(rows: Sequence[tuple[Row, tuple[Draft, ...]]]) -> dict[PackageKey, Existing]:
    """Return the first delivery of each package in the rows; one without a date has that of its row's event."""
    return {
        drafts[0].package: Existing("pending", drafts[-1].delivered_date or _moment(drafts[0]), row.place)
        for row, drafts in reversed(rows)
        if row.is_delivered
    }


def _repetition_note(draft: Draft, earlier: Existing, *, is_own_key: bool) -> str:
    """Return a note about an event that an earlier row of the same input has already added.

    Args:
        draft: The event.
        earlier: The same event.
        is_own_key: Whether event id and time are the same, too.
    """
    if earlier.place is None or earlier.place.source != draft.place.source:
        return ""
    if draft.event_id and is_own_key:
        why = f"both have the event_id {quoted(draft.event_id, _SHOWN)}"
    elif draft.time and is_own_key:
        why = "the same day, time and texts; rows of one time need an event_id to count as two"
    else:
        why = "the same day and texts; rows of one day need a time or event_id to count as two"
    return f"same event as line {earlier.place.line}: {why}"


def _delivery_note(event: Draft, delivery: Existing | None, own: Sequence[tuple[AddStatus, str]]) -> str:
    """Return a note about an event that will be sent although its package has a delivery.

    Args:
        event: The event.
        delivery: The delivery of its package that the journal holds, or else the first one of the input.
        own: What the delivery of the event's own row means, if the row reports one.
    """
    if delivery is None or delivery.place is None or (own and own[0][0] != "known"):
        return ""
    if own:
        return f"its event is sent, but not its delivery: a package has one, and {delivery.place} reports it"
    is_of_same_row = not delivery.id and delivery.place == event.place  # an update is a row with several events
    moment, date = _moment(event), delivery.delivered_date or ""
    length = min(len(moment), len(date))
    if is_of_same_row or (delivery.state == "pending" and moment[:length] <= date[:length]):
        return ""
    where = f"{delivery.place}: {date}" if date else delivery.place
    return f"comes after the delivery of its package ({where}); it is sent, but VTEX does not document what it changes"


def _moment(event: Draft) -> str:
    """Return the day of an event, and its time to the minute if it has one, in the form of a delivered date."""
    return "" if event.event is None else f"{event.event.date} {event.time}"[: len("yyyy-mm-dd hh:mm")].rstrip()


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
      day) replaces it while the delivery is pending. A row that says less or the same is known. Any other date is not
      sent, which is noted: another part of the package was delivered at another time, or the earlier date is wrong.
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
    return _classify_other_date(earlier, later, existing)


def _classify_other_date(earlier: str, later: str, existing: Existing) -> tuple[AddStatus, str]:
    """Return what the delivery of a row means that says more or something else about its date than the journal."""
    if existing.state != "pending":
        sent = f"{existing.place} was sent {f'on {earlier}' if earlier else 'without a date'}"
        return "known", f"{later} comes too late: the delivery of {sent}, and there is only one"
    if later.startswith(earlier):
        return "renewed", ""
    number = f" {existing.id}" if existing.id else ""
    return "known", (
        f"delivered_date {later} is not sent: {existing.place} says {earlier}, and a package has one delivery; if "
        f"{earlier} is wrong, withdraw it before it is sent (vtex-tracking resolve --withdraw{number}), and push this "
        "row again"
    )


def combine(found: Sequence[tuple[AddStatus, str]]) -> tuple[AddStatus, str]:
    """Return the status of a row: the first of :data:`ADD_STATUSES` that one of its drafts has, and all notes."""
    if len(found) == 1:  # fast for most rows
        return found[0]
    statuses = {status for status, _ in found} or {"known"}
    return next(s for s in ADD_STATUSES if s in statuses), "; ".join(note for _, note in found if note)
