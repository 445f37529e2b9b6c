"""The command worker: sends the pending events of a journal in PostgreSQL until it is stopped."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.journal.opening import is_postgres
from vtex_tracking_ext.config.defaults import WORKER_RESEND_AFTER
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import visible

from .accounts import Accounts
from .exit_codes import ExitCode
from .interrupts import not_ignored
from .journal_location import journal_location
from .output import warn

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
    from vtex_tracking_ext.fleet.worker import Worker


def worker(parsed: argparse.Namespace) -> ExitCode:
    """Run a worker until SIGTERM or SIGINT."""
    with Accounts(parsed) as accounts, ExitStack() as stack:
        names = _account_names(parsed, accounts)
        for name in names:
            accounts.client_for(name)  # reports invalid credentials now, not in each task
        journal = stack.enter_context(_open_journal(parsed))
        # From an extra, which _open_journal asks for.
        from vtex_tracking_ext.fleet.work import SLICE_SECONDS, Work  # noqa: PLC0415
        from vtex_tracking_ext.fleet.worker import Worker  # noqa: PLC0415

        watch = _serve_metrics(parsed.metrics, journal, stack) if parsed.metrics else lambda _: None
        stack.enter_context(_log_to_stderr(quiet=parsed.quiet))
        options = {
            name: DeliveryOptions(
                concurrency=parsed.concurrency,
                events_per_call=parsed.events_per_call,
                send_after_unknown=parsed.send_on,
                resend_after=accounts.resend_after(name.partition("@")[0], default=WORKER_RESEND_AFTER),
                slice_seconds=SLICE_SECONDS,
            )
            for name in names
        }
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


def _account_names(parsed: argparse.Namespace, accounts: Accounts) -> list[str]:
    """Return the accounts to serve, as the journal names them: those of --accounts, else all with credentials."""
    names = accounts.journal_accounts()
    if parsed.accounts is None:
        if not names:
            raise ConfigurationError(
                "No account to serve: give its credentials by options or the environment, or add a profile for each "
                "account to the profile file; see vtex-tracking worker --help."
            )
        return names
    wanted = {name.strip().lower() for name in parsed.accounts.split(",") if name.strip()}
    missing = wanted - {name.partition("@")[0] for name in names}
    if missing or not wanted:
        raise ConfigurationError(
            f"--accounts: no credentials for {', '.join(map(visible, sorted(missing))) or 'any account'}; accounts "
            f"with credentials: {', '.join(map(visible, names)) or 'none'}."
        )
    return [name for name in names if name.partition("@")[0] in wanted]


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


@contextmanager
def _log_to_stderr(*, quiet: bool) -> Iterator[None]:
    """Log to standard error within the block, one line for each outcome."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("vtex_tracking_ext.fleet")
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.propagate = False
    # The worker logs their errors too, without a traceback for each lost connection. asyncio logs the error of a task
    # that ended after its worker was taken for dead, and the task was replaced.
    others = [logging.getLogger(name) for name in ("procrastinate", "psycopg.pool", "asyncio")]
    for other in others:
        other.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        for changed in (logger, *others):
            changed.setLevel(logging.NOTSET)
        logger.propagate = True


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
