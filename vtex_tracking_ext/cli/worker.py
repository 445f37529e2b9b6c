"""The command worker: serve the doorbells of a journal on PostgreSQL until told to end."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.deliver import Choices
from vtex_tracking_ext.text import visible

from .accounts import Accounts
from .fleet import fleet_journal
from .output import warn
from .status import Status

if TYPE_CHECKING:
    import argparse


def worker(parsed: argparse.Namespace) -> Status:
    """Serve until SIGTERM or SIGINT."""
    with Accounts(parsed) as accounts, fleet_journal(parsed, os.environ) as journal, ExitStack() as stack:
        from vtex_tracking_ext.fleet.paces import Paces  # noqa: PLC0415 - an extra, which fleet_journal asks for
        from vtex_tracking_ext.fleet.work import Work  # noqa: PLC0415
        from vtex_tracking_ext.fleet.worker import Worker  # noqa: PLC0415

        labels = _labels(parsed, accounts)
        _log(parsed.verbose)
        paces = Paces(journal.connections)
        watch = _metrics(parsed, journal, paces, stack)
        choices = Choices(events_per_call=parsed.events_per_call, send_on=parsed.send_on)
        work = Work(journal, paces, accounts.client_of_label, parsed.rate, choices, watch)
        served = ", ".join(labels)
        warn(f"Serving {visible(served)}; Ctrl-C or SIGTERM ends it, once the calls on their way are finished.")
        asyncio.run(_serve(Worker(journal, work, labels, parsed.concurrency)))
    warn("The worker has ended.")
    return Status.OK
