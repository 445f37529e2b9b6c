"""The trial behind ``scripts/fleet_trial``: workers that are killed and stopped while the database restarts."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.postgres import PostgresReader

from .trial import Trial
from support.killing.runs import CLI, Child, Ended
from support.killing.vtex import Strike
from support.postgres import Databases, Server

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from concurrent.futures import Future
    from contextlib import ExitStack
    from pathlib import Path

#: Seconds until the workers must have nothing left to do. Each takeover from a dead worker takes about a minute.
TIMEOUT = 900.0

#: Whether a task is running or due soon, or a package without doubt waits. Reading an order is due within two minutes
#: after its call, and then not before an hour.
_IS_BUSY = """
    SELECT EXISTS (
        SELECT FROM procrastinate_jobs
        WHERE status = 'doing' OR scheduled_at IS NULL OR scheduled_at < now() + interval '5 minutes'
    ) OR EXISTS (
        SELECT FROM entries WHERE state IN ('pending', 'in_flight', 'unknown')
        GROUP BY package HAVING bool_and(state = 'pending') OR bool_or(state = 'in_flight')
    )
"""

#: Ends the sessions of a process, as a firewall would that forgets them.
_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %s"


class FleetTrial(Trial):
    """Workers of which some are killed, and their database."""

    def __init__(self, arguments: argparse.Namespace, folder: Path, stack: ExitStack) -> None:
        super().__init__(arguments, folder, lambda: PostgresReader.open(self.journal))
        self.folder = folder
        self.server = stack.enter_context(Server())
        self.journal = Databases(self.server.url).new()
        stack.enter_context(self.vtex.server)
        self.threads = stack.enter_context(ThreadPoolExecutor(100))
        self.workers: list[tuple[Child, Future[Ended]]] = []
        stack.callback(self.terminate_workers)
        self.started_workers = self.kills = self.stops = self.restarts = 0

    def run(self) -> int:
        """Run the trial and return the exit status."""
        self.call("push", "--no-deliver", str(self.file))
        all_done = self.schedule_faults()
        for _ in range(self.arguments.workers):
            self.start_worker()
        self.wait_until_idle()
        if not all_done.is_set():
            print("the workers were idle before the last kill")
        verdict = self.resolve_and_check("workers idle")
        self.violations += [
            f"worker {number}: exit status {status}" for number, status in self.terminate_workers() if status
        ]
        print(
            f"\nworkers       {self.started_workers}, of which {self.kills} killed and {self.stops} stopped and woken; "
            f"{self.restarts} database restarts"
        )
        return self.report(verdict)

    def schedule_faults(self) -> threading.Event:
        """Schedule kills, a stop and a database restart at random requests; the event is set after the last one."""
        actions: list[Callable[[], None]] = [self.kill_worker] * self.arguments.kills
        actions[len(actions) // 2 : len(actions) // 2] = [self.restart_database, self.stop_worker]
        all_done = threading.Event()
        max_distance = max(2, self.arguments.events // 4 // len(actions))  # a call carries several events

        def schedule_next() -> None:
            if not actions:
                all_done.set()
                return
            action = actions.pop(0)
            at, after = self.random.randrange(1, max_distance), self.random.random() < 1 / 2

            def act() -> None:
                print(f"at request {at} after the last, {'after' if after else 'before'} it was applied:", end=" ")
                action()
                schedule_next()

            self.vtex.strike(Strike(at, after, act))

        schedule_next()
        return all_done

    def start_worker(self) -> None:
        """Start a worker."""
        options = ["--rate", str(self.arguments.rate), "--concurrency", "8", "--quiet"]
        if self.random.random() < 1 / 2:
            options.append("--no-coalesce")
        child = Child((*CLI, "worker", "--journal", self.journal, *options), self.vtex.server.url)
        self.started_workers += 1
        log = self.folder / f"worker-{self.started_workers}.log"

        def wait() -> Ended:
            ended = child.end()
            log.write_text(ended.out)
            return ended

        self.workers.append((child, self.threads.submit(wait)))

    def pop_deliverer(self) -> tuple[Child, Future[Ended]]:
        """Remove the worker that delivers now, the one that made this request, and return it."""
        with PostgresReader.open(self.journal) as reader:
            (name,) = reader.deliverers().values()
        pid = int(name.split()[1])
        number = next(number for number, (child, _) in enumerate(self.workers) if child.pid == pid)
        return self.workers.pop(number)

    def kill_worker(self) -> None:
        """Kill the worker that delivers, and start another."""
        child, ended = self.pop_deliverer()
        child.kill()
        self.kills += 1
        print(f"worker killed, exit status {ended.result().status}", flush=True)
        self.start_worker()

    def stop_worker(self) -> None:
        """Stop the worker that delivers, end its sessions, and wake it when another one delivers."""
        child, ended = self.pop_deliverer()
        child.send_signal(signal.SIGSTOP)
        with PostgresReader.open(self.journal) as reader, reader.connections.connection() as connection:
            connection.execute(_END_SESSIONS, (f"vtex-tracking, process {child.pid} on %",))
        self.stops += 1
        print("worker stopped, and its sessions ended", flush=True)

        def wake() -> None:
            with PostgresReader.open(self.journal) as reader:
                end = time.monotonic() + TIMEOUT
                while not reader.deliverers() and time.monotonic() < end:
                    time.sleep(0.2)
            child.send_signal(signal.SIGCONT)
            self.workers.append((child, ended))
            print("stopped worker woken, while another delivers", flush=True)

        self.threads.submit(wake)

    def restart_database(self) -> None:
        """Restart the database."""
        self.server.stop()
        self.server.start()
        self.restarts += 1
        print("database restarted", flush=True)

    def terminate_workers(self) -> list[tuple[int, int]]:
        """Send SIGTERM to all workers, and return the number and the exit status of each."""
        workers, self.workers = self.workers, []
        for child, _ in workers:
            child.terminate()
        return [(number, ended.result().status) for number, (_, ended) in enumerate(workers, start=1)]

    def send_pending(self) -> None:
        """Wait for the workers, which send what is pending."""
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait until the workers have nothing to do."""
        end = time.monotonic() + TIMEOUT
        with PostgresReader.open(self.journal) as reader:
            while self.is_busy(reader):
                if time.monotonic() > end:
                    self.violations.append(f"the workers were not idle after {TIMEOUT:.0f} s")
                    return
                time.sleep(0.5)

    def is_busy(self, reader: PostgresReader) -> bool:
        """Return whether the workers have something to do."""
        try:
            with reader.connections.connection() as connection:
                ((is_busy,),) = connection.execute(_IS_BUSY)
            return bool(is_busy)
        except JournalError:  # the database is restarting
            return True

    def resolve(self, *arguments: str) -> None:
        """Run the command ``resolve``."""
        self.call("resolve", *arguments)

    def call(self, *arguments: str) -> None:
        """Run a command of the command line to its end."""
        ended = Child((*CLI, *arguments, "--journal", self.journal), self.vtex.server.url).end()
        self.statuses[ended.status] += 1
        last = ended.out.splitlines()[-2:]
        print(f"{' '.join(arguments[:2])} ... exit status {ended.status}: {' / '.join(last)}")
