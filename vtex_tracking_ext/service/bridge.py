"""The bridge between carriers and VTEX: the journal, what writes to it, and the threads that process accounts."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from vtex_tracking_ext.bulk.journal.interface import Journal
from vtex_tracking_ext.bulk.journal.opening import hidden, open_journal, open_reader
from vtex_tracking_ext.config.defaults import DEFAULT_RATE
from vtex_tracking_ext.errors import ConfigurationError

from .intake import Intake
from .metrics import ServiceMetrics
from .processing import INTERVAL, AccountProcessing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vtex_tracking_ext.bulk.journal.interface import JournalReader
    from vtex_tracking_ext.bulk.journal.opening import Location

    from .intake import ServedAccount


#: Seconds in which what was begun is finished. A call takes two minutes at most, unless the client says otherwise.
_CLOSE_SECONDS: Final = 125.0


class Bridge:
    """Takes webhooks and notifications in, and processes them in threads, while it is started. A context manager.

    Args:
        journal: A journal that is open for writing, or where it is: a file, or the URL of a PostgreSQL database. One
            that the bridge opens is closed with it.
        accounts: The accounts to serve.
        delivers: Whether to send. Otherwise, workers or pushes send what is noted.
        rate: Most calls a second to one account.
        interval: Seconds after which an account looks for what other processes noted.

    Attributes:
        journal: The journal.
        reader: The journal as pages and metrics read it.
        accounts: The accounts by their names in addresses.
        intake: Writes what is received to the journal.
        metrics: Counts what happens.

    Raises:
        JournalError: The journal cannot be used.
        ConfigurationError: There is no account, or two of them have one name.
    """

    def __init__(
        self,
        journal: Journal | Location,
        accounts: Iterable[ServedAccount],
        *,
        delivers: bool = True,
        rate: float = DEFAULT_RATE,
        interval: float = INTERVAL,
    ) -> None:
        where = hidden(journal) if not isinstance(journal, Journal) else journal
        del journal  # the URL may contain a password
        self.accounts: Mapping[str, ServedAccount] = _by_name(accounts)
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._is_started = self._is_closed = False
        if isinstance(where, Journal):
            self.journal: Journal = where
            self.reader: JournalReader = where
        else:
            self.journal = self._stack.enter_context(open_journal(where))
            # A journal in a file has one connection: what is read with it for a page would hold webhooks back.
            self.reader = self._stack.enter_context(open_reader(where))
        self.intake = Intake(self.journal)
        self.metrics = ServiceMetrics(self.reader)
        self._processing = {
            name: AccountProcessing(
                account,
                self.journal,
                delivers=delivers,
                rate=rate,
                report=self.metrics.record,
                on_unparked=self.metrics.count_unparked,
                interval=interval,
            )
            for name, account in self.accounts.items()
        }

    def is_running(self) -> bool:
        """Whether all accounts are being processed."""
        return self._is_started and all(each.is_alive() for each in self._processing.values())

    def start(self) -> None:
        """Start to process what was received. Idempotent."""
        with self._lock:
            if self._is_started:
                return
            self._is_started = True
        for each in self._processing.values():
            each.start()

    def wake(self, account: ServedAccount) -> None:
        """Process an account now: something was received."""
        self._processing[account.name].wake()

    def close(self) -> None:
        """Finish the calls in progress, and close the journal if the bridge opened it. Idempotent."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        end = time.monotonic() + _CLOSE_SECONDS
        for each in self._processing.values():
            each.stop()
        self.intake.close(_CLOSE_SECONDS)
        for each in self._processing.values() if self._is_started else ():
            each.join(max(0.0, end - time.monotonic()))
        self._stack.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _by_name(accounts: Iterable[ServedAccount]) -> dict[str, ServedAccount]:
    by_name: dict[str, ServedAccount] = {}
    for each in accounts:
        if each.name in by_name:
            raise ConfigurationError(f"accounts contains {each.name} twice: give each account once.")
        by_name[each.name] = each
    if not by_name:
        raise ConfigurationError("accounts is empty: give at least one account to serve.")
    return by_name
