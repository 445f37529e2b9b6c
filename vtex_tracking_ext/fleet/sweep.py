"""What each worker repeats every minute: say which accounts it serves, and add tasks that are missing."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.bulk.journal.entries import OPEN_STATES
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.postgres.connections import connect
from vtex_tracking_ext.bulk.journal.postgres.locks import lock_number
from vtex_tracking_ext.text import REASON_LENGTH, visible

from .task import DELIVER, queue_name

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
    from vtex_tracking_ext.bulk.journal.postgres.address import Address
    from vtex_tracking_ext.bulk.journal.postgres.schema import Connection

LOG: Final = logging.getLogger("vtex_tracking_ext.fleet")

#: Seconds between two sweeps.
SWEEP_SECONDS: Final = 60.0

#: Seconds after which a worker counts as dead that has sent no heartbeat. It sends three in that time.
DEAD_SECONDS: Final = 30.0

#: Seconds until the next attempt after the database was not available.
_RETRY_SECONDS: Final = 5.0

#: Says for 150 seconds, two sweeps and a half, that a worker delivers these accounts; null: no longer.
_SERVE: Final = """
    INSERT INTO accounts (name, served_until)
    SELECT name, clock_timestamp() + %(seconds)s::float8 * interval '1 second' FROM unnest(%(accounts)s::text[]) AS name
    ON CONFLICT (name) DO UPDATE SET served_until = excluded.served_until
"""

#: Deletes the running tasks of dead workers; they would block their accounts for ever.
_DELETE_DEAD_TASKS: Final = f"""
    DELETE FROM procrastinate_jobs j
    WHERE j.task_name = '{DELIVER}' AND j.status = 'doing' AND j.queue_name = ANY(%(queues)s) AND NOT EXISTS (
        SELECT FROM procrastinate_workers w
        WHERE w.id = j.worker_id AND w.last_heartbeat > now() - %(dead_seconds)s * interval '1 second'
    )
    RETURNING j.lock
"""  # noqa: S608 - constants

#: Accounts with something to do and no task that is running or due. A package has something to do now if all of its
#: open entries that are not held are pending, or if a process that died left entries in flight. For other entries in
#: doubt, there must be a task, which knows when to read their order; without resend_after, it may be that nothing is to
#: be read any more.
_DUE: Final = f"""
    SELECT a.name FROM accounts a
        -- With the collation of Procrastinate's columns; otherwise its indexes are not used.
        LEFT JOIN procrastinate_jobs task ON task.queueing_lock = a.name COLLATE "default" AND task.status = 'todo'
    WHERE a.name = ANY(%(accounts)s) AND (task.id IS NULL OR task.scheduled_at IS NOT NULL)
        AND NOT EXISTS (
            SELECT FROM procrastinate_jobs WHERE lock = a.name COLLATE "default" AND status = 'doing'
        )
        AND EXISTS (
            SELECT FROM entries WHERE account = a.id AND state IN {OPEN_STATES}
                AND coalesce(not_before <= clock_timestamp(), TRUE) GROUP BY package HAVING
                bool_and(state = 'pending')
                OR bool_or(state = 'pending') AND a.name = ANY(%(sending_on)s)
                OR bool_or(state = 'in_flight')
                OR task.id IS NULL AND a.name = ANY(%(resending)s)
        )
    ORDER BY a.name
"""  # noqa: S608 - constants

#: An account at a time: no other lock is held while this waits for a transaction that changes the same task.
_ADD_TASK: Final = "SELECT vtex_tracking_add_task(%s, worker_start => %s)"


class Sweep:
    """Sweeps regularly, in a thread and with a connection of its own, until it is stopped.

    The connection has the lock ``serving``, which shows that the worker is alive.

    Args:
        address: The journal's address.
        options: The accounts that the worker serves, as the journal names them, and how it delivers each.
        seconds: Seconds between two sweeps.
        dead_seconds: See :data:`DEAD_SECONDS`.
    """

    def __init__(
        self,
        address: Address,
        options: Mapping[str, DeliveryOptions],
        seconds: float = SWEEP_SECONDS,
        dead_seconds: float = DEAD_SECONDS,
    ) -> None:
        self._address = address
        self._values: dict[str, Any] = {
            "accounts": sorted(options),  # as the journal locks them
            "queues": [queue_name(account) for account in options],
            "sending_on": [account for account, each in options.items() if each.send_after_unknown],
            "resending": [account for account, each in options.items() if each.resend_after is not None],
            "dead_seconds": dead_seconds,
            "seconds": 2.5 * seconds,
        }
        self._seconds = seconds
        self._worker_start: dt.datetime | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)

    def start(self) -> None:
        """Start sweeping."""
        self._thread.start()

    def stop(self) -> None:
        """End after the current sweep. Idempotent."""
        self._stopped.set()

    def join(self, timeout: float) -> None:
        """Wait until it has ended, for so many seconds at most: a database may not answer."""
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with connect(self._address) as connection:
                    self._sweep_regularly(connection)
            except JournalError as error:
                LOG.warning("the sweep failed, will be retried: %s", visible(str(error), REASON_LENGTH))
            self._stopped.wait(min(_RETRY_SECONDS, self._seconds))

    def _sweep_regularly(self, connection: Connection) -> None:
        number = lock_number("serving", self._address.schema)
        connection.execute("SELECT pg_advisory_lock_shared(%s)", (number,))
        while not self._stopped.is_set():
            self.sweep(connection)
            self._stopped.wait(self._seconds)
        connection.execute(_SERVE, {**self._values, "seconds": None})

    def sweep(self, connection: Connection) -> int:
        """Sweep once, and return the number of accounts that had something to do and no task."""
        if self._worker_start is None:
            ((self._worker_start,),) = connection.execute("SELECT clock_timestamp()")
        connection.execute(_SERVE, self._values)
        for (account,) in connection.execute(_DELETE_DEAD_TASKS, self._values).fetchall():
            LOG.warning("%s: its worker died, or lost its database", visible(account))
        due = connection.execute(_DUE, self._values).fetchall()
        for (account,) in due:
            connection.execute(_ADD_TASK, (account, self._worker_start))
        return len(due)
