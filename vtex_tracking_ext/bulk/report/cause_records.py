"""Read the events of a journal that :mod:`.causes` groups: entries of a state, and parked events, the latest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .causes import Record

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from vtex_tracking_ext.bulk.journal.entries import Entry, State
    from vtex_tracking_ext.bulk.journal.interface import JournalReader

#: Events of a kind that are grouped at most, and those that are read at once.
MAX_GROUPED: Final = 100_000
_PAGE: Final = 10_000

_LAST_ID: Final = 2**63 - 1


def latest_entries(journal: JournalReader, state: State, number: int) -> Iterator[Record]:
    """Yield the latest entries of a state, the latest first.

    Args:
        journal: The journal.
        state: The state.
        number: How many there are; at most :data:`MAX_GROUPED` are read.
    """
    left, before = min(number, MAX_GROUPED), _LAST_ID
    while left > 0:
        page = journal.select("latest", state=state, before=before, limit=min(left, _PAGE))
        for id_, account, package, status, reason, at in page:
            yield Record(id_, account, package, status, reason or "", at)
        left = left - len(page) if page else 0  # others may be settled meanwhile
        before = page[-1][0] if page else 0


def latest_parked(journal: JournalReader, now: dt.datetime, number: int) -> Iterator[tuple[bool, Record]]:
    """Yield the latest parked events, the latest first, each with whether it was given up.

    Args:
        journal: The journal.
        now: The current time, in UTC.
        number: How many there are; at most :data:`MAX_GROUPED` are read.
    """
    left, before = min(number, MAX_GROUPED), _LAST_ID
    while left > 0:
        page = journal.select("latest_parked", at=int(now.timestamp()), before=before, limit=min(left, _PAGE))
        for id_, account, event_id, is_given_up, reason, parked in page:
            source_and_package = tuple(event_id.split("|")[:2])
            yield bool(is_given_up), Record(id_, account, source_and_package, None, reason, parked)
        left = left - len(page) if page else 0
        before = page[-1][0] if page else 0


def record_of(entry: Entry) -> Record:
    """Return an entry as it is grouped."""
    at = int((entry.settled or entry.begun or entry.added).timestamp())
    return Record(entry.id, entry.package.account, entry.package, entry.status_code, entry.reason, at)
