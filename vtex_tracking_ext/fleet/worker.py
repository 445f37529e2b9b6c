"""A worker: Procrastinate's, with threads that do the work, started again when its database comes back."""

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

from .enqueue import STALLED_AFTER, Ringing
from .pace import NotYet, Quiet
from .task import SWEEP_CRON, SWEEP_QUEUE, make_app, queue_of
from .work import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from procrastinate import App

    from vtex_tracking_ext.bulk.journal.entries import PackageKey
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal

    from .work import Work

LOG: Final = logging.getLogger("vtex_tracking_ext.fleet")

#: Characters of a reason in the log.
_REASON_LENGTH: Final = 400

#: Seconds before the worker is started again after its database went away: the first, doubled up to the last.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0


@frozen
class Rhythm:
    """How often a worker looks for what it is not told of.

    Attributes:
        look: Seconds between two looks for doorbells that ring later; a new one is heard of at once (LISTEN).
        stalled_after: See :data:`~.enqueue.STALLED_AFTER`.
        sweep: When the sweep rings, as cron has it.
    """

    look: float = 2.0
    stalled_after: float = STALLED_AFTER
    sweep: str = SWEEP_CRON


class Worker:
    """Serves doorbells until it is stopped.

    Args:
        journal: The journal.
        work: What to do for a package.
        labels: The accounts to serve, by their names in the journal.
        concurrency: Packages at once.
        rhythm: How often it looks.
    """

    def __init__(
        self,
        journal: PostgresJournal,
        work: Work,
        labels: Iterable[str],
        concurrency: int = WORKER_CONCURRENCY,
        rhythm: Rhythm | None = None,
    ) -> None:
        self._journal = journal
        self._work = work
        self._queues = [*(queue_of(label) for label in sorted(set(labels))), SWEEP_QUEUE]
        self._concurrency = concurrency
        self._rhythm = rhythm or Rhythm()
        self._ringing = Ringing(journal.connections)
        self._stopped = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Finish the calls on their way, and end. To be called in the event loop; again is no matter."""
        if self._stopped.is_set():
            return
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
                    LOG.warning("the database cannot be used at present: %s", self._words(error))
                else:  # Procrastinate ends so where another of its connections is lost than the one it works with
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
        """Serve doorbells until the database cannot be used."""
        loop = asyncio.get_running_loop()
        queues = list(self._queues)  # Procrastinate goes by this list whenever it looks

        def leave_alone(queue: str, seconds: float) -> None:
            """Take up no doorbell of an account that is quiet: each would only be put off."""
            if queue in queues:
                queues.remove(queue)
                loop.call_later(seconds, queues.append, queue)

        async def drain(package: PackageKey) -> None:
            with _telling(named(package)):
                try:
                    await loop.run_in_executor(threads, self._work.drain, package)
                except Quiet as quiet:
                    leave_alone(queue_of(package.account), quiet.seconds)
                    raise

        async def sweep() -> None:
            with _telling("the sweep"):
                await loop.run_in_executor(threads, self._ring)
                for id_ in await loop.run_in_executor(threads, self._left_behind):
                    with suppress(ConnectorException):  # its worker has come to an end with it just now
                        await app.job_manager.retry_job_by_id_async(id_, dt.datetime.now(dt.UTC))
                        LOG.warning("doorbell %d was left behind by a worker; it rings again", id_)

        app = make_app(self._journal.address, drain, sweep, sweep_cron=self._rhythm.sweep)
        try:
            await app.open_async()
            await self._run(app, queues)
        finally:  # whatever came of opening it: a pool that is left behind keeps the event loop from ending
            await app.close_async()

    async def _run(self, app: App, queues: list[str]) -> None:
        await app.run_worker_async(
            queues=queues,
            concurrency=self._concurrency,
            fetch_job_polling_interval=self._rhythm.look,
            delete_jobs="always",
            install_signal_handlers=False,
        )

    def _ring(self) -> None:
        rung = self._ringing.ring(self._ringing.lacking())
        if rung:
            LOG.info("rang for %d packages that had no doorbell", rung)

    def _left_behind(self) -> list[int]:
        return self._ringing.left_behind(self._journal, self._rhythm.stalled_after)

    def _words(self, error: Exception) -> str:
        return visible(self._journal.address.redacted(str(error.__cause__ or error)), _REASON_LENGTH)


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Log that something failed, because Procrastinate is silent about what rings again."""
    try:
        yield
    except NotYet:
        raise
    except VtexTrackingError as error:
        LOG.warning("%s: not done, later again: %s", what, visible(str(error), _REASON_LENGTH))
        raise
    except Exception:
        LOG.exception("%s: not done, later again", what)
        raise
