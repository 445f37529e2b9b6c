"""The process of one push or one plan, which prints its costs.

Run as ``python -m measure.push_process push`` (or ``plan``), with the job as JSON on standard input.
"""
# ruff: noqa: PLC0415 - httptools is blocked before the package is imported

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import io
import json
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from .memory import peak
from .update import ACCOUNT, APP_KEY, APP_TOKEN

if TYPE_CHECKING:
    from vtex_tracking_ext import TrackingClient, TrackingReceipt, TrackingUpdate

#: Calls per second that no push reaches.
_NO_LIMIT = 1e6


class Meter:
    """Measures the CPU time of each call in its thread."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = threading.Lock()

    def install(self, client: type[TrackingClient]) -> None:
        """Measure each ``send`` of a client class from now on."""
        send = client.send

        def metered(own: TrackingClient, update: TrackingUpdate) -> TrackingReceipt:
            began = time.thread_time()
            try:
                return send(own, update)
            finally:
                took = time.thread_time() - began
                with self._lock:
                    self.seconds += took

        setattr(client, "send", metered)  # noqa: B010 - as an assignment, the types would object


def push(job: dict[str, Any]) -> dict[str, Any]:
    """Push a file, and return the CPU time of the calls and of everything else."""
    if not job["httptools"]:
        sys.modules["httptools"] = None  # type: ignore[assignment] # as if it were not installed
    from vtex_tracking_ext import TrackingClient
    from vtex_tracking_ext.bulk import Result
    from vtex_tracking_ext.bulk import push as push_rows
    from vtex_tracking_ext.bulk.delivery import accounts
    from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
    from vtex_tracking_ext.bulk.delivery.pace import Pace
    from vtex_tracking_ext.bulk.input.reader import read_rows
    from vtex_tracking_ext.bulk.journal.opening import open_journal

    meter = Meter()
    meter.install(TrackingClient)
    pace = functools.partial(Pace, initial_rate=_NO_LIMIT)
    setattr(accounts, "Pace", pace)  # noqa: B010 - as above; a push's own begins at ten calls a second
    now = dt.datetime.now().astimezone()
    options = DeliveryOptions(events_per_call=job["events_per_call"])

    def deliver(file: str) -> Result:
        return push_rows(read_rows(file, now), client, journal, options=options, rate=_NO_LIMIT, now=now)

    with (
        open_journal(job["journal"]) as journal,
        TrackingClient(ACCOUNT, app_key=APP_KEY, app_token=APP_TOKEN, base_url=job["url"]) as client,
    ):
        deliver(job["one_event"])  # imports what is imported on demand, and creates the journal
        before, began, cpu = meter.seconds, time.perf_counter(), time.process_time()
        result = deliver(job["file"])
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    http = meter.seconds - before
    return {
        "applied": result.applied,
        "calls": result.calls,
        "seconds": seconds,
        "http_cpu": http,
        "other_cpu": cpu - http,
    }


def plan(job: dict[str, Any]) -> dict[str, Any]:
    """Run a command of the command line, and return its costs."""
    from vtex_tracking_ext.cli import main

    began = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()) as output:
        status = main(job["arguments"])
    if status:
        raise SystemExit(f"The command ended with {status}: {output.getvalue()[-1000:]}")
    return {"cpu": time.process_time() - began, "peak": peak()}


if __name__ == "__main__":
    print(json.dumps({"push": push, "plan": plan}[sys.argv[1]](json.load(sys.stdin))))
