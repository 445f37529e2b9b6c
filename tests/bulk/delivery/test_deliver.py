"""Delivering an account: what is sent in which order, and when a delivery stops."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import errors
from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.journal.entries import BY_HAND, Selection
from vtex_tracking_ext.bulk.journal.interface import Changes, JournalError
from vtex_tracking_ext.bulk.journal.sqlite import SqliteReader
from vtex_tracking_ext.bulk.journal.sqlite.journal import SqliteLease

from support.deliveries import ONCE
from support.journaled import delivery, package, refused, row, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vtex_tracking_ext import TrackingUpdate
    from vtex_tracking_ext.bulk.journal.entries import Entry

    from support.deliveries import Bench

UNKNOWN = errors.OutcomeUnknownError("the connection was cut")


def test_entries_are_in_flight_on_disk_before_the_request_leaves(bench: Bench) -> None:
    """Another process sees them in flight during the call, and their receipt after the run."""
    seen: list[tuple[int, str, str]] = []

    def look(_: TrackingUpdate) -> None:
        with SqliteReader.open(bench.path) as reader:
            seen.extend(told(reader))

    bench.add(row(1, "a"), row(2, "b"))
    bench.account.answers(look)
    bench.run()
    assert seen == [(1, "a", "in_flight"), (2, "b", "in_flight")]
    applied = list(bench.journal.entries(Selection(("applied",))))
    assert [(entry.receipt, entry.attempts) for entry in applied] == [("r1", 1), ("r1", 1)]
    assert bench.outcomes() == [("applied", 2)]


def test_an_account_that_the_journal_does_not_contain_needs_nothing(bench: Bench) -> None:
    """Nothing is sent, and no lease is taken."""
    assert bench.run().calls == 0
    assert bench.journal.accounts() == {}


def test_a_package_is_sent_in_order_and_its_delivery_last(bench: Bench) -> None:
    """A call has events up to the limit, whichever rows of other packages are between them."""
    bench.add(row(1, "a"), row(2, "x", "2"), delivery(3, "2026-10-02"), row(4, "b"), row(5, "c"))
    assert bench.run(events_per_call=2).calls == 3
    assert bench.account.sent == ["a b", "c D", "x"]


def test_packages_are_sent_at_the_same_time(bench: Bench) -> None:
    """Each of two calls waits until the other one is in progress."""
    together = threading.Barrier(2)

    def meet(_: TrackingUpdate) -> None:
        together.wait(10)

    bench.add(row(1, "a"), row(2, "b", "2"))
    bench.account.answers(meet, meet)
    bench.run(concurrency=2)
    assert bench.states() == {"a": "applied", "b": "applied"}


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_batch_is_split_until_the_bad_event_is_alone(bench: Bench, status: int) -> None:
    """Only that event is refused; the others are applied in order."""

    def judge(update: TrackingUpdate) -> None:
        if any(event.description == "c" for event in update.events):
            raise refused(status)

    bench.add(*(row(number, text) for number, text in enumerate("abcdef", 1)), delivery(9))
    bench.account.answers(*[judge] * 20)
    bench.run()
    assert bench.account.applied["1"] == ["a", "b", "d", "e", "f", "D"]
    assert bench.states() == dict.fromkeys(["a", "b", "d", "e", "f", "D None"], "applied") | {"c": "refused"}
    assert bench.account.sent[0] == "a b c d e f D"
    assert len(bench.account.sent) <= 2 * 3 + 1
    (bad,) = bench.journal.entries(Selection(("refused",)))
    assert (bad.status_code, bad.reason) == (status, f"refused: {status}")


def test_an_unknown_outcome_while_splitting_holds_the_rest(bench: Bench) -> None:
    """The second half of a refused batch stays pending when the outcome of the first is unknown."""
    bench.add(row(1, "a"), row(2, "b"))
    bench.account.answers(refused(400), UNKNOWN)
    bench.run()
    assert bench.states() == {"a": "unknown", "b": "pending"}


@pytest.mark.parametrize("status", [301, 404, 409, 501])
def test_a_refusal_that_is_about_the_order_is_not_split(bench: Bench, status: int) -> None:
    """All events of the call are refused after one call, and later events of the package are sent."""
    bench.add(row(1, "a"), row(2, "b"), row(3, "c"))
    bench.account.answers(refused(status))
    bench.run(events_per_call=2)
    assert bench.account.sent == ["a b", "c"]
    assert bench.states() == {"a": "refused", "b": "refused", "c": "applied"}
    assert bench.outcomes() == [("refused", 2), ("applied", 1)]


def test_an_update_that_the_client_refuses_is_split_and_does_not_stop_the_account(bench: Bench) -> None:
    """Only the delivery is refused: its date can be in the future again if the machine's clock was set back."""

    def check(update: TrackingUpdate) -> None:
        if update.is_delivered:
            raise errors.InvalidUpdateError("it is in the future")

    bench.add(row(1, "a"), row(2, "b"), delivery(3, "2026-10-02"))
    bench.account.answers(*[check] * 9)
    assert bench.run().pace.stop_error is None
    assert bench.states() == {"a": "applied", "b": "applied", "D 2026-10-02": "refused"}


def test_send_after_unknown_sends_later_events(bench: Bench) -> None:
    """Entries in doubt, also those of an earlier run, are not sent again, and hold no other entry."""
    bench.add(row(1, "a"), row(2, "b"), row(3, "c"))
    bench.leave_in_flight(1)
    bench.account.answers(UNKNOWN)
    bench.run(events_per_call=1, send_after_unknown=True)
    assert bench.account.sent == ["b", "c"]
    assert bench.states() == {"a": "unknown", "b": "unknown", "c": "applied"}


def test_an_entry_that_is_withdrawn_during_the_run_is_not_sent(bench: Bench) -> None:
    """A person withdraws the first entry of the next batch, then all entries of another batch."""

    def withdraw(_: TrackingUpdate) -> None:
        bench.journal.withdraw(Selection(ids=(3,) if len(bench.account.sent) == 1 else (5, 6)))

    bench.add(*[row(number, text) for number, text in enumerate("abcdef", 1)])
    bench.account.answers(withdraw, withdraw)
    bench.run(events_per_call=2)
    assert bench.account.sent == ["a b", "d"]
    assert [*bench.states().values()] == ["applied", "applied", "withdrawn", "applied", "withdrawn", "withdrawn"]


def test_an_entry_that_is_resolved_during_the_run_is_sent_by_the_same_run(bench: Bench) -> None:
    """A person says that it was not applied: the account's revision grows, so the backlog is read again."""
    bench.add(row(1, "a"), row(2, "x", "2"))

    def resolve(_: TrackingUpdate) -> None:
        bench.journal.resolve(Selection(ids=[1]), "pending", BY_HAND)

    bench.account.answers(UNKNOWN, resolve)
    bench.run()
    assert bench.account.sent == ["a", "x", "a"]
    assert bench.states() == {"a": "applied", "x": "applied"}


@pytest.mark.parametrize(
    "error", [refused(401), refused(403), errors.NotSentError("x"), errors.ConfigurationError("x")]
)
def test_an_error_that_every_call_would_meet_stops_the_account(bench: Bench, error: Exception) -> None:
    """One call is made; all entries stay pending, and those of the call have the reason."""
    bench.add(*(row(number, "a", str(number)) for number in range(1, 30)))
    bench.account.answers(error)
    delivery = bench.run(recheck_delays=ONCE)
    assert delivery.pace.stop_error is error
    assert len(bench.account.sent) == 1
    assert bench.journal.counts() == {"mystore": {"pending": 29}}
    assert bench.reasons()[0] == str(error)
    assert bench.news == []
    assert delivery.next_due is None


def test_a_call_whose_turn_has_passed_waits_for_another_turn(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its entries are pending again meanwhile. It waits only once, because a slow journal spreads calls by itself."""
    begin, slow = SqliteLease.begin, 3

    def begin_late(lease: SqliteLease, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        nonlocal slow
        begun = begin(lease, entries)
        if slow:
            slow -= 1
            bench.time.now += 1.1
        return begun

    monkeypatch.setattr(SqliteLease, "begin", begin_late)
    bench.add(row(1, "a"))
    bench.run()
    assert slow == 1
    assert bench.account.sent == ["a"]
    assert bench.attempts() == [2]
    bench.add(row(2, "b", invoice="2"), row(3, "c", invoice="3"))
    bench.run()
    assert bench.attempts() == [2, 2, 1]
    assert bench.account.sent == ["a", "b", "c"]


def test_a_process_that_was_stopped_sends_after_another_successful_begin(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time that it was stopped for long between begin() and the call, it begins the entries again."""
    begin, stops = SqliteLease.begin, [60.0, 60.0, 60.0, 0.0]

    def begin_and_stop(lease: SqliteLease, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        begun = begin(lease, entries)
        assert bench.account.sent == []
        bench.time.now += stops.pop(0)
        return begun

    monkeypatch.setattr(SqliteLease, "begin", begin_and_stop)
    bench.add(row(1, "a"))
    bench.run()
    assert stops == []
    assert bench.account.sent == ["a"]
    assert bench.attempts() == [4]


def test_a_process_that_lost_its_lease_while_it_was_stopped_sends_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first use of a lost lease raises, and the delivery ends with this error."""
    begin = SqliteLease.begin

    def begin_and_lose(lease: SqliteLease, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        if bench.time.now > 2000:
            raise JournalError("the lease was lost")
        begun = begin(lease, entries)
        bench.time.now += 3600
        return begun

    monkeypatch.setattr(SqliteLease, "begin", begin_and_lose)
    bench.add(row(1, "a"))
    with pytest.raises(JournalError, match="the lease was lost"):
        bench.run()
    assert bench.account.sent == []


def test_an_entry_that_cannot_begin_is_not_sent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """If begin() raises, the delivery ends with this error."""

    def begin(*_: object) -> None:
        raise JournalError("the disk is full")

    bench.add(row(1, "a"))
    monkeypatch.setattr(SqliteLease, "begin", begin)
    with pytest.raises(JournalError, match="the disk is full"):
        bench.run()
    assert bench.account.sent == []
    assert bench.states() == {"a": "pending"}


def test_after_a_429_the_call_is_made_again(bench: Bench) -> None:
    """The pause is reported and waited for, and the 429 does not count against the event."""
    bench.add(row(1, "a"))
    bench.account.answers(refused(429, retry_after=7.0))
    bench.run()
    assert bench.account.sent == ["a", "a"]
    assert bench.time.waited == [7.0]
    assert AccountPause("mystore", 7.0, "refused: 429") in bench.news
    assert (bench.states(), bench.attempts()) == ({"a": "applied"}, [2])


@pytest.mark.parametrize("error", [refused(429, retry_after=5.0), refused(401)])
def test_no_call_begins_while_a_429_or_401_is_being_recorded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The pace knows the error before the journal does, because writing takes time."""
    delivery = bench.delivery()
    settle = SqliteLease.settle
    seen: list[bool] = []

    def look(lease: SqliteLease, *arguments: Any, **more: Any) -> None:
        seen.append(delivery.pace.delay() > 0 or bool(delivery.pace.stop_reason))
        delivery.stop()
        settle(lease, *arguments, **more)

    monkeypatch.setattr(SqliteLease, "settle", look)
    bench.add(row(1, "a"))
    bench.account.answers(error)
    delivery.run()
    assert seen == [True]


def test_too_many_consecutive_429s_stop_the_account(bench: Bench) -> None:
    """The entries stay pending, and the error is the last 429."""
    bench.max_freezes = 2
    bench.add(row(1, "a"))
    bench.account.answers(*[refused(429, retry_after=0.0)] * 5)
    assert isinstance(bench.run().pace.stop_error, errors.RateLimitedError)
    assert bench.states() == {"a": "pending"}
    assert len(bench.account.sent) == 3


def test_consecutive_unknown_outcomes_pause_the_account(bench: Bench) -> None:
    """Five packages in doubt are enough; the delivery can be stopped during the pause."""
    bench.add(*(row(number, "a", str(number)) for number in range(1, 9)))
    bench.account.answers(*[UNKNOWN] * 8)
    delivery = bench.delivery(recheck_delays=ONCE)

    def stop_at_a_pause(news: DeliveryResult | AccountPause) -> None:
        if isinstance(news, AccountPause):
            delivery.stop()

    bench.report = stop_at_a_pause
    delivery.run()
    assert len(bench.account.sent) == 5
    assert bench.journal.counts() == {"mystore": {"unknown": 5, "pending": 3}}
    assert bench.account.reads == []


def test_stopping_finishes_the_calls_in_progress(bench: Bench) -> None:
    """No other call begins, for this package or another."""
    bench.add(row(1, "a"), row(2, "b"), row(3, "x", "2"))
    delivery = bench.delivery(events_per_call=1)
    bench.account.answers(lambda _: delivery.stop())
    delivery.run()
    assert bench.account.sent == ["a"]
    assert bench.states() == {"a": "applied", "b": "pending", "x": "pending"}


def test_a_delivery_that_was_stopped_before_does_nothing(bench: Bench) -> None:
    """It neither sends nor reads."""
    bench.add(row(1, "a"), row(2, "b", "2"))
    bench.leave_in_flight(1)
    delivery = bench.delivery()
    delivery.stop()
    delivery.run()
    delivery.resolve_unknown(Selection())
    assert (delivery.calls, delivery.reads) == (0, 0)
    assert bench.states() == {"a": "in_flight", "b": "pending"}


def test_a_journal_that_fails_stops_the_delivery(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is raised; entries of calls in progress stay in flight, and the next run resolves them."""
    bench.add(row(1, "a"), row(2, "x", "2"))

    def fail(*_: Any, **__: Any) -> None:
        raise JournalError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteLease, "settle", fail)
        with pytest.raises(JournalError, match="disk is full"):
            bench.run()
    assert bench.states() == {"a": "in_flight", "x": "pending"}
    bench.run()
    assert bench.states() == {"a": "applied", "x": "applied"}
    assert bench.account.applied == {"1": ["a"], "2": ["x"]}


def test_an_unexpected_error_stops_the_delivery(bench: Bench) -> None:
    """It is raised as it is, and the entries of the call stay in flight."""
    bench.add(row(1, "a"), row(2, "x", "2"))
    bench.account.answers(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        bench.run(concurrency=4, recheck_delays=ONCE)
    assert "in_flight" in bench.states().values()  # whichever package came first


def test_the_numbers_of_the_options_are_checked() -> None:
    """At least one package and one event at a time, at most 100 packages, and times above 0."""
    with pytest.raises(ValueError, match=">= 1"):
        DeliveryOptions(concurrency=0)
    with pytest.raises(ValueError, match="<= 100"):
        DeliveryOptions(concurrency=101)
    with pytest.raises(ValueError, match=">= 1"):
        DeliveryOptions(events_per_call=0)
    with pytest.raises(ValueError, match="> 0"):
        DeliveryOptions(resend_after=0)
    with pytest.raises(ValueError, match="> 0"):
        DeliveryOptions(slice_seconds=0)


def test_outcomes_are_on_record_when_the_run_returns(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Applied outcomes are deferred, so that the next begin() records them in its transaction."""
    commits: list[tuple[int, int]] = []
    commit = SqliteLease._commit

    def count(lease: SqliteLease, changes: Changes) -> Any:
        commits.append((len(changes.settlements), len(changes.begun)))
        return commit(lease, changes)

    monkeypatch.setattr(SqliteLease, "_commit", count)
    bench.add(*(row(number, "a", str(number)) for number in range(1, 4)))
    bench.run()
    assert commits == [(0, 1), (1, 1), (1, 1), (1, 0), (0, 0)]
    assert bench.journal.counts() == {"mystore": {"applied": 3}}


@pytest.mark.parametrize("is_read", [False, True])
def test_outcomes_are_on_record_before_a_long_wait(bench: Bench, is_read: bool) -> None:
    """Whether an update is sent next, or an order is read."""
    bench.add(row(1, "a"), row(2, "x", "2"))
    if is_read:
        bench.leave_in_flight(2)
    delivery = bench.delivery()
    seen: list[str] = []
    wait = delivery.pace.wait_for_turn

    def look() -> bool:
        if bench.account.sent:
            seen.append(bench.states()["a"])
        return wait()

    def slow_down(_: TrackingUpdate) -> None:
        delivery.pace._throttle.next_start = bench.time.now + 3

    delivery.pace.wait_for_turn = look  # type: ignore[method-assign]
    bench.account.answers(slow_down)
    delivery.run()
    assert seen == ["applied"]


def test_outcomes_are_on_record_when_a_thread_runs_out_of_work(bench: Bench) -> None:
    """The other thread is still waiting for its answer."""
    recorded = threading.Event()
    flush = SqliteLease.flush
    first = threading.Barrier(2)

    def wait_for_record(_: TrackingUpdate) -> None:
        first.wait(10)
        assert recorded.wait(10)
        assert sorted(bench.states().values()) == ["applied", "in_flight"]

    def meet(_: TrackingUpdate) -> None:
        first.wait(10)

    def flush_and_tell(lease: SqliteLease) -> None:
        flush(lease)
        recorded.set()

    bench.add(row(1, "a"), row(2, "x", "2"))
    bench.account.answers(wait_for_record, meet)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqliteLease, "flush", flush_and_tell)
        bench.run(concurrency=2)
    assert bench.states() == {"a": "applied", "x": "applied"}


def test_an_account_that_another_process_delivers_is_left_to_it(bench: Bench) -> None:
    """``taken_by`` names the process; nothing is sent or read."""
    bench.add(row(1, "a"), row(2, "x", "2"))
    bench.leave_in_flight(1)
    delivery = bench.delivery()
    with bench.journal.lease("mystore") as lease:
        assert lease is not None
        who = bench.record().deliverer
        delivery.run()
        assert delivery.taken_by == who
        delivery.resolve_unknown(Selection())
        assert delivery.taken_by == who
    assert (delivery.calls, delivery.reads) == (0, 0)
    assert bench.states() == {"a": "in_flight", "x": "pending"}
    delivery.run()
    assert delivery.taken_by == ""
    assert bench.states() == {"a": "unknown", "x": "applied"}


def test_a_lease_that_has_just_been_given_back_is_tried_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process gives it back after it was found taken, and before its name is read."""
    others = bench.journal.lease("mystore")
    others.__enter__()
    deliverers = bench.journal.deliverers

    def give_back() -> Any:
        others.__exit__(None, None, None)
        return deliverers()

    monkeypatch.setattr(bench.journal, "deliverers", give_back)
    bench.add(row(1, "a"))
    delivery = bench.delivery()
    delivery.run()
    assert bench.account.sent == ["a"]
    assert delivery.taken_by == ""


def test_entries_that_are_added_while_the_lease_is_given_back_are_sent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who added them found the lease taken, so this process looks again whether the account's revision has grown."""
    note_next_due = type(bench.delivery())._note_next_due
    delivery = bench.delivery()

    def add_too_late() -> None:
        if not bench.states().get("b"):
            bench.add(row(2, "b"))
        note_next_due(delivery)

    monkeypatch.setattr(delivery, "_note_next_due", add_too_late)
    bench.add(row(1, "a"))
    delivery.run()
    assert bench.account.sent == ["a", "b"]


def test_entries_that_are_added_during_the_run_are_sent_by_it(bench: Bench) -> None:
    """Also if their package comes before the one that is being sent."""
    bench.add(row(1, "a"), row(2, "x", "2"))
    bench.account.answers(lambda _: None, lambda _: bench.add(row(3, "b"), row(4, "y", "3")))
    bench.run()
    assert bench.account.sent == ["a", "x", "b", "y"]


def test_entries_of_another_account_are_not_sent(bench: Bench) -> None:
    """A journal contains the entries of many accounts."""
    bench.add(row(1, "a"), row(2, "b", account="other"))
    bench.run()
    assert bench.account.sent == ["a"]
    (left,) = bench.journal.entries(Selection(("pending",)))
    assert left.package == package(account="other")
