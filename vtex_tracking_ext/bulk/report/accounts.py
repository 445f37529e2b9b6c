"""What a journal knows of its accounts, as lines for people. Pure."""

from __future__ import annotations

import datetime as dt
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.text import REASON_LENGTH, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vtex_tracking_ext.bulk.journal.entries import AccountRecord, Entry, Held

#: The License Manager resource that the client's error for a 403 names.
_RESOURCE: Final = re.compile(r"with the resource ([A-Z][\w ]+)")

#: The HTTP statuses of refused credentials.
_CREDENTIALS: Final = re.compile(r"\b(401|403)\b")


def problem_lines(records: Iterable[AccountRecord], zone: dt.tzinfo | None = dt.UTC) -> Iterator[str]:
    """Yield why accounts are not called now: first those that were stopped, then those that are paused.

    Args:
        records: The accounts.
        zone: The zone of the times; see :func:`time_text`.
    """
    records = tuple(records)
    for record in records:
        if record.stopped is not None:
            yield (
                f"{visible(record.account)}: stopped since {time_text(record.stopped, zone)}: "
                f"{_sentence(record.stopped_reason)} The next push tries one call, or a worker within ten minutes; "
                "once it succeeds, the pending events are sent."
            )
    for record in records:
        if is_quiet(record) and record.quiet_until is not None:
            yield (
                f"{visible(record.account)}: not called until {time_text(record.quiet_until, zone)}: "
                f"{_sentence(record.quiet_reason)}"
            )


def is_quiet(record: AccountRecord) -> bool:
    """Return whether an account is paused now, not only until the next call of its rate is due."""
    return record.quiet_seconds > 0 and record.quiet_reason != ""


def short_remedy(reason: str) -> str:
    """Return what helps an account that was stopped, in a few words; an empty text if that is not known."""
    found = _CREDENTIALS.search(reason)
    if found is None:
        return ""
    return f"{found[0]}, check its key and token" if found[0] == "401" else f"403, grant {_resource(reason)}"


def remedy(reason: str) -> str:
    """Return what helps an account that was stopped, as a sentence."""
    found = _CREDENTIALS.search(reason)
    if found is None:
        return "Fix what the reason says."
    if found[0] == "401":
        return "Check the key and the token of the account."
    return f"Grant the key a role with the resource {_resource(reason)} in VTEX's License Manager."


def account_line(record: AccountRecord, deliverer: str, zone: dt.tzinfo | None = dt.UTC) -> str:
    """Return what is known of an account's delivery, or an empty text if nothing is.

    Args:
        record: What the journal knows.
        deliverer: The process that delivers the account now, or an empty text.
        zone: The zone of the times; see :func:`time_text`.
    """
    parts = []
    if deliverer:
        since = f" since {time_text(record.delivers_since, zone)}" if record.delivers_since else ""
        parts.append(f"delivered by {visible(deliverer)}{since}")
    if record.last_applied is not None:
        parts.append(f"last applied {time_text(record.last_applied, zone)}")
    rate = learned_rate(record)
    if rate is not None:
        parts.append(f"up to {rate:.1f} calls a second")
    return f"{visible(record.account)}: {'; '.join(parts)}." if parts else ""


def learned_rate(record: AccountRecord) -> float | None:
    """Return the calls a second that the account was found to accept, or None if nothing valid was learned yet."""
    with suppress(LookupError, TypeError, ValueError):
        return round(float(json.loads(record.pace)["rate"]), 2)
    return None


def first_resend(record: AccountRecord, unknown: Iterable[Entry]) -> dt.datetime | None:
    """Return when the first of an account's unknown entries can be sent again, or None if none will be."""
    if record.resend_after is None:
        return None
    begun = [entry.begun for entry in unknown if entry.begun is not None]
    return min(begun) + dt.timedelta(seconds=record.resend_after) if begun else None


def held_text(held: Held, zone: dt.tzinfo | None = dt.UTC) -> str:
    """Return how many deliveries are held, until when and why; an empty text without any.

    Args:
        held: The deliveries.
        zone: The zone of the time; see :func:`time_text`.
    """
    if held.until is None:
        return ""
    one = held.deliveries == 1
    how_many = "1 delivery is held" if one else f"{held.deliveries:,} deliveries are held, the last"
    them, until = "it" if one else "them", time_text(held.until, zone)
    return f"{how_many} until {until}, because the carrier can still take {them} back"


def time_text(moment: dt.datetime, zone: dt.tzinfo | None = dt.UTC) -> str:
    """Return a time to the minute, with its offset: ``2026-11-30 12:40 UTC``, ``2026-11-30 09:40 -03:00``.

    Args:
        moment: The time, aware.
        zone: The zone in which it is shown; None for that of this machine.
    """
    text = moment.astimezone(zone).isoformat(" ", "minutes")
    offset = text[16:]
    return f"{text[:16]} {'UTC' if offset == '+00:00' else offset}"


def _resource(reason: str) -> str:
    """Return the License Manager resource that a refused call needs."""
    found = _RESOURCE.search(reason)
    return found[1] if found else "Notify invoice"


def _sentence(reason: str) -> str:
    return f"{visible(reason, REASON_LENGTH).removesuffix('.')}."
