"""What ``scripts/instructions`` counts: a program that does one thing some times, or not at all.

python _counted.py update URL TIMES      updates by one synchronous client, one after the other, as without extras
python _counted.py fast-update URL TIMES the same with httptools
python _counted.py plan FILE TIMES       a file's rows into an empty journal, and the plan of its delivery
"""
# ruff: noqa: PLC0415 - what is blocked must be blocked before anything is imported

from __future__ import annotations

import datetime as dt
import sys
import tempfile
from pathlib import Path
from typing import Final

#: When the plans are made.
NOW: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def update(url: str, times: int) -> None:
    """Send an update and some more; the first, which makes the connection, is the same in every count."""
    from vtex_tracking_ext import TrackingClient, TrackingEvent, TrackingUpdate

    event = TrackingEvent(date="2015-06-23", description="Coletado", city="Rio de Janeiro", state="RJ")
    with TrackingClient(
        "counted", app_key="vtexappkey-counted-MADEUP", app_token="MADEUP" * 10, base_url=url
    ) as client:
        for _ in range(1 + times):
            receipt = client.send(TrackingUpdate("1172452900788-01", "000030711", [event]))
            if receipt.note is not None:
                _wrong(receipt.note)


def plan(file: str, times: int) -> None:
    """Plan a file that many times, each into a journal of its own, and forget it."""
    from vtex_tracking_ext.bulk.delivery.accounts import plan_delivery
    from vtex_tracking_ext.bulk.input.reader import read_rows
    from vtex_tracking_ext.bulk.journal.opening import open_journal
    from vtex_tracking_ext.bulk.recorder import RowRecorder

    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder, open_journal(Path(folder) / "journal.db") as journal:
            recorder = RowRecorder(journal, lambda _: "counted", on_problem=_wrong, on_note=_wrong)
            recorder.record(read_rows(file, NOW))
            plan_delivery(journal, ["counted"])


def _wrong(*what: object) -> None:
    raise SystemExit(f"counted for nothing: {what}")


def main(what: str, where: str, times: str) -> None:
    """Do it."""
    if what == "update":
        sys.modules["httptools"] = None  # type: ignore[assignment] # as if it were not installed
    {"update": update, "fast-update": update, "plan": plan}[what](where, int(times))


if __name__ == "__main__":
    main(*sys.argv[1:])
