"""The service's metrics, in Prometheus' text format: what is received, beside what workers count."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from prometheus_client import Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily

from vtex_tracking_ext.fleet.metrics import Metrics
from vtex_tracking_ext.orders.parked import parked_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.bulk.journal.interface import JournalReader
    from vtex_tracking_ext.orders import Unparked


class ServiceMetrics(Metrics):
    """Counts what is received, refused and noted, and is Prometheus' collector.

    Args:
        journal: The journal, whose states are counted by account.
    """

    def __init__(self, journal: JournalReader) -> None:
        super().__init__(journal)
        self._posts = Counter(
            "vtex_tracking_posts",
            "Requests of carriers and of VTEX's hook by how they were answered",
            ["account", "source", "status"],
            registry=self.registry,
        )
        self._received = Counter(
            "vtex_tracking_received_events",
            "Events in webhooks that were written to the journal, repeated ones included",
            ["account", "source"],
            registry=self.registry,
        )
        self._unreadable = Counter(
            "vtex_tracking_unreadable_events",
            "Packages and events in webhooks that could not be read",
            ["account", "source"],
            registry=self.registry,
        )
        self._noted = Counter(
            "vtex_tracking_noted_events",
            "Events whose package was found, by what they meant to the journal: new, renewed or known",
            ["account", "status"],
            registry=self.registry,
        )

    def count_post(self, account: str, source: str, status: int) -> None:
        """Count a request by its answer."""
        self._posts.labels(account, source, str(status)).inc()

    def count_received(self, account: str, source: str, events: int, problems: int) -> None:
        """Count the events of a webhook, and those that could not be read."""
        self._received.labels(account, source).inc(events)
        self._unreadable.labels(account, source).inc(problems)

    def count_unparked(self, account: str, unparked: Unparked) -> None:
        """Count events whose packages were found."""
        for status, number in unparked.by_status.items():
            self._noted.labels(account, status).inc(number)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def _collect(self) -> Iterator[GaugeMetricFamily]:
        yield from super()._collect()
        now = dt.datetime.now(dt.UTC)
        parked = GaugeMetricFamily(
            "vtex_tracking_parked_events", "Events whose order is not known", labels=["account", "state"]
        )
        for each in parked_counts(self._journal, now):
            parked.add_metric([each.account, "waiting"], each.waiting)
            parked.add_metric([each.account, "given_up"], each.given_up)
        yield parked
        oldest = GaugeMetricFamily(
            "vtex_tracking_oldest_pending_seconds",
            "Age of the oldest pending entry that is not held",
            labels=["account"],
        )
        for account, since in self._journal.pending_since().items():
            oldest.add_metric([account], max(0.0, (now - since).total_seconds()))
        yield oldest
