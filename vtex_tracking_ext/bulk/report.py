"""What a run did, in words and numbers. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import Factory, define

from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .deliver import Outcome, Result
    from .plan import Plan
    from .rows import Place

#: From best to worst: a row that travels in two calls (an event, and the delivery it reports) fares as the worse.
_RANK: dict[Outcome, int] = {"applied": 0, "refused": 1, "pending": 2, "unknown": 3}


@define
class Tally:
    """Counts a run's results as they come."""

    plan: Plan
    results: list[Result] = Factory(list)
    rows: dict[Place, Outcome] = Factory(dict)
    calls: Counter[Outcome] = Factory(Counter)

    def add(self, result: Result) -> None:
        """Take a result in."""
        self.results.append(result)
        self.calls[result.outcome] += 1
        for place in result.planned.places:
            self.rows[place] = max(self.rows.get(place, "applied"), result.outcome, key=lambda o: _RANK[o])

    def counts(self) -> Counter[Outcome]:
        """Return how many rows fared how."""
        return Counter(self.rows.values())


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield what is wrong with a file's rows, a line each."""
    for problem in plan.problems:
        yield str(problem)


def summary_lines(tally: Tally) -> Iterator[str]:
    """Yield the end of a run: what was not applied and why, then the numbers."""
    for result in tally.results:
        if result.outcome != "applied":
            update = result.planned.update
            rows = ", ".join(map(str, result.planned.places))
            reason = visible(result.reason, 600)
            yield f"{result.outcome}: order {update.order_id}, invoice {update.invoice_number} ({rows}): {reason}"
        elif result.receipt is not None and result.receipt.note:
            yield f"applied, but: order {result.planned.update.order_id}: {result.receipt.note}"
    plan, counts = tally.plan, tally.counts()
    wrong = len({problem.place for problem in plan.problems})
    yield (
        f"{plan.rows + wrong} rows: {counts['applied']} applied, {counts['refused']} refused, "
        f"{counts['unknown']} unknown, {counts['pending']} not sent, {len(plan.duplicates)} duplicates left out, "
        f"{wrong} with mistakes. {sum(tally.calls.values()) - tally.calls['pending']} calls, "
        f"{len(plan.packages)} packages."
    )
