"""The process of one subject: sends updates as it is asked to over its standard input, and says what they cost.

Run as ``python -m _bench.subject KIND NAME URL``. It answers each line of JSON (see :class:`Task`) with one, the first
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
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from .memory import peak
from .names import FAST, OURS
from .senders_async import MAKERS as ASYNC_MAKERS
from .senders_sync import MAKERS as SYNC_MAKERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator


class Task(TypedDict):
    """What is asked.

    Attributes:
        in_flight: Updates that are on their way at once: threads or tasks.
        events: Events of each.
        updates: How many are sent; or, where this is 0:
        seconds: For how long they are sent,
        ramp: and for how many seconds before that, without being counted.
    """

    in_flight: int
    events: int
    updates: int
    seconds: float
    ramp: float


class Mark(NamedTuple):
    """One update: when its answer had been read, and how many seconds it took."""

    done: float
    seconds: float


class Batch:
    """What the workers of a task share.

    Each of them sends one update first, which is not counted, so that all connections are there when the clocks start.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.marks: list[Mark] = []
        self.turns: Iterator[object] = repeat(None, task["updates"])

    def start(self) -> None:
        """Start the clocks."""
        self._began = time.perf_counter()
        end = self._began + self.task["ramp"] + self.task["seconds"]
        if not self.task["updates"]:
            self.turns = iter(lambda: time.perf_counter() < end, False)  # noqa: FBT003 - where to stop
        self._cpu = time.process_time()

    def figures(self) -> dict[str, Any]:
        """Stop the clocks and say what they show."""
        cpu = time.process_time() - self._cpu
        if self.task["updates"]:
            return {"cpu": cpu, "updates": self.task["updates"]}
        begin = self._began + self.task["ramp"]
        counted = [seconds for done, seconds in self.marks if begin <= done < begin + self.task["seconds"]]
        return {"cpu": cpu, "updates": len(counted), "latencies": counted}


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
                batch.marks.append(Mark(done := time.perf_counter(), done - began))
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
            batch.marks.append(Mark(done := time.perf_counter(), done - began))

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
