"""Delivering packages that VTEX refuses: the reason says what their orders show of the invoices."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import errors
from vtex_tracking_ext.bulk.delivery.calls import AccountPause
from vtex_tracking_ext.bulk.delivery.invoices import InvoiceLookups
from vtex_tracking_ext.events import Package

from support.journaled import add, delivery, refused, row, told

if TYPE_CHECKING:
    from support.deliveries import Bench

HAS_ZEROS = "refused: 404; the order has invoice 0001; did the file lose its zeros?"


def reasons(bench: Bench) -> dict[str, str]:
    """Return the reasons of the refused entries in the journal, by invoice; each has the status of its answer."""
    entries = [entry for entry in bench.journal.entries() if entry.state == "refused"]
    assert {entry.status_code for entry in entries} <= {400, 404, 409, 422}
    return {entry.package.invoice_number: entry.reason for entry in entries}


def test_a_404_says_what_the_order_has(bench: Bench) -> None:
    """The reason has the invoice that differs in its zeros, or those that there are; the order is read once."""
    bench.show("a", invoice="0001")
    bench.show("a", invoice="31")
    bench.add(row(1, "a"), delivery(2, "2026-10-02"), row(3, "b"), row(4, "c", "2"))
    bench.account.answers(refused(404), refused(404), refused(404), refused(404))
    run = bench.run(events_per_call=1)
    assert bench.account.sent == ["a", "b D", "c"]
    assert bench.account.reads == ["o-01"]
    assert (run.calls, run.reads) == (3, 1)
    assert told(bench.journal) == [
        (1, "a", "refused"),
        (2, "D 2026-10-02", "refused"),
        (3, "b", "refused"),
        (4, "c", "refused"),
    ]
    assert reasons(bench) == {"1": HAS_ZEROS, "2": "refused: 404; the order has the invoices 0001 and 31."}
    reported = [event for event in bench.news if not isinstance(event, AccountPause)]
    assert [(event.outcome, event.reason, event.is_call) for event in reported] == [
        ("refused", HAS_ZEROS, True),
        ("refused", HAS_ZEROS, True),
        ("refused", "refused: 404; the order has the invoices 0001 and 31.", True),
    ]


def test_a_refusal_that_the_order_does_not_explain(bench: Bench) -> None:
    """A 404 or 409 for an invoice that has a tracking number, and other refusals, keep their reasons."""
    bench.show("a", invoice="1")
    bench.add(row(1, "b"), row(2, "c", "2"), row(3, "d", "3", order_id="o-03"))
    bench.account.answers(refused(404), refused(409), refused(422))
    bench.run()
    assert reasons(bench) == {"1": "refused: 404", "2": "refused: 409", "3": "refused: 422"}
    assert bench.account.reads == ["o-01"]


@pytest.mark.parametrize(("status", "code"), [(404, None), (409, "OMS003"), (409, None), (400, "OMS003")])
def test_an_invoice_without_a_tracking_number(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, status: int, code: str | None
) -> None:
    """The reason says so, and how to set it, whichever way VTEX refuses the update."""
    package = Package("0001", "Output", None, None, None, finished=False, delivered_date=None, events=())
    monkeypatch.setattr(bench.account, "get_packages", lambda _: (package,))
    bench.add(row(1, "a", "0001"))
    bench.account.answers(refused(status, code=code))
    bench.run()
    assert reasons(bench) == {
        "0001": f"refused: {status}; the invoice has no tracking number yet. Set it, and send the events again: "
        "vtex-tracking set-tracking-number o-01 0001 NUMBER"
    }


@pytest.mark.parametrize("error", [refused(403), refused(400), errors.ReadFailedError("no answer")])
def test_an_order_that_cannot_be_read_leaves_the_reason(bench: Bench, error: Exception) -> None:
    """The outcome is the same, the key may lack the right to read, and no other order is read in this run."""
    bench.add(row(1, "a"), row(2, "b", "2", order_id="o-02"), row(3, "c", "3"))
    bench.account.answers(refused(404), refused(404))
    bench.account.read_answers(error)
    bench.run()
    assert reasons(bench) == {"1": "refused: 404", "2": "refused: 404"}
    assert bench.states() == {"a": "refused", "b": "refused", "c": "applied"}
    assert bench.account.reads == ["o-01"]


def test_after_an_order_that_does_not_exist_others_are_read(bench: Bench) -> None:
    """A 404 for the order itself leaves the reason, and says nothing of other orders."""
    bench.add(row(1, "a"), row(2, "b", "2", order_id="o-02"))
    bench.account.answers(refused(404), refused(404))
    bench.account.read_answers(refused(404))
    bench.run()
    assert reasons(bench) == {"1": "refused: 404", "2": "refused: 404; the order has no invoice yet."}
    assert bench.account.reads == ["o-01", "o-02"]


def test_the_refusal_is_recorded_before_the_order_is_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed while it reads leaves no doubt; an entry that was renewed meanwhile stays as it is."""
    bench.add(row(1, "a"), row(2, "b", "2"))
    bench.account.answers(refused(404), refused(404))
    seen: list[list[tuple[int, str, str]]] = []

    def get_packages(_: str) -> tuple[Package, ...]:
        seen.append(told(bench.journal))
        add(bench.journal, row(3, "a"))
        return ()

    monkeypatch.setattr(bench.account, "get_packages", get_packages)
    delivery = bench.delivery()
    bench.report = lambda _: delivery.stop()
    delivery.run()
    assert seen == [[(1, "a", "refused"), (2, "b", "pending")]]
    assert [(entry.state, entry.reason) for entry in bench.journal.entries()] == [("pending", ""), ("pending", "")]


def test_reading_waits_after_a_429(bench: Bench) -> None:
    """The order is read at the account's pace: again, once the account may be called again."""
    bench.show("a", invoice="0001")
    bench.add(row(1, "b"))
    bench.account.answers(refused(404))
    bench.account.read_answers(refused(429, retry_after=7))
    bench.run()
    assert reasons(bench) == {"1": HAS_ZEROS}
    assert 7 in [round(seconds) for seconds in bench.time.waited]


def test_credentials_that_are_refused_while_reading_stop_the_account(bench: Bench) -> None:
    """The package stays refused with VTEX's reason, and nothing more is sent, as after any other 401."""
    bench.add(row(1, "a"), row(2, "b", "2"))
    bench.account.answers(refused(404))
    bench.account.read_answers(refused(401))
    assert bench.run().pace.stop_reason == "refused: 401"
    assert reasons(bench) == {"1": "refused: 404"}
    assert bench.states() == {"a": "refused", "b": "pending"}


def test_an_order_is_read_once_by_all_threads(bench: Bench) -> None:
    """Of two threads with packages of one order, one reads it, and the other one waits for what it finds."""
    bench.show("a", invoice="0001")
    together = threading.Barrier(2)

    def meet(_: Any) -> None:
        together.wait(10)
        raise refused(404)

    bench.add(row(1, "b"), row(2, "c", "01"))
    bench.account.answers(meet, meet)
    bench.run(concurrency=2)
    assert reasons(bench) == {"1": HAS_ZEROS, "01": HAS_ZEROS}
    assert bench.account.reads == ["o-01"]


def test_an_order_is_read_once_in_a_run_that_takes_the_lease_again(bench: Bench) -> None:
    """A row that is added after the lease was given back is sent in the same run, without another read."""
    bench.add(row(1, "a"))
    bench.account.answers(refused(404), refused(404))
    delivery = bench.delivery()
    delivery.run()
    bench.add(row(2, "b", "2"))
    delivery.run()
    assert set(reasons(bench)) == {"1", "2"}
    assert bench.account.reads == ["o-01"]


def test_a_call_that_may_not_be_made_now_can_be_made_later() -> None:
    """After an account was stopped or is paused for long, another order is read, once it may be called again."""
    lookups = InvoiceLookups()
    assert lookups.packages("o-01", lambda _: None) is None
    assert lookups.packages("o-02", lambda _: ()) == ()


def test_a_read_that_raises_does_not_block_other_threads() -> None:
    """An interrupt or a damaged journal ends the read; what is not known is not waited for."""
    lookups = InvoiceLookups()

    def fail(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lookups.packages("o-01", fail)
    assert lookups.packages("o-01", lambda _: ()) is None
