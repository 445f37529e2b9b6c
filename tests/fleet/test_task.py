"""The names of queues and locks, the retry of tasks, and the app."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from procrastinate.jobs import Job

from vtex_tracking_ext.bulk.journal.entries import PackageKey
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, parse_url
from vtex_tracking_ext.fleet.pace import AccountPaused, RetryLater
from vtex_tracking_ext.fleet.task import (
    DRAIN,
    FAILURE_RETRY_SECONDS,
    SWEEP,
    SWEEP_QUEUE,
    TaskRetryStrategy,
    lock_name,
    make_app,
    queue_name,
)

from support.fleets import add_tasks, fetch_tasks, fill, opened, package, stored_tasks

if TYPE_CHECKING:
    from datetime import datetime

#: What PostgreSQL takes for the name of a channel, in bytes, and what Procrastinate calls a queue's.
CHANNEL = 63
PREFIX = "procrastinate_queue_v1#"


@pytest.mark.parametrize("account", ["mystore", "a" * 40, "mystore@127.0.0.1:8000", "\u00e7" * 20])
def test_a_queue_has_the_name_of_its_account(account: str) -> None:
    """A name within the limit is used as it is."""
    assert queue_name(account) == account


@pytest.mark.parametrize(
    "account",
    ["a" * 41, "a" * 500, "\u00e7" * 21, "a" + "\u00e7" * 200, "mystore@oms.proxy.warehouse.example.com:8443"],
)
def test_a_long_account_has_a_queue_of_its_own(account: str) -> None:
    """PostgreSQL accepts the name of its channel."""
    queue = queue_name(account)
    assert len((PREFIX + queue).encode()) <= CHANNEL
    assert queue.startswith(account[:10])
    assert queue != queue_name(account + "b")
    assert queue == queue_name(account)


def test_tasks_of_an_account_with_a_long_name_are_processed(journal: PostgresJournal) -> None:
    """Such as an account with another address."""
    account = "mystore@oms.proxy.warehouse.example.com:8443"
    fill(journal, 1, account=account)
    fill(journal, 1)
    assert add_tasks(journal) == 2
    assert fetch_tasks(journal, 2, [queue_name(account)]) == [package(0, account)]
    assert {task.queue: task.status for task in stored_tasks(journal)} == {
        queue_name(account): "doing",
        "mystore": "todo",
    }


def test_each_package_has_its_lock() -> None:
    """The lock has account, order and invoice."""
    assert lock_name(PackageKey("MyStore", "o-01", "7")) == "vtex/mystore/o-01/7"


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (RetryLater(0, "the worker is stopping"), 1),
        (RetryLater(1, "soon"), 1),
        (AccountPaused(6.5, "429"), 7),
        (RetryLater(60, "429"), 60),
        (RuntimeError("a mistake"), FAILURE_RETRY_SECONDS),
        (asyncio.CancelledError(), FAILURE_RETRY_SECONDS),
    ],
)
def test_failed_tasks_are_retried(error: BaseException, seconds: int) -> None:
    """The delay is that of RetryLater, rounded up to seconds, or a fixed one."""
    job = Job(id=1, queue="mystore", lock=None, queueing_lock=None, task_name=DRAIN)
    decision = TaskRetryStrategy().get_retry_decision(exception=error, job=job)
    now = decision.retry_at
    assert now is not None
    assert seconds - 1 < (now - _now(now)).total_seconds() <= seconds


def _now(like: datetime) -> datetime:
    return type(like).now(like.tzinfo)


def test_the_app_calls_the_functions(journal: PostgresJournal) -> None:
    """Packages are passed unchanged; no account can have the queue of the sweep."""
    done: list[Any] = []

    async def drain(key: PackageKey) -> None:
        done.append(key)

    async def sweep() -> None:
        done.append("swept")

    async def run() -> None:
        app = make_app(journal.address, drain, sweep)
        assert app.tasks[SWEEP].queue == SWEEP_QUEUE
        async with app.open_async():
            await app.tasks[SWEEP].defer_async(timestamp=0)
            await app.run_worker_async(wait=False, delete_jobs="always", install_signal_handlers=False)

    fill(journal, 1)
    add_tasks(journal)
    asyncio.run(run())
    assert sorted(map(str, set(done))) == sorted([str(package(0)), "swept"])
    assert stored_tasks(journal) == []


def test_options_of_the_address_are_kept(journal_url: str) -> None:
    """They are passed together with the schema of the tables."""
    with opened(journal_url):
        pass
    address = parse_url(f"{journal_url}&options=-c%20statement_timeout%3D12s")

    async def ask() -> list[Any]:
        app = make_app(address, _nothing, _nothing)
        async with app.open_async():
            settings = "SELECT current_setting('statement_timeout') AS timeout, current_schema() AS schema"
            return [await app.connector.execute_query_one_async(settings)]

    assert asyncio.run(ask()) == [{"timeout": "12s", "schema": address.schema}]


async def _nothing(*_: object) -> None:
    """Do nothing."""
