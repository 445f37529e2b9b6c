"""Tests of pushes that are killed or interrupted: every event is on its order once, or is named as refused or unknown.

``scripts/kill_trial`` does the same with thousands of events, and with changes that the order shows late.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.bulk.journal.sqlite import SqliteReader
from vtex_tracking_ext.sandbox import OmsSettings

from support.killing.files import START, Content, make, orders_of
from support.killing.runs import CLI, Child, run
from support.killing.verdict import judge, truth_of
from support.killing.vtex import Fault, Faults, Vtex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.killing.runs import Ended
    from support.killing.verdict import Verdict

#: Pushes a file, if there is one, without another look at the end at what became unknown, which would take seconds.
PROGRAM = """
import datetime, sys
from vtex_tracking_ext import TrackingClient
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk import push
from vtex_tracking_ext.bulk.input.reader import read_rows

journal, events_per_call, *files = sys.argv[1:]
rows = [row for file in files for row in read_rows(file, datetime.datetime.now().astimezone())]
with TrackingClient.from_env() as client:
    options = DeliveryOptions(events_per_call=int(events_per_call), recheck_delays=())
    push(rows, client, journal, options=options, rate=1000)
"""

KINDS: tuple[Fault, ...] = ("cut", "torn", "failed", "broken", "dropped")


class Trial:
    """A file, its orders and a journal."""

    def __init__(self, folder: Path, content: Content, vtex: Vtex) -> None:
        self.content, self.vtex = content, vtex
        self.file, self.journal = folder / "events.csv", folder / "journal.db"
        content.write(self.file)

    def push(
        self,
        *files: Path,
        events_per_call: int = 1,
        act: Callable[[Child], object] | None = None,
        at: int = 0,
        after: bool = False,
    ) -> Ended:
        """Push in a process of its own."""
        command = (sys.executable, "-c", PROGRAM, str(self.journal), str(events_per_call), *map(str, files))
        return run(command, self.vtex, act, at=at, after=after)

    def command(self, *arguments: object, act: Callable[[Child], object] | None = None, at: int = 0) -> Ended:
        """Run a command of the command line in a process of its own."""
        given = (*CLI, *map(str, arguments), "--journal", str(self.journal), "--rate", "1000")
        return run(given, self.vtex, act, at=at)

    def show(self) -> None:
        """Let so much time pass that all changes show."""
        now = self.vtex.oms.clock() + 60
        self.vtex.oms.clock = lambda: now

    def look(self, *, is_over: bool = True) -> Verdict:
        """Hold the truth and the journal against the file."""
        with SqliteReader.open(self.journal) as journal:
            found = judge(self.content, truth_of(self.vtex.oms, self.content.fates), journal.entries(), is_over=is_over)
        assert found.broken == []
        return found


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Trial]]:
    """Return a function that begins a trial; its server ends with the test."""
    servers = []

    def begin(events: int, faults: float, *, refusals: bool = True, show_after: float = 0) -> Trial:
        content = make(events, 11, refusals=refusals)
        oms = orders_of(content, OmsSettings(show_after=show_after), lambda: START)
        vtex = Vtex(oms, Faults(faults, 12, KINDS), limit=60)
        servers.append(vtex.server.__enter__())
        return Trial(tmp_path, content, vtex)

    yield begin
    for server in servers:
        server.__exit__(None, None, None)


def test_repeatedly_killed_push_sends_each_event_once(begin: Callable[..., Trial]) -> None:
    """A push that is killed before and after updates are applied sends each event once."""
    trial = begin(90, 0.4, show_after=30)
    in_flight = 0
    for events_per_call, at, after, files in (
        (1, 9, False, [trial.file]),
        (20, 7, True, [trial.file]),
        (1, 12, True, []),
    ):
        ended = trial.push(*files, events_per_call=events_per_call, act=Child.kill, at=at, after=after)
        assert ended.status == -signal.SIGKILL
        in_flight += trial.look(is_over=False).states["in_flight"]
        if events_per_call > 1:
            trial.show()
    assert in_flight, "they were killed with something on its way"
    assert trial.push(trial.file, events_per_call=20).status == 0
    assert not trial.look().states["in_flight"]
    trial.show()
    trial.command("resolve", "--read", "--all")
    found = trial.look(is_over=False)
    assert not found.overlooked, "all that was applied is shown, so reading finds it"
    assert found.missing, "some were dropped"
    trial.vtex.behave()
    assert trial.command("resolve", "--not-applied", *found.missing).status == 0
    assert trial.command("push").status in {0, 1}, "all was applied, or some refused"
    found = trial.look()
    assert found.states.keys() == {"applied", "refused"}
    assert found.states.total() == sum(map(len, trial.content.expected().values())) > 100
    assert set(trial.vtex.gone_wrong) == set(KINDS)


def test_interrupted_push_finishes_calls_in_progress(begin: Callable[..., Trial]) -> None:
    """An interrupted push exits with 130, leaves no entry in flight or unknown, and the next push sends the rest."""
    trial = begin(40, 0, refusals=False)
    ended = trial.command("push", trial.file, act=Child.interrupt, at=5)
    assert ended.status == 130
    assert "Interrupt again to exit at once" in ended.out
    found = trial.look(is_over=False)
    assert found.states["in_flight"] == found.states["unknown"] == 0
    assert found.states["applied"]
    assert found.states["pending"]
    assert trial.command("push").status == 0
    assert trial.look().states.keys() == {"applied"}


def test_second_interrupt_stops_at_once(begin: Callable[..., Trial]) -> None:
    """After a second interrupt, calls without an answer stay in flight, and the next push resolves them."""
    trial = begin(40, 0, refusals=False)
    ended = trial.command("push", trial.file, act=Child.interrupt_twice, at=5)
    assert ended.status == 130
    found = trial.look(is_over=False)
    assert found.states["in_flight"] == found.overlooked > 0, "it was applied after the end of the run"
    assert trial.command("push", trial.file).status == 0
    assert trial.look().states.keys() == {"applied"}
