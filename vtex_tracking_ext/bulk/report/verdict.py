"""The verdict on a report: how much was applied, and what needs a person, in a few words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from vtex_tracking_ext.text import visible

from .accounts import short_remedy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .summary import Report, ReportedAccount

#: Accounts that the verdict names.
_NAMED: Final = 3


@frozen
class Verdict:
    """The verdict on a report.

    Attributes:
        headline: How much was applied: ``54 % applied``.
        detail: What that is a part of: ``652 of 1,204 events and deliveries.``
        needs: What needs a person, the most important first.
        waits: What waits, and needs nobody.
    """

    headline: str
    detail: str
    needs: tuple[str, ...]
    waits: tuple[str, ...]


def verdict_of(report: Report, *, is_everything: bool, has_all_states: bool) -> Verdict:
    """Return the verdict on a report.

    Args:
        report: The report.
        is_everything: Whether it contains all entries of the journal.
        has_all_states: Whether it contains entries in all states.
    """
    total = report.summary.total()
    number = total.total()
    to_send = number - total["withdrawn"]
    if not number:
        headline, detail = ("Nothing was pushed yet", "") if is_everything else ("No event matches", "")
    elif not has_all_states:
        headline, detail = f"{number:,} {'event' if number == 1 else 'events'}", f"Of {report.summary.packages}."
    elif not to_send:
        headline, detail = "Nothing to send", f"{number:,} withdrawn, of {report.summary.packages}."
    else:
        headline = f"{percent(total['applied'], to_send)} applied"
        detail = f"{total['applied']:,} of {to_send:,} events and deliveries, of {report.summary.packages}."
    stopped = [account for account in report.accounts if account.condition == "stopped"]
    paused = [account for account in report.accounts if account.condition == "paused"]
    needing, given_up = report.summary.needing, report.causes.totals["given_up"]
    needs = (
        *_stopped(stopped),
        *([f"{needing} {'need' if needing.exceeds(1) else 'needs'} you"] if needing else []),
        *([f"{given_up:,} parked {'event was' if given_up == 1 else 'events were'} given up"] if given_up else []),
    )
    waits = (*_paused(paused), *([f"{_events(total['pending'])} pending"] if total["pending"] else []))
    return Verdict(headline, detail, needs, waits)


def percent(part: int, whole: int) -> str:
    """Return a share in whole percent, which is 0 or 100 only if it is exactly that."""
    if 0 < part * 100 < whole:
        return "less than 1 %"
    return f"{part * 100 // whole} %"


def _stopped(accounts: Sequence[ReportedAccount]) -> list[str]:
    if len(accounts) > _NAMED:
        return [f"{len(accounts):,} accounts are stopped"]
    points = []
    for account in accounts:
        short = short_remedy(account.record.stopped_reason) if account.record else ""
        points.append(f"{visible(account.name)} is stopped{f': {short}' if short else ''}")
    return points


def _paused(accounts: Sequence[ReportedAccount]) -> list[str]:
    if len(accounts) > _NAMED:
        return [f"{len(accounts):,} accounts are paused"]
    return [f"{visible(account.name)} is paused" for account in accounts]


def _events(number: int) -> str:
    return f"{number:,} {'event is' if number == 1 else 'events are'}"
