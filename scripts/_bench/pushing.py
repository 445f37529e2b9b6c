"""Pushes from a file to a journal, and the plan of a large file: the files, and the processes that are asked."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from _environment import ROOT

from .children import SCRIPTS, environment
from .cores import on_core
from .names import FAST, OURS
from .update import ACCOUNT, APP_KEY, APP_TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable

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


def pushes(url: str, core: int | None, effort: Effort) -> dict[str, Any]:
    """Push the same file with and without coalescing, to journals of both kinds, with both ways to send."""
    found: dict[tuple[str, bool, str], dict[str, Any]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vtex-bench-")))
        file, little = folder / "events.csv", folder / "one.csv"
        write(file, effort.packages, EVENTS_PER_PACKAGE)
        little.write_text(f"{_HEADER}1-01,1,2026-10-01,São Paulo,SP,Objeto postado\n", encoding="utf-8")
        journals: dict[str, Callable[[str], str]] = {
            "SQLite": lambda name: str(folder / f"{name}.db"),
            "PostgreSQL": _databases(stack),
        }
        for round_ in range(effort.push_rounds):
            for journal, address in journals.items():
                for coalesced, events_per_call in COALESCED.items():
                    for name in (FAST, OURS):
                        job = {
                            "url": url,
                            "file": str(file),
                            "little": str(little),
                            "journal": address(f"{journal}-{coalesced}-{name == FAST}-{round_}"),
                            "events_per_call": events_per_call,
                            "httptools": name == FAST,
                        }
                        figures = found.setdefault(
                            (journal, coalesced, name),
                            {
                                "journal": journal,
                                "coalesced": coalesced,
                                "name": name,
                                "events": effort.packages * EVENTS_PER_PACKAGE,
                                # A package's events go in as few calls as may carry them.
                                "fewest_calls": effort.packages * -(-EVENTS_PER_PACKAGE // events_per_call),
                                "calls": 0,
                                "seconds": [],
                                "http_cpu": [],
                                "other_cpu": [],
                            },
                        )
                        answer = _ask("push", job, core, {})
                        if answer["applied"] != figures["events"]:
                            raise SystemExit(f"A push to {journal} applied {answer['applied']} events.")
                        figures["calls"] = answer["calls"]
                        for key in ("seconds", "http_cpu", "other_cpu"):
                            figures[key].append(round(answer[key], 4))
    return {"pushes": list(found.values())}


def plan(rows: int, core: int | None) -> dict[str, Any]:
    """Plan a file of so many rows, and return the peak of memory and the processor's seconds."""
    with tempfile.TemporaryDirectory(prefix="vtex-bench-") as folder:
        file = Path(folder, "events.csv")
        write(file, rows // EVENTS_PER_PACKAGE, EVENTS_PER_PACKAGE)
        arguments = ["push", "--dry-run", str(file), "--journal", str(Path(folder, "journal.db"))]
        credentials = {"VTEX_ACCOUNT": ACCOUNT, "VTEX_APP_KEY": APP_KEY, "VTEX_APP_TOKEN": APP_TOKEN}
        answer = _ask("plan", {"arguments": arguments}, core, credentials)
    return {"plan": {"rows": rows, "megabytes": round(answer["peak"], 1), "cpu_seconds": round(answer["cpu"], 2)}}


def _databases(stack: ExitStack) -> Callable[[str], str]:
    """Start a PostgreSQL that waits for the disk, as a real one does, and return what makes databases in it."""
    sys.path.append(str(ROOT / "tests"))
    from postgres import Databases, Server  # noqa: PLC0415 - found only now

    server = stack.enter_context(Server(is_durable=True))
    databases = Databases(server.url)
    return lambda _: databases.new()


def _ask(what: str, job: dict[str, Any], core: int | None, credentials: dict[str, str]) -> dict[str, Any]:
    """Have a process of its own do a job; see :mod:`.pusher`."""
    with on_core(core):
        child = subprocess.Popen(
            [sys.executable, "-m", "_bench.pusher", what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=SCRIPTS,
            env={**environment(None), **credentials},
        )
    said, _ = child.communicate(json.dumps(job))
    if child.returncode:
        raise SystemExit(f"The process of a {what} ended with status {child.returncode}.")
    answer: dict[str, Any] = json.loads(said)
    return answer
