"""Which packages lack a doorbell, and ringing for them; the sweep."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from procrastinate import SyncPsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.manager import JobManager

from vtex_tracking_ext.bulk.journal.entries import PackageKey

from .task import DRAIN, lock_of, queue_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.bulk.journal.postgres.connections import Connections

#: Packages that are looked for, and doorbells that are rung, at once.
_BATCH: Final = 1000

#: A page of packages with something to do, and those among them that lack a doorbell; the first column is the page's
#: last package. What is unknown for long waits for a person, for `resolve --read`, or for another event of its package:
#: ringing for it every minute would read its order every minute.
_LACKING: Final = """
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
                -- In the order of letters that Procrastinate's column has: no index of another one would be used.
                WHERE j.lock = ('vtex/' || p.account || '/' || p.order_id || '/' || p.invoice_number) COLLATE "default"
                    AND j.status = 'todo'
            )
    ) AS lacking ON true
    ORDER BY lacking.id
"""
_WAITING: Final = "SELECT queue_name, count(*) FROM procrastinate_jobs WHERE status = 'todo' GROUP BY queue_name"

#: Lets PostgreSQL see how many doorbells there suddenly are. Until it does, which may take a minute, it looks for a
#: package's among all of them. Where this user may not, it does nothing.
_LEARN: Final = "ANALYZE procrastinate_jobs"

#: Doorbells that somebody took up a while ago.
_TAKEN_UP: Final = """
    SELECT j.id, j.args ->> 'account', j.args ->> 'order_id', j.args ->> 'invoice_number'
    FROM procrastinate_jobs j
    WHERE j.status = 'doing' AND j.task_name = %s AND NOT EXISTS (
        SELECT FROM procrastinate_events e
        WHERE e.job_id = j.id AND e.type = 'started'
            -- Not later than now: a clock that was set back would keep them until it is there again.
            AND e.at BETWEEN clock_timestamp() - %s * interval '1 second' AND clock_timestamp()
    )
"""

#: Rings through whichever connection it is given; its connector stays closed.
_JOBS: Final = JobManager(SyncPsycopgConnector())

#: Seconds after which a doorbell that was taken up, and whose package nobody works on, counts as left behind.
STALLED_AFTER: Final = 60


class Ringing:
    """Rings doorbells.

    Args:
        connections: Of the journal.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def lacking(self, labels: Iterable[str] | None = None) -> Iterator[PackageKey]:
        """Yield the packages that have something to do and no doorbell, in the order of their arrival.

        Args:
            labels: Of these accounts alone.
        """
        values: dict[str, Any] = {"last": 0, "page": _BATCH, "labels": None if labels is None else sorted(labels)}
        while True:
            with self._connections.connection() as connection:
                found = connection.execute(_LACKING, values).fetchall()
            values["last"] = found[0][0]
            if values["last"] is None:
                return
            yield from (PackageKey(*names) for _, *names in found if names[0] is not None)

    def ring(self, packages: Iterable[PackageKey]) -> int:
        """Ring for packages, each with a priority by how many wait at its account; return how many there were."""
        with self._connections.connection() as connection:
            waiting = Counter(dict(connection.execute(_WAITING).fetchall()))
        number, remaining = 0, iter(packages)
        while batch := list(islice(remaining, _BATCH)):
            jobs = []
            for package in batch:
                queue = queue_of(package.account)
                jobs.append(_job(package, queue, -waiting[queue]))
                waiting[queue] += 1
            with self._connections.connection() as connection:
                try:
                    _JOBS.batch_defer_jobs(jobs, connection)
                except ConnectorException as error:
                    raise error.__cause__ or error from None  # PostgreSQL's own words, which the journal explains
                if len(batch) == _BATCH and not number:
                    connection.execute(_LEARN)
            number += len(batch)
        return number

    def left_behind(self, journal: Journal, seconds: float = STALLED_AFTER) -> list[int]:
        """Return the doorbells whose worker died or lost its database: taken up a while ago, and nobody at work."""
        with self._connections.connection() as connection:
            taken_up = connection.execute(_TAKEN_UP, (DRAIN, seconds)).fetchall()
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
        lock=lock_of(package),
        queueing_lock=None,
        task_name=DRAIN,
        priority=priority,
        task_kwargs={
            "account": package.account,
            "order_id": package.order_id,
            "invoice_number": package.invoice_number,
        },
    )
