"""scripts/bench: what its figures amount to, the targets, what stands in README; and that a subject can be measured.

A run takes minutes and is not tested.
"""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

FAST = "this package, with httptools"
PLAIN = "this package"
SYNC_PEER = "openapi-generator (urllib3)"
ASYNC_PEER = "openapi-generator (asyncio)"
TARGETS = 17


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Return a function that gives a module of the script."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return lambda name: importlib.import_module(f"measure.{name}")


def calls(kind: str, name: str, in_flight: int, *microseconds: float) -> dict[str, Any]:
    """Return the figures of some updates."""
    return {"kind": kind, "name": name, "in_flight": in_flight, "events": 1, "microseconds": list(microseconds)}


def push(journal: str, name: str, http: float, other: float, *, coalesced: bool) -> dict[str, Any]:
    """Return the figures of a push of 100 events, of which up to five share a call."""
    number = 20 if coalesced else 100
    record = {"journal": journal, "coalesced": coalesced, "name": name, "events": 100, "fewest_calls": number}
    return {**record, "calls": number, "seconds": [1.0], "http_cpu": [http], "other_cpu": [other]}


@pytest.fixture
def document() -> dict[str, Any]:
    """Return the figures of a made-up run."""
    return {
        "made": "2026-11-26",
        "command": "scripts/bench",
        "machine": {"processor": "P", "cores": 2, "pinned": True, "python": "CPython 3.11.7", "system": "S"},
        "server": "nginx 1.22.1",
        "versions": {"httpx": "0.28.1"},
        "missing": {"sync vtexpy": "No module named 'vtex'"},
        "calls": [
            calls("async", FAST, 32, 70.0, 160.0, 80.0),
            calls("async", PLAIN, 32, 90.0, 180.0, 90.0),
            calls("async", "aiohttp", 32, 40.0, 80.0, 40.0),
            calls("async", ASYNC_PEER, 32, 100.0, 200.0, 100.0),
            calls("async", FAST, 8, 100.0),
            calls("async", FAST, 128, 121.0),
            calls("sync", FAST, 1, 80.0),
            calls("sync", SYNC_PEER, 1, 100.0),
        ],
        "distant": [{"name": FAST, "a_second": [2000.0, 1900.0], "p50": [1.1], "p99": [4.5]}],
        "starts": [
            {"name": "bare Python", "step": "", "milliseconds": [10.0, 20.0, 10.0]},
            {"name": "vtex-tracking --help", "step": "", "milliseconds": [80.0, 100.0, 95.0]},
            {"name": FAST, "step": "import", "milliseconds": [30.0, 40.0, 60.0]},
            {"name": FAST, "step": "construct", "milliseconds": [60.0, 70.0, 60.0]},
            {"name": "httpx", "step": "construct", "milliseconds": [110.0, 220.0, 110.0]},
        ],
        "memory": [{"kind": "sync", "name": FAST, "megabytes": 30.0}],
        "pushes": [
            push("SQLite", FAST, 1.0, 0.2, coalesced=True),
            push("SQLite", FAST, 1.0, 0.21, coalesced=False),
        ],
        "plan": {"rows": 100_000, "megabytes": 48.0, "cpu_seconds": 20.0},
    }


def test_the_readme_shows_the_figures_that_are_kept(room: Callable[[str], Any]) -> None:
    """The section is what the figures give; ``scripts/bench --render`` writes it."""
    kept = json.loads((ROOT / "scripts" / "data" / "bench.json").read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert room("readme_section").replaced(readme, kept) == readme
    assert {"calls", "distant", "starts", "memory", "pushes", "plan"} <= kept.keys()
    assert room("results").as_text(kept) == (ROOT / "scripts" / "data" / "bench.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("samples", "quartiles"),
    [([7.0], (7.0, 7.0, 7.0)), ([1.0, 2.0], (1.25, 1.5, 1.75)), ([5.0, 1.0, 2.0, 3.0, 4.0], (2.0, 3.0, 4.0))],
)
def test_quartiles(room: Callable[[str], Any], samples: list[float], quartiles: tuple[float, ...]) -> None:
    """Of one sample too, and whatever the order."""
    assert room("samples").spread(samples) == quartiles


def test_a_ratio_is_taken_within_a_round(room: Callable[[str], Any]) -> None:
    """A round in which the machine was slow is slow for both; rounds that do not belong together are refused."""
    figures = room("samples")
    assert figures.ratios([1.0, 10.0], [2.0, 20.0]) == [0.5, 0.5]
    assert figures.differences([3.0, 30.0], [1.0, 28.0]) == [2.0, 2.0]
    with pytest.raises(ValueError, match="shorter"):
        figures.ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_a_percentile_is_a_sample(room: Callable[[str], Any], share: float, value: int) -> None:
    """The highest is the most that can be."""
    assert room("samples").percentile(range(100, 0, -1), share) == value


def test_every_target_is_judged(room: Callable[[str], Any], document: dict[str, Any]) -> None:
    """With httptools; a limit that is just met is met, and what was not measured is told."""
    verdicts = room("targets").judge(room("results").Results(document))
    assert len(verdicts) == TARGETS
    measured = [None if one.measured is None else round(one.measured, 3) for one in verdicts]
    assert measured == [
        *(0.8, 2.0, 1.21),
        *(0.762, 4.5),
        *(0.8, None),
        *(20.0, 0.5, 80.0),
        *(0.2, 0.21, None, None),
        *(48.0, 0.2, 1.0),
    ]
    assert [one.met for one in verdicts] == [
        *(True, True, False),
        *(True, False),
        *(True, None),
        *(True, True, True),
        *(True, False, None, None),
        *(None, True, True),
    ]
    assert verdicts[0].plain == 0.9


@pytest.mark.parametrize(
    ("rows", "megabytes", "met"), [(1_000_000, 150, True), (1_000_000, 151, False), (9, 151, False)]
)
def test_memory_is_met_by_a_million_rows_alone(
    room: Callable[[str], Any], document: dict[str, Any], rows: int, megabytes: int, *, met: bool
) -> None:
    """Fewer can only miss it."""
    document["plan"] = {"rows": rows, "megabytes": megabytes, "cpu_seconds": 1}
    verdicts = room("targets").judge(room("results").Results(document))
    assert [one.met for one in verdicts if one.target.unit == "MB"] == [met]


def test_a_call_too_many_is_seen(room: Callable[[str], Any], document: dict[str, Any]) -> None:
    """In whichever journal."""
    document["pushes"] += [{**document["pushes"][0], "journal": "PostgreSQL", "calls": 21}]
    verdicts = room("targets").judge(room("results").Results(document))
    assert [one.met for one in verdicts if one.target.unit == "calls"] == [False, True]


def test_no_figures_give_no_verdict(room: Callable[[str], Any]) -> None:
    """And every target is there all the same."""
    verdicts = room("targets").judge(room("results").Results({}))
    assert len(verdicts) == TARGETS
    assert {one.met for one in verdicts} == {None}


def test_a_chart_has_a_bar_for_each_row(room: Callable[[str], Any]) -> None:
    """As long as its figure; one that is far longer than all others is cut."""
    lines = room("readme_section").chart("Title", [("a", 10.0), ("b", 5.0), ("c", 0.001)])
    assert [line.count("\N{FULL BLOCK}") for line in lines] == [0, 36, 18, 1, 0]
    assert lines[1].endswith(" 10")
    lines = room("readme_section").chart("Title", [("a", 10.0), ("b", 5000.0)])
    assert [line.count("\N{FULL BLOCK}") for line in lines] == [0, 30, 36, 0]
    assert lines[2].endswith(" ... 5,000")
    assert room("readme_section").chart("Title", []) == ["Title", ""]


def test_the_section_tells_everything(room: Callable[[str], Any], document: dict[str, Any]) -> None:
    """Machine, date, command, what is missing, and each target with its verdict."""
    text = room("readme_section").section(document)
    told = " ".join(text.split())
    assert told.startswith("`scripts/bench` on 2026-11-26: P, 2 cores (one for the server, one for the client), S, ")
    assert "100,000 rows" in told
    assert "Missing: sync vtexpy: No module named 'vtex'." in told
    assert "| async, 32 in flight: CPU, aiohttp = 1 | at most 2.00 | 2.00 | 2.25 | met |" in text
    assert "| 1.21 |  | **missed** |" in text
    assert "| not measured |  | not judged |" in text
    assert len([line for line in text.splitlines() if line.startswith("|")]) == TARGETS + 2


def test_it_stands_between_its_marks(room: Callable[[str], Any], document: dict[str, Any]) -> None:
    """Once, however often it is written; a page without marks is refused."""
    section_module = room("readme_section")
    page = f"before\n{section_module.BEGIN}\nold\n{section_module.END}\nafter\n"
    once = section_module.replaced(page, document)
    assert once == f"before\n{section_module.BEGIN}\n{section_module.section(document)}{section_module.END}\nafter\n"
    assert section_module.replaced(once, document) == once
    with pytest.raises(ValueError, match="lacks the lines"):
        section_module.replaced("before\nafter\n", document)


def test_the_report_for_the_terminal_holds_all_figures(room: Callable[[str], Any], document: dict[str, Any]) -> None:
    """Of the parts that were run."""
    text = room("report").report(document)
    for name in ("vtex-tracking --help", "100,000 rows: 48.0 MB", "21% (21% to 21%)", "missing: sync vtexpy", "76%"):
        assert name in text
    assert "not measured" in room("report").report({"missing": {}})


def test_a_document_is_kept_a_record_a_line(room: Callable[[str], Any], document: dict[str, Any]) -> None:
    """So that a difference between runs can be read."""
    text = room("results").as_text(document)
    assert json.loads(text) == document
    assert sum("microseconds" in line for line in text.splitlines()) == len(document["calls"])


def test_a_batch_takes_its_time_and_gives_each_a_turn(room: Callable[[str], Any]) -> None:
    """Few updates where one is dear, and not too many where it is cheap."""
    size, effort = room("call_costs").batch_size, room("effort").FULL
    assert size(0.001, 8, effort) == 120
    assert size(0.1, 128, effort) == 256
    assert size(0.0, 1, effort) == 2000


def test_rounds_go_to_and_fro(room: Callable[[str], Any]) -> None:
    """So that nobody is always the first."""
    in_turn = room("call_costs").in_turn
    assert [in_turn("abc", number) for number in range(3)] == ["abc", "cba", "abc"]


def test_a_distant_server_is_called_for_a_while(room: Callable[[str], Any]) -> None:
    """By whoever is slow at least so many times, and no more often than the delay allows."""
    turns, effort = room("call_costs").turns, room("effort").FULL
    assert turns(0.2, effort) == 10
    assert turns(5.0, effort) == 2
    assert turns(0.01, effort) == 40


@pytest.mark.parametrize(("kind", "in_flight"), [("sync", 1), ("sync", 3), ("async", 3)])
def test_a_subject_is_measured(room: Callable[[str], Any], kind: str, in_flight: int) -> None:
    """The plain one: what it costs, and how long each update takes."""
    task = {"in_flight": in_flight, "events": 2, "updates": 6, "latencies": False}
    with (
        room("servers").run_delayed_server(0.02, None) as url,
        room("subject_process").SubjectProcess(kind, PLAIN, url, None, None) as subject,
    ):
        figures = subject.run(task)
        assert figures.keys() == {"cpu", "seconds", "peak"}
        assert figures["cpu"] > 0
        assert figures["seconds"] >= 0.02 * 6 / in_flight
        assert figures["peak"] > 1
        latencies = subject.run({**task, "latencies": True})["latencies"]
        assert len(latencies) == 6
        assert min(latencies) >= 0.02


def test_a_subject_that_cannot_start_says_why(room: Callable[[str], Any]) -> None:
    """Rather than being left out without a word."""
    children = room("subject_process")
    with pytest.raises(children.SubjectError, match="KeyError: 'nobody'"):
        children.SubjectProcess("sync", "nobody", "http://127.0.0.1:1", None, None)
