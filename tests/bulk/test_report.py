"""What a run did, in words and numbers."""

from __future__ import annotations

from vtex_tracking_ext import TrackingReceipt, TrackingUpdate
from vtex_tracking_ext.bulk.deliver import Result
from vtex_tracking_ext.bulk.plan import Plan, PlannedUpdate
from vtex_tracking_ext.bulk.report import Tally, plan_lines, summary_lines
from vtex_tracking_ext.bulk.rows import Place, RowProblem

PROBLEMS = (RowProblem(Place("f.csv", 9), "date", "x"), RowProblem(Place("f.csv", 9), "", "y"))
PLAN = Plan(packages=(), problems=PROBLEMS, duplicates=(Place("f.csv", 8),), rows=7)


def planned(*lines: int) -> PlannedUpdate:
    """Return a call that carries these rows."""
    return PlannedUpdate(TrackingUpdate("o-01", "1"), tuple(Place("f.csv", line) for line in lines))


def test_the_summary_names_what_failed_and_counts_the_rest() -> None:
    """A row in two calls fares as the worse of them; a server's text is shown safely."""
    receipt = TrackingReceipt(None, None, None, note="odd")
    tally = Tally(PLAN)
    tally.add(Result(planned(2, 3), "applied", receipt=TrackingReceipt(None, None, None)))
    tally.add(Result(planned(4), "refused", reason="404 \x1b[31m"))
    tally.add(Result(planned(5, 2), "unknown", reason="500"))
    tally.add(Result(planned(6), "pending", reason="stopped"))
    tally.add(Result(planned(7), "applied", receipt=receipt))
    assert list(summary_lines(tally)) == [
        r"refused: order o-01, invoice 1 (f.csv:4): 404 \x1b[31m",
        "unknown: order o-01, invoice 1 (f.csv:5, f.csv:2): 500",
        "pending: order o-01, invoice 1 (f.csv:6): stopped",
        "applied, but: order o-01: odd",
        (
            "8 rows: 2 applied, 1 refused, 2 unknown, 1 not sent, 1 duplicates left out, 1 with mistakes. "
            "4 calls, 0 packages."
        ),
    ]


def test_the_mistakes_are_told_a_line_each() -> None:
    """As the reader found them."""
    assert list(plan_lines(PLAN)) == ["f.csv:9: column date: x", "f.csv:9: y"]
