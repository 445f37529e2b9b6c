"""The measurements behind ``scripts/fleet_bench``."""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from lib.stub_server import stub_server
from vtex_tracking_ext import TrackingClient
from vtex_tracking_ext.bulk import note
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.journal.account_name import account_name_at
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
from vtex_tracking_ext.config.defaults import DEFAULT_RATE
from vtex_tracking_ext.fleet.sweep import Sweep
from vtex_tracking_ext.fleet.tables import create_or_upgrade
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, OmsSettings, running

from support.fleets import clear_tasks, execute, fill_many, stored_tasks

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from support.postgres import Databases, Server

CLI = (sys.executable, "-m", "vtex_tracking_ext")

#: Calls per second that no measurement reaches.
NO_LIMIT = 1000.0

#: Number of accounts with something to do.
ACCOUNTS = 1000

#: Number of events that are noted one by one.
NOTES = 200

TOO_MANY_REQUESTS = 429

#: Seconds between two polls of a run's progress.
POLL_INTERVAL = 0.05


@frozen
class Postgres:
    """A server, and what creates databases on it."""

    server: Server
    databases: Databases


def throughput(arguments: argparse.Namespace, postgres: Postgres) -> None:
    """Deliver the same events with one worker, with two and so on, and by a push with a SQLite journal."""
    events = arguments.events
    print(f"\nthroughput, {events} events, each a package and a call of its own")
    with stub_server() as url, tempfile.TemporaryDirectory() as folder:
        file, one_event = Path(folder, "events.csv"), Path(folder, "one.csv")
        write_events(file, events)
        write_events(one_event, 1)
        startup = push(url, one_event, Path(folder, "one.db"))[1]
        seconds, cpu = push(url, file, Path(folder, "journal.db"))
        print(f"push, SQLite journal      {per_event(cpu - startup, events)} of the client, {seconds:.1f} s in all")
        print("  (its rate starts at ten calls per second and grows, so the duration is not comparable)")
        for workers in range(1, arguments.workers + 1):
            database_before = postgres_cpu_seconds(postgres.server)
            fleet = Fleet(postgres, url, file)
            idle = fleet.idle_worker()
            noting = fleet.note()
            seconds, cpu = fleet.deliver(workers, events)
            client = per_event(cpu - idle * workers + noting, events)
            database = per_event(postgres_cpu_seconds(postgres.server) - database_before, events)
            print(
                f"{workers} workers                 {events / seconds:.0f} events per second; {client} of the client "
                f"(of which push --no-deliver {per_event(noting, events)}), {database} of PostgreSQL"
            )


def tasks(arguments: argparse.Namespace, postgres: Postgres) -> None:
    """Add the tasks of many accounts: by the database's trigger, and by a worker's sweep."""
    packages = arguments.packages // ACCOUNTS
    print(f"\ntasks, {ACCOUNTS} accounts with {packages} waiting packages each")
    with PostgresJournal.open(postgres.databases.new()) as journal:
        print(f"noting one event          {note_milliseconds(journal):.2f} ms without the fleet's tables")
        with journal.connections.connection() as connection:
            create_or_upgrade(connection)
            print(f"                          {note_milliseconds(journal):.2f} ms with them")
            names = [f"store{number}" for number in range(ACCOUNTS)]
            fill_many(journal, names, packages)
            clear_tasks(journal)
            started = time.monotonic()
            connection.execute("UPDATE accounts SET revision = revision + 1")
            print(
                f"trigger                   {time.monotonic() - started:.2f} s for {len(stored_tasks(journal))} tasks"
            )
            clear_tasks(journal)
            sweep = Sweep(journal.address, dict.fromkeys(names, DeliveryOptions()))
            for when in ("without tasks", "with all tasks"):
                started = time.monotonic()
                number = sweep.sweep(connection)
                print(f"sweep {when:20}{time.monotonic() - started:.2f} s for {number} new tasks")


def turn(arguments: argparse.Namespace, postgres: Postgres) -> None:
    """Note one event of a store while another one has many packages waiting."""
    print(f"\nturn, one event of a store beside {arguments.backlog} waiting packages of another, one worker")
    with stub_server() as url, tempfile.TemporaryDirectory() as folder:
        profiles = Path(folder, "profiles.toml")
        profiles.write_text(
            f'[small]\nbase_url = "{url}"\napp_key = "{APP_KEY}"\napp_token = "{APP_TOKEN}"\n', encoding="utf-8"
        )
        profiles.chmod(0o600)
        fleet = Fleet(postgres, url, profiles, DEFAULT_RATE)
        fleet.environment["VTEX_PROFILES"] = str(profiles)
        big, small = account_name_at("sandbox", url), account_name_at("small", url)
        with PostgresJournal.open(fleet.journal) as journal:
            fill_many(journal, [big], arguments.backlog)
            with fleet.workers(1):
                while journal.counts()[big]["applied"] < DEFAULT_RATE:
                    time.sleep(POLL_INTERVAL)
                started = time.monotonic()
                with TrackingClient("small", app_key=APP_KEY, app_token=APP_TOKEN, base_url=url) as client:
                    note([event(1)], journal, account=client)
                while not journal.counts()[small]["applied"]:
                    time.sleep(POLL_INTERVAL)
                seconds = time.monotonic() - started
            print(f"applied after             {seconds:.1f} s; {journal.counts()[big]['pending']} of the other pending")


def pace(arguments: argparse.Namespace, postgres: Postgres) -> None:
    """Let workers find a hidden rate limit."""
    limit, workers = arguments.limit, arguments.workers
    print(f"\npace, hidden limit of {limit} calls per second, {workers} workers, {arguments.seconds:.0f} s")
    orders = int(limit * arguments.seconds * 1.2)
    oms = Oms(OmsSettings(rate_limit=limit, rate_window=1.0, retry_after=1))
    oms.received = deque(maxlen=2 * orders)
    for number in range(orders):
        oms.add_order(f"{number}-01", ["1"])
    with running(oms) as url, tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "events.csv")
        write_events(file, orders)
        fleet = Fleet(postgres, url, file, DEFAULT_RATE)
        fleet.note()
        with fleet.workers(workers):
            while not oms.received:
                time.sleep(POLL_INTERVAL)
            started = time.monotonic()
            time.sleep(arguments.seconds)
            seconds, requests = time.monotonic() - started, list(oms.received)
    throttled = sum(request.status == TOO_MANY_REQUESTS for request in requests)
    applied = len(requests) - throttled
    print(f"limit used   {applied / (limit * seconds):.1%} ({applied} calls in {seconds:.1f} s)")
    print(f"429          {throttled}, {throttled / len(requests):.2%} of all calls")


class Fleet:
    """Workers on a new database.

    Args:
        postgres: Where to create its database.
        url: Address of the server in VTEX's place.
        file: The events.
        rate: Maximum rate of a worker, calls per second.
    """

    def __init__(self, postgres: Postgres, url: str, file: Path, rate: float = NO_LIMIT) -> None:
        self.journal = postgres.databases.new()
        self.rate = rate
        self.file = file
        self.environment = environment_of(url, self.journal)

    def note(self) -> float:
        """Note the events in the journal; return the CPU seconds."""
        return run([*CLI, "push", "--no-deliver", str(self.file)], self.environment)[1]

    def idle_worker(self) -> float:
        """Return the CPU seconds of a worker that only starts and ends."""
        child = self._start_worker()
        os.kill(child.pid, signal.SIGTERM)
        return wait(child)

    def deliver(self, workers: int, events: int) -> tuple[float, float]:
        """Deliver what is pending; return the seconds from the first to the last call, and the CPU seconds."""
        with PostgresJournal.open(self.journal) as journal:
            (label,) = journal.counts()
            execute(journal, "UPDATE accounts SET pace = %s", json.dumps({"rate": NO_LIMIT}))
            with self.workers(workers) as cpu_seconds:
                while journal.counts()[label]["applied"] < events:
                    time.sleep(POLL_INTERVAL)
            with journal.connections.connection() as connection:
                ((seconds,),) = connection.execute(
                    "SELECT extract(epoch FROM max(settled) - min(begun))::float8 FROM entries"
                )
        return float(seconds), sum(cpu_seconds)

    @contextmanager
    def workers(self, number: int) -> Iterator[list[float]]:
        """Run workers in the block; after it, the list holds the CPU seconds of each."""
        cpu_seconds: list[float] = []
        children = [self._start_worker() for _ in range(number)]
        try:
            yield cpu_seconds
        finally:
            for child in children:
                os.kill(child.pid, signal.SIGTERM)
            cpu_seconds += map(wait, children)

    def _start_worker(self) -> subprocess.Popen[str]:
        command = [*CLI, "worker", "--quiet", "--rate", str(self.rate)]
        child = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)
        assert child.stderr is not None  # noqa: S101 - for the types
        child.stderr.readline()  # written when it is ready
        return child


def write_events(file: Path, number: int) -> None:
    """Write a file with one event for each of some packages."""
    rows = "".join(f"{n}-01,1,2026-10-01,posted\n" for n in range(number))
    file.write_text(f"order_id,invoice_number,date,description\n{rows}", encoding="utf-8")


def push(url: str, file: Path, journal: Path) -> tuple[float, float]:
    """Push a file with a SQLite journal; return the seconds and the CPU seconds."""
    return run([*CLI, "push", str(file), "--rate", str(NO_LIMIT)], environment_of(url, str(journal)))


def environment_of(url: str, journal: str) -> dict[str, str]:
    """Return the environment variables of a command."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("VTEX_")},
        "VTEX_ACCOUNT": "sandbox",
        "VTEX_BASE_URL": url,
        "VTEX_APP_KEY": APP_KEY,
        "VTEX_APP_TOKEN": APP_TOKEN,
        "VTEX_JOURNAL": journal,
    }


def run(command: Sequence[str], environment: dict[str, str]) -> tuple[float, float]:
    """Run a command; return the seconds and the CPU seconds."""
    started = time.monotonic()
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    cpu_seconds = wait(child)
    return time.monotonic() - started, cpu_seconds


def wait(child: subprocess.Popen[str]) -> float:
    """Wait until a process ends, and return its CPU seconds."""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.stderr:
        child.stderr.close()
    if child.returncode:
        raise SystemExit(f"{child.args!r} ended with status {child.returncode}.")
    return usage.ru_utime + usage.ru_stime


def postgres_cpu_seconds(server: Server) -> float:
    """Return the CPU seconds of PostgreSQL's processes so far, ended ones included."""
    tick = os.sysconf("SC_CLK_TCK")
    (postmaster,) = re.findall(r"^[0-9]+", (server.data / "postmaster.pid").read_text())
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            numbers = stat.read_text().rpartition(")")[2].split()
        except OSError:  # the process has ended
            continue
        if stat.parent.name == postmaster:
            total += sum(map(int, numbers[11:15]))  # its own time, and that of its ended children
        elif numbers[1] == postmaster:
            total += sum(map(int, numbers[11:13]))
    return total / tick


def note_milliseconds(journal: PostgresJournal) -> float:
    """Note events one by one, and return the median duration in milliseconds."""
    seconds = []
    for number in range(NOTES):
        started = time.perf_counter()
        note([event(number)], journal, account="noted")
        seconds.append(time.perf_counter() - started)
    execute(journal, "DELETE FROM entries")
    execute(journal, "DELETE FROM packages")
    return statistics.median(seconds) * 1000


def event(number: int) -> dict[str, str]:
    """Return a row with an event."""
    return {"order_id": f"{number}-01", "invoice_number": "1", "date": "2026-10-01", "description": "posted"}


def per_event(seconds: float, events: int) -> str:
    """Return CPU seconds per event as text."""
    return f"{seconds / events * 1000:.2f} ms per event"
