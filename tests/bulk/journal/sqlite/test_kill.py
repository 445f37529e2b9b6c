"""A run that is killed loses nothing: what its journal said before, it says afterwards."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.bulk.journal.entries import STATES, Selection
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path

#: Adds events "0", "1", ... of packages of three, from the number that it is given on, and meanwhile sends what waits
#: with four threads, without end. Writes a line after each step, when the journal has said that it is done.
PROGRAM = """
import itertools, os, random, sys, threading
from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.input.rows import Place, Row
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

path, first, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sent = threading.Semaphore(200)

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def rows():
    for n in itertools.count(first):
        event = TrackingEvent("2026-10-01", str(n))
        yield Row(Place("f.csv", n), "", "o-01", str(n // 3), event, is_delivered=False, delivered_date=None)

def send(share):
    chance = random.Random(seed + share)
    while True:
        for entry in journal.entries(Selection(("pending",))):
            if entry.id % 4 == share:
                journal.mark_in_flight([entry.id])
                say("begun", entry.id)
                state = chance.choice(["applied", "refused", "unknown", "in_flight"])
                if state != "in_flight":
                    journal.record_outcome([entry.id], state, receipt=f"receipt {entry.id}")
                    say("settled", entry.id, state)
                sent.release()

journal = SqliteJournal.open(path)
say("opened")
for share in range(4):
    threading.Thread(target=send, args=[share], daemon=True).start()
for added in journal.add(rows(), "mystore"):
    if added.row.place.line % 100 == 99:
        say("added", added.row.place.line)
        for _ in range(100):
            sent.acquire()
"""


class Known:
    """What the journal has said, over all runs."""

    def __init__(self) -> None:
        self.added: set[str] = set()
        self.states: dict[int, str] = {}

    def record_result(self, line: str) -> None:
        """Take in a line that the program wrote."""
        match line.split():
            case ["opened"]:
                pass
            case ["added", text]:
                self.added.add(text)
            case ["begun", id_]:
                self.states[int(id_)] = "begun"
            case ["settled", id_, state]:
                self.states[int(id_)] = state
            case _:
                pytest.fail(f"The program failed: {line}")


def run_and_kill(path: Path, first: int, seed: int, lines: int, known: Known) -> None:
    """Run the program, and kill it when it has written so many lines."""
    command = [sys.executable, "-c", PROGRAM, str(path), str(first), str(seed)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for number, line in zip(count(1), process.stdout, strict=False):
            known.record_result(line)
            if number == lines:
                process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL


def check(path: Path, known: Known) -> int:
    """Hold the journal against what it has said, and return how many events it has."""
    with SqliteJournal.open(path) as journal:
        entries = {entry.id: entry for entry in journal.entries()}
        texts = [entry.event.description for entry in entries.values() if entry.event]
        assert known.added <= set(texts)
        assert texts == [str(n) for n in range(len(texts))], "none is missing, none is there twice"
        for id_, entry in entries.items():
            said = known.states.get(id_)
            if said is None:  # it may have gone one step further than it could say
                assert entry.state in {"pending", "in_flight"}
            elif said == "begun":
                assert entry.state in {"in_flight", "applied", "refused", "unknown"}
                known.states[id_] = entry.state
            else:
                assert entry.state == said
            assert entry.attempts == (entry.state != "pending")
            assert entry.receipt == (None if entry.state in {"pending", "in_flight"} else f"receipt {id_}")
            if said is None and entry.state == "in_flight":
                known.states[id_] = "in_flight"
        assert sum(sum(c.values()) for c in journal.counts().values()) == len(entries)
        assert [e.id for e in journal.entries(Selection(STATES))] == list(entries)
        assert journal._fetch("PRAGMA integrity_check", {}) == [("ok",)]
        return len(entries)


def test_nothing_is_lost_when_a_run_is_killed(tmp_path: Path) -> None:
    """At random points, again and again, over one journal: while it is made, while it adds, while it delivers."""
    path, known, first = tmp_path / "journal.db", Known(), 0
    chance = random.Random(5)  # noqa: S311 - the same on every run
    for seed, lines in enumerate([1, 2, *[chance.randrange(3, 800) for _ in range(6)]]):
        run_and_kill(path, first, seed * 10, lines, known)
        first = check(path, known)
    counts = Counter(known.states.values())
    assert {state: counts[state] > 50 for state in counts} == dict.fromkeys(set(STATES) - {"pending"}, True)


def test_a_journal_that_is_killed_while_it_is_made_can_be_made(tmp_path: Path) -> None:
    """At each step of the system that making takes: it appears whole or not at all."""
    program = (
        "import os, signal, sys\n"
        "from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal\n"
        "steps = int(sys.argv[2])\n"
        "def audit(event, arguments):\n"
        "    global steps\n"
        "    if event.startswith(('os.', 'sqlite3.', 'open')) and sys.argv[1] in str(arguments):\n"
        "        steps -= 1\n"
        "        if steps < 0:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(audit)\n"
        "SqliteJournal.open(sys.argv[1] + '/journal.db').close()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for steps in count():
        folder = tmp_path / str(steps)
        folder.mkdir()
        command = [sys.executable, "-c", program, str(folder), str(steps)]
        ended = subprocess.run(command, check=False, env=environment)
        with SqliteJournal.open(folder / "journal.db") as journal:
            assert journal.counts() == {}
        assert {p.name for p in folder.iterdir()} == {"journal.db", "journal.db-lock"}
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL
    assert steps > 5
