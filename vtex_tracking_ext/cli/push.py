"""The command push: a file of carrier events into VTEX."""

from __future__ import annotations

import datetime as dt
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.deliver import Delivery, Result
from vtex_tracking_ext.bulk.pace import Pace
from vtex_tracking_ext.bulk.plan import plan
from vtex_tracking_ext.bulk.report import Tally, plan_lines, summary_lines
from vtex_tracking_ext.bulk.rows import read_rows
from vtex_tracking_ext.retry import RetryPolicy

from .connection import client_from
from .output import say, warn
from .progress import progress
from .status import Status, status_of

if TYPE_CHECKING:
    import argparse

    from vtex_tracking_ext.bulk.plan import Plan

#: A 429 is raised at once: the pause is for all packages, so it is the run that waits, not the call.
_RETRY = RetryPolicy(retry_after_cap=0.0)


def push(parsed: argparse.Namespace) -> Status:
    """Read, plan and deliver the files."""
    now = dt.datetime.now().astimezone()
    with client_from(parsed, retry=_RETRY) as client:
        account = client.account
        planned = plan(chain.from_iterable(read_rows(Path(name), now) for name in parsed.files), account)
        for line in plan_lines(planned):
            warn(line)
        tally = Tally(planned)
        calls = sum(len(package.updates) for package in planned.packages)
        with progress(calls) as advance:

            def report(result: Result) -> None:
                tally.add(result)
                advance()

            delivery = Delivery(client, Pace(), report)
            try:
                delivery.run(planned.packages, parsed.concurrency)
            except KeyboardInterrupt:
                interrupted = True
            else:
                interrupted = False
    for line in summary_lines(tally):
        say(line)
    return Status.INTERRUPTED if interrupted else _status(planned, tally, delivery)


def _status(planned: Plan, tally: Tally, delivery: Delivery) -> Status:
    """Return the gravest of what happened."""
    if delivery.stopped_by is not None:
        return status_of(delivery.stopped_by)
    for outcome, status in (("unknown", Status.UNKNOWN), ("pending", Status.INCOMPLETE)):
        if outcome in tally.calls:
            return status
    if planned.problems:
        return Status.USAGE
    return Status.REFUSED if "refused" in tally.calls else Status.OK
