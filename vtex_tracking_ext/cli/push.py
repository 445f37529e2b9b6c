"""The commands check and push: files of carrier events into a journal, and from there to VTEX."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.delivery.deliver import AccountPause, DeliveryOptions, DeliveryResult
from vtex_tracking_ext.bulk.input.rejects import RejectsFile
from vtex_tracking_ext.bulk.input.rows import InputFileError, read_rows
from vtex_tracking_ext.bulk.journal.account_name import account_name_of
from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES, Selection
from vtex_tracking_ext.bulk.journal.opening import open_journal, open_temporary_copy
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal
from vtex_tracking_ext.bulk.pipeline import Intake, Run, Taking, outlook, waiting_in
from vtex_tracking_ext.config.credentials import server_url
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted

from .accounts import Accounts
from .connection import settings_from
from .enqueue import fleet_journal, ring_for
from .exit_codes import Status, status_of
from .interrupts import interrupts, terminations
from .messages import Teller
from .progress import progress
from .status import journal_option, journal_path, journal_to_write

if TYPE_CHECKING:
    import argparse
    from collections import Counter
    from collections.abc import Callable, Mapping, Sequence

    from vtex_tracking_ext.bulk.input.records import RowProblem
    from vtex_tracking_ext.bulk.journal.entries import State
    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.client import TrackingClient

#: How rows are called that name no account, where a plan needs none.
_NO_ACCOUNT = "(the account of the run)"


def check(parsed: argparse.Namespace) -> Status:
    """Read and plan files; sends nothing, keeps nothing, needs no credentials."""
    teller = Teller(as_json=parsed.json)
    own = settings_from(parsed, os.environ).account or _NO_ACCOUNT
    with SqliteJournal.temporary() as journal:
        taking = Taking(journal, lambda account: _named(account) or own, teller.problem, teller.note)
        intake = _take_in(parsed, taking, teller, keep=False)
        teller.plan(intake, outlook(journal, journal.counts(), parsed.events_per_call))
    return Status.USAGE if intake.wrong else Status.OK


def _named(account: str) -> str:
    """Return the account that a row names, in lower case, or nothing.

    Raises:
        ConfigurationError: No account can have that name.
    """
    if account:
        server_url(account)
    return account.lower()


def push(parsed: argparse.Namespace) -> Status:
    """Read files into the journal, and deliver what waits there for their accounts; without files, for all of them."""
    teller = Teller(as_json=parsed.json, journal_option=journal_option(parsed))
    with terminations(), Accounts(parsed) as accounts, _opened(parsed) as journal:
        if parsed.files:
            keep = not (parsed.dry_run or parsed.no_rejects)
            taking = Taking(journal, lambda name: account_name_of(accounts.client(name)), teller.problem, teller.note)
            try:
                intake = _take_in(parsed, taking, teller, keep=keep)
            except BaseException:  # an interrupt too: nothing is sent now, but what was noted will be
                noted = taking.intake.meanings["new"] + taking.intake.meanings["renewed"]
                if noted and not parsed.dry_run:
                    teller.noted(noted)
                raise
            clients, left_out = {account_name_of(client): client for client in accounts.made}, 0
        else:
            intake = Intake()
            clients, left_out = _resumable(parsed, journal, accounts, teller)
        if parsed.dry_run:
            teller.plan(intake, outlook(journal, clients, parsed.events_per_call))
            return Status.USAGE if intake.wrong else Status.OK
        if parsed.enqueue:
            teller.enqueued(intake, ring_for(journal, clients))
            return Status.USAGE if intake.wrong else Status.OK
        return _deliver(parsed, journal, clients, teller, intake, left_out)


def _opened(parsed: argparse.Namespace) -> Journal:
    if parsed.enqueue and not parsed.dry_run:
        return fleet_journal(parsed, os.environ)
    if parsed.dry_run:
        return open_temporary_copy(journal_path(parsed, os.environ))
    return open_journal(journal_to_write(parsed, os.environ))


def _take_in(parsed: argparse.Namespace, taking: Taking, teller: Teller, *, keep: bool) -> Intake:
    """Read every file to its end before anything is sent, so that one that cannot be used stops the rest too.

    Args:
        parsed: The options.
        taking: Notes rows.
        teller: Tells of problems.
        keep: Whether the bad rows of each file are written to one of their own.
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
        if not keep:
            taking.take(rows)
            continue
        with RejectsFile(None if parsed.rejects is None else Path(parsed.rejects)) as rejects:
            taking.on_problem = _both(teller.problem, rejects.add)
            taking.take(rows)
            kept = rejects.close()
        if kept is not None:
            teller.rejects(kept, rejects.rows)
    teller.end_of_problems()
    return taking.intake


def _mapping(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    mapping = dict(pairs)
    twice = next((column for column, field in pairs if mapping[column] != field), None)
    if twice is not None:
        raise InputFileError(f"--map: {quoted(twice, 60)} is mapped twice; map it once.")
    return mapping


def _both(first: Callable[[RowProblem], None], second: Callable[[RowProblem], None]) -> Callable[[RowProblem], None]:
    def act(problem: RowProblem) -> None:
        first(problem)
        second(problem)

    return act


def _resumable(
    parsed: argparse.Namespace, journal: Journal, accounts: Accounts, teller: Teller
) -> tuple[dict[str, TrackingClient], int]:
    """Return the clients of all accounts for which something waits, and for how many entries there is none."""
    clients: dict[str, TrackingClient] = {}
    left_out = 0
    for label, counts in journal.counts().items():
        waiting = sum(counts[state] for state in OPEN_STATES)
        account = label.partition("@")[0]
        if not waiting or (parsed.account is not None and account != accounts.own):
            continue
        try:
            client = accounts.client(account)
        except ConfigurationError as error:
            if account == accounts.own:
                raise
            why = str(error)
        else:
            if account_name_of(client) == label:
                clients[label] = client
                continue
            why = f"they were meant for another address than {client.base_url}"
        left_out += waiting
        teller.left_out(label, waiting, why)
    return clients, left_out


def _deliver(
    parsed: argparse.Namespace,
    journal: Journal,
    clients: Mapping[str, TrackingClient],
    teller: Teller,
    intake: Intake,
    left_out: int,
) -> Status:
    """Deliver what waits for the accounts, and tell what became of it."""
    results = Results()

    def report(news: DeliveryResult | AccountPause) -> None:
        if isinstance(news, DeliveryResult):
            results.add(news)
            shown.show(run.outcomes)
        else:
            shown.wait(news)

    options = DeliveryOptions(parsed.concurrency, parsed.events_per_call, parsed.send_on)
    run = Run(clients, journal, report, options, parsed.rate)
    before = waiting_in(journal, clients)
    with (
        progress(sum(before[state] for state in OPEN_STATES), as_json=parsed.json) as shown,
        interrupts(run.stop) as stopped,
    ):
        run.deliver()
    left = waiting_in(journal, clients)
    for outcome, ids in (("refused", results.refused), ("applied, but", results.odd)):
        teller.outcomes(journal.entries(Selection(ids=ids)), outcome)
    for label in clients:
        teller.outcomes(journal.entries(Selection(("unknown", "in_flight"), label)), "unknown")
    for label, delivery in run.deliveries.items():
        if delivery.pace.stop_reason:
            teller.ended(label, delivery.pace.stop_reason)
    teller.summary(intake, run, left, left_out)
    return Status.INTERRUPTED if stopped.happened else _status(intake, run, left, left_out)


class Results:
    """Keeps the numbers of the entries that are told of at the end."""

    def __init__(self) -> None:
        self.refused: list[int] = []
        self.odd: list[int] = []

    def add(self, news: DeliveryResult) -> None:
        """Take in what became of entries."""
        ids = [entry.id for entry in news.entries]
        if news.outcome == "refused":
            self.refused += ids
        elif news.outcome == "applied" and news.is_call and news.reason:
            self.odd += ids


def _status(intake: Intake, run: Run, left: Counter[State], left_out: int) -> Status:
    """Return the gravest of what happened."""
    ends = {status_of(error) for error in run.ended.values()}
    if Status.CONFIGURATION in ends:
        return Status.CONFIGURATION
    if left["unknown"] or left["in_flight"]:
        return Status.UNKNOWN
    if left["pending"] or left_out or ends:
        return Status.INCOMPLETE
    if intake.wrong:
        return Status.USAGE
    return Status.REFUSED if run.outcomes["refused"] else Status.OK
