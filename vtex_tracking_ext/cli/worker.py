"""The command worker: serve the doorbells of a journal on PostgreSQL until told to end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.delivery.deliver import DeliveryOptions
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import visible

from .accounts import Accounts
from .enqueue import fleet_journal
from .exit_codes import ExitCode
from .output import warn

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from vtex_tracking_ext.bulk.delivery.deliver import AccountPause, DeliveryResult
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
    from vtex_tracking_ext.fleet.account_pace import Paces
    from vtex_tracking_ext.fleet.worker import Worker


def worker(parsed: argparse.Namespace) -> ExitCode:
    """Serve until SIGTERM or SIGINT."""
    with Accounts(parsed) as accounts, ExitStack() as stack:
        labels = _labels(parsed, accounts)
        for label in labels:
            accounts.client_of_label(label)  # what is wrong with its credentials is told now, and not by each doorbell
        journal = stack.enter_context(fleet_journal(parsed, os.environ))
        # Of an extra, which fleet_journal asks for.
        from vtex_tracking_ext.fleet.account_pace import Paces  # noqa: PLC0415
        from vtex_tracking_ext.fleet.work import Work  # noqa: PLC0415
        from vtex_tracking_ext.fleet.worker import Worker  # noqa: PLC0415

        paces = Paces(journal.connections)
        for label in labels:
            paces.change(label, lambda shared, now: shared.wake(now))
        watch = _metrics(parsed.metrics, journal, paces, stack) if parsed.metrics else lambda _: None
        stack.enter_context(_logged(quiet=parsed.quiet))
        options = DeliveryOptions(events_per_call=parsed.events_per_call, send_after_unknown=parsed.send_on)
        work = Work(journal, paces, accounts.client_of_label, parsed.rate, options, watch)
        asyncio.run(_serve(Worker(journal, work, labels, parsed.concurrency), ", ".join(map(visible, labels))))
    warn("The worker has ended.")
    return ExitCode.OK


def _labels(parsed: argparse.Namespace, accounts: Accounts) -> list[str]:
    """Return the accounts to serve, by their names in the journal: those that are named, else all with credentials."""
    known = accounts.labels()
    if parsed.accounts is None:
        if not known:
            raise ConfigurationError(
                "No account to serve: give its credentials by options or the environment, or write a profile for each "
                "into the profile file; see vtex-tracking worker --help."
            )
        return sorted(known)
    asked = [name.strip().lower() for name in parsed.accounts.split(",") if name.strip()]
    missing = [name for name in asked if name not in {label.partition("@")[0] for label in known}]
    if missing or not asked:
        raise ConfigurationError(
            f"--accounts: no credentials for {', '.join(map(visible, missing)) or 'nobody'}; there are some for: "
            f"{', '.join(map(visible, sorted(known))) or 'none'}."
        )
    return sorted(label for label in known if label.partition("@")[0] in asked)


async def _serve(worker: Worker, served: str) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, worker.stop)
    warn(f"Serving {served}. Ctrl-C or SIGTERM ends it, once the calls on their way are finished.")
    try:
        await worker.run()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextmanager
def _logged(*, quiet: bool) -> Iterator[None]:
    """Write the log of the worker, a line an outcome, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("vtex_tracking_ext.fleet")
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.propagate = False
    # What goes wrong in them is told there too, without a traceback for each connection that was lost.
    others = [logging.getLogger(name) for name in ("procrastinate", "psycopg.pool")]
    for other in others:
        other.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        for changed in (logger, *others):
            changed.setLevel(logging.NOTSET)
        logger.propagate = True


def _metrics(
    where: tuple[str, int], journal: PostgresJournal, paces: Paces, stack: ExitStack
) -> Callable[[DeliveryResult | AccountPause], None]:
    try:
        from vtex_tracking_ext.fleet.metrics import Metrics, serve  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"--metrics needs an extra ({error.name} is missing): pip install 'vtex-tracking[metrics]'."
        ) from None
    metrics = Metrics(journal, paces.all)
    host, port = where
    try:
        server = serve(metrics, host, port)
    except OSError as error:
        raise ConfigurationError(f"--metrics {host}:{port} cannot be used: {error.strerror}.") from None
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    warn(f"Metrics: http://{host}:{server.server_port}/metrics")
    return metrics.watch
