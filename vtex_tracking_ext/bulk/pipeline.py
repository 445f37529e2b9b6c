"""Push rows: record them in a journal, and deliver its pending entries to VTEX.

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
from collections.abc import Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING

from attrs import frozen

from vtex_tracking_ext.client_async import AsyncTrackingClient
from vtex_tracking_ext.config.defaults import DEFAULT_RATE
from vtex_tracking_ext.errors import ConfigurationError

from .delivery.accounts import MultiAccountDelivery, count_states
from .input.python_rows import check_rows
from .journal.account_name import account_name_at
from .journal.opening import open_journal
from .recorder import RowRecorder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.errors import VtexTrackingError

    from .delivery.deliver import AccountPause, DeliveryOptions, DeliveryResult
    from .input.python_rows import RowInput
    from .input.rows import RowProblem
    from .journal.interface import Journal
    from .recorder import AccountLookup


@frozen
class Result:
    """What a push did, and what remains. Entries are events and deliveries: a row can contain one of each.

    Attributes:
        rows: Rows that were passed.
        new: Rows with a new entry.
        renewed: Rows that retry a refused entry, or date a pending delivery.
        known: Rows without anything new; they send nothing.
        problems: Why rows cannot be sent.
        applied: Entries that VTEX accepted in this push, or that were found on their orders.
        refused: Entries that VTEX refused in this push.
        unknown: Entries of these accounts whose outcome is unknown; they hold their packages.
        pending: Entries of these accounts that are still to be sent; push again, without rows if there are no more.
        calls: Updates that were sent.
        reads: Orders that were read, to resolve unknown outcomes.
        ended: The accounts that were stopped early, with the error that stopped each.
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
    rows: Iterable[RowInput],
    client: TrackingClient | Iterable[TrackingClient],
    journal: Journal | str | os.PathLike[str],
    *,
    options: DeliveryOptions | None = None,
    rate: float = DEFAULT_RATE,
    report: Callable[[DeliveryResult | AccountPause], object] | None = None,
    now: dt.datetime | None = None,
) -> Result:
    """Push rows of carrier events: record the new ones, deliver them, and return the counts.

    All pending entries of these accounts in the journal are delivered, those of earlier pushes too. Entries that it
    already contains are not sent again.

    Args:
        rows: Mappings with the columns of a file, :class:`~vtex_tracking_ext.TrackingUpdate` objects, or rows of
            :func:`~vtex_tracking_ext.bulk.input.reader.read_rows`. Without rows an earlier push is resumed.
        client: The client of the account, or several: the first is for rows that name no account.
        journal: A journal, or where it is: a file, which one run at a time can use, or the URL of a PostgreSQL
            database (``postgresql://...``), which many can. It is created if it does not exist.
        options: How to deliver.
        rate: Most calls a second to one account.
        report: Called with each outcome and each pause, by one thread at a time.
        now: The current time, aware, to decide whether a delivered date is in the future; by default the machine's.

    Returns:
        What it did and what remains. A row that cannot be sent is among its problems; it raises nothing.

    Raises:
        JournalError: The journal cannot be used; if nothing was sent yet, nothing was lost.
        ConfigurationError: There is no client.
        ValueError: ``rate`` is not greater than 0.
        KeyboardInterrupt: See :meth:`.MultiAccountDelivery.run`.
    """
    clients = tuple(client) if isinstance(client, Iterable) else (client,)
    by_name = _clients_by_name(clients)
    problems: list[RowProblem] = []
    with open_journal(journal) if isinstance(journal, str | os.PathLike) else nullcontext(journal) as opened:
        recorder = RowRecorder(opened, _account_lookup(by_name), problems.append, lambda _place, _note: None)
        # Created before rows are recorded, because it checks its arguments.
        delivery = MultiAccountDelivery(by_name, opened, report, options, rate)
        recorder.record(check_rows(rows, now or dt.datetime.now().astimezone()))
        delivery.run()
        remaining = count_states(opened, delivery.accounts)
        counts = recorder.counts
        return Result(
            rows=counts.rows,
            new=counts.by_status["new"],
            renewed=counts.by_status["renewed"],
            known=counts.by_status["known"],
            problems=tuple(problems),
            applied=delivery.outcomes["applied"],
            refused=delivery.outcomes["refused"],
            unknown=remaining["unknown"] + remaining["in_flight"],
            pending=remaining["pending"],
            calls=delivery.calls,
            reads=delivery.reads,
            ended=delivery.stop_errors,
        )


def _clients_by_name(clients: tuple[TrackingClient, ...]) -> dict[str, TrackingClient]:
    """Return the clients by their accounts' names in the journal; the first client of an account counts."""
    if not clients:
        raise ConfigurationError("client is empty: pass a TrackingClient, or several.")
    if any(isinstance(each, AsyncTrackingClient) for each in clients):
        raise ConfigurationError("client is an AsyncTrackingClient: pass a TrackingClient, and call push in a thread.")
    by_name: dict[str, TrackingClient] = {}
    for each in clients:
        by_name.setdefault(account_name_at(each.account, each.base_url), each)
    return by_name


def _account_lookup(by_name: Mapping[str, TrackingClient]) -> AccountLookup:
    names: dict[str, str] = {}
    for name, client in by_name.items():
        names.setdefault(client.account.lower(), name)
    default = next(iter(names))

    def look_up(account: str) -> str:
        name = names.get(account.lower() or default)
        if name is None:
            raise ConfigurationError(f"no client for this account; accounts with a client: {', '.join(sorted(names))}")
        return name

    return look_up
