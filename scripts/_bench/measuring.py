"""What an update costs: all subjects asked in turn, round after round, so that a noisy moment hits them all."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from .children import CannotStartError, Subject
from .figures import percentile
from .names import DELAY, DISTANT_IN_FLIGHT, IN_FLIGHT, SUBJECTS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .effort import Effort

#: Updates of the first look at what one costs.
_LOOK = 8

#: Updates of one batch at most.
_LARGEST = 2000

#: How many events the larger update has.
MANY = 20


class Cell(NamedTuple):
    """One thing that is measured of a subject."""

    in_flight: int
    events: int


def cells(kind: Kind) -> list[Cell]:
    """Return what is measured: one event with so many in flight, and the larger update."""
    return [*(Cell(number, 1) for number in IN_FLIGHT[kind]), Cell(1 if kind == "sync" else 32, MANY)]


def size(cost: float, in_flight: int, effort: Effort) -> int:
    """Return how many updates a batch has, of which one costs so many seconds."""
    wanted = int(effort.batch / max(cost, 1e-6))
    return max(min(wanted, _LARGEST), effort.turns * in_flight)


class Group:
    """The subjects that could be started, by kind and name.

    Attributes:
        missing: ``kind name`` of each of the others -> why it is missing.
    """

    def __init__(self, stack: ExitStack, url: str, core: int | None, peers: Path, kinds: Iterable[Kind]) -> None:
        self.missing: dict[str, str] = {}
        self.subjects: list[Subject] = []
        for kind in kinds:
            for name in SUBJECTS[kind]:
                try:
                    self.subjects.append(stack.enter_context(Subject(kind, name, url, core, peers)))
                except CannotStartError as error:
                    self.missing[f"{kind} {name}"] = str(error)
                    print(f"  missing: {kind} {name}: {error}", file=sys.stderr)


def calls(url: str, core: int | None, peers: Path, effort: Effort) -> dict[str, Any]:
    """Measure the processor's time of updates that are answered at once, and the peak of memory."""
    with ExitStack() as stack:
        group = Group(stack, url, core, peers, ("sync", "async"))
        found: list[dict[str, Any]] = []
        batches: list[tuple[Subject, dict[str, Any], dict[str, Any]]] = []
        for subject in group.subjects:
            for cell in cells("sync" if subject.kind == "sync" else "async"):
                task = {**cell._asdict(), "updates": _LOOK, "seconds": 0, "ramp": 0}
                look = subject.ask(task)
                task["updates"] = size(look["cpu"] / _LOOK, cell.in_flight, effort)
                figures = {"kind": subject.kind, "name": subject.name, **cell._asdict(), "microseconds": []}
                found.append(figures)
                batches.append((subject, task, figures))
        peaks: dict[tuple[str, str], float] = {}
        for _ in range(effort.rounds):
            for subject, task, figures in batches:
                answer = subject.ask(task)
                figures["microseconds"].append(round(answer["cpu"] / answer["updates"] * 1e6, 1))
                peaks[subject.kind, subject.name] = answer["peak"]
    memory = [{"kind": kind, "name": name, "megabytes": round(peak, 1)} for (kind, name), peak in peaks.items()]
    return {"calls": found, "memory": memory, "missing": group.missing}


def distant(url: str, core: int | None, peers: Path, effort: Effort) -> dict[str, Any]:
    """Measure how many updates a second get through to a server that takes its time, and how long one takes."""
    task = {"in_flight": DISTANT_IN_FLIGHT, "events": 1, "updates": 0}
    task |= {"seconds": effort.distant_seconds, "ramp": effort.distant_seconds / 4}
    with ExitStack() as stack:
        group = Group(stack, url, core, peers, ("async",))
        found: dict[str, dict[str, Any]] = {
            subject.name: {"name": subject.name, "a_second": [], "p50": [], "p99": []} for subject in group.subjects
        }
        for _ in range(effort.distant_rounds):
            for subject in group.subjects:
                answer, figures = subject.ask(task), found[subject.name]
                latencies = answer["latencies"] or [task["seconds"]]  # at least: not one was answered in that time
                figures["a_second"].append(round(answer["updates"] / task["seconds"], 1))
                figures["p50"].append(round(percentile(latencies, 0.5) / DELAY, 3))
                figures["p99"].append(round(percentile(latencies, 0.99) / DELAY, 3))
    return {"distant": list(found.values()), "missing": group.missing}
