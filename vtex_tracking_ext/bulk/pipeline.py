"""Note rows in a journal, deliver its pending entries to VTEX, or both.

::

    from vtex_tracking_ext import TrackingClient
    from vtex_tracking_ext.bulk import push

    with TrackingClient.from_env() as client:
        result = push([{"order_id": "1172452900788-01", "invoice_number": "000030711", "date": "2015-06-23",
                        "description": "Coletado"}], client, "journal.db")
    result.applied, result.refused, result.unknown, result.pending, result.problems

Any number of threads, processes and machines can note rows at any time. One process at a time delivers an account.
From asyncio, call these functions in a thread (``asyncio.to_thread``).
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Unpack

from attrs import Factory, evolve, frozen

from vtex_tracking_ext.call.validation import EARLIEST_ZONE
from vtex_tracking_ext.client_async import AsyncTrackingClient
from vtex_tracking_ext.config.credentials import Settings, server_url, settings_from_env
from vtex_tracking_ext.config.defaults import DEFAULT_RATE
from vtex_tracking_ext.config.secret import Secret
from vtex_tracking_ext.errors import ConfigurationError

from .delivery.accounts import MultiAccountDelivery, count_held, count_states
from .input.layout import Layout, ReadingOptions
from .input.python_rows import check_rows
from .input.rows import RowNote
from .journal.account_name import account_name_at, account_name_of
from .journal.opening import hidden, open_journal
from .recorder import RowRecorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.errors import VtexTrackingError

    from .delivery.calls import AccountPause, DeliveryResult
    from .delivery.options import DeliveryOptions
    from .input.python_rows import RowInput
    from .input.rows import Row, RowProblem
    from .journal.interface import Journal
    from .journal.opening import Location
    from .recorder import AccountLookup


@frozen
class Result:
    """What was noted and delivered, and what remains. Entries are events and deliveries: a row can contain one of each.

    Attributes:
        rows: Rows that were passed.
        new: Rows with a new entry.
        renewed: Rows that retry a refused entry, date a pending delivery or let it be sent earlier, or report anew a
            delivery that the carrier had taken back.
        known: Rows without anything new; they send nothing.
        problems: Why rows cannot be sent.
        notes: What a person should know about how rows were read; they can be sent.
        applied: Entries that VTEX accepted in this call, or that were found on their orders.
        refused: Entries that VTEX refused in this call.
        unknown: Entries of these accounts whose outcome is unknown; they hold their packages.
        pending: Entries of these accounts that are still to be sent.
        held: Deliveries among the pending entries that are not sent yet, because the carrier can still take them back;
            a later call sends them.
        calls: Updates that were sent.
        reads: Orders that were read, to resolve unknown outcomes, and to say why an invoice was not found.
        ended: The accounts that were stopped early, with the error that stopped each.
        others: The accounts that others deliver, and which process does; their entries are counted as they are now.
    """

    rows: int = 0
    new: int = 0
    renewed: int = 0
    known: int = 0
    problems: tuple[RowProblem, ...] = ()
    notes: tuple[RowNote, ...] = ()
    applied: int = 0
    refused: int = 0
    unknown: int = 0
    pending: int = 0
    held: int = 0
    calls: int = 0
    reads: int = 0
    ended: Mapping[str, VtexTrackingError] = Factory(dict)
    others: Mapping[str, str] = Factory(dict)


def note(
    rows: Iterable[RowInput],
    journal: Journal | Location,
    *,
    account: TrackingClient | AsyncTrackingClient | str = "",
    now: dt.datetime | None = None,
    layout: Layout | None = None,
    **reading: Unpack[ReadingOptions],
) -> Result:
    """Note rows of carrier events in a journal. Nothing is sent; :func:`deliver`, or a worker, sends them.

    It can be called at any time, by any number of threads and processes, also while others deliver. The rows are on
    disk when it returns. If reading the rows raises an error, none of them is noted.

    Args:
        rows: Mappings with the columns of a file, such as those of ``csv.DictReader``; a data frame of pandas or
            Polars; :class:`~vtex_tracking_ext.TrackingUpdate` objects; or rows of
            :func:`~vtex_tracking_ext.bulk.input.reader.read_rows`.
        journal: A journal, or where it is: a file, or the URL of a PostgreSQL database (``postgresql://...``). It is
            created if it does not exist.
        account: The account of rows that name none: its client, or its name; by default VTEX_ACCOUNT. Give the client
            if it calls another address than VTEX's, such as a sandbox's.
        now: The current time, with the time zone of the rows' dates, to decide whether a date is in the future; by
            default, a date is in the future if it is in every time zone.
        layout: How mappings are to be read, where that is not recognised.
        **reading: Attributes of a :class:`~.layout.Layout` that replace those of ``layout``.

    Returns:
        What was noted. A row that cannot be sent is among its problems; it raises nothing.

    Raises:
        JournalError: The journal cannot be used.
        ConfigurationError: A row names no account, and there is no default; or a reading option cannot be used.
        TypeError: ``rows`` is a path or a single row.
    """
    where = hidden(journal)
    del journal  # the URL may contain a password
    checked = _checked(rows, now, layout, reading)
    with _opened(where) as opened:
        return _record(checked, opened, _account_names(account))


def deliver(
    clients: TrackingClient | Iterable[TrackingClient],
    journal: Journal | Location,
    *,
    options: DeliveryOptions | None = None,
    rate: float = DEFAULT_RATE,
    report: Callable[[DeliveryResult | AccountPause], object] | None = None,
) -> Result:
    """Deliver all pending entries of some accounts in a journal, and return the counts.

    An account that another process delivers is left to it; see :attr:`Result.others`.

    Args:
        clients: The client of the account, or several.
        journal: A journal, or where it is; see :func:`note`.
        options: How to deliver.
        rate: Most calls a second to one account.
        report: Called with each outcome and each pause, by one thread at a time.

    Raises:
        JournalError: The journal cannot be used.
        ConfigurationError: There is no client.
        ValueError: ``rate`` is not greater than 0.
        KeyboardInterrupt: See :meth:`.MultiAccountDelivery.run`.
    """
    by_name = _clients_by_name(clients)
    where = hidden(journal)
    del journal  # the URL may contain a password
    with _opened(where) as opened:
        return _deliver(Result(), MultiAccountDelivery(by_name, opened, report, options, rate), opened)


def push(
    rows: Iterable[RowInput],
    client: TrackingClient | Iterable[TrackingClient],
    journal: Journal | Location,
    *,
    options: DeliveryOptions | None = None,
    rate: float = DEFAULT_RATE,
    report: Callable[[DeliveryResult | AccountPause], object] | None = None,
    now: dt.datetime | None = None,
    layout: Layout | None = None,
    **reading: Unpack[ReadingOptions],
) -> Result:
    """Note rows of carrier events, deliver all pending entries of these accounts, and return the counts.

    Entries that the journal already contains are not sent again. If another process delivers an account, the rows are
    noted, and it sends them.

    Args:
        rows: See :func:`note`. Without rows an earlier push is resumed.
        client: The client of the account, or several: the first is for rows that name no account.
        journal: See :func:`note`.
        options: See :func:`deliver`.
        rate: See :func:`deliver`.
        report: See :func:`deliver`.
        now: See :func:`note`.
        layout: See :func:`note`.
        **reading: See :func:`note`.

    Returns:
        What was done and what remains. A row that cannot be sent is among its problems; it raises nothing.

    Raises:
        JournalError: The journal cannot be used; if nothing was sent yet, nothing was lost.
        ConfigurationError: There is no client, or a reading option cannot be used.
        TypeError: ``rows`` is a path or a single row.
        ValueError: ``rate`` is not greater than 0.
        KeyboardInterrupt: See :meth:`.MultiAccountDelivery.run`.
    """
    by_name = _clients_by_name(client)
    where = hidden(journal)
    del journal  # the URL may contain a password
    checked = _checked(rows, now, layout, reading)
    with _opened(where) as opened:
        # Created before rows are noted, because it checks its arguments.
        delivery = MultiAccountDelivery(by_name, opened, report, options, rate)
        return _deliver(_record(checked, opened, _names_of_clients(by_name)), delivery, opened)


def _opened(journal: Journal | Location | Secret) -> AbstractContextManager[Journal]:
    return open_journal(journal) if isinstance(journal, str | os.PathLike | Secret) else nullcontext(journal)


def _checked(
    rows: Iterable[RowInput], now: dt.datetime | None, layout: Layout | None, reading: ReadingOptions
) -> Iterator[Row | RowProblem | RowNote]:
    return check_rows(rows, now or dt.datetime.now(EARLIEST_ZONE), (layout or Layout()).with_options(reading))


def _record(rows: Iterable[Row | RowProblem | RowNote], journal: Journal, lookup: AccountLookup) -> Result:
    problems: list[RowProblem] = []
    notes: list[RowNote] = []
    recorder = RowRecorder(journal, lookup, problems.append, lambda place, text: notes.append(RowNote(place, text)))
    recorder.record(rows)
    counts, by_status = recorder.counts, recorder.counts.by_status
    known = by_status["known"]
    return Result(counts.rows, by_status["new"], by_status["renewed"], known, tuple(problems), tuple(notes))


def _deliver(noted: Result, delivery: MultiAccountDelivery, journal: Journal) -> Result:
    delivery.run()
    theirs = count_states(journal, delivery.others)
    remaining = count_states(journal, delivery.accounts.keys() - delivery.others.keys())
    pending = remaining["pending"] + theirs["pending"]
    return evolve(
        noted,
        applied=delivery.outcomes["applied"],
        refused=delivery.outcomes["refused"],
        unknown=remaining["unknown"] + remaining["in_flight"] + theirs["unknown"],
        pending=pending + theirs["in_flight"],
        held=count_held(journal, delivery.accounts).deliveries if pending else 0,
        calls=delivery.calls,
        reads=delivery.reads,
        ended=delivery.stop_errors,
        others=delivery.others,
    )


def _clients_by_name(clients: TrackingClient | Iterable[TrackingClient]) -> dict[str, TrackingClient]:
    """Return the clients by their accounts' names in the journal; the first client of an account counts."""
    all_clients = tuple(clients) if isinstance(clients, Iterable) else (clients,)
    if not all_clients:
        raise ConfigurationError("client is empty: pass a TrackingClient, or several.")
    if any(isinstance(each, AsyncTrackingClient) for each in all_clients):
        raise ConfigurationError("client is an AsyncTrackingClient: pass a TrackingClient, and call this in a thread.")
    unusable: object = next((each for each in all_clients if not isinstance(each.account, str)), None)  # such as a mock
    if unusable is not None:
        raise ConfigurationError(f"client is {type(unusable).__name__}: pass a TrackingClient, or several.")
    by_name: dict[str, TrackingClient] = {}
    for each in all_clients:
        by_name.setdefault(account_name_of(each), each)
    return by_name


def _names_of_clients(by_name: Mapping[str, TrackingClient]) -> AccountLookup:
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


def _account_names(default: TrackingClient | AsyncTrackingClient | str) -> AccountLookup:
    def look_up(account: str) -> str:
        if isinstance(default, str):
            settings = Settings(account=account or default or None).with_defaults(settings_from_env(os.environ))
        else:
            is_own = account.lower() in {"", default.account.lower()}
            settings = Settings(account=account or default.account, base_url=default.base_url if is_own else None)
        if settings.account is None:
            raise ConfigurationError("A row names no account: pass account=, or set VTEX_ACCOUNT.")
        return account_name_at(settings.account, server_url(settings.account, settings.environment, settings.base_url))

    return look_up
