"""The trial behind ``scripts/kill_trial``: pushes that are killed at random requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from vtex_tracking_ext.bulk.journal.sqlite import SqliteReader

from .trial import VISIBILITY_DELAY, Trial
from support.killing.runs import CLI, Child, Ended, run

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


class KillTrial(Trial):
    """A push with a SQLite journal that is killed several times."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.journal = folder / "journal.db"
        super().__init__(arguments, folder, lambda: SqliteReader.open(self.journal))
        self.runs = self.kills = 0

    def run(self) -> int:
        """Run the trial and return the exit status."""
        while self.kills < self.arguments.kills and self.push_and_kill():
            pass
        self.push(self.file)
        verdict = self.resolve_and_check("after the last kill")
        print(f"\nruns          {self.runs}, of which {self.kills} killed")
        return self.report(verdict)

    def push_and_kill(self) -> bool:
        """Push and kill the push at a random request; return False if it ended before that request."""
        calls = max(2, self.arguments.events // (self.arguments.kills + 1))
        at, after = self.random.randrange(1, calls), self.random.random() < 1 / 2
        files = [self.file] if not self.runs or self.random.random() < 2 / 3 else []
        ended = self.push(*files, act=Child.kill, at=at, after=after)
        if ended.status >= 0:
            print(f"ended before request {at}")
            return False
        self.kills += 1
        self.check(f"killed at request {at}, {'after' if after else 'before'} it was applied", is_over=False)
        return True

    def push(self, *files: Path, **strike: Any) -> Ended:
        """Run the command ``push``."""
        options = ["--concurrency", "8"]
        if self.random.random() < 3 / 4:
            options.append("--no-coalesce")
        return self.call("push", *map(str, files), *options, **strike)

    def send_pending(self) -> None:
        """Push without a file."""
        self.push()

    def resolve(self, *arguments: str) -> None:
        """Run the command ``resolve``."""
        self.call("resolve", *arguments)

    def call(self, *arguments: str, **strike: Any) -> Ended:
        """Run a command of the command line with another random visibility delay."""
        self.vtex.oms.settings = evolve(self.vtex.oms.settings, show_after=self.random.uniform(*VISIBILITY_DELAY))
        options = ("--journal", str(self.journal), "--rate", str(self.arguments.rate))
        ended = run((*CLI, *arguments, *options), self.vtex, **strike)
        self.runs += 1
        self.statuses[ended.status] += 1
        last = ended.out.splitlines()[-2:]
        print(f"run {self.runs}: {' '.join(arguments[:2])} ... exit status {ended.status}: {' / '.join(last)}")
        return ended
