"""The results of a run as text for the terminal, with quartiles and ratios."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .names import BARE, DELAY
from .page_section import cells
from .results import Results
from .samples import ratios, spread
from .targets import MAX_THROUGHPUT, judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def report(document: Mapping[str, Any]) -> str:
    """Return all results of a run, and the targets."""
    results = Results(document)
    lines: list[str] = []
    for part, show in (
        ("calls", _calls),
        ("distant", _distant),
        ("starts", _starts),
        ("memory", _memory),
        ("pushes", _pushes),
    ):
        if part in document:
            lines += show(results)
    plan = results.plan()
    if plan:
        lines.append(f"\nPlan of {plan['rows']:,} rows: {plan['megabytes']} MB, {plan['cpu_seconds']} s of CPU")
    lines += [f"missing: {name}: {why}" for name, why in document["missing"].items()]
    lines.append("\nTargets (judged with httptools)")
    lines += [_target(*cells(verdict)) for verdict in judge(results)]
    return "\n".join(lines)


def _target(what: str, limit: str, measured: str, plain: str, word: str) -> str:
    details = ", ".join(part for part in (limit, plain and f"without httptools {plain}") if part)
    return f"  {what}: {measured}{details and f' ({details})'}, {word.strip('*')}"


def _calls(results: Results) -> Iterator[str]:
    yield f"\nCPU of an update, microseconds: median (quartiles), times {BARE}'s"
    for record in results.document["calls"]:
        bare = results.calls(record["kind"], BARE, record["in_flight"], record["events"])
        samples = record["microseconds"]
        times = f"{spread(ratios(samples, bare)).middle:8.2f}" if bare else ""
        what = f"{record['kind']:5} {record['name']:29} {record['in_flight']:3} in flight, {record['events']:2} events"
        yield f"  {what} {_quartiles(samples)}{times}"


def _distant(results: Results) -> Iterator[str]:
    yield (
        f"\nServer with a delay of {DELAY * 1000:.0f} ms ({MAX_THROUGHPUT:,.0f} updates per second are possible): "
        "updates per second, share, p50 and p99 (the delay = 1)"
    )
    for record in results.document["distant"]:
        middle = spread(record["a_second"]).middle
        latencies = [spread(record[key]).middle for key in ("p50", "p99")]
        details = f"{middle / MAX_THROUGHPUT:5.0%} {latencies[0]:7.2f} {latencies[1]:7.2f}"
        yield f"  {record['name']:29} {_quartiles(record['a_second'])} {details}"


def _starts(results: Results) -> Iterator[str]:
    yield "\nStart of a process, milliseconds: all of it, beyond bare Python, times bare Python's"
    bare = results.document["starts"][0]["milliseconds"]
    for record in results.document["starts"]:
        samples = record["milliseconds"]
        beyond = spread([one - other for one, other in zip(samples, bare, strict=True)]).middle
        times = spread(ratios(samples, bare)).middle
        yield f"  {record['name']:29} {record['step']:10} {_quartiles(samples)} {beyond:8.1f} {times:6.2f}"


def _memory(results: Results) -> Iterator[str]:
    yield "\nPeak memory, megabytes"
    for record in results.document["memory"]:
        yield f"  {record['kind']:5} {record['name']:29} {record['megabytes']:8.1f}"


def _pushes(results: Results) -> Iterator[str]:
    yield "\nPush: events and calls a second, calls an event, CPU of an event in the calls and beside them"
    for record in results.document["pushes"]:
        events, calls = record["events"], record["calls"]
        seconds = spread(record["seconds"]).middle
        inside, beside = (spread(record[key]).middle / events * 1e6 for key in ("http_cpu", "other_cpu"))
        share = spread(ratios(record["other_cpu"], record["http_cpu"]))
        way = "coalesced" if record["coalesced"] else "a call an event"
        yield (
            f"  {record['journal']:10} {way:15} {record['name']:29} {events / seconds:7.0f} {calls / seconds:7.0f} "
            f"{calls / events:5.2f} {inside:7.0f} and {beside:7.0f} us, beside {share.middle:.0%} "
            f"({share.low:.0%} to {share.high:.0%}) of inside"
        )


def _quartiles(samples: Sequence[float]) -> str:
    low, middle, high = spread(samples)
    return f"{middle:9.1f} ({low:.1f} to {high:.1f})"
