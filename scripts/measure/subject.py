"""The process of one subject, which sends updates and reports their costs.

Run as ``python -m measure.subject KIND NAME URL``. It prints ``{"ready": true}``; then it reads a :class:`Task` per
line of standard input, as JSON, and prints the results of each as a line of JSON. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import threading
import time
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypedDict

from .memory import peak
from .names import FAST, OURS
from .senders_async import SENDERS as ASYNC_SENDERS
from .senders_sync import SENDERS as SYNC_SENDERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Task(TypedDict):
    """A number of updates to send.

    Attributes:
        in_flight: Concurrent updates: the number of threads or tasks.
        events: Events of each update.
        updates: Number of updates.
        latencies: Whether to report the duration of each update.
    """

    in_flight: int
    events: int
    updates: int
    latencies: bool


class Batch:
    """The shared state of a task's workers.

    Before the clocks start, each worker sends an update that is not counted, to open its connection.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self.turns = repeat(None, task["updates"])  # next() is thread-safe
        self.latencies: list[float] = []

    def start(self) -> None:
        """Start the clocks."""
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def figures(self) -> dict[str, Any]:
        """Stop the clocks and return the seconds."""
        cpu, took = time.process_time() - self._cpu, time.perf_counter() - self._began
        figures = {"cpu": cpu, "seconds": took}
        return {**figures, "latencies": self.latencies} if self._task["latencies"] else figures


def run_sync(send: Callable[[int], None], task: Task) -> dict[str, Any]:
    """Run a task with threads; a single update at a time runs in this thread."""
    batch, events = Batch(task), task["events"]
    ready = threading.Barrier(task["in_flight"], action=batch.start)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            send(events)
            ready.wait()
            for _ in batch.turns:
                began = time.perf_counter()
                send(events)
                batch.latencies.append(time.perf_counter() - began)
        except BaseException as error:  # noqa: BLE001 - raised below, in the main thread
            failed.append(error)
            ready.abort()

    threads = [threading.Thread(target=work) for _ in range(task["in_flight"] - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return batch.figures()


async def run_async(send: Callable[[int], Awaitable[None]], task: Task) -> dict[str, Any]:
    """Run a task with asyncio tasks."""
    batch, events = Batch(task), task["events"]

    async def work() -> None:
        for _ in batch.turns:
            began = time.perf_counter()
            await send(events)
            batch.latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(send(events) for _ in range(task["in_flight"])))
    batch.start()
    await asyncio.gather(*(work() for _ in range(task["in_flight"])))
    return batch.figures()


def main(kind: str, name: str, url: str) -> None:
    """Serve until standard input ends."""
    if name == FAST:
        importlib.import_module("httptools")  # raises an error here instead of measuring without it
    if name == OURS:
        sys.modules["httptools"] = None  # type: ignore[assignment] # as if it were not installed
    with asyncio.Runner() as runner:
        if kind == "sync":
            send = SYNC_SENDERS[name](url)

            def run(task: Task) -> dict[str, Any]:
                return run_sync(send, task)
        else:
            send_async = runner.run(ASYNC_SENDERS[name](url))

            def run(task: Task) -> dict[str, Any]:
                return runner.run(run_async(send_async, task))

        write({"ready": True})
        for line in sys.stdin:
            write({**run(json.loads(line)), "peak": peak()})


def write(results: dict[str, Any]) -> None:
    """Send results to the parent process."""
    print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
