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
from vtex_tracking_ext.fleet.tables import create_or_upgrade
from vtex_tracking_ext.fleet.task import make_app
from vtex_tracking_ext.fleet.work import Work
from vtex_tracking_ext.fleet.worker import Worker, WorkerIntervals
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms

from support.journaled import row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vtex_tracking_ext.bulk.journal.entries import State

#: Seconds that a test waits for something at most.
PATIENCE = 30.0

#: A worker that sweeps and polls often, and that soon takes over from a dead one.
HASTY = WorkerIntervals(poll_seconds=0.1, sweep_seconds=0.3, dead_seconds=0.5)

#: A worker that sweeps once, at its start.
LAZY = WorkerIntervals(poll_seconds=0.1, sweep_seconds=600.0)


class StoredTask(NamedTuple):
    """A task in Procrastinate's table.

    Attributes:
        delay: Seconds until it is due, or None if it is due at once.
    """

    id: int
    queue: str
    lock: str
    queueing_lock: str
    status: str
    account: str
    delay: float | None


@contextmanager
def opened(url: str) -> Iterator[PostgresJournal]:
    """Open a journal with the fleet's tables beside it."""
    with PostgresJournal.open(url) as journal:
        with journal.connections.connection() as connection:
            create_or_upgrade(connection)
        yield journal


#: Names of a thousand accounts.
THOUSAND = [f"store{number}" for number in range(1000)]


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
    assert len(list(journal.add(rows))) == len(rows)


def fill_many(journal: PostgresJournal, accounts: Iterable[str], packages: int) -> None:
    """Add an event for each of so many packages of each account, with a few statements."""
    names = list(accounts)
    with journal.connections.connection() as connection, connection.transaction():
        connection.execute("INSERT INTO sources (name) VALUES ('many.csv')")
        connection.execute(
            "INSERT INTO accounts (name, revision) SELECT name, 1 FROM unnest(%s::text[]) AS name", (names,)
        )
        connection.execute(
            """
            INSERT INTO packages (account, order_id, invoice_number)
            SELECT name, number || '-01', '1' FROM unnest(%s::text[]) AS name, generate_series(1, %s) AS number
            """,
            (names, packages),
        )
        connection.execute("""
            INSERT INTO entries (account, package, key, event_date, event_city, event_state, event_description, source,
                line, state, added)
            SELECT a.id, p.id, decode(md5(p.id::text), 'hex'), '2026-10-01', '', '', 'posted', s.id, 1, 'pending', now()
            FROM packages p JOIN accounts a ON a.name = p.account JOIN sources s ON s.name = 'many.csv'
        """)


def move(journal: PostgresJournal, state: State, key: PackageKey, begun: str = "0 seconds") -> None:
    """Bring a package's pending entries to a state, as if their call had begun a while ago, and had just ended."""
    entries = [*journal.entries(Selection(("pending",), package=key))]
    with journal.lease(key.account) as lease:
        assert lease is not None
        lease.begin(entries)
        if state != "in_flight":
            lease.settle(entries, state)  # type: ignore[arg-type]
    execute(
        journal,
        "UPDATE entries SET begun = begun - %s::interval, added = added - %s::interval WHERE id = ANY(%s)",
        begun,
        begun,
        [entry.id for entry in entries],
    )


def execute(journal: PostgresJournal, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Execute a statement, and return its records."""
    with journal.connections.connection() as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def states(journal: PostgresJournal, account: str = "mystore") -> Counter[State]:
    """Return how many entries of an account are in each state."""
    return journal.counts().get(account, Counter())


def stored_tasks(journal: PostgresJournal) -> list[StoredTask]:
    """Return the tasks in the order in which they were added."""
    statement = """
        SELECT id, queue_name, lock, queueing_lock, status::text, args ->> 'account',
            extract(epoch FROM scheduled_at - clock_timestamp())::float8
        FROM procrastinate_jobs WHERE task_name = 'vtex_tracking.deliver' ORDER BY id
    """
    return [StoredTask(*values) for values in execute(journal, statement)]


def clear_tasks(journal: PostgresJournal) -> None:
    """Delete all tasks, as if they had been lost."""
    execute(journal, "DELETE FROM procrastinate_jobs")


def fetch_tasks(journal: PostgresJournal, number: int = 1, queues: Sequence[str] | None = None) -> list[str]:
    """Start tasks as a worker that dies at once, and return their accounts."""

    async def fetch() -> list[str]:
        app = make_app(journal.address, _nothing)
        async with app.open_async():
            worker = await app.job_manager.register_worker()
            jobs = [await app.job_manager.fetch_job(queues, worker) for _ in range(number)]
        return [str(job.task_kwargs["account"]) for job in jobs if job is not None]

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
        intervals: WorkerIntervals = HASTY,
        **options: Any,
    ) -> None:
        self.journal = journal
        self.seen = ResultRecorder()
        self.client = client_at(url)
        self.label = account_name_of(self.client)
        chosen = DeliveryOptions(**{"concurrency": 4, "slice_seconds": 30.0, **options})
        self.work = Work(
            journal, lambda _: self.client, rate, {self.label: chosen}, self.seen, concurrency=chosen.concurrency
        )
        self.worker = Worker(journal, self.work, intervals)
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


async def _nothing(_: str) -> None:
    """Do nothing."""
