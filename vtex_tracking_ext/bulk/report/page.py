"""Render a journal as one HTML page: a verdict, what needs a person, accounts, a chart over time, and packages.

The page is self-contained: it works from a file and without its script, which only searches and filters. A content
security policy forbids every other script and all requests, because its texts were written by others. Needs the extra
``cli``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from .accounts import held_text, time_text
from .chart import BAR, HEIGHT, STACK, STEP, stacked_bar
from .environment import template_environment, text_and_hash
from .filters import EVERYTHING, latest_time
from .packages import MAX_PACKAGES, read_packages
from .summary import read_report
from .verdict import verdict_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from vtex_tracking_ext.bulk.journal.entries import State
    from vtex_tracking_ext.bulk.journal.interface import JournalReader

    from .causes import Kind
    from .filters import EntryFilter

#: The style of each state's badge.
_BADGES: Final[Mapping[State, str]] = {
    "unknown": "doubt",
    "refused": "bad",
    "in_flight": "wait",
    "pending": "wait",
    "applied": "good",
    "withdrawn": "off",
}

#: The badge and its style of each kind of cause that needs a person, in their order.
_NEEDING: Final[Mapping[Kind, tuple[str, str]]] = {
    "in_flight": ("in flight", "doubt"),
    "unknown": ("unknown", "doubt"),
    "refused": ("refused", "bad"),
    "given_up": ("parked", "off"),
}

#: The states in the order in which bars and their legend show them.
_BAR_ORDER: Final[tuple[State, ...]] = ("applied", "withdrawn", "pending", "in_flight", "refused", "unknown")

_TEMPLATES: Final = template_environment("vtex_tracking_ext.bulk.report")
_TEMPLATES.filters |= {"time": time_text}


def render_page(journal: JournalReader, name: str, now: dt.datetime, chosen: EntryFilter = EVERYTHING) -> str:
    """Return the page as HTML.

    Args:
        journal: The journal.
        name: Its name on the page.
        now: The current time, in UTC.
        chosen: Which entries it shows.

    Raises:
        JournalError: The journal cannot be read.
    """
    report = read_report(journal, now, chosen)
    packages = [*read_packages(journal, chosen, report.summary.urgent.most_urgent())]
    total = report.summary.total()
    style, style_hash = text_and_hash(_TEMPLATES, "report.css")
    script, script_hash = text_and_hash(_TEMPLATES, "report.js")
    return _TEMPLATES.get_template("report.html").render(
        style=style,
        style_hash=style_hash,
        script=script,
        script_hash=script_hash,
        name=name,
        report=report,
        chosen=chosen,
        verdict=verdict_of(report, is_everything=chosen.is_everything, has_all_states=chosen.has_all_states),
        states=[state for state in _BAR_ORDER if state in chosen.selection.states],
        badges=_BADGES,
        needing=_NEEDING,
        total=total,
        bar_of=stacked_bar,
        held=held_text(report.held),
        chart=report.summary.timeline.chart(),
        stack=STACK,
        height=HEIGHT,
        bar=BAR,
        step=STEP,
        packages=packages,
        listed_states=Counter(state for package in packages for state in package.states),
        is_listed_whole=not report.summary.packages.exceeds(MAX_PACKAGES),
        files={file: number for number, file in enumerate(sorted({f for p in packages for f in p.files}))},
        days={day: number for number, day in enumerate(sorted({d for p in packages for d in p.days}, reverse=True))},
        package_accounts={a: number for number, a in enumerate(sorted({p.key.account for p in packages}))},
        latest_time=latest_time,
    )
