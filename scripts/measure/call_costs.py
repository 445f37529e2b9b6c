"""What an update costs: all subjects asked in turn, round after round, so that a noisy moment hits them all."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .names import DELAY, DISTANT_IN_FLIGHT, IN_FLIGHT, SUBJECTS, Kind
from .samples import percentile
from .subject_process import CannotAnswerError, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from .effort import Effort

T = TypeVar("T")

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
    """The subjects that could be started.

    Attributes:
        subjects: Those that still answer.
        missing: ``kind name`` of each of the others -> why it is missing.
    """

    def __init__(self, stack: ExitStack, url: str, core: int | None, peers: Path, kinds: Iterable[Kind]) -> None:
        self.missing: dict[str, str] = {}
        self.subjects: list[Subject] = []
        for kind in kinds:
            for name in SUBJECTS[kind]:
                try:
                    self.subjects.append(stack.enter_context(Subject(kind, name, url, core, peers)))
                except CannotAnswerError as error:
                    self._miss(f"{kind} {name}", error)

    def ask(self, subject: Subject, task: dict[str, Any]) -> dict[str, Any] | None:
        """Have a subject carry out a task, or note that it cannot, from now on."""
        if subject not in self.subjects:
            return None
        try:
            return subject.ask(task)
        except CannotAnswerError as error:
            self.subjects.remove(subject)
            self._miss(f"{subject.kind} {subject.name}", error)
            return None

    def _miss(self, what: str, error: CannotAnswerError) -> None:
        self.missing[what] = str(error)
        print(f"  missing: {what}: {error}", file=sys.stderr)


class Measurement(NamedTuple):
    """A batch that is asked for in each round, and the figures that it gave."""

    subject: Subject
    task: dict[str, Any]
    figures: dict[str, Any]


def calls(url: str, core: int | None, peers: Path, effort: Effort) -> dict[str, Any]:
    """Measure the processor's time of updates that are answered at once, and the peak of memory."""
    with ExitStack() as stack:
        group = Group(stack, url, core, peers, ("sync", "async"))
        measurements = list(_measurements(group, effort))
        peaks: dict[str, dict[str, Any]] = {}
        for round_ in range(effort.rounds):
            for subject, task, figures in in_turn(measurements, round_):
                answer = group.ask(subject, task)
                if answer:
                    figures["microseconds"].append(round(answer["cpu"] / task["updates"] * 1e6, 1))
                    record = {"kind": subject.kind, "name": subject.name, "megabytes": round(answer["peak"], 1)}
                    peaks[f"{subject.kind} {subject.name}"] = record
        found = [figures for subject, _, figures in measurements if subject in group.subjects]
        memory = [peaks[f"{subject.kind} {subject.name}"] for subject in group.subjects]
    return {"calls": found, "memory": memory, "missing": group.missing}


def in_turn(things: Sequence[T], round_: int) -> Sequence[T]:
    """Return what is measured in a round: every other round the other way round, so that none is always the first."""
    return things[::-1] if round_ % 2 else things


def _measurements(group: Group, effort: Effort) -> Iterator[Measurement]:
    """Yield what is to be asked, after a first look at what an update costs there.

    Those that are compared come one after the other, because the load of a machine changes within seconds.
    """
    for kind in ("sync", "async"):
        for cell in cells(kind):
            for subject in [one for one in group.subjects if one.kind == kind]:
                look = {**cell._asdict(), "updates": _LOOK, "latencies": False}
                answer = group.ask(subject, look)
                if answer:
                    task = {**look, "updates": size(answer["cpu"] / _LOOK, cell.in_flight, effort)}
                    figures = {"kind": kind, "name": subject.name, **cell._asdict(), "microseconds": []}
                    yield Measurement(subject, task, figures)


def distant(url: str, core: int | None, peers: Path, effort: Effort) -> dict[str, Any]:
    """Measure how many updates a second get through to a server that takes its time, and how long one takes."""
    with ExitStack() as stack:
        group = Group(stack, url, core, peers, ("async",))
        measurements = []
        for subject in tuple(group.subjects):
            look = {"in_flight": DISTANT_IN_FLIGHT, "events": 1, "updates": DISTANT_IN_FLIGHT, "latencies": True}
            answer = group.ask(subject, look)
            if answer:
                task = {**look, "updates": turns(answer["seconds"], effort) * DISTANT_IN_FLIGHT}
                figures: dict[str, Any] = {"name": subject.name, "a_second": [], "p50": [], "p99": []}
                measurements.append(Measurement(subject, task, figures))
        for round_ in range(effort.distant_rounds):
            for subject, task, figures in in_turn(measurements, round_):
                answer = group.ask(subject, task)
                if answer:
                    figures["a_second"].append(round(task["updates"] / answer["seconds"], 1))
                    figures["p50"].append(round(percentile(answer["latencies"], 0.5) / DELAY, 3))
                    figures["p99"].append(round(percentile(answer["latencies"], 0.99) / DELAY, 3))
        found = [figures for subject, _, figures in measurements if subject in group.subjects]
    return {"distant": found, "missing": group.missing}


def turns(seconds: float, effort: Effort) -> int:
    """Return how many updates each task sends to the distant server, where one turn of all of them takes so long."""
    return max(int(effort.distant_seconds / max(seconds, DELAY)), effort.turns)
