"""Procrastinate's tasks: one per package with open entries. A task names the package and nothing else.

The journal has the entries, their order, and the locks, so lost, duplicate, late and superfluous tasks are harmless:
the sweep adds missing ones, and a task for a package without open entries ends at once.

Each account has a queue of its own, so that a worker can serve selected accounts. A task's priority falls with the
number of tasks that wait in its queue, so that a store with a hundred thousand packages does not delay one with a
single package.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Final

from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision

from vtex_tracking_ext.bulk.journal.entries import PackageKey

from .pace import RetryLater

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from procrastinate.jobs import Job

    from vtex_tracking_ext.bulk.journal.postgres.address import Address

#: Names of the tasks, as Procrastinate's shell shows them.
DRAIN: Final = "vtex_tracking.drain"
SWEEP: Final = "vtex_tracking.sweep"

#: The queue of the sweep. No account can have this name.
SWEEP_QUEUE: Final = "@sweep"

#: When the sweep runs: every minute.
SWEEP_CRON: Final = "* * * * *"

#: Seconds after which a task is retried that failed with another error than :class:`~.pace.RetryLater`.
FAILURE_RETRY_SECONDS: Final = 10

#: Bytes of a queue's name: PostgreSQL allows 63 for a channel, of which Procrastinate's prefix takes 23.
_QUEUE_LENGTH: Final = 40


def queue_name(account: str) -> str:
    """Return the name of an account's queue; a digest replaces the end of a long name."""
    name = account.encode()
    if len(name) <= _QUEUE_LENGTH:
        return account
    digest = hashlib.blake2b(name, digest_size=8).hexdigest()
    return f"{name[: _QUEUE_LENGTH - 17].decode(errors='ignore')}#{digest}"


def lock_name(package: PackageKey) -> str:
    """Return the lock that makes a package's tasks run one after the other."""
    return f"vtex/{package.account}/{package.order_id}/{package.invoice_number}"


class TaskRetryStrategy(BaseRetryStrategy):
    """Retries every failed task: after the seconds of RetryLater, or a fixed delay."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:  # noqa: ARG002 - its signature
        """Return the delay of the retry."""
        seconds = exception.seconds if isinstance(exception, RetryLater) else FAILURE_RETRY_SECONDS
        return RetryDecision(retry_in={"seconds": max(1, math.ceil(seconds))})


def make_app(
    address: Address,
    drain: Callable[[PackageKey], Awaitable[None]],
    sweep: Callable[[], Awaitable[None]],
    connections: int = 4,
    sweep_cron: str = SWEEP_CRON,
) -> App:
    """Return the Procrastinate app.

    Args:
        address: The journal's address; Procrastinate's tables are in the same schema.
        drain: Processes a package.
        sweep: Adds missing tasks.
        connections: Maximum number of connections; one more listens.
        sweep_cron: When the sweep runs.
    """
    parameters = {
        **address.parameters,
        "application_name": "vtex-tracking, tasks",
        "options": f"{address.parameters.get('options', '')} -c search_path={address.schema},pg_temp".strip(),
    }
    app = App(connector=PsycopgConnector(kwargs=parameters, min_size=1, max_size=connections))

    @app.task(name=DRAIN, retry=TaskRetryStrategy())
    async def process(account: str, order_id: str, invoice_number: str) -> None:
        await drain(PackageKey(account, order_id, invoice_number))

    @app.periodic(cron=sweep_cron)
    @app.task(name=SWEEP, queue=SWEEP_QUEUE, queueing_lock=SWEEP)
    async def sweep_task(timestamp: int) -> None:  # noqa: ARG001 - Procrastinate passes it
        await sweep()

    return app
