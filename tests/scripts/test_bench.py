"""scripts/bench: statistics, targets, the section of a page, and the measurement of a subject.

A complete run takes minutes and is not tested.
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
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Return a function that imports a module of scripts/measure."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return lambda name: importlib.import_module(f"measure.{name}")


def calls(kind: str, name: str, in_flight: int, *microseconds: float) -> dict[str, Any]:
    """Return the record of some updates."""
    return {"kind": kind, "name": name, "in_flight": in_flight, "events": 1, "microseconds": list(microseconds)}


def push(journal: str, name: str, http: float, other: float, *, coalesced: bool) -> dict[str, Any]:
    """Return the record of a push of 100 events, of which up to five share a call."""
    number = 20 if coalesced else 100
    record = {"journal": journal, "coalesced": coalesced, "name": name, "events": 100, "fewest_calls": number}
    return {**record, "calls": number, "seconds": [1.0], "http_cpu": [http], "other_cpu": [other]}


@pytest.fixture
def document() -> dict[str, Any]:
    """Return the results of an invented run."""
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


def test_the_page_shows_the_stored_results(module: Callable[[str], Any]) -> None:
    """The section is the one that ``scripts/bench --render`` writes from the stored results."""
    kept = json.loads((ROOT / "scripts" / "data" / "bench.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "explanation" / "measurements.md").read_text(encoding="utf-8")
    assert module("page_section").replaced(page, kept) == page
    assert {"calls", "distant", "starts", "memory", "pushes", "plan"} <= kept.keys()
    assert module("results").as_text(kept) == (ROOT / "scripts" / "data" / "bench.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("samples", "quartiles"),
    [([7.0], (7.0, 7.0, 7.0)), ([1.0, 2.0], (1.25, 1.5, 1.75)), ([5.0, 1.0, 2.0, 3.0, 4.0], (2.0, 3.0, 4.0))],
)
def test_quartiles(module: Callable[[str], Any], samples: list[float], quartiles: tuple[float, ...]) -> None:
    """Quartiles do not depend on the order, and a single sample is enough."""
    assert module("samples").spread(samples) == quartiles


def test_a_ratio_is_taken_within_a_round(module: Callable[[str], Any]) -> None:
    """A slow round is slow for both subjects; different numbers of rounds are an error."""
    figures = module("samples")
    assert figures.ratios([1.0, 10.0], [2.0, 20.0]) == [0.5, 0.5]
    assert figures.differences([3.0, 30.0], [1.0, 28.0]) == [2.0, 2.0]
    with pytest.raises(ValueError, match="shorter"):
        figures.ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_a_percentile_is_a_sample(module: Callable[[str], Any], share: float, value: int) -> None:
    """A percentile is one of the samples, and share 1 is the highest."""
    assert module("samples").percentile(range(100, 0, -1), share) == value


def test_every_target_is_judged(module: Callable[[str], Any], document: dict[str, Any]) -> None:
    """The value with httptools counts; a value equal to its limit meets it; a missing value has no verdict."""
    verdicts = module("targets").judge(module("results").Results(document))
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
def test_only_a_million_rows_meet_the_memory_target(
    module: Callable[[str], Any], document: dict[str, Any], rows: int, megabytes: int, *, met: bool
) -> None:
    """A run with fewer rows can miss the target, but not meet it."""
    document["plan"] = {"rows": rows, "megabytes": megabytes, "cpu_seconds": 1}
    verdicts = module("targets").judge(module("results").Results(document))
    assert [one.met for one in verdicts if one.target.unit == "MB"] == [met]


def test_an_extra_call_misses_the_target(module: Callable[[str], Any], document: dict[str, Any]) -> None:
    """The number of calls is checked for both journals."""
    document["pushes"] += [{**document["pushes"][0], "journal": "PostgreSQL", "calls": 21}]
    verdicts = module("targets").judge(module("results").Results(document))
    assert [one.met for one in verdicts if one.target.unit == "calls"] == [False, True]


def test_no_results_give_no_verdict(module: Callable[[str], Any]) -> None:
    """Every target is listed without a verdict."""
    verdicts = module("targets").judge(module("results").Results({}))
    assert len(verdicts) == TARGETS
    assert {one.met for one in verdicts} == {None}


def test_a_chart_has_a_bar_for_each_row(module: Callable[[str], Any]) -> None:
    """A bar is proportional to its value; an outlier is cut and marked."""
    lines = module("page_section").chart("Title", [("a", 10.0), ("b", 5.0), ("c", 0.001)])
    assert [line.count("\N{FULL BLOCK}") for line in lines] == [0, 36, 18, 1, 0]
    assert lines[1].endswith(" 10")
    lines = module("page_section").chart("Title", [("a", 10.0), ("b", 5000.0)])
    assert [line.count("\N{FULL BLOCK}") for line in lines] == [0, 30, 36, 0]
    assert lines[2].endswith(" ... 5,000")
    assert module("page_section").chart("Title", []) == ["Title", ""]


def test_the_section_is_complete(module: Callable[[str], Any], document: dict[str, Any]) -> None:
    """The section has the machine, the date, the command, what is missing, and every target with its verdict."""
    text = module("page_section").section(document)
    normalized = " ".join(text.split())
    assert normalized.startswith(
        "`scripts/bench` on 2026-11-26: P, 2 cores (one for the server, one for the client), S, "
    )
    assert "100,000 rows" in normalized
    assert "Missing: sync vtexpy: No module named 'vtex'." in normalized
    assert "| async, 32 in flight: CPU, aiohttp = 1 | at most 2.00 | 2.00 | 2.25 | met |" in text
    assert "| 1.21 |  | **missed** |" in text
    assert "| not measured |  | not judged |" in text
    assert len([line for line in text.splitlines() if line.startswith("|")]) == TARGETS + 2


def test_the_section_replaces_the_old_one(module: Callable[[str], Any], document: dict[str, Any]) -> None:
    """Writing twice changes nothing more; a page without the enclosing lines is an error."""
    section_module = module("page_section")
    page = f"before\n{section_module.BEGIN}\nold\n{section_module.END}\nafter\n"
    once = section_module.replaced(page, document)
    assert once == f"before\n{section_module.BEGIN}\n{section_module.section(document)}{section_module.END}\nafter\n"
    assert section_module.replaced(once, document) == once
    with pytest.raises(ValueError, match="lacks the lines"):
        section_module.replaced("before\nafter\n", document)


def test_the_terminal_report_has_all_results(module: Callable[[str], Any], document: dict[str, Any]) -> None:
    """The report has the results of the parts that ran, and the targets."""
    text = module("report").report(document)
    for name in ("vtex-tracking --help", "100,000 rows: 48.0 MB", "21% (21% to 21%)", "missing: sync vtexpy", "76%"):
        assert name in text
    assert "not measured" in module("report").report({"missing": {}})


def test_a_document_is_stored_with_one_record_per_line(module: Callable[[str], Any], document: dict[str, Any]) -> None:
    """A diff of two stored runs is readable."""
    text = module("results").as_text(document)
    assert json.loads(text) == document
    assert sum("microseconds" in line for line in text.splitlines()) == len(document["calls"])


def test_the_batch_size_follows_the_cost(module: Callable[[str], Any]) -> None:
    """Expensive updates make small batches with a minimum per thread; cheap ones make batches up to a maximum."""
    size, effort = module("call_costs").batch_size, module("effort").FULL
    assert size(0.001, 8, effort) == 120
    assert size(0.1, 128, effort) == 256
    assert size(0.0, 1, effort) == 2000


def test_every_other_round_is_reversed(module: Callable[[str], Any]) -> None:
    """No subject is always the first."""
    in_turn = module("call_costs").in_turn
    assert [in_turn("abc", number) for number in range(3)] == ["abc", "cba", "abc"]


def test_the_updates_for_the_delayed_server_follow_the_duration(module: Callable[[str], Any]) -> None:
    """Slow subjects send a minimum, and fast ones no more than the delay allows."""
    turns, effort = module("call_costs").turns, module("effort").FULL
    assert turns(0.2, effort) == 10
    assert turns(5.0, effort) == 2
    assert turns(0.01, effort) == 40


@pytest.mark.parametrize(("kind", "in_flight"), [("sync", 1), ("sync", 3), ("async", 3)])
def test_a_subject_is_measured(module: Callable[[str], Any], kind: str, in_flight: int) -> None:
    """The subject without httptools reports its costs, and the latency of each update on request."""
    task = {"in_flight": in_flight, "events": 2, "updates": 6, "latencies": False}
    with (
        module("servers").run_delayed_server(0.02, None) as url,
        module("subject_process").SubjectProcess(kind, PLAIN, url, None, None) as subject,
    ):
        figures = subject.run(task)
        assert figures.keys() == {"cpu", "seconds", "peak"}
        assert figures["cpu"] > 0
        assert figures["seconds"] >= 0.02 * 6 / in_flight
        assert figures["peak"] > 1
        latencies = subject.run({**task, "latencies": True})["latencies"]
        assert len(latencies) == 6
        assert min(latencies) >= 0.02


def test_a_subject_that_cannot_start_reports_the_reason(module: Callable[[str], Any]) -> None:
    """The error has the last line of the process's output."""
    children = module("subject_process")
    with pytest.raises(children.SubjectError, match="KeyError: 'nobody'"):
        children.SubjectProcess("sync", "nobody", "http://127.0.0.1:1", None, None)
