"""Sending a plan."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from vtex_tracking_ext import RetryPolicy, TrackingEvent, TrackingUpdate
from vtex_tracking_ext.bulk.deliver import Delivery, Result
from vtex_tracking_ext.bulk.pace import Pace
from vtex_tracking_ext.bulk.plan import PackagePlan, PlannedUpdate
from vtex_tracking_ext.bulk.rows import Place

from answers import RECEIPT, sync_client

if TYPE_CHECKING:
    from collections.abc import Callable

ONCE = RetryPolicy(attempts=1, retry_after_cap=0)


def package(invoice: str, calls: int = 3) -> PackagePlan:
    """Return a package of some calls, one event each."""
    updates = [TrackingUpdate("o-01", invoice, [TrackingEvent("2026-10-01", f"event {n}")]) for n in range(calls)]
    return PackagePlan("o-01", invoice, tuple(PlannedUpdate(u, (Place("f.csv", n),)) for n, u in enumerate(updates)))


class Run:
    """One delivery, with what the server got and what was reported."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response], *packages: PackagePlan) -> None:
        self.sent: list[tuple[str, str]] = []
        self.results: list[Result] = []
        self.answer = answer
        self.pace = Pace(most_freezes=2)
        self.delivery = Delivery(sync_client(self.serve, retry=ONCE), self.pace, self.results.append)
        self.packages = packages

    def serve(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        invoice = request.url.path.split("/")[-2]
        self.sent.append((invoice, json.loads(request.content)["events"][0]["description"]))
        return self.answer(request)

    def go(self, concurrency: int = 4) -> Run:
        """Deliver it all."""
        self.delivery.run(self.packages, concurrency)
        return self

    def outcomes(self, invoice: str) -> list[str]:
        """Return how one package's calls fared, in order."""
        return [r.outcome for r in self.results if r.planned.update.invoice_number == invoice]


def ok(_: httpx.Request) -> httpx.Response:
    """Accept everything."""
    return httpx.Response(200, json=RECEIPT)


def test_each_package_keeps_its_order() -> None:
    """Side by side with the others."""
    run = Run(ok, *(package(str(n), 10) for n in range(8))).go()
    for n in range(8):
        assert [event for invoice, event in run.sent if invoice == str(n)] == [f"event {m}" for m in range(10)]
        assert run.outcomes(str(n)) == ["applied"] * 10
    assert all(r.receipt is not None and r.receipt.receipt == RECEIPT["receipt"] for r in run.results)


def test_packages_go_side_by_side() -> None:
    """Four calls meet in the server, and none ends before all are there."""
    meeting = threading.Barrier(4, timeout=30)

    def meet(request: httpx.Request) -> httpx.Response:
        meeting.wait()
        return ok(request)

    run = Run(meet, *(package(str(n), 1) for n in range(4))).go(concurrency=4)
    assert len(run.results) == 4


def test_a_refusal_does_not_stop_what_comes_after() -> None:
    """The next events are still true."""
    answers = iter([404, 200, 200])
    run = Run(lambda _: httpx.Response(next(answers), json=RECEIPT), package("1")).go()
    assert run.outcomes("1") == ["refused", "applied", "applied"]
    assert "404" in run.results[0].reason


def test_an_unknown_outcome_holds_its_package_and_no_other() -> None:
    """What follows it might come before it."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500) if "/1/" in request.url.path else ok(request)

    run = Run(answer, package("1"), package("2")).go()
    assert run.outcomes("1") == ["unknown", "pending", "pending"]
    assert run.outcomes("2") == ["applied"] * 3
    assert "settle it first" in run.results[-1].reason + run.results[2].reason


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_stop_the_run(status: int) -> None:
    """No other call can fare better; nothing is lost."""
    run = Run(lambda _: httpx.Response(status), package("1"), package("2")).go(concurrency=1)
    assert len(run.sent) == 1
    assert [r.outcome for r in run.results] == ["pending"] * 6
    assert run.delivery.stopped_by is not None
    assert str(status) in run.results[-1].reason


def test_a_host_that_is_gone_stops_the_run() -> None:
    """Each further package would wait for the same time-out."""

    def gone(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    run = Run(gone, package("1"), package("2")).go(concurrency=1)
    assert len(run.sent) == 1
    assert {r.outcome for r in run.results} == {"pending"}


def test_a_429_freezes_the_run_and_is_sent_again() -> None:
    """It was turned away, so nothing is doubled."""
    answers = iter([429, 200, 429, 200, 200])
    run = Run(lambda _: httpx.Response(next(answers), json=RECEIPT, headers={"Retry-After": "0"}), package("1")).go()
    assert run.outcomes("1") == ["applied"] * 3
    assert len(run.sent) == 5


def test_a_429_without_end_stops_the_run() -> None:
    """And leaves the rest for another one."""
    run = Run(lambda _: httpx.Response(429, headers={"Retry-After": "0"}), package("1"), package("2"))
    run.go(concurrency=1)
    assert {r.outcome for r in run.results} == {"pending"}
    assert "stays over its limit" in run.results[0].reason
    assert len(run.sent) == 3


def test_an_interrupt_finishes_what_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left hanging between sent and reported."""
    started, go_on = threading.Event(), threading.Event()

    def slow(request: httpx.Request) -> httpx.Response:
        started.set()
        go_on.wait(30)
        return ok(request)

    run = Run(slow, package("1"), package("2"))
    await_ = Delivery._await
    calls = []

    def interrupted(waiting: set[object]) -> None:
        calls.append(len(waiting))
        if len(calls) == 1:
            started.wait(30)
            raise KeyboardInterrupt
        go_on.set()
        await_(waiting)  # type: ignore[arg-type]

    monkeypatch.setattr(Delivery, "_await", staticmethod(interrupted))
    with pytest.raises(KeyboardInterrupt):
        run.go(concurrency=1)
    assert [r.outcome for r in run.results] == ["applied", "pending", "pending", "pending", "pending", "pending"]
    assert len(run.sent) == 1
    run.delivery.stop("again")
    assert {r.reason for r in run.results[1:]} == {"interrupted"}
