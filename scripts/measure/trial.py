"""The part that the kill trial and the fleet trial share: a faulty sandbox, and the checks of the outcome."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.sandbox import OmsSettings

from support.killing.files import START, make, orders_of
from support.killing.verdict import judge, truth_of
from support.killing.vtex import KINDS, Faults, Vtex

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from vtex_tracking_ext.bulk.journal.entries import State

    from support.killing.verdict import Verdict

#: Limits of the random delay, in seconds, until an applied change is visible in the order.
VISIBILITY_DELAY = (1.0, 6.0)
CALLS_PER_SECOND = 60

#: Upper bound for the rounds of resolving and sending after the last kill.
MAX_ROUNDS = 4

#: States that no entry may be in at the end.
OPEN_STATES: Final[tuple[State, ...]] = ("pending", "in_flight", "unknown")


class Trial(ABC):
    """One trial.

    Args:
        arguments: The command line.
        folder: Folder of the file that is delivered.
        open_reader: Opens the journal for reading.

    Attributes:
        violations: A description of each broken promise.
        statuses: Exit status -> how many commands ended with it.
    """

    def __init__(
        self, arguments: argparse.Namespace, folder: Path, open_reader: Callable[[], AbstractContextManager[Any]]
    ) -> None:
        self.arguments = arguments
        self.random = random.Random(arguments.seed)  # noqa: S311 - reproducible
        self.file = folder / "events.csv"
        self.content = make(arguments.events, arguments.seed)
        self.content.write(self.file)
        self.started = time.monotonic()
        settings = OmsSettings(
            rate_limit=CALLS_PER_SECOND,
            rate_window=1.0,
            retry_after=1,
            show_after=self.random.uniform(*VISIBILITY_DELAY),
        )
        oms = orders_of(self.content, settings, lambda: START + time.monotonic() - self.started)
        self.vtex = Vtex(oms, Faults(arguments.faults, arguments.seed, KINDS), limit=3600)
        self.statuses: Counter[int] = Counter()
        self.violations: list[str] = []
        self._open_reader = open_reader

    @abstractmethod
    def resolve(self, *arguments: str) -> None:
        """Run the command ``resolve``."""

    @abstractmethod
    def send_pending(self) -> None:
        """Send the journal's pending events."""

    def check(self, when: str, *, is_over: bool = True) -> Verdict:
        """Compare the orders and the journal with the file, and print the result."""
        with self._open_reader() as reader:
            truth = truth_of(self.vtex.oms, self.content.fates)
            verdict = judge(self.content, truth, reader.entries(), is_over=is_over)
        self.violations += [f"{when}: {violation}" for violation in verdict.broken]
        print(f"  {when}: {verdict}", flush=True)
        return verdict

    def resolve_and_check(self, when: str) -> Verdict:
        """Resolve unknown outcomes and send what is pending until every event that VTEX accepts is applied."""
        verdict = self.check(when)
        for _ in range(MAX_ROUNDS):
            self.resolve("--read", "--all")
            self.send_pending()
            verdict = self.check("unknown outcomes resolved by reading orders")
            if not verdict.overlooked:
                break
        self.vtex.behave()
        for _ in range(MAX_ROUNDS):
            if verdict.missing:
                self.resolve("--not-applied", *map(str, verdict.missing))
                self.send_pending()
                verdict = self.check("missing events sent again")
        self.violations += [f"{left} {state} at the end" for state in OPEN_STATES if (left := verdict.states[state])]
        return verdict

    def report(self, verdict: Verdict) -> int:
        """Print the counts and the violations, and return the exit status."""
        vtex = self.vtex
        print(f"exit statuses {dict(self.statuses)}")
        print(f"requests      {vtex.puts} updates, {vtex.gets} orders read, {vtex.throttled} of both answered 429")
        print(f"faults        {vtex.gone_wrong.total()}: {dict(vtex.gone_wrong)}")
        print(f"at the end    {verdict}")
        print(f"duration      {time.monotonic() - self.started:.0f} s")
        print("\n".join([f"VIOLATED: {violation}" for violation in self.violations] or ["every promise was kept"]))
        return 1 if self.violations else 0
