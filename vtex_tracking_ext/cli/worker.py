"""The command worker: sends the pending events of a journal in PostgreSQL until it is stopped."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.journal.opening import is_postgres
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import visible

from .accounts import Accounts
from .exit_codes import ExitCode
from .interrupts import not_ignored
from .journal_location import journal_location
from .long_running import delivery_options, log_to_stderr, served_accounts
from .output import warn

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
    from vtex_tracking_ext.fleet.worker import Worker


def worker(parsed: argparse.Namespace) -> ExitCode:
    """Run a worker until SIGTERM or SIGINT."""
    with Accounts(parsed) as accounts, ExitStack() as stack:
        names = served_accounts(parsed, accounts)
        journal = stack.enter_context(_open_journal(parsed))
        # From an extra, which _open_journal asks for.
        from vtex_tracking_ext.fleet.work import SLICE_SECONDS, Work  # noqa: PLC0415
        from vtex_tracking_ext.fleet.worker import Worker  # noqa: PLC0415

        watch = _serve_metrics(parsed.metrics, journal, stack) if parsed.metrics else lambda _: None
        stack.enter_context(log_to_stderr("vtex_tracking_ext.fleet", quiet=parsed.quiet))
        options = {name: delivery_options(parsed, accounts, name, SLICE_SECONDS) for name in names}
        work = Work(journal, accounts.client_for, parsed.rate, options, watch, parsed.concurrency)
        asyncio.run(_serve(Worker(journal, work), ", ".join(map(visible, names))))
    warn("Worker stopped.")
    return ExitCode.OK


def _open_journal(parsed: argparse.Namespace) -> PostgresJournal:
    """Open the journal, and create or upgrade the fleet's tables.

    Raises:
        ConfigurationError: It is in a file, or an extra is missing.
        JournalError: It cannot be used.
    """
    location = journal_location(parsed)
    if not is_postgres(location):
        raise ConfigurationError(
            "worker needs a journal in PostgreSQL: name it with --journal postgresql://USER@HOST/DATABASE or "
            "VTEX_JOURNAL."
        )
    try:
        from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal  # noqa: PLC0415 - an extra
        from vtex_tracking_ext.fleet.tables import create_or_upgrade  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"worker needs an extra ({error.name} is missing): pip install 'vtex-tracking[postgres]'."
        ) from None
    journal = PostgresJournal.open(str(location))
    try:
        with journal.connections.connection() as connection:
            create_or_upgrade(connection)
    except BaseException:
        journal.close()
        raise
    return journal


async def _serve(worker: Worker, served: str) -> None:
    loop = asyncio.get_running_loop()
    handled = not_ignored(signal.SIGINT, signal.SIGTERM)
    for number in handled:
        loop.add_signal_handler(number, worker.stop)
    warn(f"Serving {served}. Ctrl-C or SIGTERM stops the worker after the calls in flight.")
    try:
        await worker.run()
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _serve_metrics(
    address: tuple[str, int], journal: PostgresJournal, stack: ExitStack
) -> Callable[[DeliveryResult | AccountPause], None]:
    try:
        from vtex_tracking_ext.fleet.metrics import Metrics, serve  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"--metrics needs an extra ({error.name} is missing): pip install 'vtex-tracking[metrics]'."
        ) from None
    metrics = Metrics(journal)
    host, port = address
    try:
        server = serve(metrics, host, port)
    except OSError as error:
        raise ConfigurationError(f"--metrics {host}:{port} cannot be used: {error.strerror}.") from None
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    warn(f"Metrics: http://{host}:{server.server_port}/metrics")
    return metrics.record
