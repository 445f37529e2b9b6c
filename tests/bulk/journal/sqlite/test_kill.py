"""Tests of processes that are killed: what the journal confirmed before is still there afterwards."""

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

from support.processes import Program

if TYPE_CHECKING:
    from pathlib import Path

#: Adds events "0", "1", ... of packages of three, beginning with a given number, and meanwhile begins and settles the
#: pending entries with four threads, without end. Prints a line after each step that the journal confirmed. Every third
#: outcome is deferred, and the line of the entry is only printed after the next step of the thread.
PROGRAM = """
import itertools, os, random, sys, threading
from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.input.rows import Place, Row
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal

path, first, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sent = threading.Semaphore(200)

def report(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def rows():
    for n in itertools.count(first):
        event = TrackingEvent("2026-10-01", str(n))
        yield Row(Place("f.csv", n), "mystore", "o-01", str(n // 3), event, is_delivered=False, delivered_date=None)

def send(share, lease):
    chance = random.Random(seed + share)
    deferred = []
    while True:
        for entry in journal.entries(Selection(("pending",))):
            if entry.id % 4 == share and lease.begin([entry]):
                report("begun", entry.id)
                for line in deferred:
                    report(*line)
                state = chance.choice(["applied", "refused", "unknown", "in_flight"])
                is_deferred = chance.random() < 1 / 3
                deferred = [("settled", entry.id, state)] if is_deferred and state != "in_flight" else []
                if state != "in_flight":
                    lease.settle([entry], state, receipt=f"receipt {entry.id}", is_deferred=is_deferred)
                    if not is_deferred:
                        report("settled", entry.id, state)
                sent.release()

journal = SqliteJournal.open(path)
report("opened")
with journal.lease("mystore") as lease:
    for share in range(4):
        threading.Thread(target=send, args=[share, lease], daemon=True).start()
    for added in journal.add(rows()):
        if added.row.place.line % 100 == 99:
            report("added", added.row.place.line)
            for _ in range(100):
                sent.acquire()
"""


class Known:
    """What the journal confirmed, over all runs."""

    def __init__(self) -> None:
        self.added: set[str] = set()
        self.states: dict[int, str] = {}

    def record_line(self, line: str) -> None:
        """Record a line that the program printed."""
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
    """Run the program, and kill it when it has printed so many lines."""
    with Program(PROGRAM, path, first, seed) as program:
        for _ in range(lines):
            known.record_line(program.read_line())
        program.kill()
        while line := program.read_line():
            known.record_line(line)


def check(path: Path, known: Known) -> int:
    """Compare the journal with what it confirmed, and return how many events it has."""
    with SqliteJournal.open(path) as journal:
        entries = {entry.id: entry for entry in journal.entries()}
        texts = [entry.event.description for entry in entries.values() if entry.event]
        assert known.added <= set(texts)
        assert texts == [str(n) for n in range(len(texts))], "none is missing, none is there twice"
        for id_, entry in entries.items():
            confirmed = known.states.get(id_)
            if confirmed is None:  # the last step of a thread may have been committed, and not printed
                assert entry.state in {"pending", "in_flight"}
            elif confirmed == "begun":
                assert entry.state in {"in_flight", "applied", "refused", "unknown"}
                known.states[id_] = entry.state
            else:
                assert entry.state == confirmed
            assert entry.attempts == (entry.state != "pending")
            assert entry.receipt == (None if entry.state in {"pending", "in_flight"} else f"receipt {id_}")
            if confirmed is None and entry.state == "in_flight":
                known.states[id_] = "in_flight"
        assert sum(sum(c.values()) for c in journal.counts().values()) == len(entries)
        assert [e.id for e in journal.entries(Selection(STATES))] == list(entries)
        assert journal._fetch("PRAGMA integrity_check", {}) == [("ok",)]
        return len(entries)


def test_nothing_is_lost_when_a_process_is_killed(tmp_path: Path) -> None:
    """A process is killed at random points again and again: while it creates the journal, adds rows and delivers."""
    path, known, first = tmp_path / "journal.db", Known(), 0
    chance = random.Random(5)  # noqa: S311 - the same on every run
    for seed, lines in enumerate([1, 2, *[chance.randrange(3, 800) for _ in range(6)]]):
        run_and_kill(path, first, seed * 10, lines, known)
        first = check(path, known)
    counts = Counter(known.states.values())
    assert {state: counts[state] > 50 for state in counts} == dict.fromkeys(
        {"in_flight", "applied", "refused", "unknown"}, True
    )


def test_journal_can_be_created_after_its_creation_was_killed(tmp_path: Path) -> None:
    """A process is killed at each system call of the creation: the journal exists whole or not at all."""
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
