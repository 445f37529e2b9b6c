"""What the commands share that run until they are stopped: the accounts that they serve, and their log."""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.config.defaults import WORKER_RESEND_AFTER
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from .accounts import Accounts

#: The attributes of every record of the log; the others are fields of the line.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({})))


def served_accounts(parsed: argparse.Namespace, accounts: Accounts) -> list[str]:
    """Return the accounts to serve, as the journal names them: those of --accounts, else all with credentials.

    Raises:
        ConfigurationError: No account has credentials, or those of an account cannot be used.
    """
    names = accounts.journal_accounts()
    if parsed.accounts is None:
        if not names:
            raise ConfigurationError(
                "No account to serve: give its credentials by options or the environment, or add a profile for each "
                f"account to the profile file; see vtex-tracking {parsed.command} --help."
            )
        wanted = {name.partition("@")[0] for name in names}
    else:
        wanted = {name.strip().lower() for name in parsed.accounts.split(",") if name.strip()}
        missing = wanted - {name.partition("@")[0] for name in names}
        if missing or not wanted:
            raise ConfigurationError(
                f"--accounts: no credentials for {', '.join(map(visible, sorted(missing))) or 'any account'}; accounts "
                f"with credentials: {', '.join(map(visible, names)) or 'none'}."
            )
    served = [name for name in names if name.partition("@")[0] in wanted]
    for name in served:
        accounts.client_for(name)  # reports invalid credentials now, not when something is to be sent
    return served


def delivery_options(
    parsed: argparse.Namespace, accounts: Accounts, journal_account: str, slice_seconds: float
) -> DeliveryOptions:
    """Return how the events of an account are sent."""
    return DeliveryOptions(
        concurrency=parsed.concurrency,
        events_per_call=parsed.events_per_call,
        send_after_unknown=parsed.send_on,
        resend_after=accounts.resend_after(journal_account.partition("@")[0], default=WORKER_RESEND_AFTER),
        slice_seconds=slice_seconds,
    )


@contextmanager
def log_to_stderr(name: str, *, quiet: bool, as_json: bool = False) -> Iterator[None]:
    """Log to standard error within the block, one line for each outcome.

    Args:
        name: The logger.
        quiet: Whether to log only warnings and errors.
        as_json: Whether each line is a JSON document.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    logger.propagate = False
    # What matters of their errors is in the log, too, without a traceback for each lost connection. asyncio logs the
    # error of a task that ended after its worker was taken for dead, and the task was replaced.
    others = [logging.getLogger(each) for each in ("procrastinate", "psycopg.pool", "asyncio", "uvicorn.error")]
    before = [(each, each.level) for each in (logger, *others)]
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    for other in others:
        other.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        for changed, level in before:
            changed.setLevel(level)
        logger.propagate = True


class _JsonLines(logging.Formatter):
    """Formats each record as a JSON document on one line: time in UTC, level, message, and the fields of the record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the document of a record."""
        document = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            document["error"] = self.formatException(record.exc_info)
        return json.dumps(document, default=str)
