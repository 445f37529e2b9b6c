"""What the commands of a journal print: problems, outcomes, totals; lines for people, or JSON lines for programs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict

from vtex_tracking_ext.bulk.input.layout import DELIMITERS
from vtex_tracking_ext.bulk.input.rows import ParkedEvents, UnmatchedEvents
from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.journal.interface import WORKERS
from vtex_tracking_ext.bulk.recorder import RowCounts
from vtex_tracking_ext.bulk.report.accounts import held_text, problem_lines, time_text
from vtex_tracking_ext.bulk.report.cause_records import MAX_GROUPED
from vtex_tracking_ext.bulk.report.rows import iso
from vtex_tracking_ext.text import REASON_LENGTH, visible

from .cause_lines import cause_document, cause_lines, group_entries, left_out_line
from .entry_text import counted, entries_text, entry_document, row_document, row_line
from .output import inform, say, say_json, warn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from vtex_tracking_ext.bulk.delivery.accounts import DeliveryPlan
    from vtex_tracking_ext.bulk.input.inbox import FileOutcome
    from vtex_tracking_ext.bulk.input.rows import Place, Recognition, Row, RowProblem
    from vtex_tracking_ext.bulk.journal.entries import AccountRecord
    from vtex_tracking_ext.bulk.journal.interface import JournalReader
    from vtex_tracking_ext.bulk.report.causes import Group
    from vtex_tracking_ext.orders.parked import ParkedCounts

    from .push_delivery import LeftOut, PushDelivery

#: Lines about problems of rows that are printed for people at most. The rejects file has all of them.
MAX_LINES: Final = 100


class Console:
    """Prints what check and push report.

    Args:
        as_json: Whether to print JSON lines on standard output.
        journal_option: The option that names the journal in suggested commands.
    """

    def __init__(self, *, as_json: bool, journal_option: str = "") -> None:
        self.as_json = as_json
        self._option = journal_option
        self._problems = 0
        self._notes = 0

    def problem(self, problem: RowProblem) -> None:
        """Print why a row is invalid."""
        self._problems += 1
        if self.as_json:
            place = problem.place
            document = {"source": place.source, "line": place.line, "column": problem.column}
            events: dict[str, Any] = {}
            if isinstance(problem, UnmatchedEvents):
                events = {"events": problem.events, "is_parked": isinstance(problem, ParkedEvents)}
            say_json("problem", {**document, **events, "message": problem.message})
        elif self._problems <= MAX_LINES:
            warn(visible(str(problem), REASON_LENGTH), "bad")

    def omitted_lines(self) -> None:
        """Print how many problems and notes were not printed."""
        for number, what, tell in ((self._problems, "problem", warn), (self._notes, "note", inform)):
            if not self.as_json and number > MAX_LINES:
                tell(f"... and {counted(number - MAX_LINES, f'more {what}')}.")

    def note(self, place: Place, note: str) -> None:
        """Print a note about a valid row."""
        self._notes += 1
        if self.as_json:
            say_json("note", {"source": place.source, "line": place.line, "message": note})
        elif self._notes <= MAX_LINES:
            inform(visible(f"{place}: {note}", REASON_LENGTH))

    def recognised(self, name: str, recognition: Recognition, rows: Iterable[Row]) -> None:
        """Print how a file was read, and its first rows as they would be sent."""
        if self.as_json:
            say_json("recognised", {"source": name, **asdict(recognition)})
            for row in rows:
                say_json("row", row_document(row))
            return
        say(visible(f"{name}: {_recognised_line(recognition)}.", REASON_LENGTH))
        fields = ", ".join(f"{column.strip()} is {field}" for column, field in recognition.columns if field)
        if fields:
            say(f"  Columns: {visible(fields, REASON_LENGTH)}.")
        for row in rows:
            say(f"  {visible(row_line(row), REASON_LENGTH)}")

    def saved_layout(self, name: str, path: Path) -> None:
        """Print where a layout was saved."""
        if self.as_json:
            say_json("layout", {"name": name, "file": str(path)})
        else:
            say(f"Layout saved as [layouts.{name}] in {visible(str(path))}; push with --layout {shlex.quote(name)}.")

    def rejects(self, path: Path, rows: int) -> None:
        """Print where the invalid rows of a file were written."""
        if self.as_json:
            say_json("rejects", {"file": str(path), "rows": rows})
        else:
            warn(f"{counted(rows, 'invalid row')} written to {visible(str(path))}: fix that file and push it.")

    def file(self, path: Path, rows: RowCounts, outcome: FileOutcome | None, where: Path, reason: str) -> None:
        """Print what was read from a file of a folder, and where the file is now.

        Args:
            path: The file.
            rows: What was recorded.
            outcome: What happened to the file, or None if nothing is to happen to it.
            where: Where it is now.
            reason: Why the file as a whole was not recorded, or empty.
        """
        if self.as_json:
            document = {"file": str(path), "outcome": outcome, "path": str(where), "reason": reason}
            say_json("file", {**document, **_row_counts(rows)})
        elif outcome == "gone":
            say(f"{visible(str(path))}: moved by another process.")
        elif outcome == "left" and not reason:
            warn(f"{visible(str(path))}: was changed while it was being read; it stays, and will be read again.")
        else:
            moved = f" Moved to {visible(str(where))}." if where != path else ""
            if reason:
                warn(visible(reason, REASON_LENGTH) + moved)
            else:
                say(f"{visible(str(path))}: {_rows_line(rows)}{moved}")

    def left(self, path: Path, reason: str) -> None:
        """Print why an entry of a folder was not read."""
        if self.as_json:
            document = {"file": str(path), "outcome": "left", "path": str(path), "reason": reason}
            say_json("file", {**document, **_row_counts(RowCounts())})
        else:
            warn(f"{visible(str(path))}: {reason}.")

    def recorded(self, rows: int) -> None:
        """Print that rows are pending in the journal although reading the files failed."""
        if self.as_json:
            say_json("recorded", {"rows": rows})
            return
        warn(
            f"Already in the journal: {counted(rows, 'row')}. The next push sends all pending events; to withdraw them "
            f"instead: vtex-tracking resolve --withdraw --all{self._option}"
        )

    def left_out(self, account: str, entries: int, reason: str) -> None:
        """Print that this run cannot send the pending entries of an account."""
        if self.as_json:
            say_json("left_out", {"account": account, "entries": entries, "reason": reason})
        else:
            name = visible(account)
            warn(
                f"{name}: {entries} pending, not sent: {visible(reason, REASON_LENGTH)}. To withdraw them instead: "
                f"vtex-tracking resolve --withdraw --all --account {shlex.quote(name)}{self._option}"
            )

    def outcomes(self, journal: JournalReader, delivery: PushDelivery) -> None:
        """Print what was refused, and what is unknown: by cause for people, also entry by entry for programs.

        Args:
            journal: The journal.
            delivery: What was delivered.
        """
        groups: list[Group] = []
        for outcome, ids in (("refused", delivery.refused), ("unknown", delivery.unknown)):
            if self.as_json:
                for entry in journal.entries(Selection(ids=ids)):
                    say_json("outcome", {"outcome": outcome, **entry_document(entry)})
            groups += group_entries(journal.entries(Selection(ids=ids[-MAX_GROUPED:])), self._option)
        if self.as_json:
            for found in groups:
                say_json("cause", cause_document(found))
            return
        for line, style in cause_lines(journal, groups, self._option):
            say(line, style)
        left_out = len(delivery.refused) + len(delivery.unknown) - sum(found.entries for found in groups)
        if left_out > 0:
            say(left_out_line(left_out, self._option))

    def stopped(self, account: str, reason: str) -> None:
        """Print that the run stopped sending to an account."""
        if self.as_json:
            say_json("ended", {"account": account, "reason": reason})
        else:
            text = f"{visible(account)}: stopped; pending events were not sent: {visible(reason, REASON_LENGTH)}"
            warn(text, "bad")

    def plan(self, rows: RowCounts, plan: DeliveryPlan) -> None:
        """Print what a push would do."""
        if self.as_json:
            say_json("plan", {**_row_counts(rows), **asdict(plan)})
            return
        say(_rows_line(rows))
        doubt = plan.in_doubt
        check = f" {counted(doubt, 'unknown outcome')} will be checked first, by reading the orders." if doubt else ""
        say(
            f"To send: {counted(plan.events, 'event')} and {counted(plan.deliveries, 'delivery', 'deliveries')} "
            f"of {counted(plan.packages, 'package')}, in {counted(plan.calls, 'call')}.{check}"
        )

    def noted(self, rows: RowCounts, *, has_workers: bool) -> None:
        """Print what was noted, and who sends it."""
        if self.as_json:
            say_json("noted", _row_counts(rows))
            return
        who = "workers send" if has_workers else f"vtex-tracking push{self._option} sends"
        say(f"Noted {_rows_line(rows)}\nNothing was sent: {who} the pending events.")

    def parked(self, unparked: int, counts: Iterable[ParkedCounts]) -> None:
        """Print how many parked events found their orders, and how many are parked."""
        counts = list(counts)
        waiting, given_up = sum(each.waiting for each in counts), sum(each.given_up for each in counts)
        if not unparked and not counts:
            return
        if self.as_json:
            say_json("parked", {"unparked": unparked, "waiting": waiting, "given_up": given_up})
            return
        if unparked:
            say(f"{counted(unparked, 'parked event')} found {'its order' if unparked == 1 else 'their orders'}.")
        for line in parked_lines(counts, self._option):
            say(line)

    def delivered_by(self, rows: RowCounts, others: Mapping[str, str]) -> None:
        """Print which accounts other processes deliver."""
        if self.as_json:
            for account, who in others.items():
                say_json("delivered_by", {"account": account, "by": who})
            return
        whose = [
            f"{visible(who)} {'deliver' if who == WORKERS else 'is delivering'} {visible(account)}"
            for account, who in others.items()
        ]
        say("; ".join([*([f"noted {counted(rows.rows - rows.invalid, 'row')}"] if rows.rows else []), *whose]))

    def workers_stopped(self, records: Iterable[AccountRecord]) -> None:
        """Print why workers do not call some of the accounts that they serve now."""
        if not self.as_json:
            for line in problem_lines(records, None):
                warn(line, "bad")

    def summary(self, rows: RowCounts, delivery: PushDelivery, left_out: LeftOut) -> None:
        """Print what a push did, and what remains."""
        counts = delivery.counts(left_out)
        calls, reads = delivery.delivery.calls, delivery.delivery.reads
        if self.as_json:
            held = {"held": delivery.held.deliveries, "held_until": iso(delivery.held.until)}
            numbers = {**asdict(counts), "entries": counts.entries, **held, "calls": calls, "reads": reads}
            say_json("summary", {**_row_counts(rows), **numbers, "is_interrupted": delivery.is_interrupted})
            return
        if rows.rows or rows.unmatched or rows.parked:
            say(_rows_line(rows))
        if not delivery.has_counted:
            return
        packages = "" if counts.packages is None else f" of {counted(counts.packages, 'package')}"
        say(
            f"{entries_text(counts.entries)}{packages}: {counts.applied} applied, {counts.refused} refused, "
            f"{counts.unknown} unknown, {counts.pending} pending; {counted(calls, 'call')}, {counted(reads, 'order')} "
            "read.",
            counts.style,
        )
        if counts.refused:
            say("Fix the refused rows and push them again.")
        if counts.unknown:
            say(
                "Unknown events may have been applied; later events of their packages are not sent. To resolve them: "
                f"vtex-tracking resolve{self._option}"
            )
        elif any(delivery.delivery.others.get(account) == WORKERS for account in delivery.stop_reasons):
            say("Once that is fixed, the workers send the pending events.")
        elif delivery.remaining["pending"] > delivery.held.deliveries:
            when = "Once that is fixed, send" if delivery.stop_reasons else "To send"
            say(f"{when} the pending events: vtex-tracking push{self._option}")
        if delivery.held.deliveries:
            are_left = any(who == WORKERS for who in delivery.delivery.others.values())
            then = "the workers send what is held" if are_left else "run again after that"
            say(f"{held_text(delivery.held, None)}; {then}.")


def parked_lines(counts: Iterable[ParkedCounts], option: str) -> Iterator[str]:
    """Yield how many events are parked, for people.

    Args:
        counts: How many there are of each account.
        option: The option that names the journal in suggested commands.
    """
    for each in counts:
        account = f"{visible(each.account)}: " if each.account else ""
        since = time_text(each.since, None)
        if each.waiting:
            wait, their = ("waits", "its order") if each.waiting == 1 else ("wait", "their orders")
            yield f"{account}{counted(each.waiting, 'event')} {wait} for {their} (parked since {since})."
        if each.given_up:
            were, them = ("was", "it") if each.given_up == 1 else ("were", "them")
            yield (
                f"{account}{counted(each.given_up, 'parked event')} {were} given up: `vtex-tracking orders "
                f"parked{option}` lists {them}, and with --drop deletes {them}."
            )


def _row_counts(rows: RowCounts) -> dict[str, int]:
    known = {name: rows.by_status[name] for name in ("new", "renewed", "known")}
    parked = {"parked": rows.parked} if rows.parked else {}
    return {"rows": rows.rows, **known, "invalid": rows.invalid, "unmatched": rows.unmatched, **parked}


def _rows_line(rows: RowCounts) -> str:
    new, retried, known = (rows.by_status[name] for name in ("new", "renewed", "known"))
    also = f"{retried} retried, " if retried else ""
    line = f"{counted(rows.rows, 'row')}: {new} new, {also}{known} already known, {rows.invalid} invalid."
    if rows.unmatched:
        line += (
            f" {counted(rows.unmatched, 'event')} of no known order, kept out: push the file again when its "
            "orders are known (--orders FILE names them)."
        )
    if rows.parked:
        line += f" {counted(rows.parked, 'event')} of no known order, parked until their orders are known."
    return line


_FORMAT_NAMES: Final = {"csv": "CSV", "json": "JSON", "jsonl": "JSON lines", "xlsx": "a workbook"}


def _recognised_line(recognition: Recognition) -> str:
    parts = [_FORMAT_NAMES.get(recognition.format) or f"a payload of {recognition.format}"]
    if recognition.format == "csv":
        parts.append(f"delimited by {DELIMITERS[recognition.delimiter]}")
    if recognition.encoding:
        sure = "" if recognition.is_encoding_certain else " (its words read well in no other encoding)"
        parts.append(f"{recognition.encoding}{sure}")
    if recognition.header_line:
        parts.append(f"header in line {recognition.header_line}")
    parts += [f"{field} with the {order} (as some values show)" for field, order in recognition.day_orders.items()]
    return ", ".join(parts)
