"""Tests of note(), deliver() and push(): recording rows, delivering accounts, and the counts."""

from __future__ import annotations

import csv
import datetime as dt
import io
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from attrs import evolve

import vtex_tracking_ext.bulk
from vtex_tracking_ext import (
    AsyncTrackingClient,
    ConfigurationError,
    TrackingClient,
    TrackingEvent,
    TrackingUpdate,
    errors,
)
from vtex_tracking_ext.bulk import Result, deliver, note, push
from vtex_tracking_ext.bulk.delivery import threads
from vtex_tracking_ext.bulk.delivery.accounts import DeliveryPlan, MultiAccountDelivery, count_states, plan_delivery
from vtex_tracking_ext.bulk.delivery.calls import AccountPause, DeliveryResult
from vtex_tracking_ext.bulk.delivery.options import DeliveryOptions
from vtex_tracking_ext.bulk.input.layout import Layout
from vtex_tracking_ext.bulk.input.rows import Place, RowProblem
from vtex_tracking_ext.bulk.journal.account_name import account_name_of
from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.journal.interface import JournalError, process_name
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader
from vtex_tracking_ext.bulk.journal.sqlite.journal import SqliteLease
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, OmsSettings, running

from support.journaled import Account, add, delivery, refused, row, to_state, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENT = TrackingEvent("2026-10-01", "Coletado", "Curitiba", "PR")
FAST = 1000.0
QUICK = DeliveryOptions(recheck_delays=())


def given(*texts: str) -> list[dict[str, str]]:
    """Return a row of one package for each text."""
    plain = {"order_id": "o-01", "invoice_number": "1", "date": "2026-10-01"}
    return [{**plain, "description": text} for text in texts]


def client(account: str = "mystore", **options: Any) -> TrackingClient:
    """Return a client that is never called."""
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
def test_account_name_contains_another_address(account: str, options: dict[str, str], label: str | None) -> None:
    """The journal's name of an account contains its address unless that is VTEX's own."""
    expected = label or f"{account}@{options['base_url'].partition('://')[2]}"
    assert account_name_of(client(account, **options)) == expected


def test_address_with_capitals_is_counted(journal: SqliteJournal) -> None:
    """Entries of an account whose base URL has capitals are counted, because a journal keeps accounts in lower case."""
    account: Any = Account(base_url="https://gateway.example/Vtex")
    account.answers(errors.OutcomeUnknownError("the connection was cut"))
    result = push(given("a", "b"), account, journal, options=DeliveryOptions(events_per_call=1, recheck_delays=()))
    assert (result.unknown, result.pending) == (1, 1)


def test_only_new_rows_are_sent(store: TrackingClient, oms: Oms, tmp_path: Path) -> None:
    """Rows that are pushed again, in another order and shape, are known and not sent."""
    path = tmp_path / "journal.db"
    rows: list[Any] = [
        {"order_id": "1-01", "invoice_number": "1", "date": "2026-10-01", "description": "Coletado"},
        TrackingUpdate("2-01", "1", [EVENT], is_delivered=True, delivered_date="2026-10-02"),
    ]
    first = push(rows, store, path, rate=FAST)
    assert first == Result(
        rows=3, new=3, renewed=0, known=0, problems=(), applied=3, refused=0, unknown=0, pending=0, calls=2, reads=0,
        ended={}, others={},
    )  # fmt: skip
    again = push(reversed(rows), store, path, rate=FAST)
    assert (again.rows, again.new, again.known, again.calls) == (3, 0, 3, 0)
    assert [len(oms.applied(order, "1")) for order in ("1-01", "2-01")] == [1, 1]
    with SqliteReader.open(path) as reader:
        assert set(reader.counts()) == {account_name_of(store)}
        assert account_name_of(store).startswith("sandbox@127.0.0.1:")


def test_push_without_rows_resumes(store: TrackingClient, oms: Oms, journal: SqliteJournal) -> None:
    """A push without rows sends pending entries of the journal, and leaves an open journal open."""
    add(journal, row(1, "a", account=account_name_of(store), order_id="1-01"))
    assert push([], store, journal).applied == 1
    assert push([], store, journal).calls == 0
    assert len(oms.applied("1-01", "1")) == 1


def test_rate_limit_pauses_the_account(store: TrackingClient, oms: Oms, journal: SqliteJournal) -> None:
    """A 429 pauses the whole account and is reported, whatever the client's retry policy."""
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


def test_rows_are_sent_to_the_account_they_name(journal: SqliteJournal) -> None:
    """Rows without an account go to the first client; each row of an account without a client is a problem."""
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


def test_push_without_clients_raises(journal: SqliteJournal) -> None:
    """A push with an empty list of clients raises ConfigurationError."""
    with pytest.raises(errors.ConfigurationError, match="client is empty"):
        push([row(1, "a")], [], journal)


def test_invalid_rate_records_nothing(store: TrackingClient, journal: SqliteJournal) -> None:
    """An invalid rate raises before any row is recorded."""
    with pytest.raises(ValueError, match="> 0"):
        push([row(1, "a")], store, journal, rate=0)
    assert journal.counts() == {}


def test_a_mock_without_an_account_is_refused(journal: SqliteJournal) -> None:
    """The message says what to pass instead of a mock."""
    client: Any = mock.Mock()
    with pytest.raises(ConfigurationError, match="client is Mock: pass a TrackingClient, or several"):
        push([], client, journal)


def test_async_client_is_refused(journal: SqliteJournal) -> None:
    """An AsyncTrackingClient raises ConfigurationError, and no row is recorded."""
    wrong: Any = AsyncTrackingClient("mystore", app_key="k", app_token="t")
    with pytest.raises(ConfigurationError, match="pass a TrackingClient, and call this in a thread"):
        push(given("a"), wrong, journal)
    assert told(journal) == []


def test_stopped_account_does_not_stop_others(journal: SqliteJournal) -> None:
    """An account that is stopped keeps its entries pending, and the other accounts are delivered."""
    north, south = Account("north"), Account("south")
    error = refused(401)
    north.answers(error)
    clients: list[Any] = [north, south]
    result = push([row(1, "a"), row(2, "b", account="south")], clients, journal, options=QUICK)
    assert (result.applied, result.pending, result.ended) == (1, 1, {account_name_of(clients[0]): error})


def test_problems_do_not_hold_other_rows(journal: SqliteJournal) -> None:
    """Rows without a problem are sent; of two dates of a delivery, one is, with both events."""
    account: Any = Account()
    wrong = RowProblem(Place("f.csv", 3), "date", "wrong")
    rows: list[Any] = [
        delivery(1, "2026-10-02", "a"),
        delivery(2, "2026-10-03", "b"),
        wrong,
        evolve(wrong, column="city"),
        row(4, "d"),
    ]
    result = push(rows, account, journal, options=QUICK)
    assert account.sent == ["a b d D"]
    assert [problem.place.line for problem in result.problems] == [3, 3]
    assert (result.rows, result.new) == (4, 3)


def test_result_counts_unknown_outcomes(journal: SqliteJournal) -> None:
    """A result counts an unknown outcome that is found on the order as applied, not as unknown."""
    account: Any = Account()
    account.answers(account.applied_and_lost, refused(404), errors.OutcomeUnknownError("lost"))
    rows = [row(1, "a"), row(2, "b", "2"), row(3, "c", "3"), row(4, "d", "3")]
    options = DeliveryOptions(concurrency=1, events_per_call=1, recheck_delays=(0.0,))
    result = push(rows, account, journal, options=options)
    assert (result.applied, result.refused, result.unknown, result.pending) == (1, 1, 1, 1)
    # One order, read for the invoice that was not found, and for both packages in doubt.
    assert (result.calls, result.reads) == (3, 2)


def test_outcomes_are_counted_during_delivery(journal: SqliteJournal) -> None:
    """During delivery each entry is counted under its latest outcome."""
    account: Any = Account()
    account.answers(account.applied_and_lost)
    add(journal, row(1, "a"))
    counts: list[dict[Any, int]] = []
    deliveries = MultiAccountDelivery(
        {"mystore": account},
        journal,
        lambda _: counts.append(dict(deliveries.outcomes)),
        DeliveryOptions(recheck_delays=(0.0,)),
    )
    deliveries.run()
    assert counts == [{"unknown": 1}, {"applied": 1, "unknown": 0}]


def test_journal_error_stops_every_account(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the journal is raised after the other accounts have stopped."""
    north, south = Account(), Account()
    begun, failed = threading.Event(), threading.Event()
    begin = SqliteLease.begin

    def fail(lease: SqliteLease, entries: Any) -> Any:
        if lease.account == "north":
            begun.wait(10)
            failed.set()
            raise JournalError("the disk is full")
        return begin(lease, entries)

    def wait(_: TrackingUpdate) -> None:
        begun.set()
        failed.wait(10)

    monkeypatch.setattr(SqliteLease, "begin", fail)
    south.answers(wait)
    add(journal, row(1, "a", account="north"), row(2, "b", account="south"))
    clients: dict[str, Any] = {"north": north, "south": south}
    with pytest.raises(JournalError, match="disk is full"):
        MultiAccountDelivery(clients, journal, lambda _: None).run()
    assert [state for _, _, state in told(journal)] == ["pending", "applied"]
    assert journal.deliverers() == {}


def test_interrupt_finishes_calls_in_progress(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """On an interrupt the call in progress is finished and recorded, and no further call is started."""
    account: Any = Account()
    on_its_way, interrupted = threading.Event(), threading.Event()

    def wait(_: TrackingUpdate) -> None:
        on_its_way.set()
        interrupted.wait(10)

    account.answers(wait)
    add(journal, row(1, "a"), row(2, "b"))
    deliveries = MultiAccountDelivery(
        {"mystore": account}, journal, lambda _: None, DeliveryOptions(events_per_call=1, recheck_delays=())
    )
    stop = deliveries.stop

    def stop_and_let_go() -> None:
        stop()
        interrupted.set()

    monkeypatch.setattr(deliveries, "stop", stop_and_let_go)
    wait_for = threads._wait
    waited: list[bool] = []

    def interrupt_the_first(running: Any) -> None:
        if threading.current_thread() is threading.main_thread() and not waited:
            waited.append(on_its_way.wait(10))
            raise KeyboardInterrupt
        wait_for(running)

    monkeypatch.setattr(threads, "_wait", interrupt_the_first)
    with pytest.raises(KeyboardInterrupt):
        deliveries.run()
    assert told(journal) == [(1, "a", "applied"), (2, "b", "pending")]


def test_delivery_plan_counts_pending_entries(journal: SqliteJournal) -> None:
    """A plan counts packages, events, deliveries, calls and entries in doubt of the given accounts."""
    rows = [row(1, "a"), row(2, "b"), delivery(3), row(4, "c", "2"), row(5, "x", account="other")]
    add(journal, *rows)
    to_state(journal, 1, "in_flight")
    assert plan_delivery(journal, ["mystore", "mystore", "nobody"]) == DeliveryPlan(2, 2, 1, 2, 1)
    assert plan_delivery(journal, ["mystore", "other"], 1) == DeliveryPlan(3, 3, 1, 3, 1)
    assert plan_delivery(journal, []) == DeliveryPlan(0, 0, 0, 0, 0)
    assert count_states(journal, ["mystore", "nobody"]) == {"in_flight": 1, "pending": 3}
    assert count_states(journal, []) == {}
    assert list(journal.entries(Selection(("in_flight",)))) != []


def test_push_leaves_the_delivery_to_the_process_that_has_the_lease(journal: SqliteJournal) -> None:
    """The rows of a push during a delivery are noted and counted as pending, and the delivery sends them."""
    account: Any = Account()
    others: list[Result] = []
    account.answers(lambda _: others.append(push(given("b"), account, journal, options=QUICK)))
    result = push(given("a"), account, journal, options=QUICK)
    (other,) = others
    assert (other.new, other.calls, other.reads, other.applied) == (1, 0, 0, 0)
    assert (other.pending, other.unknown, other.others) == (2, 0, {account_name_of(account): process_name()})
    assert (result.applied, result.pending, result.others) == (2, 0, {})
    assert account.sent == ["a", "b"]


def test_entries_in_doubt_of_others_are_counted_as_they_are(journal: SqliteJournal) -> None:
    """In an account that another process delivers, entries in flight are pending, because their calls are made now."""
    account: Any = Account("north")
    name = account_name_of(account)
    add(journal, *[row(n, text, account=name) for n, text in enumerate("abc", 1)])
    to_state(journal, 1, "unknown")
    with journal.lease(name) as lease:
        assert lease is not None
        lease.begin([*journal.entries(Selection(ids=(2,)))])
        result = deliver(account, journal, options=QUICK)
    assert (result.unknown, result.pending, result.calls) == (1, 2, 0)
    assert result.others == {name: process_name()}


def test_accounts_of_workers_are_left_to_them(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push notes the rows of an account that workers serve, and sends those of other accounts."""
    north, south = Account("north"), Account("south")
    clients: list[Any] = [north, south]
    name = account_name_of(clients[0])
    monkeypatch.setattr(journal, "served_accounts", lambda: {name})
    result = push([row(1, "a"), row(2, "b", account="south")], clients, journal, options=QUICK)
    assert (north.sent, south.sent) == ([], ["b"])
    assert (result.applied, result.pending, result.others) == (1, 1, {name: "workers"})


def test_result_counts_held_deliveries(journal: SqliteJournal) -> None:
    """A held delivery is pending; its event is sent."""
    account: Any = Account()
    until = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)
    rows = [delivery(1, "2026-10-01", "a", hold_until=until), delivery(2, "2026-10-01", "b", invoice="2")]
    result = push(rows, account, journal, options=QUICK)
    assert (result.applied, result.pending, result.held, account.sent) == (3, 1, 1, ["a", "b D"])


def test_deliver_sends_what_was_noted(tmp_path: Path) -> None:
    """``note`` sends nothing; ``deliver`` sends the pending entries of its accounts, and leaves others pending."""
    path = tmp_path / "journal.db"
    account: Any = Account()
    noted = note([*given("a", "b"), {**given("c")[0], "account": "other"}], path, account=account)
    assert noted == Result(rows=3, new=3)
    assert account.sent == []
    result = deliver(account, path, options=QUICK)
    assert result == Result(applied=2, calls=1)
    assert account.sent == ["a b"]
    assert deliver([account], path, options=QUICK) == Result()
    with SqliteReader.open(path) as reader:
        assert reader.counts()["other"] == {"pending": 1}


def test_deliver_needs_clients(journal: SqliteJournal) -> None:
    """``deliver`` without a client raises ConfigurationError."""
    with pytest.raises(errors.ConfigurationError, match="client is empty"):
        deliver([], journal)


@pytest.mark.parametrize(
    ("account", "environment", "expected"),
    [
        ("MyStore", {}, "mystore"),
        ("", {"VTEX_ACCOUNT": "North"}, "north"),
        ("mystore", {"VTEX_ACCOUNT": "north"}, "mystore"),
        ("mystore", {"VTEX_BASE_URL": "http://127.0.0.1:8000"}, "mystore@127.0.0.1:8000"),
        ("mystore", {"VTEX_ENVIRONMENT": "vtexcommercebeta"}, "mystore"),
        (client("MyStore", base_url="http://127.0.0.1:8000"), {}, "mystore@127.0.0.1:8000"),
        (client(), {"VTEX_ACCOUNT": "north", "VTEX_BASE_URL": "http://127.0.0.1:8000"}, "mystore"),
        (AsyncTrackingClient("mystore", app_key="k", app_token="t"), {}, "mystore"),
    ],
)
def test_noted_rows_belong_to_an_account(
    journal: SqliteJournal,
    monkeypatch: pytest.MonkeyPatch,
    account: TrackingClient | AsyncTrackingClient | str,
    environment: dict[str, str],
    expected: str,
) -> None:
    """Rows that name no account belong to that of the client, of the name, or of the environment."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert note(given("a"), journal, account=account).new == 1
    assert list(journal.counts()) == [expected]


def test_noted_rows_can_name_their_account(journal: SqliteJournal) -> None:
    """The address of a client applies to the rows of its own account only."""
    rows = [{**given("a")[0], "account": name} for name in ("MyStore", "north")]
    assert note(rows, journal, account=client(base_url="http://127.0.0.1:8000")).new == 2
    assert list(journal.counts()) == ["mystore@127.0.0.1:8000", "north"]


def test_noting_needs_an_account(journal: SqliteJournal) -> None:
    """A row without an account raises if there is no default, and no row is noted."""
    rows = [{**given("a")[0], "account": "north"}, *given("b")]
    with pytest.raises(ConfigurationError, match="A row names no account: pass account=, or set VTEX_ACCOUNT"):
        note(rows, journal)
    assert journal.counts() == {}
    assert note(rows[:1], journal).new == 1


def test_problems_of_noted_rows_are_returned(journal: SqliteJournal) -> None:
    """Rows that cannot be sent are among the problems, and the others are noted."""
    result = note([*given("a"), {"order_id": "o-01"}, *given("a")], journal, account="mystore")
    assert (result.rows, result.new, result.known) == (3, 1, 1)
    assert {problem.place.line for problem in result.problems} == {2}


@pytest.mark.parametrize("record", [note, push])
def test_error_while_rows_are_read_notes_none(journal: SqliteJournal, record: Any) -> None:
    """If reading the rows raises an error, none of them is noted or sent."""
    account: Any = Account()

    def rows() -> Iterator[dict[str, str]]:
        yield from given("a")
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        note(rows(), journal, account=account) if record is note else push(rows(), account, journal)
    assert journal.counts() == {}
    assert account.sent == []


def test_now_decides_whether_a_date_is_in_the_future(journal: SqliteJournal) -> None:
    """A delivered date after the given time is a problem."""
    account: Any = Account()
    rows = [TrackingUpdate("o-01", "1", is_delivered=True, delivered_date="2026-10-02 12:00")]
    early = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
    (problem,) = push(rows, account, journal, now=early).problems
    assert problem.column == "delivered_date"
    assert account.sent == []


def test_bulk_has_no_other_public_names() -> None:
    """A name that does not exist raises AttributeError, as for any module."""
    with pytest.raises(AttributeError, match=r"'vtex_tracking_ext\.bulk' has no attribute 'pull'"):
        _ = vtex_tracking_ext.bulk.pull


def test_rows_are_read_as_a_layout_says(oms: Oms, store: TrackingClient, tmp_path: Path) -> None:
    """A layout, and options that replace its own, apply to mappings; the result has notes about how they were read."""
    rows: Any = csv.DictReader(
        io.StringIO("Pedido;NF;Data;Texto;Peso\n1-01;1,0;05/10/2026;Entregue;2\n", ""), delimiter=";"
    )
    layout = Layout(date_format="mm/dd/yyyy", mapping={"Texto": "description"})
    rule = {"texto": "Entregue"}
    result = push(rows, store, tmp_path / "j.db", layout=layout, date_format="dd/mm/yyyy", delivered_when=rule)
    assert (result.applied, result.problems) == (2, ())
    assert [str(note.message) for note in result.notes] == [
        "column invoice_number: '1,0' is read as 1; if it had leading zeros, they are lost",
        "key 'Peso' is passed over, because it is not known",
    ]
    assert [event["date"] for event in oms.applied("1-01", "1")] == ["2026-10-05"]


class Frame:
    """Stands in for a data frame of pandas."""

    columns = ("order_id", "invoice_number", "date", "description", "city")
    dtypes = ()

    def itertuples(self, *, index: bool, name: None) -> Iterator[tuple[object, ...]]:
        """Return a row whose city is missing."""
        del index, name
        return iter([("1-01", 1, dt.datetime(2026, 10, 1), "Coletado", float("nan"))])  # noqa: DTZ001 - as frames have them


def test_data_frame_is_pushed(oms: Oms, store: TrackingClient, tmp_path: Path) -> None:
    """A data frame is passed as it is; a missing value is an empty one."""
    frame: Any = Frame()
    assert push(frame, store, tmp_path / "j.db").applied == 1
    (event,) = oms.applied("1-01", "1")
    assert (event["date"], event["description"], event["city"]) == ("2026-10-01", "Coletado", "")


@pytest.mark.parametrize("wrong", ["events.csv", {"order_id": "1-01"}, 7])
def test_what_is_no_rows_raises_before_a_journal_is_created(wrong: Any, tmp_path: Path) -> None:
    """A path or a single row raises TypeError with the right call, and nothing is created or sent."""
    said = r"^rows is \w+, not rows: (?:read a file with push|pass a list)"
    with pytest.raises(TypeError, match=said):
        note(wrong, tmp_path / "j.db")
    with pytest.raises(TypeError, match=said):
        push(wrong, client(), tmp_path / "j.db")
    unknown: dict[str, Any] = {"colour": 1}
    with pytest.raises(ConfigurationError, match="'colour' is not a key of a layout"):
        note([], tmp_path / "j.db", **unknown)
    assert list(tmp_path.iterdir()) == []
