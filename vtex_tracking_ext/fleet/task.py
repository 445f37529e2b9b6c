"""Procrastinate's task: one account has something to do. It names the account and nothing else.

The journal has the entries, their order and the leases, so lost, duplicate, late and superfluous tasks are harmless:
the sweep adds missing ones, and a task for an account without anything to do ends at once. An account has at most one
waiting task (``queueing_lock``), which starts after the running one has ended (``lock``).

Each account has a queue of its own, so that a worker can serve selected accounts.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from procrastinate import App, PsycopgConnector

from vtex_tracking_ext.bulk.journal.postgres.session import configuration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from psycopg import AsyncConnection

    from vtex_tracking_ext.bulk.journal.postgres.address import Address

#: Name of the task, as Procrastinate's shell shows it.
DELIVER: Final = "vtex_tracking.deliver"

#: Bytes of a queue's name: PostgreSQL allows 63 for a channel, of which Procrastinate's prefix takes 23.
QUEUE_LENGTH: Final = 40


def queue_name(account: str) -> str:
    """Return the name of an account's queue: the account's, or a digest of a long name.

    The function ``vtex_tracking_add_task`` in the database (see :mod:`.tables`) does the same.
    """
    name = account.encode()
    return account if len(name) <= QUEUE_LENGTH else hashlib.sha256(name).hexdigest()[:QUEUE_LENGTH]


def make_app(address: Address, deliver: Callable[[str], Awaitable[None]], connections: int = 4) -> App:
    """Return the Procrastinate app.

    Args:
        address: The journal's address; Procrastinate's tables are in the same schema.
        deliver: Delivers an account.
        connections: Maximum number of connections; one more listens.
    """
    parameters = {**address.parameters, "client_encoding": "UTF8", "application_name": "vtex-tracking, tasks"}

    async def configure(connection: AsyncConnection[Any]) -> None:
        await connection.execute(*configuration(address.schema))
        await connection.commit()

    app = App(connector=PsycopgConnector(kwargs=parameters, configure=configure, min_size=1, max_size=connections))

    @app.task(name=DELIVER)
    async def deliver_account(account: str) -> None:
        await deliver(account)

    return app
