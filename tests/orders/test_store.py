"""What a journal knows of orders: saved, looked up as an index in memory would, and pruned."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtex_tracking_ext import NotFoundError, Package, PermissionDeniedError, TrackingClient
from vtex_tracking_ext.bulk import note
from vtex_tracking_ext.bulk.input.rows import Row
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader
from vtex_tracking_ext.carriers import CarrierEvent, Reading, Status
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.orders import OrderIndex, OrderPackage, OrderStore, carrier_rows
from vtex_tracking_ext.orders import store as store_module
from vtex_tracking_ext.orders.package import Series
from vtex_tracking_ext.orders.resolution import resolve

from support.journaled import START, Clock

if TYPE_CHECKING:
    from pathlib import Path

    from vtex_tracking_ext.bulk.journal.interface import Journal

KEY = "35260999999999000191550010000307111123456786"  # series 1, number 30711
DAY = dt.timedelta(days=1)


def event(**values: Any) -> CarrierEvent:
    """Return an event of a package."""
    return CarrierEvent("ocoren", "01", dt.datetime(2026, 9, 17, 11, 40), Status.IN_TRANSIT, **values)  # noqa: DTZ001


def package(invoice: str | None, tracking: str | None = None, type_: str | None = "Output") -> Package:
    """Return a package as an order shows it."""
    return Package(invoice, type_, tracking, None, "Modelo", finished=True, delivered_date=None, events=())


def keyed(package: Package, key: str) -> Package:
    """Return a package with a key and the date of its invoice."""
    return evolve(package, invoice_key=key, issuance_date="2026-09-01T10:00:00Z")


def known(store: OrderStore, what: str) -> list[OrderPackage]:
    """Return the packages that an identifier may mean."""
    return [found.package for _, found in store.find(what)]


#: Few values, so that they meet.
NUMBERS = st.sampled_from(["", "1", "2", "30711"])
KEYS = st.sampled_from(["", KEY, KEY.replace("30711", "30712"), "35260999"])
CODES = st.sampled_from(["", "qb1", "QB 1", "0QB2", "QB2"])
ISSUERS = st.sampled_from(["", "99999999000191", "1"])
PACKAGES = st.builds(
    OrderPackage,
    st.sampled_from(["o-01", "o-02", "o-03"]),
    st.sampled_from(["1", "001", "2", "30711", "F-2", KEY]),
    KEYS,
    ISSUERS,
    NUMBERS,
    CODES,
    st.just("mystore"),
)
EVENTS = st.builds(
    event,
    order_reference=st.sampled_from(["", "o-01", "o-04"]),
    nfe_key=KEYS,
    issuer=ISSUERS,
    series=NUMBERS,
    invoice_number=NUMBERS,
    tracking_code=CODES,
)


@given(packages=st.lists(PACKAGES, max_size=8), events=st.lists(EVENTS, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_events_find_what_an_index_of_all_packages_finds(
    packages: list[OrderPackage], events: list[CarrierEvent]
) -> None:
    """The packages that the store selects for some events resolve them as all packages together would."""
    unique = {(each.order_id, each.invoice_number.lstrip("0")): each for each in packages}
    with SqliteJournal.temporary() as journal:
        store = OrderStore(journal, "mystore")
        store.save(unique.values())
        selected = store.look_up(events).index
    everything = OrderIndex(unique.values())
    for each in events:
        found, expected = resolve(each, selected), resolve(each, everything)
        assert {*found.packages} == {*expected.packages}
        assert found.reason.partition(":")[0] == expected.reason.partition(":")[0]


def test_what_is_known_better_is_kept(journal: Journal) -> None:
    """A file without a tracking number erases none, another one changes it, and the same row twice is one package."""
    store = OrderStore(journal, "mystore")
    store.save([OrderPackage("o-01", "000030711", KEY, tracking_number="qb1")] * 2)
    store.save([OrderPackage("o-01", "000030711", issuer="99.999.999/0001-91")])
    expected = OrderPackage("o-01", "000030711", KEY, "99999999000191", "", "qb1", "mystore")
    assert known(store, "30711") == known(store, KEY) == known(store, "o-01") == known(store, " QB1") == [expected]
    assert known(store, "--") == []
    store.save([OrderPackage("o-01", "000030711", tracking_number="QB2")])
    assert known(store, "QB1") == []
    assert known(store, "QB2") == [evolve(expected, tracking_number="QB2")]
    (counts,) = store.counts()
    assert (counts.journal_account, counts.orders, counts.packages, counts.tracked, counts.keyed) == (
        "mystore", 1, 1, 1, 1,
    )  # fmt: skip
    assert counts.oldest == counts.newest == START.replace(microsecond=0)


@pytest.mark.parametrize("is_one_file", [False, True])
def test_invoice_numbers_without_their_zeros_are_the_same_package(journal: Journal, *, is_one_file: bool) -> None:
    """Whichever comes first, the number with its zeros is kept, with what both say; another invoice stays another."""
    store = OrderStore(journal, "mystore")
    short, full = OrderPackage("o-01", "30711", tracking_number="QB1"), OrderPackage("o-01", "000030711", KEY)
    other = OrderPackage("o-01", "307110")
    batches = [[short, full, other]] if is_one_file else [[short, other], [full], [short]]
    for batch in batches:
        store.save(batch)
    assert set(known(store, "o-01")) == {
        evolve(full, tracking_number="QB1", account="mystore"),
        evolve(other, account="mystore"),
    }
    store.save_order("", "o-01", [package("30711"), package("030711")])
    store.save([short, evolve(short, invoice_number="0030711")])
    assert {each.invoice_number for each in known(store, "o-01")} == {"30711", "030711", "0030711"}


def test_texts_that_a_database_refuses(journal: Journal) -> None:
    """An order of VTEX, or an identifier of a payload, may have a lone surrogate or NUL: it is saved and found."""
    store = OrderStore(journal, "mystore")
    store.save_order("", "o-01", [package("1", "QB\ud800\x00")])
    assert [each.invoice_number for each in known(store, "QB\ud800\x00")] == ["1"]
    assert known(store, "QB\udfff") == []


@pytest.mark.parametrize("batch", [1, 2, 500])
def test_several_tracking_numbers_of_a_package_are_its_parcels(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """All numbers of a file are kept, and found by each; other numbers of a file or of VTEX replace them."""
    monkeypatch.setattr(store_module, "BATCH", batch)
    store = OrderStore(journal, "mystore")

    def save(*codes: str) -> None:
        store.save(OrderPackage("o-01", "0001", tracking_number=code) for code in codes)

    def parcels(code: str) -> set[str]:
        packages = store.look_up([event(tracking_code=code)]).packages
        numbers = {each.tracking_number for each in packages}
        assert not packages or OrderIndex(packages).is_in_parcels(packages[0]) == (len(numbers) > 1)
        return numbers

    save("QB1")
    assert parcels("QB1") == {"QB1"}
    save("QB2", "", "QB3", "QB4", "QB3")
    assert parcels("QB1") == set()
    for code in ("QB2", "QB3", "QB4"):
        assert parcels(code) == {"QB2", "QB3", "QB4"}
        assert [how for how, _ in store.find(code)] == ["tracking number"]
    save("")
    save("QB2")
    store.save_order("", "o-01", [package("0001", None)])
    store.save_order("", "o-01", [package("0001", "QB4")])
    assert parcels("QB2") == {"QB2", "QB3", "QB4"}
    with SqliteJournal.temporary() as other:
        trial = OrderStore(other, "mystore", store)
        for _ in range(2):
            assert {each.tracking_number for each in trial.look_up([event(tracking_code="QB3")]).packages} == {
                "QB2", "QB3", "QB4",
            }  # fmt: skip
    save("QB5", "QB6")
    assert (parcels("QB2"), parcels("QB5")) == (set(), {"QB5", "QB6"})
    store.save_order("", "o-01", [package("0001", "QB7")])
    assert (parcels("QB5"), parcels("QB7")) == (set(), {"QB7"})
    save("QB8", "QB9")
    store.save_order("", "o-01", [])
    save("QB8")
    assert parcels("QB8") == {"QB8"}


def test_order_that_was_read_replaces_what_was_known(journal: Journal) -> None:
    """Packages that VTEX no longer has are gone, what it does not say is kept, and a return is no package to find."""
    store = OrderStore(journal, "mystore")
    store.save([OrderPackage("o-01", "1", KEY, tracking_number="QB1"), OrderPackage("o-01", "9")])
    store.save_order("", "o-01", [package("1"), package("2", "QB2", None), package("3", "QB3", "Input"), package(None)])
    (how, found), *_ = store.find("QB1")
    assert (how, found.order_status, found.type, found.courier, found.finished) == (
        "tracking number", "", "Output", "Modelo", True,
    )  # fmt: skip
    assert known(store, KEY) == [OrderPackage("o-01", "1", KEY, tracking_number="QB1", account="mystore")]
    assert known(store, "9") == []
    store.save([OrderPackage("o-04", "42", tracking_number="QB4"), OrderPackage("o-04", "0042")])
    store.save_order("", "o-04", [package("00042")])
    assert known(store, "42") == [OrderPackage("o-04", "00042", tracking_number="QB4", account="mystore")]
    store.save_order("", "o-03", [keyed(package("30711"), KEY), keyed(package("31"), "31")])
    assert [(each.package.nfe_key, each.invoiced) for _, each in store.find("o-03")] == [
        (KEY, "2026-09-01T10:00:00Z"),
        ("", "2026-09-01T10:00:00Z"),
    ]
    found_for = store.look_up([event(order_reference="o-01", tracking_code="qb3")])
    assert {each.invoice_number for each in found_for.packages} == {"1", "2"}
    store.save([OrderPackage("o-01", "003")])
    assert {found.type for _, found in store.find("3")} == {"Input"}
    store.save_order("mystore", "o-02", [], "canceled")
    assert [(each.orders, each.packages) for each in store.counts()] == [(4, 5)]


def test_accounts_of_a_run(journal: Journal) -> None:
    """A run finds the packages of its own accounts alone, also where the journal has the same store elsewhere.

    Packages of other accounts are left out and counted; an account that is missing raises.
    """
    names = {"": "mystore@127.0.0.1:8000", "mystore": "mystore@127.0.0.1:8000", "other": "other"}

    def account_name(account: str) -> str:
        if account not in names:
            raise ConfigurationError("unknown")
        return names[account]

    store = OrderStore(journal, account_name)
    own = OrderPackage("o-01", "1", tracking_number="QB1")
    left_out = store.save([own, evolve(own, account="other"), evolve(own, account="third")])
    assert dict(left_out) == {"third": 1}
    OrderStore(journal, "mystore").save([evolve(own, order_id="o-02")])
    OrderStore(journal, "third").save([evolve(own, order_id="o-03")])
    found = store.look_up([event(tracking_code="QB1")]).packages
    assert {(each.order_id, each.account) for each in found} == {("o-01", "mystore"), ("o-01", "other")}
    with TrackingClient("mystore", app_key="k", app_token="t") as client:
        found = OrderStore(journal, client).look_up([event(tracking_code="QB1")]).packages
    assert [(each.order_id, each.account) for each in found] == [("o-02", "mystore")]
    assert len(known(store, "QB1")) == 4
    del names[""]
    with pytest.raises(ConfigurationError, match="unknown"):
        store.save([own])


def test_series_of_an_account_are_kept(journal: Journal, clock: Clock) -> None:
    """The number alone does not decide after the packages of other series were pruned; other accounts do not count."""
    store, other = OrderStore(journal, "mystore"), OrderStore(journal, "other")
    store.save([OrderPackage("o-01", "1"), OrderPackage("o-02", "2", KEY), OrderPackage("o-03", "3", series="2")])
    store.save_order("", "o-04", [keyed(package("4", type_="Input"), KEY.replace("55001", "55003"))])
    other.save([OrderPackage("o-05", "5", series="4")])
    issuer = "99999999000191"
    expected = {Series("mystore", issuer, "1"), Series("mystore", "", "2"), Series("mystore", issuer, "3")}
    clock.now += 2 * DAY
    journal.prune(DAY)
    assert store.counts() == []
    for each in (store, other):
        each.save([OrderPackage("o-06", "30711")])
    numbered = event(invoice_number="30711")
    of_store, of_other = store.look_up([numbered]), other.look_up([numbered])
    assert of_store.series == expected
    assert of_other.series == {Series("other", "", "4")}
    assert resolve(numbered, of_store.index).packages == ()
    assert len(resolve(numbered, of_other.index).packages) == 1
    with SqliteJournal.temporary() as trial:
        assert OrderStore(trial, "mystore", store).look_up([]).series == expected


def test_store_behind_another_fills_what_is_not_known(tmp_path: Path) -> None:
    """A trial sees the journal, and a file that says more; the journal is not changed."""
    path = tmp_path / "journal.db"
    with SqliteJournal.open(path) as journal:
        OrderStore(journal, "mystore").save([OrderPackage("o-01", "1", KEY, tracking_number="QB1")])
    with SqliteReader.open(path) as reader, SqliteJournal.temporary() as trial:
        behind = OrderStore(reader, "mystore")
        behind.save([OrderPackage("o-02", "2")])
        behind.save_order("", "o-02", [package("2")])
        store = OrderStore(trial, str.lower, behind)
        store.save([OrderPackage("o-01", "1", tracking_number="QB2", account="mystore")])
        found = store.look_up([event(nfe_key=KEY), event(order_reference="o-02")]).packages
        assert [*found] == [OrderPackage("o-01", "1", KEY, tracking_number="QB2", account="mystore")]


def test_order_that_is_read_is_saved(journal: Journal) -> None:
    """Its packages are found later without reading the order, and all events of a reading are looked up at once."""
    store = OrderStore(journal, "mystore")
    reads = []

    def read(account: str, order_id: str) -> list[Package]:
        reads.append((account, order_id))
        return [package("000030711", "QB1")]

    first = Reading("ocoren", (event(order_reference="o-01", tracking_code="QB1", description="x"),))
    second = Reading("ocoren", (event(tracking_code="qb1", description="x"),))
    for reading in (first, first, second):
        (row,) = carrier_rows(reading, orders=store, read_packages=read)
        assert isinstance(row, Row)
        assert (row.order_id, row.invoice_number) == ("o-01", "000030711")
    assert reads == [("", "o-01")]


def test_order_is_read_again_unless_an_event_names_a_known_package(journal: Journal) -> None:
    """It may have another package by now. If the order cannot be read, what is known counts for the order alone."""
    store = OrderStore(journal, "mystore")
    store.save([OrderPackage("o-01", "1", tracking_number="QB1")])
    shown: list[Package] | NotFoundError | PermissionDeniedError = [package("1", "QB1"), package("2", "QB2")]
    reads = []

    def read(_: str, order_id: str) -> list[Package]:
        reads.append(order_id)
        if isinstance(shown, Exception):
            raise shown
        return shown

    def numbers(**values: str) -> list[str]:
        reading = Reading("ocoren", (event(order_reference="o-01", description="x", **values),))
        (row,) = carrier_rows(reading, orders=store, read_packages=read)
        return [row.invoice_number if isinstance(row, Row) else str(row)]

    assert numbers(tracking_code="QB1") == ["1"]
    assert reads == []
    assert numbers(tracking_code="QB2") == ["2"]
    assert reads == ["o-01"]
    shown = [package("1", "QB1"), package("3", "QB3", "Input")]
    assert numbers(invoice_number="9")[0].endswith("order o-01 has no package with invoice number '9'")
    shown = PermissionDeniedError("x", status_code=403)
    assert numbers(tracking_code="") == ["1"]
    assert numbers(tracking_code="QB4")[0].endswith("1 event: order o-01 cannot be read: x")
    assert numbers(tracking_code="QB3")[0].endswith("1 event: order o-01 cannot be read: x")
    assert numbers(invoice_number="9")[0].endswith(
        "order o-01 has no package with invoice number '9'; order o-01 cannot be read: x"
    )
    shown = NotFoundError("x", status_code=404)
    assert numbers()[0].endswith(": order o-01 does not exist in this account")


def test_prune(journal: Journal, clock: Clock) -> None:
    """What was last seen long ago goes, but not the order of an entry, nor what was seen again."""
    store = OrderStore(journal, "mystore")
    store.save([OrderPackage(f"o-0{number}", "1") for number in range(1, 4)])
    row = {"order_id": "o-01", "invoice_number": "1", "date": "2026-10-01", "description": "x"}
    note([row], journal, account="mystore")
    clock.now += 9 * DAY
    store.save([OrderPackage("o-02", "1")])
    clock.now += 2 * DAY
    journal.prune(10 * DAY)
    assert [each.order_id for each in known(store, "1")] == ["o-01", "o-02"]
    clock.now += 10 * DAY
    journal.prune(10 * DAY)
    assert [each.order_id for each in known(store, "1")] == ["o-01"]


def test_look_ups_use_indexes_and_few_statements(tmp_path: Path) -> None:
    """A reading of 2,000 events takes three statements for each kind of look-up, and one for the few series.

    None of the three reads a whole table.
    """
    events = [
        event(order_reference=f"o-{n}", nfe_key=f"{n:044}", tracking_code=f"QB{n}", invoice_number=str(n + 1))
        for n in range(2000)
    ]
    statements: list[str] = []
    with SqliteJournal.open(tmp_path / "journal.db") as journal:
        connection = journal._connection
        connection.set_trace_callback(statements.append)
        assert OrderStore(journal, "mystore").look_up(events).packages == ()
        connection.set_trace_callback(None)
        assert statements.pop(0) == "SELECT account, issuer, series FROM known_series"
        assert len(statements) == 18
        for statement in statements:
            assert len(re.findall(r"'[^']+'", statement)) <= 901
            plan = [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
            assert len(plan) in {2, 3}
            assert all(re.match("SEARCH .* USING (INDEX|INTEGER PRIMARY KEY)", line) for line in plan), plan


def test_look_ups_use_indexes_of_postgres(journal_url: str) -> None:
    """No look-up reads a whole table there either."""
    with PostgresJournal.open(journal_url) as journal, journal.connections.connection() as connection:
        for name, sql in journal._sql.items():
            if name.startswith(("known_by", "known_parcels")):
                records = connection.execute(f"EXPLAIN {sql}", {"values": ["1", "2"]})
                plan = "\n".join(line for (line,) in records)
                assert "Index Scan" in plan
                assert "Seq Scan" not in plan
