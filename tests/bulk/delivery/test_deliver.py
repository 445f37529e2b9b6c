"""Delivering what waits in a journal: order, splitting, doubt, and when to stop."""

from __future__ import annotations

import datetime as dt
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from vtex_tracking_ext import TrackingEvent, TrackingReceipt, TrackingUpdate, errors
from vtex_tracking_ext.bulk.delivery.deliver import (
    AccountDelivery,
    AccountPause,
    DeliveryOptions,
    DeliveryResult,
)
from vtex_tracking_ext.bulk.delivery.doubt import FOUND, NOT_SHOWN
from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.journal.interface import JournalError, WrongStateError
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader

from support.journaled import Account, Clock, delivery, package, refused, row, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from vtex_tracking_ext.bulk.input.rows import Row
    from vtex_tracking_ext.bulk.journal.entries import Entry

UNKNOWN = errors.OutcomeUnknownError("the connection was cut")

#: A look at the end of the run that need not be waited for, and none.
ONCE = (0.0,)
NEVER: tuple[float, ...] = ()


class Bench:
    """A journal, an account, and a delivery between them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.journal = SqliteJournal.open(path, self.clock)
        self.account = Account()
        self.pace = Pace(rate=1e6, initial_rate=1e6)
        self.news: list[DeliveryResult | AccountPause] = []
        self.report: Callable[[DeliveryResult | AccountPause], None] = self.news.append

    def tell(self, news: DeliveryResult | AccountPause) -> None:
        """Pass on what is told to whoever listens by now."""
        self.report(news)

    def add(self, *rows: Row) -> None:
        """Note rows as pending."""
        assert {added.status for added in self.journal.add(rows, "mystore")} == {"new"}

    def delivery(self, **options: Any) -> AccountDelivery:
        """Return a delivery; one package at a time unless told otherwise."""
        chosen = DeliveryOptions(**{"concurrency": 1, "recheck_delays": NEVER, **options})
        client: Any = self.account
        return AccountDelivery(client, self.journal, "mystore", self.pace, self.tell, chosen, self.clock)

    def run(self, **options: Any) -> AccountDelivery:
        """Deliver what waits."""
        delivery = self.delivery(**options)
        delivery.run()
        return delivery

    def states(self) -> dict[str, str]:
        """Return the state of each entry by its text."""
        return {text: state for _, text, state in told(self.journal)}

    def reasons(self) -> list[str]:
        """Return why the entries are as they are."""
        return [entry.reason for entry in self.journal.entries()]

    def outcomes(self) -> list[tuple[str, int]]:
        """Return the outcomes that were told, with the number of their entries."""
        return [(news.outcome, len(news.entries)) for news in self.news if isinstance(news, DeliveryResult)]

    def leave_in_flight(self, *ids: int) -> None:
        """Do what a run does that is killed while a call is on its way."""
        self.journal.mark_in_flight(ids)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Return an empty journal and an account."""
    bench = Bench(tmp_path / "journal.db")
    with bench.journal:
        yield bench


def test_what_may_leave_is_on_disk_before_it_does(bench: Bench) -> None:
    """Seen by somebody else while the call is on its way; afterwards the receipt is there."""
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


def test_a_package_is_sent_in_order_and_its_delivery_last(bench: Bench) -> None:
    """Together up to the limit, wherever the rows of others stand between them."""
    bench.add(row(1, "a"), row(2, "x", "2"), delivery(3, "2026-10-02"), row(4, "b"), row(5, "c"))
    assert bench.run(events_per_call=2).calls == 3
    assert bench.account.sent == ["a b", "c D", "x"]


def test_what_odd_receipts_say_is_kept(bench: Bench) -> None:
    """Applied is applied, but somebody may want to know."""
    bench.add(row(1, "a"))

    def send(update: TrackingUpdate) -> TrackingReceipt:
        return TrackingReceipt(date=None, order_id=update.order_id, receipt=None, note="no receipt in it")

    bench.account.send = send  # type: ignore[method-assign]
    bench.run()
    assert bench.states() == {"a": "applied"}
    assert bench.reasons() == ["no receipt in it"]


def test_packages_go_side_by_side(bench: Bench) -> None:
    """Each waits for the other one's call to be on its way."""
    together = threading.Barrier(2)

    def meet(_: TrackingUpdate) -> None:
        together.wait(10)

    bench.add(row(1, "a"), row(2, "b", "2"))
    bench.account.answers(meet, meet)
    bench.run(concurrency=2)
    assert bench.states() == {"a": "applied", "b": "applied"}


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_bad_event_does_not_take_the_others_down(bench: Bench, status: int) -> None:
    """A refused batch is split until the bad one is alone; the order stays."""

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
    """What certainly was not applied waits for what may have been."""
    bench.add(row(1, "a"), row(2, "b"))
    bench.account.answers(refused(400), UNKNOWN)
    bench.run()
    assert bench.states() == {"a": "unknown", "b": "pending"}


@pytest.mark.parametrize("status", [301, 404, 409, 501])
def test_what_is_wrong_with_the_order_is_not_looked_for_among_events(bench: Bench, status: int) -> None:
    """One call, all of it refused; what comes after a refusal is sent all the same."""
    bench.add(row(1, "a"), row(2, "b"), row(3, "c"))
    bench.account.answers(refused(status))
    bench.run(events_per_call=2)
    assert bench.account.sent == ["a b", "c"]
    assert bench.states() == {"a": "refused", "b": "refused", "c": "applied"}
    assert bench.outcomes() == [("refused", 2), ("applied", 1)]


def test_what_our_own_checks_refuse_is_refused(bench: Bench) -> None:
    """It never reached VTEX, and says nothing of its health."""
    bench.add(row(1, "a"))
    bench.account.answers(errors.InvalidUpdateError("wrong"))
    bench.run()
    assert bench.states() == {"a": "refused"}
    assert not bench.pace.stop_reason


def test_what_our_own_checks_refuse_does_not_take_the_others_down(bench: Bench) -> None:
    """A delivered date can come to lie ahead again: where a clock was set back, or in another time zone."""

    def check(update: TrackingUpdate) -> None:
        if update.is_delivered:
            raise errors.InvalidUpdateError("it lies in the future")

    bench.add(row(1, "a"), row(2, "b"), delivery(3, "2026-10-02"))
    bench.account.answers(*[check] * 9)
    bench.run()
    assert bench.states() == {"a": "applied", "b": "applied", "D 2026-10-02": "refused"}


def test_an_unknown_outcome_holds_its_package_and_no_other(bench: Bench) -> None:
    """The order does not show it in the looks at the end either."""
    bench.add(row(1, "a"), row(2, "b"), row(3, "x", "2"))
    bench.account.answers(UNKNOWN)
    delivery = bench.run(events_per_call=1, recheck_delays=(0.0, 0.0))
    assert bench.states() == {"a": "unknown", "b": "pending", "x": "applied"}
    assert delivery.reads == 2
    assert bench.outcomes() == [("unknown", 1), ("applied", 1), ("unknown", 1), ("unknown", 1)]
    assert bench.reasons() == ["the connection was cut", "", ""]


def test_what_shows_at_the_end_lets_its_package_go_on(bench: Bench) -> None:
    """Each event once, in order."""
    bench.add(row(1, "a"), row(2, "b"))
    bench.account.answers(bench.account.applied_and_lost)
    bench.run(events_per_call=1, recheck_delays=ONCE)
    assert bench.account.applied["1"] == ["a", "b"]
    assert bench.states() == {"a": "applied", "b": "applied"}
    assert bench.reasons() == [FOUND, ""]
    assert bench.outcomes() == [("unknown", 1), ("applied", 1), ("applied", 1)]


def test_it_can_be_told_to_send_on(bench: Bench) -> None:
    """Also behind what an earlier run left in doubt; only what is in doubt is not sent."""
    bench.add(row(1, "a"), row(2, "b"), row(3, "c"))
    bench.leave_in_flight(1)
    bench.account.answers(UNKNOWN)
    bench.run(events_per_call=1, send_after_unknown=True)
    assert bench.account.sent == ["b", "c"]
    assert bench.states() == {"a": "unknown", "b": "unknown", "c": "applied"}


def test_what_was_in_flight_is_settled_before_anything_is_sent(bench: Bench) -> None:
    """Found: applied, and the rest goes on. Another package's order is not read."""
    bench.add(row(1, "a"), delivery(2, "2026-10-02", "b"), row(3, "x", "2"))
    bench.leave_in_flight(1)
    bench.account.apply(TrackingUpdate("o-01", "1", [TrackingEvent("2026-10-01", "a", "S\u00e3o Paulo", "SP")]))
    assert bench.run().reads == 1
    assert bench.account.applied["1"] == ["a", "b", "D"]
    assert bench.states() == {"a": "applied", "b": "applied", "D 2026-10-02": "applied", "x": "applied"}


def test_what_was_in_flight_and_is_not_shown_is_unknown(bench: Bench) -> None:
    """Its package waits; it may yet show, so it is looked for again at the end."""
    bench.add(row(1, "a"), row(2, "b"))
    bench.leave_in_flight(1)
    assert bench.run(recheck_delays=ONCE).reads == 2
    assert bench.account.sent == []
    assert bench.states() == {"a": "unknown", "b": "pending"}
    assert NOT_SHOWN in bench.reasons()[0]


def test_what_is_old_is_looked_for_once(bench: Bench) -> None:
    """After a minute VTEX shows what it has."""
    bench.add(row(1, "a"))
    bench.leave_in_flight(1)
    bench.clock.now += dt.timedelta(minutes=2)
    assert bench.run(recheck_delays=ONCE).reads == 1
    assert bench.run(recheck_delays=ONCE).reads == 1
    assert bench.states() == {"a": "unknown"}


def test_an_unknown_of_an_earlier_run_is_found(bench: Bench) -> None:
    """And a delivery, by its day; some of a package's doubts may stay."""
    bench.add(row(1, "a"), delivery(2, "2026-10-02 10:00"), row(3, "b"))
    bench.leave_in_flight(1, 2, 3)
    bench.journal.record_outcome([1, 2], "unknown")
    bench.account.apply(
        TrackingUpdate("o-01", "1", [TrackingEvent("2026-10-01", "a", "S\u00e3o Paulo", "SP")], is_delivered=True)
    )
    bench.run()
    assert bench.states() == {"a": "applied", "D 2026-10-02 10:00": "applied", "b": "unknown"}
    assert bench.outcomes() == [("applied", 2), ("unknown", 1)]


def test_an_applied_event_does_not_pass_for_one_in_doubt(bench: Bench) -> None:
    """The order shows one event with two dates, of which either may be its own: it is the applied one's."""
    bench.add(row(1, "a"), row(2, "a", event=TrackingEvent("2026-10-02", "a", "S\u00e3o Paulo", "SP")))
    bench.run()
    bench.add(row(3, "a", event=TrackingEvent("2026-10-03", "a", "S\u00e3o Paulo", "SP")))
    bench.leave_in_flight(3)

    original = bench.account.get_packages

    def created_later(order_id: str) -> Any:
        return [
            evolve(shown, events=tuple(evolve(event, create_date="2026-10-03") for event in shown.events))
            for shown in original(order_id)
        ]

    bench.account.get_packages = created_later  # type: ignore[method-assign]
    bench.run()
    assert [state for _, _, state in told(bench.journal)] == ["applied", "applied", "unknown"]


@pytest.mark.parametrize("error", [refused(403), refused(404), errors.ReadFailedError("no answer")])
def test_an_order_that_cannot_be_read_leaves_the_doubt(bench: Bench, error: Exception) -> None:
    """The account goes on: a key may write and not read."""
    bench.add(row(1, "a"), row(2, "x", "2"))
    bench.leave_in_flight(1)
    bench.account.read_answers(error)
    assert bench.run().pace.stop_error is None
    assert bench.states() == {"a": "unknown", "x": "applied"}
    assert f"cannot be read: {error}" in bench.reasons()[0]


@pytest.mark.parametrize("error", [refused(401), errors.NotSentError("no connection"), errors.ConfigurationError("x")])
def test_an_account_that_cannot_be_read_at_all_ends(bench: Bench, error: Exception) -> None:
    """What was in flight stays so, to be settled by the next run."""
    bench.add(row(1, "a"), row(2, "x", "2"))
    bench.leave_in_flight(1)
    bench.account.read_answers(error)
    assert bench.run().pace.stop_error is error
    assert bench.states() == {"a": "in_flight", "x": "pending"}


@pytest.mark.parametrize(
    "error", [refused(401), refused(403), errors.NotSentError("x"), errors.ConfigurationError("x")]
)
def test_what_no_other_call_can_mend_ends_the_account(bench: Bench, error: Exception) -> None:
    """One call; the rest stays pending, with the reason on what was tried."""
    bench.add(*(row(number, "a", str(number)) for number in range(1, 30)))
    bench.account.answers(error)
    delivery = bench.run(recheck_delays=ONCE)
    assert delivery.pace.stop_error is error
    assert len(bench.account.sent) == 1
    assert bench.journal.counts() == {"mystore": {"pending": 29}}
    assert bench.reasons()[0] == str(error)
    assert bench.news == []


class Skipping(threading.Condition):
    """A condition whose waiting takes no time, but moves a clock on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.waited: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Move the clock on."""
        assert timeout is not None
        self.now += timeout
        self.waited.append(timeout)
        return True


def test_a_journal_that_was_held_up_makes_no_crowd(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls whose turn has passed wait for another; only once, for a journal that is always slow is no reason."""
    begin, slow = SqliteJournal.mark_in_flight, 3

    def begin_late(journal: SqliteJournal, ids: Iterable[int]) -> tuple[Entry, ...]:
        nonlocal slow
        if slow:
            slow -= 1
            clock.now += 1.1
        return begin(journal, ids)

    clock = Skipping()
    bench.pace = Pace(lambda: clock.now, rate=1e6, initial_rate=1e6, changed=clock)
    monkeypatch.setattr(SqliteJournal, "mark_in_flight", begin_late)
    bench.add(row(1, "a"))
    bench.run()
    assert slow == 1
    assert bench.account.sent == ["a"]
    assert [entry.attempts for entry in bench.journal.entries()] == [2]
    bench.add(row(2, "b", invoice="2"))
    bench.run()
    assert [entry.attempts for entry in bench.journal.entries()] == [2, 2]
    bench.add(row(3, "c", invoice="3"))
    bench.run()
    assert [entry.attempts for entry in bench.journal.entries()] == [2, 2, 1]
    assert bench.account.sent == ["a", "b", "c"]


def test_a_429_is_told_waited_out_and_sent_again(bench: Bench) -> None:
    """Not counted against the event; the waiting is for everybody."""
    changed = Skipping()
    bench.pace = Pace(lambda: changed.now, rate=1e6, initial_rate=1e6, changed=changed)
    bench.add(row(1, "a"))
    bench.account.answers(refused(429, retry_after=7.0))
    bench.run()
    assert bench.account.sent == ["a", "a"]
    assert changed.waited == [7.0]
    assert AccountPause("mystore", 7.0, "refused: 429") in bench.news
    (entry,) = bench.journal.entries()
    assert (entry.state, entry.attempts) == ("applied", 2)


@pytest.mark.parametrize("error", [refused(429, retry_after=5.0), refused(401)])
def test_nobody_begins_a_call_while_a_429_is_noted(bench: Bench, error: Exception) -> None:
    """Nor after a refusal of the credentials: the disk takes its time."""
    bench.add(row(1, "a"))
    bench.account.answers(error)
    delivery = bench.delivery()
    settle = bench.journal.record_outcome
    seen: list[bool] = []

    def look(*arguments: Any, **more: Any) -> None:
        seen.append(bench.pace._paused_until() > bench.pace._clock() or bool(bench.pace.stop_reason))
        delivery.stop()
        settle(*arguments, **more)

    bench.journal.record_outcome = look  # type: ignore[method-assign]
    delivery.run()
    assert seen == [True]


def test_a_429_without_end_leaves_the_rest(bench: Bench) -> None:
    """The account ends after some freezes in a row."""
    bench.pace = Pace(rate=1e6, initial_rate=1e6, max_freezes=2)
    bench.add(row(1, "a"))
    bench.account.answers(*[refused(429, retry_after=0.0)] * 5)
    delivery = bench.run()
    assert isinstance(delivery.pace.stop_error, errors.RateLimitedError)
    assert bench.states() == {"a": "pending"}
    assert len(bench.account.sent) == 3


def test_a_read_is_tried_again_after_a_429(bench: Bench) -> None:
    """It counts against the account's limit like any other call."""
    bench.add(row(1, "a"))
    bench.leave_in_flight(1)
    bench.account.read_answers(refused(429, retry_after=0.0))
    assert bench.run().reads == 2
    assert bench.states() == {"a": "unknown"}


def test_outcomes_that_stay_unknown_pause_the_account(bench: Bench) -> None:
    """Five in a row; who waits for the end of the pause can be stopped."""
    bench.add(*(row(number, "a", str(number)) for number in range(1, 9)))
    bench.account.answers(*[UNKNOWN] * 8)
    delivery = bench.delivery(recheck_delays=ONCE)

    def stop_when_it_waits(news: DeliveryResult | AccountPause) -> None:
        bench.news.append(news)
        if isinstance(news, AccountPause):
            delivery.stop()

    bench.report = stop_when_it_waits
    delivery.run()
    assert len(bench.account.sent) == 5
    assert bench.journal.counts() == {"mystore": {"unknown": 5, "pending": 3}}
    assert bench.account.reads == []


def test_being_stopped_finishes_what_is_on_its_way(bench: Bench) -> None:
    """And begins nothing more, of this package or another."""
    bench.add(row(1, "a"), row(2, "b"), row(3, "x", "2"))
    delivery = bench.delivery(events_per_call=1)
    bench.account.answers(lambda _: delivery.stop())
    delivery.run()
    assert bench.account.sent == ["a"]
    assert bench.states() == {"a": "applied", "b": "pending", "x": "pending"}


def test_being_stopped_begins_no_reading(bench: Bench) -> None:
    """What is in doubt stays so."""
    bench.add(row(1, "a"))
    bench.leave_in_flight(1)
    delivery = bench.delivery()
    delivery.stop()
    delivery.deliver_package(package())
    assert bench.account.reads == []
    assert bench.states() == {"a": "in_flight"}


def test_being_stopped_ends_the_wait_for_the_looks(bench: Bench) -> None:
    """However long that would be."""
    bench.add(row(1, "a"))
    bench.account.answers(UNKNOWN)
    delivery = bench.delivery(recheck_delays=(1e6,))
    bench.report = lambda _: delivery.stop()
    delivery.run()
    assert bench.account.reads == []


def test_a_journal_that_fails_stops_everything(bench: Bench) -> None:
    """The error is raised; what was on its way stays in flight, and the next run finds out."""
    bench.add(row(1, "a"), row(2, "x", "2"))
    settle = bench.journal.record_outcome

    def fail(*_: Any, **__: Any) -> None:
        raise JournalError("the disk is full")

    bench.journal.record_outcome = fail  # type: ignore[method-assign]
    with pytest.raises(JournalError, match="disk is full"):
        bench.run()
    assert bench.states() == {"a": "in_flight", "x": "pending"}
    bench.journal.record_outcome = settle  # type: ignore[method-assign]
    bench.pace = Pace(rate=1e6, initial_rate=1e6)
    bench.run()
    assert bench.states() == {"a": "applied", "x": "applied"}
    assert bench.account.applied == {"1": ["a"], "2": ["x"]}


def test_a_fault_of_our_own_stops_everything(bench: Bench) -> None:
    """Raised as it is; nothing is taken for what it may not be."""
    bench.add(row(1, "a"), row(2, "x", "2"))
    bench.account.answers(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        bench.run(concurrency=4, recheck_delays=ONCE)
    assert "in_flight" in bench.states().values()  # whichever package came first


def test_doubts_can_be_settled_without_sending_anything(bench: Bench) -> None:
    """Those that are chosen, each order read once."""
    bench.add(row(1, "a"), row(2, "b"), row(3, "c"), row(4, "x", "2"))
    bench.leave_in_flight(1, 2)
    bench.leave_in_flight(4)
    bench.account.apply(TrackingUpdate("o-01", "1", [TrackingEvent("2026-10-01", "a", "S\u00e3o Paulo", "SP")]))
    delivery = bench.delivery()
    delivery.resolve_unknown(Selection(ids=[1, 2, 3]))
    assert bench.states() == {"a": "applied", "b": "unknown", "c": "pending", "x": "in_flight"}
    assert (delivery.calls, delivery.reads) == (0, 1)


def test_what_somebody_else_works_on_is_left_to_them(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is read or sent, nor noted."""
    bench.add(row(1, "a"), row(2, "x", "2"))
    bench.leave_in_flight(1)
    monkeypatch.setattr(bench.journal, "try_lock", lambda key: nullcontext(key != package()))
    bench.delivery().resolve_unknown(Selection())
    assert bench.run().reads == 0
    assert bench.states() == {"a": "in_flight", "x": "applied"}


def test_choices_are_checked() -> None:
    """Nobody and nothing at a time makes no run."""
    with pytest.raises(ValueError, match=">= 1"):
        DeliveryOptions(concurrency=0)
    with pytest.raises(ValueError, match=">= 1"):
        DeliveryOptions(events_per_call=0)
    with pytest.raises(ValueError, match="<= 100"):
        DeliveryOptions(concurrency=101)


def test_a_batch_that_cannot_begin_though_all_of_it_waits_ends_the_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than being tried for ever; nothing is sent."""

    def begin(_: object) -> None:
        raise WrongStateError("out of its mind")

    bench.add(row(1, "a"))
    monkeypatch.setattr(bench.journal, "mark_in_flight", begin)
    with pytest.raises(WrongStateError, match="out of its mind"):
        bench.run()
    assert bench.account.sent == []


def test_what_is_withdrawn_meanwhile_is_not_sent(bench: Bench) -> None:
    """By somebody who writes to the same journal: the first of a batch, or all of it."""

    def withdraw(_: TrackingUpdate) -> None:
        bench.journal.withdraw(Selection(ids=(3,) if len(bench.account.sent) == 1 else (5, 6)), "sent by mistake")

    bench.add(*[row(number, text) for number, text in enumerate("abcdef", 1)])
    bench.account.answers(withdraw, withdraw)
    bench.run(events_per_call=2)
    assert bench.account.sent == ["a b", "d"]
    assert list(bench.states().values()) == ["applied", "applied", "refused", "applied", "refused", "refused"]
