"""A worker's metrics, in Prometheus' text format. Needs the extra ``metrics``."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, start_http_server
from prometheus_client.core import GaugeMetricFamily

from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
from vtex_tracking_ext.bulk.journal.cached import Cached
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.report.accounts import learned_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from wsgiref.simple_server import WSGIServer

    from vtex_tracking_ext.bulk.journal.interface import JournalReader

#: Seconds for which the counts of the journal are cached.
_CACHE_SECONDS: Final = 15.0


class Metrics:
    """Counts what happens, and is Prometheus' collector.

    Args:
        journal: The journal, whose states are counted by account.
        clock: A monotonic clock.
    """

    def __init__(self, journal: JournalReader, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        self._outcomes = Counter(
            "vtex_tracking_events",
            "Events and deliveries by their outcome in this process",
            ["account", "outcome"],
            registry=self.registry,
        )
        self._calls = Counter(
            "vtex_tracking_calls", "Updates sent by this process", ["account"], registry=self.registry
        )
        self._pauses = Counter(
            "vtex_tracking_pauses", "Times that this process paused an account", ["account"], registry=self.registry
        )
        self._journal = journal
        self._families = Cached[list[GaugeMetricFamily]](lambda: [*self._collect()], _CACHE_SECONDS, clock, initial=[])
        self.registry.register(self)

    def record(self, result: DeliveryResult | AccountPause) -> None:
        """Count what happened."""
        if isinstance(result, AccountPause):
            self._pauses.labels(result.account).inc()
            return
        account = result.entries[0].package.account
        self._outcomes.labels(account, result.outcome).inc(len(result.entries))
        if result.is_call:
            self._calls.labels(account).inc()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield gauges from the journal, cached for some seconds; none while they cannot be read.

        One request counts. Concurrent requests get the cached values, so that a database that does not respond does
        not block this worker's own counters.
        """
        with suppress(JournalError):
            yield from self._families.get()

    def _collect(self) -> Iterator[GaugeMetricFamily]:
        entries = GaugeMetricFamily(
            "vtex_tracking_journal_entries", "Entries of the journal by state", labels=["account", "state"]
        )
        for account, counts in self._journal.counts().items():
            for state, number in counts.items():
                entries.add_metric([account, state], number)
        yield entries
        rates = GaugeMetricFamily("vtex_tracking_rate", "Current limit of calls a second", labels=["account"])
        quiet = GaugeMetricFamily(
            "vtex_tracking_quiet_seconds", "Seconds for which the account is paused", labels=["account"]
        )
        stopped = GaugeMetricFamily(
            "vtex_tracking_stopped", "Whether delivery was stopped because no call can succeed", labels=["account"]
        )
        delivered = GaugeMetricFamily(
            "vtex_tracking_delivering", "Whether a process delivers the account now", labels=["account"]
        )
        deliverers = self._journal.deliverers()
        for account, record in self._journal.accounts().items():
            rate = learned_rate(record)
            if rate is not None:
                rates.add_metric([account], rate)
            quiet.add_metric([account], record.quiet_seconds)
            stopped.add_metric([account], record.stopped is not None)
            delivered.add_metric([account], account in deliverers)
        yield from (rates, quiet, stopped, delivered)


def serve(metrics: Metrics, host: str, port: int) -> WSGIServer:
    """Serve the metrics at an address, in a thread; ``server_port`` of the result is the port.

    Raises:
        OSError: The port is in use, or not permitted.
    """
    server, _ = start_http_server(port, host, metrics.registry)
    return server
