"""A worker of a fleet processes tasks, stops cleanly, survives its database, and takes over from dead workers."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from attrs import evolve
from procrastinate.exceptions import ConnectorException

from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.fleet import sweep
from vtex_tracking_ext.fleet import worker as module
from vtex_tracking_ext.fleet.work import Work
from vtex_tracking_ext.fleet.worker import Worker
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, OmsSettings, running

from support.fleets import (
    LAZY,
    PATIENCE,
    THOUSAND,
    Fleet,
    execute,
    fill,
    fill_many,
    opened,
    orders,
    shown,
    states,
    stored_tasks,
    until,
)
from support.journaled import Account
from support.killing.vtex import Faults, Strike, Vtex
from support.postgres import Databases, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext import TrackingUpdate
    from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal


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


def test_a_worker_sends_what_waits_and_what_is_noted_later(journal: PostgresJournal, oms: Oms, url: str) -> None:
    """Each package's events are sent in order, and nobody has to notify the worker."""
    fleet = Fleet(journal, url, intervals=LAZY)
    fill(journal, 6, "one", "two", account=fleet.label)
    with fleet:
        fleet.seen.wait_for(lambda: fleet.seen.entries() == 12)
        until(lambda: not stored_tasks(journal))
        fill(journal, 6, "one", "two", account=fleet.label, first=6)
        fleet.seen.wait_for(lambda: fleet.seen.entries() == 24)
        until(lambda: not stored_tasks(journal))
    assert [shown(oms, number) for number in range(12)] == [["one", "two"]] * 12


def test_the_sweep_adds_missing_tasks(journal: PostgresJournal, oms: Oms, url: str) -> None:
    """A lost task does no harm."""
    fleet = Fleet(journal, url)
    fill(journal, 3, account=fleet.label)
    execute(journal, "DELETE FROM procrastinate_jobs")
    with fleet:
        fleet.seen.wait_for(lambda: fleet.seen.entries() == 3)
    assert [shown(oms, number) for number in range(3)] == [["posted"]] * 3


def test_a_worker_processes_its_accounts_only(journal: PostgresJournal, url: str) -> None:
    """Tasks of other accounts are left for other workers."""
    fleet = Fleet(journal, url)
    fill(journal, 2, account="other")
    fill(journal, 2, account=fleet.label)
    with fleet:
        fleet.seen.wait_for(lambda: fleet.seen.entries() == 2)
        until(lambda: [task.queue for task in stored_tasks(journal)] == ["other"])
    assert states(journal, "other") == {"pending": 2}


def test_one_of_two_workers_delivers_an_account(journal: PostgresJournal, oms: Oms, url: str) -> None:
    """The other does nothing, so that the account's rate is that of one worker."""
    one, other = Fleet(journal, url), Fleet(journal, url)
    fill(journal, 12, "one", "two", account=one.label)
    with one, other:
        until(lambda: states(journal, one.label) == {"applied": 24})
        until(lambda: not stored_tasks(journal))
    assert sorted([one.seen.entries(), other.seen.entries()]) == [0, 24]
    assert [shown(oms, number) for number in range(12)] == [["one", "two"]] * 12


def test_a_thousand_accounts_get_their_turn(journal: PostgresJournal) -> None:
    """Each gets a slice before any of them gets another, although none is ever finished."""
    fill_many(journal, THOUSAND, packages=1)
    turns: list[str] = []

    class Endless(Work):
        """Delivers nothing of an account, and continues later."""

        def start(self, account: str) -> Future[None]:
            turns.append(account)
            execute(journal, "SELECT vtex_tracking_add_task(%s)", account)
            if len(turns) == 1100:
                worker.stop()
            future = Future[None]()
            future.set_result(None)
            return future

    options = dict.fromkeys(THOUSAND, DeliveryOptions())
    worker = Worker(journal, Endless(journal, Account, 1.0, options, lambda _: None, concurrency=2), LAZY)  # type: ignore[arg-type]
    asyncio.run(asyncio.wait_for(worker.run(), 10 * PATIENCE))
    assert sorted(turns[:1000]) == sorted(THOUSAND)
    assert len(turns) >= 1100


def test_a_store_with_one_package_does_not_wait_for_one_with_many(journal: PostgresJournal) -> None:
    """It gets a thread in the middle of the other's slice."""
    big, small = Account("big"), Account("small")
    clients: dict[str, Any] = {"big": big, "small": small}
    goes_on, is_sent = threading.Semaphore(0), threading.Event()

    def wait(_: TrackingUpdate) -> None:
        assert goes_on.acquire(timeout=PATIENCE)

    def record(_: TrackingUpdate) -> None:
        is_sent.set()
        goes_on.release(100)

    big.answers(*[wait] * 100)
    small.answers(record)
    options = dict.fromkeys(clients, DeliveryOptions(concurrency=4, slice_seconds=600.0))
    work = Work(journal, clients.__getitem__, 1000.0, options, lambda _: None, concurrency=4)
    worker = Worker(journal, work, LAZY)
    fill(journal, 100, account="big")

    async def run() -> None:
        running = asyncio.create_task(worker.run())
        await asyncio.to_thread(until, lambda: len(big.sent) == 4)  # it uses all threads
        await asyncio.to_thread(fill, journal, 1, account="small")
        await asyncio.to_thread(until, lambda: [task.status for task in stored_tasks(journal)] == ["doing", "doing"])
        goes_on.release(4)  # each thread finishes its package
        assert await asyncio.to_thread(is_sent.wait, PATIENCE)
        assert len(big.sent) < 12
        await asyncio.to_thread(until, lambda: len(big.sent) == 100)
        worker.stop()
        await running

    asyncio.run(asyncio.wait_for(run(), PATIENCE))
    assert states(journal, "small") == {"applied": 1}


def test_stopping_finishes_the_calls_in_flight(journal: PostgresJournal, oms: Oms) -> None:
    """No entry is left in flight, and the account's task waits for other workers."""
    vtex = vtex_of(oms)
    with vtex.server:
        fleet = Fleet(journal, vtex.server.url, concurrency=3, events_per_call=1, intervals=LAZY)
        fill(journal, 12, "one", "two", account=fleet.label)
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
    assert [(task.status, task.delay) for task in stored_tasks(journal)] == [("todo", None)]
    assert journal.served_accounts() == frozenset()


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
        monkeypatch.setattr(journal, "address", silent)
        monkeypatch.setattr(module, "_SWEEP_TIMEOUT", 0.1)
        fleet = Fleet(journal, url, intervals=LAZY)
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


def test_a_paused_account_continues_after_the_pause(journal: PostgresJournal, oms: Oms) -> None:
    """Its task is not started before."""
    oms.settings = OmsSettings(rate_limit=2, rate_window=1.0, retry_after=3)
    vtex = vtex_of(oms)
    with vtex.server:
        fleet = Fleet(journal, vtex.server.url, concurrency=2, intervals=LAZY)
        fill(journal, 12, account=fleet.label)
        with fleet:
            fleet.seen.wait_for(lambda: fleet.seen.pauses)
            until(lambda: [task.status for task in stored_tasks(journal)] == ["todo"])
            (task,) = stored_tasks(journal)
            assert task.delay is not None
            oms.settings = OmsSettings()
            fleet.seen.wait_for(lambda: fleet.seen.entries() == 12)
    assert [shown(oms, number) for number in range(12)] == [["posted"]] * 12


def test_a_worker_survives_a_restart_of_the_database(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost, and nothing is sent twice."""
    monkeypatch.setattr(sweep, "_RETRY_SECONDS", 0.1)
    oms = orders(30, settings=OmsSettings(show_after=0))
    vtex = vtex_of(oms)
    with Server() as server, opened(Databases(server.url).new()) as journal, vtex.server:
        fleet = Fleet(journal, vtex.server.url, events_per_call=1)
        fill(journal, 30, "one", "two", account=fleet.label)
        is_time = threading.Event()
        vtex.strike(Strike(9, after=True, act=is_time.set))
        with caplog.at_level(logging.WARNING, "vtex_tracking_ext.fleet"), fleet:
            assert is_time.wait(PATIENCE)
            server.stop()
            server.start()
            until(lambda: states(journal, fleet.label) == {"applied": 60})
        told = [record for record in caplog.records if record.name == "vtex_tracking_ext.fleet"]
        assert told
        assert not any(record.exc_info for record in told)
        assert [shown(oms, number) for number in range(30)] == [["one", "two"]] * 30


def test_a_worker_takes_over_from_a_killed_one(journal: PostgresJournal, journal_url: str) -> None:
    """It replaces the task, looks up the entries in flight, and sends the rest."""
    oms = orders(4)
    vtex = vtex_of(oms)
    with vtex.server:
        fleet = Fleet(journal, vtex.server.url, events_per_call=1)
        fill(journal, 4, "one", "two", account=fleet.label)
        child = start_worker(journal_url, vtex.server.url)
        vtex.strike(Strike(3, after=True, act=child.kill))
        child.communicate(timeout=PATIENCE)
        assert child.returncode < 0
        vtex.quiet()
        assert states(journal, fleet.label)["in_flight"] >= 1
        assert [task.status for task in stored_tasks(journal)] == ["doing"]
        with fleet:
            until(lambda: states(journal, fleet.label) == {"applied": 8})
    assert [shown(oms, number) for number in range(4)] == [["one", "two"]] * 4


def test_a_worker_that_was_stopped_for_long_sends_nothing_it_may_not(
    journal: PostgresJournal, journal_url: str
) -> None:
    """Its sessions were ended, others have delivered its account, and then it wakes up: it has lost its lease."""
    oms = orders(6)
    vtex = vtex_of(oms)
    with vtex.server:
        fleet = Fleet(journal, vtex.server.url, events_per_call=1)
        fill(journal, 6, "one", "two", account=fleet.label)
        child = start_worker(journal_url, vtex.server.url)
        is_stopped = threading.Event()

        def stop() -> None:
            child.send_signal(signal.SIGSTOP)
            is_stopped.set()

        vtex.strike(Strike(3, after=True, act=stop))
        assert is_stopped.wait(PATIENCE)
        execute(
            journal,
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name LIKE 'vtex-tracking, %%' AND datname = current_database()
                AND application_name NOT LIKE %s
            """,
            f"vtex-tracking, process {os.getpid()} on %",
        )
        with fleet:
            until(lambda: states(journal, fleet.label) == {"applied": 12})
            sent = vtex.puts
            child.send_signal(signal.SIGCONT)
            assert child.stderr is not None
            with child.stderr as log:
                assert any("its server ended the connection" in line for line in log)
                fill(journal, 6, "three", account=fleet.label)
                until(lambda: states(journal, fleet.label) == {"applied": 18})
                child.terminate()
                log.read()
            assert child.wait(PATIENCE) == 0
        assert vtex.puts == sent + 6
    assert [shown(oms, number) for number in range(6)] == [["one", "two", "three"]] * 6


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
    command = [sys.executable, "-m", "vtex_tracking_ext", "worker", "--concurrency", "1", "--no-coalesce"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


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

    async def serve() -> None:
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
        await fleet.worker._serve_again()

    with caplog.at_level(logging.WARNING, "vtex_tracking_ext.fleet"):
        asyncio.run(run())
    fleet.client.close()
    assert waited == [0.5, 1.0, 2.0, 0.5, 1.0]
    assert caplog.messages == [
        *["the database is not available: no server for ***"] * 4,
        "the connection to the database was lost",  # Procrastinate ends like this if its listener is lost
    ]
