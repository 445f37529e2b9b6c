"""What a journal knows of its accounts, as lines for people. Pure."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from vtex_tracking_ext.text import REASON_LENGTH, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vtex_tracking_ext.bulk.journal.entries import AccountRecord, Entry, Held


def problem_lines(records: Iterable[AccountRecord]) -> Iterator[str]:
    """Yield why accounts are not called now: first those that were stopped, then those that are paused."""
    records = tuple(records)
    for record in records:
        if record.stopped is not None:
            yield (
                f"{visible(record.account)}: stopped since {time_text(record.stopped)}: "
                f"{_sentence(record.stopped_reason)} The next push tries one call, or a worker within ten minutes; "
                "once it succeeds, the pending events are sent."
            )
    for record in records:
        if is_quiet(record) and record.quiet_until is not None:
            yield (
                f"{visible(record.account)}: not called until {time_text(record.quiet_until)}: "
                f"{_sentence(record.quiet_reason)}"
            )


def is_quiet(record: AccountRecord) -> bool:
    """Return whether an account is paused now, not only until the next call of its rate is due."""
    return record.quiet_seconds > 0 and record.quiet_reason != ""


def account_line(record: AccountRecord, deliverer: str) -> str:
    """Return what is known of an account's delivery, or an empty text if nothing is.

    Args:
        record: What the journal knows.
        deliverer: The process that delivers the account now, or an empty text.
    """
    parts = []
    if deliverer:
        since = f" since {time_text(record.delivers_since)}" if record.delivers_since else ""
        parts.append(f"delivered by {visible(deliverer)}{since}")
    if record.last_applied is not None:
        parts.append(f"last applied {time_text(record.last_applied)}")
    rate = learned_rate(record)
    if rate is not None:
        parts.append(f"up to {rate:.1f} calls a second")
    return f"{visible(record.account)}: {'; '.join(parts)}." if parts else ""


def learned_rate(record: AccountRecord) -> float | None:
    """Return the calls a second that the account was found to accept, or None if nothing valid was learned yet."""
    with suppress(LookupError, TypeError, ValueError):
        return float(json.loads(record.pace)["rate"])
    return None


def first_resend(record: AccountRecord, unknown: Iterable[Entry]) -> dt.datetime | None:
    """Return when the first of an account's unknown entries can be sent again, or None if none will be."""
    if record.resend_after is None:
        return None
    begun = [entry.begun for entry in unknown if entry.begun is not None]
    return min(begun) + dt.timedelta(seconds=record.resend_after) if begun else None


def held_text(held: Held) -> str:
    """Return how many deliveries are held, until when and why; an empty text without any."""
    if held.until is None:
        return ""
    one = held.deliveries == 1
    how_many = "1 delivery is held" if one else f"{held.deliveries:,} deliveries are held, the last"
    return (
        f"{how_many} until {time_text(held.until)}, because the carrier can still take {'it' if one else 'them'} back"
    )


def time_text(moment: dt.datetime) -> str:
    """Return a time in UTC to the minute: ``2026-11-30 12:40 UTC``."""
    return f"{moment.isoformat(' ')[:16]} UTC"


def _sentence(reason: str) -> str:
    return f"{visible(reason, REASON_LENGTH).removesuffix('.')}."
