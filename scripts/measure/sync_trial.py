"""The trial behind ``scripts/sync_trial``."""

from __future__ import annotations

import datetime as dt
import random
import subprocess
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import Factory, define

from vtex_tracking_ext.bulk.journal.opening import open_journal, open_reader
from vtex_tracking_ext.orders import OrderStore
from vtex_tracking_ext.orders.sync import CONFIGURATION
from vtex_tracking_ext.sandbox import APP_KEY, Oms, running

from . import sync_process

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

#: Seconds for which items that were read are hidden: much fewer than VTEX allows, so that the trial need not wait.
VISIBILITY_TIMEOUT: Final = 1

#: Runs after the last kill at most.
MAX_RUNS: Final = 10


@define
class WatchedOms(Oms):
    """A sandbox that counts what is read, and asks before each reading of an order and each commit.

    Attributes:
        reads: How often each order was read.
        on_request: Called before and after each reading and each commit.
        on_commit: Called with the orders of the items that are committed.
    """

    reads: Counter[str] = Factory(Counter)
    on_request: Callable[[], object] = lambda: None
    on_commit: Callable[[list[str]], object] = lambda _: None

    def get_order(self, order_id: str) -> dict[str, Any]:
        """Return an order, and count that."""
        self.on_request()
        self.reads[order_id] += 1
        shown = super().get_order(order_id)
        self.on_request()
        return shown

    def commit_feed(self, key: str, handles: Iterable[str]) -> None:
        """Commit items, after their orders were checked."""
        self.on_request()
        handles = [*handles]
        items = self.feeds[key]._items  # noqa: SLF001 - of the sandbox
        ids = [handle.partition(".")[0] for handle in handles]
        self.on_commit([items[id_].change.order_id for id_ in ids if id_ in items])
        super().commit_feed(key, handles)
        self.on_request()


class SyncTrial:
    """A process that reads orders, and is killed several times.

    Args:
        arguments: The command line.
        action: ``sync`` or ``backfill``.
        location: The journal.
    """

    def __init__(self, arguments: argparse.Namespace, action: str, location: str) -> None:
        self.arguments = arguments
        self.action = action
        self.location = location
        self.violations: list[str] = []
        self.commits = 0
        self.requests = 0
        self.strike_at = 0
        self.child: subprocess.Popen[bytes] | None = None
        self.oms = WatchedOms(on_request=self.count_request, on_commit=self.check_commit)
        self.oms.received = deque(maxlen=1)

    def run(self, name: str) -> int:
        """Run the trial, print the result, and return the exit status."""
        started = time.monotonic()
        open_journal(self.location).close()
        order_ids = self.add_orders()
        # Of each order, the request and the response are counted.
        kills = random.Random(self.arguments.seed).sample(  # noqa: S311 - reproducible
            range(1, 2 * len(order_ids)), self.arguments.kills
        )
        with running(self.oms) as url:
            runs = sum(self.run_until(url, at) for at in sorted(kills))
            status = 1
            for _ in range(MAX_RUNS):
                status = self.run_until(url, 0)
                if not status and not self.items_left():
                    break
                time.sleep(VISIBILITY_TIMEOUT)
        self.check(order_ids, status)
        again = sum(self.oms.reads.values()) - len(order_ids)
        print(
            f"{self.action}, journal in {name}: {len(order_ids)} orders, {runs} kills, {self.commits} items committed, "
            f"{again} orders read again, {time.monotonic() - started:.0f} s"
        )
        print("\n".join(f"  VIOLATED: {text}" for text in self.violations) or "  every promise was kept", flush=True)
        return 1 if self.violations else 0

    def add_orders(self) -> list[str]:
        """Add the orders to the sandbox, and return their ids."""
        if self.action == "sync":
            queue = {"visibilityTimeoutInSeconds": VISIBILITY_TIMEOUT, "MessageRetentionPeriodInSeconds": 1_209_600}
            workflow = {"type": "FromWorkflow", "status": sorted(CONFIGURATION.statuses)}
            self.oms.configure_feed(APP_KEY, {"filter": workflow, "queue": queue})
        order_ids = [f"{number:08}-01" for number in range(self.arguments.orders)]
        clock = self.oms.clock
        begin = dt.datetime.combine(sync_process.FIRST, dt.time(), dt.UTC).timestamp()
        for number, order_id in enumerate(order_ids):
            if self.action == "backfill":
                # Most on the first day, so that its window must be halved.
                share = (number / len(order_ids)) ** 3
                self.oms.clock = lambda share=share: begin + share * sync_process.DAYS * 86_400  # type: ignore[misc]
            self.oms.add_order(order_id, ["1"], tracking_number=f"BR{number:09}BR")
        self.oms.clock = clock
        return order_ids

    def run_until(self, url: str, at: int) -> int:
        """Run the process and kill it at a request, if there is one; return the exit status, or 1 if it was killed."""
        command = [sys.executable, "-m", "measure.sync_process", self.action, self.location, url]
        self.strike_at = at
        self.child = subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.DEVNULL)
        status = self.child.wait()
        self.strike_at = 0
        if status > 0:
            self.violations.append(f"the process ended with {status}")
        return 1 if status < 0 else 0

    def count_request(self) -> None:
        """Count a request or a response, and kill the process at the chosen one."""
        self.requests += 1
        if self.strike_at and self.requests >= self.strike_at and self.child is not None:
            self.child.kill()

    def check_commit(self, order_ids: list[str]) -> None:
        """Check that the orders of items that are committed are in the journal."""
        self.commits += len(order_ids)
        with open_reader(self.location) as journal:
            records = journal.select_many("known_by_order_id", order_ids)
        missing = set(order_ids) - {record[1] for record in records}
        self.violations += [f"order {order_id} was committed before it was stored" for order_id in sorted(missing)]

    def items_left(self) -> int:
        """Return how many items the feed has."""
        return sum(feed.shown(self.oms.clock())["quantity"] for feed in self.oms.feeds.values())

    def check(self, order_ids: list[str], status: int) -> None:
        """Record a description of each broken promise."""
        if status or self.items_left():
            self.violations.append(f"the last run was not complete, and the feed has {self.items_left()} items")
        with open_reader(self.location) as journal:
            counts = OrderStore(journal, "mystore").counts()
            records = journal.select_many("known_by_order_id", order_ids[:: max(1, len(order_ids) // 500)])
        number = len(order_ids)
        if [(each.orders, each.packages, each.tracked) for each in counts] != [(number, number, number)]:
            self.violations.append(f"{number} orders became {counts}")
        for record in records:
            order_id, tracking_number = record[1], record[6]
            if tracking_number != f"BR0{order_id[:8]}BR":
                self.violations.append(f"order {order_id} has the tracking number {tracking_number}")
        unread = set(order_ids) - self.oms.reads.keys()
        self.violations += [f"order {order_id} was never read" for order_id in sorted(unread)]
        again = sum(self.oms.reads.values()) - number
        if again > self.arguments.kills:
            self.violations.append(f"{again} orders were read again, after {self.arguments.kills} kills")
