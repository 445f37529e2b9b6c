"""The process of one subject: sends updates as it is asked to over its standard input, and says what they cost.

Run as ``python -m measure.subject KIND NAME URL``. It answers each line of JSON (see :class:`Task`) with one, the first
without having been asked: ``{"ready": true}``. It ends with its standard input.
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
from .senders_async import MAKERS as ASYNC_MAKERS
from .senders_sync import MAKERS as SYNC_MAKERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Task(TypedDict):
    """What is asked.

    Attributes:
        in_flight: Updates that are on their way at once: threads or tasks.
        events: Events of each.
        updates: How many are sent.
        latencies: Whether to tell how long each took.
    """

    in_flight: int
    events: int
    updates: int
    latencies: bool


class Batch:
    """What the workers of a task share.

    Each of them sends one update first, which is not counted, so that all connections are there when the clocks start.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self.turns = repeat(None, task["updates"])  # whoever is ready takes the next; threads may do so at once
        self.latencies: list[float] = []

    def start(self) -> None:
        """Start the clocks."""
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def figures(self) -> dict[str, Any]:
        """Stop the clocks and say what they show, in seconds."""
        cpu, took = time.process_time() - self._cpu, time.perf_counter() - self._began
        figures = {"cpu": cpu, "seconds": took}
        return {**figures, "latencies": self.latencies} if self._task["latencies"] else figures


def run_sync(send: Callable[[int], None], task: Task) -> dict[str, Any]:
    """Carry out a task with threads, or with this one alone where one update is in flight."""
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
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that was asked
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
    """Carry out a task with asyncio's tasks."""
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
        importlib.import_module("httptools")  # it fails here rather than being slow without a word
    if name == OURS:
        sys.modules["httptools"] = None  # type: ignore[assignment] # as if it were not installed
    with asyncio.Runner() as runner:
        if kind == "sync":
            send = SYNC_MAKERS[name](url)

            def carry_out(task: Task) -> dict[str, Any]:
                return run_sync(send, task)
        else:
            send_async = runner.run(ASYNC_MAKERS[name](url))

            def carry_out(task: Task) -> dict[str, Any]:
                return runner.run(run_async(send_async, task))

        answer({"ready": True})
        for line in sys.stdin:
            answer({**carry_out(json.loads(line)), "peak": peak()})


def answer(figures: dict[str, Any]) -> None:
    """Tell the parent."""
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
