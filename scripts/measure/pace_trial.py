"""The trial behind ``scripts/pace_trial``: a push against a hidden rate limit."""

from __future__ import annotations

import tempfile
import time
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vtex_tracking_ext import TrackingClient
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.pipeline import push
from vtex_tracking_ext.config.defaults import DEFAULT_RATE
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, OmsSettings, running

if TYPE_CHECKING:
    import argparse


class PaceResult(NamedTuple):
    """The result of one trial.

    Attributes:
        applied: Calls that were applied.
        throttled: Calls answered 429.
        seconds: Duration of the push.
        allowed: Calls that the limit allows in that time.
        pending: Events that were not sent.
    """

    applied: int
    throttled: int
    seconds: float
    allowed: float
    pending: int

    def lines(self) -> list[str]:
        """Return the result as lines of text."""
        lines = [
            f"applied    {self.applied} calls in {self.seconds:.1f} s, {self.applied / self.seconds:.2f} per second",
            f"limit used {self.applied / self.allowed:.1%} ({self.allowed:.0f} calls were allowed)",
            f"429        {self.throttled}, {self.throttled / max(1, self.applied + self.throttled):.2%} of all calls",
        ]
        return [*lines, f"ended early: {self.pending} events were not sent"] if self.pending else lines


def run(arguments: argparse.Namespace) -> PaceResult:
    """Run the sandbox in a thread, and push to it."""
    settings = OmsSettings(rate_limit=arguments.limit, rate_window=arguments.window, retry_after=arguments.retry_after)
    oms = Oms(settings, received=deque())
    rows = []
    for number in range(arguments.calls):
        oms.add_order(f"{number}-01", ["1"])
        row = {"order_id": f"{number}-01", "invoice_number": "1", "date": "2026-10-01", "description": "Em trânsito"}
        rows.append(row)
    rate = DEFAULT_RATE if arguments.rate is None else arguments.rate
    options = DeliveryOptions(concurrency=arguments.concurrency)
    with (
        running(oms) as url,
        tempfile.TemporaryDirectory() as folder,
        TrackingClient("sandbox", app_key=APP_KEY, app_token=APP_TOKEN, base_url=url) as client,
    ):
        started = time.monotonic()
        result = push(rows, client, Path(folder, "journal.db"), options=options, rate=rate)
        seconds = time.monotonic() - started
    statuses = Counter(request.status for request in oms.received)
    allowed = arguments.limit / arguments.window * seconds
    return PaceResult(statuses[200], statuses[429], seconds, allowed, result.pending)
