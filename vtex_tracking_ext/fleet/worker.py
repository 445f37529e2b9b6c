"""A worker: Procrastinate's, with threads that do the work, started again when its database comes back."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from procrastinate.exceptions import ProcrastinateException

from .doorbell import SWEEP_QUEUE, make_app, queue_of
from .ringing import Ringing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vtex_tracking_ext.bulk.entries import PackageKey
    from vtex_tracking_ext.bulk.postgres import PostgresJournal

    from .work import Work

LOG: Final = logging.getLogger("vtex_tracking_ext.fleet")

#: Packages that one worker works on at once, unless told otherwise.
DEFAULT_CONCURRENCY: Final = 16

#: Seconds between two looks for doorbells; a new one is heard of at once (LISTEN).
_POLL: Final = 5.0

#: Seconds before the worker is started again after its database went away: the first, doubled up to the last.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0


class Worker:
    """Serves doorbells until it is stopped.

    Args:
        journal: The journal.
        work: What to do for a package.
        labels: The accounts to serve, by their names in the journal.
        concurrency: Packages at once.
        seconds: Between two looks for doorbells.
    """

    def __init__(
        self,
        journal: PostgresJournal,
        work: Work,
        labels: Iterable[str],
        concurrency: int = DEFAULT_CONCURRENCY,
        seconds: float = _POLL,
    ) -> None:
        self._journal = journal
        self._work = work
        self._queues = [*(queue_of(label) for label in sorted(set(labels))), SWEEP_QUEUE]
        self._concurrency = concurrency
        self._seconds = seconds
        self._ringing = Ringing(journal.connections)
        self._stopped = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Finish the calls on their way, and end. To be called in the event loop."""
        self._stopped.set()
        self._work.stop()
        if self._serving is not None:
            self._serving.cancel()

    async def run(self) -> None:
        """Serve doorbells until :meth:`stop`."""
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
                    LOG.warning("the database cannot be used at present: %s", error)
                if asyncio.get_running_loop().time() - began > _LONGEST_PAUSE:
                    pause = _FIRST_PAUSE
                await self._wait(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            await asyncio.get_running_loop().run_in_executor(threads, self._work.close)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    async def _serve(self, threads: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()

        async def drain(package: PackageKey) -> None:
            await loop.run_in_executor(threads, self._work.drain, package)

        async def sweep() -> None:
            await loop.run_in_executor(threads, self._sweep)
            for id_ in await loop.run_in_executor(threads, self._ringing.left_behind, self._journal):
                LOG.warning("doorbell %d was left behind by a worker; it rings again", id_)
                await app.job_manager.retry_job_by_id_async(id_, dt.datetime.now(dt.UTC))

        app = make_app(self._journal.address, drain, sweep)
        async with app.open_async():
            await app.run_worker_async(
                queues=self._queues,
                concurrency=self._concurrency,
                fetch_job_polling_interval=self._seconds,
                delete_jobs="always",
                install_signal_handlers=False,
            )

    def _sweep(self) -> None:
        rung = self._ringing.ring(self._ringing.lacking())
        if rung:
            LOG.info("rang for %d packages that had no doorbell", rung)
