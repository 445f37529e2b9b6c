"""The trial behind ``scripts/note_trial``."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.journal.opening import open_reader
from vtex_tracking_ext.sandbox import Oms, OmsSettings, running

from . import note_process

if TYPE_CHECKING:
    import argparse

    from vtex_tracking_ext.bulk.journal.entries import State

#: Limits of the seconds that a delivery runs before it is killed.
LIFETIME = (0.3, 2.0)

#: Most deliveries after the last kill; each resolves what it finds in doubt.
MAX_ROUNDS = 5


class NoteTrial:
    """Processes that note rows in one journal, and one that delivers them.

    Args:
        arguments: The command line.
        location: The journal.
    """

    def __init__(self, arguments: argparse.Namespace, location: str) -> None:
        self.arguments = arguments
        self.location = location
        self.random = random.Random(arguments.seed)  # noqa: S311 - reproducible
        self.threads = range(arguments.processes * arguments.threads)
        self.rows = arguments.rows // len(self.threads)

    def run(self, name: str) -> int:
        """Run the trial, print the result, and return the exit status."""
        started = time.monotonic()
        oms = Oms(OmsSettings())
        for thread in self.threads:
            for row in note_process.rows_of(thread, self.rows)[:: note_process.EVENTS_PER_PACKAGE]:
                oms.add_order(row["order_id"], [row["invoice_number"]])
        with running(oms) as url:
            threads = str(self.arguments.threads)
            noters = [
                self.start(url, "note", str(first), threads, str(self.rows))
                for first in self.threads[:: self.arguments.threads]
            ]
            kills = 0
            while kills < self.arguments.kills:
                delivery = self.start(url, "deliver", "0")
                try:
                    delivery.wait(self.random.uniform(*LIFETIME))
                except subprocess.TimeoutExpired:
                    delivery.kill()
                    kills += 1
                delivery.wait()
            violations = [f"a process that notes ended with {child.returncode}" for child in noters if child.wait()]
            noted = time.monotonic() - started
            for _ in range(MAX_ROUNDS):
                self.start(url, "deliver", "1").wait()
                with open_reader(self.location) as journal:
                    counts = sum(journal.counts().values(), Counter())
                if set(counts) == {"applied"}:
                    break
        violations += self.violations(oms, counts)
        print(f"journal in {name}: {len(self.threads)} threads, {self.arguments.processes} processes, {kills} kills")
        print(f"  noted in {noted:.0f} s, delivered after {time.monotonic() - started:.0f} s; entries: {dict(counts)}")
        print("\n".join(f"  VIOLATED: {text}" for text in violations) or "  every promise was kept", flush=True)
        return 1 if violations else 0

    def start(self, url: str, action: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a process of the trial."""
        command = [sys.executable, "-m", "measure.note_process", action, self.location, url, *arguments]
        return subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.DEVNULL)

    def violations(self, oms: Oms, counts: Counter[State]) -> list[str]:
        """Return a description of each broken promise."""
        total = self.rows * len(self.threads)
        found = [] if counts == {"applied": total} else [f"{total} rows became {dict(counts)}"]
        for thread in self.threads:
            expected: dict[str, list[str]] = {}
            for row in note_process.rows_of(thread, self.rows):
                expected.setdefault(row["order_id"], []).append(row["description"])
            for order_id, descriptions in expected.items():
                shown = [event["description"] for event in oms.applied(order_id, "1")]
                if shown != descriptions:
                    found.append(f"order {order_id} shows {shown}")
        return found
