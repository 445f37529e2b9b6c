"""Delivering an account whose packages have entries in doubt."""

from __future__ import annotations

import datetime as dt
import json
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from attrs import evolve

from vtex_tracking_ext import TrackingClient, TrackingEvent, errors
from vtex_tracking_ext.bulk.delivery.calls import DeliveryResult
from vtex_tracking_ext.bulk.delivery.doubt import FOUND, NOT_SHOWN, SENT_AGAIN
from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.journal.sqlite.journal import SqliteLease

from support.deliveries import ONCE
from support.journaled import delivery, refused, row, to_state, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vtex_tracking_ext import Package
    from vtex_tracking_ext.bulk.input.rows import Row
    from vtex_tracking_ext.bulk.journal.entries import Entry

    from support.deliveries import Bench

UNKNOWN = errors.OutcomeUnknownError("the connection was cut")
HOUR = 3600.0


def event(line: int, text: str, day: str, **changes: Any) -> Row:
    """Return a row with an event of a day."""
    return row(line, event=TrackingEvent(day, text, "S\u00e3o Paulo", "SP"), **changes)


def test_an_applied_event_is_not_taken_for_one_in_doubt(bench: Bench) -> None:
    """Its outcome is recorded before the order of its package is read, although it was deferred."""
    bench.add(row(1, "a"), row(2, "b"))
    bench.leave_in_flight(1)
    bench.run(send_after_unknown=True)
    assert bench.states() == {"a": "unknown", "b": "applied"}
    applied = [news for news in bench.news if isinstance(news, DeliveryResult) and news.outcome == "applied"]
    assert [(len(news.entries), news.is_call) for news in applied] == [(1, True)]


def test_an_unknown_outcome_holds_its_package_and_no_other(bench: Bench) -> None:
    """The rechecks do not find it, so it keeps its reason, and the later event stays pending."""
    bench.add(row(1, "a"), row(2, "b"), row(3, "x", "2"))
    bench.account.answers(UNKNOWN)
    delivery = bench.run(events_per_call=1, recheck_delays=(0.0, 0.0))
    assert bench.states() == {"a": "unknown", "b": "pending", "x": "applied"}
    assert delivery.reads == 2
    assert bench.outcomes() == [("unknown", 1), ("applied", 1), ("unknown", 1), ("unknown", 1)]
    assert bench.reasons() == ["the connection was cut", "", ""]


def test_an_unknown_outcome_that_a_recheck_finds_no_longer_holds_its_package(bench: Bench) -> None:
    """Each event is sent once, in order."""
    bench.add(row(1, "a"), row(2, "b"))
    bench.account.answers(bench.account.applied_and_lost)
    bench.run(events_per_call=1, recheck_delays=ONCE)
    assert bench.account.applied["1"] == ["a", "b"]
    assert bench.states() == {"a": "applied", "b": "applied"}
    assert bench.reasons() == [FOUND, ""]
    assert bench.outcomes() == [("unknown", 1), ("applied", 1), ("applied", 1)]


RECEIPT = {"date": "2026-10-01T12:00:00Z", "orderId": "o-01", "receipt": "f67d33a8029c42ce9a8f07fc17f54449"}


@pytest.mark.parametrize("is_applied", [True, False], ids=["applied", "blocked"])
@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, html="<html><title>Access denied</title></html>"),
        httpx.Response(200, html="<form action='/login'>"),
        httpx.Response(200),
        httpx.Response(204),
        httpx.Response(200, json={}),
        httpx.Response(200, json=RECEIPT | {"receipt": None}),
        httpx.Response(201, json=RECEIPT | {"orderId": ""}),
        httpx.Response(200, text=json.dumps(RECEIPT)[:-1]),
        httpx.Response(200, json=RECEIPT | {"orderId": "o-02"}),
    ],
    ids=["block page", "login", "empty", "204", "no fields", "no receipt", "no order", "cut off", "another order"],
)
def test_a_2xx_without_a_receipt_of_the_order_is_settled_by_reading_the_order(
    bench: Bench, response: httpx.Response, *, is_applied: bool
) -> None:
    """The entry is applied if the order shows it; otherwise it is unknown and holds its package."""
    shown = [{"description": "a", "city": "S\u00e3o Paulo", "state": "SP", "lastChange": "2026-10-01"}] * is_applied
    package = {"invoiceNumber": "1", "type": "Output", "courierStatus": {"data": shown}}
    answers = [httpx.Response(200, json={"orderId": "o-01", "packageAttachment": {"packages": [package]}}), response]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT" and json.loads(request.content)["events"][0]["description"] == "b":
            return httpx.Response(200, json=RECEIPT)
        return answers[request.method == "PUT"]

    bench.add(row(1, "a"), row(2, "b"))
    with httpx.Client(transport=httpx.MockTransport(answer)) as http_client:
        client = TrackingClient("mystore", user_token="made-up", http_client=http_client)
        delivery = bench.run(client, events_per_call=1, recheck_delays=ONCE)
    assert bench.states() == ({"a": "applied", "b": "applied"} if is_applied else {"a": "unknown", "b": "pending"})
    assert bench.outcomes()[0] == ("unknown", 1)
    assert (bench.reasons()[0] == FOUND) is is_applied
    assert is_applied or bench.reasons()[0].startswith("The response does not confirm the update: ")
    assert (delivery.calls, delivery.reads) == (1 + is_applied, 1)


def test_stopping_ends_the_wait_for_a_recheck(bench: Bench) -> None:
    """However long that would be."""
    bench.add(row(1, "a"))
    bench.account.answers(UNKNOWN)
    delivery = bench.delivery(recheck_delays=(1e6,))
    bench.report = lambda _: delivery.stop()
    delivery.run()
    assert bench.account.reads == []


def test_packages_without_doubt_are_sent_before_an_order_is_read(bench: Bench) -> None:
    """Then the order is read, and the rest of the package in doubt is sent."""
    seen: list[list[str]] = []
    read = bench.account.get_packages

    def look(order_id: str) -> tuple[Package, ...]:
        seen.append([*bench.account.sent])
        return read(order_id)

    bench.account.get_packages = look  # type: ignore[method-assign]
    bench.add(row(1, "a"), delivery(2, "2026-10-02", "b"), row(3, "x", "2"), row(4, "y", "3", order_id="o-02"))
    bench.leave_in_flight(1)
    bench.show("a")
    assert bench.run().reads == 1
    assert seen == [["x", "y"]]
    assert bench.account.sent == ["x", "y", "b D"]
    assert set(bench.states().values()) == {"applied"}


def test_an_order_with_several_packages_in_doubt_is_read_once(bench: Bench) -> None:
    """Each package is resolved by what the order shows of it."""
    bench.add(row(1, "a"), row(2, "x", "2"), row(3, "y", "3"), row(4, "z", order_id="o-02"))
    bench.leave_in_flight(1, 2, 3, 4)
    bench.show("a")
    bench.show("y", invoice="3")
    assert bench.run().reads == 2
    assert sorted(bench.account.reads) == ["o-01", "o-02"]
    assert bench.states() == {"a": "applied", "x": "unknown", "y": "applied", "z": "unknown"}


def test_orders_are_read_at_the_same_time(bench: Bench) -> None:
    """Each of two reads waits until the other one is in progress."""
    together = threading.Barrier(2)

    def meet(_: str) -> tuple[Package, ...]:
        together.wait(10)
        return ()

    bench.account.get_packages = meet  # type: ignore[method-assign,assignment]
    bench.add(row(1, "a"), row(2, "b", order_id="o-02"))
    bench.leave_in_flight(1, 2)
    assert bench.run(concurrency=2).reads == 2


def test_an_entry_in_flight_that_its_order_does_not_show_becomes_unknown(bench: Bench) -> None:
    """Its package waits. The order may show it later, so it is read again at the end."""
    bench.add(row(1, "a"), row(2, "b"))
    bench.leave_in_flight(1)
    assert bench.run(recheck_delays=ONCE).reads == 2
    assert bench.account.sent == []
    assert bench.states() == {"a": "unknown", "b": "pending"}
    assert NOT_SHOWN in bench.reasons()[0]


def test_the_order_of_an_old_doubt_is_read_once_a_run(bench: Bench) -> None:
    """After a minute VTEX shows what was applied, so rechecks would change nothing."""
    bench.add(row(1, "a"))
    bench.leave_in_flight(1)
    bench.advance(120)
    assert bench.run(recheck_delays=ONCE).reads == 1
    assert bench.run(recheck_delays=ONCE).reads == 1
    assert bench.states() == {"a": "unknown"}


def test_unknown_outcomes_of_an_earlier_run_are_found(bench: Bench) -> None:
    """An event by its texts and day, a delivery by its day; another entry of the package stays in doubt."""
    bench.add(row(1, "a"), delivery(2, "2026-10-02 10:00"), row(3, "b"))
    to_state(bench.journal, [1, 2], "unknown")
    bench.leave_in_flight(3)
    bench.show("a", is_delivered=True)
    bench.run()
    assert bench.states() == {"a": "applied", "D 2026-10-02 10:00": "applied", "b": "unknown"}
    assert bench.outcomes() == [("applied", 2), ("unknown", 1)]


def test_the_event_of_an_applied_entry_does_not_resolve_another(bench: Bench) -> None:
    """The order shows it with two dates, and the entry in doubt has one of them."""
    bench.add(event(1, "a", "2026-10-01"), event(2, "a", "2026-10-02"))
    bench.run()
    bench.add(event(3, "a", "2026-10-03"))
    bench.leave_in_flight(3)
    read = bench.account.get_packages

    def created_later(order_id: str) -> tuple[Package, ...]:
        return tuple(
            evolve(shown, events=tuple(evolve(each, create_date="2026-10-03") for each in shown.events))
            for shown in read(order_id)
        )

    bench.account.get_packages = created_later  # type: ignore[method-assign]
    bench.run()
    assert [state for _, _, state in told(bench.journal)] == ["applied", "applied", "unknown"]


@pytest.mark.parametrize("error", [refused(403), refused(404), errors.ReadFailedError("no answer")])
def test_an_order_that_cannot_be_read_leaves_its_entries_unknown(bench: Bench, error: Exception) -> None:
    """The account goes on, because a key may have the right to write and not to read."""
    bench.add(row(1, "a"), row(2, "x", "2"))
    bench.leave_in_flight(1)
    bench.account.read_answers(error)
    assert bench.run().pace.stop_error is None
    assert bench.states() == {"a": "unknown", "x": "applied"}
    assert f"cannot be read: {error}" in bench.reasons()[0]


@pytest.mark.parametrize("error", [refused(401), errors.NotSentError("no connection"), errors.ConfigurationError("x")])
def test_a_read_error_that_every_call_would_meet_stops_the_account(bench: Bench, error: Exception) -> None:
    """Entries in flight stay so, and the next run resolves them."""
    bench.add(row(1, "a"), row(2, "b", order_id="o-02"))
    bench.leave_in_flight(1, 2)
    bench.account.read_answers(error)
    assert bench.run().pace.stop_error is error
    assert len(bench.account.reads) == 1
    assert bench.states() == {"a": "in_flight", "b": "in_flight"}
    assert bench.record().stopped_reason == str(error)


def test_a_read_is_tried_again_after_a_429(bench: Bench) -> None:
    """It counts against the account's limit like any other call, and the pause is recorded."""
    quiet: list[str] = []
    bench.report = lambda _: quiet.append(bench.record().quiet_reason)
    bench.add(row(1, "a"))
    bench.leave_in_flight(1)
    bench.account.read_answers(refused(429, retry_after=7.0))
    assert bench.run().reads == 2
    assert bench.states() == {"a": "unknown"}
    assert bench.time.waited == [7.0]
    assert quiet[0] == "refused: 429"


def test_entries_in_doubt_can_be_resolved_without_sending_anything(bench: Bench) -> None:
    """Those that are selected, with each order read once."""
    bench.add(row(1, "a"), row(2, "b"), row(3, "c"), row(4, "x", "2"))
    bench.leave_in_flight(1, 2, 4)
    bench.show("a")
    delivery = bench.delivery()
    delivery.resolve_unknown(Selection(ids=[1, 2, 3]))
    assert bench.states() == {"a": "applied", "b": "unknown", "c": "pending", "x": "in_flight"}
    assert (delivery.calls, delivery.reads) == (0, 1)


def test_entries_that_are_resolved_without_sending_can_become_pending(bench: Bench) -> None:
    """With ``resend_after`` those that the order does not show become pending; the next run sends them."""
    bench.add(row(1, "a"), row(2, "b"))
    bench.leave_in_flight(1)
    bench.show()
    bench.advance(HOUR)
    delivery = bench.delivery(resend_after=HOUR)
    delivery.resolve_unknown(Selection())
    assert (delivery.calls, delivery.reads) == (0, 1)
    assert bench.states() == {"a": "pending", "b": "pending"}


def lose(bench: Bench) -> None:
    """Add two events and a delivery of a package, and lose the answer of the first call, which is not applied."""
    bench.add(row(1, "a"), row(2, "b"), delivery(3))
    bench.account.answers(UNKNOWN)
    bench.run(events_per_call=1)
    bench.show()
    assert bench.states() == {"a": "unknown", "b": "pending", "D None": "pending"}
    bench.account.sent.clear()


def test_an_unknown_event_is_sent_again_long_after_its_call_if_the_order_does_not_show_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It becomes pending, with the reason on record, and is sent in the same run, before later events."""
    lose(bench)
    bench.advance(HOUR)
    reasons: list[str] = []
    begin = SqliteLease.begin

    def look_and_begin(lease: SqliteLease, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        reasons.extend(bench.reasons())
        return begin(lease, entries)

    monkeypatch.setattr(SqliteLease, "begin", look_and_begin)
    delivery = bench.run(resend_after=HOUR)
    assert reasons == [SENT_AGAIN, "", ""]
    assert (delivery.reads, bench.account.sent) == (1, ["a b D"])
    assert set(bench.states().values()) == {"applied"}
    assert bench.attempts() == [2, 1, 1]


@pytest.mark.parametrize("resend_after", [HOUR, None], ids=["too early", "off"])
def test_an_unknown_event_is_not_sent_again_too_early_or_by_default(bench: Bench, resend_after: float | None) -> None:
    """The order is read and does not show it, which proves nothing yet, or is not to be relied on."""
    lose(bench)
    bench.advance(HOUR - 1)
    assert bench.run(resend_after=resend_after).reads == 1
    assert bench.account.sent == []
    assert bench.states() == {"a": "unknown", "b": "pending", "D None": "pending"}


@pytest.mark.parametrize("error", [refused(404), errors.ReadFailedError("no answer")])
def test_an_unknown_event_is_not_sent_again_if_its_order_cannot_be_read(bench: Bench, error: Exception) -> None:
    """Nor if the order is read but lacks the invoice."""
    lose(bench)
    bench.advance(HOUR)
    bench.account.read_answers(error)
    assert bench.run(resend_after=HOUR).reads == 1
    bench.account.shows = False
    assert bench.run(resend_after=HOUR).reads == 1
    assert bench.account.sent == []
    assert bench.states()["a"] == "unknown"


def test_a_delivery_that_the_order_shows_is_never_sent_again(bench: Bench) -> None:
    """With the same date it is found; with another date it stays unknown."""
    bench.add(delivery(1, "2026-10-02"), delivery(2, "2026-10-02", invoice="2"))
    to_state(bench.journal, [1, 2], "unknown")
    bench.show(is_delivered=True)
    bench.show(is_delivered=True, invoice="2")
    read = bench.account.get_packages

    def dated(order_id: str) -> tuple[Package, ...]:
        first, second = read(order_id)
        return evolve(first, delivered_date="2026-10-09"), second

    bench.account.get_packages = dated  # type: ignore[method-assign]
    bench.advance(HOUR)
    bench.run(resend_after=60.0)
    assert bench.account.sent == []
    assert [state for _, _, state in told(bench.journal)] == ["unknown", "applied"]


def test_what_an_order_shows_counts_for_the_time_at_which_it_was_read(bench: Bench) -> None:
    """Sending the rest of one package takes an hour; another package of the order was in doubt for seconds before."""
    bench.add(row(1, "a"), row(2, "b"), row(3, "x", "2"))
    bench.leave_in_flight(1, 3)
    bench.show("a")
    bench.show(invoice="2")
    bench.advance(10)
    bench.account.answers(lambda _: bench.advance(HOUR))
    assert bench.run(resend_after=HOUR).reads == 1
    assert bench.account.sent == ["b"]
    assert bench.states() == {"a": "applied", "b": "applied", "x": "unknown"}


def test_an_order_that_was_read_long_ago_is_no_evidence(bench: Bench) -> None:
    """The process was stopped for an hour after it had read the order, seconds after the call."""
    bench.add(row(1, "a"))
    bench.leave_in_flight(1)
    bench.show()
    read = bench.account.get_packages

    def read_and_stop(order_id: str) -> tuple[Package, ...]:
        shown = read(order_id)
        bench.advance(HOUR)
        return shown

    bench.account.get_packages = read_and_stop  # type: ignore[method-assign]
    bench.run(resend_after=HOUR)
    assert (bench.account.sent, bench.states()) == ([], {"a": "unknown"})


def test_a_clock_that_is_set_back_does_not_send_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call seems to have been made an hour ago, because the clock was set back just before it."""
    bench.add(row(1, "a"))
    bench.show()
    bench.account.answers(UNKNOWN)
    begin = SqliteLease.begin

    def set_back_and_begin(lease: SqliteLease, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        bench.clock.now -= dt.timedelta(seconds=HOUR)
        return begin(lease, entries)

    monkeypatch.setattr(SqliteLease, "begin", set_back_and_begin)
    bench.run(resend_after=HOUR, recheck_delays=ONCE)
    assert (bench.account.sent, bench.states()) == (["a"], {"a": "unknown"})


def test_an_entry_that_is_sent_again_waits_for_another_one_in_doubt(bench: Bench) -> None:
    """The other one's call was too short a time ago."""
    lose(bench)
    bench.advance(HOUR)
    bench.leave_in_flight(2)
    bench.run(resend_after=HOUR)
    assert bench.account.sent == []
    assert bench.states() == {"a": "pending", "b": "unknown", "D None": "pending"}


def test_what_will_be_sent_again_is_on_the_accounts_record(bench: Bench) -> None:
    """So that ``status`` can say when."""
    lose(bench)
    assert bench.record().resend_after is None
    bench.run(resend_after=HOUR)
    assert bench.record().resend_after == HOUR
