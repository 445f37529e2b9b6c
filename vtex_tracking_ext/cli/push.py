"""The commands check and push: files of carrier events into a journal, and from there to VTEX."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.delivery.accounts import plan_delivery
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.delivery.paced import PacedCalls
from vtex_tracking_ext.bulk.input.rejects import RejectsFile
from vtex_tracking_ext.bulk.input.rows import InputFileError, Recognition, Row
from vtex_tracking_ext.bulk.journal.account_name import account_name_of
from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES
from vtex_tracking_ext.bulk.journal.interface import WORKERS, NoJournalError
from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal
from vtex_tracking_ext.bulk.recorder import RowCounts, RowRecorder
from vtex_tracking_ext.call.validation import EARLIEST_ZONE
from vtex_tracking_ext.config.credentials import server_url
from vtex_tracking_ext.errors import ConfigurationError, VtexTrackingError
from vtex_tracking_ext.orders import OrderStore

from .accounts import Accounts, profile_file, read_settings
from .exit_codes import ExitCode, exit_code_of, most_severe
from .file_reader import FileReader
from .input_files import InputFiles, read_inbox_file, watch
from .interrupts import sigterm_as_interrupt
from .journal_location import journal_location, journal_location_for_writing, journal_option, open_journal_reader
from .layouts import layout_of, save_layout, with_recognised
from .messages import Console
from .orders import trial_store
from .parked import ParkedRetry
from .progress import ProgressLines
from .push_delivery import LeftOut, PushDelivery

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from vtex_tracking_ext.bulk.input.inbox import InboxFile
    from vtex_tracking_ext.bulk.input.rows import RowNote, RowProblem
    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.events import Package


def check(parsed: argparse.Namespace) -> ExitCode:
    """Read files and print what a push would send. It sends and keeps nothing, and needs no credentials."""
    console = Console(as_json=parsed.json)
    own_account = read_settings(parsed).account or "(the account of the run)"

    def account_name(account: str) -> str:
        if account:
            server_url(account)  # raises if no account can have this name
        return account.lower() or own_account

    files, code = InputFiles(parsed.files).complete(console)
    if parsed.save_layout and len(files) != 1:
        raise VtexTrackingError("--save-layout needs one file.")
    counts = RowCounts()

    def show(file: str | InboxFile, recognition: Recognition, rows: Sequence[Row]) -> None:
        if parsed.show:
            console.recognised(str(file if isinstance(file, str) else file.path), recognition, rows)
        if parsed.save_layout:
            save_layout(profile_file(parsed), parsed.save_layout, with_recognised(layout_of(parsed), recognition))
            console.saved_layout(parsed.save_layout, profile_file(parsed))

    with SqliteJournal.temporary() as journal, Accounts(parsed) as accounts, ExitStack() as stack:
        recorder = partial(RowRecorder, journal, account_name, console.problem, console.note)
        reader = FileReader(
            parsed,
            layout_of(parsed),
            lambda: trial_store(parsed, stack, journal, accounts, lambda account: account.lower() or accounts.own),
        )
        code = most_severe(
            code, _read_files(parsed, files, recorder, counts, console, reader, is_trial=True, show=show)
        )
        console.plan(counts, plan_delivery(journal, journal.counts(), parsed.events_per_call))
    return most_severe(code, _input_code(counts))


def push(parsed: argparse.Namespace) -> ExitCode:
    """Record the rows of files in the journal, and send what is pending for their accounts; without files, for all."""
    if parsed.no_deliver and not parsed.files:
        raise VtexTrackingError("--no-deliver needs files to note.")
    files = InputFiles(parsed.files, [profile_file(parsed), journal_location(parsed)])
    if files.folders and parsed.rejects:
        raise VtexTrackingError("--rejects names one file; the rejects files of a folder are in its folder rejected.")
    if parsed.watch:
        if parsed.dry_run or not files.are_folders:
            raise VtexTrackingError("--watch needs folders and nothing else to push, and not --dry-run.")
        layout_of(parsed)  # wrong options end a watch before it begins; later errors do not
        return watch(files, lambda found: _push(parsed, files, found, _console(parsed)), _console(parsed))
    with sigterm_as_interrupt():
        console = _console(parsed)
        found, code = files.complete(console)
        return most_severe(code, _push(parsed, files, found, console))


def _console(parsed: argparse.Namespace) -> Console:
    return Console(as_json=parsed.json, journal_option=journal_option(parsed))


def _push(
    parsed: argparse.Namespace, files: InputFiles, found: Sequence[str | InboxFile], console: Console
) -> ExitCode:
    """Record the rows of complete files, and send what is pending.

    Args:
        parsed: The options.
        files: All files that were named.
        found: Those that are complete.
        console: Prints.
    """
    with Accounts(parsed) as accounts, _open_journal(parsed) as journal, ExitStack() as stack:
        counts, left_out, code = RowCounts(), LeftOut(), ExitCode.OK
        noted: set[str] = set()
        orders = _PacedOrders(parsed, accounts, journal)
        reads = not parsed.dry_run or accounts.has_credentials
        parked = ParkedRetry(parsed, console, orders.read if reads else None)

        def open_store() -> OrderStore:
            if parsed.dry_run:
                return trial_store(parsed, stack, journal, accounts, accounts.name)
            return OrderStore(journal, accounts.name)

        def account_name(account: str) -> str:
            needs_client = not (parsed.no_deliver or parsed.dry_run)
            name = account_name_of(accounts.client(account)) if needs_client else accounts.name(account)
            noted.add(name)
            return name

        clients: dict[str, TrackingClient] = {}
        if parsed.files:
            recorder = partial(RowRecorder, journal, account_name, console.problem, console.note)
            reader = FileReader(
                parsed,
                layout_of(parsed),
                open_store,
                parked.read_packages,
                accounts.names,
                lambda store: parked.retry(store, reader.options),
            )
            try:
                code = _read_files(parsed, found, recorder, counts, console, reader, is_trial=parsed.dry_run)
            except BaseException:  # also an interrupt: nothing is sent now, but the next push sends what was recorded
                recorded = counts.by_status["new"] + counts.by_status["renewed"]
                if recorded and not parsed.dry_run:
                    console.recorded(recorded)
                raise
            clients = {account_name_of(client): client for client in accounts.clients}
        if parked.store is None:  # no file was a payload
            parked.retry(open_store())
        noted |= parked.accounts
        counts.add(parked.counts)
        if not (parsed.dry_run or parsed.no_deliver):
            clients |= parked.clients(accounts)
        if not parsed.files or (files.folders and not parsed.no_deliver):  # what was moved to done is not read again
            pending = _pending_accounts(parsed, journal, accounts)
            if parsed.dry_run:
                noted.update(pending)
            else:
                others, left_out = _clients_of(pending, journal, accounts, console)
                clients |= others
        code = most_severe(code, parked.report())
        if parsed.dry_run:
            console.plan(counts, plan_delivery(journal, noted, parsed.events_per_call))
        elif parsed.no_deliver:
            console.noted(counts, has_workers=bool(noted) and noted <= journal.served_accounts())
        else:
            return most_severe(code, _deliver(parsed, journal, clients, accounts, console, counts, left_out))
        return most_severe(code, _input_code(counts))


class _PacedOrders:
    """Reads the orders that payloads echo, each account at the pace that the journal knows of it.

    Args:
        parsed: The command's options.
        accounts: The accounts of the run.
        journal: The journal.
    """

    def __init__(self, parsed: argparse.Namespace, accounts: Accounts, journal: Journal) -> None:
        self._rate: float = parsed.rate
        self._accounts = accounts
        self._journal = journal
        self._report = ProgressLines(0, as_json=parsed.json).pause
        self._calls: dict[str, PacedCalls] = {}

    def read(self, account: str, order_id: str) -> tuple[Package, ...]:
        """Read the packages of an order.

        Raises:
            VtexTrackingError: They cannot be read.
        """
        client = self._accounts.client(account)
        name = account_name_of(client)
        if name not in self._calls:
            pace = Pace(rate=self._rate)
            if (record := self._journal.account(name)) is not None:
                pace.resume(record.pace, record.quiet_seconds)
            self._calls[name] = PacedCalls(client, pace, name, self._report)
        return self._calls[name].call(lambda paced: paced.get_packages(order_id))


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


def _read_files(
    parsed: argparse.Namespace,
    files: Sequence[str | InboxFile],
    make_recorder: Callable[[], RowRecorder],
    totals: RowCounts,
    console: Console,
    reader: FileReader,
    *,
    is_trial: bool,
    show: Callable[[str | InboxFile, Recognition, Sequence[Row]], None] | None = None,
) -> ExitCode:
    """Read every file to its end before anything is sent; an unusable file that was named stops the whole push.

    Args:
        parsed: The options.
        files: The files.
        make_recorder: Returns what records the rows of a file.
        totals: The counts of all files, to which those of each file are added.
        console: Prints the problems.
        reader: Reads them.
        is_trial: Whether no rejects file is written, and no file is moved.
        show: Called after each file, with what was recognised and its first rows.

    Returns:
        The exit status of what happened to files of folders.
    """
    write_rejects = not (is_trial or parsed.no_rejects)

    def read(file: str | InboxFile) -> RowCounts:
        recorder = make_recorder()
        try:
            recognition, first, now = Recognition(), list[Row](), dt.datetime.now(EARLIEST_ZONE)
            rows = reader.read(file if isinstance(file, str) else file.path, now, recognition)
            if show is not None:
                rows = _keep_first(rows, parsed.show or 0, first)
            _record(parsed, file, rows, recorder, console, write_rejects=write_rejects)
            if show is not None:
                show(file, recognition, first)
        except InputFileError:
            raise
        except BaseException:  # an interrupt, when some rows were recorded
            totals.add(recorder.counts)
            raise
        totals.add(recorder.counts)
        return recorder.counts

    code = ExitCode.OK
    for file in files:
        if isinstance(file, str):
            read(file)
        else:
            code = most_severe(code, read_inbox_file(file, partial(read, file), console, moves=not is_trial))
    console.omitted_lines()
    return code


def _keep_first(
    rows: Iterable[Row | RowProblem | RowNote], number: int, kept: list[Row]
) -> Iterator[Row | RowProblem | RowNote]:
    """Yield rows unchanged, and add the first that can be sent to a list."""
    for row in rows:
        if isinstance(row, Row) and len(kept) < number:
            kept.append(row)
        yield row


def _record(
    parsed: argparse.Namespace,
    file: str | InboxFile,
    rows: Iterable[Row | RowProblem | RowNote],
    recorder: RowRecorder,
    console: Console,
    *,
    write_rejects: bool,
) -> None:
    """Record the rows of a file.

    Args:
        parsed: The options.
        file: The file.
        rows: Its rows.
        recorder: Records the rows.
        console: Prints the problems.
        write_rejects: Whether to write the invalid rows to a rejects file.
    """
    if not write_rejects:
        recorder.record(rows)
        return
    path = Path(parsed.rejects) if parsed.rejects else None
    with RejectsFile(path, None if isinstance(file, str) else file.rejects_folder) as rejects:
        recorder.on_problem = partial(_print_and_reject, console, rejects)
        recorder.record(rows)
        path = rejects.close()
    if path is not None:
        console.rejects(path, rejects.rows)


def _print_and_reject(console: Console, rejects: RejectsFile, problem: RowProblem) -> None:
    console.problem(problem)
    if problem.raw is not None:  # a carrier's payload is pushed again as a whole, and nothing is sent twice
        rejects.add(problem)


def _pending_accounts(parsed: argparse.Namespace, journal: Journal, accounts: Accounts) -> dict[str, int]:
    """Return the accounts with pending entries, or only the one that is named, and how many entries each has."""
    pending = {name: sum(counts[state] for state in OPEN_STATES) for name, counts in journal.counts().items()}
    return {
        name: number
        for name, number in pending.items()
        if number and (parsed.account is None or name.partition("@")[0] == accounts.own)
    }


def _clients_of(
    pending: Mapping[str, int], journal: Journal, accounts: Accounts, console: Console
) -> tuple[dict[str, TrackingClient], LeftOut]:
    """Return the clients of accounts with pending entries, and what has no client."""
    clients: dict[str, TrackingClient] = {}
    left_out = LeftOut()
    for name, number in pending.items():
        if name.partition("@")[0] == accounts.own:
            accounts.client()  # without the run's own credentials, nothing is sent
        try:
            clients[name] = accounts.client_for(name)
        except ConfigurationError as error:
            left_out.entries += number
            left_out.packages += plan_delivery(journal, [name]).packages
            console.left_out(name, number, str(error))
    return clients, left_out


def _deliver(
    parsed: argparse.Namespace,
    journal: Journal,
    clients: Mapping[str, TrackingClient],
    accounts: Accounts,
    console: Console,
    counts: RowCounts,
    left_out: LeftOut,
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
    console.outcomes(journal, delivery)
    for name, reason in delivery.stop_reasons.items():
        console.stopped(name, reason)
    console.summary(counts, delivery, left_out)
    return ExitCode.INTERRUPTED if delivery.is_interrupted else _exit_code(counts, delivery, left_out)


def _exit_code(counts: RowCounts, delivery: PushDelivery, left_out: LeftOut) -> ExitCode:
    """Return the most severe status."""
    stopped = {exit_code_of(error) for error in delivery.delivery.stop_errors.values()}
    if ExitCode.CONFIGURATION in stopped:
        return ExitCode.CONFIGURATION
    if delivery.remaining["unknown"] or delivery.remaining["in_flight"]:
        return ExitCode.UNKNOWN
    if delivery.remaining["pending"] or left_out.entries or delivery.stop_reasons:
        return ExitCode.INCOMPLETE
    return most_severe(_input_code(counts), ExitCode.REFUSED if delivery.outcomes["refused"] else ExitCode.OK)


def _input_code(counts: RowCounts) -> ExitCode:
    """Return the exit status for the rows that were read."""
    if counts.unmatched or counts.parked:
        return ExitCode.INCOMPLETE
    return ExitCode.USAGE if counts.invalid else ExitCode.OK
