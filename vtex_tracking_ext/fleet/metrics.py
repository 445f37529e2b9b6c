"""What a worker does, in Prometheus' text format. Needs the extra ``metrics``."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, start_http_server
from prometheus_client.core import GaugeMetricFamily

from vtex_tracking_ext.bulk.delivery.deliver import AccountPause, DeliveryResult
from vtex_tracking_ext.bulk.journal.interface import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from wsgiref.simple_server import WSGIServer

    from vtex_tracking_ext.bulk.journal.interface import JournalReader

    from .slots import SharedPace

#: Seconds for which counting the journal's entries is good enough, however often somebody asks.
_FRESH: Final = 15.0

#: Where counting takes long, it is good enough for this many times as long: five per cent of the time are for it.
_TIMES: Final = 20


class Metrics:
    """Counts what happens, and tells it when it is asked.

    Args:
        journal: The journal, whose states are told by account.
        paces: Gives the pace of each account, and the time by their clock.
        clock: Seconds that only ever go up.
    """

    def __init__(
        self,
        journal: JournalReader,
        paces: Callable[[], Mapping[str, tuple[SharedPace, float]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.registry = CollectorRegistry()
        self._outcomes = Counter(
            "vtex_tracking_events",
            "Events and deliveries by what became of them in this worker",
            ["account", "outcome"],
            registry=self.registry,
        )
        self._calls = Counter("vtex_tracking_calls", "Updates sent by this worker", ["account"], registry=self.registry)
        self._pauses = Counter(
            "vtex_tracking_pauses", "Times that this worker made an account quiet", ["account"], registry=self.registry
        )
        self._journal = journal
        self._paces = paces
        self._clock = clock
        self._counting = threading.Lock()
        self._fresh_until = float("-inf")
        self._families: list[GaugeMetricFamily] = []
        self.registry.register(self)

    def watch(self, news: DeliveryResult | AccountPause) -> None:
        """Count what happened."""
        if isinstance(news, AccountPause):
            self._pauses.labels(news.account).inc()
            return
        account = news.entries[0].package.account
        self._outcomes.labels(account, news.outcome).inc(len(news.entries))
        if news.is_call:
            self._calls.labels(account).inc()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield what the journal and the paces say, some seconds old perhaps; nothing while they cannot be read.

        One who asks counts. Others who ask meanwhile are told what was counted before, so that a database that does not
        answer keeps nobody else from what this worker counted itself.
        """
        if self._counting.acquire(blocking=False):
            try:
                self._count_anew()
            finally:
                self._counting.release()
        yield from self._families

    def _count_anew(self) -> None:
        began = self._clock()
        if began < self._fresh_until:
            return
        times = _TIMES
        try:
            self._families = [*self._count()]
        except JournalError:
            self._families, times = [], 1
        now = self._clock()
        self._fresh_until = max(began + _FRESH, now + (now - began) * times)

    def _count(self) -> Iterator[GaugeMetricFamily]:
        entries = GaugeMetricFamily(
            "vtex_tracking_journal_entries", "Entries of the journal by state", labels=["account", "state"]
        )
        for account, counts in self._journal.counts().items():
            for state, number in counts.items():
                entries.add_metric([account, state], number)
        yield entries
        rates = GaugeMetricFamily(
            "vtex_tracking_rate", "Calls a second that all workers together make at most at present", labels=["account"]
        )
        quiet = GaugeMetricFamily(
            "vtex_tracking_quiet_seconds", "Seconds for which nobody may call the account", labels=["account"]
        )
        for account, (shared, now) in self._paces().items():
            rates.add_metric([account], shared.throttle.rate)
            quiet.add_metric([account], shared.quiet(now))
        yield rates
        yield quiet


def serve(metrics: Metrics, host: str, port: int) -> WSGIServer:
    """Tell the metrics at an address, in a thread; the server's ``server_port`` says which port it is.

    Raises:
        OSError: The port is taken, or not allowed.
    """
    server, _ = start_http_server(port, host, metrics.registry)
    return server
