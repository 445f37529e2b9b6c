"""What rows mean to a journal, given the entries that it holds under their keys. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from attrs import Factory, define, evolve, frozen

from vtex_tracking_ext.text import quoted

from .entries import ADD_STATUSES, Added, Draft, entry_key
from .volumes import Volumes, waiting_note

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from vtex_tracking_ext.bulk.input.rows import Place, Row

    from .entries import AddStatus, PackageKey, State
    from .volumes import VolumeEvent

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
        is_taken_back: Whether the carrier took the delivery back before it was sent.
        not_before: The time before which the delivery is not begun, aware, or None.
    """

    state: State
    delivered_date: str | None
    place: Place | None
    is_by_hand: bool = False
    id: int = 0
    is_taken_back: bool = False
    not_before: dt.datetime | None = None


#: An entry that was pruned after it was applied, or dismissed: only its key is left.
PRUNED: Final = Existing("applied", None, None)


@define
class Classified:
    """What a batch of rows means.

    Attributes:
        added: What each row meant, in the order of the rows.
        new: Entries to insert, by key, in the order of their arrival.
        renewed: Entries to update, by key, each as its last row has it.
        taken_back: Deliveries to withdraw after that, by key, each with its package.
    """

    added: list[Added] = Factory(list)
    new: dict[bytes, Draft] = Factory(dict)
    renewed: dict[bytes, Draft] = Factory(dict)
    taken_back: dict[bytes, PackageKey] = Factory(dict)


def classify_rows(
    rows: Sequence[tuple[Row, tuple[Draft, ...]]],
    existing: Mapping[bytes, Existing],
    deliveries: Mapping[PackageKey, Existing] | None = None,
    first_id: float = math.inf,
    volume_events: Iterable[VolumeEvent] = (),
) -> Classified:
    """Classify rows one after the other, each by what the journal holds and by the rows before it.

    Args:
        rows: Rows of one input with their drafts.
        existing: What the journal holds under the drafts' keys.
        deliveries: The deliveries that the journal holds of the rows' packages.
        first_id: The number of the first entry that earlier rows of this input added.
        volume_events: What the journal's events say of the volumes of the rows' packages, in the order of arrival.
    """
    result, known = Classified(), dict(existing)
    delivered = _first_deliveries(rows)
    volumes: Volumes | None = None
    if deliveries:
        delivered |= {key: each for key, each in deliveries.items() if each.state not in {"refused", "withdrawn"}}
    for row, drafts_of_row in rows:
        drafts = [_under_known_key(draft, known) for draft in drafts_of_row]
        found = [classify_draft(draft, known.get(draft.key)) for draft in drafts]
        why = ""
        if row.volume and row.event is not None:
            volumes = volumes or _volumes(rows, volume_events)
            why = _classify_volume(row, drafts, found, known, volumes)
        if row.takes_back and row.event is not None:
            why = _take_back(drafts, found, known, result, delivered)
        elif row.is_delivered and drafts and drafts[-1].event is None:
            _classify_delivery(drafts, found, known, result, drafts_of_row[-1].delivered_date)
        status, note = combine(found)
        note = why or note
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
                known[draft.key] = Existing("pending", draft.delivered_date, draft.place, not_before=draft.not_before)
        result.added.append(Added(row, status, note, first))
    return result


def _first_deliveries(rows: Sequence[tuple[Row, tuple[Draft, ...]]]) -> dict[PackageKey, Existing]:
    """Return the first delivery of each package in the rows; one without a date has that of its row's event."""
    return {
        drafts[0].package: Existing("pending", drafts[-1].delivered_date or _moment(drafts[0]), row.place)
        for row, drafts in reversed(rows)
        if row.is_delivered and not (row.volume or row.takes_back)
    }


def _volumes(rows: Sequence[tuple[Row, tuple[Draft, ...]]], events: Iterable[VolumeEvent]) -> Volumes:
    """Return what is known of the volumes of packages before the rows, all volumes of the rows included."""
    volumes = Volumes()
    for event in events:
        volumes.record(*event)
    for row, drafts in rows:
        if row.volume and row.event is not None:
            volumes.record(drafts[0].package, row.volume)
    return volumes


def _classify_volume(
    row: Row,
    drafts: list[Draft],
    found: list[tuple[AddStatus, str]],
    known: Mapping[bytes, Existing],
    volumes: Volumes,
) -> str:
    """Leave the delivery out of a row's drafts while volumes are missing, and return a note if this is news.

    Otherwise the delivery gets the date of the last volume.
    """
    event, *deliveries = drafts
    is_known = found[0][0] != "new"
    if not is_known or known[event.key].place is None:  # the journal has no volume of a pruned event
        volumes.record(event.package, row.volume, event.volume_delivered)
    if not deliveries:
        return ""
    if missing := volumes.missing(event.package):
        del drafts[1:], found[1:]
        return "" if is_known else waiting_note(row.volume, missing)
    drafts[1] = evolve(deliveries[0], delivered_date=volumes.last_date(event.package))
    found[1] = classify_draft(drafts[1], known.get(drafts[1].key))
    return ""


def _take_back(
    drafts: Sequence[Draft],
    found: Sequence[tuple[AddStatus, str]],
    known: dict[bytes, Existing],
    result: Classified,
    delivered: dict[PackageKey, Existing],
) -> str:
    """Let a row take back the delivery of its package, if its event is new; return a note if VTEX may have it."""
    (event,) = drafts
    key = entry_key(event.package, None)
    delivery = known.get(key)
    if found[0][0] != "new" or delivery is None:
        return ""
    if delivery.state in {"in_flight", "unknown", "applied"}:
        was = "was" if delivery.state == "applied" else "may have been"
        return (
            f"the carrier takes the delivery back, but it {was} sent to VTEX, which cannot take it back; correct the "
            "order in the VTEX Admin"
        )
    result.taken_back[key] = event.package
    known[key] = evolve(delivery, state="withdrawn", is_taken_back=True)
    delivered.pop(event.package, None)
    return ""


def _classify_delivery(
    drafts: list[Draft],
    found: list[tuple[AddStatus, str]],
    known: Mapping[bytes, Existing],
    result: Classified,
    date: str | None,
) -> None:
    """Change what the delivery of a row means where the carrier has taken it back, or can still take it back.

    - A delivery that was taken back is renewed by a row whose event is new, not by a row that is pushed again.
    - The hold of a pending delivery gets shorter if a row says so that reports the same delivery, never longer.

    Args:
        drafts: The drafts of the row, the delivery at the end.
        found: What they mean.
        known: What the journal holds, and what the rows before this one have added.
        result: What the rows before this one mean.
        date: The date of the delivery in the row.
    """
    draft = drafts[-1]
    existing = known.get(draft.key)
    if existing is None:
        return
    if existing.is_taken_back and len(drafts) > 1:
        is_new = found[0][0] == "new"
        found[-1] = ("renewed", "") if is_new else ("known", "")
        if is_new:
            result.taken_back.pop(draft.key, None)
    elif existing.state == "pending" and (draft.not_before or existing.not_before):
        status, note = found[-1]
        if _is_shorter_hold(draft, existing, date or ""):
            if status == "known":
                drafts[-1], found[-1] = evolve(draft, delivered_date=existing.delivered_date), ("renewed", note)
        else:
            drafts[-1] = evolve(draft, not_before=existing.not_before)


def _is_shorter_hold(draft: Draft, existing: Existing, date: str) -> bool:
    """Return whether a row with this date of the delivery reports the same delivery as the journal, held for less."""
    if existing.not_before is None or (draft.not_before is not None and draft.not_before >= existing.not_before):
        return False
    earlier = existing.delivered_date or ""
    return earlier.startswith(date) or date.startswith(earlier)


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
    - A delivery that the carrier took back is sent again if the carrier delivers anew; see :func:`classify_rows`.
    - A delivery has one date. A row that says more than the earlier one (a day instead of none, a time instead of a
      day) replaces it while the delivery is pending. A row that says less or the same is known. Any other date is not
      sent, which is noted: another part of the package was delivered at another time, or the earlier date is wrong.
    """
    if existing is None:
        return "new", ""
    if existing.state == "refused" or (existing.state == "withdrawn" and existing.is_by_hand):
        return "renewed", ""
    if existing.is_taken_back:
        return "known", "the carrier took its delivery back; `vtex-tracking resolve --retry` with its number sends it"
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
