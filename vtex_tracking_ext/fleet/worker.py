"""A worker: Procrastinate's, with threads that deliver accounts. It restarts when its database comes back."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from attrs import frozen
from procrastinate.exceptions import ProcrastinateException

from vtex_tracking_ext.bulk.delivery.accounts import MAX_ACCOUNTS
from vtex_tracking_ext.text import REASON_LENGTH, visible

from .sweep import DEAD_SECONDS, SWEEP_SECONDS, Sweep
from .task import make_app, queue_name

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal

    from .work import Work

LOG: Final = logging.getLogger("vtex_tracking_ext.fleet")

#: Seconds before the worker restarts after it lost its database: the first delay, doubled up to the longest.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0

#: Seconds that the end of the worker waits for a sweep.
_SWEEP_TIMEOUT: Final = 5.0


@frozen
class WorkerIntervals:
    """How often a worker checks for tasks.

    Attributes:
        poll_seconds: Seconds between checks for tasks that are due; new ones are noticed at once (LISTEN).
        sweep_seconds: Seconds between sweeps.
        dead_seconds: See :data:`~.sweep.DEAD_SECONDS`.
    """

    poll_seconds: float = 0.5
    sweep_seconds: float = SWEEP_SECONDS
    dead_seconds: float = DEAD_SECONDS


class Worker:
    """Processes tasks until it is stopped.

    Args:
        journal: The journal, with the fleet's tables.
        work: Delivers the accounts to serve.
        intervals: How often it checks for tasks.
    """

    def __init__(self, journal: PostgresJournal, work: Work, intervals: WorkerIntervals | None = None) -> None:
        self._address = journal.address
        self._work = work
        self._intervals = intervals or WorkerIntervals()
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
        intervals = self._intervals
        sweep = Sweep(self._address, self._work.options, intervals.sweep_seconds, intervals.dead_seconds)
        sweep.start()
        try:
            await self._serve_again()
        finally:
            sweep.stop()
            await asyncio.to_thread(self._work.close)
            await asyncio.to_thread(sweep.join, _SWEEP_TIMEOUT)

    async def _serve_again(self) -> None:
        """Serve, again after each loss of the database, until the worker is stopped."""
        pause = _FIRST_PAUSE
        while not self._stopped.is_set():
            self._serving = asyncio.create_task(self._serve())
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

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    async def _serve(self) -> None:
        """Process tasks until the database is not available."""

        async def deliver(account: str) -> None:
            await asyncio.wrap_future(self._work.start(account))

        app = make_app(self._address, deliver)
        try:
            await app.open_async()
            await app.run_worker_async(
                queues=[queue_name(account) for account in self._work.options],
                concurrency=min(self._work.concurrency, MAX_ACCOUNTS),
                fetch_job_polling_interval=self._intervals.poll_seconds,
                update_heartbeat_interval=self._intervals.dead_seconds / 3,
                delete_jobs="always",
                install_signal_handlers=False,
            )
        finally:  # also if opening failed: an open pool keeps the event loop running
            await app.close_async()

    def _error_text(self, error: Exception) -> str:
        return visible(self._address.redact(str(error.__cause__ or error)), REASON_LENGTH)
