"""Render a journal as one HTML page: stopped accounts, numbers, a chart over time, unknown outcomes and refusals.

The page is self-contained: no script, no requests, and a content security policy that forbids both, because its texts
were written by others. Needs the extra ``cli``.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES, STATES, Held
from vtex_tracking_ext.bulk.journal.interface import ALL

from .accounts import held_text, problem_lines
from .chart import BAR, HEIGHT, STACK, STEP, Timeline
from .environment import style_and_hash, template_environment

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from vtex_tracking_ext.bulk.journal.entries import Entry, Selection, State
    from vtex_tracking_ext.bulk.journal.interface import JournalReader

#: Most rows of a table; a browser still scrolls them smoothly.
MAX_ROWS: Final = 1000

#: States whose entries are listed, in this order.
LISTED: Final[tuple[State, ...]] = ("unknown", "refused")

#: The states in the order in which the page shows them.
_ORDER: Final[tuple[State, ...]] = ("unknown", "refused", "pending", "in_flight", "applied", "withdrawn")

_TEMPLATES: Final = template_environment("vtex_tracking_ext.bulk.report")


class Summary:
    """What the page shows of entries; its size does not grow with their number.

    Attributes:
        counts: How many entries of each account are in each state.
        timeline: When they were settled.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.counts: dict[str, Counter[State]] = defaultdict(Counter)
        self.timeline = Timeline()
        self._latest: dict[State, list[tuple[dt.datetime, int, Entry]]] = defaultdict(list)
        for entry in entries:
            self.counts[entry.package.account][entry.state] += 1
            if entry.settled is not None and entry.state in STACK:
                self.timeline.add(entry.settled, entry.state)
            if entry.state in LISTED:
                latest = self._latest[entry.state]
                heapq.heappush(latest, (entry.settled or entry.added, entry.id, entry))
                if len(latest) > MAX_ROWS:
                    heapq.heappop(latest)

    def total(self) -> Counter[State]:
        """Return how many entries are in each state."""
        return sum(self.counts.values(), Counter())

    def latest(self, state: State) -> list[Entry]:
        """Return the entries in ``state`` that were settled last, at most :data:`MAX_ROWS`, newest first."""
        return [entry for _, _, entry in sorted(self._latest[state], reverse=True)]  # ids differ


def render_page(journal: JournalReader, name: str, now: dt.datetime, selection: Selection = ALL) -> str:
    """Return the page as HTML.

    Args:
        journal: The journal.
        name: Its name on the page.
        now: The current time, in UTC.
        selection: Which entries it shows.

    Raises:
        JournalError: The journal cannot be read.
    """
    created = journal.meta().created
    records = [record for name, record in journal.accounts().items() if selection.account in {None, name}]
    held = Held.total(held for name, held in journal.held().items() if selection.account in {None, name})
    summary = Summary(journal.entries(selection))
    total = summary.total()
    style, style_hash = style_and_hash(_TEMPLATES, "report.css")
    return _TEMPLATES.get_template("report.html").render(
        style=style,
        style_hash=style_hash,
        name=name,
        created=created,
        now=now,
        account=selection.account,
        problems=[*problem_lines(records)],
        is_whole=selection.account is None and set(selection.states) == set(STATES),
        states=[state for state in _ORDER if state in selection.states],
        accounts=sorted(summary.counts.items()),
        total=total,
        held=held_text(held),
        is_open=any(total[state] for state in OPEN_STATES),
        chart=summary.timeline.chart(),
        stack=STACK,
        height=HEIGHT,
        bar=BAR,
        step=STEP,
        listed=[(state, summary.latest(state)) for state in LISTED if state in selection.states],
    )
