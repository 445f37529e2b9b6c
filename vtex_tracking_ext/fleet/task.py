"""Doorbells: one task of Procrastinate that says "there is something to do for this package", and nothing more.

What there is to do, in which order, and who may do it, the journal knows. So a doorbell that is lost, doubled, late
or rung in vain does no harm: a package without one gets it from the sweep, and one with nothing to do is soon done.

Each account has a queue of its own name, so that a worker can serve some accounts alone, and each doorbell a priority
that falls with the number of those that wait there already: so a store with a hundred thousand packages waiting does
not make one with a single package wait for all of them.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Final

from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision

from vtex_tracking_ext.bulk.journal.entries import PackageKey

from .pace import NotYet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from procrastinate.jobs import Job

    from vtex_tracking_ext.bulk.journal.postgres.address import Address

#: Names of the tasks, as Procrastinate's shell shows them.
DRAIN: Final = "vtex_tracking.drain"
SWEEP: Final = "vtex_tracking.sweep"

#: The queue of the sweep; no account can have this name.
SWEEP_QUEUE: Final = "@sweep"

#: When the sweep rings: every minute.
SWEEP_CRON: Final = "* * * * *"

#: Seconds after which a doorbell rings again that failed for another reason than :class:`~.pace.NotYet`.
AFTER_FAILURE: Final = 10

#: Bytes of a queue's name: of the 63 that PostgreSQL takes for the name of a channel, Procrastinate's prefix needs 23.
_QUEUE_LENGTH: Final = 40


def queue_of(account: str) -> str:
    """Return the queue of an account; the end of a name that is too long is made short and still its own."""
    name = account.encode()
    if len(name) <= _QUEUE_LENGTH:
        return account
    digest = hashlib.blake2b(name, digest_size=8).hexdigest()
    return f"{name[: _QUEUE_LENGTH - 17].decode(errors='ignore')}#{digest}"


def lock_of(package: PackageKey) -> str:
    """Return the lock under which a package's doorbells ring one after the other."""
    return f"vtex/{package.account}/{package.order_id}/{package.invoice_number}"


class RingAgain(BaseRetryStrategy):
    """Has every doorbell that did not end well ring again: when it was told to, or a little later."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:  # noqa: ARG002 - its signature
        """Return when."""
        seconds = exception.seconds if isinstance(exception, NotYet) else AFTER_FAILURE
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
        address: Where the journal is; Procrastinate's tables stand beside it, in the same schema.
        drain: Does what there is to do for a package.
        sweep: Rings for the packages that lack a doorbell.
        connections: Connections at most, and one more listens.
        sweep_cron: When the sweep rings.
    """
    parameters = {
        **address.parameters,
        "application_name": "vtex-tracking, doorbells",
        "options": f"{address.parameters.get('options', '')} -c search_path={address.schema},pg_temp".strip(),
    }
    app = App(connector=PsycopgConnector(kwargs=parameters, min_size=1, max_size=connections))

    @app.task(name=DRAIN, retry=RingAgain())
    async def ring(account: str, order_id: str, invoice_number: str) -> None:
        await drain(PackageKey(account, order_id, invoice_number))

    @app.periodic(cron=sweep_cron)
    @app.task(name=SWEEP, queue=SWEEP_QUEUE, queueing_lock=SWEEP)
    async def sweep_up(timestamp: int) -> None:  # noqa: ARG001 - Procrastinate's argument
        await sweep()

    return app
