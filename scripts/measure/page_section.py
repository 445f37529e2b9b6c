"""The section of a run, in docs/explanation/measurements.md: bar charts in a text block, and a table of the targets."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

from .names import DISTANT_IN_FLIGHT, SUBJECTS
from .results import Results
from .samples import spread
from .targets import MAX_THROUGHPUT, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .names import Kind
    from .targets import Verdict

#: The lines of the page that enclose the section.
BEGIN: Final = "<!-- scripts/bench writes from here -->"
END: Final = "<!-- to here -->"

#: Line length of the page.
_LINE: Final = 120

#: Length of the longest bar, and of the name column.
_WIDTH: Final = 36
_NAME: Final = 29

#: A bar that is more than so many times as long as the second longest is cut.
_OUTLIER: Final = 3.0

_UNITS: Final[dict[str, Callable[[float], str]]] = {
    "times": lambda value: f"{value:.2f}",
    "%": lambda value: f"{value * 100:.0f} %",
    "ms": lambda value: f"{value:.0f} ms",
    "MB": lambda value: f"{value:.0f} MB",
    "calls": lambda value: f"{value:.2f}",
}


def replaced(page: str, document: Mapping[str, Any]) -> str:
    """Return the page with the section of a run.

    Raises:
        ValueError: The page lacks the enclosing lines.
    """
    before, begin, rest = page.partition(BEGIN + "\n")
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"The page lacks the lines {BEGIN} and {END}.")
    return before + begin + section(document) + end + after


def section(document: Mapping[str, Any]) -> str:
    """Return the section of a run."""
    return "\n".join([_conditions(document), "", *charts(Results(document)), "", *table(Results(document)), ""])


def charts(results: Results) -> list[str]:
    """Return the charts as a text block."""
    lines = ["```text"]
    sync = _rows("sync", lambda name: results.calls("sync", name, 1))
    lines += chart("CPU of an update, sync, one at a time, in microseconds", sync)
    asynchronous = _rows("async", lambda name: results.calls("async", name, 32))
    lines += chart("CPU of an update, async, 32 in flight, in microseconds", asynchronous)
    title = f"Updates a second, server 50 ms away, {DISTANT_IN_FLIGHT} in flight on one core"
    title += f" ({MAX_THROUGHPUT:,.0f} possible)"
    lines += chart(title, _rows("async", lambda name: results.distant(name, "a_second")))
    both = [*dict.fromkeys([*SUBJECTS["sync"], *SUBJECTS["async"]])]
    starts = [(name, results.start(name, "construct")) for name in both]
    lines += chart("Import and construct a client, milliseconds beyond bare Python", _medians(starts))
    return [*lines[:-1], "```"]


def chart(title: str, rows: Sequence[tuple[str, float]]) -> list[str]:
    """Return a title, a bar for each row, and an empty line.

    Args:
        title: The quantity and its unit.
        rows: Names and values.
    """
    in_order = sorted((value for _, value in rows), reverse=True)
    longest = in_order[0] if in_order else 0.0
    if len(in_order) > 1 and longest > _OUTLIER * in_order[1]:
        longest = in_order[1] * 1.2
    lines = [title]
    for name, value in rows:
        bar = "\N{FULL BLOCK}" * max(1, round(_WIDTH * min(1.0, value / longest)))
        lines.append(f"  {name:{_NAME}} {bar}{' ...' if value > longest else ''} {value:,.0f}")
    return [*lines, ""]


def table(results: Results) -> list[str]:
    """Return the table of targets and measured values."""
    lines = ["| target | | measured | without httptools | |", "|---|---|---|---|---|"]
    return lines + ["| " + " | ".join(cells(verdict)) + " |" for verdict in judge(results)]


def cells(verdict: Verdict) -> tuple[str, str, str, str, str]:
    """Return a target, its limit, both values and the verdict as text."""
    show, limit = _UNITS[verdict.target.unit], verdict.target.limit
    word = {True: "met", False: "**missed**", None: "not judged"}[verdict.met]
    return (
        verdict.target.what,
        "" if limit is None else f"at {'least' if verdict.target.least else 'most'} {show(limit)}",
        "not measured" if verdict.measured is None else show(verdict.measured),
        "" if verdict.plain is None else show(verdict.plain),
        word,
    )


def _conditions(document: Mapping[str, Any]) -> str:
    machine = document["machine"]
    pinned = "one for the server, one for the client" if machine["pinned"] else "shared by server and client"
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    text = (
        f"`{document['command']}` on {document['made']}: {machine['processor']}, {machine['cores']} cores ({pinned}), "
        f"{machine['system']}, {machine['python']}, {document['server']}. Medians; CPU is user and system time of the "
        f"client's process. {versions}."
    )
    plan = document.get("plan")
    if plan:
        text += f" The memory is that of {plan['rows']:,} rows."
    missing = "; ".join(f"{name}: {why}" for name, why in document["missing"].items())
    text += f" Missing: {missing}." if missing else ""
    return textwrap.fill(text, _LINE, break_long_words=False, break_on_hyphens=False)


def _rows(kind: Kind, figures: Callable[[str], list[float] | None]) -> list[tuple[str, float]]:
    return _medians([(name, figures(name)) for name in SUBJECTS[kind]])


def _medians(rows: Sequence[tuple[str, list[float] | None]]) -> list[tuple[str, float]]:
    return [(name, spread(samples).middle) for name, samples in rows if samples]
