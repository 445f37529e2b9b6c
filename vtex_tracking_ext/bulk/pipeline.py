"""A whole push: rows into a journal, and what waits there to VTEX.

::

    from vtex_tracking_ext import TrackingClient
    from vtex_tracking_ext.bulk import push

    with TrackingClient.from_env() as client:
        result = push([{"order_id": "1172452900788-01", "invoice_number": "000030711", "date": "2015-06-23",
                        "description": "Coletado"}], client, "journal.db")
    result.applied, result.refused, result.unknown, result.pending, result.problems

From asyncio, call it in a thread (``asyncio.to_thread``).
"""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeAlias

from attrs import Factory, define, frozen

from vtex_tracking_ext.client_async import AsyncTrackingClient
from vtex_tracking_ext.errors import ConfigurationError

from .delivery.batches import EVENTS_PER_CALL, count_calls
from .delivery.deliver import AccountDelivery, DeliveryOptions, DeliveryResult
from .delivery.pace import DEFAULT_RATE, Pace
from .delivery.threads import run_in_threads
from .input.python_rows import rows_of
from .input.records import RowProblem
from .journal.account_name import account_name_of
from .journal.opening import open_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.errors import VtexTrackingError

    from .delivery.deliver import AccountPause
    from .input.python_rows import Given
    from .input.records import Place, Row
    from .journal.entries import AddStatus, Backlog, Outcome, State
    from .journal.interface import Journal, JournalReader

#: Gives the journal's name of an account that a row names, and for an empty text that of rows which name none; raises
#: ConfigurationError where it cannot be called.
LabelOf: TypeAlias = "Callable[[str], str]"


@define
class Intake:
    """What the rows of a push amounted to.

    Attributes:
        rows: Rows that were given.
        wrong: Rows that cannot be sent.
        meanings: How many of the others were new, renewed or known to the journal; see
            :class:`~vtex_tracking_ext.bulk.journal.entries.Added`.
    """

    rows: int = 0
    wrong: int = 0
    meanings: Counter[AddStatus] = Factory(Counter)


class Taking:
    """Takes rows into a journal. It sends nothing.

    Args:
        journal: Where they are noted.
        label_of_account: Gives an account's name in the journal; see :data:`LabelOf`.
        on_problem: Called with what keeps a row from being sent; a row's problems come one after the other.
        on_note: Called with the place of a row that was taken, and what is to be said of it.
    """

    def __init__(
        self,
        journal: Journal,
        label_of_account: LabelOf,
        on_problem: Callable[[RowProblem], object],
        on_note: Callable[[Place, str], object],
    ) -> None:
        self._journal = journal
        self._label_of = label_of_account
        self.on_problem = on_problem
        self._on_note = on_note
        self._known: dict[str, tuple[str, str]] = {}
        self._last: tuple[Place, object] | None = None
        self.intake = Intake()

    def take(self, rows: Iterable[Row | RowProblem]) -> None:
        """Take rows in, as they are iterated over.

        Raises:
            JournalError: The journal cannot be used.
            ConfigurationError: A row names no account, and there is none for such rows.
        """
        for added in self._journal.add(self._sendable(rows), ""):
            if added.status == "contradicts":
                row = added.row
                self._wrong(RowProblem(row.place, "delivered_date", added.note, row.raw))
                continue
            self.intake.meanings[added.status] += 1
            if added.note:
                self._on_note(added.row.place, added.note)

    def _sendable(self, rows: Iterable[Row | RowProblem]) -> Iterator[Row]:
        for row in rows:
            if isinstance(row, RowProblem):
                if self._last != (row.place, row.raw):
                    self.intake.rows += 1
                self._wrong(row)
                continue
            self.intake.rows += 1
            label, problem = self._known.get(row.account) or self._look_up(row.account)
            if problem:
                self._wrong(RowProblem(row.place, "account", problem, row.raw))
            else:
                yield row if row.account == label else row.of(label)

    def _wrong(self, problem: RowProblem) -> None:
        row = (problem.place, problem.raw)
        if self._last != row:
            self.intake.wrong += 1
        self._last = row
        self.on_problem(problem)

    def _look_up(self, account: str) -> tuple[str, str]:
        """Return an account's name in the journal, or why its rows cannot be sent."""
        try:
            found = self._label_of(account), ""
        except ConfigurationError as error:
            if not account:
                raise
            found = "", str(error)
        self._known[account] = found
        return found


class Run:
    """Delivers what waits in a journal, the accounts side by side, each at its own pace.

    Args:
        clients: Account's name in the journal -> its client.
        journal: What waits.
        report: Called with what happens, by one thread at a time.
        options: How to deliver.
        rate: Calls a second to one account at most.

    Attributes:
        outcomes: How many entries were applied, refused, or are unknown, as far as this run knows.
        deliveries: Account's name in the journal -> its delivery.
    """

    def __init__(
        self,
        clients: Mapping[str, TrackingClient],
        journal: Journal,
        report: Callable[[DeliveryResult | AccountPause], object],
        options: DeliveryOptions | None = None,
        rate: float = DEFAULT_RATE,
    ) -> None:
        self._report = report
        self._reporting = threading.Lock()
        self._unknown: set[int] = set()
        self.outcomes: Counter[Outcome] = Counter()
        self.deliveries: dict[str, AccountDelivery] = {
            label: AccountDelivery(client.paced(), journal, label, Pace(rate=rate), self._take_note, options)
            for label, client in clients.items()
        }

    @property
    def calls(self) -> int:
        """Updates that were sent."""
        return sum(delivery.calls for delivery in self.deliveries.values())

    @property
    def reads(self) -> int:
        """Orders that were read."""
        return sum(delivery.reads for delivery in self.deliveries.values())

    @property
    def ended(self) -> dict[str, VtexTrackingError]:
        """The accounts that were ended early, with the error that did it."""
        found = {label: delivery.pace.stop_error for label, delivery in self.deliveries.items()}
        return {label: error for label, error in found.items() if error is not None}

    def deliver(self) -> None:
        """Deliver; returns when nothing more can be done now.

        Raises:
            JournalError: The journal cannot be used any more; every account was stopped.
            KeyboardInterrupt: The user interrupted; what was on its way has been finished and noted first, unless the
                user interrupted again.
        """
        run_in_threads({f"account-{label}": delivery.run for label, delivery in self.deliveries.items()}, self.stop)

    def stop(self) -> None:
        """Begin no other call; those on their way are finished."""
        for delivery in self.deliveries.values():
            delivery.stop()

    def _take_note(self, news: DeliveryResult | AccountPause) -> None:
        with self._reporting:
            if isinstance(news, DeliveryResult):
                self._count(news)
            self._report(news)

    def _count(self, news: DeliveryResult) -> None:
        """Count an outcome; one that was unknown may become known, so the unknown ones are kept by number."""
        ids = {entry.id for entry in news.entries}
        if news.outcome == "unknown":
            self._unknown |= ids
        else:
            self._unknown -= ids
            self.outcomes[news.outcome] += len(ids)
        self.outcomes["unknown"] = len(self._unknown)


@frozen
class Outlook:
    """What a run would do, as far as it can be known before.

    Attributes:
        packages: Packages with something left to do.
        events: Events to send.
        deliveries: Deliveries to send.
        calls: Updates that carry them.
        in_doubt: Events and deliveries that may have been applied, to be settled by reading first.
    """

    packages: int
    events: int
    deliveries: int
    calls: int
    in_doubt: int


def outlook(journal: JournalReader, labels: Iterable[str], events_per_call: int = EVENTS_PER_CALL) -> Outlook:
    """Look at what waits for some accounts in a journal; what is in doubt is taken to be settled."""
    loads: Counter[Backlog] = Counter()
    for label in set(labels):
        loads.update(journal.count_backlogs(label))
    return Outlook(
        packages=loads.total(),
        events=sum(load.events * packages for load, packages in loads.items()),
        deliveries=sum(load.deliveries * packages for load, packages in loads.items()),
        calls=sum(count_calls(load, events_per_call) * packages for load, packages in loads.items()),
        in_doubt=sum(load.in_doubt * packages for load, packages in loads.items()),
    )


def waiting_in(journal: JournalReader, labels: Iterable[str]) -> Counter[State]:
    """Return how many entries of some accounts are in which state."""
    counts = journal.counts()
    return sum((counts[label] for label in set(labels) if label in counts), Counter())


@frozen
class Result:
    """What a push did, and what it left. Entries are events and deliveries: a row can hold one of each.

    Attributes:
        rows: Rows that were given.
        new: Rows that brought something new.
        renewed: Rows that woke a refused entry, or dated a delivery that was waiting.
        known: Rows that say nothing new, and send nothing.
        problems: What keeps rows from being sent.
        applied: Entries that VTEX took in this push, or that were found on their orders.
        refused: Entries that VTEX refused in this push.
        unknown: Entries of these accounts of which nobody knows; they hold their packages.
        pending: Entries of these accounts that are still to be sent; push again, with no rows if there are no more.
        calls: Updates that were sent.
        reads: Orders that were read, to settle what was unknown.
        ended: The accounts that were given up early, with the error that did it.
    """

    rows: int
    new: int
    renewed: int
    known: int
    problems: tuple[RowProblem, ...]
    applied: int
    refused: int
    unknown: int
    pending: int
    calls: int
    reads: int
    ended: Mapping[str, VtexTrackingError]


def push(
    rows: Iterable[Given],
    client: TrackingClient | Iterable[TrackingClient],
    journal: Journal | str | os.PathLike[str],
    *,
    options: DeliveryOptions | None = None,
    rate: float = DEFAULT_RATE,
    report: Callable[[DeliveryResult | AccountPause], object] = lambda _: None,
    now: dt.datetime | None = None,
) -> Result:
    """Push rows of carrier events: note what is new, send it, and say what became of it.

    Everything that waits for these accounts in the journal is delivered, from earlier pushes too. What is known there
    is not sent again.

    Args:
        rows: Mappings with the columns of a file, :class:`~vtex_tracking_ext.TrackingUpdate` objects, or what
            :func:`~vtex_tracking_ext.bulk.input.rows.read_rows` yields. None at all resumes an earlier push.
        client: The client of the account, or several: the first is for rows that name no account.
        journal: A journal, or where it is: a file, which one run at a time can use, or the URL of a PostgreSQL
            database (``postgresql://...``), which many can. It is made where there is none.
        options: How to deliver.
        rate: Calls a second to one account at most.
        report: Called with what happens, by one thread at a time.
        now: The current time, aware, to tell whether a delivered date lies in the future; unless given, the machine's.

    Returns:
        What it did and left, a :class:`Result`. A row with a mistake is among its problems; it raises nothing.

    Raises:
        JournalError: The journal cannot be used; where nothing was sent yet, nothing was lost.
        ConfigurationError: There is no client.
        ValueError: ``rate`` is not above 0.
        KeyboardInterrupt: See :meth:`Run.deliver`.
    """
    clients = tuple(client) if isinstance(client, Iterable) else (client,)
    problems: list[RowProblem] = []
    with ExitStack() as stack:
        if isinstance(journal, str | os.PathLike):
            journal = stack.enter_context(open_journal(journal))
        taking = Taking(journal, _labels_of(clients), problems.append, lambda _place, _note: None)
        run = Run(
            {account_name_of(one): one for one in clients}, journal, report, options, rate
        )  # refuses before rows wait
        taking.take(rows_of(rows, now or dt.datetime.now().astimezone()))
        run.deliver()
        left = waiting_in(journal, run.deliveries)
    intake = taking.intake
    return Result(
        rows=intake.rows,
        new=intake.meanings["new"],
        renewed=intake.meanings["renewed"],
        known=intake.meanings["known"],
        problems=tuple(problems),
        applied=run.outcomes["applied"],
        refused=run.outcomes["refused"],
        unknown=left["unknown"] + left["in_flight"],
        pending=left["pending"],
        calls=run.calls,
        reads=run.reads,
        ended=run.ended,
    )


def _labels_of(clients: tuple[TrackingClient, ...]) -> LabelOf:
    if not clients:
        raise ConfigurationError("client is empty: give a TrackingClient, or several.")
    if any(isinstance(one, AsyncTrackingClient) for one in clients):
        raise ConfigurationError("client is an AsyncTrackingClient: give a TrackingClient, and call push in a thread.")
    by_account = {one.account.lower(): account_name_of(one) for one in reversed(clients)}

    def label_of_account(account: str) -> str:
        found = by_account.get(account.lower() or clients[0].account.lower())
        if found is None:
            raise ConfigurationError(f"there is no client for it; there are: {', '.join(sorted(by_account))}")
        return found

    return label_of_account
