"""A worker of a fleet processes tasks, stops cleanly, survives its database, and takes over from dead workers."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import psycopg
import pytest
from attrs import evolve
from procrastinate.exceptions import ConnectorException

from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.fleet import pace, task
from vtex_tracking_ext.fleet import worker as module
from vtex_tracking_ext.fleet.account_pace import Paces
from vtex_tracking_ext.fleet.pace import RetryLater
from vtex_tracking_ext.fleet.task import queue_name
from vtex_tracking_ext.fleet.worker import WorkerIntervals
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, OmsSettings, running

from support.fleets import HASTY, PATIENCE, Fleet, add_tasks, fill, opened, orders, shown, states, stored_tasks, until
from support.killing.vtex import Faults, Strike, Vtex
from support.postgres import Databases, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.bulk.journal.entries import PackageKey
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal

#: A worker that nobody would wait for.
LAZY = WorkerIntervals(poll_seconds=0.1, sweep_cron="0 0 29 2 *")


def vtex_of(oms: Oms) -> Vtex:
    """Return a server that behaves, and that can strike."""
    return Vtex(oms, Faults(0.0, 1, ("",)), PATIENCE)


@pytest.fixture
def oms() -> Oms:
    """Return an OMS with some orders."""
    return orders(12)


@pytest.fixture
def url(oms: Oms) -> Iterator[str]:
    """Return the address of a running sandbox."""
    with running(oms) as url:
        yield url


def test_a_worker_processes_waiting_and_new_tasks(journal: PostgresJournal, oms: Oms, url: str) -> None:
    """Each package's events are sent in order."""
    fleet = Fleet(journal, url, intervals=LAZY)
    fill(journal, 6, "one", "two", account=fleet.label)
    assert add_tasks(journal) == 6
    with fleet:
        fleet.seen.wait_for(lambda: fleet.seen.entries() == 12)
        fill(journal, 6, "one", "two", account=fleet.label, first=6)
        assert add_tasks(journal) == 6
        fleet.seen.wait_for(lambda: fleet.seen.entries() == 24)
        until(lambda: not stored_tasks(journal))
    assert [shown(oms, number) for number in range(12)] == [["one", "two"]] * 12


def test_the_sweep_adds_missing_tasks(
    journal: PostgresJournal, oms: Oms, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A lost task does no harm."""
    fleet = Fleet(journal, url)
    fill(journal, 3, account=fleet.label)
    with caplog.at_level(logging.INFO, "vtex_tracking_ext.fleet"), fleet:
        fleet.seen.wait_for(lambda: fleet.seen.entries() == 3)
    assert [shown(oms, number) for number in range(3)] == [["posted"]] * 3
    assert "added tasks for 3 packages without one" in caplog.text


def test_a_worker_processes_its_accounts_only(journal: PostgresJournal, url: str) -> None:
    """Tasks of other accounts are left for other workers."""
    fleet = Fleet(journal, url)
    fill(journal, 2, account="other")
    add_tasks(journal)
    fill(journal, 2, account=fleet.label)
    with fleet:
        fleet.seen.wait_for(lambda: fleet.seen.entries() == 2)
    assert states(journal, "other") == {"pending": 2}
    assert [task.queue for task in stored_tasks(journal)] == ["other"] * 2


def test_two_workers_share_the_work(journal: PostgresJournal, oms: Oms, url: str) -> None:
    """Nothing is sent twice."""
    one, other = Fleet(journal, url, concurrency=2), Fleet(journal, url, concurrency=2)
    fill(journal, 12, "one", "two", account=one.label)
    with one, other:
        add_tasks(journal)
        one.seen.wait_for(lambda: one.seen.news)
        other.seen.wait_for(lambda: other.seen.news)
        until(lambda: states(journal, one.label) == {"applied": 24})
    assert [shown(oms, number) for number in range(12)] == [["one", "two"]] * 12


def test_stopping_finishes_the_calls_in_flight(journal: PostgresJournal, oms: Oms) -> None:
    """No entry is left in flight, and the remaining tasks wait for other workers."""
    vtex = vtex_of(oms)
    with vtex.server:
        fleet = Fleet(
            journal, vtex.server.url, concurrency=3, options=DeliveryOptions(events_per_call=1), intervals=LAZY
        )
        fill(journal, 12, "one", "two", account=fleet.label)
        add_tasks(journal)
        ends = threading.Event()

        def strike() -> None:
            fleet.stop()
            fleet.stop()  # in doubt, people press it twice
            assert fleet._loop is not None
            fleet._loop.call_soon_threadsafe(ends.set)
            assert ends.wait(PATIENCE)

        vtex.strike(Strike(5, after=False, act=strike))
        fleet.start()
        fleet.join()
    applied = sum(len(shown(oms, number)) for number in range(12))
    assert 5 <= applied <= 7
    assert states(journal, fleet.label) == {"applied": applied, "pending": 24 - applied}
    assert {task.status for task in stored_tasks(journal)} == {"todo"}
    assert len(stored_tasks(journal)) >= 12 - applied // 2
    assert Paces(journal.connections).all()[fleet.label][0].throttle.accepted_since == applied


def test_a_worker_can_be_stopped_before_it_runs(journal: PostgresJournal, url: str) -> None:
    """It processes nothing."""
    fleet = Fleet(journal, url)

    async def run() -> None:
        fleet.worker.stop()
        await fleet.worker.run()

    asyncio.run(asyncio.wait_for(run(), PATIENCE))
    fleet.client.close()
    assert stored_tasks(journal) == []


def test_a_worker_can_be_stopped_without_a_database(
    journal: PostgresJournal, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that accepts connections and never responds does not keep the worker running."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        parameters = {**journal.address.parameters, "port": str(listener.getsockname()[1])}
        silent = evolve(journal.address, parameters=parameters)
        fleet = Fleet(journal, url, intervals=LAZY)
        monkeypatch.setattr(journal, "address", silent)
        fleet.start()
        peer, _ = listener.accept()
        fleet.stop()
        with peer:
            fleet.join()


def test_cancelling_the_task_stops_a_worker(journal: PostgresJournal, url: str) -> None:
    """Cancellation is raised as in every asyncio task."""
    fleet = Fleet(journal, url, intervals=LAZY)

    async def run() -> None:
        running = asyncio.create_task(fleet.worker.run())
        await asyncio.sleep(0)
        assert fleet.worker._serving is not None
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(asyncio.wait_for(run(), PATIENCE))
    fleet.client.close()


def test_tasks_of_a_paused_account_are_not_started(
    journal: PostgresJournal, oms: Oms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stay unchanged, and are processed after the pause."""
    monkeypatch.setattr(pace, "MAX_WAIT", 0.5)
    oms.settings = OmsSettings(rate_limit=2, rate_window=1.0, retry_after=1)
    vtex = vtex_of(oms)
    with vtex.server:
        fleet = Fleet(journal, vtex.server.url, concurrency=2, intervals=LAZY)
        fill(journal, 12, account=fleet.label)
        add_tasks(journal)
        with fleet:
            fleet.seen.wait_for(lambda: fleet.seen.pauses)
            fleet.seen.wait_for(lambda: fleet.seen.entries() == 3)
            put_off = attempts(journal)
            oms.settings = OmsSettings()
            fleet.seen.wait_for(lambda: fleet.seen.entries() == 12)
    assert put_off <= 4
    assert [shown(oms, number) for number in range(12)] == [["posted"]] * 12


def attempts(journal: PostgresJournal) -> int:
    """Return how many tasks were retried so far."""
    with journal.connections.connection() as connection:
        ((number,),) = connection.execute("SELECT count(*) FROM procrastinate_jobs WHERE attempts > 0")
    return int(number)


def test_failures_are_logged_and_retried(
    journal: PostgresJournal, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Known errors are logged in a line, internal ones with a traceback, and rescheduled tasks not at all."""
    fleet = Fleet(journal, url, concurrency=1, intervals=LAZY)
    failures = [JournalError("the disk is\x1b full"), RetryLater(1, "later"), ZeroDivisionError("a mistake")]
    done = threading.Event()
    drain = fleet.work.process

    def fail(package: PackageKey) -> None:
        if failures:
            raise failures.pop(0)
        drain(package)
        done.set()

    monkeypatch.setattr(fleet.work, "process", fail)
    fill(journal, 4, account=fleet.label)
    add_tasks(journal)
    with caplog.at_level(logging.WARNING, "vtex_tracking_ext.fleet"), fleet:
        assert done.wait(PATIENCE)
    told = [record for record in caplog.records if record.name == "vtex_tracking_ext.fleet"]
    assert [record.message.replace(fleet.label, "it") for record in told] == [
        r"it, order 0-01, invoice 1: failed, will be retried: the disk is\x1b full",
        "it, order 2-01, invoice 1: failed, will be retried",
    ]
    assert told[1].exc_info is not None
    assert len(stored_tasks(journal)) == 3


def test_a_task_that_just_ended_is_not_retried(
    journal: PostgresJournal, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker was slow; the sweep continues with the other tasks."""
    fleet = Fleet(journal, url)
    asked = threading.Event()
    swept: list[list[int]] = []

    def stalled() -> list[int]:
        swept.append([999_999])
        if len(swept) > 1:
            asked.set()
        return [999_999]

    monkeypatch.setattr(fleet.worker, "_stalled_tasks", stalled)
    with fleet:
        assert asked.wait(PATIENCE)  # a second sweep: the first did not end the worker


def test_a_worker_survives_a_restart_of_the_database(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost, and nothing is sent twice."""
    monkeypatch.setattr(task, "FAILURE_RETRY_SECONDS", 1)
    oms = orders(30, settings=OmsSettings(show_after=0))
    vtex = vtex_of(oms)
    with Server() as server, opened(Databases(server.url).new()) as journal, vtex.server:
        fleet = Fleet(journal, vtex.server.url, options=DeliveryOptions(events_per_call=1))
        fill(journal, 30, "one", "two", account=fleet.label)
        add_tasks(journal)
        is_time = threading.Event()
        vtex.strike(Strike(9, after=True, act=is_time.set))
        with caplog.at_level(logging.WARNING, "vtex_tracking_ext.fleet"), fleet:
            assert is_time.wait(PATIENCE)
            server.stop()
            server.start()
            until(lambda: states(journal, fleet.label) == {"applied": 60})
        told = [record.message for record in caplog.records if record.name == "vtex_tracking_ext.fleet"]
        assert any("the connection to the database was lost" in each or "cannot be used at" in each for each in told)
        assert "Database error" not in " ".join(told)
        assert [shown(oms, number) for number in range(30)] == [["one", "two"]] * 30


def test_a_worker_takes_over_from_a_killed_one(journal: PostgresJournal, journal_url: str) -> None:
    """It retries the stalled task, checks the entries in flight, and sends the rest."""
    oms = orders(4)
    vtex = vtex_of(oms)
    with vtex.server:
        fleet = Fleet(journal, vtex.server.url, options=DeliveryOptions(events_per_call=1))
        fill(journal, 4, "one", "two", account=fleet.label)
        add_tasks(journal)
        child = start_worker(journal_url, vtex.server.url)
        vtex.strike(Strike(3, after=True, act=child.kill))
        assert child.wait(PATIENCE) < 0
        vtex.quiet()
        assert states(journal, fleet.label) == {"applied": 2, "in_flight": 1, "pending": 5}
        assert [task.status for task in stored_tasks(journal)].count("doing") == 1
        with fleet:
            fleet.seen.wait_for(lambda: fleet.seen.entries() == 6)
    assert [shown(oms, number) for number in range(4)] == [["one", "two"]] * 4
    assert states(journal, fleet.label) == {"applied": 8}


def start_worker(journal_url: str, vtex_url: str) -> subprocess.Popen[str]:
    """Start the command worker, for one package at a time."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("VTEX_")},
        "VTEX_ACCOUNT": "sandbox",
        "VTEX_BASE_URL": vtex_url,
        "VTEX_APP_KEY": APP_KEY,
        "VTEX_APP_TOKEN": APP_TOKEN,
        "VTEX_JOURNAL": journal_url,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-m", "vtex_tracking_ext.cli", "worker", "--concurrency", "1", "--no-coalesce"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, text=True)


def test_reconnecting_backs_off(
    journal: PostgresJournal, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The delay doubles while the database is away, and is reset afterwards; the log has no password."""
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 2.0)
    fleet = Fleet(journal, url)
    waited: list[float] = []
    served = iter([0.0, 0.0, 0.0, 3.0, 0.0])
    now = 0.0
    password = journal.address.parameters["password"]

    async def serve(_: object) -> None:
        nonlocal now
        now += next(served)
        if len(waited) < 4:
            raise ConnectorException from psycopg.OperationalError(f"no server for {password}")

    async def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 5:
            fleet.worker.stop()

    monkeypatch.setattr(fleet.worker, "_serve", serve)
    monkeypatch.setattr(fleet.worker, "_wait", wait)

    async def run() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
        await fleet.worker.run()

    with caplog.at_level(logging.WARNING, "vtex_tracking_ext.fleet"):
        asyncio.run(run())
    fleet.client.close()
    assert waited == [0.5, 1.0, 2.0, 0.5, 1.0]
    assert caplog.messages == [
        *["the database is not available: no server for ***"] * 4,
        "the connection to the database was lost",  # Procrastinate ends like this if its listener is lost
    ]


def test_queues_are_named_once(journal: PostgresJournal, url: str) -> None:
    """Duplicate accounts give one queue."""
    fleet = Fleet(journal, url, intervals=HASTY)
    fleet.client.close()
    assert fleet.worker._queues == [queue_name(fleet.label), "@sweep"]
