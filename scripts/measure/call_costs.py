"""Measure the cost of an update: every subject in turn, round after round, so that noise affects all of them."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .names import DELAY, DISTANT_IN_FLIGHT, IN_FLIGHT, SUBJECTS, Kind
from .samples import percentile
from .subject_process import SubjectError, SubjectProcess

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from .effort import Effort

T = TypeVar("T")

#: Updates of the trial run that estimates the cost of one.
_TRIAL_UPDATES = 8

#: Maximum number of updates in a batch.
_MAX_BATCH = 2000

#: Events of the larger update.
MANY_EVENTS = 20


class Cell(NamedTuple):
    """A combination of concurrency and update size."""

    in_flight: int
    events: int


def cells(kind: Kind) -> list[Cell]:
    """Return the combinations to measure: one event with each concurrency, and the larger update."""
    return [*(Cell(number, 1) for number in IN_FLIGHT[kind]), Cell(1 if kind == "sync" else 32, MANY_EVENTS)]


def batch_size(cost: float, in_flight: int, effort: Effort) -> int:
    """Return the number of updates in a batch, from the CPU seconds of one."""
    target = int(effort.batch / max(cost, 1e-6))
    return max(min(target, _MAX_BATCH), effort.turns * in_flight)


class Group:
    """The processes of all subjects that could be started.

    Attributes:
        subjects: The processes that still run.
        missing: ``kind name`` of each other subject -> the reason.
    """

    def __init__(self, stack: ExitStack, url: str, core: int | None, peers: Path, kinds: Iterable[Kind]) -> None:
        self.missing: dict[str, str] = {}
        self.subjects: list[SubjectProcess] = []
        for kind in kinds:
            for name in SUBJECTS[kind]:
                try:
                    self.subjects.append(stack.enter_context(SubjectProcess(kind, name, url, core, peers)))
                except SubjectError as error:
                    self._record_missing(f"{kind} {name}", error)

    def run(self, subject: SubjectProcess, task: dict[str, Any]) -> dict[str, Any] | None:
        """Run a task; a subject that fails is removed, and returns None from then on."""
        if subject not in self.subjects:
            return None
        try:
            return subject.run(task)
        except SubjectError as error:
            self.subjects.remove(subject)
            self._record_missing(f"{subject.kind} {subject.name}", error)
            return None

    def _record_missing(self, what: str, error: SubjectError) -> None:
        self.missing[what] = str(error)
        print(f"  missing: {what}: {error}", file=sys.stderr)


class Measurement(NamedTuple):
    """A batch that runs in each round, and its results."""

    subject: SubjectProcess
    task: dict[str, Any]
    figures: dict[str, Any]


def calls(url: str, core: int | None, peers: Path, effort: Effort) -> dict[str, Any]:
    """Measure the CPU time of updates that are answered at once, and the peak memory."""
    with ExitStack() as stack:
        group = Group(stack, url, core, peers, ("sync", "async"))
        measurements = list(_measurements(group, effort))
        peaks: dict[str, dict[str, Any]] = {}
        for round_ in range(effort.rounds):
            for subject, task, figures in in_turn(measurements, round_):
                answer = group.run(subject, task)
                if answer:
                    figures["microseconds"].append(round(answer["cpu"] / task["updates"] * 1e6, 1))
                    record = {"kind": subject.kind, "name": subject.name, "megabytes": round(answer["peak"], 1)}
                    peaks[f"{subject.kind} {subject.name}"] = record
        found = [figures for subject, _, figures in measurements if subject in group.subjects]
        memory = [peaks[f"{subject.kind} {subject.name}"] for subject in group.subjects]
    return {"calls": found, "memory": memory, "missing": group.missing}


def in_turn(things: Sequence[T], round_: int) -> Sequence[T]:
    """Return the order of a round: reversed in every other round, so that no subject is always the first."""
    return things[::-1] if round_ % 2 else things


def _measurements(group: Group, effort: Effort) -> Iterator[Measurement]:
    """Yield the batch of each subject, after a trial run that estimates its cost.

    Compared batches are neighbours, because the load of a machine changes within seconds.
    """
    for kind in ("sync", "async"):
        for cell in cells(kind):
            for subject in [one for one in group.subjects if one.kind == kind]:
                trial = {**cell._asdict(), "updates": _TRIAL_UPDATES, "latencies": False}
                answer = group.run(subject, trial)
                if answer:
                    task = {**trial, "updates": batch_size(answer["cpu"] / _TRIAL_UPDATES, cell.in_flight, effort)}
                    figures = {"kind": kind, "name": subject.name, **cell._asdict(), "microseconds": []}
                    yield Measurement(subject, task, figures)


def distant(url: str, core: int | None, peers: Path, effort: Effort) -> dict[str, Any]:
    """Measure the throughput and the latency of updates with a delayed server."""
    with ExitStack() as stack:
        group = Group(stack, url, core, peers, ("async",))
        measurements = []
        for subject in tuple(group.subjects):
            trial = {"in_flight": DISTANT_IN_FLIGHT, "events": 1, "updates": DISTANT_IN_FLIGHT, "latencies": True}
            answer = group.run(subject, trial)
            if answer:
                task = {**trial, "updates": turns(answer["seconds"], effort) * DISTANT_IN_FLIGHT}
                figures: dict[str, Any] = {"name": subject.name, "a_second": [], "p50": [], "p99": []}
                measurements.append(Measurement(subject, task, figures))
        for round_ in range(effort.distant_rounds):
            for subject, task, figures in in_turn(measurements, round_):
                answer = group.run(subject, task)
                if answer:
                    figures["a_second"].append(round(task["updates"] / answer["seconds"], 1))
                    figures["p50"].append(round(percentile(answer["latencies"], 0.5) / DELAY, 3))
                    figures["p99"].append(round(percentile(answer["latencies"], 0.99) / DELAY, 3))
        found = [figures for subject, _, figures in measurements if subject in group.subjects]
    return {"distant": found, "missing": group.missing}


def turns(seconds: float, effort: Effort) -> int:
    """Return the updates of each task for the delayed server, from the seconds of one update of all tasks."""
    return max(int(effort.distant_seconds / max(seconds, DELAY)), effort.turns)
