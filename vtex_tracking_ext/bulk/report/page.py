"""A journal as one HTML page for people: numbers, a chart over time, what is unknown and what was refused.

The page stands alone: no script, nothing fetched, and a policy in it that forbids both, because its texts were
written by others. Needs the extra ``cli``.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
from collections import Counter
from typing import TYPE_CHECKING, Final

from attrs import Factory, define, frozen
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES, STATES, Selection
from vtex_tracking_ext.text import visible

from .chart import BAR, HEIGHT, STACK, STEP, Timeline
from .rows import iso

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from vtex_tracking_ext.bulk.journal.entries import Entry, State
    from vtex_tracking_ext.bulk.journal.interface import JournalReader

#: Rows that a table shows; a browser still scrolls them with ease.
ROWS: Final = 1000

#: Characters that the page shows of a reason; of anything else it shows what a message would.
REASON_LENGTH: Final = 600

#: States whose entries are listed, in this order.
LISTED: Final[tuple[State, ...]] = ("unknown", "refused")

_TEMPLATES: Final = Environment(
    loader=PackageLoader("vtex_tracking_ext.bulk.report"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
    auto_reload=False,
)
_TEMPLATES.filters |= {"number": "{:,}".format, "visible": visible}


@frozen
class Listed:
    """An entry as a table shows it."""

    account: str
    order_id: str
    invoice_number: str
    what: str
    details: str
    reason: str
    status_code: int | None
    place: str
    attempts: int
    when: str


@define
class Summary:
    """What the page shows of the entries that were taken in; its size does not grow with their number.

    Attributes:
        counts: How many entries of each account are in each state.
        timeline: When they were settled.
    """

    counts: dict[str, Counter[State]] = Factory(dict)
    timeline: Timeline = Factory(Timeline)
    _latest: dict[State, list[tuple[dt.datetime, int, Entry]]] = Factory(dict)

    def add(self, entry: Entry) -> None:
        """Take an entry in."""
        self.counts.setdefault(entry.package.account, Counter())[entry.state] += 1
        if entry.settled is not None and entry.state in STACK:
            self.timeline.add(entry.settled, entry.state)
        if entry.state in LISTED:
            heap = self._latest.setdefault(entry.state, [])
            item = (entry.settled or entry.added, entry.id, entry)
            if len(heap) < ROWS:
                heapq.heappush(heap, item)
            else:
                heapq.heappushpop(heap, item)

    def total(self) -> Counter[State]:
        """Return how many entries are in each state."""
        total: Counter[State] = Counter()
        for counts in self.counts.values():
            total.update(counts)
        return total

    def latest(self, state: State) -> tuple[Listed, ...]:
        """Return the entries in ``state`` that were settled last, at most :data:`ROWS`, the last one first."""
        # Numbers differ, so that no two entries are compared.
        return tuple(_listed(entry) for _, _, entry in sorted(self._latest.get(state, []), reverse=True))


def summary_of(entries: Iterable[Entry]) -> Summary:
    """Read entries, any number of them."""
    summary = Summary()
    for entry in entries:
        summary.add(entry)
    return summary


def page(journal: JournalReader, name: str, now: dt.datetime, selection: Selection | None = None) -> str:
    """Return the page.

    Args:
        journal: The journal.
        name: What it is called on the page.
        now: The current time, in UTC.
        selection: Which entries it tells of; otherwise all.

    Raises:
        JournalError: The journal cannot be read.
    """
    chosen = selection or Selection()
    meta = journal.meta()
    summary = summary_of(journal.entries(chosen))
    style = _style()
    return _TEMPLATES.get_template("report.html").render(
        style=Markup(style),  # noqa: S704 - the package's own file
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii"),
        name=name,
        created=_minute(meta.created),
        now=_minute(now),
        chosen=chosen,
        whole=chosen.account is None and set(chosen.states) == set(STATES),
        states=[state for state in ("unknown", "refused", "pending", "in_flight", "applied") if state in chosen.states],
        accounts=sorted(summary.counts.items()),
        total=summary.total(),
        is_open=any(summary.total()[state] for state in OPEN_STATES),
        chart=summary.timeline.chart(),
        stack=STACK,
        height=HEIGHT,
        bar=BAR,
        step=STEP,
        listed=[(state, summary.latest(state)) for state in LISTED if state in chosen.states],
    )


def _style() -> str:
    """Return the style sheet as browsers see it, with plain ends of lines: its hash must be that of theirs."""
    source, _, _ = PackageLoader("vtex_tracking_ext.bulk.report").get_source(_TEMPLATES, "report.css")
    return "\n".join(source.splitlines())


def _listed(entry: Entry) -> Listed:
    event = entry.event
    if event is None:
        what, details = "Delivery", [entry.delivered_date or "no date told"]
    else:
        what, details = event.description, [str(event.date), "/".join(filter(None, (event.city, event.state)))]
    return Listed(
        account=visible(entry.package.account),
        order_id=visible(entry.package.order_id),
        invoice_number=visible(entry.package.invoice_number),
        what=visible(what),
        details=visible(", ".join(filter(None, details))),
        reason=visible(entry.reason, REASON_LENGTH),
        status_code=entry.status_code,
        place=f"{visible(entry.place.source)}:{entry.place.line}",
        attempts=entry.attempts,
        when="" if entry.settled is None else iso(entry.settled)[:19].replace("T", " "),
    )


def _minute(moment: dt.datetime) -> str:
    return iso(moment)[:16].replace("T", " ")
