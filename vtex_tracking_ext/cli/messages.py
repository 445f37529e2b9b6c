"""What the commands of a journal tell: problems, outcomes, sums; in lines for people, or in JSON for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import asdict

from vtex_tracking_ext.text import visible

from .output import say, say_json, warn

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable
    from pathlib import Path

    from vtex_tracking_ext.bulk.delivery.accounts import DeliveryPlan, MultiAccountDelivery
    from vtex_tracking_ext.bulk.input.rows import Place, RowProblem
    from vtex_tracking_ext.bulk.journal.entries import Entry, State
    from vtex_tracking_ext.bulk.recorder import RowCounts

#: Lines about problems, and about outcomes, that a person gets at most; all of them are in the rejects file and in the
#: journal.
MOST_LINES: Final = 100

_REASON_LENGTH: Final = 600


class Teller:
    """Tells of what a command meets.

    Args:
        as_json: Whether each thing is a line of JSON on standard output.
        journal_option: Names the journal to the commands that are proposed.
    """

    def __init__(self, *, as_json: bool, journal_option: str = "") -> None:
        self.as_json = as_json
        self._option = journal_option
        self._problems = 0

    def problem(self, problem: RowProblem) -> None:
        """Tell what keeps a row from being sent."""
        self._problems += 1
        if self.as_json:
            place = problem.place
            document = {"source": place.source, "line": place.line, "column": problem.column}
            say_json("problem", {**document, "message": problem.message})
        elif self._problems <= MOST_LINES:
            warn(visible(str(problem), _REASON_LENGTH))

    def end_of_problems(self) -> None:
        """Tell how many problems there were beyond those that were named."""
        if not self.as_json and self._problems > MOST_LINES:
            warn(f"... and {self._problems - MOST_LINES} more problems.")

    def note(self, place: Place, note: str) -> None:
        """Tell what is to be said of a row that was taken."""
        if self.as_json:
            say_json("note", {"source": place.source, "line": place.line, "message": note})
        else:
            warn(visible(f"{place}: {note}", _REASON_LENGTH))

    def rejects(self, path: Path, rows: int) -> None:
        """Tell where the bad rows of a file are."""
        if self.as_json:
            say_json("rejects", {"file": str(path), "rows": rows})
        else:
            warn(f"{counted(rows, 'row')} with mistakes: {visible(str(path))}; mend them there, and push that file.")

    def noted(self, rows: int) -> None:
        """Tell of rows that wait in the journal although reading was broken off: they go out with the next push."""
        warn(
            f"Already in the journal: {counted(rows, 'row')}. The next push sends what waits there, or drop all of it: "
            f"vtex-tracking resolve --withdraw --all{self._option}"
        )

    def left_out(self, label: str, entries: int, why: str) -> None:
        """Tell that something waits that this run cannot deliver."""
        if self.as_json:
            say_json("left_out", {"account": label, "entries": entries, "reason": why})
        else:
            warn(f"{label}: {entries} waiting, not sent: {visible(why, _REASON_LENGTH)}")

    def outcomes(self, entries: Iterable[Entry], outcome: str) -> None:
        """Tell of entries that are refused or unknown, or of whose application something is to be said."""
        for number, entry in enumerate(entries):
            if self.as_json:
                say_json("outcome", {"outcome": outcome, **entry_document(entry)})
            elif number < MOST_LINES:
                say(f"{outcome}: {entry_line(entry)}")
            else:
                say(f"... and more; vtex-tracking report{self._option} has them all.")
                return

    def ended(self, label: str, reason: str) -> None:
        """Tell that an account was given up."""
        if self.as_json:
            say_json("ended", {"account": label, "reason": reason})
        else:
            warn(f"{label}: given up, what waits was not sent: {visible(reason, _REASON_LENGTH)}")

    def plan(self, counts: RowCounts, planned: DeliveryPlan) -> None:
        """Tell what a push would do."""
        if self.as_json:
            say_json("plan", {**_rows(counts), **asdict(planned)})
            return
        say(_row_line(counts))
        doubt = f" {planned.in_doubt} in doubt are settled first, by reading." if planned.in_doubt else ""
        say(
            f"To send: {counted(planned.events, 'event')} and {counted(planned.deliveries, 'delivery', 'deliveries')} "
            f"of {counted(planned.packages, 'package')}, in {counted(planned.calls, 'call')}.{doubt}"
        )

    def enqueued(self, counts: RowCounts, rung: int) -> None:
        """Tell for how many packages the workers were rung."""
        if self.as_json:
            say_json("enqueued", {**_rows(counts), "packages": rung})
            return
        if counts.rows:
            say(_row_line(counts))
        say(f"Rang for {counted(rung, 'package')}; the workers send what waits.")

    def summary(self, counts: RowCounts, delivery: MultiAccountDelivery, left: Counter[State], left_out: int) -> None:
        """Tell what a push did and left."""
        applied, refused = delivery.outcomes["applied"], delivery.outcomes["refused"]
        unknown, pending = left["unknown"] + left["in_flight"], left["pending"] + left_out
        if self.as_json:
            told = {"applied": applied, "refused": refused, "unknown": unknown, "pending": pending}
            say_json("summary", {**_rows(counts), **told, "calls": delivery.calls, "reads": delivery.reads})
            return
        if counts.rows:
            say(_row_line(counts))
        say(
            f"Events and deliveries: {applied} applied, {refused} refused, {unknown} unknown, {pending} waiting; "
            f"{counted(delivery.calls, 'call')}, {counted(delivery.reads, 'order')} read."
        )
        if refused:
            say("Mend what the refusals say, and push those rows again.")
        if unknown:
            say(
                "Nobody knows whether the unknown ones were applied; their packages wait: vtex-tracking resolve"
                f"{self._option}"
            )
        elif pending:
            say(f"What waits goes on with: vtex-tracking push{self._option}")


def _rows(counts: RowCounts) -> dict[str, int]:
    known = {name: counts.by_status[name] for name in ("new", "renewed", "known")}
    return {"rows": counts.rows, **known, "wrong": counts.invalid}


def _row_line(counts: RowCounts) -> str:
    rows = _rows(counts)
    renewed = f"{rows['renewed']} again after a refusal or with a date, " if rows["renewed"] else ""
    return (
        f"{counted(rows['rows'], 'row')}: {rows['new']} new, {renewed}{rows['known']} known before, "
        f"{rows['wrong']} with mistakes."
    )


def entry_line(entry: Entry) -> str:
    """Return a line about an entry."""
    package, event = entry.package, entry.event
    what = "the delivery" if event is None else f"{event.date} {visible(event.description, 60)}"
    if event is None and entry.delivered_date:
        what += f" on {entry.delivered_date}"
    reason = f": {visible(entry.reason, _REASON_LENGTH)}" if entry.reason else ""
    where = f"{package.account}, order {package.order_id}, invoice {package.invoice_number}"
    return f"{where}, {what} ({visible(str(entry.place))}){reason}"


def entry_document(entry: Entry) -> dict[str, Any]:
    """Return what a machine needs to know of an entry."""
    package, event = entry.package, entry.event
    return {
        "id": entry.id,
        "account": package.account,
        "order_id": package.order_id,
        "invoice_number": package.invoice_number,
        "kind": entry.kind,
        "date": entry.delivered_date if event is None else event.date,
        "description": "" if event is None else event.description,
        "source": entry.place.source,
        "line": entry.place.line,
        "reason": entry.reason,
    }


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"
