"""The workloads that ``scripts/instructions`` counts: ``python instruction_workloads.py WORKLOAD ARGUMENT TIMES``.

update URL TIMES        send updates with one synchronous client, without httptools
fast-update URL TIMES   the same with httptools
plan FILE TIMES         read a file into an empty journal and plan its delivery
"""
# ruff: noqa: PLC0415 - httptools is blocked before the package is imported

from __future__ import annotations

import datetime as dt
import sys
import tempfile
from pathlib import Path
from typing import Final

#: Time at which the plans are made.
NOW: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def update(url: str, times: int) -> None:
    """Send one update, which opens the connection and so is part of every count, and then ``times`` more."""
    from vtex_tracking_ext import TrackingClient, TrackingEvent, TrackingUpdate

    event = TrackingEvent(date="2015-06-23", description="Coletado", city="Rio de Janeiro", state="RJ")
    with TrackingClient(
        "counted", app_key="vtexappkey-counted-MADEUP", app_token="MADEUP" * 10, base_url=url
    ) as client:
        for _ in range(1 + times):
            receipt = client.send(TrackingUpdate("1172452900788-01", "000030711", [event]))
            if receipt.note is not None:
                _fail(receipt.note)


def plan(file: str, times: int) -> None:
    """Plan a file several times, each time with a new journal."""
    from vtex_tracking_ext.bulk.delivery.accounts import plan_delivery
    from vtex_tracking_ext.bulk.input.reader import read_rows
    from vtex_tracking_ext.bulk.journal.opening import open_journal
    from vtex_tracking_ext.bulk.recorder import RowRecorder

    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder, open_journal(Path(folder) / "journal.db") as journal:
            recorder = RowRecorder(journal, lambda _: "counted", on_problem=_fail, on_note=lambda *_: None)
            recorder.record(read_rows(file, NOW))
            plan_delivery(journal, ["counted"])


def _fail(*what: object) -> None:
    raise SystemExit(f"the workload failed: {what}")


def main(workload: str, argument: str, times: str) -> None:
    """Run a workload."""
    if workload == "update":
        sys.modules["httptools"] = None  # type: ignore[assignment] # as if it were not installed
    {"update": update, "fast-update": update, "plan": plan}[workload](argument, int(times))


if __name__ == "__main__":
    main(*sys.argv[1:])
