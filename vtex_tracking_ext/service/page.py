"""The service's page as HTML: the overview of the journal, and the history of a package. Needs the extra ``service``.

It is read-only and self-contained: no script, no requests but those of its links and its search form, and a content
security policy that forbids others, because its texts were written by others.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from vtex_tracking_ext.bulk.journal.entries import Held
from vtex_tracking_ext.bulk.report.accounts import held_text, time_text
from vtex_tracking_ext.bulk.report.environment import template_environment, text_and_hash
from vtex_tracking_ext.text import REASON_LENGTH, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vtex_tracking_ext.bulk.journal.entries import Entry, State
    from vtex_tracking_ext.bulk.report.causes import Kind

    from .history import History
    from .overview import Condition, Overview

#: Seconds after which a browser loads the overview again.
_REFRESH: Final = 15


def _iso_time(text: str) -> str:
    """Return a time that VTEX or a file gave as other times are shown; unchanged if it has no zone, or is no time."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if moment.tzinfo is None else time_text(moment.astimezone(dt.UTC))


_TEMPLATES: Final = template_environment("vtex_tracking_ext.service")
_TEMPLATES.filters |= {"time": time_text, "iso_time": _iso_time}
_STYLE, _HASH = text_and_hash(_TEMPLATES, "service.css")

#: The page's content security policy. The page has it, too, but only in a header it says who may frame the page.
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

#: The heading and the style of each kind of groups, in their order.
_KINDS: Final[Mapping[Kind, tuple[str, str]]] = {
    "in_flight": ("Left in flight", "doubt"),
    "unknown": ("Unknown", "doubt"),
    "refused": ("Refused", "wait"),
    "given_up": ("Parked, given up", "wait"),
    "waiting": ("Parked, waiting", "off"),
}

#: The style of each condition of an account, and of each state of an entry.
_CONDITIONS: Final[Mapping[Condition, str]] = {
    "stopped": "bad",
    "not delivered": "bad",
    "paused": "wait",
    "delivering": "good",
    "pending": "off",
    "nothing to do": "off",
}
_STATES: Final[Mapping[State, str]] = {
    "pending": "off",
    "in_flight": "off",
    "applied": "good",
    "refused": "wait",
    "unknown": "doubt",
    "withdrawn": "off",
}


def render_overview(overview: Overview, problem: str = "") -> str:
    """Return the page of an overview, which a browser loads again after some seconds.

    Args:
        overview: The overview.
        problem: Why the journal cannot be written to, or an empty text.
    """
    return _render(
        "overview.html",
        overview=overview,
        problem=visible(problem, REASON_LENGTH),
        total=overview.total,
        refresh=_REFRESH,
        kinds=_KINDS,
        conditions=_CONDITIONS,
        short=_short,
    )


def render_history(history: History) -> str:
    """Return the page of a history: the search form, and what was found. With an empty identifier it is the form."""
    return _render("history.html", history=history, states=_STATES, moment=_moment, answer=_answer)


def _short(moment: dt.datetime) -> str:
    """Return a time to the minute, for a table that says that its times are in UTC."""
    return moment.isoformat(" ")[:16]


def _moment(moment: dt.datetime | None) -> str:
    """Return a time in UTC to the second: ``2026-11-30 12:40:07 UTC``; an empty text for None."""
    return "" if moment is None else f"{moment.isoformat(' ')[:19]} UTC"


def _answer(entry: Entry, now: dt.datetime) -> str:
    """Return what VTEX answered to an entry, or why it was not sent."""
    if entry.state == "pending" and entry.is_held(now):
        return f"{held_text(Held(1, entry.not_before))}."
    status = "" if entry.status_code is None else f"HTTP {entry.status_code}"
    parts = [
        "" if status and f"{entry.status_code}" in entry.reason else status,
        entry.reason,
        f"receipt {entry.receipt}" if entry.receipt else "",
    ]
    return visible("; ".join(filter(None, parts)), REASON_LENGTH)


def _render(name: str, **values: object) -> str:
    policy, _, _ = POLICY.rpartition("; ")  # a browser ignores frame-ancestors here, and reports that it does
    return _TEMPLATES.get_template(name).render(style=_STYLE, policy=Markup(policy), **values)  # noqa: S704 - a constant
