"""Procrastinate's tasks: which packages need one, adding them, and those of dead workers."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from procrastinate import SyncPsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.manager import JobManager

from vtex_tracking_ext.bulk.journal.entries import PackageKey

from .task import DRAIN, lock_name, queue_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.bulk.journal.postgres.connections import Connections

#: Packages that are selected, and tasks that are added, at once.
_BATCH: Final = 1000

#: A page of packages with open entries, and those of them without a task; the first column is the page's last package.
#: Entries that have been unknown for long wait for a person, for `resolve --read`, or for another event of the package:
#: a task every minute would read the order every minute.
_WITHOUT_TASK: Final = """
    WITH open AS (
        SELECT package, bool_or(state = 'in_flight') AS was_left,
            bool_or(state = 'unknown') AS is_doubtful,
            bool_or(greatest(added, begun) > clock_timestamp() - interval '10 minutes') AS is_fresh
        FROM entries WHERE state IN ('pending', 'in_flight', 'unknown') AND package > %(last)s
        GROUP BY package ORDER BY package LIMIT %(page)s
    )
    SELECT page.last, lacking.account, lacking.order_id, lacking.invoice_number
    FROM (SELECT max(package) AS last FROM open) AS page LEFT JOIN (
        SELECT p.* FROM open JOIN packages p ON p.id = open.package
        WHERE (%(labels)s::text[] IS NULL OR p.account = ANY(%(labels)s))
            AND (was_left OR is_fresh OR NOT is_doubtful)
            AND NOT EXISTS (
                SELECT FROM procrastinate_jobs j
                -- With the collation of Procrastinate's column; otherwise the index is not used.
                WHERE j.lock = ('vtex/' || p.account || '/' || p.order_id || '/' || p.invoice_number) COLLATE "default"
                    AND j.status = 'todo'
            )
    ) AS lacking ON true
    ORDER BY lacking.id
"""
_WAITING_TASKS: Final = "SELECT queue_name, count(*) FROM procrastinate_jobs WHERE status = 'todo' GROUP BY queue_name"

#: Updates PostgreSQL's statistics after many tasks were added; otherwise it may scan all tasks for a minute. Without
#: the permission, it does nothing.
_ANALYZE: Final = "ANALYZE procrastinate_jobs"

#: Tasks that a worker started a while ago.
_STARTED_TASKS: Final = """
    SELECT j.id, j.args ->> 'account', j.args ->> 'order_id', j.args ->> 'invoice_number'
    FROM procrastinate_jobs j
    WHERE j.status = 'doing' AND j.task_name = %s AND NOT EXISTS (
        SELECT FROM procrastinate_events e
        WHERE e.job_id = j.id AND e.type = 'started'
            -- Not in the future, which a clock that was set back can cause.
            AND e.at BETWEEN clock_timestamp() - %s * interval '1 second' AND clock_timestamp()
    )
"""

#: Adds tasks through the connection of each call; its connector stays closed.
_JOBS: Final = JobManager(SyncPsycopgConnector())

#: Seconds after which a started task counts as stalled if no worker has locked its package.
STALLED_SECONDS: Final = 60


class TaskQueue:
    """Adds and finds tasks.

    Args:
        connections: The journal's connections.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def packages_without_task(self, labels: Iterable[str] | None = None) -> Iterator[PackageKey]:
        """Yield the packages that have open entries and no task, in the order of their arrival.

        Args:
            labels: Only these accounts, as the journal names them.
        """
        values: dict[str, Any] = {"last": 0, "page": _BATCH, "labels": None if labels is None else sorted(labels)}
        while True:
            with self._connections.connection() as connection:
                found = connection.execute(_WITHOUT_TASK, values).fetchall()
            values["last"] = found[0][0]
            if values["last"] is None:
                return
            yield from (PackageKey(*names) for _, *names in found if names[0] is not None)

    def add(self, packages: Iterable[PackageKey]) -> int:
        """Add a task for each package, with a priority by its account's waiting tasks; return their number."""
        with self._connections.connection() as connection:
            waiting = Counter(dict(connection.execute(_WAITING_TASKS).fetchall()))
        number, remaining = 0, iter(packages)
        while batch := list(islice(remaining, _BATCH)):
            jobs = []
            for package in batch:
                queue = queue_name(package.account)
                jobs.append(_job(package, queue, -waiting[queue]))
                waiting[queue] += 1
            with self._connections.connection() as connection:
                try:
                    _JOBS.batch_defer_jobs(jobs, connection)
                except ConnectorException as error:
                    raise error.__cause__ or error from None  # PostgreSQL's own error, which the journal translates
                if len(batch) == _BATCH and not number:
                    connection.execute(_ANALYZE)
            number += len(batch)
        return number

    def stalled(self, journal: Journal, seconds: float = STALLED_SECONDS) -> list[int]:
        """Return started tasks whose worker died or lost its database: no worker has locked their packages."""
        with self._connections.connection() as connection:
            taken_up = connection.execute(_STARTED_TASKS, (DRAIN, seconds)).fetchall()
        stalled = []
        for id_, *package in taken_up:
            with journal.try_lock(PackageKey(*package)) as is_free:
                if is_free:
                    stalled.append(int(id_))
        return stalled


def _job(package: PackageKey, queue: str, priority: int) -> Job:
    return Job(
        id=None,
        queue=queue,
        lock=lock_name(package),
        queueing_lock=None,
        task_name=DRAIN,
        priority=priority,
        task_kwargs={
            "account": package.account,
            "order_id": package.order_id,
            "invoice_number": package.invoice_number,
        },
    )
