"""The command orders, and what check and push know of orders without a file of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import Package
from vtex_tracking_ext.bulk.journal.opening import open_journal, open_reader
from vtex_tracking_ext.orders import OrderPackage, OrderStore

from support.carriers import SAMPLES, sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vtex_tracking_ext.sandbox import Oms

    from support.commands import Ran

pytestmark = pytest.mark.usefixtures("account")

ORDER, INVOICE, CODE = "1172452900788-01", "000030711", "QB000000018BR"
PAYLOAD = SAMPLES / "correios.json"


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """Return a file of orders with the tracking number of the sample of Correios."""
    path = tmp_path / "orders.csv"
    path.write_text(f"order_id,invoice_number,tracking_number\n{ORDER},{INVOICE},{CODE}\n", encoding="utf-8")
    return path


def documents(ran: Ran) -> list[dict[str, Any]]:
    """Return the JSON lines of a command."""
    return [json.loads(line) for line in ran.out.splitlines()]


def test_payload_finds_the_orders_that_were_imported(
    run: Callable[..., Ran], orders: Path, usual: Path, oms: Oms
) -> None:
    """Without the journal, check finds nothing and creates none; then check, a dry run and a push find the order."""
    ran = run("check", PAYLOAD)
    assert (ran.status, usual.exists()) == (5, False)
    assert run("push", PAYLOAD, "--dry-run").status == 5
    ran = run("orders", "import", orders)
    assert ran.status == 0
    assert "Packages of orders: 1 imported, 0 invalid.\nsandbox@127.0.0.1:" in ran.out
    assert ": 1 order with 1 package; 1 with a tracking number, 0 with an NF-e key. Last read or imp" in ran.out
    for command in (("check",), ("push", "--dry-run")):
        ran = run(*command, PAYLOAD)
        assert (ran.status, "5 rows: 5 new" in ran.out) == (0, True)
    assert list(oms.received) == []
    assert run("push", PAYLOAD).status == 0
    assert any(f"/orders/{ORDER}/invoice/{INVOICE}/tracking" in request.path for request in oms.received)


def test_check_of_a_run_without_an_account(
    run: Callable[..., Ran], orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds the orders of any store, but not those of a sandbox; orders of a file need no account either."""
    monkeypatch.delenv("VTEX_ACCOUNT")
    assert run("check", PAYLOAD, "--orders", orders).status == 0
    assert run("orders", "import", orders).status == 3
    assert run("orders", "import", orders, "--account", "sandbox").status == 0
    assert run("check", PAYLOAD).status == 5
    monkeypatch.delenv("VTEX_BASE_URL")
    assert run("orders", "import", orders, "--account", "mystore").status == 0
    ran = run("check", PAYLOAD, "--show", 1)
    assert (ran.status, f"order {ORDER}, invoice {INVOICE}" in ran.out) == (0, True)
    assert run("check", PAYLOAD, "--account", "other").status == 5


def test_orders_that_a_push_learns_are_kept(run: Callable[..., Ran], tmp_path: Path, orders: Path, oms: Oms) -> None:
    """Those of ``--orders``, and that of a payload that echoes the order id, which is not read again."""
    path = tmp_path / "frenet.json"
    path.write_text(
        json.dumps({**sample("frenet.json"), "OrderId": ORDER, "TrackingNumber": "AB123456785BR"}), encoding="utf-8"
    )
    assert run("push", path, "--dry-run").status == 0
    assert run("orders", "status").status == 3  # nothing was kept
    assert run("push", path).status == 0
    (found, _) = documents(run("orders", "find", ORDER, "--json"))
    assert (found["order_id"], found["invoice_number"], found["found_by"]) == (ORDER, INVOICE, "order id")
    before = len(oms.received)
    assert run("push", path).status == 0
    assert len(oms.received) == before
    assert run("push", PAYLOAD, "--orders", orders).status == 0
    assert run("orders", "find", CODE).status == 0


def test_bad_rows_and_other_accounts_are_reported(run: Callable[..., Ran], tmp_path: Path) -> None:
    """They are left out, and the others are imported; so they are by a push."""
    path = tmp_path / "orders.csv"
    path.write_text(
        f"order_id,invoice_number,tracking,account\n{ORDER},{INVOICE},{CODE},\n1-01,,,\n2-01,2,,other\n3-01,3,,third\n",
        encoding="utf-8",
    )
    ran = run("orders", "import", path, path)
    assert ran.status == 2
    assert f"{path}:3: column invoice_number: empty" in ran.err
    assert f"{path}:1: 2 packages of accounts that this run does not have left out: other, third" in ran.err
    assert "Packages of orders: 2 imported, 2 invalid." in ran.out
    *_, summary = documents(run("orders", "import", path, "--json"))
    assert summary == {"type": "summary", "packages": 1, "invalid": 1}
    ran = run("push", PAYLOAD, "--orders", path)
    assert (ran.status, "left out: other, third" in ran.err) == (2, True)
    assert run("orders", "import", tmp_path / "missing.csv").status == 2
    path.write_text("order_id,invoice_number,sku\n1-01,1,a\n1-01,1,b\n", encoding="utf-8")
    assert "Packages of orders: 1 imported, 0 invalid." in run("orders", "import", path).out


def test_find(run: Callable[..., Ran], usual: Path) -> None:
    """It says what an identifier means, by what it was found, and whether an event with nothing else is ambiguous."""
    with open_journal(usual) as journal:
        store = OrderStore(journal, "mystore")
        key = "35260999999999000191550010000307111123456786"
        store.save([OrderPackage("1-01", "000030711", key), OrderPackage("2-01", "30711", tracking_number="qb2")])
        sent = Package("7", "Output", "QB7", None, "Modelo", finished=True, delivered_date=None, events=())
        back = Package("8", "Input", "QB8", None, None, finished=False, delivered_date=None, events=())
        store.save_order("", "3-01", [sent, back], "invoiced")
    ran = run("orders", "find", "QB7")
    assert ran.status == 0
    assert ran.out.startswith(
        "order 3-01, invoice 7 of mystore, found by its tracking number; tracking number QB7; courier Modelo; "
        "delivered; order invoiced; last seen "
    )
    assert ran.out.endswith("Events that name it are sent to 1 package.\n")
    assert f"found by its NF-e key; NF-e key {key}; last seen" in run("orders", "find", key).out
    ran = run("orders", "find", "0030711")
    assert ran.status == 5
    assert ran.out.count("found by its invoice number") == 2
    assert ran.out.endswith("Ambiguous: events that name nothing else are not sent to any of these 2 packages.\n")
    ran = run("orders", "find", "8")
    assert ran.status == 5
    assert "a return, which is sent no events" in ran.out
    assert (
        "No package on its way to a shopper is known with '8': import its order with vtex-tracking orders import FILE."
        in ran.out
    )
    package, summary = documents(run("orders", "find", "qb2", "--json", "--account", "mystore"))
    del package["seen"]
    assert package == {
        "type": "package",
        "found_by": "tracking number",
        "courier": "",
        "finished": None,
        "invoiced": "",
        "order_status": "",
        "order_id": "2-01",
        "invoice_number": "30711",
        "nfe_key": "",
        "issuer": "",
        "series": "",
        "tracking_number": "qb2",
        "account": "mystore",
        "package_type": "Output",
        "is_meant": True,
    }
    assert summary == {"type": "summary", "packages": 1, "is_ambiguous": False}
    assert run("orders", "find", "qb2", "--account", "other").status == 2
    assert run("orders", "find", "unknown", "--account", "mystore").status == 5


def test_find_in_several_accounts(run: Callable[..., Ran], usual: Path) -> None:
    """A number of two accounts is not ambiguous, because each account finds its own orders."""
    with open_journal(usual) as journal:
        for account in ("mystore", "other"):
            OrderStore(journal, account).save([OrderPackage(f"{account}-01", "30711")])
        OrderStore(journal, "other").save([OrderPackage("other-02", "2"), OrderPackage("other-03", "2")])
    ran = run("orders", "find", "30711")
    assert (ran.status, ran.out.splitlines()[-1]) == (
        0, "Events that name it are sent to 2 packages, those of an account to its own.",
    )  # fmt: skip
    assert run("orders", "find", "2").status == 5
    assert run("orders", "find", "2", "--account", "mystore").status == 5


def test_status(run: Callable[..., Ran], usual: Path) -> None:
    """One line for each account; without orders, it says how to import them."""
    open_journal(usual).close()
    ran = run("orders", "status")
    assert (ran.status, "knows no orders: import a file of them with vtex-tracking orders import" in ran.out) == (
        0,
        True,
    )
    with open_journal(usual) as journal:
        for account in ("mystore", "other"):
            OrderStore(journal, account).save([OrderPackage("1-01", "1", tracking_number="QB1")])
    ran = run("orders", "status", "--account", "other")
    assert ran.out.startswith("other: 1 order with 1 package; 1 with a tracking number, 0 with an NF-e key. Last read")
    first, second = documents(run("orders", "status", "--json"))
    with open_reader(usual) as reader:
        assert second["oldest"][:19] == OrderStore(reader, "").counts()[1].oldest.isoformat()[:19]
    assert (first["type"], first["journal_account"], first["orders"], first["tracked"]) == ("account", "mystore", 1, 1)
