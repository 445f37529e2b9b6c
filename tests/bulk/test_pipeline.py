"""A whole push: rows in, what waits out, and the sums."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from vtex_tracking_ext import (
    AsyncTrackingClient,
    ConfigurationError,
    TrackingClient,
    TrackingEvent,
    TrackingUpdate,
    errors,
)
from vtex_tracking_ext.bulk import Result, push
from vtex_tracking_ext.bulk.delivery.accounts import DeliveryPlan, MultiAccountDelivery, count_states, plan_delivery
from vtex_tracking_ext.bulk.delivery.deliver import AccountPause, DeliveryOptions, DeliveryResult
from vtex_tracking_ext.bulk.input.rows import Place, RowProblem
from vtex_tracking_ext.bulk.journal.account_name import account_name_of
from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader
from vtex_tracking_ext.bulk.recorder import RowRecorder
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, OmsSettings, running

from support.journaled import Account, delivery, refused, row, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENT = TrackingEvent("2026-10-01", "Coletado", "Curitiba", "PR")
FAST = 1000.0
QUICK = DeliveryOptions(recheck_delays=())


def client(account: str = "mystore", **options: Any) -> TrackingClient:
    """Return a client that calls nobody."""
    return TrackingClient(account, app_key="k", app_token="t", **options)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    """Return an empty journal."""
    with SqliteJournal.open(tmp_path / "journal.db") as journal:
        yield journal


@pytest.fixture
def oms() -> Oms:
    """Return an OMS with two orders."""
    oms = Oms()
    oms.add_order("1-01", ["1"])
    oms.add_order("2-01", ["1"])
    return oms


@pytest.fixture
def store(oms: Oms) -> Iterator[TrackingClient]:
    """Return a client of a sandbox."""
    with running(oms) as url, TrackingClient("sandbox", app_key=APP_KEY, app_token=APP_TOKEN, base_url=url) as store:
        yield store


@pytest.mark.parametrize(
    ("account", "options", "label"),
    [
        ("mystore", {}, "mystore"),
        ("MyStore", {}, "mystore"),
        ("mystore", {"environment": "vtexcommercebeta"}, "mystore"),
        ("MyStore", {"base_url": "https://MyStore.vtexcommercestable.com.br/"}, "mystore"),
        ("mystore", {"base_url": "https://other.vtexcommercestable.com.br"}, "mystore@other.vtexcommercestable.com.br"),
        ("mystore", {"base_url": "https://a.mystore.vtexcommercestable.com.br"}, None),
        ("mystore", {"base_url": "https://mystore.evil.example.com.br"}, None),
        ("mystore", {"base_url": "http://127.0.0.1:8000"}, "mystore@127.0.0.1:8000"),
        ("mystore", {"base_url": "https://Gateway.example/Vtex"}, "mystore@gateway.example/vtex"),
        ("mystore", {"base_url": "https://mystore.vtexcommercestable.com.br:443/"}, "mystore"),
        ("mystore", {"base_url": "https://mystore.vtexcommercestable.com.br:0443"}, "mystore"),
        ("mystore", {"base_url": "https://mystore.vtexcommercestable.com.br:80"}, None),
        ("mystore", {"base_url": "http://127.0.0.1:80"}, "mystore@127.0.0.1"),
        ("mystore", {"base_url": "http://[::1]:80"}, "mystore@[::1]"),
        ("mystore", {"base_url": "http://[::1]:8000"}, None),
    ],
)
def test_an_account_elsewhere_has_another_name(account: str, options: dict[str, str], label: str | None) -> None:
    """So that what went to a sandbox does not pass for sent to the store; VTEX's own host is the store itself."""
    expected = label or f"{account}@{options['base_url'].partition('://')[2]}"
    assert account_name_of(client(account, **options)) == expected


def test_a_path_in_capitals_is_counted_like_any_other(journal: SqliteJournal) -> None:
    """A journal keeps accounts in lower case: what waits there, or is in doubt, must be found under that name."""
    account: Any = Account(base_url="https://gateway.example/Vtex")
    account.answers(errors.OutcomeUnknownError("the connection was cut"))
    given = [{"order_id": "o-01", "invoice_number": "1", "date": "2026-10-01", "description": d} for d in ("a", "b")]
    result = push(given, account, journal, options=DeliveryOptions(events_per_call=1, recheck_delays=()))
    assert (result.unknown, result.pending) == (1, 1)


def test_what_is_new_is_sent_and_what_is_known_is_not(store: TrackingClient, oms: Oms, tmp_path: Path) -> None:
    """However often it is given, and in whatever shape."""
    path = tmp_path / "journal.db"
    given: list[Any] = [
        {"order_id": "1-01", "invoice_number": "1", "date": "2026-10-01", "description": "Coletado"},
        TrackingUpdate("2-01", "1", [EVENT], is_delivered=True, delivered_date="2026-10-02"),
    ]
    first = push(given, store, path, rate=FAST)
    assert first == Result(
        rows=3, new=3, renewed=0, known=0, problems=(), applied=3, refused=0, unknown=0, pending=0, calls=2, reads=0,
        ended={},
    )  # fmt: skip
    again = push(reversed(given), store, path, rate=FAST)
    assert (again.rows, again.new, again.known, again.calls) == (3, 0, 3, 0)
    assert [len(oms.applied(order, "1")) for order in ("1-01", "2-01")] == [1, 1]
    with SqliteReader.open(path) as reader:
        assert set(reader.counts()) == {account_name_of(store)}
        assert account_name_of(store).startswith("sandbox@127.0.0.1:")


def test_nothing_given_resumes_an_earlier_push(store: TrackingClient, oms: Oms, journal: SqliteJournal) -> None:
    """A journal that is open already stays open."""
    list(journal.add([row(1, "a", account=account_name_of(store), order_id="1-01")], ""))
    assert push([], store, journal).applied == 1
    assert push([], store, journal).calls == 0
    assert len(oms.applied("1-01", "1")) == 1


def test_a_429_is_not_waited_out_by_the_call(store: TrackingClient, oms: Oms, journal: SqliteJournal) -> None:
    """It is the whole account that must wait, whatever the client was told."""
    oms.settings = OmsSettings(rate_limit=0, retry_after=1)
    heard: list[DeliveryResult | AccountPause] = []

    def listen(news: DeliveryResult | AccountPause) -> None:
        heard.append(news)
        oms.settings = OmsSettings()

    assert push([TrackingUpdate("1-01", "1", [EVENT])], store, journal, report=listen).applied == 1
    waiting, applied = heard
    assert isinstance(waiting, AccountPause)
    assert (waiting.account, round(waiting.seconds)) == (account_name_of(store), 1)
    assert isinstance(applied, DeliveryResult)
    assert Counter(request.status for request in oms.received) == {429: 1, 200: 1}


def test_rows_go_to_the_account_they_name(journal: SqliteJournal) -> None:
    """Those that name none go to the first; one that nobody serves is a problem, of each of its rows."""
    north, south = Account("north"), Account("South")
    clients: list[Any] = [north, south]
    rows = [row(1, "a"), row(2, "b", account="SOUTH"), row(3, "c", account="west"), row(4, "d", account="west")]
    result = push(rows, clients, journal, rate=FAST)
    assert (north.sent, south.sent) == (["a"], ["b"])
    assert (result.rows, result.applied) == (4, 2)
    assert [str(problem) for problem in result.problems] == [
        f"f.csv:{line}: column account: no client for this account; accounts with a client: north, south"
        for line in (3, 4)
    ]
    assert set(journal.counts()) == {
        "north@mystore.vtexcommercestable.com.br",
        "south@mystore.vtexcommercestable.com.br",
    }


def test_rows_that_name_no_account_need_one(journal: SqliteJournal) -> None:
    """It is no problem of a row but of the run; what names a wrong account twice is looked up once."""
    asked: list[str] = []

    def account_lookup(account: str) -> str:
        asked.append(account)
        raise errors.ConfigurationError("no such account")

    problems: list[RowProblem] = []
    recorder = RowRecorder(journal, account_lookup, problems.append, print)
    recorder.record([row(1, "a", account="west"), row(2, "b", account="west")])
    assert (asked, len(problems), recorder.counts.invalid) == (["west"], 2, 2)
    with pytest.raises(errors.ConfigurationError):
        recorder.record([row(3, "c")])


def test_what_comes_too_late_to_be_sent_is_noted(journal: SqliteJournal) -> None:
    """The row is taken all the same, for its event."""
    notes: list[tuple[Place, str]] = []
    account: Any = Account()
    push([delivery(1)], account, journal, options=QUICK)
    recorder = RowRecorder(journal, lambda _: account_name_of(account), print, lambda *note: notes.append(note))
    recorder.record([delivery(2, "2026-10-02", "a")])
    ((place, note),) = notes
    assert place == Place("f.csv", 2)
    assert "2026-10-02 comes too late" in note
    assert recorder.counts.by_status == {"new": 1}


def test_without_a_client_nothing_is_done(journal: SqliteJournal) -> None:
    """And it is said."""
    with pytest.raises(errors.ConfigurationError, match="client is empty"):
        push([row(1, "a")], [], journal)


def test_a_rate_that_is_none_leaves_nothing_waiting(store: TrackingClient, journal: SqliteJournal) -> None:
    """The next push would send what the refused one had noted."""
    with pytest.raises(ValueError, match="> 0"):
        push([row(1, "a")], store, journal, rate=0)
    assert journal.counts() == {}


def test_an_asynchronous_client_is_refused(journal: SqliteJournal) -> None:
    """It would send nothing, and leave what it was given in flight."""
    wrong: Any = AsyncTrackingClient("mystore", app_key="k", app_token="t")
    with pytest.raises(ConfigurationError, match="pass a TrackingClient, and call push in a thread"):
        push([{"order_id": "1-01", "invoice_number": "1", "date": "2026-10-01", "description": "a"}], wrong, journal)
    assert told(journal) == []


def test_an_account_that_ends_leaves_the_others_alone(journal: SqliteJournal) -> None:
    """What was not sent waits."""
    north, south = Account("north"), Account("south")
    error = refused(401)
    north.answers(error)
    clients: list[Any] = [north, south]
    result = push([row(1, "a"), row(2, "b", account="south")], clients, journal, options=QUICK)
    assert (result.applied, result.pending, result.ended) == (1, 1, {account_name_of(clients[0]): error})


def test_a_contradiction_is_a_problem_and_takes_nothing(journal: SqliteJournal) -> None:
    """A package has one delivery; the rows around it are sent. Each wrong row counts once."""
    account: Any = Account()
    wrong = RowProblem(Place("f.csv", 3), "date", "wrong")
    rows: list[Any] = [
        delivery(1, "2026-10-02"),
        delivery(2, "2026-10-03", "b"),
        wrong,
        evolve(wrong, column="city"),
        row(4, "d"),
    ]
    result = push(rows, account, journal, options=QUICK)
    assert account.sent == ["d D"]
    assert [problem.place.line for problem in result.problems] == [3, 3, 2]
    assert "a package has one delivery" in result.problems[2].message
    assert (result.rows, result.new) == (4, 2)


def test_the_sums_of_a_run_that_leaves_doubts(journal: SqliteJournal) -> None:
    """What turns out to be applied is no longer unknown; what is refused is not applied."""
    account: Any = Account()
    account.answers(account.applied_and_lost, refused(404), errors.OutcomeUnknownError("lost"))
    rows = [row(1, "a"), row(2, "b", "2"), row(3, "c", "3"), row(4, "d", "3")]
    options = DeliveryOptions(concurrency=1, events_per_call=1, recheck_delays=(0.0,))
    result = push(rows, account, journal, options=options)
    assert (result.applied, result.refused, result.unknown, result.pending) == (1, 1, 1, 1)
    assert (result.calls, result.reads) == (3, 2)


def test_a_run_counts_as_it_goes(journal: SqliteJournal) -> None:
    """Each entry under what is known of it last."""
    account: Any = Account()
    account.answers(account.applied_and_lost)
    list(journal.add([row(1, "a", account="mystore")], ""))
    counts: list[dict[Any, int]] = []
    deliveries = MultiAccountDelivery(
        {"mystore": account},
        journal,
        lambda _: counts.append(dict(deliveries.outcomes)),
        DeliveryOptions(recheck_delays=(0.0,)),
    )
    deliveries.run()
    assert counts == [{"unknown": 1}, {"applied": 1, "unknown": 0}]


def test_a_journal_that_fails_stops_every_account(journal: SqliteJournal) -> None:
    """The error is raised when the others have ended."""
    north, south = Account(), Account()
    begun, failed = threading.Event(), threading.Event()
    begin = journal.mark_in_flight

    def fail(ids: Any) -> Any:
        if min(ids) == 1:
            begun.wait(10)
            failed.set()
            raise JournalError("the disk is full")
        return begin(ids)

    def wait(_: TrackingUpdate) -> None:
        begun.set()
        failed.wait(10)

    journal.mark_in_flight = fail  # type: ignore[method-assign]
    south.answers(wait)
    list(journal.add([row(1, "a", account="north"), row(2, "b", account="south")], ""))
    clients: dict[str, Any] = {"north": north, "south": south}
    with pytest.raises(JournalError, match="disk is full"):
        MultiAccountDelivery(clients, journal, lambda _: None).run()
    assert [state for _, _, state in told(journal)] == ["pending", "applied"]


def test_an_interrupt_finishes_what_is_on_its_way(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noted before the interrupt is raised; nothing else is begun."""
    account: Any = Account()
    on_its_way, interrupted = threading.Event(), threading.Event()

    def wait(_: TrackingUpdate) -> None:
        on_its_way.set()
        interrupted.wait(10)

    account.answers(wait)
    list(journal.add([row(1, "a", account="mystore"), row(2, "b", account="mystore")], ""))
    deliveries = MultiAccountDelivery(
        {"mystore": account}, journal, lambda _: None, DeliveryOptions(events_per_call=1, recheck_delays=())
    )
    stop = deliveries.stop

    def stop_and_let_go() -> None:
        stop()
        interrupted.set()

    monkeypatch.setattr(deliveries, "stop", stop_and_let_go)
    join = threading.Thread.join
    joined: list[threading.Thread] = []

    def interrupt_the_first(thread: threading.Thread, timeout: float | None = None) -> None:
        if thread.name.startswith("account-") and not joined:
            joined.append(thread)
            on_its_way.wait(10)
            raise KeyboardInterrupt
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", interrupt_the_first)
    with pytest.raises(KeyboardInterrupt):
        deliveries.run()
    assert told(journal) == [(1, "a", "applied"), (2, "b", "pending")]


def test_what_a_run_would_do_can_be_known_before(journal: SqliteJournal) -> None:
    """Of the accounts that are asked for."""
    rows = [row(1, "a"), row(2, "b"), delivery(3), row(4, "c", "2"), row(5, "x", account="other")]
    list(journal.add(rows, "mystore"))
    journal.mark_in_flight([1])
    assert plan_delivery(journal, ["mystore", "mystore", "nobody"]) == DeliveryPlan(2, 2, 1, 2, 1)
    assert plan_delivery(journal, ["mystore", "other"], 1) == DeliveryPlan(3, 3, 1, 3, 1)
    assert plan_delivery(journal, []) == DeliveryPlan(0, 0, 0, 0, 0)
    assert count_states(journal, ["mystore", "nobody"]) == {"in_flight": 1, "pending": 3}
    assert count_states(journal, []) == {}
    assert list(journal.entries(Selection(("in_flight",)))) != []


def test_two_pushes_may_share_a_journal(journal: SqliteJournal) -> None:
    """What one has on its way is not taken for left behind by the other, and is sent once."""
    account: Any = Account()
    account.shows = False
    others: list[Result] = []
    given = [{"order_id": "o-01", "invoice_number": "1", "date": "2026-10-01", "description": "a"}]
    account.answers(lambda _: others.append(push(given, account, journal, options=QUICK)))
    result = push(given, account, journal, options=QUICK)
    assert (result.applied, [(other.applied, other.calls, other.reads) for other in others]) == (1, [(0, 0, 0)])
    assert account.sent == ["a"]


def test_the_time_decides_what_lies_in_the_future(journal: SqliteJournal) -> None:
    """The machine's, unless another is given."""
    account: Any = Account()
    given = [TrackingUpdate("o-01", "1", is_delivered=True, delivered_date="2026-10-02 12:00")]
    early = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
    (problem,) = push(given, account, journal, now=early).problems
    assert problem.column == "delivered_date"
    assert account.sent == []
