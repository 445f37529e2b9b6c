"""The commands check and push: files of carrier events into a journal, and from there to VTEX."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.delivery.accounts import plan_delivery
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rejects import RejectsFile
from vtex_tracking_ext.bulk.input.rows import InputFileError
from vtex_tracking_ext.bulk.journal.account_name import account_name_of
from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES, Selection
from vtex_tracking_ext.bulk.journal.interface import WORKERS, NoJournalError
from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal
from vtex_tracking_ext.bulk.recorder import RowCounts, RowRecorder
from vtex_tracking_ext.config.credentials import server_url
from vtex_tracking_ext.errors import ConfigurationError, VtexTrackingError
from vtex_tracking_ext.text import quoted

from .accounts import Accounts, read_settings
from .exit_codes import ExitCode, exit_code_of
from .interrupts import sigterm_as_interrupt
from .journal_location import journal_location_for_writing, journal_option, open_journal_reader
from .messages import Console
from .push_delivery import PushDelivery

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from vtex_tracking_ext.bulk.input.rows import RowProblem
    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.client import TrackingClient


def check(parsed: argparse.Namespace) -> ExitCode:
    """Read files and print what a push would send. It sends and keeps nothing, and needs no credentials."""
    console = Console(as_json=parsed.json)
    own_account = read_settings(parsed).account or "(the account of the run)"

    def account_name(account: str) -> str:
        if account:
            server_url(account)  # raises if no account can have this name
        return account.lower() or own_account

    with SqliteJournal.temporary() as journal:
        recorder = RowRecorder(journal, account_name, console.problem, console.note)
        _read_files(parsed, recorder, console, write_rejects=False)
        counts = recorder.counts
        console.plan(counts, plan_delivery(journal, journal.counts(), parsed.events_per_call))
    return ExitCode.USAGE if counts.invalid else ExitCode.OK


def push(parsed: argparse.Namespace) -> ExitCode:
    """Record the rows of files in the journal, and send what is pending for their accounts; without files, for all."""
    if parsed.no_deliver and not parsed.files:
        raise VtexTrackingError("--no-deliver needs files to note.")
    console = Console(as_json=parsed.json, journal_option=journal_option(parsed), has_mapping=bool(parsed.map))
    with sigterm_as_interrupt(), Accounts(parsed) as accounts, _open_journal(parsed) as journal:
        counts, left_out = RowCounts(), 0
        noted: set[str] = set()

        def account_name(account: str) -> str:
            name = accounts.name(account) if parsed.no_deliver else account_name_of(accounts.client(account))
            noted.add(name)
            return name

        if parsed.files:
            recorder = RowRecorder(journal, account_name, console.problem, console.note)
            counts = recorder.counts
            try:
                _read_files(parsed, recorder, console, write_rejects=not (parsed.dry_run or parsed.no_rejects))
            except BaseException:  # also an interrupt: nothing is sent now, but the next push sends what was recorded
                recorded = counts.by_status["new"] + counts.by_status["renewed"]
                if recorded and not parsed.dry_run:
                    console.recorded(recorded)
                raise
            clients = {account_name_of(client): client for client in accounts.clients}
        else:
            clients, left_out = _clients_for_pending(parsed, journal, accounts, console)
        if not (parsed.dry_run or parsed.no_deliver):
            return _deliver(parsed, journal, clients, accounts, console, counts, left_out)
        if parsed.dry_run:
            console.plan(counts, plan_delivery(journal, clients, parsed.events_per_call))
        else:
            console.noted(counts, has_workers=noted <= journal.served_accounts())
        return ExitCode.USAGE if counts.invalid else ExitCode.OK


def _open_journal(parsed: argparse.Namespace) -> Journal:
    """Open the journal, or for a dry run a temporary copy of it, which is empty if there is no journal."""
    if not parsed.dry_run:
        return open_journal(journal_location_for_writing(parsed))
    with ExitStack() as stack:
        copy = stack.enter_context(SqliteJournal.temporary())
        with suppress(NoJournalError), open_journal_reader(parsed) as journal:
            copy.copy(journal)
        stack.pop_all()
    return copy


def _read_files(parsed: argparse.Namespace, recorder: RowRecorder, console: Console, *, write_rejects: bool) -> None:
    """Read every file to its end before anything is sent, so that an unusable file stops the whole push.

    Args:
        parsed: The options.
        recorder: Records the rows.
        console: Prints the problems.
        write_rejects: Whether to write the invalid rows of each file to a rejects file.
    """
    now = dt.datetime.now().astimezone()
    for name in parsed.files:
        rows = read_rows(
            name,
            now,
            format=parsed.format,
            encoding=parsed.encoding,
            mapping=_mapping(parsed.map),
            ignore_unknown=parsed.ignore_unknown,
            sheet=parsed.sheet,
        )
        if not write_rejects:
            recorder.record(rows)
            continue
        with RejectsFile(Path(parsed.rejects) if parsed.rejects else None) as rejects:
            recorder.on_problem = partial(_print_and_reject, console, rejects)
            recorder.record(rows)
            path = rejects.close()
        if path is not None:
            console.rejects(path, rejects.rows)
    console.omitted_lines()


def _print_and_reject(console: Console, rejects: RejectsFile, problem: RowProblem) -> None:
    console.problem(problem)
    rejects.add(problem)


def _mapping(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    mapping = dict(pairs)
    duplicate = next((column for column, field in pairs if mapping[column] != field), None)
    if duplicate is not None:
        raise InputFileError(f"--map: {quoted(duplicate, 60)} is mapped twice; map it once.")
    return mapping


def _clients_for_pending(
    parsed: argparse.Namespace, journal: Journal, accounts: Accounts, console: Console
) -> tuple[dict[str, TrackingClient], int]:
    """Return the clients of all accounts with pending entries, and how many entries have no client."""
    clients: dict[str, TrackingClient] = {}
    left_out = 0
    for name, counts in journal.counts().items():
        pending = sum(counts[state] for state in OPEN_STATES)
        is_own = name.partition("@")[0] == accounts.own
        if not pending or (parsed.account is not None and not is_own):
            continue
        if is_own:
            accounts.client()  # without the run's own credentials, nothing is sent
        try:
            clients[name] = accounts.client_for(name)
        except ConfigurationError as error:
            left_out += pending
            console.left_out(name, pending, str(error))
    return clients, left_out


def _deliver(
    parsed: argparse.Namespace,
    journal: Journal,
    clients: Mapping[str, TrackingClient],
    accounts: Accounts,
    console: Console,
    counts: RowCounts,
    left_out: int,
) -> ExitCode:
    """Send what is pending for the accounts, and print the outcomes."""
    options = {
        name: DeliveryOptions(
            concurrency=parsed.concurrency,
            events_per_call=parsed.events_per_call,
            send_after_unknown=parsed.send_on,
            resend_after=accounts.resend_after(name.partition("@")[0]),
        )
        for name in clients
    }
    delivery = PushDelivery(parsed, journal, clients, options)

    def on_others(others: Mapping[str, str]) -> None:
        console.delivered_by(counts, others)
        if not parsed.wait:  # else they are among the stop reasons
            records = map(journal.account, (account for account, who in others.items() if who == WORKERS))
            console.workers_stopped(record for record in records if record is not None)

    delivery.run(on_others)
    console.outcomes(journal.entries(Selection(ids=delivery.refused)), "refused")
    console.outcomes(journal.entries(Selection(ids=delivery.unknown)), "unknown")
    for name, reason in delivery.stop_reasons.items():
        console.stopped(name, reason)
    console.summary(counts, delivery, left_out)
    return ExitCode.INTERRUPTED if delivery.is_interrupted else _exit_code(counts, delivery, left_out)


def _exit_code(counts: RowCounts, delivery: PushDelivery, left_out: int) -> ExitCode:
    """Return the most severe status."""
    stopped = {exit_code_of(error) for error in delivery.delivery.stop_errors.values()}
    if ExitCode.CONFIGURATION in stopped:
        return ExitCode.CONFIGURATION
    if delivery.remaining["unknown"] or delivery.remaining["in_flight"]:
        return ExitCode.UNKNOWN
    if delivery.remaining["pending"] or left_out or delivery.stop_reasons:
        return ExitCode.INCOMPLETE
    if counts.invalid:
        return ExitCode.USAGE
    return ExitCode.REFUSED if delivery.outcomes["refused"] else ExitCode.OK
