"""Helpers for tests of a fleet: a journal with its tables, rows, tasks, and workers that run in a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from vtex_tracking_ext import TrackingClient
from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.journal.account_name import account_name_of
from vtex_tracking_ext.bulk.journal.entries import PackageKey, Selection
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
from vtex_tracking_ext.fleet.account_pace import Paces
from vtex_tracking_ext.fleet.enqueue import TaskQueue
from vtex_tracking_ext.fleet.tables import create_or_upgrade
from vtex_tracking_ext.fleet.task import make_app
from vtex_tracking_ext.fleet.work import Work
from vtex_tracking_ext.fleet.worker import Worker, WorkerIntervals
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms

from support.journaled import row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vtex_tracking_ext.bulk.journal.entries import State

#: Seconds that a test waits for something at most.
PATIENCE = 30.0

#: A worker that sweeps every second and polls often.
HASTY = WorkerIntervals(poll_seconds=0.1, stalled_seconds=0.5, sweep_cron="* * * * * *")


class StoredTask(NamedTuple):
    """A task in Procrastinate's table."""

    id: int
    queue: str
    lock: str
    priority: int
    status: str
    order_id: str


@contextmanager
def opened(url: str) -> Iterator[PostgresJournal]:
    """Open a journal with the fleet's tables beside it."""
    with PostgresJournal.open(url) as journal:
        with journal.connections.connection() as connection:
            create_or_upgrade(connection)
        yield journal


def order(number: int) -> str:
    """Return the order id of a package."""
    return f"{number}-01"


def package(number: int = 0, account: str = "mystore") -> PackageKey:
    """Return a package."""
    return PackageKey(account, order(number), "1")


def fill(journal: PostgresJournal, packages: int, *texts: str, account: str = "mystore", first: int = 0) -> None:
    """Add events for packages, each package on an order of its own."""
    texts = texts or ("posted",)
    rows = [
        row(number * 100 + line, text, account=account, order_id=order(number))
        for number in range(first, first + packages)
        for line, text in enumerate(texts)
    ]
    assert len(list(journal.add(rows, account))) == len(rows)


def move(journal: PostgresJournal, state: State, key: PackageKey, begun: str = "0 seconds") -> None:
    """Bring a package's pending entries to a state, as if their call had begun a while ago."""
    ids = [entry.id for entry in journal.entries(Selection(("pending",), package=key))]
    journal.mark_in_flight(ids)
    if state != "in_flight":
        journal.record_outcome(ids, state)
    with journal.connections.connection() as connection:
        connection.execute(
            "UPDATE entries SET begun = begun - %s::interval, added = added - %s::interval WHERE id = ANY(%s)",
            (begun, begun, ids),
        )


def states(journal: PostgresJournal, account: str = "mystore") -> Counter[State]:
    """Return how many entries of an account are in each state."""
    return journal.counts().get(account, Counter())


def stored_tasks(journal: PostgresJournal) -> list[StoredTask]:
    """Return the tasks of packages in the order in which they were added."""
    with journal.connections.connection() as connection:
        found = connection.execute(
            "SELECT id, queue_name, lock, priority, status::text, args ->> 'order_id' FROM procrastinate_jobs "
            "WHERE task_name = 'vtex_tracking.drain' ORDER BY id"
        )
        return [StoredTask(*values) for values in found]


def fetch_tasks(journal: PostgresJournal, number: int = 1, queues: Sequence[str] | None = None) -> list[PackageKey]:
    """Start tasks as a worker that dies at once, and return their packages."""

    async def fetch() -> list[PackageKey]:
        app = make_app(journal.address, _nothing, _nothing)
        async with app.open_async():
            worker = await app.job_manager.register_worker()
            jobs = [await app.job_manager.fetch_job(queues, worker) for _ in range(number)]
        told = [job.task_kwargs for job in jobs if job is not None]
        names = ("account", "order_id", "invoice_number")
        return [PackageKey(*(str(one[name]) for name in names)) for one in told]

    return asyncio.run(fetch())


def until(predicate: Callable[[], object]) -> None:
    """Poll until a condition on the database is true."""
    end = time.monotonic() + PATIENCE
    while not predicate():
        assert time.monotonic() < end
        time.sleep(0.02)


def client_at(url: str) -> TrackingClient:
    """Return a client of the sandbox."""
    return TrackingClient("sandbox", app_key=APP_KEY, app_token=APP_TOKEN, base_url=url)


def orders(packages: int, **settings: Any) -> Oms:
    """Return an OMS with the orders of packages."""
    oms = Oms(**settings)
    for number in range(packages):
        oms.add_order(order(number), ["1"])
    return oms


def shown(oms: Oms, number: int) -> list[str]:
    """Return the event texts recorded on an order, oldest first."""
    return [event["description"] for event in oms.applied(order(number), "1")]


class ResultRecorder:
    """Collects the results that a worker reports, and waits for them."""

    def __init__(self) -> None:
        self.news: list[DeliveryResult] = []
        self.pauses: list[AccountPause] = []
        self._changed = threading.Condition()

    def __call__(self, news: DeliveryResult | AccountPause) -> None:
        """Collect a result or a pause."""
        with self._changed:
            if isinstance(news, DeliveryResult):
                self.news.append(news)
            else:
                self.pauses.append(news)
            self._changed.notify_all()

    def entries(self, outcome: str = "applied") -> int:
        """Return how many entries had an outcome."""
        return sum(len(news.entries) for news in self.news if news.outcome == outcome)

    def wait_for(self, predicate: Callable[[], object]) -> None:
        """Wait until a condition is true; it is checked after each result."""
        with self._changed:
            assert self._changed.wait_for(predicate, PATIENCE), (self.news, self.pauses)


class Fleet:
    """A worker in a thread of this process.

    Attributes:
        seen: The results that it reported.
        label: Its account, as the journal names it.
    """

    def __init__(
        self,
        journal: PostgresJournal,
        url: str,
        *,
        rate: float = 200.0,
        options: DeliveryOptions | None = None,
        concurrency: int = 4,
        intervals: WorkerIntervals = HASTY,
    ) -> None:
        self.journal = journal
        self.seen = ResultRecorder()
        self.client = client_at(url)
        self.label = account_name_of(self.client)
        store = Paces(journal.connections)
        self.work = Work(journal, store, lambda _: self.client, rate, options or DeliveryOptions(), self.seen)
        self.worker = Worker(journal, self.work, [self.label], concurrency, intervals)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._began = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="worker")

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()
        assert self._began.wait(PATIENCE)

    def stop(self) -> None:
        """Stop the worker."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.worker.stop)

    def join(self) -> None:
        """Wait for the end of the worker."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self.client.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.join()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began.set()
        await self.worker.run()


def add_tasks(journal: PostgresJournal) -> int:
    """Add a task for each package that needs one."""
    tasks = TaskQueue(journal.connections)
    return tasks.add(tasks.packages_without_task())


async def _nothing(*_: object) -> None:
    """Do nothing."""
