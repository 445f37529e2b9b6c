"""A worker: Procrastinate's, with threads that deliver packages. It restarts when its database comes back."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from attrs import frozen
from procrastinate.exceptions import ConnectorException, ProcrastinateException

from vtex_tracking_ext.config.defaults import WORKER_CONCURRENCY
from vtex_tracking_ext.errors import VtexTrackingError
from vtex_tracking_ext.text import visible

from .enqueue import STALLED_SECONDS, TaskQueue
from .pace import AccountPaused, RetryLater
from .task import SWEEP_CRON, SWEEP_QUEUE, make_app, queue_name
from .work import package_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from procrastinate import App

    from vtex_tracking_ext.bulk.journal.entries import PackageKey
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal

    from .work import Work

LOG: Final = logging.getLogger("vtex_tracking_ext.fleet")

#: Characters of a reason in the log.
_REASON_LENGTH: Final = 400

#: Seconds before the worker restarts after it lost its database: the first delay, doubled up to the longest.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0


@frozen
class WorkerIntervals:
    """How often a worker checks for tasks.

    Attributes:
        poll_seconds: Seconds between checks for tasks that are due; new ones are noticed at once (LISTEN).
        stalled_seconds: See :data:`~.enqueue.STALLED_SECONDS`.
        sweep_cron: When the sweep runs, in cron's format.
    """

    poll_seconds: float = 2.0
    stalled_seconds: float = STALLED_SECONDS
    sweep_cron: str = SWEEP_CRON


class Worker:
    """Processes tasks until it is stopped.

    Args:
        journal: The journal.
        work: Delivers a package.
        labels: The accounts to serve, as the journal names them.
        concurrency: Packages at once.
        intervals: How often it checks for tasks.
    """

    def __init__(
        self,
        journal: PostgresJournal,
        work: Work,
        labels: Iterable[str],
        concurrency: int = WORKER_CONCURRENCY,
        intervals: WorkerIntervals | None = None,
    ) -> None:
        self._journal = journal
        self._work = work
        self._queues = [*(queue_name(label) for label in sorted(set(labels))), SWEEP_QUEUE]
        self._concurrency = concurrency
        self._intervals = intervals or WorkerIntervals()
        self._tasks = TaskQueue(journal.connections)
        self._stopped = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Finish the calls in flight and stop. Idempotent; call it in the event loop."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._work.stop()
        if self._serving is not None:
            self._serving.cancel()

    async def run(self) -> None:
        """Process tasks until :meth:`stop`."""
        pause = _FIRST_PAUSE
        with ThreadPoolExecutor(self._concurrency + 1, thread_name_prefix="drain") as threads:
            while not self._stopped.is_set():
                self._serving = asyncio.create_task(self._serve(threads))
                began = asyncio.get_running_loop().time()
                try:
                    await self._serving
                except asyncio.CancelledError:
                    if not self._stopped.is_set():
                        raise
                except (ProcrastinateException, OSError) as error:
                    LOG.warning("the database is not available: %s", self._error_text(error))
                else:  # Procrastinate ends like this if it loses a connection other than that of its current query
                    LOG.warning("the connection to the database was lost")
                if asyncio.get_running_loop().time() - began > _LONGEST_PAUSE:
                    pause = _FIRST_PAUSE
                await self._wait(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            await asyncio.get_running_loop().run_in_executor(threads, self._work.close)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    async def _serve(self, threads: ThreadPoolExecutor) -> None:
        """Process tasks until the database is not available."""
        loop = asyncio.get_running_loop()
        queues = list(self._queues)  # Procrastinate reads this list at each check

        def pause_queue(queue: str, seconds: float) -> None:
            """Start no tasks of a paused account: each would only be rescheduled."""
            if queue in queues:
                queues.remove(queue)
                loop.call_later(seconds, queues.append, queue)

        async def drain(package: PackageKey) -> None:
            with _log_failures(package_name(package)):
                try:
                    await loop.run_in_executor(threads, self._work.process, package)
                except AccountPaused as quiet:
                    pause_queue(queue_name(package.account), quiet.seconds)
                    raise

        async def sweep() -> None:
            with _log_failures("the sweep"):
                await loop.run_in_executor(threads, self._add_missing_tasks)
                for id_ in await loop.run_in_executor(threads, self._stalled_tasks):
                    with suppress(ConnectorException):  # its worker has just finished it
                        await app.job_manager.retry_job_by_id_async(id_, dt.datetime.now(dt.UTC))
                        LOG.warning("task %d was abandoned by a worker; retrying it", id_)

        app = make_app(self._journal.address, drain, sweep, sweep_cron=self._intervals.sweep_cron)
        try:
            await app.open_async()
            await self._run(app, queues)
        finally:  # also if opening failed: an open pool keeps the event loop running
            await app.close_async()

    async def _run(self, app: App, queues: list[str]) -> None:
        await app.run_worker_async(
            queues=queues,
            concurrency=self._concurrency,
            fetch_job_polling_interval=self._intervals.poll_seconds,
            delete_jobs="always",
            install_signal_handlers=False,
        )

    def _add_missing_tasks(self) -> None:
        added = self._tasks.add(self._tasks.packages_without_task())
        if added:
            LOG.info("added tasks for %d packages without one", added)

    def _stalled_tasks(self) -> list[int]:
        return self._tasks.stalled(self._journal, self._intervals.stalled_seconds)

    def _error_text(self, error: Exception) -> str:
        return visible(self._journal.address.redact(str(error.__cause__ or error)), _REASON_LENGTH)


@contextmanager
def _log_failures(what: str) -> Iterator[None]:
    """Log a failure, because Procrastinate does not log tasks that are retried."""
    try:
        yield
    except RetryLater:
        raise
    except VtexTrackingError as error:
        LOG.warning("%s: failed, will be retried: %s", what, visible(str(error), _REASON_LENGTH))
        raise
    except Exception:
        LOG.exception("%s: failed, will be retried", what)
        raise
