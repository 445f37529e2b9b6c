"""Handlers of webhooks: threads of several processes push to one journal at the same time."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext import TrackingClient
from vtex_tracking_ext.bulk import push
from vtex_tracking_ext.bulk.journal.opening import open_reader
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, running

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROCESSES, THREADS, EVENTS = 2, 8, 24

#: Seconds that the server takes for an update.
LATENCY = 0.05


class SlowOms(Oms):
    """An order system that takes its time, so that many calls come while one is being delivered."""

    def update_tracking_status(self, order_id: str, invoice_number: str, body: Mapping[str, object]) -> dict[str, str]:
        """Wait, then append the events."""
        time.sleep(LATENCY)
        return super().update_tracking_status(order_id, invoice_number, body)


@pytest.mark.parametrize("kind", ["file", "postgres"])
def test_every_event_of_concurrent_pushes_is_sent_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Two processes push 48 events by eight threads each: none raises, and each event is on its order once."""
    location = str(tmp_path / "journal.db") if kind == "file" else request.getfixturevalue("database")
    oms = SlowOms()
    for number in range(PROCESSES * EVENTS):
        oms.add_order(f"{number}-01", ["1"])
    with running(oms) as url:
        handlers = [
            subprocess.Popen([sys.executable, __file__, location, url, str(first)])
            for first in range(0, PROCESSES * EVENTS, EVENTS)
        ]
        assert [handler.wait() for handler in handlers] == [0] * PROCESSES
    with open_reader(location) as journal:
        assert [*journal.counts().values()] == [{"applied": PROCESSES * EVENTS}]
    assert [len(oms.applied(f"{number}-01", "1")) for number in range(PROCESSES * EVENTS)] == [1] * len(oms.orders)


def main(location: str, url: str, first: str) -> None:
    """Push events as the handlers of webhooks do: each by a call of its own, from several threads."""
    with (
        TrackingClient("mystore", app_key=APP_KEY, app_token=APP_TOKEN, base_url=url) as client,
        ThreadPoolExecutor(THREADS) as executor,
    ):

        def handle(number: int) -> None:
            row = {"order_id": f"{number}-01", "invoice_number": "1", "date": "2026-11-01", "description": "posted"}
            assert push([row], client, location).new == 1

        list(executor.map(handle, range(int(first), int(first) + EVENTS)))


if __name__ == "__main__":
    main(*sys.argv[1:])
